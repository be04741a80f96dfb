// Reads exports as the audition page does. Standard input: a line of JSON with the page's scripts and constants, then a
// line per export in base64. Standard output: a line per export.
const vm = require("vm");
const lines = require("readline").createInterface({ input: process.stdin, crlfDelay: Infinity });
let read = null;
lines.on("line", (line) => {
  if (read === null) {
    const { script, constants } = JSON.parse(line);
    const context = vm.createContext({ K: constants, TextDecoder, console });
    read = vm.runInContext(`${script}
      (bytes) => {
        try {
          const text = typeof decodeText === "function" ? decodeText(bytes) : new TextDecoder().decode(bytes);
          const network = new Network(text);
          const frame = Float64Array.from({ length: network.numInputs }, (_, i) => Math.sin(i + 1));
          return JSON.stringify({ metadata: network.metadata, outputs: [...network.step(frame)] });
        } catch (error) {
          return JSON.stringify({ error: String(error.message), kind: error.name });
        }
      }`, context);
    return;
  }
  console.log(read(new Uint8Array(Buffer.from(line, "base64"))));
});

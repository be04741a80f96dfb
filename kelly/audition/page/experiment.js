// Experiments: five networks each, embedded in the page or loaded from files.

const MODELS = Object.keys(K.TITLES);

const experiments = []; // {name, networks, error, letter}; error: why it cannot be played

// The bytes of a file that is compressed with gzip and encoded in base 64.
async function decompress(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

// Experiments with the same file share its network, since each phrase begins with a reset.
const networkCache = new Map();
function cachedNetwork(text) {
  if (!networkCache.has(text)) networkCache.set(text, new Network(text));
  return networkCache.get(text);
}

// An experiment from the bytes of its exports by model name, or the Error of reading them.
function makeExperiment(name, files) {
  const networks = {}, errors = [];
  for (const model of MODELS) {
    try {
      if (files[model] === undefined) throw new Error("is missing");
      if (files[model] instanceof Error) throw files[model];
      const network = cachedNetwork(decodeText(files[model]));
      checkNetwork(model, network);
      networks[model] = network;
    } catch (error) {
      errors.push(`${model}.json: ${error.message}`);
    }
  }
  return { name, networks, error: errors.join("\n") };
}

// Throws an Error where a network is not `model`, or its metadata lacks what composing needs.
function checkNetwork(model, { metadata, numInputs, numOutputs }) {
  const [inputs, outputs] = K.SIZES[model];
  if (metadata.model !== model || numInputs !== inputs || numOutputs !== outputs)
    throw new Error(`found ${shorten(metadata.model)} with ${numInputs} inputs and ${numOutputs} outputs, ` +
      `expected ${model} with ${inputs} and ${outputs}`);
  if (metadata.inputs === undefined) throw new Error("its metadata has no inputs, which composing needs");
}

// Add an experiment to the list, the radio buttons and the table of networks.
function addExperiment(experiment) {
  experiments.push(experiment);
  const letter = String.fromCharCode(64 + experiments.length), label = document.createElement("label");
  const radio = Object.assign(document.createElement("input"), { type: "radio", name: "experiment", value: experiments.length - 1 });
  radio.addEventListener("change", () => selectExperiment(Number(radio.value)));
  label.className = "inline";
  label.append(radio, `${letter}: ${experiment.name}`);
  byId("experiments").append(label);
  byId("experiments").hidden = experiments.length < 2;
  experiment.letter = letter;
  for (const [model, network] of Object.entries(experiment.networks)) {
    const { data, seed, revision } = network.metadata;
    const first = experiments.find(({ networks }) => networks[model] === network).letter;
    if (first !== letter) addRow("networks", letter, [K.TITLES[model], `same file as ${first}`, "", ""]);
    else addRow("networks", letter, [K.TITLES[model], data?.source, seed, revision?.slice(0, 10)]);
  }
}

function addRow(table, header, cells) {
  const row = byId(table).tBodies[0].insertRow(), th = document.createElement("th");
  th.scope = "row";
  th.textContent = header;
  row.append(th);
  for (const cell of cells) row.insertCell().textContent = cell ?? "unknown";
  return row;
}

async function loadEmbedded() {
  const { sets, files } = JSON.parse(byId("sets").textContent), cache = {};
  for (const { name, models } of sets) {
    const exports = {};
    for (const [model, sha256] of Object.entries(models)) exports[model] = await (cache[sha256] ??= decompress(files[sha256]));
    addExperiment(makeExperiment(name, exports));
  }
}

async function loadFiles(files) {
  const exports = {};
  for (const file of files) {
    const bytes = file.slice(0, K.MAX_BYTES + 1).arrayBuffer(); // no more than what decides that it is too large
    exports[file.name.replace(/\.json$/i, "").toLowerCase()] = await bytes.catch((error) => new Error(`cannot be read (${error.message})`));
  }
  addExperiment(makeExperiment("loaded files", exports));
  selectExperiment(experiments.length - 1);
  byId("files").value = ""; // so that the same files can be selected again
}

// Draw the emotion ranges of the training data, and name the networks that extrapolate.
function showRanges(experiment, { valence, arousal }) {
  const outside = [], unknown = [], boxes = new Map();
  for (const [model, network] of Object.entries(experiment.networks)) {
    const { emotion } = network.metadata;
    if (!emotion) {
      unknown.push(K.TITLES[model]);
      continue;
    }
    const [[left, right], [low, high]] = [emotion.valence, emotion.arousal];
    if (valence < left || valence > right || arousal < low || arousal > high) outside.push(K.TITLES[model]);
    boxes.set(String([left, right, low, high]), { left, right, low, high });
  }
  byId("regions").replaceChildren(...[...boxes.values()].map(({ left, right, low, high }) => {
    const box = document.createElement("div"), percent = (size) => `${50 * size}%`;
    box.className = "region";
    Object.assign(box.style, { left: percent(1 + left), width: percent(right - left), top: percent(1 - high), height: percent(high - low) });
    return box;
  }));
  const sentences = [];
  if (outside.length) sentences.push(`Outside the training range (dashed): ${outside.join(", ")}. These outputs are extrapolated.`);
  if (unknown.length) sentences.push(`Training range unknown: ${unknown.join(", ")}.`);
  if (!sentences.length) sentences.push("Within the training range of all networks (dashed).");
  const drums = Object.entries(experiment.networks).filter(([, { metadata }]) => metadata.data?.settings?.part === "drums");
  if (drums.length) sentences.push(`${drums.map(([model]) => K.TITLES[model]).join(", ")}: trained on drums, but applied to all parts.`);
  byId("range-note").textContent = sentences.join(" ");
  byId("range-note").hidden = Boolean(experiment.error);
}

// The page: two sliders and a plane choose an emotion, the chosen experiment's networks make a phrase of it.

const MODELS = Object.keys(K.TITLES);
const byId = (id) => document.getElementById(id);

// Experiments by name: {name, networks, fault}; a fault says why it cannot be played.
const experiments = [];
const state = { chosen: 0, phrase: null, player: null, analyser: null, heardAt: 0 };

// The text of a file that was packed with gzip and written in base 64.
async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

// A network from its text; experiments that have it in common share it, since a phrase begins with a reset.
const readBefore = new Map();
function networkOf(text) {
  if (!readBefore.has(text)) readBefore.set(text, new Network(text));
  return readBefore.get(text);
}

// An experiment from the texts of its exports, by the network's name.
function experiment(name, texts) {
  const networks = {}, faults = [];
  for (const model of MODELS) {
    try {
      if (texts[model] === undefined) throw new Error("there is none");
      const network = networkOf(texts[model]), [inputs, outputs] = K.SIZES[model];
      const found = [network.metadata.model, network.numInputs, network.numOutputs];
      if (String(found) !== String([model, inputs, outputs]))
        throw new Error(`it is ${found[0]} with ${found[1]} inputs and ${found[2]} outputs, expected ${model} with ${inputs} and ${outputs}`);
      networks[model] = network;
    } catch (error) {
      faults.push(`${model}.json: ${error.message}`);
    }
  }
  return { name, networks, fault: faults.join("\n") };
}

function add(one) {
  experiments.push(one);
  const letter = String.fromCharCode(64 + experiments.length), label = document.createElement("label");
  const radio = Object.assign(document.createElement("input"), { type: "radio", name: "experiment", value: experiments.length - 1 });
  radio.addEventListener("change", () => choose(Number(radio.value)));
  label.className = "inline";
  label.append(radio, `${letter}: ${one.name}`);
  byId("experiments").append(label);
  byId("experiments").hidden = experiments.length < 2;
  one.letter = letter;
  for (const [model, network] of Object.entries(one.networks)) {
    const { data, test_scores: scores, seed, revision } = network.metadata;
    const same = experiments.find(({ networks }) => networks[model] === network).letter;
    if (same !== letter) row("networks", letter, [K.TITLES[model], `the same file as ${same}’s`, "", "", ""]);
    else row("networks", letter, [K.TITLES[model], data?.source, scores?.skill?.toFixed(3), seed, revision?.slice(0, 10)]);
  }
}

function row(table, head, cells) {
  const line = byId(table).tBodies[0].insertRow(), th = document.createElement("th");
  th.scope = "row";
  th.textContent = head;
  line.append(th);
  for (const cell of cells) line.insertCell().textContent = cell ?? "not told";
  return line;
}

function choose(index) {
  state.chosen = index;
  document.querySelectorAll("[name=experiment]").forEach((radio) => { radio.checked = Number(radio.value) === index; });
  recompose();
}

const number = (id, low, high) => Math.round(clipped(Number(byId(id).value) || 0, low, high));

// What the controls ask for.
function wish() {
  const own = !byId("usual-tempo").checked;
  return {
    valence: Number(byId("valence").value),
    arousal: Number(byId("arousal").value),
    seed: number("seed", 0, 2 ** 32 - 1),
    bars: number("bars", 1, 64),
    bpm: own ? number("tempo", K.MIN_BPM, K.MAX_BPM) : null,
  };
}

function recompose() {
  const asked = wish(), one = experiments[state.chosen];
  for (const axis of ["valence", "arousal"]) byId(`${axis}-value`).textContent = asked[axis].toFixed(2);
  byId("point").style.left = `${50 + 50 * asked.valence}%`;
  byId("point").style.top = `${50 - 50 * asked.arousal}%`;
  byId("tempo").disabled = asked.bpm === null;
  if (asked.bpm === null) byId("tempo").value = usualBpm(asked.arousal);
  const faults = experiments.filter(({ fault }) => fault);
  byId("fault").hidden = !faults.length;
  byId("fault").textContent = faults.map(({ letter, name, fault }) =>
    `Experiment ${letter} (${name}) cannot be played:\n${fault}\nExport it again: dvc repro -f export`).join("\n\n");
  for (const id of ["play", "save"]) byId(id).disabled = Boolean(one.fault);
  if (one.fault && state.player?.playing) toggle();
  state.phrase = one.fault ? null : compose(one.networks, asked);
  if (state.player?.playing) state.player.change(state.phrase);
  tellFigures(asked);
  tellKnown(one, asked);
  draw();
}

function tellFigures(asked) {
  byId("figures").tBodies[0].replaceChildren();
  experiments.forEach((one, i) => {
    if (one.fault) return row("figures", one.letter, Array(6).fill("–"));
    const told = figures(i === state.chosen ? state.phrase : compose(one.networks, asked));
    const share = (value) => (Number.isNaN(value) ? "none" : `${Math.round(100 * value)} %`);
    const line = row("figures", `${one.letter}: ${one.name}`, [
      told.bpm, told.mean_pitch.toFixed(1), told.notes_per_s.toFixed(1), told.mean_velocity.toFixed(0),
      share(told.minor_chords), share(told.minor_thirds),
    ]);
    if (i === state.chosen) line.setAttribute("aria-current", "true");
  });
  const { phrase } = state;
  byId("roll").setAttribute("aria-label", phrase
    ? `Piano roll of ${phrase.bars} bars, ${phrase.notes.length} notes; chords ${phrase.chords.map((chord) => K.CHORD_NAMES[chord]).join(", ")}`
    : "Piano roll: empty");
}

// Where in the plane the networks' data lay, and which of them are beyond it.
function tellKnown(one, { valence, arousal }) {
  const beyond = [], boxes = new Map();
  for (const [model, network] of Object.entries(one.networks)) {
    const told = network.metadata.emotion;
    if (!told) continue;
    const [[left, right], [low, high]] = [told.valence, told.arousal];
    if (valence < left || valence > right || arousal < low || arousal > high) beyond.push(K.TITLES[model]);
    boxes.set(String([left, right, low, high]), { left, right, low, high });
  }
  byId("regions").replaceChildren(...[...boxes.values()].map(({ left, right, low, high }) => {
    const box = document.createElement("div"), percent = (share) => `${50 * share}%`;
    box.className = "region";
    Object.assign(box.style, { left: percent(1 + left), width: percent(right - left), top: percent(1 - high), height: percent(high - low) });
    return box;
  }));
  byId("known").textContent = beyond.length
    ? `Beyond the emotions that they learned from (dashed): ${beyond.join(", ")}. What they say here is a guess.`
    : "All networks learned from music of this emotion (dashed: where nearly all of it lay).";
  byId("known").hidden = !boxes.size;
}

function draw() {
  if (state.phrase) drawRoll(byId("roll"), state.phrase, state.player?.playing ? state.player.position : null);
}

function toggle() {
  if (!state.player) {
    const context = new AudioContext({ sampleRate: K.SAMPLE_RATE_HZ }), instruments = new Instruments(context);
    state.analyser = new AnalyserNode(context, { fftSize: K.FFT_SIZE });
    instruments.limiter.connect(state.analyser);
    state.player = new Player(instruments);
    setParts();
    setVolume();
  }
  const { player } = state;
  if (player.playing) player.stop();
  else {
    player.instruments.context.resume();
    experiments.forEach(({ networks }) => networks.emotionrecognizer?.reset());
    player.start(state.phrase);
    requestAnimationFrame(follow);
  }
  byId("play").textContent = player.playing ? "Stop" : "Play";
  byId("heard").hidden = byId("hears").hidden = true;
  draw();
}

// As long as it plays: the line in the roll, and ten times a second what EmotionRecognizer hears.
function follow(now) {
  if (!state.player.playing) return;
  draw();
  if (now - state.heardAt > 100) {
    state.heardAt = now;
    hear();
  }
  requestAnimationFrame(follow);
}

function hear() {
  const samples = new Float32Array(K.FFT_SIZE), network = experiments[state.chosen].networks.emotionrecognizer;
  state.analyser.getFloatTimeDomainData(samples);
  const { valence, arousal } = decodeEmotion(network.step(logMelFrame(samples)));
  Object.assign(byId("heard").style, { left: `${50 + 50 * valence}%`, top: `${50 - 50 * arousal}%` });
  byId("heard").hidden = byId("hears").hidden = false;
  const guess = network.metadata.data?.source === "synthetic" ? " It learned from synthetic spectra, so of real sound this is a guess." : "";
  byId("hears").textContent = `Dashed circle: what EmotionRecognizer hears in this sound.${guess}`;
}

function setParts() {
  const chosen = [...document.querySelectorAll("[name=part]:checked")].map(({ value }) => value);
  if (state.player) state.player.parts = new Set(chosen);
  return chosen;
}

function setVolume() {
  if (state.player) state.player.instruments.output.gain.value = Number(byId("volume").value);
}

function save() {
  const { valence, arousal, seed } = state.phrase, link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([midiFile(state.phrase, setParts())], { type: "audio/midi" }));
  link.download = `kelly_v${valence.toFixed(2)}_a${arousal.toFixed(2)}_seed${seed}.mid`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The point follows the pointer; phrases are made once a picture, however fast it moves.
function dragging() {
  const pad = byId("pad");
  const move = ({ clientX, clientY }) => {
    const { left, top, width, height } = pad.getBoundingClientRect();
    byId("valence").value = clipped((2 * (clientX - left)) / width - 1, -1, 1);
    byId("arousal").value = clipped(1 - (2 * (clientY - top)) / height, -1, 1);
    soon();
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    move(event);
  });
  pad.addEventListener("pointermove", (event) => { if (event.buttons) move(event); });
}

let waiting = false;
function soon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    recompose();
  });
}

async function loadFiles(files) {
  const texts = {};
  for (const file of files) texts[file.name.replace(/\.json$/i, "").toLowerCase()] = await file.text();
  add(experiment("loaded files", texts));
  choose(experiments.length - 1);
}

async function main() {
  const { sets, files } = JSON.parse(byId("sets").textContent), unpackedBefore = {};
  for (const { name, models } of sets) {
    const texts = {};
    for (const [model, sha] of Object.entries(models)) texts[model] = await (unpackedBefore[sha] ??= unpacked(files[sha]));
    add(experiment(name, texts));
  }
  for (const id of ["valence", "arousal", "tempo", "bars", "seed", "usual-tempo"]) byId(id).addEventListener("input", soon);
  document.querySelectorAll("[name=part]").forEach((box) => box.addEventListener("change", setParts));
  byId("volume").addEventListener("input", setVolume);
  byId("play").addEventListener("click", toggle);
  byId("save").addEventListener("click", save);
  byId("reseed").addEventListener("click", () => {
    byId("seed").value = Math.floor(Math.random() * 2 ** 32);
    soon();
  });
  byId("files").addEventListener("change", (event) => loadFiles(event.target.files));
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  dragging();
  byId("busy").remove();
  choose(0);
}

main().catch((error) => {
  byId("busy")?.remove();
  byId("fault").hidden = false;
  byId("fault").textContent = `The page cannot be used: ${error.message}`;
});

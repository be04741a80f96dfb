// The page: two sliders and a plane choose an emotion, the chosen experiment's networks make a phrase of it.

const MODELS = Object.keys(K.TITLES);
const RESTING_MS = 250; // after the point's last move
const HEARING_MS = 500; // a frame of what EmotionRecognizer learns from sound (docs/music.md)
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
      const found = [network.metadata.model, network.numInputs, network.numOutputs], { inputs: told, emotion } = network.metadata;
      if (String(found) !== String([model, inputs, outputs]))
        throw new Error(`it is ${found[0]} with ${found[1]} inputs and ${found[2]} outputs, expected ${model} with ${inputs} and ${outputs}`);
      const isRange = (ends) => Array.isArray(ends) && ends.length === 2 && ends.every(Number.isFinite);
      if (!Array.isArray(told) || !told.length || told.some((part) => part === null || typeof part !== "object"))
        throw new Error(`its metadata tells inputs ${JSON.stringify(told)}, expected a list of objects`);
      if (emotion !== undefined && !(isRange(emotion?.valence) && isRange(emotion?.arousal)))
        throw new Error(`its metadata tells emotion ${JSON.stringify(emotion)}, expected [low, high] of valence and arousal`);
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

// The whole number in a field, or the last one that was in its range while it is being typed.
const lastNumber = {};
function number(id) {
  const field = byId(id), good = field.value !== "" && field.validity.valid;
  field.setAttribute("aria-invalid", String(!good));
  if (good || !(id in lastNumber)) lastNumber[id] = Number(field.value);
  byId(`${id}-range`).hidden = good;
  return lastNumber[id];
}

// What the controls ask for.
function wish() {
  const own = !byId("usual-tempo").checked;
  return {
    valence: Number(byId("valence").value),
    arousal: Number(byId("arousal").value),
    seed: number("seed"),
    bars: Number(byId("bars").value),
    bpm: own ? number("tempo") : null,
  };
}

function recompose() {
  const asked = wish(), one = experiments[state.chosen];
  for (const axis of ["valence", "arousal"]) byId(`${axis}-value`).textContent = asked[axis].toFixed(2);
  byId("point").style.left = `${50 + 50 * asked.valence}%`;
  byId("point").style.top = `${50 - 50 * asked.arousal}%`;
  byId("tempo").disabled = asked.bpm === null;
  if (asked.bpm === null) {
    byId("tempo").value = usualBpm(asked.arousal);
    number("tempo");
  }
  tellFault(experiments.filter(({ fault }) => fault).map(({ letter, name, fault }) =>
    `Experiment ${letter} (${name}) cannot be played:\n${fault}\nChoose other files, or export the networks again.`).join("\n\n"));
  for (const id of ["play", "save"]) byId(id).disabled = Boolean(one.fault);
  if (one.fault && state.player?.playing) stop();
  state.phrase = one.fault ? null : compose(one.networks, asked);
  if (state.player?.playing) state.player.change(state.phrase);
  tellKnown(one, asked);
  draw();
  // The other experiments' phrases are only for their figures: not while the point moves.
  tellFigures(asked, true);
  clearTimeout(state.resting);
  if (experiments.length > 1) state.resting = setTimeout(() => tellFigures(asked, false), RESTING_MS);
}

function tellFault(text) {
  byId("fault").hidden = !text;
  byId("fault").textContent = text;
}

function tellFigures(asked, moving) {
  byId("figures").tBodies[0].replaceChildren();
  experiments.forEach((one, i) => {
    const waits = moving && i !== state.chosen;
    if (one.fault || waits) return row("figures", `${one.letter}: ${one.name}`, Array(6).fill(waits ? "…" : "–"));
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
  const beyond = [], silent = [], boxes = new Map();
  for (const [model, network] of Object.entries(one.networks)) {
    const told = network.metadata.emotion;
    if (!told) {
      silent.push(K.TITLES[model]);
      continue;
    }
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
  const said = [];
  if (beyond.length) said.push(`Beyond the emotions that they learned from (dashed): ${beyond.join(", ")}. What they say here is a guess.`);
  if (silent.length) said.push(`From which emotions they learned is not told by ${silent.join(", ")}.`);
  if (!said.length) said.push("All networks learned from music of this emotion (dashed: where nearly all of it lay).");
  const drums = Object.entries(one.networks).filter(([, { metadata }]) => metadata.data?.settings?.part === "drums");
  if (drums.length) said.push(`${drums.map(([model]) => K.TITLES[model]).join(", ")} learned from drums, and plays all parts by them.`);
  byId("known").textContent = said.join(" ");
  byId("known").hidden = Boolean(one.fault);
}

function draw() {
  const canvas = byId("roll");
  if (state.phrase) drawRoll(canvas, state.phrase, state.player?.playing ? state.player.position : null);
  else canvas.width = canvas.width; // which clears it
}

function madePlayer() {
  const context = new AudioContext({ sampleRate: K.SAMPLE_RATE_HZ }), instruments = new Instruments(context);
  state.analyser = new AnalyserNode(context, { fftSize: K.FFT_SIZE });
  instruments.limiter.connect(state.analyser);
  // A call, another program or a lost device may take the sound away.
  context.addEventListener("statechange", () => {
    if (context.state !== "running" && state.player?.playing) stop();
  });
  return new Player(instruments);
}

async function play() {
  byId("play").disabled = true;
  try {
    state.player ??= madePlayer();
    setParts();
    setVolume();
    await state.player.instruments.context.resume();
  } catch (error) {
    return tellFault(`No sound can be played here (${error.message}); expected a sound device that the browser may use. ` +
      "Saving as MIDI works all the same.");
  } finally {
    byId("play").disabled = !state.phrase;
  }
  if (!state.phrase || state.player.playing) return;
  experiments.forEach(({ networks }) => networks.emotionrecognizer?.reset());
  state.player.start(state.phrase);
  cancelAnimationFrame(state.following);
  state.following = requestAnimationFrame(follow);
  tellPlaying();
}

function stop() {
  state.player.stop();
  state.player.instruments.context.suspend();
  cancelAnimationFrame(state.following);
  tellPlaying();
  draw();
}

function tellPlaying() {
  byId("play").textContent = state.player.playing ? "Stop" : "Play";
  byId("heard").hidden = byId("hears").hidden = true;
}

// As long as it plays: the line in the roll, and twice a second, as it learned from sound, what EmotionRecognizer hears.
function follow(now) {
  if (!state.player.playing) return;
  draw();
  if (now - state.heardAt > HEARING_MS) {
    state.heardAt = now;
    hear();
  }
  state.following = requestAnimationFrame(follow);
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
  byId("files").value = ""; // so that the same files can be chosen again
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
  byId("play").addEventListener("click", () => (state.player?.playing ? stop() : play()));
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

// The page: two sliders and a plane select an emotion, and the networks of the selected experiment compose a phrase.

const IDLE_MS = 250; // after the point's last move
const FRAME_MS = 500; // between frames of the recognizer, as in its rated music (docs/music.md)
const byId = (id) => document.getElementById(id);

const state = { selected: 0, phrase: null, player: null, analyser: null, recognizedAt: 0 };

function selectExperiment(index) {
  state.selected = index;
  document.querySelectorAll("[name=experiment]").forEach((radio) => { radio.checked = Number(radio.value) === index; });
  recompose();
}

// The number in a field, or its last valid one while another is being typed.
const lastValid = {};
function number(id) {
  const field = byId(id), valid = field.value !== "" && field.validity.valid;
  field.setAttribute("aria-invalid", String(!valid));
  if (valid || !(id in lastValid)) lastValid[id] = Number(field.value);
  byId(`${id}-range`).hidden = valid;
  return lastValid[id];
}

function readControls() {
  return {
    valence: Number(byId("valence").value),
    arousal: Number(byId("arousal").value),
    seed: number("seed"),
    bars: Number(byId("bars").value),
    bpm: byId("default-tempo").checked ? null : number("tempo"),
  };
}

function recompose() {
  const request = readControls(), experiment = experiments[state.selected];
  for (const axis of ["valence", "arousal"]) byId(`${axis}-value`).textContent = request[axis].toFixed(2);
  moveTo("point", request);
  byId("tempo").disabled = request.bpm === null;
  if (request.bpm === null) {
    byId("tempo").value = defaultBpm(request.arousal);
    number("tempo");
  }
  showError(experiments.filter(({ error }) => error).map(({ letter, name, error }) =>
    `Experiment ${letter} (${name}) cannot be played:\n${error}\nSelect other files, or export the networks again.`).join("\n\n"));
  for (const id of ["play", "save"]) byId(id).disabled = Boolean(experiment.error);
  if (experiment.error && state.player?.playing) stop();
  state.phrase = experiment.error ? null : compose(experiment.networks, request);
  if (state.player?.playing) state.player.change(state.phrase);
  showRanges(experiment, request);
  draw();
  // The phrases of the other experiments are needed only for their statistics: not while the point moves.
  showStatistics(request, true);
  clearTimeout(state.idle);
  if (experiments.length > 1) state.idle = setTimeout(() => showStatistics(request, false), IDLE_MS);
}

function moveTo(id, { valence, arousal }) {
  Object.assign(byId(id).style, { left: `${50 + 50 * valence}%`, top: `${50 - 50 * arousal}%` });
}

function showError(text) {
  byId("error").hidden = !text;
  byId("error").textContent = text;
}

function showStatistics(request, moving) {
  byId("statistics").tBodies[0].replaceChildren();
  experiments.forEach((experiment, i) => {
    const label = `${experiment.letter}: ${experiment.name}`, isSelected = i === state.selected;
    if (experiment.error || (moving && !isSelected))
      return addRow("statistics", label, Array(6).fill(experiment.error ? "–" : "…"));
    const stats = phraseStats(isSelected ? state.phrase : compose(experiment.networks, request));
    const percent = (share) => (Number.isNaN(share) ? "none" : `${Math.round(100 * share)} %`);
    const row = addRow("statistics", label, [
      stats.bpm, stats.mean_pitch.toFixed(1), stats.notes_per_s.toFixed(1), stats.mean_velocity.toFixed(0),
      percent(stats.minor_chords), percent(stats.minor_thirds),
    ]);
    if (isSelected) row.setAttribute("aria-current", "true");
  });
  const { phrase } = state;
  byId("roll").setAttribute("aria-label", phrase
    ? `Piano roll of ${phrase.bars} bars, ${phrase.notes.length} notes; chords ${phrase.chords.map((chord) => K.CHORD_NAMES[chord]).join(", ")}`
    : "Piano roll: empty");
}

function draw() {
  const canvas = byId("roll");
  if (state.phrase) drawRoll(canvas, state.phrase, state.player?.playing ? state.player.position : null);
  else canvas.width = canvas.width; // clears it
}

function createPlayer() {
  const context = new AudioContext({ sampleRate: K.SAMPLE_RATE_HZ }), instruments = new Instruments(context);
  state.analyser = new AnalyserNode(context, { fftSize: K.FFT_SIZE });
  instruments.limiter.connect(state.analyser);
  // A call, another program or a lost device may suspend the sound.
  context.addEventListener("statechange", () => {
    if (context.state !== "running" && state.player?.playing) stop();
  });
  return new Player(instruments);
}

async function play() {
  byId("play").disabled = true;
  try {
    state.player ??= createPlayer();
    updateParts();
    updateVolume();
    await state.player.instruments.context.resume();
  } catch (error) {
    return showError(`Sound cannot be played (${error.message}); expected a sound device that the browser may use. ` +
      "Saving as MIDI still works.");
  } finally {
    byId("play").disabled = !state.phrase;
  }
  if (!state.phrase || state.player.playing) return;
  experiments.forEach(({ networks }) => networks.emotionrecognizer?.reset());
  state.player.start(state.phrase);
  cancelAnimationFrame(state.animation);
  state.animation = requestAnimationFrame(animate);
  showPlaying();
}

function stop() {
  state.player.stop();
  state.player.instruments.context.suspend();
  cancelAnimationFrame(state.animation);
  showPlaying();
  draw();
}

function showPlaying() {
  byId("play").textContent = state.player.playing ? "Stop" : "Play";
  byId("recognized").hidden = byId("recognized-note").hidden = true;
}

// While playing: draw the position, and run the recognizer twice per second.
function animate(now) {
  if (!state.player.playing) return;
  draw();
  if (now - state.recognizedAt > FRAME_MS) {
    state.recognizedAt = now;
    recognize();
  }
  state.animation = requestAnimationFrame(animate);
}

function recognize() {
  const samples = new Float32Array(K.FFT_SIZE), network = experiments[state.selected].networks.emotionrecognizer;
  state.analyser.getFloatTimeDomainData(samples);
  moveTo("recognized", decodeEmotion(network.step(logMelFrame(samples))));
  byId("recognized").hidden = byId("recognized-note").hidden = false;
  const isSynthetic = network.metadata.data?.source === "synthetic";
  byId("recognized-note").textContent = "Dashed circle: EmotionRecognizer’s output for this sound." +
    (isSynthetic ? " It was trained on synthetic spectra, so it is unreliable on real sound." : "");
}

function updateParts() {
  const parts = [...document.querySelectorAll("[name=part]:checked")].map(({ value }) => value);
  if (state.player) state.player.parts = new Set(parts);
  return parts;
}

function updateVolume() {
  if (state.player) state.player.instruments.output.gain.value = Number(byId("volume").value);
}

function save() {
  const { valence, arousal, seed } = state.phrase, link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([midiFile(state.phrase, updateParts())], { type: "audio/midi" }));
  link.download = `kelly_v${valence.toFixed(2)}_a${arousal.toFixed(2)}_seed${seed}.mid`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function addDragging() {
  const pad = byId("pad");
  const move = ({ clientX, clientY }) => {
    const { left, top, width, height } = pad.getBoundingClientRect();
    byId("valence").value = clip((2 * (clientX - left)) / width - 1, -1, 1);
    byId("arousal").value = clip(1 - (2 * (clientY - top)) / height, -1, 1);
    scheduleRecompose();
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    move(event);
  });
  pad.addEventListener("pointermove", (event) => { if (event.buttons) move(event); });
}

// Compose at most once per animation frame, however fast the controls change.
let isScheduled = false;
function scheduleRecompose() {
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(() => {
    isScheduled = false;
    recompose();
  });
}

async function main() {
  await loadEmbedded();
  for (const id of ["valence", "arousal", "tempo", "bars", "seed", "default-tempo"]) byId(id).addEventListener("input", scheduleRecompose);
  document.querySelectorAll("[name=part]").forEach((box) => box.addEventListener("change", updateParts));
  byId("volume").addEventListener("input", updateVolume);
  byId("play").addEventListener("click", () => (state.player?.playing ? stop() : play()));
  byId("save").addEventListener("click", save);
  byId("reseed").addEventListener("click", () => {
    byId("seed").value = Math.floor(Math.random() * 2 ** 32);
    scheduleRecompose();
  });
  byId("files").addEventListener("change", (event) => loadFiles(event.target.files));
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addDragging();
  byId("loading").remove();
  selectExperiment(0);
}

main().catch((error) => {
  byId("loading")?.remove();
  showError(`The page cannot be used: ${error.message}`);
});

// From an emotion to a phrase: kelly/audition/{composing,arranging,rng,phrase}.py in JavaScript, note for note.
// The constants K come from there.

const roundHalfUp = (value) => Math.floor(value + 0.5);

const sequentialSum = (values) => values.reduce((total, value) => total + value, 0);

const clip = (value, low, high) => Math.min(Math.max(value, low), high);

// A number in (0, 1) for 32-bit keys.
function uniform(...keys) {
  let h = 0;
  for (const key of keys) {
    h = (h ^ key) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
    h = ((h ^ (h >>> 16)) + 0x9e3779b9) >>> 0;
  }
  return (h + 0.5) / 2 ** 32;
}

// The index that u in (0, 1) selects among the NUCLEUS of the weights.
function sample(weights, u) {
  const order = weights.map((_, k) => k).sort((a, b) => weights[b] - weights[a]);
  const mass = K.NUCLEUS * sequentialSum(weights);
  let total = 0, size = 0;
  while (size < order.length && (total < mass || !size)) total += weights[order[size++]];
  let remaining = u * total;
  for (const k of order.slice(0, size)) {
    remaining -= weights[k];
    if (remaining < 0) return k;
  }
  return order[size - 1];
}

const defaultBpm = (arousal) => roundHalfUp(K.MEAN_BPM * 2 ** (K.BPM_OCTAVES * arousal));

// The nine coordinates of an emotion, seven of them estimated from the two.
const usualCoordinates = (valence, arousal) =>
  [valence, arousal, ...K.USUAL.map(([v, a]) => clip(v * valence + a * arousal, -1, 1))];

// The emotion embedding of nine coordinates: 64 numbers.
function embed(coordinates) {
  const embedding = [];
  for (const block of [0, 1])
    K.CENTRES.forEach((centre, pair) => {
      const x = K.GAIN * (coordinates[block] - centre), q = K.LEAN * coordinates[K.LEANS_WITH[block][pair]];
      embedding.push(Math.tanh(x + q), Math.tanh(x - q));
    });
  return Float64Array.from(embedding);
}

// A phrase of one emotion, from freshly reset networks; bpm null: defaultBpm.
function compose(networks, { valence, arousal, seed, bars = 8, bpm = null }) {
  const tempo = bpm ?? defaultBpm(arousal), embedding = embed(usualCoordinates(valence, arousal));
  const { emotionrecognizer: _, ...composers } = networks; // the recognizer keeps its state
  for (const network of Object.values(composers)) network.reset();
  const dynamics = networks.dynamicsengine.step(embedding.slice(0, K.BLOCK_SIZE));
  const chords = composeHarmony(networks.harmonypredictor, embedding, seed, bars);
  const grooves = composeGroove(networks.groovepredictor, embedding, bars);
  const notes = [], pitches = [];
  let previous = null;
  for (let bar = 0; bar < bars; bar++) {
    pitches.push([...networks.melodytransformer.step(embedding)]);
    const melody = [];
    const arranger = { bar, seed, bpm: tempo, dynamics, groove: grooves[bar], chord: chords[bar], pitches: pitches[bar] };
    addMelody(arranger, previous, melody);
    previous = melody.at(-1).pitch;
    notes.push(...melody);
    addAccompaniment(arranger, notes);
  }
  return { valence, arousal, seed, bpm: tempo, bars, notes: withoutOverlaps(notes), chords, pitches };
}

function composeHarmony(network, embedding, seed, bars) {
  let context = new Float64Array(K.CHORD_NAMES.length);
  const chords = [];
  for (let bar = 0; bar < bars; bar++) {
    const probabilities = network.step([...embedding, ...context.map((value) => Math.min(value, 1))]);
    if (chords.length) probabilities[chords.at(-1)] = 0; // a frame is a change of chord
    const chord = sample([...probabilities], uniform(seed, K.HARMONY, bar));
    chords.push(chord);
    context = context.map((value) => 0.5 * value);
    context[chord] += 1;
  }
  return chords;
}

function composeGroove(network, embedding, bars) {
  const usesContext = "decay" in network.metadata.inputs[0], inputs = embedding.slice(), grooves = [];
  let total = new Float64Array(2 * K.STEPS_PER_BAR), weight = 0;
  for (let bar = 0; bar < bars; bar++) {
    if (usesContext) total.forEach((value, i) => { inputs[i] = value / (weight || 1); });
    const output = network.step(inputs);
    grooves.push(output);
    total = total.map((value, i) => K.DECAY * value + output[i]);
    weight = K.DECAY * weight + 1;
  }
  return grooves;
}

function addMelody(arranger, previous, notes) {
  const { bar, seed, chord, pitches } = arranger;
  const number = Math.trunc(sequentialSum(pitches) + uniform(seed, K.NUM_NOTES, bar));
  const onsets = sampleOnsets(arranger, clip(number, 1, K.STEPS_PER_BAR));
  const tones = K.CHORD_TONES[chord];
  onsets.forEach((step, i) => {
    const weights = pitches.map((probability, k) =>
      probability *
      (previous === null ? 1 : Math.exp(-(((k - previous) / K.LEAP_SD) ** 2) / 2)) *
      (k === previous ? K.REPEAT_WEIGHT : 1) *
      (step % 4 === 0 && tones.includes(k % 12) ? K.CHORD_TONE_WEIGHT : 1));
    previous = sample(weights, uniform(seed, K.MELODY, bar, step));
    notes.push(makeNote(arranger, "melody", step, previous, onsets[i + 1] ?? K.STEPS_PER_BAR));
  });
}

function sampleOnsets({ seed, bar, groove }, number) {
  const waitingTimes = K.METRICAL_LEVELS.map((levels, step) =>
    -Math.log(uniform(seed, K.ONSETS, bar, step)) / (2 ** levels * Math.exp(groove[K.STEPS_PER_BAR + step])));
  const order = waitingTimes.map((_, step) => step).sort((a, b) => waitingTimes[a] - waitingTimes[b]);
  return order.slice(0, number).sort((a, b) => a - b);
}

function addAccompaniment(arranger, notes) {
  const density = sequentialSum(arranger.pitches);
  const byDensity = (sparse, medium, dense) => (density < K.SPARSE ? sparse : density < K.DENSE ? medium : dense);
  const onsets = byDensity([0], [0, 8], [0, 4, 8, 12]);
  const tones = K.CHORD_TONES[arranger.chord], root = K.CHORD_ROOTS[arranger.chord];
  const spread = ((arranger.dynamics[12] * K.SPREAD_S * arranger.bpm) / 60) * K.TICKS_PER_QUARTER;
  const above = (lowest, tone) => lowest + ((tone - lowest + 120) % 12);
  onsets.forEach((step, i) => {
    const end = onsets[i + 1] ?? K.STEPS_PER_BAR;
    const voices = tones.map((tone) => above(K.LOWEST_CHORD, tone)).sort((a, b) => a - b);
    voices.forEach((pitch, j) =>
      notes.push(makeNote(arranger, "chords", step, pitch, end, roundHalfUp((spread * j) / (voices.length - 1)))));
    if (tones.length) notes.push(makeNote(arranger, "bass", step, above(K.LOWEST_BASS, root), end));
  });
  for (let step = 0; step < K.STEPS_PER_BAR; step += byDensity(4, 2, 1))
    notes.push(makeNote(arranger, "drums", step, K.HAT, step + 1));
  if (density >= K.SPARSE)
    for (const [step, pitch] of [[0, K.KICK], [4, K.SNARE], [8, K.KICK], [12, K.SNARE]])
      notes.push(makeNote(arranger, "drums", step, pitch, step + 1));
}

function makeNote({ bar, dynamics, groove }, part, step, pitch, end, delay = 0) {
  const onsetTick = (at) => Math.max(0, bar * K.BAR_TICKS + at * K.STEP_TICKS + roundHalfUp(K.TIMING_TICKS * groove[at]));
  const onset = onsetTick(step) + delay, nextOnset = end < K.STEPS_PER_BAR ? onsetTick(end) : (bar + 1) * K.BAR_TICKS;
  const articulation = clip(2 * dynamics[10], 0.25, 1);
  const accent = K.ACCENT_BASE + K.ACCENT_SPAN * groove[K.STEPS_PER_BAR + step];
  const velocity = roundHalfUp(127 * dynamics[0] * accent * K.PARTS[part].balance);
  const duration = Math.max(K.MIN_DURATION_TICKS, roundHalfUp(articulation * (nextOnset - onset)));
  return { part, onset, duration, pitch, velocity: clip(velocity, 1, 127) };
}

// Sorted notes, each ending before its part plays the same pitch again.
function withoutOverlaps(notes) {
  const parts = Object.keys(K.PARTS), last = new Map(), kept = [];
  const order = (a, b) => a.onset - b.onset || parts.indexOf(a.part) - parts.indexOf(b.part) || a.pitch - b.pitch;
  for (const note of [...notes].sort(order)) {
    const key = `${note.part} ${note.pitch}`, previous = last.get(key);
    if (previous) {
      const gap = note.onset - previous.onset;
      if (!gap) continue;
      previous.duration = Math.min(previous.duration, gap);
    }
    last.set(key, note);
    kept.push(note);
  }
  return kept;
}

// Statistics of a phrase, NaN where undefined.
function phraseStats({ notes, chords, bars, bpm }) {
  const mean = (values) => (values.length ? sequentialSum(values) / values.length : NaN);
  const pitches = notes.filter(({ part }) => part === "melody").map(({ pitch }) => pitch);
  const qualities = chords.filter((chord) => chord < K.NUM_ROOTED).map((chord) => K.QUALITIES[chord % 5]);
  const thirds = pitches.map((pitch) => pitch % 12).filter((degree) => degree === 3 || degree === 4);
  return {
    bpm,
    mean_pitch: mean(pitches),
    notes_per_s: notes.length / ((bars * 240) / bpm),
    mean_velocity: mean(notes.map(({ velocity }) => velocity)),
    minor_chords: mean(qualities.map((quality) => Number(quality.startsWith("min")))),
    minor_thirds: mean(thirds.map((third) => Number(third === 3))),
  };
}

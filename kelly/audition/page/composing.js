// From an emotion to a phrase: kelly/audition/{composing,arranging,chance,phrase}.py in JavaScript, note for note.
// Its constants, K, come from there.

const rounded = (value) => Math.floor(value + 0.5);

// The sum from left to right.
const added = (values) => values.reduce((total, value) => total + value, 0);

// A number in 0..1 for a seed and a place.
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

// The index that u in 0..1 draws from the most probable weights.
function pick(weights, u) {
  const order = weights.map((_, k) => k).sort((a, b) => weights[b] - weights[a]);
  const enough = K.NUCLEUS * added(weights);
  let total = 0, size = 0;
  while (size < order.length && (total < enough || !size)) total += weights[order[size++]];
  let at = u * total;
  for (const k of order.slice(0, size)) {
    at -= weights[k];
    if (at < 0) return k;
  }
  return order[size - 1];
}

const usualBpm = (arousal) => rounded(K.MEAN_BPM * 2 ** (K.BPM_OCTAVES * arousal));

const clipped = (value, low, high) => Math.min(Math.max(value, low), high);

// The nine coordinates of an emotion, the seven others as is usual for it.
const usualCoordinates = (valence, arousal) =>
  [valence, arousal, ...K.USUAL.map(([v, a]) => clipped(v * valence + a * arousal, -1, 1))];

// The emotion embedding of nine coordinates: 64 numbers.
function embed(coordinates) {
  const embedding = [];
  for (const own of [0, 1])
    K.CENTRES.forEach((centre, pair) => {
      const x = K.GAIN * (coordinates[own] - centre), q = K.LEAN * coordinates[K.LEANS_WITH[own][pair]];
      embedding.push(Math.tanh(x + q), Math.tanh(x - q));
    });
  return Float64Array.from(embedding);
}

// A phrase of one emotion, from freshly reset networks; bpm null: as is usual for it.
function compose(networks, { valence, arousal, seed, bars = 8, bpm = null }) {
  const tempo = bpm ?? usualBpm(arousal), embedding = embed(usualCoordinates(valence, arousal));
  const { emotionrecognizer: _, ...playing } = networks; // which listens, and is not to forget
  for (const network of Object.values(playing)) network.reset();
  const dynamics = networks.dynamicsengine.step(embedding.slice(0, K.BLOCK_SIZE));
  const chords = harmony(networks.harmonypredictor, embedding, seed, bars);
  const grooves = groove(networks.groovepredictor, embedding, bars);
  const notes = [], pitches = [];
  let before = null;
  for (let bar = 0; bar < bars; bar++) {
    pitches.push([...networks.melodytransformer.step(embedding)]);
    const melody = [];
    const told = { bar, seed, bpm: tempo, dynamics, groove: grooves[bar], chord: chords[bar], pitches: pitches[bar] };
    playMelody(told, before, melody);
    before = melody.at(-1).pitch;
    notes.push(...melody);
    playAccompaniment(told, notes);
  }
  return { valence, arousal, seed, bpm: tempo, bars, notes: apart(notes), chords, pitches };
}

function harmony(network, embedding, seed, bars) {
  let total = new Float64Array(K.CHORD_NAMES.length);
  const chords = [];
  for (let bar = 0; bar < bars; bar++) {
    const chances = network.step([...embedding, ...total.map((value) => Math.min(value, 1))]);
    if (chords.length) chances[chords.at(-1)] = 0; // a frame is a change of chord
    const chord = pick([...chances], uniform(seed, K.HARMONY, bar));
    chords.push(chord);
    total = total.map((value) => 0.5 * value);
    total[chord] += 1;
  }
  return chords;
}

function groove(network, embedding, bars) {
  const hears = "decay" in network.metadata.inputs[0], inputs = embedding.slice(), grooves = [];
  let total = new Float64Array(2 * K.SIXTEENTHS), weight = 0;
  for (let bar = 0; bar < bars; bar++) {
    if (hears) total.forEach((value, i) => { inputs[i] = value / (weight || 1); });
    const made = network.step(inputs);
    grooves.push(made);
    total = total.map((value, i) => K.DECAY * value + made[i]);
    weight = K.DECAY * weight + 1;
  }
  return grooves;
}

function playMelody(told, before, notes) {
  const number = Math.trunc(added(told.pitches) + uniform(told.seed, K.NUMBER, told.bar));
  const onsets = chosenOnsets(told, clipped(number, 1, K.SIXTEENTHS));
  const tones = K.CHORD_TONES[told.chord];
  onsets.forEach((at, i) => {
    const weights = told.pitches.map((chance, k) =>
      chance *
      (before === null ? 1 : Math.exp(-(((k - before) / K.LEAP) ** 2) / 2)) *
      (k === before ? K.REPEAT : 1) *
      (at % 4 === 0 && tones.includes(k % 12) ? K.CHORD_TONE : 1));
    before = pick(weights, uniform(told.seed, K.MELODY, told.bar, at));
    notes.push(note(told, "melody", at, before, onsets[i + 1] ?? K.SIXTEENTHS));
  });
}

function chosenOnsets({ seed, bar, groove }, number) {
  const waiting = K.LEVELS.map((levels, at) =>
    -Math.log(uniform(seed, K.ONSETS, bar, at)) / (2 ** levels * Math.exp(groove[K.SIXTEENTHS + at])));
  const order = waiting.map((_, at) => at).sort((a, b) => waiting[a] - waiting[b]);
  return order.slice(0, number).sort((a, b) => a - b);
}

function playAccompaniment(told, notes) {
  const density = added(told.pitches), between = (few, some, many) =>
    density < K.FEW ? few : density < K.MANY ? some : many;
  const strikes = between([0], [0, 8], [0, 4, 8, 12]);
  const tones = K.CHORD_TONES[told.chord], root = K.CHORD_ROOTS[told.chord];
  const spread = ((told.dynamics[12] * K.SPREAD_S * told.bpm) / 60) * K.TICKS_PER_QUARTER;
  const above = (lowest, tone) => lowest + ((tone - lowest + 120) % 12);
  strikes.forEach((at, i) => {
    const end = strikes[i + 1] ?? K.SIXTEENTHS;
    const voices = tones.map((tone) => above(K.CHORD_FROM, tone)).sort((a, b) => a - b);
    voices.forEach((pitch, j) => notes.push(note(told, "chords", at, pitch, end, rounded((spread * j) / (voices.length - 1)))));
    if (tones.length) notes.push(note(told, "bass", at, above(K.BASS_FROM, root), end));
  });
  for (let at = 0; at < K.SIXTEENTHS; at += between(4, 2, 1)) notes.push(note(told, "drums", at, K.HAT, at + 1));
  if (density >= K.FEW)
    for (const [at, pitch] of [[0, K.KICK], [4, K.SNARE], [8, K.KICK], [12, K.SNARE]])
      notes.push(note(told, "drums", at, pitch, at + 1));
}

function note(told, part, at, pitch, end, delay = 0) {
  const { bar, dynamics, groove } = told;
  const tick = (sixteenth) => Math.max(0, bar * K.BAR + sixteenth * K.SIXTEENTH + rounded(K.TIMING_TICKS * groove[sixteenth]));
  const onset = tick(at) + delay, until = end < K.SIXTEENTHS ? tick(end) : (bar + 1) * K.BAR;
  const held = clipped(2 * dynamics[10], 0.25, 1);
  const accent = K.ACCENT_BASE + K.ACCENT_SPAN * groove[K.SIXTEENTHS + at];
  const velocity = rounded(127 * dynamics[0] * accent * K.PARTS[part].balance);
  const duration = Math.max(K.MIN_TICKS, rounded(held * (until - onset)));
  return { part, onset, duration, pitch, velocity: clipped(velocity, 1, 127) };
}

// Notes in order; none sounds when its part strikes the same pitch again.
function apart(notes) {
  const parts = Object.keys(K.PARTS), last = new Map(), kept = [];
  const order = (a, b) => a.onset - b.onset || parts.indexOf(a.part) - parts.indexOf(b.part) || a.pitch - b.pitch;
  for (const note of [...notes].sort(order)) {
    const place = `${note.part} ${note.pitch}`, before = last.get(place);
    if (before) {
      const gap = note.onset - before.onset;
      if (!gap) continue;
      before.duration = Math.min(before.duration, gap);
    }
    last.set(place, note);
    kept.push(note);
  }
  return kept;
}

// What a listener hears of a phrase, in numbers.
function figures({ notes, chords, bars, bpm }) {
  const mean = (values) => (values.length ? added(values) / values.length : NaN);
  const pitches = notes.filter(({ part }) => part === "melody").map(({ pitch }) => pitch);
  const kinds = chords.filter((chord) => chord < K.NUM_NAMED).map((chord) => K.QUALITIES[chord % 5]);
  const thirds = pitches.map((pitch) => pitch % 12).filter((degree) => degree === 3 || degree === 4);
  return {
    bpm,
    mean_pitch: mean(pitches),
    notes_per_s: notes.length / ((bars * 240) / bpm),
    mean_velocity: mean(notes.map(({ velocity }) => velocity)),
    minor_chords: mean(kinds.map((kind) => Number(kind.startsWith("min")))),
    minor_thirds: mean(thirds.map((third) => Number(third === 3))),
  };
}

// A phrase as a Standard MIDI File: the bytes that kelly/audition/midi_file.py writes.

function midiFile(phrase, parts = Object.keys(K.PARTS)) {
  const text = describePhrase(phrase);
  const head = [
    [0, 0xff, 0x01, ...variableLength(text.length), ...ascii(text)],
    [0, 0xff, 0x51, 3, ...bigEndian(roundHalfUp(60e6 / phrase.bpm), 3)],
    [0, 0xff, 0x58, 4, 4, 2, 24, 8],
  ];
  const selected = Object.keys(K.PARTS).filter((name) => parts.includes(name));
  const tracks = [head, ...selected.map((name) => partEvents(phrase, name))].map(trackChunk);
  const header = [...ascii("MThd"), 0, 0, 0, 6, 0, 1, ...bigEndian(tracks.length, 2), ...bigEndian(K.TICKS_PER_QUARTER, 2)];
  return Uint8Array.from([...header, ...tracks.flat()]);
}

// The text event of the file: what the phrase was composed from.
function describePhrase({ valence, arousal, seed, bars }) {
  const [v, a] = [valence, arousal].map((value) => (roundHalfUp(value * 1e4) / 1e4).toFixed(4));
  return `${K.CREATOR}: valence ${v}, arousal ${a}, seed ${seed}, ${bars} bars`;
}

const ascii = (text) => [...text].map((letter) => letter.charCodeAt(0));
const bigEndian = (value, count) => Array.from({ length: count }, (_, i) => (value >>> (8 * (count - 1 - i))) & 0xff);

// Seven bits a byte, all but the last with the highest bit set.
function variableLength(value) {
  const bytes = [value & 0x7f];
  while ((value >>>= 7)) bytes.unshift((value & 0x7f) | 0x80);
  return bytes;
}

// [delta, status, data…] of one part; at the same tick notes end before others begin.
function partEvents(phrase, name) {
  const { channel, program } = K.PARTS[name];
  const events = [[0, 0xff, 0x03, name.length, ...ascii(name)]];
  if (channel !== 9) events.push([0, 0xc0 | channel, program]);
  const changes = phrase.notes
    .filter(({ part }) => part === name)
    .flatMap(({ onset, duration, pitch, velocity }) => [[onset, 1, pitch, velocity], [onset + duration, 0, pitch, 0]]);
  changes.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  let now = 0;
  for (const [tick, isOnset, pitch, velocity] of changes) {
    events.push([tick - now, (isOnset ? 0x90 : 0x80) | channel, pitch, velocity]);
    now = tick;
  }
  return events;
}

// A status byte is written only where it changes (running status).
function trackChunk(events) {
  const bytes = [];
  let running = null;
  for (const [delta, status, ...data] of [...events, [0, 0xff, 0x2f, 0]]) {
    bytes.push(...variableLength(delta));
    if (status !== running) bytes.push(status);
    bytes.push(...data);
    running = status === 0xff ? null : status;
  }
  return [...ascii("MTrk"), ...bigEndian(bytes.length, 4), ...bytes];
}

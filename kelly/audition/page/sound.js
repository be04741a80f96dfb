// The phrase as sound: four simple instruments in the Web Audio API, and a player that loops a phrase while it changes.

const LOOK_AHEAD_S = 0.3; // notes are scheduled this long before they sound: composing 64 bars takes half of it
const TIMER_MS = 30;

const secondsPerTick = (bpm) => 60 / (bpm * K.TICKS_PER_QUARTER);
const frequency = (pitch) => 440 * 2 ** ((pitch - 69) / 12);

// Instruments in an audio context, real-time or offline: play(note, start in s, duration in s).
class Instruments {
  constructor(context) {
    this.context = context;
    this.output = new GainNode(context, { gain: 0.5 });
    this.limiter = new DynamicsCompressorNode(context, { threshold: -14, knee: 10, ratio: 6, attack: 0.004 });
    this.output.connect(this.limiter).connect(context.destination);
    this.noise = new AudioBuffer({ length: context.sampleRate, sampleRate: context.sampleRate });
    const samples = this.noise.getChannelData(0);
    for (let n = 0; n < samples.length; n++) samples[n] = 2 * uniform(n) - 1;
    this.active = new Set();
  }

  play({ part, pitch, velocity }, start, duration) {
    const level = (velocity / 127) ** 1.5;
    if (part === "drums") return this.strike(pitch, start, level);
    const voice = { // partials as [ratio, gain]; attack and fade in s; brightness of the low-pass filter
      melody: { partials: [[1, 0.5], [2, 0.12]], attack: 0.012, fade: 0.9, bright: 6 },
      chords: { partials: [[1, 0.22], [2, 0.05]], attack: 0.01, fade: 0.5, bright: 4 },
      bass: { partials: [[1, 0.55], [2, 0.1]], attack: 0.008, fade: 0.6, bright: 3 },
    }[part];
    const hz = frequency(pitch), end = start + duration;
    const filter = new BiquadFilterNode(this.context, { type: "lowpass", frequency: Math.min(hz * (1 + voice.bright * level), 16000) });
    const envelope = this.envelope(start, level, voice.attack);
    envelope.gain.setTargetAtTime(level * 0.3, start + voice.attack, voice.fade);
    envelope.gain.setTargetAtTime(0, Math.max(end, start + voice.attack), 0.05);
    filter.connect(envelope);
    for (const [ratio, gain] of voice.partials) {
      const tone = new OscillatorNode(this.context, { type: "triangle", frequency: hz * ratio });
      tone.connect(new GainNode(this.context, { gain })).connect(filter);
      this.run(tone, start, end + 0.4);
    }
  }

  strike(pitch, start, level) {
    const envelope = this.envelope(start, level, 0.001);
    if (pitch === K.KICK) {
      const tone = new OscillatorNode(this.context, { frequency: 140 });
      tone.frequency.setTargetAtTime(45, start, 0.03);
      envelope.gain.setTargetAtTime(0, start + 0.005, 0.09);
      tone.connect(envelope);
      return this.run(tone, start, start + 0.5);
    }
    const [type, hz, fade] = pitch === K.SNARE ? ["bandpass", 1900, 0.06] : ["highpass", 8000, 0.02];
    envelope.gain.setTargetAtTime(0, start + 0.003, fade);
    const drumGain = new GainNode(this.context, { gain: pitch === K.SNARE ? 0.7 : 0.3 });
    const source = new AudioBufferSourceNode(this.context, { buffer: this.noise });
    source.connect(new BiquadFilterNode(this.context, { type, frequency: hz })).connect(drumGain).connect(envelope);
    this.run(source, start, start + 8 * fade);
  }

  envelope(start, level, attack) {
    const envelope = new GainNode(this.context, { gain: 0 });
    envelope.gain.setValueAtTime(0, start);
    envelope.gain.linearRampToValueAtTime(level, start + attack);
    envelope.connect(this.output);
    return envelope;
  }

  run(source, start, end) {
    source.start(start);
    source.stop(end);
    this.active.add(source);
    source.onended = () => this.active.delete(source);
  }

  silence() {
    for (const source of this.active) source.stop();
    this.active.clear();
  }
}

// Plays a phrase in a loop; a new one continues at the same position.
class Player {
  constructor(instruments) {
    this.instruments = instruments;
    this.phrase = null;
    this.parts = new Set(Object.keys(K.PARTS));
    this.timer = null;
  }

  get playing() {
    return this.timer !== null;
  }

  get length() {
    return this.phrase.bars * K.BAR_TICKS;
  }

  // In ticks from the beginning of the phrase.
  get position() {
    const scheduled = (this.time - this.instruments.context.currentTime) / secondsPerTick(this.phrase.bpm);
    return (((this.tick - scheduled) % this.length) + this.length) % this.length;
  }

  start(phrase) {
    this.phrase = phrase;
    this.tick = 0; // notes before it are scheduled; it sounds at `time`
    this.time = this.instruments.context.currentTime + 0.05;
    this.timer = setInterval(() => this.schedule(), TIMER_MS);
    this.schedule();
  }

  change(phrase) {
    this.phrase = phrase;
    this.tick %= this.length;
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.instruments.silence();
  }

  schedule() {
    const { context } = this.instruments, now = context.currentTime;
    if (this.time < now) this.time = now; // after the page was suspended
    while (this.time < now + LOOK_AHEAD_S) {
      const perTick = secondsPerTick(this.phrase.bpm);
      const until = Math.min(this.tick + Math.ceil((now + LOOK_AHEAD_S - this.time) / perTick), this.length);
      for (const note of this.phrase.notes)
        if (note.onset >= this.tick && note.onset < until && this.parts.has(note.part))
          this.instruments.play(note, this.time + (note.onset - this.tick) * perTick, note.duration * perTick);
      this.time += (until - this.tick) * perTick;
      this.tick = until % this.length;
    }
  }
}

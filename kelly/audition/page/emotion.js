// The recognizer's input and output: samples → log-mel frame (kelly/features/log_mel.py), and embedding → valence and
// arousal (kelly/features/emotion.py).

const hannWindow = Float64Array.from({ length: K.FFT_SIZE }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / K.FFT_SIZE));

// The power |X|² of the bins 0 … FFT_SIZE / 2 of the windowed samples: radix-2 FFT (Cooley & Tukey 1965).
function powerSpectrum(samples) {
  const size = K.FFT_SIZE, bits = Math.log2(size), re = new Float64Array(size), im = new Float64Array(size);
  for (let n = 0; n < size; n++) {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit++) reversed |= ((n >> bit) & 1) << (bits - 1 - bit);
    re[reversed] = samples[n] * hannWindow[n];
  }
  for (let half = 1; half < size; half *= 2)
    for (let k = 0; k < half; k++) {
      const cos = Math.cos((Math.PI * k) / half), sin = -Math.sin((Math.PI * k) / half);
      for (let i = k, j = k + half; i < size; i += 2 * half, j += 2 * half) {
        const x = re[j] * cos - im[j] * sin, y = re[j] * sin + im[j] * cos;
        re[j] = re[i] - x;
        im[j] = im[i] - y;
        re[i] += x;
        im[i] += y;
      }
    }
  return re.subarray(0, size / 2 + 1).map((value, k) => value ** 2 + im[k] ** 2);
}

// The audio frame, 128 numbers in -1..1, of FFT_SIZE samples at 44,100 Hz.
function logMelFrame(samples) {
  const power = powerSpectrum(samples);
  return Float64Array.from(K.MEL_FILTERS, ([first, weights]) => {
    const energy = sequentialSum(weights.map((weight, i) => weight * power[first + i]));
    return clip(10 * Math.log10(Math.max(energy, 1e-8)), K.MIN_LEVEL_DB, 0) / 40 + 1;
  });
}

// Valence and arousal of an embedding: estimates from both blocks, weighted by how far the units are from saturation.
function decodeEmotion(embedding) {
  const total = [0, 0], weight = [0, 0];
  for (const block of [0, 1])
    K.CENTRES.forEach((centre, pair) => {
      const index = block * K.BLOCK_SIZE + 2 * pair;
      const units = [embedding[index], embedding[index + 1]].map((unit) => clip(unit, -1 + 1e-9, 1 - 1e-9));
      const certainty = 1 - Math.max(units[0] ** 2, units[1] ** 2), [up, down] = units.map(Math.atanh);
      total[block] += ((up + down) / (2 * K.GAIN) + centre) * certainty;
      weight[block] += certainty;
      const other = K.LEANS_WITH[block][pair];
      if (other < 2) {
        total[other] += ((up - down) / (2 * K.LEAN)) * certainty;
        weight[other] += certainty;
      }
    });
  const [valence, arousal] = total.map((sum, i) => clip(sum / weight[i], -1, 1));
  return { valence, arousal };
}

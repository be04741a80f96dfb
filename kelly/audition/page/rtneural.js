// A reader of RTNeural's JSON that computes what RTNeural computes, in double precision: kelly/rtneural/reader.py in JavaScript.
// Like it, it refuses what RTNeural would misread without a word, naming the layer; only a key that stands twice in an
// object it does not see, since JSON.parse does not tell.

const FLOAT_OVERFLOW = 2 ** 128 - 2 ** 103; // from here on a number rounds to infinity in float32
const MAX_WIDTH = 65536;

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

const ACTIVATIONS = {
  "": () => {},
  tanh: (x) => x.forEach((value, i) => { x[i] = Math.tanh(value); }),
  relu: (x) => x.forEach((value, i) => { x[i] = Math.max(value, 0); }),
  sigmoid: (x) => x.forEach((value, i) => { x[i] = sigmoid(value); }),
  elu: (x) => x.forEach((value, i) => { x[i] = value > 0 ? value : Math.expm1(value); }),
  softmax: (x) => {
    const top = Math.max(...x);
    let total = 0;
    x.forEach((value, i) => { total += x[i] = Math.exp(value - top); });
    x.forEach((value, i) => { x[i] = value / total; });
  },
};

// An array or a matrix of exactly this shape as one Float64Array, row after row.
function numbers(given, shape, where) {
  const wrong = (found) => new Error(`${where}: weights have ${found}, expected shape (${shape.join(", ")})`);
  const rows = shape.length === 2 ? given : [given];
  const [count, width] = shape.length === 2 ? shape : [1, shape[0]];
  if (!Array.isArray(rows) || rows.length !== count) throw wrong(`${Array.isArray(rows) ? rows.length : "no"} rows`);
  const flat = new Float64Array(count * width);
  rows.forEach((row, i) => {
    if (!Array.isArray(row) || row.length !== width) throw wrong(`${Array.isArray(row) ? row.length : "no"} columns`);
    row.forEach((value, j) => {
      if (typeof value !== "number" || !(Math.abs(value) < FLOAT_OVERFLOW))
        throw new Error(`${where}: weights hold ${JSON.stringify(value)}, expected numbers that float32 can hold`);
      flat[i * width + j] = value;
    });
  });
  return flat;
}

// The last of three elements, the one that counts; four would mean a convolution over pictures.
function width(shape, where) {
  const size = Array.isArray(shape) && shape.length === 3 ? shape[2] : undefined;
  if (!Number.isInteger(size) || size < 1 || size > MAX_WIDTH)
    throw new Error(`${where}: shape ${JSON.stringify(shape)}, expected [null, null, size]`);
  return size;
}

// The largest sum of a column's absolute weights, each row's times `bound`, and of its biases.
function largestSum(bound, weight, biases) {
  const size = biases[0].length, sums = new Float64Array(size);
  for (const bias of biases) bias.forEach((value, j) => { sums[j] += Math.abs(value); });
  weight.forEach((value, at) => { sums[at % size] += bound * Math.abs(value); });
  return Math.max(...sums);
}

// sums += x · matrix, of which each input has a row.
function addProduct(sums, x, matrix) {
  const size = sums.length;
  for (let i = 0, at = 0; i < x.length; i++, at += size) {
    const value = x[i];
    if (value !== 0) for (let j = 0; j < size; j++) sums[j] += value * matrix[at + j];
  }
}

class Dense {
  constructor(described, inputs, outputs, where) {
    const [weight, bias] = arrays(described, 2, where);
    this.weight = numbers(weight, [inputs, outputs], where);
    this.bias = numbers(bias, [outputs], where);
    this.activate = activation(described, ACTIVATIONS, where);
    this.isBounded = BOUNDED.includes(described.activation);
  }

  // How far from 0 the sums and the outputs can come on inputs that come no further than `bound`.
  reach(bound) {
    const sums = largestSum(bound, this.weight, [this.bias]);
    return [sums, this.isBounded ? 1 : Math.max(sums, 1)];
  }

  reset() {}

  step(x) {
    const sums = this.bias.slice();
    addProduct(sums, x, this.weight);
    this.activate(sums);
    return sums;
  }
}

class Activation {
  constructor(described, inputs, outputs, where) {
    arrays(described, 0, where);
    // RTNeural adds no layer for an activation of its own that is empty.
    const { "": _, ...known } = ACTIVATIONS;
    this.activate = activation(described, known, where);
    if (inputs !== outputs) throw new Error(`${where}: ${outputs} outputs, expected ${inputs}, those of the layer before`);
    this.isBounded = BOUNDED.includes(described.activation);
  }

  reach(bound) {
    return [bound, this.isBounded ? 1 : Math.max(bound, 1)];
  }

  reset() {}

  step(x) {
    const y = x.slice();
    this.activate(y);
    return y;
  }
}

class Recurrent {
  constructor(described, inputs, outputs, where) {
    this.isLstm = described.type === "lstm";
    this.size = outputs;
    const gates = (this.isLstm ? 4 : 3) * outputs;
    const [kernel, recurrent, bias] = arrays(described, 3, where);
    this.kernel = numbers(kernel, [inputs, gates], where);
    this.recurrent = numbers(recurrent, [outputs, gates], where);
    this.bias = numbers(bias, this.isLstm ? [gates] : [2, gates], where);
    this.reset();
  }

  reach(bound) {
    const gates = this.isLstm ? this.bias.length : this.bias.length / 2;
    const biases = this.isLstm ? [this.bias] : [this.bias.slice(0, gates), this.bias.slice(gates)];
    const kept = Float64Array.from({ length: gates }, () => 0);
    this.recurrent.forEach((value, at) => { kept[at % gates] += Math.abs(value); });
    return [largestSum(bound, this.kernel, [...biases, kept]), 1];
  }

  reset() {
    this.hidden = new Float64Array(this.size);
    this.cell = new Float64Array(this.size);
  }

  step(x) {
    this.hidden = this.isLstm ? this.lstm(x) : this.gru(x);
    return this.hidden;
  }

  // Gates i, f, g, o.
  lstm(x) {
    const n = this.size, sums = this.bias.slice(), hidden = new Float64Array(n);
    addProduct(sums, x, this.kernel);
    addProduct(sums, this.hidden, this.recurrent);
    for (let j = 0; j < n; j++) {
      this.cell[j] = sigmoid(sums[n + j]) * this.cell[j] + sigmoid(sums[j]) * Math.tanh(sums[2 * n + j]);
      hidden[j] = sigmoid(sums[3 * n + j]) * Math.tanh(this.cell[j]);
    }
    return hidden;
  }

  // Gates z, r, n; the reset gate acts on the product with the state.
  gru(x) {
    const n = this.size, hidden = new Float64Array(n);
    const driven = this.bias.slice(0, 3 * n), kept = this.bias.slice(3 * n);
    addProduct(driven, x, this.kernel);
    addProduct(kept, this.hidden, this.recurrent);
    for (let j = 0; j < n; j++) {
      const z = sigmoid(driven[j] + kept[j]), r = sigmoid(driven[n + j] + kept[n + j]);
      hidden[j] = (1 - z) * Math.tanh(driven[2 * n + j] + r * kept[2 * n + j]) + z * this.hidden[j];
    }
    return hidden;
  }
}

const BOUNDED = ["tanh", "sigmoid", "softmax"];
const LAYERS = { dense: Dense, lstm: Recurrent, gru: Recurrent, activation: Activation };

function arrays(described, count, where) {
  const { weights } = described;
  if (!Array.isArray(weights) || weights.length !== count)
    throw new Error(`${where}: weights are ${Array.isArray(weights) ? weights.length : "no"} arrays, expected ${count}`);
  return weights;
}

function activation(described, known, where) {
  if (!Object.hasOwn(known, described.activation))
    throw new Error(`${where}: activation ${JSON.stringify(described.activation)}, expected one of ` +
      Object.keys(known).map((name) => JSON.stringify(name)).join(", "));
  return known[described.activation];
}

// A network from the text of an export. Throws an Error that says what is wrong with it.
class Network {
  constructor(text) {
    let content;
    try {
      content = JSON.parse(text);
    } catch (error) {
      throw new Error(`is not JSON (${error.message})`);
    }
    if (!Array.isArray(content?.layers) || !content.layers.length)
      throw new Error("there is no network, expected an object with in_shape and a list of layers");
    this.metadata = content.metadata ?? {};
    let bound = 1, sums; // inputs lie in -1..1
    let size = (this.numInputs = width(content.in_shape, "in_shape"));
    this.layers = content.layers.map((described, i) => {
      const where = `layer ${i} (${described?.type})`;
      if (!Object.hasOwn(LAYERS, described?.type))
        throw new Error(`${where}: unknown type, expected ${Object.keys(LAYERS).join(", ")}`);
      const outputs = width(described.shape, where);
      const layer = new LAYERS[described.type](described, size, outputs, where);
      size = outputs;
      [sums, bound] = layer.reach(bound);
      if (sums >= FLOAT_OVERFLOW)
        throw new Error(`${where}: sums of up to ${sums.toPrecision(3)} on inputs in -1..1, expected what float32 can hold`);
      return layer;
    });
    this.numOutputs = size;
  }

  // Forget all that was heard: mandatory before the first frame of something new.
  reset() {
    for (const layer of this.layers) layer.reset();
  }

  // The outputs of one frame; the state is kept for the next.
  step(frame) {
    if (frame.length !== this.numInputs) throw new Error(`${frame.length} inputs, expected ${this.numInputs}`);
    return this.layers.reduce((x, layer) => layer.step(x), frame);
  }
}

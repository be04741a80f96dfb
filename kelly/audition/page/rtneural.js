// A reader of RTNeural's JSON that computes the same in double precision: kelly/rtneural/reader.py in JavaScript.
// Like that one it rejects what RTNeural would silently misread, and names the layer. Limits and the schema of the
// metadata, K.METADATA, come from there.

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

// An array or a matrix of exactly this shape as one Float64Array in row-major order.
function numbers(values, shape, where) {
  const shapeError = (found) => new Error(`${where}: weights have ${found}, expected shape (${shape.join(", ")})`);
  const rows = shape.length === 2 ? values : [values];
  const [count, width] = shape.length === 2 ? shape : [1, shape[0]];
  if (!Array.isArray(rows) || rows.length !== count) throw shapeError(`${Array.isArray(rows) ? rows.length : "no"} rows`);
  const flat = new Float64Array(count * width);
  rows.forEach((row, i) => {
    if (!Array.isArray(row) || row.length !== width) throw shapeError(`${Array.isArray(row) ? row.length : "no"} columns`);
    row.forEach((value, j) => {
      if (typeof value !== "number" || !(Math.abs(value) < K.FLOAT_OVERFLOW))
        throw new Error(`${where}: weights hold ${shorten(value)}, expected numbers that float32 can hold`);
      flat[i * width + j] = value;
    });
  });
  return flat;
}

// The last of three elements; four would mean a 2-D convolution.
function width(shape, where) {
  const size = Array.isArray(shape) && shape.length === 3 ? shape[2] : undefined;
  if (!Number.isInteger(size) || size < 1 || size > K.MAX_WIDTH)
    throw new Error(`${where}: shape ${shorten(shape)}, expected [null, null, size]`);
  return size;
}

// The largest column sum of `bound` times the absolute weights, plus the absolute biases.
function largestSum(bound, weight, biases) {
  const size = biases[0].length, sums = new Float64Array(size);
  for (const bias of biases) bias.forEach((value, j) => { sums[j] += Math.abs(value); });
  weight.forEach((value, i) => { sums[i % size] += bound * Math.abs(value); });
  return Math.max(...sums);
}

// sums += x · matrix, a row per input.
function addProduct(sums, x, matrix) {
  const size = sums.length;
  for (let i = 0, row = 0; i < x.length; i++, row += size) {
    const value = x[i];
    if (value !== 0) for (let j = 0; j < size; j++) sums[j] += value * matrix[row + j];
  }
}

// A layer without state: an activation of sums.
class Feedforward {
  constructor({ activation }, supported, where) {
    if (typeof activation !== "string" || !Object.hasOwn(supported, activation))
      throw new Error(`${where}: activation ${shorten(activation)}, expected one of ` +
        Object.keys(supported).map((name) => JSON.stringify(name)).join(", "));
    this.activate = supported[activation];
    this.isBounded = ["tanh", "sigmoid", "softmax"].includes(activation);
  }

  // Bounds of |sums| and |outputs|.
  bounds(sums) {
    return [sums, this.isBounded ? 1 : Math.max(sums, 1)];
  }

  reset() {}
}

class Dense extends Feedforward {
  constructor(spec, inputs, outputs, where) {
    super(spec, ACTIVATIONS, where);
    const [weight, bias] = arrays(spec, 2, where);
    this.weight = numbers(weight, [inputs, outputs], where);
    this.bias = numbers(bias, [outputs], where);
  }

  // For inputs of at most `bound`.
  bounds(bound) {
    return super.bounds(largestSum(bound, this.weight, [this.bias]));
  }

  step(x) {
    const sums = this.bias.slice();
    addProduct(sums, x, this.weight);
    this.activate(sums);
    return sums;
  }
}

class Activation extends Feedforward {
  constructor(spec, inputs, outputs, where) {
    const { "": _, ...supported } = ACTIVATIONS; // RTNeural adds no layer for an empty activation
    super(spec, supported, where);
    arrays(spec, 0, where);
    if (inputs !== outputs) throw new Error(`${where}: ${outputs} outputs, expected ${inputs} as the previous layer`);
  }

  step(x) {
    const y = x.slice();
    this.activate(y);
    return y;
  }
}

class Recurrent {
  constructor(spec, inputs, outputs, where) {
    this.isLstm = spec.type === "lstm";
    this.size = outputs;
    const gates = (this.isLstm ? 4 : 3) * outputs;
    const [kernel, recurrent, bias] = arrays(spec, 3, where);
    this.kernel = numbers(kernel, [inputs, gates], where);
    this.recurrent = numbers(recurrent, [outputs, gates], where);
    this.bias = numbers(bias, this.isLstm ? [gates] : [2, gates], where);
    this.reset();
  }

  bounds(bound) {
    const gates = this.isLstm ? this.bias.length : this.bias.length / 2;
    const biases = this.isLstm ? [this.bias] : [this.bias.slice(0, gates), this.bias.slice(gates)];
    const feedback = new Float64Array(gates); // hidden states are at most 1
    this.recurrent.forEach((value, i) => { feedback[i % gates] += Math.abs(value); });
    return [largestSum(bound, this.kernel, [...biases, feedback]), 1];
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

  // Gates z, r, n; the reset gate is applied after the product with the state.
  gru(x) {
    const n = this.size, hidden = new Float64Array(n);
    const input = this.bias.slice(0, 3 * n), state = this.bias.slice(3 * n);
    addProduct(input, x, this.kernel);
    addProduct(state, this.hidden, this.recurrent);
    for (let j = 0; j < n; j++) {
      const z = sigmoid(input[j] + state[j]), r = sigmoid(input[n + j] + state[n + j]);
      hidden[j] = (1 - z) * Math.tanh(input[2 * n + j] + r * state[2 * n + j]) + z * this.hidden[j];
    }
    return hidden;
  }
}

const LAYERS = { dense: Dense, lstm: Recurrent, gru: Recurrent, activation: Activation };

function arrays(spec, count, where) {
  const { weights } = spec;
  if (!Array.isArray(weights) || weights.length !== count)
    throw new Error(`${where}: weights are ${Array.isArray(weights) ? weights.length : "no"} arrays, expected ${count}`);
  return weights;
}

// A network from the text of an export. Throws an Error where it is invalid.
class Network {
  constructor(text) {
    const content = parseJson(text);
    if (!Array.isArray(content?.layers) || !content.layers.length)
      throw new Error("contains no network, expected an object with in_shape and a list of layers");
    this.metadata = content.metadata === undefined ? {} : content.metadata;
    checkSchema(this.metadata, K.METADATA, "metadata");
    let bound = 1, sums; // inputs lie in -1..1
    let size = (this.numInputs = width(content.in_shape, "in_shape"));
    this.layers = content.layers.map((spec, i) => {
      const where = `layer ${i} (${typeof spec?.type === "string" ? spec.type.slice(0, 20) : shorten(spec?.type)})`;
      if (typeof spec?.type !== "string" || !Object.hasOwn(LAYERS, spec.type))
        throw new Error(`${where}: unknown type, expected ${Object.keys(LAYERS).join(", ")}`);
      const outputs = width(spec.shape, where);
      const layer = new LAYERS[spec.type](spec, size, outputs, where);
      size = outputs;
      [sums, bound] = layer.bounds(bound);
      if (sums >= K.FLOAT_OVERFLOW)
        throw new Error(`${where}: sums of up to ${sums.toPrecision(3)} on inputs in -1..1, more than float32 can hold`);
      return layer;
    });
    this.numOutputs = size;
  }

  // Clear the state; required before the first frame of a new sequence.
  reset() {
    for (const layer of this.layers) layer.reset();
  }

  // The outputs for one frame; the state is kept for the next.
  step(frame) {
    if (frame.length !== this.numInputs) throw new Error(`${frame.length} inputs, expected ${this.numInputs}`);
    return this.layers.reduce((x, layer) => layer.step(x), frame);
  }
}

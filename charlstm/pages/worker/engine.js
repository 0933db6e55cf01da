// The network, and how a character is drawn from it: the same computations as charlstm/model/lstm.py
// and charlstm/generation/sampling.py. Nothing here knows of the page.
"use strict";

// The value of each float16, by its bits: 1 bit of sign, 5 of exponent, 10 of fraction.
function float16Values() {
  const values = new Float32Array(1 << 16);
  for (let bits = 0; bits < 1 << 15; bits++) {
    const exponent = bits >> 10, fraction = bits & 1023;
    const value = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    values[bits] = value;
    values[bits | (1 << 15)] = -value;
  }
  return values;
}

// The weights of a text in base64, as float32: all tensors, one after the other.
function decodeWeights(base64) {
  const characters = atob(base64);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  const values = float16Values();
  const weights = new Float32Array(bytes.length / 2);
  for (let i = 0; i < weights.length; i++) {
    weights[i] = values[bytes[2 * i] | (bytes[2 * i + 1] << 8)]; // the low byte comes first
  }
  return weights;
}

const GROUP = 8; // rows of a matrix whose sums are computed side by side

// A matrix of rows with K values each. The values are kept in the order in which they are used: for
// each group of rows those of the first column, then those of the second. `size` counts the rows
// and those that make the last group whole, which are 0.
class Matrix {
  constructor(weights, K) {
    const rows = weights.length / K;
    this.K = K;
    this.size = Math.ceil(rows / GROUP) * GROUP;
    this.values = new Float32Array(this.size * K);
    for (let row = 0; row < rows; row++) {
      const start = (row - (row % GROUP)) * K + (row % GROUP);
      for (let k = 0; k < K; k++) this.values[start + GROUP * k] = weights[row * K + k];
    }
  }

  // out = this matrix times x, plus start; all but x have `size` values. Eight sums that do not wait
  // for each other, of values that lie side by side, are about three times as fast as one.
  multiply(x, start, out) {
    const { values: W, K, size } = this;
    for (let row = 0, i = 0; row < size; row += GROUP) {
      let a = start[row], b = start[row + 1], c = start[row + 2], d = start[row + 3];
      let e = start[row + 4], f = start[row + 5], g = start[row + 6], h = start[row + 7];
      for (let k = 0; k < K; k++, i += GROUP) {
        const value = x[k];
        a += W[i] * value;
        b += W[i + 1] * value;
        c += W[i + 2] * value;
        d += W[i + 3] * value;
        e += W[i + 4] * value;
        f += W[i + 5] * value;
        g += W[i + 6] * value;
        h += W[i + 7] * value;
      }
      out[row] = a;
      out[row + 1] = b;
      out[row + 2] = c;
      out[row + 3] = d;
      out[row + 4] = e;
      out[row + 5] = f;
      out[row + 6] = g;
      out[row + 7] = h;
    }
  }
}

// The numbers as float64, with zeros after them up to `size`.
function padded(numbers, size) {
  const all = new Float64Array(size);
  all.set(numbers);
  return all;
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// The stacked LSTM. `sizes` has the names of the model card: vocab_size (V), embedding_size (E),
// hidden_size (H), num_layers (L), residual.
class LSTM {
  constructor(weights, sizes) {
    const { vocab_size: V, embedding_size: E, hidden_size: H, num_layers: L } = sizes;
    let position = 0;
    const take = (count) => weights.subarray(position, (position += count));
    this.sizes = sizes;
    this.embedding = take(V * E).slice();
    this.layers = [];
    for (let layer = 0; layer < L; layer++) {
      const K = layer ? H : E;
      const W = new Matrix(take(4 * H * K), K), U = new Matrix(take(4 * H * H), H);
      const bias = padded(take(4 * H), W.size);
      take(4 * H).forEach((value, i) => (bias[i] += value)); // torch has two
      this.layers.push({ W, U, bias });
    }
    this.output = new Matrix(take(V * H), H);
    this.outputBias = padded(take(V), this.output.size);
    this.scores = new Float64Array(this.output.size);
    this.z = new Float64Array(this.layers[0].U.size); // the input of a step: i, f, g, o
    this.inputs = new Map(); // W x + b of the first layer for each character that was read
  }

  // The state before any character: h, c and the gates of each layer. `features` is the output of
  // the last layer.
  empty() {
    const { hidden_size: H, num_layers: L } = this.sizes;
    const zeros = () => Array.from({ length: L }, () => new Float64Array(H));
    const state = { hidden: zeros(), cell: zeros(), features: new Float64Array(H) };
    return { ...state, input: zeros(), forget: zeros(), output: zeros() };
  }

  // Let the state read one character.
  read(state, id) {
    const { z } = this;
    let x = null;
    this.layers.forEach((layer, number) => {
      const h = state.hidden[number];
      if (number) layer.W.multiply(x, layer.bias, z);
      else z.set(this.firstInput(id));
      layer.U.multiply(h, z, z);
      this.update(state, number);
      const output = h.slice();
      if (number && this.sizes.residual) for (let j = 0; j < x.length; j++) output[j] += x[j];
      x = output;
    });
    state.features = x;
  }

  // One layer's step: c = f c + i g, h = o tanh(c), with the sigmoids and the tanh of z.
  update(state, number) {
    const { z } = this;
    const h = state.hidden[number], c = state.cell[number], H = h.length;
    const i = state.input[number], f = state.forget[number], o = state.output[number];
    for (let j = 0; j < H; j++) {
      i[j] = sigmoid(z[j]);
      f[j] = sigmoid(z[H + j]);
      o[j] = sigmoid(z[3 * H + j]);
      c[j] = f[j] * c[j] + i[j] * Math.tanh(z[2 * H + j]);
      h[j] = o[j] * Math.tanh(c[j]);
    }
  }

  firstInput(id) {
    if (!this.inputs.has(id)) {
      const { W, bias } = this.layers[0];
      const out = new Float64Array(W.size);
      W.multiply(padded(this.embedding.subarray(id * W.K, (id + 1) * W.K), W.K), bias, out);
      this.inputs.set(id, out);
    }
    return this.inputs.get(id);
  }

  // The logits of the next character, (V,). The next call overwrites them.
  logits(state) {
    this.output.multiply(state.features, this.outputBias, this.scores);
    return this.scores.subarray(0, this.sizes.vocab_size);
  }
}

// Python's random numbers for a random seed, a BigInt that is not negative: the Mersenne Twister
// MT19937 (Matsumoto and Nishimura 1998), seeded by its init_by_array.
class RandomNumbers {
  constructor(seed) {
    const key = [];
    for (let rest = seed; rest > 0n || !key.length; rest >>= 32n) key.push(Number(rest & 0xffffffffn));
    const state = new Uint32Array(624);
    state[0] = 19650218;
    for (let i = 1; i < 624; i++) {
      state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    }
    let i = 1;
    const mixed = (factor) => state[i] ^ Math.imul(state[i - 1] ^ (state[i - 1] >>> 30), factor);
    const forward = () => {
      if (++i === 624) {
        state[0] = state[623];
        i = 1;
      }
    };
    for (let k = 0; k < Math.max(624, key.length); k++) {
      const j = k % key.length;
      state[i] = mixed(1664525) + key[j] + j;
      forward();
    }
    for (let k = 0; k < 623; k++) {
      state[i] = mixed(1566083941) - i;
      forward();
    }
    state[0] = 0x80000000;
    this.state = state;
    this.position = 624;
  }

  // 32 random bits.
  bits() {
    const { state } = this;
    if (this.position === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.position = 0;
    }
    let y = state[this.position++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  // A number in [0, 1) with 53 random bits.
  next() {
    const high = this.bits() >>> 5, low = this.bits() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }
}

// The id with the highest logit, the lowest among equals.
function mostProbable(logits) {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

// The probabilities of all characters up to a factor: the most probable one has 1.
function likelihoods(logits, temperature) {
  const most = logits[mostProbable(logits)];
  return Float64Array.from(logits, (logit) => Math.exp((logit - most) / temperature));
}

// Ids by falling logit, of equals the lowest first.
function ranked(logits) {
  return Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
}

// Draw the next character. `sampling` has temperature, topK (0: all) and minP, applied in this
// order; `uniform` is a random number in [0, 1). The id is the first at which the cumulated
// probability is greater than it.
function draw(logits, sampling, uniform) {
  if (sampling.temperature === 0) return mostProbable(logits);
  const weights = likelihoods(logits, sampling.temperature);
  if (sampling.topK) for (const id of ranked(logits).slice(sampling.topK)) weights[id] = 0;
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] < sampling.minP) weights[i] = 0;
    total += weights[i];
  }
  const point = uniform * total;
  let cumulated = 0, last = 0;
  for (let i = 0; i < weights.length; i++) {
    cumulated += weights[i];
    if (cumulated > point) return i;
    if (weights[i]) last = i;
  }
  return last; // if uniform * total was rounded up to total
}

// What the network expects next: the logarithm of the sum of all likelihoods gives -log2 of any
// probability, and the `count` most probable ids come with their probabilities.
function expectation(logits, count) {
  const most = logits[mostProbable(logits)];
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += Math.exp(logits[i] - most);
  const best = []; // ids by falling logit
  for (let i = 0; i < logits.length; i++) {
    let place = best.length;
    while (place && logits[i] > logits[best[place - 1]]) place--;
    if (place < count) {
      best.splice(place, 0, i);
      best.length = Math.min(best.length, count);
    }
  }
  return {
    bits: (id) => (Math.log(total) + most - logits[id]) / Math.LN2,
    guesses: best.map((id) => [id, Math.exp(logits[id] - most) / total]),
  };
}

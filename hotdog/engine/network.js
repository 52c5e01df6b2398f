// SqueezeNet 1.1 in plain JavaScript: from the pixels of a picture to the probability of each class.
// An image is {height, width, channels, data}; the channels of a position lie side by side in `data`.
var Network = (() => {
  'use strict';

  const image = (height, width, channels) =>
    ({height, width, channels, data: new Float32Array(height * width * channels)});

  // Convolution and ReLU. Four outputs at two neighbouring positions are summed at once, since each number that is
  // fetched then serves several sums. The result goes into the image y, from channel `first` on.
  function convolve(x, {size, stride, weight, bias}, y, first = 0) {
    const run = size * x.channels;  // the numbers in one row of the patch under the kernel
    for (let o = 0; o < bias.length; o += 4) {
      for (let i = 0; i < y.height; i++) {
        for (let j = 0; j < y.width; j += 2) {
          const step = Math.min(1, y.width - 1 - j);  // to the second position; 0 at the end of a row
          let a = bias[o], b = bias[o + 1], c = bias[o + 2], d = bias[o + 3], e = a, f = b, g = c, h = d;
          for (let row = 0; row < size; row++) {
            const p = ((i * stride + row) * x.width + j * stride) * x.channels, q = p + step * stride * x.channels;
            const A = (o * size + row) * run, B = A + size * run, C = B + size * run, D = C + size * run;
            for (let k = 0; k < run; k++) {
              const s = x.data[p + k], t = x.data[q + k];
              a += s * weight[A + k]; e += t * weight[A + k];
              b += s * weight[B + k]; f += t * weight[B + k];
              c += s * weight[C + k]; g += t * weight[C + k];
              d += s * weight[D + k]; h += t * weight[D + k];
            }
          }
          const at = (i * y.width + j) * y.channels + first + o;
          [a, b, c, d].forEach((sum, n) => { y.data[at + n] = Math.max(0, sum); });
          [e, f, g, h].forEach((sum, n) => { y.data[at + step * y.channels + n] = Math.max(0, sum); });
        }
      }
    }
    return y;
  }

  // Maximum of 3 x 3 neighbours, at every second position.
  function pool(x) {
    const y = image((x.height - 1) >> 1, (x.width - 1) >> 1, x.channels);
    for (let n = 0; n < y.data.length; n++) {
      const c = n % x.channels, j = (n - c) / x.channels % y.width, i = Math.floor(n / x.channels / y.width);
      let largest = 0;  // what comes out of a ReLU is never less
      for (let row = 2 * i; row < 2 * i + 3; row++) {
        for (let column = 2 * j; column < 2 * j + 3; column++) {
          largest = Math.max(largest, x.data[(row * x.width + column) * x.channels + c]);
        }
      }
      y.data[n] = largest;
    }
    return y;
  }

  // A border of zeros, so that a 3 x 3 kernel fits at the edge.
  function pad(x) {
    const y = image(x.height + 2, x.width + 2, x.channels), row = x.width * x.channels;
    for (let i = 0; i < x.height; i++) {
      y.data.set(x.data.subarray(i * row, (i + 1) * row), ((i + 1) * y.width + 1) * x.channels);
    }
    return y;
  }

  // Fire module: squeeze to few channels, expand with 1 x 1 and with 3 x 3 kernels, and lay both side by side.
  function fire(x, squeeze, expand1, expand3) {
    const s = convolve(x, squeeze, image(x.height, x.width, squeeze.bias.length));
    const y = image(x.height, x.width, expand1.bias.length + expand3.bias.length);
    convolve(s, expand1, y);
    return convolve(pad(s), expand3, y, expand1.bias.length);
  }

  // All layers but the last one: from normalised pixels, 224 x 224 x 3, to 13 x 13 x 512 features.
  async function features(x, layers, pause = () => {}) {
    const [first, ...rest] = layers;
    x = pool(convolve(x, first, image(111, 111, first.bias.length)));
    for (let block = 2; block <= 9; block++) {
      await pause();  // so that the page can answer in between
      x = fire(x, ...rest.splice(0, 3));
      if (block === 3 || block === 5) x = pool(x);
    }
    return x;
  }

  // The features averaged over all positions: 512 numbers for a picture.
  function average(x) {
    const sums = new Float64Array(x.channels), positions = x.height * x.width;
    x.data.forEach((value, n) => { sums[n % x.channels] += value; });
    return Float32Array.from(sums, (sum) => sum / positions);
  }

  // The output layer: a score for each output from the averaged features, softmax, and for each class the sum of the
  // probabilities of its outputs (one output in most networks; `classOf` tells of which class each output is).
  function classify(averaged, {weight, bias, classOf}) {
    const score = (b, output) => b + dot(row(weight, output), averaged);
    const outputs = softmax(Array.from(bias, score));
    const probabilities = Array(Math.max(...classOf) + 1).fill(0);
    outputs.forEach((p, output) => { probabilities[classOf[output]] += p; });
    return {outputs, probabilities};
  }

  // The activation map: how much each position speaks for a class and against the others, these in the proportion in
  // which the network thinks of them. Its mean over all positions is the difference of the scores.
  function activation(x, {weight, bias, classOf}, {outputs, probabilities}, label) {
    const direction = new Float64Array(x.channels);
    let offset = 0;
    outputs.forEach((probability, output) => {
      const part = classOf[output] === label ? probability / probabilities[label] :
        -probability / (1 - probabilities[label]);
      row(weight, output).forEach((value, c) => { direction[c] += part * value; });
      offset += part * bias[output];
    });
    return Float32Array.from({length: x.height * x.width}, (_, p) =>
      offset + dot(x.data.subarray(p * x.channels, (p + 1) * x.channels), direction));
  }

  const row = (weight, output) => weight.subarray(output * 512, (output + 1) * 512);
  const dot = (u, v) => u.reduce((sum, value, n) => sum + value * v[n], 0);

  function softmax(scores) {
    const largest = Math.max(...scores), powers = scores.map((score) => Math.exp(score - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  }

  // Unpack the weights of a script like weights.js: numbers of 16 bits (sign, 5 bits of exponent, 10 of fraction).
  function unpack({data, shapes, ...header}) {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const numbers = Float32Array.from(new Uint16Array(bytes.buffer), (half) => {
      const exponent = half >> 10 & 31, fraction = (half & 1023) / 1024;
      return (half >> 15 ? -1 : 1) * (exponent ? POWERS[exponent] * (1 + fraction) : POWERS[1] * fraction);
    });
    let at = 0;
    const layers = shapes.map(([outputs, size, stride, inputs]) => ({
      size, stride, weight: numbers.subarray(at, at += outputs * size * size * inputs),
      bias: numbers.subarray(at, at += outputs)}));
    const output = {...layers.pop(), classOf: header.classOf};
    return {...header, output, layers};
  }
  const POWERS = Array.from({length: 32}, (_, exponent) => 2 ** (exponent - 15));

  // From the RGBA pixels of a picture, 224 x 224, to its features, 13 x 13 x 512, and their averages.
  async function look({width, height, data}, {layers, mean, std}, pause) {
    const x = image(height, width, 3);
    x.data.forEach((_, n) => { x.data[n] = (data[(n - n % 3) / 3 * 4 + n % 3] - mean[n % 3]) / std[n % 3]; });
    const y = await features(x, layers, pause);
    return {features: y, averaged: average(y)};
  }

  return {unpack, look, classify, activation, softmax};
})();

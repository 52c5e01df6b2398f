// Softmax regression on the averaged features of a few pictures: a new output layer for the copied network.
var Teach = (() => {
  'use strict';
  const DECAY = 0.01;
  const SCALE = 4000;  // the squared distance of a picture's features from their mean, on average over the demo set

  // The products of all pairs of pictures, each less the mean picture: all that training needs to know of them.
  function products(pictures) {
    const middle = mean(pictures), centred = pictures.map((picture) => picture.map((value, c) => value - middle[c]));
    return centred.map((one) => Float64Array.from(centred, (other) => dot(one, other) / SCALE));
  }

  // Gradient descent with momentum on all pictures, or on all but the one that is left out. The weights are always a
  // sum of pictures; `shares[n][k]` says how much of picture n is in the weights of class k.
  function descend(gram, labels, count, start, left = -1) {
    const used = labels.map((_, n) => n).filter((n) => n !== left);
    const steep = Math.max(1, used.reduce((sum, n) => sum + gram[n][n], 0) / used.length) / 2 + DECAY;
    const momentum = (Math.sqrt(steep) - Math.sqrt(DECAY)) / (Math.sqrt(steep) + Math.sqrt(DECAY));
    const zeros = () => Array.from({length: labels.length + 1}, () => new Float64Array(count));  // the last row: bias
    const now = start ? start.map((row, n) => (n === left ? new Float64Array(count) : row.slice())) : zeros();
    const moved = now.map((row) => row.slice()), bias = labels.length;
    for (let step = 0, change = 1; step < 5000 && change > 1e-9; step++) {
      change = 0;
      const gradient = zeros();
      for (const n of used) {
        const scores = Array.from(moved[bias], (b, k) => used.reduce((sum, m) => sum + gram[n][m] * moved[m][k], b));
        Network.softmax(scores).forEach((probability, k) => {
          const error = (probability - (labels[n] === k)) / used.length;
          gradient[n][k] = error + DECAY * moved[n][k];
          gradient[bias][k] += error;
        });
      }
      for (const n of [...used, bias]) {
        for (let k = 0; k < count; k++) {
          const next = moved[n][k] - gradient[n][k] / steep;
          change = Math.max(change, Math.abs(next - now[n][k]));
          moved[n][k] = next + momentum * (next - now[n][k]);
          now[n][k] = next;
        }
      }
    }
    return now;
  }

  // Train on pictures (arrays of averaged features) with labels 0 to count - 1; return an output layer as Network has.
  function train(pictures, labels, count) {
    const shares = descend(products(pictures), labels, count), middle = mean(pictures), size = middle.length;
    const weight = new Float32Array(count * size), bias = new Float32Array(count);
    for (let k = 0; k < count; k++) {
      const average = shares.slice(0, -1).reduce((sum, row) => sum + row[k], 0);
      for (let c = 0; c < size; c++) {
        const sum = pictures.reduce((total, picture, n) => total + shares[n][k] * picture[c], 0);
        weight[k * size + c] = (sum - average * middle[c]) / SCALE;
      }
      bias[k] = shares[pictures.length][k] - dot(weight.subarray(k * size, (k + 1) * size), middle);
    }
    return {weight, bias, classOf: Array.from(bias, (_, k) => k)};
  }

  // Leave-one-out accuracy: each picture in turn is classified by a layer that was trained on all the others.
  async function leaveOneOut(pictures, labels, count, pause = () => {}) {
    const gram = products(pictures), shares = descend(gram, labels, count);
    let right = 0;
    for (let left = 0; left < labels.length; left++) {
      await pause();
      const others = descend(gram, labels, count, shares, left);
      const scores = Array.from(others[labels.length], (b, k) =>
        others.reduce((sum, row, n) => (n < labels.length ? sum + gram[left][n] * row[k] : sum), b));
      right += scores.indexOf(Math.max(...scores)) === labels[left];
    }
    return right / labels.length;
  }

  const dot = (u, v) => u.reduce((sum, value, c) => sum + value * v[c], 0);
  const mean = (rows) => Float64Array.from(rows[0], (_, c) => rows.reduce((sum, row) => sum + row[c], 0) / rows.length);

  return {train, leaveOneOut};
})();

// Pictures as the book's Python reads them: upright, on white, the shorter side scaled to 256 pixels by Pillow's
// bicubic filter, the middle 224 x 224. (What the browser's own canvas makes of a photograph changes many an answer.)
var Picture = (() => {
  'use strict';
  const SIDE = 256, CROP = 224, SHORTEST = 32, SLENDEREST = 10, MOST = 150e6, LARGEST_SIDE = 4096;
  const UNIT = 2 ** 22;  // Pillow computes with whole numbers

  // Decode a file; EXIF orientation is honoured, a colour profile is not, as in Python. Errors have a name of `labels`.
  async function decode(blob) {
    const options = {colorSpaceConversion: 'none'};
    let bitmap;
    try {
      bitmap = await createImageBitmap(blob, options);
    } catch {
      throw Error(await kind(blob));
    }
    const {width, height} = bitmap, short = Math.min(width, height), long = Math.max(width, height);
    if (width * height > MOST) throw Error('tooLarge');
    if (short < SHORTEST) throw Error('tooSmall');
    if (long > SLENDEREST * short) throw Error('tooSlender');
    if (short <= LARGEST_SIDE) return bitmap;
    const scale = LARGEST_SIDE / short;  // a canvas cannot hold it
    return createImageBitmap(bitmap, {...options, resizeQuality: 'high', resizeWidth: Math.round(width * scale),
      resizeHeight: Math.round(height * scale)});
  }

  // Tell why a file cannot be decoded.
  async function kind(blob) {
    if (!blob.size) return 'empty';
    const head = String.fromCharCode(...new Uint8Array(await blob.slice(0, 12).arrayBuffer()));
    if (/^....ftyp(hei|hev|mif|msf)/s.test(head)) return 'heic';
    return /^(\xff\xd8\xff|\x89PNG|GIF8|BM|RIFF....WEBP|II\*|MM\0)/s.test(head) ? 'damaged' : 'noPicture';
  }

  // The RGBA pixels of a part of a bitmap on a white ground.
  function pixels(bitmap, left, top, width, height) {
    const canvas = Object.assign(document.createElement('canvas'), {width, height});
    const context = canvas.getContext('2d', {willReadFrequently: true});
    context.fillStyle = 'white';
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, -left, -top);
    return context.getImageData(0, 0, width, height).data;
  }

  // Catmull and Rom's cubic, which Pillow calls BICUBIC.
  function cubic(x) {
    x = Math.abs(x);
    return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  }

  // The middle CROP numbers of a row that is scaled from `from` to `to`: for each the first one and the weights of
  // those that it is made of. Where the row shrinks, the filter widens, so that every pixel counts.
  function filters(from, to) {
    const scale = from / to, wide = Math.max(1, scale), left = Math.floor((to - CROP) / 2);
    return Array.from({length: CROP}, (_, n) => {
      const centre = (left + n + 0.5) * scale;
      const first = Math.max(0, Math.trunc(centre - 2 * wide + 0.5));
      const last = Math.min(from, Math.trunc(centre + 2 * wide + 0.5));
      const weights = Array.from({length: last - first}, (_, k) => cubic((first + k - centre + 0.5) / wide));
      const sum = weights.reduce((total, weight) => total + weight, 0);
      return {first, weights: weights.map((weight) => Math.trunc(weight / sum * UNIT + (weight < 0 ? -0.5 : 0.5)))};
    });
  }

  // Scale each line of RGBA pixels: `get(line, n)` is where its n-th pixel stands in `source`, `put` in the result.
  function scale(source, lines, filter, get, put) {
    const result = new Uint8ClampedArray(4 * lines * CROP).fill(255);
    for (let line = 0; line < lines; line++) {
      filter.forEach(({first, weights}, n) => {
        let red = UNIT / 2, green = red, blue = red;
        for (let k = 0; k < weights.length; k++) {
          const from = 4 * get(line, first - filter[0].first + k), weight = weights[k];
          red += source[from] * weight; green += source[from + 1] * weight; blue += source[from + 2] * weight;
        }
        const to = 4 * put(line, n);
        result[to] = red >> 22; result[to + 1] = green >> 22; result[to + 2] = blue >> 22;
      });
    }
    return result;
  }

  // The CROP x CROP pixels of a bitmap that the network sees, as ImageData: scaled across, then down.
  function view(bitmap) {
    const ratio = SIDE / Math.min(bitmap.width, bitmap.height);
    const [across, down] = [bitmap.width, bitmap.height].map((side) => filters(side, Math.max(SIDE, even(ratio * side))));
    const length = (filter) => filter[CROP - 1].first + filter[CROP - 1].weights.length - filter[0].first;
    const width = length(across), height = length(down);
    const source = pixels(bitmap, across[0].first, down[0].first, width, height);
    const narrow = scale(source, height, across, (row, n) => row * width + n, (row, n) => row * CROP + n);
    return new ImageData(scale(narrow, CROP, down, (column, n) => n * CROP + column, (column, n) => n * CROP + column),
      CROP, CROP);
  }

  // Python rounds halves to even numbers.
  const even = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

  return {decode, view, CROP};
})();

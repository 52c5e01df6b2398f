// The page "Try it": pictures come in, the network looks at them, an output layer answers, and a map shows why.
// It needs Labels, Network and Picture, and fills the element "try". Its data-folder is where try.css, samples.js and,
// when the first picture comes, weights.js are loaded from; without it, the page has weights and style in itself.
var Try = (() => {
  'use strict';
  const place = document.getElementById('try'), {folder} = place.dataset;
  const text = Labels[document.documentElement.lang.startsWith('zh') ? 'zh' : 'en'];
  const KEPT = 24, CELL = 16, FIRST_CELL = 7.5, CELLS = 13;  // pictures; pixels of a cell of the map, before the first
  const state = {network: null, heads: {}, head: 'book', seen: [], shown: null};

  // ---- small helpers ----

  const fill = (template, values) => template.replace(/{(\w+)}/g, (_, name) => values[name]);
  const percent = (value) => `${(100 * value).toFixed(1)}%`;

  // Make an element: make('button', {type: 'button', onclick}, 'text', child, ...)
  function make(name, properties = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in element) element[key] = value; else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  const button = (label, onclick, properties = {}) => make('button', {type: 'button', onclick, ...properties}, label);

  const script = (address) => new Promise((resolve, reject) => {
    document.head.append(make('script', {src: address, onload: resolve, onerror: reject}));
  });

  // Let the browser draw and answer when it has not for a while.
  let rested = 0;
  async function pause() {
    if (performance.now() - rested < 40) return;
    await new Promise((resolve) => { setTimeout(resolve); });
    rested = performance.now();
  }

  // A button that opens the dialogue for files, and the element behind it.
  function chooser(label, accept, use) {
    const input = make('input', {type: 'file', accept, multiple: accept.startsWith('image'), hidden: true});
    input.onchange = () => {
      use([...input.files]);
      input.value = '';  // so that the same file can be chosen again
    };
    return [button(label, () => input.click()), input];
  }

  // Show the camera in a dialogue; `use` gets each picture, or the only one, as a list of one file.
  async function camera(use, once = false) {
    let stream, taken = 0;
    try {
      stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}});
    } catch {
      complain(Error('noCamera'));
      return;
    }
    const video = make('video', {srcObject: stream, autoplay: true, muted: true, playsInline: true});
    const shoot = button(text.shoot, () => {
      const still = make('canvas', {width: video.videoWidth, height: video.videoHeight});
      still.getContext('2d').drawImage(video, 0, 0);
      still.toBlob((blob) => use([new File([blob], `${text.camera} ${++taken}`)]));
      if (once) dialog.close();
    });
    shoot.disabled = true;
    video.onloadeddata = () => { shoot.disabled = false; };
    const dialog = make('dialog', {className: 'try-camera', 'aria-label': text.preview}, video, shoot,
      button(text.stop, () => dialog.close()));
    dialog.onclose = () => {
      stream.getTracks().forEach((track) => track.stop());
      dialog.remove();
    };
    document.body.append(dialog);
    dialog.showModal();
  }

  // Take the files that are dropped on an element.
  function accept(element, use) {
    const over = (event, on) => {
      event.preventDefault();
      event.stopPropagation();
      element.classList.toggle('try-over', on);
    };
    element.addEventListener('dragover', (event) => over(event, true));
    element.addEventListener('dragleave', (event) => over(event, false));
    element.addEventListener('drop', (event) => {
      over(event, false);
      use([...event.dataTransfer.files]);
    });
  }

  function thumbnail(view) {
    const canvas = make('canvas', {width: view.width, height: view.height, 'aria-hidden': 'true'});
    canvas.getContext('2d').putImageData(view, 0, 0);
    return canvas;
  }

  // ---- looking at pictures, one after the other ----

  const status = make('p', {className: 'try-status', role: 'status'}, text.waiting);
  const say = (message) => { status.textContent = message; };
  const complain = (error, name = '') =>
    say(fill(text.errors[error.message] || text.errors.failed, {name, reason: error.message}));

  async function load() {
    if (state.network) return;
    say(text.loading);
    await pause();
    if (folder) await script(`${folder}weights.js`).catch(() => { throw Error('weights'); });
    state.network = Network.unpack(Weights);
    state.heads.book = {...state.network.output, threshold: Weights.threshold,
      classes: Weights.classes.map((name) => text.classes[name] || name)};
  }

  // Decode a file and compute its features.
  async function look(file) {
    const start = performance.now();
    await load();
    say(fill(text.working, {name: file.name}));
    const bitmap = await Picture.decode(file);
    await pause();
    const view = Picture.view(bitmap);
    bitmap.close();
    const features = await Network.look(view, state.network, pause);
    return {name: file.name, view, ...features, seconds: ((performance.now() - start) / 1000).toFixed(1)};
  }

  let queue = Promise.resolve();

  // Do something after everything that was asked for before; what fails is told in a sentence.
  function next(action, name) {
    queue = queue.then(action).catch((error) => complain(error, name));
    return queue;
  }

  function each(files, use) {
    if (!files.length) complain(Error('nothing'));
    return Promise.all(files.map((file) => next(async () => use(await look(file)), file.name)));
  }

  const classify = (files) => each(files, (seen) => {
    state.seen = [seen, ...state.seen].slice(0, KEPT);
    seen.button = button(thumbnail(seen.view), () => show(seen), {className: 'try-thumbnail'});
    history.replaceChildren(...state.seen.map((past) => make('li', {}, past.button)));
    show(seen);
    const {probabilities} = answer(seen), label = verdict(probabilities);
    say(fill(text.done, {name: seen.name, verdict: head().classes[label], percent: percent(probabilities[label]),
      seconds: seen.seconds}));
  });

  // ---- answers ----

  const head = () => state.heads[state.head];
  const answer = (seen) => Network.classify(seen.averaged, head());
  const verdict = (probabilities) => (probabilities.length === 2 ? Number(probabilities[1] >= head().threshold) :
    probabilities.indexOf(Math.max(...probabilities)));

  const canvas = make('canvas', {width: 2 * Picture.CROP, height: 2 * Picture.CROP, role: 'img'});
  const withMap = make('input', {type: 'checkbox', checked: true, onchange: () => draw()});
  const legend = make('figcaption');
  const conclusion = make('p', {className: 'try-verdict'});
  const bars = make('dl', {className: 'try-bars'});
  const slider = make('input', {type: 'range', min: 0.01, max: 0.99, step: 0.01});
  slider.oninput = () => {
    head().threshold = Number(slider.value);
    draw();
  };
  const sliderName = make('span'), sliderValue = make('output');
  const threshold = make('label', {className: 'try-threshold'}, sliderName, slider, sliderValue);
  const resemblance = make('p', {className: 'try-resemblance'});
  const history = make('ul', {className: 'try-row', 'aria-label': text.history});
  const heads = make('fieldset', {className: 'try-heads', hidden: true}, make('legend', {}, text.by),
    ...['book', 'taught'].map((name) => make('label', {}, make('input', {type: 'radio', name: 'head', value: name,
      checked: name === 'book', onchange: () => choose(name)}), ` ${text[name]}`)));
  const result = make('div', {className: 'try-result', hidden: true},
    make('figure', {}, canvas, legend, make('label', {}, withMap, ` ${text.map}`)),
    make('div', {}, conclusion, bars, threshold, resemblance));

  // Let another output layer answer: the book's or the one that was taught.
  function choose(name) {
    state.head = name;
    heads.hidden = !state.heads.taught;
    heads.querySelector(`[value=${name}]`).checked = true;
    draw();
  }

  function show(seen) {
    state.shown = seen;
    result.hidden = false;
    draw();
  }

  // Write and draw what the chosen output layer answers to the picture that is shown, and to those before it.
  function draw() {
    if (!state.shown) return;
    const outcome = answer(state.shown), label = verdict(outcome.probabilities), {classes} = head();
    conclusion.textContent = fill(text.verdict, {name: classes[label]});
    bars.replaceChildren(...outcome.probabilities.flatMap((probability, n) => {
      const bar = make('span', {className: 'try-bar'});
      bar.style.width = percent(0.75 * probability);
      return [make('dt', {}, classes[n]), make('dd', {}, bar, ` ${percent(probability)}`)];
    }));
    threshold.hidden = classes.length !== 2;
    sliderName.textContent = fill(text.threshold, {name: classes[1]});
    slider.value = head().threshold;
    sliderValue.textContent = head().threshold.toFixed(2);
    drawResemblance(outcome.outputs);
    drawMap(state.shown, outcome, classes.length === 2 ? 1 : label);
    for (const seen of state.seen) {
      seen.button.setAttribute('aria-pressed', seen === state.shown);
      seen.button.setAttribute('aria-label', fill(text.again, {name: seen.name,
        verdict: classes[verdict(answer(seen).probabilities)]}));
    }
  }

  // Where the outputs have names of their own: those that are most probable among the outputs of each class.
  function drawResemblance(outputs) {
    const {names} = Weights;
    resemblance.hidden = names.length !== outputs.length;
    const most = outputs.map((_, n) => n).sort((m, n) => outputs[n] - outputs[m]).slice(0, 3);
    resemblance.replaceChildren(`${text.resemble} `, make('span', {lang: 'en'}, most.map((n) => names[n]).join(', ')));
  }

  // The picture and, over it, the map: each cell where the middle of its patch is, red for the class, blue against it.
  function drawMap(seen, outcome, label) {
    const context = canvas.getContext('2d'), values = Network.activation(seen.features, head(), outcome, label);
    const largest = Math.max(...values.map(Math.abs)), top = values.indexOf(Math.max(...values));
    context.imageSmoothingQuality = 'high';
    context.drawImage(thumbnail(seen.view), 0, 0, canvas.width, canvas.height);
    values.forEach((value, n) => {
      context.fillStyle = `rgb(${value > 0 ? '214 0 0' : '0 70 214'} / ${0.65 * Math.abs(value) / largest})`;
      const [x, y] = [n % CELLS, Math.floor(n / CELLS)].map((cell) => 2 * (FIRST_CELL + CELL * cell));
      if (withMap.checked) context.fillRect(x, y, 2 * CELL, 2 * CELL);
    });
    const third = (cell) => Math.min(2, Math.floor(3 * cell / CELLS));
    legend.textContent = fill(text.legend, {name: head().classes[label],
      place: text.places[third(Math.floor(top / CELLS))][third(top % CELLS)]});
    canvas.setAttribute('aria-label', `${fill(text.seen, {name: seen.name})} ${legend.textContent}`);
  }

  // ---- the page ----

  function drawSamples() {
    const names = Samples.map((sample) => sample[document.documentElement.lang.startsWith('zh') ? 'zh' : 'en']);
    samples.append(...Samples.map(({data}, n) => make('li', {}, button(
      make('img', {src: `data:image/jpeg;base64,${data}`, alt: fill(text.sample, {name: names[n], number: n + 1})}),
      () => classify([new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], names[n])]),
      {className: 'try-thumbnail'}))));
  }

  const samples = make('ul', {className: 'try-row', 'aria-label': text.samples});
  place.append(
    make('p', {className: 'try-buttons'}, ...chooser(text.choose, 'image/*', classify),
      button(text.camera, () => camera(classify, true)), make('span', {}, text.drop)),
    ...(folder ? [make('p', {}, text.samples), samples] : []), status, heads, result, history);
  accept(place, classify);
  document.addEventListener('paste', (event) => {
    if (event.clipboardData.files.length) classify([...event.clipboardData.files]);
    else if (place.contains(event.target)) complain(Error('nothing'));
  });
  if (folder) {
    document.head.append(make('link', {rel: 'stylesheet', href: `${folder}try.css`}));
    script(`${folder}samples.js`).then(drawSamples, () => complain(Error('weights')));
  }

  return {state, text, fill, percent, make, button, chooser, camera, accept, thumbnail, say, complain, load, next, each,
    pause, choose};
})();

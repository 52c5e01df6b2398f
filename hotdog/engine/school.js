// The second half of the page "Try it": a new output layer is taught with a few pictures of each class.
// It needs Try and Teach, and fills the element "teach".
(() => {
  'use strict';
  const {state, text, fill, percent, make, button, chooser, say} = Try;
  const place = document.getElementById('teach'), FORMAT = 'output layer 1', MOST = 5, FEWEST = 2;
  const classes = [], curve = [];  // {name, pictures, ...elements}; {count, accuracy}

  const report = make('p', {role: 'status'}, text.few);
  const plot = make('div', {className: 'try-curve'});
  const list = make('div', {className: 'try-classes'});
  const use = button(text.use, () => {
    Try.choose('taught');
    say(fill(text.used, {names: state.heads.taught.classes.join(text.comma)}));
    document.getElementById('try').scrollIntoView();
  }, {disabled: true});
  const save = button(text.save, download, {disabled: true});
  const more = button(text.addClass, () => addClass());

  const called = ({name}, number) => name.value.trim() || fill(text.unnamed, {number: number + 1});

  function addClass() {
    const number = classes.length, id = `try-class-${number}-${Date.now()}`;
    const one = {pictures: [], name: make('input', {id, type: 'text', maxLength: 40, oninput: rename}),
      row: make('ul', {className: 'try-row'}), count: make('span')};
    const add = (files) => Try.each(files, (seen) => addPicture(one, seen));
    one.remove = button('×', () => {
      classes.splice(classes.indexOf(one), 1);
      one.card.remove();
      changed();
      more.focus();
    }, {className: 'try-remove'});
    one.card = make('fieldset', {}, make('legend', {}, one.count), make('label', {htmlFor: id}), one.name, one.remove,
      make('p', {className: 'try-buttons'}, ...chooser(text.add, 'image/*', add),
        button(text.addCamera, () => Try.camera(add)),
        button(text.addSeen, () => (state.shown ? Try.next(() => addPicture(one, state.shown)) : say(text.waiting)))),
      one.row);
    Try.accept(one.card, add);
    classes.push(one);
    list.append(one.card);
    changed();
  }

  async function addPicture(one, seen) {
    const picture = {averaged: seen.averaged};
    picture.item = make('li', {}, button(Try.thumbnail(seen.view), () => {
      one.pictures.splice(one.pictures.indexOf(picture), 1);
      picture.item.remove();
      changed();
      one.name.focus();
    }, {className: 'try-thumbnail'}));
    one.pictures.push(picture);
    one.row.append(picture.item);
    label();
    await learn();
  }

  // Names of elements that depend on the classes' names and numbers.
  function label() {
    classes.forEach((one, number) => {
      const name = called(one, number);
      one.card.querySelector('label').textContent = fill(text.name, {number: number + 1});
      one.count.textContent = fill(text.count, {name, count: one.pictures.length});
      one.remove.hidden = classes.length <= FEWEST;
      one.remove.setAttribute('aria-label', fill(text.removeClass, {name}));
      one.pictures.forEach(({item}, n) =>
        item.firstChild.setAttribute('aria-label', fill(text.remove, {name, number: n + 1})));
    });
    more.hidden = classes.length >= MOST;
  }

  function rename() {
    label();
    if (state.heads.taught?.live) state.heads.taught.classes = classes.map(called);
  }

  function changed() {
    curve.length = 0;  // another set of pictures or classes
    label();
    Try.next(learn);
  }

  // Train on all pictures, and tell how well each is recognised by a layer that was trained without it.
  async function learn() {
    const ready = classes.every(({pictures}) => pictures.length >= 2);
    use.disabled = save.disabled = !ready;
    if (!ready) {
      report.textContent = text.few;
      plot.replaceChildren();
      return;
    }
    const pictures = classes.flatMap((one) => one.pictures.map(({averaged}) => averaged));
    const labels = classes.flatMap((one, number) => one.pictures.map(() => number)), count = pictures.length;
    report.textContent = text.learning;
    state.heads.taught = {...Teach.train(pictures, labels, classes.length), live: true, threshold: 0.5,
      classes: classes.map(called)};
    Try.choose(state.head);
    const accuracy = await Teach.leaveOneOut(pictures, labels, classes.length, Try.pause);
    curve.push({count, accuracy});
    report.textContent = fill(text.learned, {count, percent: percent(accuracy), right: Math.round(accuracy * count)});
    drawCurve();
  }

  function drawCurve() {
    const left = 48, width = 300, height = 130, top = 12, largest = Math.max(...curve.map(({count}) => count));
    const svg = (name, properties, ...children) => {
      const element = document.createElementNS('http://www.w3.org/2000/svg', name);
      Object.entries(properties).forEach(([key, value]) => element.setAttribute(key, value));
      element.append(...children);
      return element;
    };
    const x = (count) => left + width * count / largest, y = (accuracy) => top + height * (1 - accuracy);
    const points = curve.map(({count, accuracy}) => [x(count), y(accuracy)]);
    const said = curve.map(({count, accuracy}) => fill(text.point, {count, percent: percent(accuracy)}));
    plot.replaceChildren(svg('svg', {viewBox: `0 0 ${left + width + 12} ${top + height + 38}`, role: 'img',
      'aria-label': fill(text.curve, {points: said.join('; ')})},
    ...[0, 0.5, 1].flatMap((value) => [svg('line', {x1: left, x2: left + width, y1: y(value), y2: y(value)}),
      svg('text', {x: left - 6, y: y(value) + 4, 'text-anchor': 'end'}, `${100 * value}%`)]),
    svg('text', {x: x(largest), y: top + height + 16, 'text-anchor': 'end'}, largest),
    svg('text', {x: left, y: top + height + 32}, `${text.curveX} → ${text.curveY}`),
    svg('polyline', {points: points.join(' ')}), ...points.map(([cx, cy]) => svg('circle', {cx, cy, r: 3}))));
  }

  // ---- files ----

  function download() {
    const {weight, bias, classes: names} = state.heads.taught, size = weight.length / bias.length;
    const short = (values) => Array.from(values, (value) => Number(value.toPrecision(5)));
    const content = {format: FORMAT, network: Weights.id, classes: names, bias: short(bias),
      weight: names.map((_, n) => short(weight.subarray(n * size, (n + 1) * size)))};
    const address = URL.createObjectURL(new Blob([JSON.stringify(content)], {type: 'application/json'}));
    make('a', {href: address, download: text.file}).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
    say(fill(text.saved, {file: text.file}));
  }

  async function open([file]) {
    await Try.load();
    const found = read(await file.text());
    if (!found) throw Error('json');
    if (found.network !== Weights.id) throw Error('other');
    state.heads.taught = {weight: Float32Array.from(found.weight.flat()), bias: Float32Array.from(found.bias),
      classOf: found.bias.map((_, n) => n), classes: found.classes, threshold: 0.5};
    Try.choose('taught');
    say(fill(text.opened, {names: found.classes.join(text.comma)}));
  }

  // Parse a saved output layer; nothing unless every part of it is as it was saved.
  function read(content) {
    let found;
    try {
      found = JSON.parse(content);
    } catch {
      return null;
    }
    const numbers = (list, length) => Array.isArray(list) && list.length === length && list.every(Number.isFinite);
    const {format, classes: names, weight, bias} = Object(found), count = Array.isArray(names) ? names.length : 0;
    return format === FORMAT && count >= FEWEST && count <= MOST && names.every((name) => typeof name === 'string') &&
      numbers(bias, count) && Array.isArray(weight) && weight.length === count &&
      weight.every((row) => numbers(row, 512)) ? found : null;
  }

  addClass();
  addClass();
  place.append(list, make('p', {className: 'try-buttons'}, more), report, plot,
    make('p', {className: 'try-buttons'}, use, save,
      ...chooser(text.open, '.json', (files) => Try.next(() => open(files), files[0].name))));
})();

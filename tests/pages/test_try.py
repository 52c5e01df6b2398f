"""The page 'Try it' in Chromium, from disk and over http: answers against MXNet's, teaching against scikit-learn's."""
import functools
import hashlib
import http.server
import io
import json
import re
import shutil
import textwrap
import threading
import time
from pathlib import Path

import furo
import mxnet as mx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from mxnet import nd
from PIL import Image
from sklearn.linear_model import LogisticRegression

from book import browser
from hotdog import batches, classifier, datasets, files, photographs, records, web

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT.parent / 'shared' / 'photos' / 'hotdog_2000' / 'test'
PAGES = [ROOT / 'chapter_fine_tuning' / name for name in ('try.md', 'try_en.md')]
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
          "font-src 'self'; form-action 'self'; base-uri 'self'")  # no less strict than the site's
PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}"><meta name="viewport" content="width=device-width">
<title>Try it</title><link rel="icon" href="data:,"><link rel="stylesheet" href="furo.css"></head>
<body style="padding: 1rem"><main><article><h1>Try it</h1><div id="try" data-folder="./"></div>
<div id="teach"></div></article></main>{scripts}</body></html>"""
SCRIPTS = ('labels', 'network', 'picture', 'try', 'teach', 'school')  # in the order in which the page loads them
# what the network answered to the newest pictures, oldest first, and where it looks
ANSWERS = """count => Try.state.seen.slice(0, count).reverse().map(seen => {
  const head = Try.state.heads.book, outcome = Network.classify(seen.averaged, head);
  return [outcome.probabilities, Array.from(Network.activation(seen.features, head, outcome, 1)),
          Array.from(seen.averaged)]; })"""


@pytest.fixture(scope='module')
def address(tmp_path_factory):
    """Lay the page's files in a folder that a server on the loopback offers; return {'file': ..., 'http': ...}."""
    folder = tmp_path_factory.mktemp('try')
    shutil.copytree(web.FOLDER, folder, dirs_exist_ok=True)
    shutil.copy(Path(furo.__file__).with_name('theme') / 'furo/static/styles/furo.css', folder)
    scripts = ''.join(f'<script src="{name}.js" defer></script>' for name in SCRIPTS)
    for lang in ('zh', 'en'):
        (folder / f'{lang}.html').write_text(PAGE.format(lang=lang, policy=POLICY, scripts=scripts))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {'file': folder.as_uri(), 'http': f'http://127.0.0.1:{server.server_port}'}
    server.shutdown()


@pytest.fixture
def open_page(open_tab, address):
    """Return a function that opens the page by a scheme in a language; afterwards nothing may have gone wrong."""
    tabs = []

    def opened(scheme='file', lang='en'):
        tabs.append(open_tab((address[scheme],), viewport={'width': 1000, 'height': 900}))
        tabs[-1].goto(f'{address[scheme]}/{lang}.html')
        return tabs[-1]

    yield opened
    assert [fault for tab in tabs for fault in tab.faults + tab.files] == []


def wait(tab, condition, seconds=60):
    """Wait until a JavaScript expression is true: under the policy Playwright's own waiting fails."""
    end = time.monotonic() + seconds
    while not tab.evaluate(condition):
        assert time.monotonic() < end, (condition, tab.inner_text('.try-status'))
        time.sleep(0.05)


def answers(tab, files):
    """Return what the page answers to pictures: probabilities (n, 2), maps (n, 169) and averaged features (n, 512)."""
    rows = []
    for first in range(0, len(files), 20):
        part = files[first:first + 20]
        tab.evaluate('() => { Try.state.seen = []; }')
        tab.locator('#try input[type=file]').set_input_files(part)
        wait(tab, f'() => Try.state.seen.length === {len(part)}')
        rows += tab.evaluate(ANSWERS, len(part))
    return tuple(np.array(column) for column in zip(*rows))


@functools.cache
def network():
    return browser.read_script(browser.SCRIPT)[0]


def expected(files):
    """Return the same as `answers`, computed by MXNet and NumPy from what the book's Python reads."""
    weight, bias = (parameter.data().asnumpy() for parameter in network().output.collect_params().values())
    weight, rows, label = weight.reshape(1000, 512), [], np.arange(1000) == browser.HOTDOG
    for file in files:
        pixels = nd.array(np.asarray(photographs.read_picture(file)), dtype='uint8')
        crop = mx.image.center_crop(pixels, (224, 224))[0].astype('float32')
        x = ((crop - nd.array(batches.MEAN)) / nd.array(batches.STD)).transpose((2, 0, 1)).expand_dims(0)
        features = network().features(x)[0].asnumpy().reshape(512, -1)
        maps = weight @ features + bias[:, None]
        odds = np.exp(maps.mean(axis=1) - maps.mean(axis=1).max())
        hotdog, others = (np.where(mask, odds, 0) / odds[mask].sum() for mask in (label, ~label))
        probability = odds[label].sum() / odds.sum()
        rows.append(((1 - probability, probability), (hotdog - others) @ maps, features.mean(axis=1)))
    return tuple(np.array(column) for column in zip(*rows))


def compare(tab, files):
    """Assert that the page answers as MXNet does: the class, probabilities to 0.002, maps to 0.001."""
    (probabilities, maps, _), (right, right_maps, _) = answers(tab, files), expected(files)
    assert (probabilities.argmax(axis=1) == right.argmax(axis=1)).all()
    assert np.abs(probabilities - right).max() <= 0.002 and np.abs(maps - right_maps).max() <= 0.001


def rendered(folder, names):
    """Write pictures of the demo set (names as in the manifest) into a folder; return the files."""
    data, wanted = datasets.demo_set(), {}
    for line in (files.DATA / 'manifest.csv').read_text().splitlines()[1:]:
        file, digest = line.split(',')[0], line.split(',')[-1]
        if file in names:
            wanted[digest] = folder / Path(file).name
    for split in (data.train, data.test):
        for _, jpeg in records.samples(split):
            if file := wanted.get(hashlib.sha256(jpeg).hexdigest()):
                file.write_bytes(jpeg)
    return sorted(wanted.values())


@pytest.mark.parametrize('scheme, lang, hotdogs, others', [
    ('file', 'zh', range(6), ('banana', 'burrito', 'cat', 'clock', 'eclair', 'guitar')),
    ('http', 'en', range(6, 12), ('kebab', 'mug', 'people', 'pizza', 'sausage_dog', 'taco'))])
def test_rendered_pictures_are_answered_as_mxnet_does(open_page, tmp_path, scheme, lang, hotdogs, others):
    files = rendered(tmp_path, [*(f'test/hot_dog-{number:03}.jpg' for number in hotdogs),
                                *(f'test/{kind}-000.jpg' for kind in others)])
    assert len(files) == 12
    compare(open_page(scheme, lang), files)


@pytest.mark.skipif(not PHOTOS.exists(), reason='the photographs for checking are not here')
@pytest.mark.parametrize('scheme, lang', [('file', 'en'), ('http', 'zh')])
def test_photographs_are_answered_as_mxnet_does(open_page, scheme, lang):
    files = [sorted((PHOTOS / name).iterdir())[8 * n] for name in ('hotdog', 'not_hotdog') for n in range(50)]
    compare(open_page(scheme, lang), files)


def test_large_turned_and_transparent_pictures_are_read_as_python_does(open_page, tmp_path):
    legs = Image.open(ROOT / 'img' / 'leg_hotdog.jpg')
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        legs.save(tmp_path / f'{orientation}.jpg', exif=exif, quality=95)
    legs.resize((4000, 3000), Image.BICUBIC).save(tmp_path / 'large.jpg', quality=90)
    legs.resize((97, 641), Image.BICUBIC).save(tmp_path / 'slender.png')
    clear = legs.convert('RGBA')
    clear.putalpha(Image.linear_gradient('L').resize(legs.size))
    clear.save(tmp_path / 'clear.png')
    legs.convert('L').save(tmp_path / 'grey.jpg', quality=95)
    legs.save(tmp_path / 'legs.webp', quality=95)
    compare(open_page(), sorted(tmp_path.iterdir()))


def bad_files(folder):
    """Write what is no picture for the page; return {file: what the page says}."""
    def png(mode, *size):
        Image.new(mode, size).save(buffer := io.BytesIO(), 'PNG')
        return buffer.getvalue()

    contents = {'a.txt': (b'hello', 'no picture'), 'b.jpg': (b'', 'is empty'), 'c.png': (png('L', 20, 99), 'too small'),
                'd.heic': (b'\0\0\0\x18ftypheic' + bytes(99), 'is HEIC'),
                'e.jpg': (b'\xff\xd8\xff' + bytes(99), 'damaged'), 'f.png': (png('L', 900, 40), 'too slender'),
                'g.png': (png('1', 15500, 9700), '150 million pixels')}
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    return {folder / name: said for name, (_, said) in contents.items()}


def test_what_is_no_picture_gets_a_sentence(open_page, tmp_path):
    tab = open_page()
    for file, said in bad_files(tmp_path).items():
        tab.locator('#try input[type=file]').set_input_files(file)
        wait(tab, f'() => document.querySelector(".try-status").textContent.startsWith({json.dumps(file.name)})')
        assert said in tab.inner_text('.try-status')
    tab.locator('#teach input[type=file]').last.set_input_files(tmp_path / 'a.txt')
    wait(tab, '() => document.querySelector(".try-status").textContent.includes("not a file that this page saved")')
    assert tab.evaluate('() => Try.state.seen.length') == 0


def teach(tab, groups):
    """Teach the page two classes, lists of files, and wait until it has learned from all of them."""
    for number, group in enumerate(groups):
        tab.locator('#teach fieldset input[type=text]').nth(number).fill(f'class {"AB"[number]}')
        tab.locator('#teach fieldset input[type=file]').nth(number).set_input_files(group)
    learned = f'from {sum(map(len, groups))} pictures'
    wait(tab, f'() => document.querySelector("#teach > [role=status]").textContent.includes("{learned}")', 120)


def groups(tmp_path, count):
    """Return files of hot dogs and of something else, `count` each: photographs where they are here, else renders."""
    if PHOTOS.exists():
        return [sorted(PHOTOS.glob(pattern))[:count] for pattern in ('hotdog/*', 'not_hotdog/imagenet_pets_*')]
    kinds = ('cat', 'dog', 'bird', 'hamster', 'sausage_dog', 'people', 'portrait')
    manifest = [line.split(',')[0] for line in (files.DATA / 'manifest.csv').read_text().splitlines()[1:]]
    found = [[name for name in manifest if re.match(rf'(train|test)/({part})-', name)][:count]
             for part in ('hot_dog', '|'.join(kinds))]
    (tmp_path / 'renders').mkdir()
    paths = rendered(tmp_path / 'renders', {name for part in found for name in part})
    return [[file for file in paths if file.name.startswith('hot_dog') == first] for first in (True, False)]


def test_ten_pictures_of_each_class_teach_it_and_scikit_learn_agrees(open_page, tmp_path):
    tab, (hotdogs, others) = open_page(), groups(tmp_path, 35)
    teach(tab, [hotdogs[:10], others[:10]])
    assert 'of 20)' in tab.inner_text('#teach > [role=status]')
    head = tab.evaluate('() => { const {weight, bias} = Try.state.heads.taught; return [[...weight], [...bias]]; }')
    x, unseen = (expected(hotdogs[part] + others[part])[2] for part in (slice(0, 10), slice(10, 35)))
    decay, scale = 0.01, 4000
    model = LogisticRegression(C=2 / decay / len(x), tol=1e-9, max_iter=100_000)  # two scores share one weight
    model.fit(x / scale ** 0.5, [0] * 10 + [1] * 10)
    weight, bias = np.array(head[0]).reshape(2, 512), np.array(head[1])
    assert np.abs((weight[1] - weight[0]) * scale ** 0.5 - model.coef_[0]).max() <= 1e-3
    assert abs(bias[1] - bias[0] - model.intercept_[0]) <= 1e-3
    predicted = (unseen @ weight.T + bias).argmax(axis=1)
    assert (predicted == np.repeat([0, 1], [len(hotdogs[10:]), len(others[10:])])).mean() >= 0.9


def test_what_was_taught_is_saved_opened_and_answers(open_page, tmp_path):
    tab, (hotdogs, others) = open_page(), groups(tmp_path, 3)
    teach(tab, [hotdogs, others])
    with tab.expect_download() as download:
        tab.get_by_role('button', name='Save to a file').click()
    download.value.save_as(tmp_path / 'layer.json')
    assert (tmp_path / 'layer.json').stat().st_size < 20_000
    fresh = open_page('http')
    fresh.locator('#teach input[type=file]').last.set_input_files(tmp_path / 'layer.json')
    wait(fresh, '() => Try.state.head === "taught"')
    assert 'class A, class B' in fresh.inner_text('.try-status')
    fresh.locator('#try input[type=file]').set_input_files(others[0])
    wait(fresh, '() => Try.state.seen.length === 1')
    assert fresh.inner_text('.try-verdict') == 'Verdict: class B'
    fresh.get_by_role('radio', name='the book’s network').check()
    assert fresh.inner_text('.try-verdict') == 'Verdict: not hot dog'
    layer = json.loads((tmp_path / 'layer.json').read_text())
    (tmp_path / 'other.json').write_text(json.dumps({**layer, 'network': 'x'}))
    fresh.locator('#teach input[type=file]').last.set_input_files(tmp_path / 'other.json')
    wait(fresh, '() => document.querySelector(".try-status").textContent.includes("another network")')


def test_keyboard_camera_narrow_screens_and_screen_readers(open_page):
    tab = open_page('http')
    wait(tab, '() => document.querySelectorAll("#try li img").length === 15')
    tab.locator('#try li button').first.focus()
    tab.keyboard.press('Enter')
    wait(tab, '() => Try.state.seen.length === 1')
    assert tab.inner_text('.try-verdict') == 'Verdict: hot dog'
    tab.locator('input[type=range]').focus()
    tab.keyboard.press('Home')
    assert tab.inner_text('output') == '0.01'
    tab.get_by_role('button', name='Camera', exact=True).click()
    tab.get_by_role('button', name='Take the picture').click()
    wait(tab, '() => Try.state.seen.length === 2')
    tab.get_by_role('button', name='Add from the camera').first.click()
    tab.locator('dialog video').wait_for()
    tab.keyboard.press('Escape')
    wait(tab, '() => document.querySelector("dialog") === null')
    tab.get_by_role('button', name='Add a class').click()
    for number in (0, 0, 1, 1, 2, 2):
        tab.get_by_role('button', name='Add the picture above').nth(number).click()
    wait(tab, '() => document.querySelector(".try-curve svg") !== null')
    for scheme, width in (('light', 1000), ('dark', 360)):
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({'width': width, 'height': 740})
        assert tab.evaluate('() => document.documentElement.scrollWidth') <= width
        violations = Axe().run(tab, options={'resultTypes': ['violations']}).response['violations']
        assert [(found['id'], found['nodes'][0]['html'][:200]) for found in violations] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_the_code_that_the_page_shows_is_the_network_s(page):
    code, text = (web.FOLDER / 'network.js').read_text(), page.read_text()
    pieces = re.findall(r'^```JavaScript\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
    assert len(pieces) == 4
    assert all(any(textwrap.indent(piece, depth * ' ') in code for depth in (2, 12)) for piece in pieces)
    assert int(re.search(r'(?:整个网络是|The whole network is )(\d+)', text)[1]) == len(code.splitlines())


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_the_table_holds_the_measured_figures(page):
    figures = json.loads(browser.FIGURES.read_text())
    rows = [*figures['photographs'].values(), figures['test']]
    table = [[float(cell) for cell in line.split('|')[2:-1]] for line in
             re.findall(r'^\|.*\d\.\d{3} \|$', page.read_text(), re.MULTILINE)]
    assert table == [[row[name] for name in ('pictures', 'hotdog', 'not_hotdog', 'balanced_accuracy', 'auroc')]
                     for row in rows]


def test_the_pictures_to_click_are_the_book_s():
    assert browser.SAMPLES.read_text() == browser.samples(datasets.demo_set().test)


@pytest.mark.skipif(not PHOTOS.exists(), reason='the photographs for checking are not here')
def test_the_figures_on_photographs_are_those_that_were_written_down():
    assert browser.measure_photographs(network(), PHOTOS) == json.loads(browser.FIGURES.read_text())['photographs']


@pytest.mark.long
def test_the_book_s_code_trains_the_weights_again():
    arrays = browser.mixture(datasets.demo_set().train)
    for again, array in zip(arrays, classifier.arrays_of(network()), strict=True):
        assert np.allclose(again.reshape(array.shape), array, rtol=2e-3, atol=1e-4)

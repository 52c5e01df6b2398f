"""A classifier of one's own: trained, examined, taken away and used, against scikit-learn, onnxruntime and Chromium."""
import shutil
import subprocess
import sys

import mxnet as mx
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import utils
from hotdog import classifier, datasets, downloads, examine, takeaway, weights

CLASSES = ('Zebra <!--<script>', '猫', 'dog')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Make photographs of three classes, stripes of one direction each, of which some are mislabelled."""
    folder, draw = tmp_path_factory.mktemp('mine') / '我的 照片', np.random.default_rng(0)
    for direction, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(14):
            x, y = np.meshgrid(np.arange(300), np.arange(260))
            wave = np.sin((x, y, x + y)[direction] / draw.uniform(4, 12) + draw.uniform(0, 6))
            pixels = 128 + 80 * wave[:, :, None] * draw.uniform(0.5, 1, 3) + draw.normal(0, 20, (260, 300, 3))
            path = folder / CLASSES[direction - (number == 13 and direction == 2)]
            Image.fromarray(pixels.clip(0, 255).astype('uint8')).save(path / f'{direction} {number}.png')
    patch = pytest.MonkeyPatch()
    patch.setattr(downloads, 'FOLDER', folder.with_name('cache'))
    yield datasets.folder_set(folder)
    patch.undo()


@pytest.fixture(scope='module')
def trained(data):
    patch = pytest.MonkeyPatch()
    patch.setattr(classifier, 'PIECES', (4, 4))
    yield classifier.trained(data)
    patch.undo()


def test_training_lies_between_frozen_features_and_fine_tuning(data, trained):
    result, samples = trained
    shares, history = (pd.DataFrame(result.description[name]) for name in ('shares', 'history'))
    assert tuple(shares.share) == classifier.SHARES
    assert result.description['share'] == shares.share[shares.loss.argmin()]
    assert set(history.rate) == set(classifier.RATES) and history.loss.min() == pytest.approx(shares.loss.iloc[-1])
    x, y = samples['validation']
    assert shares.loss[0] == pytest.approx(log_loss(y, classifier.probe(samples)[0].predict_proba(x)), abs=1e-4)
    assert len(samples['views'][1]) == classifier.VIEWS * len(samples['train'][1])
    again, kept = classifier.trained(data)  # found, not trained again
    probabilities, labels = utils.predict(utils.RecordIter(data.test), result.net)
    assert np.array_equal(probabilities, utils.predict(utils.RecordIter(data.test), again.net)[0])
    assert kept.keys() == samples.keys() and all(np.array_equal(kept[name][0], samples[name][0]) for name in samples)
    assert (probabilities.argmax(axis=1) == labels).mean() >= 0.7


def test_fine_tuning_leaves_the_first_layers(trained):
    ours, first = classifier.arrays_of(trained[0].net), weights.squeezenet()
    same = [np.array_equal(one, other) for one, other in zip(ours[:-2], first)]
    assert all(same[:classifier.FROZEN]) and (trained[0].description['share'] == 0 or not any(same[classifier.FROZEN:]))


@pytest.mark.parametrize('classes', [2, 3])
def test_a_probe_becomes_the_output_layer(data, trained, classes):
    x, y = trained[1]['train']
    model = LogisticRegression(C=0.001).fit(x[y < classes], y[y < classes])
    probabilities, _ = utils.predict(utils.RecordIter(data.test), classifier.with_arrays(classifier.with_head(model)))
    assert np.allclose(probabilities, model.predict_proba(trained[1]['test'][0]), atol=1e-4)


def test_the_examination_finds_what_was_hidden(data, trained):
    used = datasets.used(data)
    probabilities, labels = examine.out_of_fold(trained[1], trained[0].description['C'], used.group)
    places = examine.doubtful(probabilities, labels)
    assert any(name.endswith('/2 13.png') for name in used.file.iloc[places[:3]])  # mislabelled
    shortcuts = examine.shortcuts(data)
    assert list(shortcuts.index) == ['colour', 'size', 'kind of file'] and shortcuts['kind of file'] < 0.5
    curve = examine.learning_curve(trained[1], 0.001)
    assert list(curve.index)[-1] == len(trained[1]['train'][1]) and curve.between(0, 1).all() and len(curve) == 3
    assert np.round(examine.interval(8, 10), 3).tolist() == [0.490, 0.943]  # Wilson's, as Newcombe (1998) has it


def test_pictures_of_a_group_are_judged_by_others():
    draw = np.random.default_rng(0)
    x, y = (np.repeat(values, 2, axis=0) for values in (draw.normal(size=(60, 80)), draw.integers(0, 2, 60)))
    samples = {split: (x[i::3], y[i::3]) for i, split in enumerate(datasets.SPLITS)}
    x, y = (np.concatenate(part) for part in zip(*samples.values()))
    twins = pd.Series(np.unique(x, axis=0, return_inverse=True)[1].ravel())  # each picture stands there twice
    right = [(examine.out_of_fold(samples, 100, groups)[0].argmax(axis=1) == y).mean()
             for groups in (twins, pd.Series(range(len(y))))]
    assert right[0] < 0.7 and right[1] > 0.85


def test_a_shortcut_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, 'FOLDER', tmp_path / 'cache')
    draw = np.random.default_rng(1)
    for name, form, size in (('a', 'png', 90), ('b', 'jpg', 120)):
        (tmp_path / 'photos' / name).mkdir(parents=True)
        for number in range(12):
            pixels = draw.integers(0, 255, (size, size, 3)).astype('uint8')
            Image.fromarray(pixels).save(tmp_path / 'photos' / name / f'{number}.{form}')
    found = examine.shortcuts(datasets.folder_set(tmp_path / 'photos'))
    assert found['size'] == found['kind of file'] == 1


@pytest.fixture(scope='module')
def folder(data, trained, tmp_path_factory):
    return takeaway.write(tmp_path_factory.mktemp('taken'), data, trained[0])


def test_what_is_taken_away(data, trained, folder):
    assert folder.name == '我的_照片' and {path.name for path in folder.iterdir()} == {
        'CARD.md', 'classifier.html', 'model.json', 'model.onnx', 'model.params', 'pictures.csv', 'predictions.csv'}
    predictions, test = pd.read_csv(folder / 'predictions.csv'), datasets.used(data).query("split == 'test'")
    assert list(predictions.file) == list(test.file) and list(predictions['class']) == list(test['class'])
    accuracy = (predictions.predicted == predictions['class']).mean()
    assert f'| {accuracy:.3f}, 95%' in (folder / 'CARD.md').read_text()
    session, pixels = onnxruntime.InferenceSession(str(folder / 'model.onnx')), []
    for name in test.file:
        pixels.append(classifier.read(data_folder(data) / name))
    expected = classifier.load(folder).probabilities(pixels)
    answers = session.run(None, {'data': np.stack(pixels).transpose(0, 3, 1, 2).astype('float32')})[0]
    assert np.abs(answers - expected).max() <= 1e-4
    assert np.abs(expected - predictions.filter(like='p ')).to_numpy().max() <= 0.02  # these are of the packed JPEGs


def data_folder(data):
    """The folder of the photographs, beside the cache."""
    return data.train.parents[1].with_name('我的 照片')


def test_the_one_file_answers_as_mxnet_does_without_a_request(data, folder, open_tab):
    files = [data_folder(data) / name for name in datasets.used(data).file[:10]]
    tab = open_tab(locale='en')
    tab.goto((folder / 'classifier.html').as_uri())
    tab.locator('input[type=file]').set_input_files(files)
    tab.wait_for_function('() => Try.state.seen.length === 10')
    answers = tab.evaluate('() => Try.state.seen.map(seen => '
                           'Network.classify(seen.averaged, Try.state.heads.book).probabilities).reverse()')
    names = tab.locator('.try-bars dt').all_text_contents()
    assert 'Red places speak for' in tab.locator('figcaption').text_content()
    expected = classifier.load(folder).probabilities([classifier.read(file) for file in files])
    assert np.abs(np.array(answers) - expected).max() <= 0.01 and names == data.classes
    assert tab.files == [str(folder / 'classifier.html')] and tab.faults == []


def test_the_activation_map_adds_up(data, folder):
    model, pixels = classifier.load(folder), [classifier.middle(utils.pictures(data.test, 1)[0][0])]
    (first, second, activation), = model.activations(pixels)
    x = classifier.normalised(mx.nd.array(np.stack(pixels).transpose(0, 3, 1, 2)))
    logits = dict(zip(model.classes, model.net(x)[0].asnumpy()))
    assert sorted(logits, key=logits.get)[-2:] == [second, first]
    assert np.isclose(activation.mean(), logits[first] - logits[second], rtol=1e-4)


def predicted(*options):
    return subprocess.run([sys.executable, '-m', 'hotdog.predict', *map(str, options)], text=True, capture_output=True)


def test_predict_answers_what_can_be_read(data, folder, tmp_path):
    shutil.copytree(data_folder(data) / 'dog', tmp_path / 'new')
    (tmp_path / 'new' / 'notes.txt').write_text('no picture')
    result = predicted(tmp_path / 'new', tmp_path / 'gone.jpg', '--model', folder, '--out', tmp_path / 'out.csv')
    answers = pd.read_csv(tmp_path / 'out.csv')
    assert result.returncode == 1 and len(answers) == len(result.stdout.splitlines()) == 13
    assert result.stderr.splitlines()[-3:] == [
        f'{tmp_path}/new/notes.txt: cannot be read (no picture); try it saved as JPEG',
        f'{tmp_path}/gone.jpg: cannot be read (No such file or directory); try it saved as JPEG',
        '2 of 15 files could not be read, see above']
    file = answers.file[0]
    assert classifier.load(folder).classify(file) == pytest.approx(
        {name: answers[f'p {name}'][0] for name in data.classes}, abs=1e-4)
    result = predicted('img/real_hotdog.jpg', 'img/dog_hotdog.jpg')  # by the book's network
    answers = [line.split('\t')[0] for line in result.stdout.splitlines()]
    assert (result.returncode, answers) == (0, ['hotdog', 'not_hotdog'])
    result = predicted('img/real_hotdog.jpg', '--model', tmp_path)
    assert result.returncode == 1 and 'holds no classifier (model.json and model.params): name' in result.stderr


def test_a_folder_with_other_things_is_not_replaced(data, trained, tmp_path):
    (tmp_path / '我的_照片').mkdir()
    (tmp_path / '我的_照片' / 'thesis.txt').write_text('years of work')
    with pytest.raises(FileExistsError, match='holds no classifier: move it away'):
        takeaway.write(tmp_path, data, trained[0])
    assert (tmp_path / '我的_照片' / 'thesis.txt').read_text() == 'years of work'

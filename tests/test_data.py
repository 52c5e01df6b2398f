"""The demo data set against its manifest, and the packing of folders against Pillow."""
import collections
import csv
import hashlib
import io
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet import recordio
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from data import sources

DATA = Path(sources.HERE)
COUNTS = {'train': (450, 150), 'validation': (120, 40), 'test': (180, 60)}  # others, hot dogs


def records(split):
    reader = recordio.MXRecordIO(str(DATA / f'demo_{split}.rec'), 'r')
    while (record := reader.read()) is not None:
        header, jpeg = recordio.unpack(record)
        yield int(header.label), jpeg


@pytest.fixture(scope='module')
def manifest():
    with open(DATA / 'manifest.csv', newline='') as file:
        return {row['sha256']: row for row in csv.DictReader(file)}


@pytest.mark.parametrize('split', sources.SPLITS)
def test_records_are_the_pictures_of_the_manifest(manifest, split):
    found = collections.Counter()
    for label, jpeg in records(split):
        row = manifest[hashlib.sha256(jpeg).hexdigest()]
        assert (row['split'], int(row['label'])) == (split, label)
        picture = Image.open(io.BytesIO(jpeg))
        picture.load()
        assert (picture.mode, picture.size) == ('RGB', (256, 256))
        found[label] += 1
    assert (found[0], found[1]) == COUNTS[split]
    assert sources.labels(DATA / f'demo_{split}.rec').sum() == COUNTS[split][1]


def test_kinds_are_many_and_the_test_split_has_its_own(manifest):
    kinds = {split: {row['kind'] for row in manifest.values() if row['split'] == split and row['label'] == '0'}
             for split in sources.SPLITS}
    assert len(manifest) == 1000
    assert len(kinds['train']) >= 16
    assert kinds['validation'] <= kinds['train']
    assert len(kinds['test'] - kinds['train']) >= 2


def test_all_files_fit_the_limit():
    assert sum(path.stat().st_size for path in DATA.glob('demo_*')) <= 16e6


def test_colour_and_size_alone_classify_poorly():
    """No shortcut: a random forest on mean colour, contrast and file size must stay near chance."""
    def features(split):
        rows = [(np.asarray(Image.open(io.BytesIO(jpeg)), float), len(jpeg), label) for label, jpeg in records(split)]
        return (np.array([[*pixels.mean((0, 1)), *pixels.std((0, 1)), size] for pixels, size, _ in rows]),
                np.array([label for *_, label in rows]))
    (x, y), (x_test, y_test) = features('train'), features('test')
    forest = RandomForestClassifier(300, class_weight='balanced', min_samples_leaf=5, random_state=0).fit(x, y)
    assert balanced_accuracy_score(y_test, forest.predict(x_test)) < 0.65


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    for name in ('checksums.txt', *(line.split()[1] for line in (DATA / 'checksums.txt').read_text().splitlines())):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    monkeypatch.setattr(sources, 'HERE', tmp_path)
    assert sources.demo_set().train == tmp_path / 'demo_train.rec'
    content = bytearray((tmp_path / 'demo_test.rec').read_bytes())
    content[5000] ^= 1
    (tmp_path / 'demo_test.rec').write_bytes(content)
    with pytest.raises(ValueError, match='demo_test.rec is missing or damaged'):
        sources.demo_set()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make a folder of photographs, two classes in two splits, and keep what is packed beside it."""
    monkeypatch.setattr(sources, 'CACHE', tmp_path / 'cache')
    draw = np.random.default_rng(0)
    for split, count in (('train', 10), ('test', 3)):
        for name in ('cat', 'not_cat'):
            (tmp_path / 'photos' / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 255, (30, 40, 3)).astype('uint8')
                Image.fromarray(pixels).resize((400, 300)).save(tmp_path / 'photos' / split / name / f'{i}.png')
    return tmp_path / 'photos'


def test_a_folder_is_packed(folder):
    packed = sources.folder_set(folder)
    assert packed.classes == ['not_cat', 'cat']
    counts = {split: np.bincount(sources.labels(getattr(packed, split))).tolist() for split in sources.SPLITS}
    assert counts == {'train': [8, 8], 'validation': [2, 2], 'test': [3, 3]}
    assert sources.folder_set(folder) == packed
    pixels, label = sources.pictures(packed.test, 1)[0]
    assert min(pixels.shape[:2]) == 256
    likely = sorted((folder / 'test' / packed.classes[label]).iterdir())
    distances = [np.abs(np.asarray(sources.read_picture(path), int) - pixels).mean() for path in likely]
    assert min(distances) < 8  # what JPEG loses; another picture is far off
    assert sorted(distances)[1] > 30


def test_more_than_two_classes(folder):
    for split in ('train', 'test'):
        (folder / split / 'dog').mkdir()
        for i in range(3):
            Image.new('L', (50, 60), 40 * i).save(folder / split / 'dog' / f'{i}.jpg')
    packed = sources.folder_set(folder)
    assert packed.classes == ['not_cat', 'cat', 'dog']
    assert set(sources.labels(packed.train)) == {0, 1, 2}


def test_a_folder_without_a_split_is_refused(folder):
    (folder / 'test').rename(folder / 'tset')
    with pytest.raises(FileNotFoundError, match='has no folder test'):
        sources.folder_set(folder)


def test_an_empty_class_is_refused(folder):
    for path in (folder / 'train' / 'cat').iterdir():
        path.unlink()
    with pytest.raises(ValueError, match='train/cat holds no pictures'):
        sources.folder_set(folder)


def test_every_unreadable_picture_is_named_and_nothing_is_written(folder):
    (folder / 'train' / 'cat' / 'text.jpg').write_text('this is no picture')
    (folder / 'test' / 'not_cat' / 'empty.jpg').write_bytes(b'')
    whole = io.BytesIO()
    Image.new('RGB', (300, 300)).save(whole, 'JPEG')
    (folder / 'test' / 'cat' / 'half.jpg').write_bytes(whole.getvalue()[:len(whole.getvalue()) // 2])
    with pytest.raises(ValueError, match='3 pictures cannot be read') as error:
        sources.folder_set(folder)
    assert all(name in str(error.value) for name in ('cat/text.jpg', 'not_cat/empty.jpg', 'cat/half.jpg'))
    assert not list(sources.CACHE.iterdir())


@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK', 'RGBA', 'P'])
def test_pictures_of_every_mode_become_rgb(tmp_path, mode):
    path = tmp_path / ('picture.jpg' if mode in ('RGB', 'L', 'CMYK') else 'picture.png')
    grey = Image.linear_gradient('L').convert('RGB')
    (grey.quantize(256) if mode == 'P' else grey.convert(mode)).save(path)
    picture = sources.read_picture(path)
    assert (picture.mode, picture.size) == ('RGB', (256, 256))
    assert np.abs(np.asarray(picture, int)[:, :, 1] - np.arange(256)[:, None]).mean() < 8


def test_a_turned_photograph_is_set_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    pixels = np.zeros((40, 80, 3), 'uint8')
    pixels[:, 40:] = 255
    Image.fromarray(pixels).save(tmp_path / 'turned.jpg', exif=exif, quality=95)
    upright = np.asarray(sources.read_picture(tmp_path / 'turned.jpg'), int)
    assert upright.shape[:2] == (512, 256)
    assert upright[100].mean() < 20 and upright[-100].mean() > 235


def test_record_iter_decodes_like_pillow():
    import utils
    data, _ = next(iter(utils.RecordIter(DATA / 'demo_validation.rec', batch_size=4)))
    for x, (pixels, _) in zip(data, sources.pictures(DATA / 'demo_validation.rec', 4)):
        expected = (pixels[16:240, 16:240] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        assert np.allclose(x.as_in_context(mx.cpu()).asnumpy(), expected.transpose(2, 0, 1), atol=1e-5)

"""The demo data set against its manifest."""
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

from hotdog import datasets

DATA = Path(datasets.HERE)
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


@pytest.mark.parametrize('split', datasets.SPLITS)
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
    assert datasets.labels(DATA / f'demo_{split}.rec').sum() == COUNTS[split][1]


def test_kinds_are_many_and_the_test_split_has_its_own(manifest):
    kinds = {split: {row['kind'] for row in manifest.values() if row['split'] == split and row['label'] == '0'}
             for split in datasets.SPLITS}
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
    monkeypatch.setattr(sources, 'CACHE', tmp_path / 'cache')
    assert datasets.demo_set().train == tmp_path / 'demo_train.rec' and (tmp_path / 'cache').is_dir()
    content = bytearray((tmp_path / 'demo_test.rec').read_bytes())
    content[5000] ^= 1
    (tmp_path / 'demo_test.rec').write_bytes(content)
    with pytest.raises(ValueError, match='demo_test.rec is missing or damaged'):
        datasets.demo_set()


def test_record_iter_decodes_like_pillow():
    import utils
    data, _ = next(iter(utils.RecordIter(DATA / 'demo_validation.rec', batch_size=4)))
    for x, (pixels, _) in zip(data, datasets.pictures(DATA / 'demo_validation.rec', 4)):
        expected = (pixels[16:240, 16:240] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        assert np.allclose(x.as_in_context(mx.cpu()).asnumpy(), expected.transpose(2, 0, 1), atol=1e-5)

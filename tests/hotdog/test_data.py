"""The demo data set against its manifest."""
import csv
import hashlib
import io
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from hotdog import datasets, records
from hotdog.files import DATA

COUNTS = {'train': (450, 150), 'validation': (120, 40), 'test': (180, 60)}  # others, hot dogs


@pytest.fixture(scope='module')
def manifest():
    with open(DATA / 'manifest.csv', newline='') as file:
        return {row['sha256']: row for row in csv.DictReader(file)}


def test_records_are_the_pictures_of_the_manifest(manifest):
    left = {digest: (row['split'], int(row['label'])) for digest, row in manifest.items()}
    for split, counts in COUNTS.items():
        samples = list(records.samples(DATA / f'demo_{split}.rec'))
        assert all(left.pop(hashlib.sha256(jpeg).hexdigest()) == (split, label) for label, jpeg in samples)
        assert tuple(np.bincount([label for label, _ in samples])) == counts
        pictures = [Image.open(io.BytesIO(jpeg)) for _, jpeg in samples]
        assert {(picture.mode, picture.size) for picture in pictures} == {('RGB', (256, 256))}
    assert left == {}


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
        rows = [(np.asarray(Image.open(io.BytesIO(jpeg)), float), len(jpeg), label)
                for label, jpeg in records.samples(DATA / f'demo_{split}.rec')]
        return (np.array([[*pixels.mean((0, 1)), *pixels.std((0, 1)), size] for pixels, size, _ in rows]),
                np.array([label for *_, label in rows]))
    (x, y), (x_test, y_test) = features('train'), features('test')
    forest = RandomForestClassifier(300, class_weight='balanced', min_samples_leaf=5, random_state=0).fit(x, y)
    assert balanced_accuracy_score(y_test, forest.predict(x_test)) < 0.65


@pytest.fixture
def demo(tmp_path, monkeypatch):
    for name in ('manifest.csv', 'checksums.txt', *(path.name for path in DATA.glob('demo_*'))):
        shutil.copy(DATA / name, tmp_path)
    monkeypatch.setattr(datasets, 'DATA', tmp_path)
    return tmp_path


def test_a_damaged_file_is_refused(demo):
    assert datasets.demo_set().train == demo / 'demo_train.rec'
    content = bytearray((demo / 'demo_test.rec').read_bytes())
    content[5000] ^= 1
    (demo / 'demo_test.rec').write_bytes(content)
    with pytest.raises(ValueError, match='demo_test.rec is missing or damaged: restore it with git checkout'):
        datasets.demo_set()

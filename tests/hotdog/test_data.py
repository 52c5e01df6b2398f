"""The demo data set against its manifest."""
import csv
import io
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from hotdog import check, datasets, files, records
from hotdog.files import DATA

COUNTS = {'train': (450, 150), 'validation': (120, 40), 'test': (180, 60)}  # others, hot dogs


@pytest.fixture(scope='module')
def manifest():
    with open(DATA / 'manifest.csv', newline='') as file:
        return {row['sha256']: row for row in csv.DictReader(file)}


def test_records_are_the_pictures_of_the_manifest():
    _, counts, faults = check.check_demo()
    assert faults == [] and {split: (counts[split][0], counts[split][1]) for split in counts} == COUNTS
    for split in datasets.SPLITS:
        pictures = [Image.open(io.BytesIO(jpeg)) for _, jpeg in records.samples(DATA / f'demo_{split}.rec')]
        assert {(picture.mode, picture.size) for picture in pictures} == {('RGB', (256, 256))}


def test_a_label_that_the_manifest_does_not_have_is_found(demo):
    path = demo / 'manifest.csv'
    path.write_text(path.read_text().replace(',test,0,', ',train,0,', 1))
    with pytest.raises(ValueError, match='manifest.csv is missing or damaged'):
        check.check_demo()
    (demo / 'checksums.txt').unlink()
    files.write_checksums(demo)
    assert [fault.partition(':')[0] for fault in check.check_demo()[2]] == ['demo_test.rec']


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

"""make mine: from a folder of photographs to a report and a classifier, in one command."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'chapter_fine_tuning' / 'your_photographs.md'


def mine(folder, cache):
    return subprocess.run([sys.executable, '-m', 'book.mine', str(folder)], cwd=ROOT, text=True, capture_output=True,
                          env={**os.environ, 'BOOK_CACHE': str(cache), 'TQDM_DISABLE': '1'})


@pytest.fixture
def photos(tmp_path):
    """Make two classes of ten pictures, bright and dark noise, one of them twice, and a file that is none."""
    folder, draw = tmp_path / 'a test of make mine', np.random.default_rng(0)
    for name, level in (('light', 170), ('dark', 60)):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            pixels = draw.integers(level - 40, level + 40, (30, 40, 3)).astype('uint8')
            Image.fromarray(pixels).resize((320, 240)).save(folder / name / f'{number}.png')
    (folder / 'dark' / 'copy.png').write_bytes((folder / 'dark' / '0.png').read_bytes())
    (folder / 'dark' / 'notes.txt').write_text('no picture')
    yield folder
    shutil.rmtree(ROOT / 'mine' / 'a_test_of_make_mine', ignore_errors=True)


def test_a_folder_becomes_a_report_and_a_classifier(photos, tmp_path):
    result = mine(photos, tmp_path / 'cache')
    assert result.returncode == 0, result.stderr
    target = ROOT / 'mine' / 'a_test_of_make_mine'
    assert 'mine/a_test_of_make_mine has the classifier' in result.stdout.splitlines()[-1]
    assert {path.name for path in target.iterdir()} == {
        'CARD.md', 'classifier.html', 'model.json', 'model.onnx', 'model.params', 'pictures.csv', 'predictions.csv',
        'report.html', 'report_en.html'}
    for name, title in (('report.html', '用你自己的照片'), ('report_en.html', 'Your own photographs')):
        report = (target / name).read_text()
        assert f'<title>{title}</title>' in report
        assert report.count('data:image/png') == PAGE.read_text().count('<!-- alt: ') > 0
        assert re.search(r'dark/(0|copy)\.png', report) and 'no picture' in report
        assert 'http' not in re.sub('data:image/png;base64,[^"]*', '', report).replace('http-equiv', '')
        assert 'import utils' not in report and 'hotdog' not in report  # the reader's pictures, not the book's code


def test_a_senseless_folder_ends_in_one_sentence(photos, tmp_path):
    shutil.rmtree(photos / 'light')
    result = mine(photos, tmp_path / 'cache')
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert 'needs a folder for each of two or more classes, it has 1' in result.stderr
    assert not (ROOT / 'mine' / 'a_test_of_make_mine').exists()

"""The gate itself: `pytest --nbval` fails on every fault, and a skipped test where nothing may be skipped."""
import base64
import io
import os
import re
import subprocess
import sys

import matplotlib.pyplot as plt
import nbclient
import nbformat
import nbval_gate
import pytest

from book import notebooks

PLOT = 'import matplotlib.pyplot as plt\n_ = plt.plot([1, 3, 2])\n_ = plt.axis([0, 2, 0, 4])'
RATE = "print('epoch 1: loss 0.391, 52 images/s')"
GOOD = ['x = 1', '0.938', PLOT, RATE]
# name: what replaces a cell of GOOD after its outputs have been stored, and what must be said about it
FAULTS = {'number': (1, '0.939', '0.939'), 'missing': (0, '2', 'Unexpected output fields'),
          'lost': (1, 'x = 2', 'Missing output fields'), 'error': (1, '1 / 0', 'ZeroDivisionError'),
          'hangs': (1, 'import time\ntime.sleep(600)', 'Timeout of 8 seconds'),
          'dies': (1, 'import os\nos._exit(1)', 'The kernel died'),
          'empty': (2, PLOT.replace('[1, 3, 2]', '[]'), 'another picture'),
          'other': (2, PLOT.replace('3, 2]', '2.8, 2]'), 'another picture'), 'unrun': (1, None, 'never executed')}


@pytest.fixture(scope='module')
def said(tmp_path_factory):
    """Return what pytest --nbval prints on a book of a sound and many faulty notebooks."""
    root = tmp_path_factory.mktemp('clone')
    for name in ('conftest.py', 'pyproject.toml', 'tests', 'book', 'hotdog'):
        (root / name).symlink_to(notebooks.ROOT / name)
    folder = root / 'faulty'
    folder.mkdir()
    good = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, GOOD)), metadata=notebooks.METADATA)
    nbclient.NotebookClient(good, timeout=60).execute()
    good.cells[3].outputs[0].text = good.cells[3].outputs[0].text.replace('52 images', '17 images')
    nbformat.write(good, folder / 'good.ipynb')
    for name, (number, source, _) in FAULTS.items():
        bad = nbformat.read(folder / 'good.ipynb', as_version=4)
        bad.cells = bad.cells[:number + 1]
        if source is None:
            bad.cells[number].execution_count = None
        else:
            bad.cells[number].source = source
        nbformat.write(bad, folder / f'{name}.ipynb')
    result = subprocess.run([sys.executable, '-m', 'pytest', '--nbval', '--nbval-cell-timeout=8', 'faulty'], cwd=root,
                            text=True, capture_output=True, timeout=300)
    assert result.returncode == 1
    return result.stdout


@pytest.mark.parametrize('name', FAULTS)
def test_the_gate_names_the_notebook_and_the_cell(said, name):
    number, _, sentence = FAULTS[name]
    section = re.search(rf'^_+ .*{name}\.ipynb::Cell {number} _+\n(.*?)^(?:___+ |===+ )', said, re.M | re.S)
    assert sentence in section[1]


def test_a_sound_notebook_passes(said):
    assert f'= {len(FAULTS)} failed' in said and not re.search(r'^_+ .*good\.ipynb', said, re.M)


def test_make_test_runs_every_notebook_that_is_executed():
    commands = subprocess.run(['make', '--dry-run', 'test'], capture_output=True, text=True, check=True).stdout
    assert '--nbval' in commands and all(str(page.with_suffix('.ipynb')) in commands for page in notebooks.pages())


def test_no_page_asks_nbval_to_look_away():
    for page in notebooks.pages():
        for cell in notebooks.code_cells(notebooks.read_page(page)):
            marks = f'{cell.source} {cell.metadata.get("tags", "")}'
            assert not re.search('nbval|raises-exception', marks, re.IGNORECASE), (page, cell.source)


def draw(last=3, curves=2, **style):
    """Return a plot of two curves of four points as a PNG in base64."""
    with plt.rc_context(fname=notebooks.ROOT / 'chapter_fine_tuning' / 'matplotlibrc'), plt.rc_context(style):
        figure, axis = plt.subplots()
        for curve in range(curves):
            axis.plot([0, 2, 1, last - curve])
        axis.set(xlabel='epoch', ylabel='loss', ylim=(0, 4), xlim=(-0.2, 3.2), xticks=range(4))
        file = io.BytesIO()
        figure.savefig(file, format='png', bbox_inches='tight')
        plt.close(figure)
    return base64.b64encode(file.getvalue()).decode()


def test_a_plot_may_have_other_fonts_and_no_other_curve():
    for style in ({}, {'text.hinting': 'no_autohint'}, {'text.hinting': 'none'}, {'lines.linewidth': 1.6}):
        assert nbval_gate.difference(draw(), draw(**style)) is None
    for change in ({'last': 2.9}, {'curves': 1}, {'curves': 0}, {'figure.figsize': (6, 4)}):
        assert 'picture' in nbval_gate.difference(draw(), draw(**change))


def test_a_skipped_test_fails_where_nothing_may_be_skipped(tmp_path):
    for name in ('conftest.py', 'pyproject.toml', 'tests', 'book', 'hotdog'):
        (tmp_path / name).symlink_to(notebooks.ROOT / name)
    (tmp_path / 'test_one.py').write_text(
        "import pytest\n\n\n@pytest.mark.skip(reason='no Chromium')\ndef test_a(): pass\n\n\n"
        "def test_b(): pytest.skip('the photographs for checking are not here')\n\n\ndef test_c(): pass\n")
    result = subprocess.run([sys.executable, '-m', 'pytest', 'test_one.py'], text=True, capture_output=True,
                            timeout=120, cwd=tmp_path, env={**os.environ, 'SKIP_NOTHING': '1'})
    assert result.returncode == 1 and '1 passed, 1 skipped, 1 error' in result.stdout
    assert 'test_a - must not be skipped here. Skipped: no Chromium' in result.stdout

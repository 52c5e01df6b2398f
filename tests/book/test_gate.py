"""The gate itself: `pytest --nbval` fails on every fault of a notebook and names the notebook and the cell."""
import base64
import io
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

from book import execute
import nbval_gate
from book import notebooks

PLOT = 'import matplotlib.pyplot as plt\n_ = plt.plot([1, 3, 2])\n_ = plt.axis([0, 2, 0, 4])'
OUTPUT = "{'answer': 0.938}"
# name: the cells, what is stored of them, the cell that must fail, and what must be said about it
FAULTS = {
    'number': (['x = 1', OUTPUT], {1: OUTPUT.replace('8', '9')}, 1, '0.939'),
    'missing': (['x = 1', OUTPUT], {1: None}, 1, 'Unexpected output fields'),
    'lost': (['x = 1', 'x = 2'], {1: '2'}, 1, 'Missing output fields'),
    'error': (['x = 1', '1 / 0'], {}, 1, 'ZeroDivisionError'),
    'hangs': (['x = 1', 'import time\ntime.sleep(600)'], {}, 1, 'Timeout of 8 seconds'),
    'dies': (['x = 1', 'import os\nos._exit(1)'], {}, 1, 'The kernel died'),
    'empty': (['x = 1', PLOT.replace('plot([1, 3, 2])', 'plot([])')], {1: PLOT}, 1, 'another picture'),
    'other': (['x = 1', PLOT.replace('3, 2]', '2.8, 2]')], {1: PLOT}, 1, 'another picture'),
    'unrun': (['1', '2'], None, 0, 'never executed'),
}
FOLDER = Path('faulty')
GOOD = ['x = 1', OUTPUT, PLOT, "print('epoch 1: loss 0.391, 52 images/s')"]


def executed(cells):
    """Execute cells and give the notebook."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
                                        metadata=notebooks.METADATA)
    notebooks.CHAPTER.mkdir(exist_ok=True)
    execute.run(notebook, Path('page.md'), 60)
    return notebook


@pytest.fixture(scope='module')
def gate(tmp_path_factory):
    """Run the gate once on a book of sound and faulty notebooks; give its process and its seconds."""
    root, before = tmp_path_factory.mktemp('book'), Path.cwd()
    for name in ('conftest.py', 'pyproject.toml', 'tests/book/nbval_gate.py', 'tests/book/nbval_sanitize.cfg',
                 'book/__init__.py', 'book/execute.py', 'book/notebooks.py', 'hotdog/__init__.py', 'hotdog/files.py'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(notebooks.ROOT / name, root / name)
    os.chdir(root)
    FOLDER.mkdir()
    try:
        good = executed([*GOOD, OUTPUT.replace('8', '9'), '2'])
        good.cells, outputs = good.cells[:len(GOOD)], {OUTPUT: good.cells[1].outputs, PLOT: good.cells[2].outputs,
                                                       OUTPUT.replace('8', '9'): good.cells[4].outputs,
                                                       '2': good.cells[5].outputs, None: []}
        good.cells[3].outputs[0].text = good.cells[3].outputs[0].text.replace('52 images', '17 images')
        nbformat.write(good, FOLDER / 'good.ipynb')
        for name, (cells, stored, *_) in FAULTS.items():
            notebook = nbformat.v4.new_notebook(metadata=notebooks.METADATA)
            for number, cell in enumerate(cells):
                count = None if stored is None else number + 1
                notebook.cells.append(nbformat.v4.new_code_cell(
                    cell, execution_count=count, outputs=outputs[stored[number]] if number in (stored or ()) else []))
            nbformat.write(notebook, FOLDER / f'{name}.ipynb')
        start = time.monotonic()
        result = subprocess.run([sys.executable, '-m', 'pytest', '--nbval', '--nbval-cell-timeout', '8', FOLDER],
                                text=True, capture_output=True, timeout=300)
        return result, time.monotonic() - start
    finally:
        os.chdir(before)


def test_the_gate_fails_and_a_sound_notebook_passes(gate):
    result, seconds = gate
    assert result.returncode == 1 and seconds < 240
    assert 'good.ipynb' not in re.sub(r'.*\[ *\d+%\]', '', result.stdout)
    assert re.search(r'=+ 10 failed, \d+ passed.* in .*=+', result.stdout.splitlines()[-1])


@pytest.mark.parametrize('name', FAULTS)
def test_the_gate_names_the_notebook_and_the_cell(gate, name):
    number, sentence = FAULTS[name][2:]
    assert re.search(rf'^FAILED faulty/{name}.ipynb::Cell {number}', gate[0].stdout, re.MULTILINE)
    section = re.search(rf'^_+ .*{name}\.ipynb::Cell {number} _+\n(.*?)^(?:___+ |===+ )', gate[0].stdout, re.M | re.S)
    assert sentence in section[1], section[1]


def test_no_page_asks_nbval_to_look_away():
    for page in notebooks.pages():
        for number, cell in enumerate(notebooks.code_cells(notebooks.read_page(page)), 1):
            said = f'{cell.source} {cell.metadata.get("tags", "")}'
            assert not re.search('nbval|raises-exception', said, re.IGNORECASE), f'{page}, code cell {number}'


def draw(last=3, curves=2, **style):
    """Plot two curves of four points and give the PNG as base64 text."""
    with plt.rc_context(fname=notebooks.ROOT / 'chapter_fine_tuning' / 'matplotlibrc'), plt.rc_context(style):
        figure, axis = plt.subplots()
        for curve in range(curves):
            axis.plot([0, 2, 1, last - curve], label=f'curve {curve}')
        axis.set(xlabel='epoch', ylabel='loss', ylim=(0, 4), xlim=(-0.2, 3.2), xticks=range(4))
        axis.legend(loc='upper left', labels=[f'curve {i}' for i in range(curves)])
        file = io.BytesIO()
        figure.savefig(file, format='png', bbox_inches='tight')
        plt.close(figure)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize('style', [{}, {'text.hinting': 'no_autohint'}, {'text.hinting': 'none'},
                                   {'lines.linewidth': 1.6}])
def test_a_plot_passes_with_other_fonts_and_a_slightly_other_line(style):
    assert nbval_gate.difference(draw(), draw(**style)) is None


@pytest.mark.parametrize('change', [{'last': 2.9}, {'curves': 1}, {'curves': 0},
                                    {'figure.figsize': (6, 4)}])
def test_another_plot_fails(change):
    assert 'picture' in nbval_gate.difference(draw(), draw(**change))

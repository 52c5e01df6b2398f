"""The gate itself: what `make test` runs on the notebooks fails on every fault and names the notebook and the cell."""
import base64
import io
import os
import re
import shlex
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
GOOD = ['x = 1', OUTPUT, PLOT, "print('epoch 1: loss 0.391, 52 images/s')"]


def command():
    """Give the command of `make test` as a list, without what it tests."""
    lines = subprocess.run(['make', '--dry-run', 'test'], capture_output=True, text=True, check=True,
                           cwd=notebooks.ROOT).stdout.splitlines()
    words = shlex.split(next(line for line in lines if 'pytest' in line))
    return [sys.executable, *(word for word in words[1:] if word != 'tests' and not word.endswith('.ipynb'))], words


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
    for name in ('conftest.py', 'pyproject.toml', 'tests/nbval_gate.py', 'tests/nbval_sanitize.cfg',
                 'tools/execute.py', 'tools/notebooks.py', 'tools/status.py', 'tools/lock.py'):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(notebooks.ROOT / name, root / name)
    os.chdir(root)
    try:
        good = executed([*GOOD, OUTPUT.replace('8', '9'), '2'])
        good.cells, outputs = good.cells[:len(GOOD)], {OUTPUT: good.cells[1].outputs, PLOT: good.cells[2].outputs,
                                                       OUTPUT.replace('8', '9'): good.cells[4].outputs,
                                                       '2': good.cells[5].outputs, None: []}
        good.cells[3].outputs[0].text = good.cells[3].outputs[0].text.replace('52 images', '17 images')
        nbformat.write(good, notebooks.CHAPTER / 'good.ipynb')
        for name, (cells, stored, *_) in FAULTS.items():
            notebook = nbformat.v4.new_notebook(metadata=notebooks.METADATA)
            for number, cell in enumerate(cells):
                count = None if stored is None else number + 1
                notebook.cells.append(nbformat.v4.new_code_cell(
                    cell, execution_count=count, outputs=outputs[stored[number]] if number in (stored or ()) else []))
            nbformat.write(notebook, notebooks.CHAPTER / f'{name}.ipynb')
        start = time.monotonic()
        result = subprocess.run([*command()[0], '--nbval-cell-timeout', '8', notebooks.CHAPTER], text=True,
                                capture_output=True, timeout=300)
        return result, time.monotonic() - start
    finally:
        os.chdir(before)


def test_make_test_runs_every_notebook_that_is_executed():
    assert [word for word in command()[1] if word.endswith('.ipynb')] == [
        str(page.with_suffix('.ipynb')) for page in notebooks.pages()]
    assert 'tests' in command()[1]


def test_the_gate_fails_and_a_sound_notebook_passes(gate):
    result, seconds = gate
    assert result.returncode == 1 and seconds < 240
    assert 'good.ipynb' not in re.sub(r'.*\[ *\d+%\]', '', result.stdout)
    assert re.search(r'=+ 10 failed, \d+ passed.* in .*=+', result.stdout.splitlines()[-1])


@pytest.mark.parametrize('name', FAULTS)
def test_the_gate_names_the_notebook_and_the_cell(gate, name):
    number, sentence = FAULTS[name][2:]
    assert re.search(rf'^FAILED chapter_fine_tuning/{name}.ipynb::Cell {number}', gate[0].stdout, re.MULTILINE)
    section = re.search(rf'^_+ .*{name}\.ipynb::Cell {number} _+\n(.*?)^(?:___+ |===+ )', gate[0].stdout, re.M | re.S)
    assert sentence in section[1], section[1]


def test_a_cell_that_would_be_shown_but_not_run_is_named(tmp_path):
    for name in ('tests/test_pairing.py', 'tools/notebooks.py', 'jupytext.toml'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(notebooks.ROOT / name, tmp_path / name)
    (tmp_path / 'pyproject.toml').write_text('[tool.pytest.ini_options]\npythonpath = ["tools"]\n')
    for index, page in (('index.md', 'page'), ('index_en.md', 'page_en')):
        (tmp_path / index).write_text(f'# Book\n\n```toc\nchapter_fine_tuning/index{page[4:]}\n```\n')
        fences = [f'```{fence}\n{source}\n```\n' for fence, source in
                  (('python .input', 'x = 1'), ('python', 'x + 1') if page == 'page' else ('python .input', 'x + 1'))]
        path = tmp_path / 'chapter_fine_tuning' / f'index{page[4:]}.md'
        path.parent.mkdir(exist_ok=True)
        path.write_text('# Page\n\n' + '\n'.join(fences))  # what JupyterLab makes of a cell that it adds: no .input
        notebook = notebooks.read_page(path)
        for number, cell in enumerate(notebooks.code_cells(notebook), 1):
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output('execute_result', {'text/plain': '2'}, execution_count=2)
                            ] if number == 2 else []
        nbformat.write(notebook, path.with_suffix('.ipynb'))
    result = subprocess.run([sys.executable, '-m', 'pytest', 'tests/test_pairing.py', '-k', 'page_and_notebook_agree'],
                            text=True, capture_output=True, timeout=120, cwd=tmp_path)
    assert result.returncode == 1 and '1 failed, 1 passed' in result.stdout, result.stdout
    assert re.search(r'^FAILED .*\[chapter_fine_tuning/index.md\]', result.stdout, re.MULTILINE)
    assert 'AssertionError: code cell 2: d2lbook would show but not run ```python' in result.stdout


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


def test_a_skipped_test_fails_where_nothing_may_be_skipped(tmp_path):
    shutil.copy(notebooks.ROOT / 'conftest.py', tmp_path)
    for folder in ('tools', 'tests'):
        (tmp_path / folder).symlink_to(notebooks.ROOT / folder)
    (tmp_path / 'pyproject.toml').write_text('[tool.pytest.ini_options]\npythonpath = ["tools"]\n')
    (tmp_path / 'test_one.py').write_text(
        "import pytest\n\n\n@pytest.mark.skip(reason='no Chromium')\ndef test_a(): pass\n\n\n"
        "def test_b(): pytest.skip('the photographs for checking are not here')\n\n\ndef test_c(): pass\n")
    (tmp_path / 'test_two.py').write_text("import pytest\n\npytest.importorskip('not_there')\n")
    result = subprocess.run([sys.executable, '-m', 'pytest', '--continue-on-collection-errors', 'test_one.py',
                             'test_two.py'], text=True, capture_output=True, timeout=120,
                            cwd=tmp_path, env={**os.environ, 'SKIP_NOTHING': '1'})
    assert result.returncode == 1 and '1 passed, 1 skipped, 2 errors' in result.stdout
    assert re.search(r'ERROR test_one.py::test_a - must not be skipped here. Skipped: no Chromium', result.stdout)
    assert re.search(r'ERROR test_two.py - must not be skipped here', result.stdout)

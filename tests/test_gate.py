"""The gate itself: a notebook known to be wrong makes the run of make test red, and says which cell it is."""
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import notebooks

OPTIONS = re.search(r'^NBVAL := (.*)', Path('Makefile').read_text(), re.MULTILINE)[1]  # as make test has them


def cell(source, output=None):
    """Make a code cell that was executed, with what it printed or its value."""
    outputs = [nbformat.v4.new_output('execute_result', {'text/plain': output}, execution_count=1)] if output else []
    return nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=1)


def run(folder, *cells, seconds=900):
    """Run a notebook as make test does; give the exit status, the failed cells and what was said."""
    notebook = nbformat.v4.new_notebook(cells=list(cells), metadata=notebooks.METADATA)
    nbformat.write(notebook, folder / 'three.ipynb')
    options = OPTIONS.replace('tests/', f'{notebooks.ROOT}/tests/').replace(' 900', f' {seconds}').split()
    command = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '--rootdir', '.', 'three.ipynb', *options]
    result = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=120)
    failed = re.findall(r'^FAILED three\.ipynb::Cell (\d+)', result.stdout, re.MULTILINE)
    return result.returncode, [int(number) for number in failed], result.stdout


def test_20_wrong_cells_are_red_and_named_and_right_ones_pass(tmp_path):
    status, failed, said = run(
        tmp_path, cell('x = 6'), cell('x * 7', '42'), cell('x * 8', '42'), cell('x * 7'), cell("print('new')"),
        cell('x = 7', '42'), cell("raise ValueError('the picture x.jpg')"), cell('y = 1'))
    assert (status, failed) == (1, [2, 3, 4, 5, 6]), said
    assert 'the picture x.jpg' in said


@pytest.mark.long
@pytest.mark.parametrize('source, sentence', [
    ('import os; os._exit(137)', 'Failed to interrupt kernel'),
    ('import time; time.sleep(90)', 'Timeout of 5 seconds exceeded')])
def test_20_a_dead_kernel_and_a_hanging_cell_are_red_and_told_apart(tmp_path, source, sentence):
    status, failed, said = run(tmp_path, cell('x = 6'), cell(source), cell('y = 1'), seconds=5)
    assert (status, failed[0]) == (1, 1) and sentence in said, said

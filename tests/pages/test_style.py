"""The code's style: ruff for programs and cells, and the cells' size."""
import statistics
import subprocess
import sys

import pytest

from book import notebooks

SIZES = {page: [len([line for line in cell.source.splitlines() if line.strip()])
                for cell in notebooks.code_cells(notebooks.read_page(page))] for page in notebooks.pages()}


def test_ruff_finds_nothing():
    result = subprocess.run([sys.executable, '-m', 'ruff', 'check', '--output-format', 'concise', '.'],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize('page', SIZES, ids=str)
def test_no_cell_is_long(page):
    assert max(SIZES[page]) <= 15


def test_cells_are_short():
    assert statistics.median(sum(SIZES.values(), [])) <= 4

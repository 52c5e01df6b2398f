"""Training repeats bit by bit; the program that shows it says so itself."""
import subprocess
import sys

import pytest

from book import reproducibility


@pytest.mark.long
def test_two_fresh_runs_have_equal_losses():
    losses = reproducibility.run('AVX2', 2, 2)
    assert len(losses) == 10 and losses == reproducibility.run('AVX2', 2, 2)


@pytest.mark.long
def test_the_whole_table_can_be_made():
    result = subprocess.run([sys.executable, reproducibility.__file__], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count('none, equal bit by bit') >= 3

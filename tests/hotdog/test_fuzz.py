"""Damaged files by the thousand, in processes of their own: tests/fuzz.py says what each case must come to."""
import subprocess
import sys
from pathlib import Path

import pytest

COUNTS = {'rec': 1500, 'idx': 1500, 'packed': 2000, 'params': 2000, 'pickle': 2000, 'picture': 1500, 'manifest': 1000}


def run(folder, first, count, *kinds):
    """Run cases; give {kind: (refused, accepted)}. A crash, a hang or a wrong result fails and names the case."""
    command = [sys.executable, Path(__file__).with_name('fuzz.py'), folder, first, count, *kinds]
    result = subprocess.run([str(part) for part in command], text=True, capture_output=True)
    case = (folder / 'case').read_text() if (folder / 'case').exists() else 'the start'
    assert result.returncode == 0, f'case {case}: exit status {result.returncode}\n{result.stderr[-2000:]}'
    rows = [line.split() for line in result.stdout.splitlines()]
    return {kind: (int(refused), int(accepted)) for kind, refused, accepted in rows}


def test_a_sample_of_damaged_files(tmp_path):
    found = run(tmp_path, 0, 25, *COUNTS)
    assert found.keys() == COUNTS.keys() and {sum(numbers) for numbers in found.values()} == {25}


@pytest.mark.long
@pytest.mark.parametrize('kind', COUNTS)
def test_many_damaged_files(tmp_path, kind):
    assert sum(COUNTS.values()) >= 10_000
    refused, accepted = run(tmp_path, 1000, COUNTS[kind], kind)[kind]
    assert refused + accepted == COUNTS[kind] and refused > COUNTS[kind] / 4
    assert accepted > 0  # the cases are not all so broken that nothing is tried


@pytest.mark.long
@pytest.mark.parametrize('fault, sentence', [('import os; os.abort()', 'exit status -6'),
                                             ('while True: pass', 'exit status -14'), ('1 / 0', 'ZeroDivisionError'),
                                             ("raise ValueError('a\\nb')", 'AssertionError: a')])
def test_a_crash_and_a_hang_would_be_noticed(tmp_path, monkeypatch, fault, sentence):
    """The harness itself, on a subject that fails as no reader may."""
    lines = Path(__file__).with_name('fuzz.py').read_text().replace('SECONDS = 20', 'SECONDS = 1')
    broken = lines.replace('        found = check_data.read_manifest(self.file)\n', f'        {fault}\n')
    broken = broken.replace('Path(__file__).resolve().parents[1]', f'Path({str(Path.cwd())!r})')
    assert broken.count(fault) == 1
    (tmp_path / 'fuzz.py').write_text(broken)
    monkeypatch.setitem(globals(), '__file__', str(tmp_path / 'test_fuzz.py'))
    with pytest.raises(AssertionError, match='case manifest 0') as caught:
        run(tmp_path, 0, 3, 'manifest')
    assert sentence in str(caught.value)

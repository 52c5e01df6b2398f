"""book/execute.py on pages of two cells: what is repeated, kept and committed, and what a failure leaves."""
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from book import notebooks

CHAPTER, CACHE, EVAL = Path('chapter_fine_tuning'), Path('_build/executed'), Path('_build/eval/chapter_fine_tuning')
RUN = [sys.executable, '-c', f'import sys; sys.path.insert(0, {str(notebooks.ROOT)!r}); '
       'from book import execute, notebooks; execute.main()']


def count(name):
    return f"_ = open('../{name}.runs', 'a').write('x')"


def page(*cells, prose='text'):
    return '\n\n'.join(['# Title', prose, *(f'```python .input\n{cell}\n```' for cell in cells)]) + '\n'


def write_book(folder):
    """Write a book of two pages, one in two editions, whose cells count how often they run."""
    toc = '\n```toc\n:maxdepth: 1\n\ntwo\n```\n'
    for file, text in {'index.md': '# Book\n\n```toc\nchapter_fine_tuning/index\n```\n', 'utils.py': 'x = 1\n',
                       'requirements.lock': '', 'chapter_fine_tuning/matplotlibrc': '', 'data/small.rec': 'records',
                       'chapter_fine_tuning/index.md': page(count('one'), '6 * 7') + toc,
                       'chapter_fine_tuning/index_en.md': page(count('one'), '6 * 7  # the answer', prose='English'),
                       'chapter_fine_tuning/two.md': page(count('two'))}.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text)


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of which nothing was executed."""
    monkeypatch.chdir(tmp_path)
    write_book(tmp_path)
    return tmp_path


@pytest.fixture(scope='module')
def executed_once(tmp_path_factory):
    """A book that was executed, its notebooks committed."""
    folder = tmp_path_factory.mktemp('executed')
    write_book(folder)
    subprocess.run([*RUN, '--update'], cwd=folder, check=True)
    return folder


@pytest.fixture
def executed(executed_once, tmp_path, monkeypatch):
    """A copy of that book for one test."""
    monkeypatch.chdir(shutil.copytree(executed_once, tmp_path / 'book'))
    return tmp_path / 'book'


def run(*options, kernel='', **environment):
    """Run it; with `kernel`, this one (or none) is there for the page `pytorch`."""
    chosen = f"notebooks.kernel = lambda page: {kernel!r} if page.stem == 'pytorch' else 'python3'; "
    code = RUN[2].replace('execute.main', f'{chosen if kernel != "" else ""}execute.main')
    return subprocess.run([*RUN[:2], code, *options], text=True, capture_output=True, env={**os.environ, **environment})


def runs():
    return tuple(len(Path(f'{name}.runs').read_text()) for name in ('one', 'two'))


def change(file, old, new):
    path = Path(file)
    path.write_text(path.read_text().replace(old, new))


def outputs(path):
    return [cell.outputs for cell in notebooks.code_cells(nbformat.read(path, as_version=4))]


def test_a_page_runs_again_only_when_its_code_the_library_the_data_or_the_lock_changed(book):
    assert run().returncode == 0 and runs() == (1, 1)
    assert outputs(EVAL / 'index.ipynb')[1][0].data['text/plain'] == '42'
    first = (EVAL / 'index.ipynb').read_bytes()
    assert 'iopub' not in first.decode()  # no time stamps
    change('utils.py', 'x = 1', 'x = 1  # a comment')
    change('chapter_fine_tuning/two.md', "('x')", "('x')  # new")
    change('chapter_fine_tuning/index.md', 'text', 'better text')
    Path('data/.small.rec.lock').touch()  # what files.replacing leaves is no data
    assert run().returncode == 0 and runs() == (1, 1)
    assert 'better text' in (EVAL / 'index.ipynb').read_text() and outputs(EVAL / 'index.ipynb')[1]
    for number, (file, old, new) in enumerate([('chapter_fine_tuning/two.md', "('x')", "('x'); 1"),
                                               ('utils.py', 'x = 1', 'x = 2'), ('data/small.rec', 'records', 'others'),
                                               ('requirements.lock', '', 'numpy==1')], 1):
        change(file, old, new)
        assert run().returncode == 0 and runs() == (max(1, number), number + 1)
    assert run('--force').returncode == 0 and runs() == (5, 6)


def test_what_is_committed_is_laid_out_without_executing_or_one_sentence_says_what_changed(book):
    assert 'the code of chapter_fine_tuning/index.md' in run('--stored').stderr
    assert run('--update').returncode == 0 and runs() == (1, 1)
    english = Path('_build/en/eval/chapter_fine_tuning/index_en.ipynb')
    assert outputs(english) == outputs(CHAPTER / 'index_en.ipynb') == outputs(EVAL / 'index.ipynb')
    assert 'the answer' in english.read_text() and not (CHAPTER / 'two_en.ipynb').exists()
    subprocess.run(['rm', '-r', '_build'], check=True)
    assert run('--stored').returncode == 0 and runs() == (1, 1) and EVAL.exists()
    time.sleep(0.01)
    (CHAPTER / 'two.md').touch()  # d2lbook would drop the outputs of a page that is newer than they are
    assert run('--stored').returncode == 0
    assert (EVAL / 'two.ipynb').stat().st_mtime > (CHAPTER / 'two.md').stat().st_mtime
    change('utils.py', 'x = 1', 'x = 2')
    result = run('--stored')
    assert result.returncode == 1 and runs() == (1, 1)
    assert result.stderr == ('utils.py or hotdog/ changed since the outputs of index, two were made: run make book, '
                             'which executes them\n')


def test_editions_with_different_code_are_refused(book):
    change('chapter_fine_tuning/index_en.md', '6 * 7', '7 * 6')
    assert run().stderr == ('chapter_fine_tuning/index_en.md, code cell 2: not the code of '
                            'chapter_fine_tuning/index.md, change both alike\n')


@pytest.mark.parametrize('cell, sentence', [
    ("raise ValueError('the picture x.jpg cannot be read')", 'the picture x.jpg cannot be read'),
    ('1 / 0', 'ZeroDivisionError: division by zero'),
    ('import os; os._exit(1)', 'the kernel died, perhaps for lack of memory'),
    ('import time; time.sleep(60)', 'it ran longer than 2 s and was stopped')])
def test_a_failing_cell_is_named_and_only_the_site_is_removed(executed, cell, sentence):
    before = {path: path.read_bytes() for path in CHAPTER.glob('*.ipynb')}
    for folder in ('html', 'pdf'):
        Path('_build', folder).mkdir()
    (CHAPTER / 'two.md').write_text(page(count('two'), cell))
    result = run('--update', '--timeout', '2')
    assert result.returncode == 1 and not Path('_build/html').exists() and not Path('_build/pdf').exists()
    assert result.stderr.splitlines()[-1] == f'chapter_fine_tuning/two.md, code cell 2: {sentence}'
    assert before == {path: path.read_bytes() for path in CHAPTER.glob('*.ipynb')}


def test_photographs_never_touch_the_committed_notebooks(executed):
    before = {path: path.read_bytes() for path in CHAPTER.iterdir()}
    Path('my photos').mkdir()
    assert run(PHOTOS='my photos').returncode == 0 and runs() == (2, 2)
    assert Path('_build/photos/eval/chapter_fine_tuning/two.ipynb').exists()
    assert before == {path: path.read_bytes() for path in CHAPTER.iterdir()}
    assert str(executed / 'my photos') not in Path('_build/photos/record.json').read_text()
    assert run('--update', PHOTOS='my photos').stderr.endswith('unset PHOTOS\n')
    assert run(PHOTOS='nowhere').stderr.startswith('PHOTOS=nowhere is not a folder')


def test_the_page_pytorch_shows_its_committed_outputs_where_its_environment_is_not(book):
    for file, text in {'requirements_pytorch.lock': '', 'hotdog/files.py': '', 'hotdog/weights.py': 'x = 1\n',
                       'chapter_fine_tuning/pytorch.md': page(count('pytorch'))}.items():
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text(text)
    change('chapter_fine_tuning/index.md', '\ntwo\n', '\ntwo\npytorch\n')
    run('--update', kernel='python3')
    subprocess.run(['rm', '-r', '_build'], check=True)
    change('utils.py', 'x = 1', 'x = 2')  # which that page does not use
    assert run('--force', kernel=None).returncode == 0 and runs() == (2, 2)
    assert outputs(EVAL / 'pytorch.ipynb') == outputs(CHAPTER / 'pytorch.ipynb')
    assert len(Path('pytorch.runs').read_text()) == 1
    change('hotdog/weights.py', 'x = 1', 'x = 2')
    assert run(kernel=None).stderr.endswith('and its environment is not here: run make pytorch\n')
    assert run(kernel='python3').returncode == 0 and len(Path('pytorch.runs').read_text()) == 2


@pytest.mark.parametrize('kind', [signal.SIGINT, signal.SIGKILL])
def test_interrupted_it_keeps_what_is_finished_and_the_next_run_completes(book, kind):
    change('chapter_fine_tuning/two.md', "('x')", "('x'); import time; time.sleep(3)")
    process = subprocess.Popen(RUN, text=True, stderr=subprocess.PIPE, start_new_session=True)
    while not Path('two.runs').exists():
        time.sleep(0.1)
    os.killpg(process.pid, kind)  # as a terminal does
    said = process.communicate(timeout=60)[1]
    assert process.returncode and 'Traceback' not in said
    assert kind == signal.SIGKILL or said.endswith('stopped: the finished notebooks are kept\n')
    assert {path.stem for path in CACHE.glob('*.ipynb')} == {'index'}
    assert run().returncode == 0 and runs() == (1, 2)

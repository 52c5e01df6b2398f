"""tools/execute.py on notebooks of two cells: what is repeated, what is kept, and what a failure leaves."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from book import notebooks

FOLDER = Path('_build/executed/demo')
TOOLS = notebooks.ROOT / 'tools'
RUN = [sys.executable, '-c', f'import sys; sys.path.insert(0, {str(TOOLS)!r}); import execute; execute.main()']


def page(*cells, prose='text'):
    return '\n\n'.join(['# Title', prose, *(f'```python .input\n{cell}\n```' for cell in cells)]) + '\n'


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of two pages whose cells count how often they run."""
    monkeypatch.chdir(tmp_path)
    index = page(count('one'), '6 * 7') + '\n```toc\n:maxdepth: 1\n\ntwo\n```\n'
    for file, text in {'index.md': '# Book\n\n```toc\nchapter_fine_tuning/index\n```\n', 'utils.py': '',
                       'requirements.lock': '', 'chapter_fine_tuning/matplotlibrc': '', 'data/small.rec': 'records',
                       'chapter_fine_tuning/index.md': index,
                       'chapter_fine_tuning/two.md': page(count('two'))}.items():
        path = Path(file)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def count(name):
    return f"_ = open('../{name}.runs', 'a').write('x')"


def runs():
    return {name: len(Path(f'{name}.runs').read_text()) for name in ('one', 'two')}


def execute(*options, **environment):
    return subprocess.run(RUN + list(options), text=True, capture_output=True, env={**os.environ, **environment})


def change(file, old, new):
    path = Path(file)
    path.write_text(path.read_text().replace(old, new))


def output(name, cell=-1):
    return notebooks.code_cells(nbformat.read(FOLDER / f'{name}.ipynb', as_version=4))[cell].outputs


def test_a_notebook_runs_again_only_when_content_changed(book):
    assert execute().returncode == 0 and runs() == {'one': 1, 'two': 1}
    assert output('index')[0].data['text/plain'] == '42'
    first = (FOLDER / 'index.ipynb').read_bytes()
    Path('utils.py').touch()
    assert execute().returncode == 0 and runs() == {'one': 1, 'two': 1}
    change('chapter_fine_tuning/two.md', "('x')", "('x')  # new")
    assert execute().returncode == 0 and runs() == {'one': 1, 'two': 2}
    change('chapter_fine_tuning/index.md', '6 * 7', '6 * 8')
    assert execute().returncode == 0 and runs() == {'one': 2, 'two': 3}
    Path('data/small.rec').write_text('others!')
    assert execute().returncode == 0 and runs() == {'one': 3, 'two': 4}
    change('chapter_fine_tuning/index.md', '6 * 8', '6 * 7')
    assert execute('--force').returncode == 0 and runs() == {'one': 4, 'two': 5}
    assert (FOLDER / 'index.ipynb').read_bytes() == first
    assert 'iopub' not in first.decode()  # no time stamps


def test_a_notebook_gets_the_parameters_of_the_run_before_it(book):
    """What Jupyter or a fault changed in between is trained again, but only for a notebook that is to be executed."""
    change('chapter_fine_tuning/index.md', '6 * 7', "open('../data/cache/net.params', 'w').write('right')")
    change('chapter_fine_tuning/two.md', "('x')", "('x'); print(open('../data/cache/net.params').read())")
    parameters = Path('data/cache/net.params')
    parameters.parent.mkdir()
    assert execute().returncode == 0 and runs() == {'one': 1, 'two': 1}
    for number, damage in enumerate((lambda: parameters.write_text('other'), parameters.unlink), 1):
        damage()
        assert execute().returncode == 0 and runs() == {'one': number, 'two': number}
        change('chapter_fine_tuning/two.md', '; print(', f'; {number}; print(')
        assert execute().returncode == 0 and runs() == {'one': number + 1, 'two': number + 1}
        assert output('two')[0].text == 'right\n'
    change('chapter_fine_tuning/two.md', '; print(', '; 3; print(')
    assert execute().returncode == 0 and runs() == {'one': 3, 'two': 4}


def test_prose_alone_keeps_the_outputs(book):
    execute()
    change('chapter_fine_tuning/index.md', 'text', 'better text')
    assert execute('--update').returncode == 0 and runs() == {'one': 1, 'two': 1}
    assert 'better text' in (FOLDER / 'index.ipynb').read_text() and output('index')[0].data['text/plain'] == '42'
    assert Path('chapter_fine_tuning/index.ipynb').read_bytes() == (FOLDER / 'index.ipynb').read_bytes()


def test_the_english_notebook_gets_the_outputs_of_the_chinese_one(book):
    english, result = Path('chapter_fine_tuning/index_en.md'), Path('chapter_fine_tuning/index_en.ipynb')
    english.write_text(page(count('one'), '6 * 7  # the answer', prose='English'))
    assert execute('--update').returncode == 0 and runs() == {'one': 1, 'two': 1}
    cells = notebooks.code_cells(nbformat.read(result, as_version=4))
    assert cells[1].source.endswith('# the answer') and cells[1].outputs == output('index')
    assert 'English' in result.read_text() and not Path('chapter_fine_tuning/two_en.ipynb').exists()
    before = result.read_bytes()
    change(english, '6 * 7', '7 * 6')
    refusal = execute('--update', '--force')
    assert refusal.returncode == 1 and result.read_bytes() == before and runs() == {'one': 1, 'two': 1}
    assert refusal.stderr.strip() == (f'{english}, code cell 2: not the code of chapter_fine_tuning/index.md, '
                                      'change both alike')


@pytest.mark.parametrize('cell, sentence', [
    ("raise ValueError('the picture x.jpg cannot be read')", 'the picture x.jpg cannot be read'),
    ('1 / 0', 'ZeroDivisionError: division by zero'),
    ('import os; os._exit(1)', 'the kernel died, perhaps for lack of memory'),
    ('import time; time.sleep(60)', 'it ran longer than 2 s and was stopped')])
def test_a_failing_cell_is_named_and_leaves_the_old_results(book, cell, sentence):
    execute('--update')
    before = {path: path.read_bytes() for path in [*FOLDER.iterdir(), *Path('chapter_fine_tuning').iterdir()]}
    site = Path('_build/html/index.html')
    book_for_print = Path('_build/pdf/book.pdf')
    for product in (site, book_for_print):
        product.parent.mkdir()
        product.touch()
    Path('chapter_fine_tuning/two.md').write_text(page(count('two'), cell))
    result = execute('--update', '--timeout', '2')
    assert result.returncode == 1 and not site.exists() and not book_for_print.exists()
    assert result.stderr.splitlines()[-1] == f'chapter_fine_tuning/two.md, code cell 2: {sentence}'
    for path in before.keys() - {Path('chapter_fine_tuning/two.md')}:
        assert path.read_bytes() == before[path]


def test_settings_never_touch_the_reference(book):
    execute('--update')
    before = Path('chapter_fine_tuning/two.ipynb').read_bytes()
    Path('my photos').mkdir()
    Path('chapter_fine_tuning/two.md').write_text(page("import os\nos.environ['PHOTOS']"))
    assert execute(PHOTOS='my photos').returncode == 0
    run, = Path('_build/executed').glob('photos-*/two.ipynb')
    assert str(book / 'my photos') in run.read_text() and Path('chapter_fine_tuning/two.ipynb').read_bytes() == before
    result = execute('--update', PHOTOS='my photos')
    assert result.returncode == 1 and result.stderr.strip().endswith('unset PHOTOS')
    result = execute(PHOTOS='nowhere')
    assert result.returncode == 1 and result.stderr.startswith('PHOTOS=nowhere is not a folder')


def test_killed_it_leaves_no_half_file_and_the_next_run_completes(book):
    execute()
    change('chapter_fine_tuning/two.md', "('x')", "('x'); import time; time.sleep(2)")
    process = subprocess.Popen(RUN, stderr=subprocess.DEVNULL)
    time.sleep(4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for path in FOLDER.glob('*.ipynb'):
        nbformat.validate(nbformat.read(path, as_version=4))
    assert execute().returncode == 0 and 'sleep' in (FOLDER / 'two.ipynb').read_text()


def test_stopped_by_the_reader_it_says_so_and_the_finished_notebooks_are_kept(book):
    change('chapter_fine_tuning/two.md', "('x')", "('x'); import time; time.sleep(60)")
    process = subprocess.Popen(RUN, text=True, stderr=subprocess.PIPE, start_new_session=True)
    while not Path('two.runs').exists():
        time.sleep(0.1)
    kernel, = (child for child in psutil.Process(process.pid).children() if 'ipykernel_launcher' in child.cmdline())
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said = process.communicate(timeout=60)[1]
    assert said.splitlines()[-1] == 'stopped: the finished notebooks are kept' and 'Traceback' not in said
    assert process.returncode == 1 and not kernel.is_running()
    assert {path.stem for path in FOLDER.glob('*.key')} == {'index'}


def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path):
    (tmp_path / 'a.ipynb').write_text('old')
    (tmp_path / 'a.ipynb.tmp').symlink_to('/dev/full')
    with pytest.raises(OSError, match='No space left on device'):
        notebooks.write_atomically(tmp_path / 'a.ipynb', 'new')
    assert os.listdir(tmp_path) == ['a.ipynb'] and (tmp_path / 'a.ipynb').read_text() == 'old'


def test_two_at_once_wait_for_each_other(book):
    processes = [subprocess.Popen(RUN, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0] and runs() == {'one': 1, 'two': 1}
    assert any('waiting' in text for text in said)

"""What a kill, a full disk, a folder that cannot be written or a second build leaves: nothing that harms the next run.

The book here is a small one, made by the real make, tools and data.
"""
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from book import notebooks
from hotdog import records, datasets

ROOT = notebooks.ROOT
TIMED = {'status.html': '<!doctype html>.*</html>', 'searchindex.js': r'Search\.setIndex\(.*\)', '.key': r'\w{64}'}
PAGE = """# {title}
:label:`chap_{name}`

{text}

```python .input
import sys
sys.path.insert(0, '..')
import utils
from hotdog import datasets

print(utils.load_data().name, datasets.labels(utils.load_data().test).sum(), {number})
```

<!-- alt: y = x, 1 ... {number} -->

```python .input
import matplotlib.pyplot as plt

_ = plt.plot([1, {number}])
```
"""


def write_pages(number):
    """Write a book of two pages in two editions, whose outputs show a number."""
    for name, title in (('index', '章'), ('two', '节')):
        for edition, heading, text in (('', title, '文字。'), ('_en', f'Title {name}', 'Text.')):
            page = PAGE.format(title=heading, name=name + edition, text=text, number=number)
            if name == 'two':
                page = page.replace('import utils\n', '').replace('utils.load_data()', 'datasets.demo_set()')
            Path('chapter_fine_tuning', f'{name}{edition}.md').write_text(page)
    for edition in ('', '_en'):
        toc = '\n'.join(f'chapter_fine_tuning/{name}{edition}' for name in ('index', 'two'))
        Path(f'index{edition}.md').write_text(f'# Book\n\n```toc\n:numbered:\n\n{toc}\n```\n')


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone of the project whose book is small."""
    if not (ROOT / '.venv').exists():
        pytest.skip('make has not set up .venv')
    folder = tmp_path / 'clone'
    monkeypatch.chdir(tmp_path)
    folder.mkdir()
    for name in ('Makefile', 'utils.py', 'config.ini', 'config_en.ini', 'refs.bib', 'requirements.lock', 'build.yml',
                 'environment.yml', 'CITATION.cff'):
        shutil.copy(ROOT / name, folder)
    for name in ('tools', 'static', 'img', 'web'):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copytree(ROOT / 'data', folder / 'data', ignore=shutil.ignore_patterns('cache', '__pycache__'))
    (folder / 'chapter_fine_tuning').mkdir()
    shutil.copy(ROOT / 'chapter_fine_tuning' / 'matplotlibrc', folder / 'chapter_fine_tuning')
    (folder / '.venv').symlink_to(ROOT / '.venv')
    monkeypatch.chdir(folder)
    write_pages(1)
    return folder


def make(*arguments, **environment):
    surroundings = {name: value for name, value in os.environ.items() if 'MAKE' not in name and name != 'MFLAGS'}
    return subprocess.Popen(['make', *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**surroundings, **environment}, start_new_session=True)


def made(*arguments, **environment):
    process = make(*arguments, **environment)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    return out


def products(*folders):
    """Give {path: hash} of all files in folders; none may be a temporary one.

    The status page tells when each notebook was executed, and the index for the search and the key follow from it:
    these files have to be there and whole.
    """
    paths = [path for folder in folders for path in Path(folder).rglob('*')
             if path.is_file() and '.doctrees' not in path.parts]
    assert paths and not [path for path in paths if path.suffix in ('.tmp', '.part')]
    return {path: bool(re.fullmatch(TIMED[path.name], path.read_text().strip(), re.DOTALL)) if path.name in TIMED
            else hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def write_photos(folder, count):
    """Make a folder of photographs, two classes in two splits, of pictures of the demo data."""
    for number, (_, encoded) in zip(range(count), records.samples(datasets.HERE / 'demo_train.rec')):
        path = folder / ('train', 'test')[number % 2] / ('cat', 'not_cat')[number // 2 % 2] / f'{number}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded)


def kill(process, moment, chance):
    """Kill, at a moment, all processes of a make or any one of them, and wait until it has ended."""
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
        for pid in chance.choice([family, family[1:2], [chance.choice(family)]]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=300)


@pytest.mark.long
@pytest.mark.parametrize('verb, folder, rounds', [('book', '_build/html', 12), ('notebooks', 'chapter_fine_tuning', 8)])
def test_killed_at_any_moment_the_next_run_is_right(clone, verb, folder, rounds):
    chance, expected = random.Random(verb), []
    for number in (1, 2):
        write_pages(number)
        start = time.time()
        made(verb)
        seconds = time.time() - start
        expected.append(products(folder))
    names = [{re.sub('_[0-9a-f]{12}[.]', '_HASH.', str(path)) for path in found} for found in expected]
    assert expected[0] != expected[1] and names[0] == names[1]  # pictures are named by a hash of what they show
    for number in range(rounds):
        write_pages(number % 2 + 1)
        shutil.rmtree('_build/executed')  # so that there is something to do at every moment
        kill(make(verb), chance.uniform(0, seconds), chance)
        made(verb)
        assert products(folder) == expected[number % 2]


@pytest.mark.parametrize('rounds, count', [(1, 60), pytest.param(20, 300, marks=pytest.mark.long)])
def test_packing_killed_at_any_moment_is_done_by_the_next_run(tmp_path, rounds, count):
    folder, cache, chance = tmp_path / 'photos', tmp_path / 'cache', random.Random(0)
    write_photos(folder, count)
    code = (f'import sys; sys.path.insert(0, {str(ROOT)!r}); from hotdog import photographs; from pathlib import Path\n'
            f'print("ready", flush=True); photographs.packed({str(folder)!r}, Path({str(cache)!r}))')

    def start():
        process = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        return process

    def content():
        assert start().wait() == 0
        target, = cache.glob('[!.]*')
        return {path.name: path.read_bytes() for path in target.iterdir()}
    process, begin = start(), time.time()
    process.wait()
    seconds, unfinished, expected = time.time() - begin, 0, content()
    for _ in range(rounds):
        shutil.rmtree(cache)
        process = start()
        time.sleep(chance.uniform(0, 0.8 * seconds))  # what is left ends the process
        process.kill()
        process.wait()
        unfinished += any(cache.glob('*.part'))
        assert content() == expected
    assert unfinished >= rounds // 4
    shutil.rmtree(cache)
    assert [process.wait() for process in [start(), start()]] == [0, 0] and content() == expected  # two at once


@pytest.mark.long
def test_two_builds_at_once_do_not_disturb_each_other(clone):
    made('book')
    expected = products('_build/html')
    shutil.rmtree('_build')
    shutil.rmtree('data/cache', ignore_errors=True)
    photos = clone.parent / 'photos'
    write_photos(photos, 40)
    processes = [make('book'), make('book'), make('book', f'PHOTOS={photos}'), make('book', f'PHOTOS={photos}')]
    said = [''.join(process.communicate(timeout=300)) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert any('waiting until it has finished' in text for text in said)
    assert products('_build/html') == expected
    page = Path('_build/photos/html/chapter_fine_tuning/index.html').read_text()
    assert re.search(r'\bphotos-[0-9a-f]{8} 10 1', re.sub('<[^>]*>', '', page)), page


@pytest.fixture
def small_disk(clone):
    """Mount a small disk as the clone's folder _build; give a function that changes its size or makes it read-only."""
    build = clone / '_build'
    build.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', build], capture_output=True).returncode:
        pytest.skip('a small disk can be mounted by root only')
    yield lambda options: subprocess.run(['mount', '-o', f'remount,{options}', build], check=True)
    subprocess.run(['umount', '-l', build], check=True)


@pytest.mark.long
@pytest.mark.parametrize('options, reason', [('size=16k', 'the disk is full'),
                                             ('size=1m', 'the disk is full'), ('size=4m', 'the disk is full'),
                                             ('ro', 'Read-only file system')])
def test_10_a_full_or_read_only_disk_is_said_and_the_next_run_is_right(clone, small_disk, options, reason):
    small_disk(options)
    process = make('book')
    _, err = process.communicate(timeout=300)
    assert process.returncode and 'Traceback' not in err, err
    sentence = err.splitlines()[-2]  # the last line is make's own
    assert reason in sentence and 'then run make again' in sentence
    assert not Path('_build/html').exists()
    small_disk('size=100m,rw')
    made('book')
    assert '[<matplotlib' not in Path('_build/html/chapter_fine_tuning/two.html').read_text()


@pytest.mark.parametrize('options, reason', [('size=100k', 'the disk is full'), ('ro', 'Read-only file system')])
def test_10_packing_on_a_full_or_read_only_disk_leaves_nothing(clone, small_disk, monkeypatch, options, reason):
    photos, cache = clone / 'photos', clone / '_build' / 'cache'
    write_photos(photos, 40)
    monkeypatch.setattr(sources, 'DOWNLOADS', cache)
    small_disk(options)
    with pytest.raises(OSError, match=f'cache.* cannot be written.*{reason}.* set BOOK_CACHE'):
        datasets.folder_set(photos)
    assert not list(cache.glob('[!.]*'))
    small_disk('size=100m,rw')
    assert len(datasets.labels(datasets.folder_set(photos).test)) == 20


def refusal(**environment):
    """Run make book and give the one sentence that it says before make's own last line."""
    process = make('book', **environment)
    _, err = process.communicate(timeout=300)
    lines = [line for line in err.splitlines() if line.strip() and not line.startswith(('index: cell', 'two: cell'))]
    assert process.returncode and lines[-1].startswith('make: *** ') and len(lines) == 2, err
    assert 'Traceback' not in err and not Path('_build/html').exists() and not Path('_build/photos').exists()
    return lines[0]


def test_a_fault_of_the_photographs_is_one_sentence_of_make_book(clone):
    photos = clone.parent / 'my photos'
    write_photos(photos, 12)
    (photos / 'test' / 'cat' / 'broken.jpg').write_bytes(b'text')
    sentence = refusal(PHOTOS=str(photos))
    assert sentence == (f'chapter_fine_tuning/index.md, code cell 1: 1 fault in {photos}: '
                        f'{photos}/test/cat/broken.jpg: it is no picture that can be read: '
                        'remove it, or save it as JPEG (make check-data PHOTOS=FOLDER lists all)')


@pytest.mark.long
def test_other_faults_of_readers_are_one_sentence_of_make_book(clone):
    photos, place = clone.parent / 'photos', 'chapter_fine_tuning/index.md, code cell 1: '
    photos.mkdir()
    assert refusal(PHOTOS=str(photos)) == (f'{place}{photos} has no folder train: make train/CLASS/ for each class of '
                                           'pictures')
    write_photos(photos, 12)
    shutil.rmtree(photos / 'test' / 'cat')
    (photos / 'test' / 'cat').mkdir()
    assert refusal(PHOTOS=str(photos)) == (f'{place}{photos}/test/cat holds no pictures: put some there, JPEG or PNG '
                                           'for example')
    assert refusal(PHOTOS='nowhere') == 'PHOTOS=nowhere is not a folder: name one that holds train and test'
    no_network = {f'{scheme}_proxy': 'http://127.0.0.1:9' for scheme in ('http', 'https')}
    for environment, reason in ((no_network, 'it cannot be downloaded: tried https://'),
                                ({'BOOK_OFFLINE': '1'}, 'BOOK_OFFLINE forbids to download it; put not_hotdog_train')):
        sentence = refusal(DEMO='0', **environment)
        assert sentence.startswith(f'{place}{clone}/data/cache/not_hotdog_train-e6ef27b4.rec is missing and {reason}')
        assert sentence.endswith('Or set demo = True in utils.py, it needs no network')
    (clone / 'data' / 'demo_test.rec').write_bytes(b'')
    assert refusal() == (f'{place}{clone}/data/demo_test.rec is missing or damaged: restore it with git checkout '
                         'data/demo_test.rec')


def test_a_lock_that_lacks_a_package_is_one_sentence_of_make_book(clone):
    lock = Path('requirements.lock')
    lock.write_text(lock.read_text().replace('\nmxnet==1.9.1', '\nmxnot==1.9.1'))
    assert refusal() == ('make: requirements.lock lacks mxnet==1.9.1, restore it with: git checkout '
                         'requirements.lock')

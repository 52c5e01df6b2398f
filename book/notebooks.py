"""What executing and rendering share: the pages, their notebooks, and the run's settings."""
import ast
import errno
import hashlib
import os
import re
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path

import filelock
import jupytext
import nbformat

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path('_build')
CHAPTER = Path('chapter_fine_tuning')
# Settings that utils.py takes from the environment: they change what the notebooks show.
SETTINGS = ('PHOTOS', 'DEMO', 'SOURCE_MODEL')
METADATA = {  # as JupyterLab writes it, so that a page saved unchanged stays unchanged
    'jupytext': {'cell_metadata_filter': '-all,.input,tags', 'notebook_metadata_filter': '-all'},
    'kernelspec': {'display_name': 'Python 3 (ipykernel)', 'language': 'python', 'name': 'python3'},
    'language_info': {'codemirror_mode': {'name': 'ipython', 'version': 3}, 'file_extension': '.py',
                      'mimetype': 'text/x-python', 'name': 'python', 'nbconvert_exporter': 'python',
                      'pygments_lexer': 'ipython3', 'version': '3.11.7'}}


def pages(start=Path('index.md')):
    """List the chapter's pages that hold code, in the order of reading: a page, then those that its toc names."""
    text = start.read_text()
    toc = re.search(r'^```toc\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
    names = [line.strip() for line in toc[1].splitlines()] if toc else []
    found = [start] if start.parent == CHAPTER and '```python .input' in text else []
    for name in names:
        if name and not name.startswith(':'):
            found += pages(start.parent / f'{name}.md')
    return found


def read_page(page):
    """Read a page's text as a notebook without outputs, always with the same metadata and cell ids."""
    notebook = jupytext.read(page)
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f'{page.stem}-{number}'
    return notebook


def code_cells(notebook):
    """List the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


def english(page):
    """Name the English edition of a page, which shows the outputs of the Chinese one."""
    return page.with_stem(f'{page.stem}_en')


def chinese(page):
    """Name the page whose outputs a page shows: its own, or the Chinese edition of an English page."""
    return page.with_stem(page.stem.removesuffix('_en'))


def tree(cell):
    """Give a code cell's syntax tree as text: the same for cells that differ in comments and layout only."""
    try:
        return ast.dump(ast.parse(cell.source))
    except SyntaxError:  # a magic command
        return cell.source


def difference(notebook, other):
    """Give the number of the first code cell in which two notebooks differ, else None; comments do not count."""
    pairs = zip_longest(map(tree, code_cells(notebook)), map(tree, code_cells(other)))
    return next((number for number, (one, another) in enumerate(pairs, 1) if one != another), None)


def attach_outputs(notebook, executed):
    """Give the notebook's code cells the outputs of `executed`; raise ValueError when that holds other code."""
    number = difference(notebook, executed)
    if number:
        raise ValueError(f'code cell {number} is not the one that was executed')
    for cell, source in zip(code_cells(notebook), code_cells(executed), strict=True):
        cell.outputs, cell.execution_count = source.outputs, source.execution_count
    return notebook


def write_atomically(path, text):
    """Write a text file so that a reader sees the old content or the new one, never a part; within `exclusive`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f'{path.name}.tmp')  # what a killed run left, the next one overwrites
    try:
        half.write_text(text)
        os.replace(half, path)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def settings():
    """Give the settings of this run that are not the default; PHOTOS as an absolute path.

    Raises NotADirectoryError when PHOTOS is not a folder.
    """
    chosen = {name: os.environ[name] for name in SETTINGS if os.environ.get(name)}
    if 'PHOTOS' in chosen:
        folder = Path(chosen['PHOTOS']).expanduser().resolve()
        if not folder.is_dir():
            raise NotADirectoryError(f'PHOTOS={chosen["PHOTOS"]} is not a folder: name one that holds train and test')
        chosen['PHOTOS'] = str(folder)
    return chosen


def variant(chosen):
    """Name the run: `demo`, or one name for each choice of settings."""
    return f'photos-{digest(sorted(chosen.items()))[:8]}' if chosen else 'demo'


def site(chosen):
    """Say where the rendered book goes; a run with other settings never touches the book of the demo data."""
    return BUILD / 'photos' / 'html' if chosen else BUILD / 'html'


def sentence(error):
    """Say an error to the user; of a full disk or a folder that cannot be written, in one sentence with what to do."""
    if 'No space left on device' in str(error):  # also within the errors of Sphinx and of copied folders
        return f'{getattr(error, "filename", None) or BUILD}: the disk is full; make room, then run make again'
    if getattr(error, 'errno', None) in (errno.EROFS, errno.EACCES):
        return f'{error.filename}: {error.strerror}; work in a folder that can be written, then run make again'
    return str(error)


def digest(*parts):
    """Hash any values that Python prints in full."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def file_digest(path):
    """Hash a file's content."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


@contextmanager
def exclusive():
    """Let one process at a time work in the build folder; a second one says that it waits."""
    BUILD.mkdir(exist_ok=True)
    lock = filelock.FileLock(BUILD / 'lock')
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print('another make is at work here: waiting until it has finished', flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()

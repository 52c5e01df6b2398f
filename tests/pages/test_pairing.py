"""Every page has its executed notebook: the same cells, outputs that are there, and tools leave both as they are."""
import ast
import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupytext.async_contentsmanager import build_async_jupytext_contents_manager_class
from traitlets.config import Config

from book import notebooks

ENGLISH = notebooks.pages(Path('index_en.md'))
PAGES = notebooks.pages() + ENGLISH


def read(page):
    """Return the notebook beside a page."""
    return nbformat.read(page.with_suffix('.ipynb'), as_version=4)


def check_fences(text):
    """Every Python fence is executed (`.input`) or marked as not to be (`.noeval`)."""
    for line in re.findall(r'^ *(?:```+|~~~+) *\{? *\.?python.*', text, re.MULTILINE | re.IGNORECASE):
        marked = re.match(r'```(?:python \.input\b|\{\.python \.noeval\})', line)
        assert marked, f'd2lbook would show but not run {line}'
    for line in re.findall(r'^ *```+ *(?:bash|sh|shell)\b.*', text, re.MULTILINE):
        raise AssertionError(f'jupytext would run it: {line}, write console')


def check_outputs(notebook):
    """Every code cell was executed, in order, and what shows a value or prints or plots has an output."""
    cells = notebooks.code_cells(notebook)
    assert cells and [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), 'not executed in order'
    for number, cell in enumerate(cells, 1):
        last = ast.parse(cell.source).body[-1]
        shows_value = isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call)
        prints = re.search(r'^ *print\(', cell.source, re.MULTILINE) and not re.search(r'^def ', cell.source, re.M)
        assert cell.outputs or not (shows_value or prints), f'code cell {number} has no stored output'
        if re.search(r'^[^#]*(plt\.|\.imshow\(|show_pictures\()', cell.source, re.M) and 'def ' not in cell.source:
            kinds = [kind for output in cell.outputs for kind in output.get('data', {})]
            assert 'image/png' in kinds, f'code cell {number} has no stored picture'


@pytest.mark.parametrize('page', PAGES, ids=str)
def test_page_and_notebook_agree(page):
    check_fences(page.read_text())
    notebook = read(page)
    nbformat.validate(notebook)
    cells, stored = ([(cell.cell_type, cell.source) for cell in book.cells]
                     for book in (notebooks.read_page(page), notebook))
    assert cells == stored, 'make notebooks'
    check_outputs(notebook)
    assert notebook.metadata == notebooks.METADATA


def test_every_page_and_notebook_of_the_chapter_is_in_the_toc():
    assert {path.stem for path in notebooks.CHAPTER.glob('*.ipynb')} == {page.stem for page in PAGES}
    for page in notebooks.CHAPTER.glob('*.md'):
        toc = Path('index_en.md' if page.stem.endswith('_en') else 'index.md').read_text()
        assert page in PAGES or f'\n{page.with_suffix("")}\n' in toc, f'{page} is in no table of contents'


@pytest.mark.parametrize('page', ENGLISH, ids=str)
def test_an_english_notebook_shows_the_outputs_of_the_chinese_one(page):
    cells, originals = map(notebooks.code_cells, (read(page), read(notebooks.chinese(page))))
    assert [cell.outputs for cell in cells] == [cell.outputs for cell in originals], 'make notebooks'


@pytest.fixture
def clone(tmp_path):
    """Copy the pages, their notebooks and the settings of the tools."""
    shutil.copytree(notebooks.CHAPTER, tmp_path / notebooks.CHAPTER)
    shutil.copy('jupytext.toml', tmp_path)
    return tmp_path


def contents(folder):
    """Return the chapter's texts."""
    return {path.name: path.read_text() for page in PAGES for path in
            (folder / page, (folder / page).with_suffix('.ipynb'))}


@pytest.mark.parametrize('newer', ['.md', '.ipynb'])
def test_jupytext_changes_nothing(clone, newer):
    for path in (clone / notebooks.CHAPTER).glob(f'*{newer}'):
        path.touch()
    subprocess.run([sys.executable, '-m', 'jupytext', '--sync', *PAGES], cwd=clone, check=True, capture_output=True)
    assert contents(clone) == contents(Path())


@pytest.mark.parametrize('kind', ['.md', '.ipynb'])
def test_saving_in_jupyterlab_changes_nothing(clone, kind):
    config = Config()
    exec(Path('jupyter_server_config.py').read_text(), {'c': config})
    manager = build_async_jupytext_contents_manager_class(AsyncLargeFileManager)(root_dir=str(clone), config=config)

    async def open_and_save(path):
        model = await manager.get(path, type='notebook', content=True)
        model['content']['metadata']['language_info']['version'] = '3.11.0'  # Lab writes what the kernel says
        await manager.save({'type': 'notebook', 'format': 'json', 'content': model['content']}, path)

    for page in PAGES:
        asyncio.run(open_and_save(str(page.with_suffix(kind))))
    assert contents(clone) == contents(Path())


@pytest.mark.parametrize('text', ['```python\n1\n```', '```{.python .input}\n1\n```', '```bash\nls\n```',
                                  '``` python .input\n1\n```', '```Python .input\n1\n```', '~~~python\n1\n~~~'])
def test_fences_that_would_not_run_are_noticed(text):
    with pytest.raises(AssertionError):
        check_fences(f'text\n\n{text}\n')


@pytest.mark.parametrize('source', ['x = 1\nx', 'print(1)', 'import matplotlib.pyplot as plt\n_ = plt.plot([1])'])
def test_missing_outputs_are_noticed(source):
    for count, message in ((1, 'no stored'), (None, 'not executed')):
        cell = nbformat.v4.new_code_cell(source, execution_count=count)
        with pytest.raises(AssertionError, match=message):
            check_outputs(nbformat.v4.new_notebook(cells=[cell]))

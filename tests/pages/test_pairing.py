"""Every page with code has its executed notebook: the same cells, a round trip without loss, outputs that are there."""
import ast
import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from jupytext.config import load_jupytext_config

from book import notebooks

ENGLISH = notebooks.pages(Path('index_en.md'))
PAGES = notebooks.pages() + ENGLISH
CONFIG = load_jupytext_config(str(notebooks.ROOT / 'index.md'))  # it looks for jupytext.toml from there on up


def check_fences(text):
    """Every Python fence is executed (`.input`) or marked as not to be (`.noeval`)."""
    fences = re.findall(r'^ *(?:```+|~~~+) *\{? *\.?python.*', text, re.MULTILINE | re.IGNORECASE)
    for number, line in enumerate([line for line in fences if not line.startswith('```python .noeval')], 1):
        assert re.match(r'```python \.input\b', line), f'code cell {number}: d2lbook would show but not run {line}'
    for line in re.findall(r'^ *```+ *(?:bash|sh|shell)\b.*', text, re.MULTILINE):
        raise AssertionError(f'jupytext would run it: {line}, write console')


def check_cells(page_notebook, notebook):
    """The notebook has the page's cells."""
    for number, (ours, theirs) in enumerate(zip(page_notebook.cells, notebook.cells, strict=True)):
        assert (ours.cell_type, ours.source) == (theirs.cell_type, theirs.source), f'cell {number}: make notebooks'


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
    text = page.read_text()
    check_fences(text)
    notebook = nbformat.read(page.with_suffix('.ipynb'), as_version=4)
    nbformat.validate(notebook)
    check_cells(notebooks.read_page(page), notebook)
    check_outputs(notebook)
    assert jupytext.writes(notebook, 'md', config=CONFIG) == text
    assert notebook.metadata == notebooks.METADATA


def test_every_page_and_notebook_of_the_chapter_is_in_the_toc():
    assert {path.stem for path in notebooks.CHAPTER.glob('*.ipynb')} == {page.stem for page in PAGES}
    assert set(notebooks.CHAPTER.glob('*.md')) == set(PAGES)


@pytest.mark.parametrize('page', ENGLISH, ids=str)
def test_an_english_notebook_shows_the_outputs_of_the_chinese_one(page):
    cells, originals = (notebooks.code_cells(nbformat.read(path.with_suffix('.ipynb'), as_version=4))
                        for path in (page, notebooks.chinese(page)))
    assert [cell.outputs for cell in cells] == [cell.outputs for cell in originals], 'make notebooks'


@pytest.mark.parametrize('page', [path for path in Path('.').glob('*.md')], ids=str)
def test_other_pages_hold_no_code_to_run(page):
    check_fences(page.read_text())
    assert '```python .input' not in page.read_text()


@pytest.mark.parametrize('text', ['```python\n1\n```', '```{.python .input}\n1\n```', '```bash\nls\n```',
                                  '``` python .input\n1\n```', '```Python .input\n1\n```', '~~~python\n1\n~~~'])
def test_fences_that_would_not_run_are_noticed(text):
    with pytest.raises(AssertionError):
        check_fences(f'text\n\n{text}\n')


@pytest.mark.parametrize('source', ['x = 1\nx', 'print(1)', 'import matplotlib.pyplot as plt\n_ = plt.plot([1])'])
def test_missing_outputs_are_noticed(source):
    cell = nbformat.v4.new_code_cell(source, execution_count=1)
    with pytest.raises(AssertionError, match='no stored'):
        check_outputs(nbformat.v4.new_notebook(cells=[cell]))


def test_a_notebook_that_was_not_executed_is_noticed():
    with pytest.raises(AssertionError, match='not executed'):
        check_outputs(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('x = 1')]))


def test_a_changed_cell_is_noticed():
    one, other = (nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text)]) for text in ('x = 1', 'x = 2'))
    with pytest.raises(AssertionError, match='make notebooks'):
        check_cells(one, other)

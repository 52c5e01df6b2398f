"""The Chinese and the English edition say the same: code, headings, figures, labels, numbers, exercises and terms."""
import csv
import re
from pathlib import Path

import pytest

from book import notebooks

PAGES = [Path('index.md'), Path('references.md'), Path('status.md'), *notebooks.pages(),
         notebooks.CHAPTER / 'try.md', notebooks.CHAPTER / 'questions.md']
CODE = re.compile(r'^```.*?^```$', re.MULTILINE | re.DOTALL)
HAN = '\u3400-\u9fff'
# what a page is built of, in its order: headings with their level, code, list items, tables, equations and figures
BLOCKS = re.compile(r'^(#+ (?:\d+\. )?|```\S+(?: \.\w+)?|\* |\d+\. |\||\$\$.*?\$\$|!\[|:width:`\w+`)',
                    re.MULTILINE | re.DOTALL)
# what must be the same in both editions, without the _en of the English labels and pictures: in the same order, or,
# where the languages may order it differently, as often in the same section
IN_ORDER = {'blocks': BLOCKS, 'labels': re.compile(r'^:(?:eq)?label:`(\w+?)(?:_en)?`', re.MULTILINE),
            'figures': re.compile(r'!\[[^]]+\]\((.*?)(?:_en)?(\.\w+)\)'), 'citations': re.compile(r':cite:`([^`]+)`'),
            'minutes': re.compile(r'[（(](?:约|About )(\d+)')}
IN_SECTION = {'references': re.compile(r':(?:numref|eqref|ref):`(\w+?)(?:_en)?`'),
              'formulas': re.compile(r'(?<!\$)\$([^$\n]+)\$(?!\$)'),
              'inline code': re.compile(rf"(?<!`)`(?!photos = ')([^`\n{HAN}]+)`(?!`)"),
              'numbers': re.compile(r'(?<![A-Za-z\d_.,])\d+(?:[.,]\d+)*')}


def numbers_alike(text):
    """Write large numbers as the other language does: 128万 and 1.28 million become 1280000; names lose theirs."""
    text = re.sub(r'([\d.]+)万', lambda match: f'{float(match[1]) * 1e4:.0f}', text)
    text = re.sub(r'([\d.]+) million', lambda match: f'{float(match[1]) * 1e6:.0f}', text)
    return re.sub(r'三维|\b3D\b', '', text)


def marks(name, text):
    """Return what a section holds of one sort."""
    if name != 'references':
        text = re.sub(r':\w+:`[^`]+`', ' ', text)
    if name == 'numbers':
        text = numbers_alike(re.sub(r'\$[^$]+\$|`[^`\n]*`|^#* ?\d\. ', ' ', text, flags=re.MULTILINE))
    return sorted(IN_SECTION[name].findall(text))


def sections(text):
    """Split a page's text, less its code, at the headings."""
    return re.split(r'^(?=#+ )', CODE.sub('', text), flags=re.MULTILINE)[1:]


def compare(chinese, english):
    """Compare the texts of a page's two editions in everything that does not depend on the language."""
    for name, pattern in IN_ORDER.items():
        assert pattern.findall(chinese) == pattern.findall(english), f'other {name}'
    for section, edition in zip(sections(chinese), sections(english), strict=True):
        title = edition.splitlines()[0]
        for name in IN_SECTION:
            assert marks(name, section) == marks(name, edition), f'other {name} in {title}'
    assert not re.search(rf'[{HAN}，。：；（）“”]', english), 'Chinese in the English edition'
    assert chinese.count('**交出**：') == english.count('**Hand in**: '), 'an exercise does not say what to hand in'
    assert chinese.count('**做对的标志**：') == english.count('**It is right if**: '), 'an exercise lacks its criterion'


def glossary():
    """Read the glossary, the longest Chinese terms first: {term: pattern of the English ones}."""
    with open(Path(__file__).with_name('glossary.csv'), newline='') as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -len(row['chinese']))
    return {row['chinese']: '|'.join(filter(None, (row['english'], row['other forms']))) for row in rows}


def missing_terms(chinese, english):
    """List the terms of the Chinese text, section by section, that the English one does not translate."""
    missing = []
    for section, edition in zip(sections(chinese), sections(english), strict=True):
        title, edition = edition.splitlines()[0], re.sub(r'\s+', ' ', edition)
        for term, pattern in glossary().items():
            if term in section and not re.search(pattern, edition, re.IGNORECASE):
                missing.append((title, term, pattern))
            section = section.replace(term, ' ')  # 特征 is no term of its own within 特征图
    return missing


@pytest.fixture(params=PAGES, ids=str)
def editions(request):
    return request.param.read_text(), notebooks.english(request.param).read_text()


def test_the_editions_have_the_same_pages():
    english = [notebooks.chinese(page) for page in notebooks.pages(Path('index_en.md'))]
    assert english == notebooks.pages()
    assert {path.stem for path in Path('.').glob('*_en.md')} == {'index_en', 'references_en', 'status_en'}


@pytest.mark.parametrize('page', notebooks.pages(), ids=str)
def test_the_code_is_the_same(page):
    edition = notebooks.read_page(notebooks.english(page))
    assert notebooks.difference(notebooks.read_page(page), edition) is None
    assert not re.search(f'[{HAN}]', ''.join(cell.source for cell in edition.cells)), 'Chinese in the English edition'


def test_all_but_the_language_is_the_same(editions):
    compare(*editions)


def test_the_figure_is_the_same():
    drawings = [re.sub(r'>[^<]*<|(?:font-family|xml:lang)="[^"]*"', '><', Path('img', name).read_text())
                for name in ('fine-tune.svg', 'fine-tune_en.svg')]
    assert drawings[0] == drawings[1]


def test_the_terms_are_those_of_the_glossary(editions):
    assert missing_terms(*editions) == []


def test_the_glossary_holds_no_term_that_no_page_uses():
    text = ''.join(page.read_text() for page in PAGES)
    assert [term for term in glossary() if term not in text] == []


@pytest.mark.parametrize('old, new', [
    ('## Class imbalance', '### Class imbalance'), ('sec_dataset_en', 'sec_data_en'), ('first 24', 'first 42'),
    ('$F_1$', '$F_2$'), ('`load_data`', '`load`'), ('0.875 to', '0.857 to'), ('\n* When', '\nWhen'),
    ('recall}', 'recalls}')])
def test_a_difference_is_noticed(old, new):
    chinese, english = (notebooks.CHAPTER.joinpath(name).read_text() for name in ('dataset.md', 'dataset_en.md'))
    assert old in english
    with pytest.raises(AssertionError, match='other '):
        compare(chinese, english.replace(old, new))


def test_a_term_that_is_not_translated_is_noticed():
    chinese, english = '# 微调\n\n特征图和卷积核。\n', '# Fine-tuning\n\nThe maps of features and the kernels.\n'
    assert [term for _, term, _ in missing_terms(chinese, english)] == ['特征图']

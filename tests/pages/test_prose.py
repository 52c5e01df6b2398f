"""Every number in the text comes from the code or an output of its section, or has its source in tests/figures.csv."""
import csv
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from spellchecker import SpellChecker

from hotdog import studies as evidence
from book import notebooks
import utils

CHINESE, ENGLISH = (notebooks.pages(Path(name)) for name in ('index.md', 'index_en.md'))
NUMBER = re.compile(r'(?<![A-Za-z\d_.,-])\d+(?:[.,]\d+)*(?![A-Za-z\d_])')
MARKUP = re.compile(r'^```.*?^```|:\w+:`[^`]*`|^:\w+.*$|\]\([^)]*\)|`[^`\n]*`|\$+[^$]+\$+|^#+ (?:\d+\. )?|^\d+\. ',
                    re.MULTILINE | re.DOTALL)
FIGURES = list(csv.DictReader(Path(__file__).with_name('figures.csv').read_text().splitlines()))


def values(text):
    """Give the numbers of a text, without the commas of thousands."""
    return {float(number.replace(',', '')) for number in NUMBER.findall(text) if number.count('.') < 2}


def output_text(cell):
    """Give what a cell shows as text."""
    return '\n'.join(output.get('text', '') + output.get('data', {}).get('text/plain', '') for output in cell.outputs)


def unsourced(notebook, phrases):
    """List the numbers of a notebook's text, with their lines, that no cell of their section and no phrase holds."""
    sections = [([], [])]
    for cell in notebook.cells:
        if cell.cell_type == 'code':
            sections[-1][1].append(f'{cell.source}\n{output_text(cell)}')
        else:
            for part in re.split(r'^(?=#+ )', cell.source, flags=re.MULTILINE):
                if part.startswith('#'):
                    sections.append(([], []))
                sections[-1][0].append(part)
    missing = []
    for texts, cells in sections:
        known = values(re.sub(r'[\[\](),:x]', ' ', '\n'.join(cells))) | values('\n'.join(cells))
        text = '\n'.join(texts)
        for phrase in phrases:
            text = text.replace(phrase, ' ')
        missing += [(number, line) for line in MARKUP.sub(' ', text).splitlines() for number in NUMBER.findall(line)
                    if number.count('.') > 1 or float(number.replace(',', '')) not in known]
    return missing


class Outputs:
    """What the executed notebooks show, for the sources in figures.csv."""

    def __init__(self):
        self.notebooks = {page.stem: nbformat.read(page.with_suffix('.ipynb'), as_version=4) for page in CHINESE}

    def text(self, page):
        """Give all outputs of a page as one text."""
        return '\n'.join(output_text(cell) for cell in notebooks.code_cells(self.notebooks[page]))

    def source(self, page):
        """Give the text of a page."""
        return (notebooks.CHAPTER / f'{page}.md').read_text()

    def minutes(self, images, frozen=False):
        """Say how long training on so many pictures takes at the slowest rate that the reference shows."""
        rates = [float(rate) for rate in re.findall(r'(\d+) images/s', self.text('training'))]
        return images / min(rate for rate in rates if (rate > 100) == frozen) / 60

    def counts(self, split):
        """Give the number of negatives and positives of a split."""
        labels = utils.labels(getattr(utils.datasets.demo_set(), split))
        return np.bincount(labels.astype(int)).tolist()


@pytest.fixture(scope='module')
def outputs():
    return Outputs()


@pytest.mark.parametrize('language, page', [*(('chinese', page) for page in CHINESE),
                                            *(('english', page) for page in ENGLISH)], ids=str)
def test_every_number_in_the_text_has_a_source(language, page):
    notebook = nbformat.read(page.with_suffix('.ipynb'), as_version=4)
    phrases = [row[language] for row in FIGURES if row['page'] == notebooks.chinese(page).stem]
    text = '\n'.join(cell.source for cell in notebook.cells if cell.cell_type == 'markdown')
    assert [phrase for phrase in phrases if phrase not in text] == [], f'{page} no longer says this: tests/figures.csv'
    missing = unsourced(notebook, sorted(phrases, key=len, reverse=True))
    assert missing == [], f'{page}: correct it after the output, or give its source in tests/figures.csv'


@pytest.mark.parametrize('row', FIGURES, ids=lambda row: f'{row["page"]}: {row["english"]}')
def test_the_source_of_a_figure_agrees(row, outputs):
    kind, _, source = row['source'].partition(': ')
    assert kind in ('check', 'cited', 'fact', 'task') and source
    if kind == 'check':
        names = {'o': outputs, 'evidence': evidence, 'utils': utils, 're': re, 'Path': Path, 'np': np}
        assert eval(source, names), source
    elif kind == 'cited':
        assert source in Path('refs.bib').read_text(), f'{source} is not in refs.bib'


def test_a_number_without_source_is_noticed():
    cells = [nbformat.v4.new_markdown_cell('# Title\nThe accuracy is 0.938, of 1,000 pictures, 7 epochs.'),
             nbformat.v4.new_code_cell('n = 1000')]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert [number for number, _ in unsourced(notebook, ['7 epochs'])] == ['0.938']
    cells.append(nbformat.v4.new_code_cell('acc', outputs=[nbformat.v4.new_output('stream', text='val acc 0.938,')]))
    assert unsourced(nbformat.v4.new_notebook(cells=cells), ['7 epochs']) == []


def misspelt(text):
    """List the words that neither the dictionary nor tests/words.txt knows."""
    checker = SpellChecker()
    checker.word_frequency.load_words(Path(__file__).with_name('words.txt').read_text().split())
    text = re.sub(r'\]\([^)]*\)|https?:\S+|^:\w+.*$|:\w+:`[^`]*`|`[^`\n]*`|\$+[^$]+\$+|^```.*?^```', ' ', text,
                  flags=re.MULTILINE | re.DOTALL)
    return sorted(checker.unknown(re.findall(r"[A-Za-z]+(?:'[a-z]+)?", text)))


@pytest.mark.parametrize('page', [*ENGLISH, Path('index_en.md'), Path('README.md'), Path('data/README.md')], ids=str)
def test_english_is_spelt_correctly(page):
    assert misspelt(page.read_text()) == []


def test_a_misspelt_word_is_noticed():
    assert misspelt('We recieve the hot dog.') == ['recieve']

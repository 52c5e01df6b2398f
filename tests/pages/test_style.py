"""The style: ruff for programs and cells, the cells' size, English spelling."""
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from spellchecker import SpellChecker

from book import notebooks

SIZES = {page: [len([line for line in cell.source.splitlines() if line.strip()])
                for cell in notebooks.code_cells(notebooks.read_page(page))] for page in notebooks.pages()}
ENGLISH = [Path('index_en.md'), *notebooks.pages(Path('index_en.md')),
           *map(Path, ('README.md', 'CONTRIBUTING.md', 'data/README.md'))]


def misspelt(text):
    """List the words that neither the dictionary nor words.txt knows."""
    checker = SpellChecker()
    checker.word_frequency.load_words(Path(__file__).with_name('words.txt').read_text().split())
    text = re.sub(r'\]\([^)]*\)|https?:\S+|^:\w+.*$|:\w+:`[^`]*`|``.+?``|`[^`\n]*`|\$+[^$]+\$+|^```.*?^```', ' ', text,
                  flags=re.MULTILINE | re.DOTALL)
    return sorted(checker.unknown(re.findall(r"[A-Za-z]+(?:'[a-z]+)?", text)))


def test_ruff_finds_nothing():
    result = subprocess.run([sys.executable, '-m', 'ruff', 'check', '--output-format', 'concise', '.'],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_cells_are_short():
    assert statistics.median(sum(SIZES.values(), [])) <= 4
    assert {page: max(sizes) for page, sizes in SIZES.items() if max(sizes) > 15} == {}


@pytest.mark.parametrize('page', ENGLISH, ids=str)
def test_english_is_spelt_correctly(page):
    assert misspelt(page.read_text()) == []


def test_a_misspelt_word_is_noticed():
    assert misspelt('We recieve the hot dog.') == ['recieve']

"""The core, the pages that a student reads in an hour, stays short: words, characters and lines of code.

`PYTHONPATH=. python tests/pages/test_core.py` counts them.
"""
import re

from book import notebooks

CORE = ('index', 'dataset', 'training', 'prediction')
LIMITS = {'English words': 4500, 'Chinese characters': 6500, 'lines of code': 80}
CODE = re.compile(r'^```(?:python \.input|\{\.python \.noeval\})\n(.*?)^```', re.MULTILINE | re.DOTALL)
NOT_PROSE = re.compile(r'^```.*?^```|<!--.*?-->|^:(?:label|eqlabel|width):[^\n]*$|:\w+:`[^`]*`|\$+[^$]+\$+|`[^`\n]*`|'
                       r'\]\([^)]*\)', re.MULTILINE | re.DOTALL)


def count(chinese, english):
    """Return how long a page is in both editions, {name: number}; no alternative texts, no formulas."""
    chinese_prose, english_prose = (NOT_PROSE.sub(' ', text) for text in (chinese, english))
    return {'English words': len(re.findall(r"[A-Za-z][\w'-]*", english_prose)),
            'Chinese characters': len(re.findall('[\u3400-\u9fff]', chinese_prose)),
            'lines of code': sum(bool(line.strip()) for code in CODE.findall(chinese) for line in code.splitlines())}


def counts():
    """Return {page: what `count` returns} for the pages of the core."""
    pages = {name: notebooks.CHAPTER / f'{name}.md' for name in CORE}
    return {name: count(page.read_text(), notebooks.english(page).read_text()) for name, page in pages.items()}


def test_the_core_is_short():
    for name, limit in LIMITS.items():
        assert sum(page[name] for page in counts().values()) <= limit, name


def test_the_first_trained_result_stands_in_the_first_quarter():
    page = (notebooks.CHAPTER / 'index_en.md').read_text()
    before = page[:page.index('.fit(')]
    assert count('', before)['English words'] <= LIMITS['English words'] / 4


def test_what_counts():
    text = ('# A title\n:label:`sec_a`\n\nTwo words, `code`, $x$ 热狗。\n\n<!-- alt: no -->\n\n'
            '```python .input\nx = 1\n\ny = 2\n```\n')
    assert count(text, text) == {'English words': 4, 'Chinese characters': 2, 'lines of code': 2}


if __name__ == '__main__':
    for name, values in counts().items():
        print(f'{name:12}', values)

"""Make a lecture's slides from the pages: `make slides`, one HTML file a language in `_build/slides`, and PDFs.

The comment `<!-- slide -->` below a heading of a page makes a slide of that section: its title, its first sentence,
its first figure, picture, table or list, or where there is none its first cell with outputs, and its prose as the
speaker's note (key S). `<!-- slide: code -->` shows that cell in any case, `<!-- slide: live -->` the page `try`.
Slides and pages cannot differ, since there is nothing on a slide that is not on its page.
"""
import base64
import html
import os
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from assignments.generate import resolve
from book import notebooks
from book.notebooks import BUILD, CHAPTER, ROOT
from hotdog import web

FOLDER = BUILD / 'slides'
MARK = re.compile(r'^<!-- slide(?:: (\w+))? -->\n?', re.MULTILINE)
FIGURE = re.compile(r'^!\[.*?\]\((.+?)\)', re.MULTILINE)
BLOCK = re.compile(r'^(?:\$\$.+?\$\$|(?:(?:\* |\d\. |\|)[^\n]*\n?)+)', re.MULTILINE | re.DOTALL)
SENTENCE = re.compile(r'.{25,}?(?:[。！？]|[.!?:](?= |$))|.*')  # the first one, or two short ones, of a paragraph
LONG = 340  # characters of a list from which it is set smaller
PRINT = '?print-pdf'


def sections(page):
    """Return the sections of a page, a list of [title, text, code cells with their outputs]."""
    stored, found = page.with_suffix('.ipynb'), []
    executed = iter(notebooks.code_cells(nbformat.read(stored, as_version=4)) if stored.exists() else ())
    for cell in notebooks.read_page(page).cells:
        if cell.cell_type == 'code':
            found[-1][2].append(next(executed, cell))
            continue
        for part in filter(None, re.split(r'^(?=#+ )', cell.source, flags=re.MULTILINE)):
            title = re.match(r'#+ (.*)\n?', part)
            if title:
                found.append([title[1], part[title.end():] + '\n\n', []])
            else:
                found[-1][1] += part + '\n\n'
    return found


def shown(cells, name):
    """Return the first picture, or else the first table, that cells show, as Markdown; a picture becomes a file."""
    outputs = [output.data for cell in cells for output in cell.get('outputs', []) if 'data' in output]
    for data in outputs:
        if 'image/png' in data:
            (FOLDER / f'{name}.png').write_bytes(base64.b64decode(data['image/png']))
            return f'![]({(FOLDER / name).resolve()}.png)'
    for data in outputs:
        if 'text/markdown' in data:
            return data['text/markdown']
        if '<table' in data.get('text/html', ''):
            return re.sub(r'<style.*?</style>', '', data['text/html'], flags=re.DOTALL)
    return ''


def content(text, cells, name, kind):
    """Return what a slide shows below its title, as Markdown."""
    figure, block = FIGURE.search(text), BLOCK.search(text)
    paragraph = next((part for part in text.split('\n\n') if part[:1] not in tuple('|!<$:`123456789') + ('',)
                      and not part.startswith('* ')), '')
    lead = SENTENCE.match(paragraph.replace('\n', ' ')).group().strip()
    if kind == 'live':
        return f'{lead}\n\n{live(name.endswith("_en"))}'
    body = ''
    if kind != 'code':
        body = f'![]({figure[1]})' if figure else shown(cells, name) or (block[0] if block else '')
    if not body and cells:
        cell = next((cell for cell in cells if cell.get('outputs')), cells[0])
        texts = [output.get('text') or output.data['text/plain'] for output in cell.get('outputs', [])]
        body = f'```python\n{cell.source}\n```\n\n' + ''.join(f'```\n{text}\n```\n\n' for text in texts)
    lead = '' if body.strip() == text else f'{lead}\n\n'  # a list is all that there is
    return f'{lead}::: long\n{body}\n:::' if len(body) > LONG and body[0] in '*1' else lead + body


def live(english):
    """Return the page `try` as a frame that needs nothing else."""
    parts = [(web.FOLDER / f'{part}.js').read_text() for part in ('labels', 'network', 'picture', 'weights', 'try')]
    page = web.PAGE.format(policy=web.POLICY, title='', note='', scripts='\n'.join(parts),
                           style=web.STYLE + (web.FOLDER / 'try.css').read_text())
    page = re.sub('<script>if .*?</script>', '', page).replace('lang="zh"', f'lang="{"en" if english else "zh"}"')
    return f'<iframe srcdoc="{html.escape(page)}"></iframe>'


def deck(language):
    """Return the slides of a language as Markdown for pandoc, and their number."""
    start = Path('index_en.md' if language == 'en' else 'index.md')
    pages, slides = [*notebooks.pages(start), CHAPTER / f'try{"_en" if language == "en" else ""}.md'], []
    for page in pages:
        for number, (title, text, cells) in enumerate(sections(page)):
            mark, text = MARK.search(text), resolve(MARK.sub('', text), language)
            if not mark:
                continue
            text = re.sub(r' ?:numref:`(?:fig|tab)_\w+` ?', {'zh': '图', 'en': ' the figure'}[language], text)
            text = re.sub(r'^:\w+:[^\n]*\n?|<!-- (?:alt|TODO).*?-->\n?', '', text,
                          flags=re.MULTILINE | re.DOTALL).strip()
            body = content(text, cells, f'{page.stem}-{number}{"_en" if language == "en" else ""}', mark[1])
            note = re.sub(r'^(?:!\[|\$\$|\|).*\n?', '', text, flags=re.MULTILINE).strip()
            slides.append(f'# {title}\n\n{body}\n\n::: notes\n{note}\n:::\n')
    return '\n'.join(slides), len(slides)


def make(language):
    """Write a language's slides, HTML and, where there is Chromium, PDF; return their number."""
    text, count = deck(language)
    source, target = FOLDER / f'slides_{language}.md', (FOLDER / f'slides_{language}.html').resolve()
    source.write_text(text)
    subprocess.run(['pandoc', source, '--from', 'markdown-auto_identifiers-implicit_figures', '--to', 'revealjs',
                    '--output', target, '--standalone', '--embed-resources', '--mathml', '--slide-level', '1',
                    '--resource-path', CHAPTER, '--variable', f'revealjs-url={ROOT}/book/look/reveal',
                    '--variable', 'theme=book', '--variable', 'width=1200', '--variable', 'height=740', '--variable',
                    'center=false', '--variable', 'slideNumber=true', '--variable', 'transition=none',
                    '--variable', 'hash=true', '--metadata', f'lang={language}', '--metadata',
                    f'pagetitle={text.splitlines()[0][2:]}'], check=True)
    if shutil.which('chromium'):
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which('chromium'), args=['--no-sandbox'])
            tab = browser.new_page()
            tab.goto(f'file://{target}{PRINT}')
            tab.wait_for_selector('.pdf-page')
            tab.pdf(path=target.with_suffix('.pdf'), prefer_css_page_size=True, print_background=True)
            browser.close()
    return count


def main():
    """Make both languages' slides and say where they are."""
    os.chdir(ROOT)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for language in ('zh', 'en'):
        print(f'{FOLDER}/slides_{language}.html: {make(language)} slides; S shows the notes, {PRINT} is for printing')


if __name__ == '__main__':
    main()

"""Render the executed notebooks as a website, with d2lbook and Sphinx; nothing is executed here.

The site is `_build/html`, or `_build/photos/html` when the settings are not the default: the Chinese edition, and the
English one in its folder `en`. It is rebuilt whole when anything it is made from changed, and replaces the old one
only when it is complete; a failure leaves no site at all.
"""
import configparser
import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import nbformat
import pypandoc
import yaml
from d2lbook.build import Builder
from d2lbook.config import Config
from PIL import Image

from assignments import generate as assignment
from book import localise
from book import notebooks
from book import status
from book.notebooks import BUILD, CHAPTER, digest, file_digest

EDITIONS = {'zh': 'config.ini', 'en': 'config_en.ini'}
# the alternative text of a cell's picture: a comment in the text before the cell, which readers of notebooks do not see
ALTERNATIVE = re.compile(r'<!-- alt: (.+?) -->', re.DOTALL)
HANZI = '\u3000-\u303f\u3400-\u9fff\uff00-\uffef'
CHINESE = f'\u2014\u2018-\u201d\u2026{HANZI}'
# a line's end next to Chinese, unless the next line begins a block or a mark that must stand apart
BREAK = re.compile(rf'(?<=[{CHINESE}])\n(?=[^\s:|#>*+!-])(?!\d+\. |<!--)|(?<=[\w)])\n(?=[{CHINESE}])')
MARK = r':(?:numref|eq):`'
# the space between Chinese and a reference
GAP = re.compile(rf'(?<=[{HANZI}])(?: |\n *)(?=({MARK}))|({MARK}[^`]+`)(?: |\n *)(?=[{HANZI}])')


def sources(executed):
    """Hash everything the site is made from."""
    files = [Path(name) for name in (*EDITIONS.values(), 'refs.bib', 'requirements.lock', 'CITATION.cff')]
    for folder, pattern in (('.', '*.md'), (CHAPTER, '*.md'), (executed, '*.ipynb'), (executed, '*.json'), ('img', '*'),
                            ('book', '**/*'), (assignment.SOURCES, '*.md')):
        files += [path for path in Path(folder).glob(pattern) if path.is_file()]
    return digest([(str(path), file_digest(path)) for path in sorted(files)])


def configuration(edition, work):
    """Load an edition's configuration with its output below `work`."""
    parser = configparser.RawConfigParser()
    parser.read(edition, encoding='utf-8')
    parser['build']['output_dir'] = str(work)
    with open(work / edition, 'w', encoding='utf-8') as file:
        parser.write(file)
    return Config(config_fname=str(work / edition))


def for_d2lbook(text):
    """Adapt a text cell: code that is only shown, line breaks in Chinese, and marks in tables.

    A line break would be shown as a space. The marks are shortened by d2lbook after the layout of the table: written as
    raw roles, they are as wide in pandoc's table as they are in Sphinx's.
    """
    def role(mark):
        return f'`` :{"eq" if mark[1] == "eqref" else mark[1]}:`{mark[2]}` ``{{=rst}}'

    parts = re.split(r'(^```.*?^```$|^#.*?\n)', ALTERNATIVE.sub('', text), flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [BREAK.sub('', part) for part in parts[::2]]
    # Sphinx numbers the sections itself
    parts[1::2] = [re.sub(r'^(#+ )\d+\. ', r'\1', part) for part in parts[1::2]]
    text = re.sub(r'^(\| *\d+\.) ', '\\1\u00a0', ''.join(parts), flags=re.MULTILINE)  # no list begins in a table
    lines = text.replace('```python .noeval', '```python').split('\n')
    return '\n'.join(re.sub(r':(ref|numref|eqref|cite):`([^`]+)`', role, line) if line.lstrip().startswith('|')
                     else line for line in lines)


def alternatives(page, notebook):
    """List the alternative texts of a page's output pictures; raise RuntimeError unless there is one for each."""
    texts, used = [], []
    for cell in notebook.cells:
        if cell.cell_type == 'markdown':
            texts += [re.sub(r'\s+', ' ', text) for text in ALTERNATIVE.findall(cell.source)]
        for _ in [output for output in cell.get('outputs', ()) if 'image/png' in output.get('data', ())]:
            if not texts:
                raise RuntimeError(f'{page}, the cell {cell.source.splitlines()[0]!r} shows a picture: describe it in '
                                   'a comment <!-- alt: ... --> at the end of the text before it')
            used.append(texts.pop(0))
    if texts:
        raise RuntimeError(f'{page}: no picture follows the comment <!-- alt: {texts[0]} -->, remove it')
    return used


def prepare_pages(config, executed):
    """Lay the pages, with the outputs of the executed notebooks, where d2lbook expects executed notebooks.

    Returns the alternative texts of each page's output pictures, {page: [text]}.
    """
    found = {}
    for name in Builder(config)._find_md_files()[0]:
        page = Path(name)
        notebook = notebooks.read_page(page)
        if notebooks.code_cells(notebook):
            source = executed / notebooks.chinese(page).with_suffix('.ipynb').name
            try:
                notebooks.attach_outputs(notebook, nbformat.read(source, as_version=4))
            except OSError:
                raise RuntimeError(f'{page} is not executed yet: run make book') from None
            except ValueError as error:
                raise RuntimeError(f'{page}, {error}: run make book') from None
        found[page] = alternatives(page, notebook)
        for cell in notebook.cells:
            if cell.cell_type == 'markdown':
                cell.source = for_d2lbook(cell.source)
        target = Path(config.eval_dir, page).with_suffix('.ipynb')
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
    return found


def polish(rst):
    """Adapt the text of a page for site and paper: outputs, pictures, references within Chinese.

    What a cell prints is text, not code in a language. A picture with a label is a numbered figure with a caption; one
    without is no more than a picture. Between a reference and Chinese there is no space.
    """
    def figure(match):
        label, path, options, caption = match.groups()
        text = re.sub(r'\s+', ' ', caption).strip()
        if label:
            return f'{label}.. figure:: {path}\n{options}   :alt: {text}\n\n{caption}'
        return f'.. image:: {path}\n{options}   :alt: {text}\n'

    rst = re.sub(r'^\.\. parsed-literal::(?=\n    :class: output)', '.. code-block:: none', rst, flags=re.MULTILINE)
    rst = re.sub(r'(^\.\. _\S+:\n\n)?^\.\. figure:: (\S+)\n((?:   :\w+:.*\n)*)\n((?:   \S.*\n)+)', figure, rst,
                 flags=re.MULTILINE)
    parts = re.split(r'(^ *[|+].*\n)', rst, flags=re.MULTILINE)  # tables keep their layout
    parts[::2] = [GAP.sub(r'\2\\ ', part) for part in parts[::2]]
    return ''.join(parts)


def describe_pictures(file, texts):
    """Give the output pictures of a page in reStructuredText their alternative texts, and a smaller format."""
    texts = iter(texts)

    def output(match):
        picture = file.parent / match[1]
        with Image.open(picture) as image:  # drawings stay sharp; photographs would be four times as large
            lossless = len(image.convert('RGB').quantize(256).getcolors()) < 256 or picture.stat().st_size < 100_000
            name = f'output_{file_digest(picture)[:12]}.webp'  # the same in both editions, which share it
            image.convert('RGB').save(picture.with_name(name), lossless=lossless, quality=90, method=6)
        return f'.. figure:: {name}\n   :alt: {next(texts)}\n'

    rst = re.sub(r'^\.\. figure:: (output_\S+\.png)\n', output, file.read_text(), flags=re.MULTILINE)
    file.write_text(polish(rst))


def papers(folder, key):
    """List the PDFs in a folder if they were made from the sources that have this hash."""
    key_file = folder / '.key'
    return sorted(folder.glob('*.pdf')) if key_file.exists() and key_file.read_text() == key else []


def lay_extras(folder, names, pdfs):
    """Lay the files that the site offers as they are: notebooks without outputs, pages' texts, the edition's PDF."""
    folder.mkdir()
    for pdf in pdfs:
        shutil.copy(pdf, folder)
    for name in names:
        page = folder / name
        page.parent.mkdir(parents=True, exist_ok=True)
        notebook = notebooks.read_page(Path(name))
        if notebooks.code_cells(notebook):
            nbformat.write(notebook, page.with_suffix('.ipynb'))
        # servers and browsers take a text without this mark for one in another encoding than UTF-8
        page.with_suffix('.md.txt').write_text(Path(name).read_text(), encoding='utf-8-sig')


def name_alike(rst):
    """Give the English pages the names of the Chinese ones: a page is at the same address in both editions."""
    for page in Path(rst).rglob('*_en.rst'):
        page.rename(notebooks.chinese(page))
    index, settings = Path(rst, 'index.rst'), Path(rst, 'conf.py')
    index.write_text(re.sub(r'^( +\S+)_en$', r'\1', index.read_text(), flags=re.MULTILINE))  # the entries of the toc
    settings.write_text(settings.read_text().replace("'index_en'", "'index'"))


def render(edition, executed, work, pdfs):
    """Render one edition, which offers `pdfs`; return its folder. Raises RuntimeError with Sphinx's warnings."""
    work.mkdir(parents=True)
    config = configuration(edition, work)
    texts = prepare_pages(config, executed)
    lay_extras(work / 'extra', map(str, texts), [pdf for pdf in pdfs if pdf.stem.endswith(work.name)])
    log = work / 'log'
    with open(log, 'w') as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        Builder(config).rst()
    name_alike(config.rst_dir)
    rst = Path(config.rst_dir)
    for page, alternative in texts.items():
        describe_pictures(rst / notebooks.chinese(page).with_suffix('.rst'), alternative)
    index, settings = rst / 'index.rst', rst / 'conf.py'
    (rst / 'status.rst').write_text(status.page(executed, work.name))
    index.write_text(f'{index.read_text().rstrip()}\n   status\n')  # after the last entry of the toc
    web = Path('book/look/conf.py').resolve()
    settings.write_text(f'{settings.read_text()}\n__file__ = {str(web)!r}\nexec(open(__file__).read())\n')
    shutil.copytree('book/look/static', rst / '_static', dirs_exist_ok=True)
    shutil.copytree('book/look/locale', work / 'locale')
    html = work / 'html'
    command = [sys.executable, '-m', 'sphinx', '-b', 'html', '-W', '--keep-going', '-q', '-d', work / 'doctrees',
               config.rst_dir, html]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        faults = result.stderr.strip().replace(f'{Path(config.rst_dir).resolve()}/', '')
        raise RuntimeError(f'Sphinx found faults in the pages:\n{faults}')
    return html


def main():
    """Render the site if anything it is made from changed."""
    try:
        chosen = notebooks.settings()
    except OSError as error:
        sys.exit(str(error))
    # pandoc comes with the package pypandoc
    os.environ['PATH'] = os.pathsep.join([str(Path(pypandoc.get_pandoc_path()).parent), os.environ['PATH']])
    logging.getLogger().setLevel(logging.WARNING)
    executed, site = BUILD / 'executed' / notebooks.variant(chosen), notebooks.site(chosen)
    try:
        with notebooks.exclusive():
            key = sources(executed)
            pdfs = papers(site.with_name('pdf'), key)
            key = digest(key, [file_digest(pdf) for pdf in pdfs])
            key_file, work = site / '.key', site.with_name('work')
            if key_file.exists() and key_file.read_text() == key:
                print(f'{site}/index.html is up to date')
                return
            for folder in (site, work):
                shutil.rmtree(folder, ignore_errors=True)
            html, english = (render(edition, executed, work / language, pdfs) for language, edition in EDITIONS.items())
            os.replace(english, html / 'en')
            assignment.add_to(html)
            shutil.copy('img/cover.jpg', html)
            address = yaml.safe_load(Path('CITATION.cff').read_text()).get('url')
            localise.finish(html, jinja2.Template(Path('book/look/templates/404.html').read_text()).render(address=address))
            (html / '.key').write_text(key)
            os.replace(html, site)
    except (RuntimeError, OSError) as error:
        sys.exit(notebooks.sentence(error))
    except KeyboardInterrupt:
        sys.exit('stopped: run make again')
    print(f'The book is {site}/index.html')


if __name__ == '__main__':
    os.chdir(notebooks.ROOT)
    main()

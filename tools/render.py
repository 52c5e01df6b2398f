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

import nbformat
import pypandoc
from d2lbook.build import Builder
from d2lbook.config import Config

import assignment
import localise
import notebooks
from notebooks import BUILD, CHAPTER, digest, file_digest

EDITIONS = {'zh': 'config.ini', 'en': 'config_en.ini'}


def sources(executed):
    """Hash everything the site is made from."""
    files = [Path(name) for name in (*EDITIONS.values(), 'refs.bib', 'requirements.lock')]
    for folder, pattern in (('.', '*.md'), (CHAPTER, '*.md'), (executed, '*.ipynb'), ('img', '*'), ('static', '**/*'),
                            (assignment.SOURCES, '*.md'), ('tools', '*.py')):
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
    """Adapt a text cell: code that is only shown, and marks in tables, which d2lbook shortens after the layout.

    Written as raw roles, the marks are as wide in pandoc's table as they are in Sphinx's.
    """
    def role(mark):
        return f'`` :{"eq" if mark[1] == "eqref" else mark[1]}:`{mark[2]}` ``{{=rst}}'

    lines = text.replace('```python .noeval', '```python').split('\n')
    return '\n'.join(re.sub(r':(ref|numref|eqref|cite):`([^`]+)`', role, line) if line.lstrip().startswith('|')
                     else line for line in lines)


def prepare_pages(config, executed):
    """Lay the pages, with the outputs of the executed notebooks, where d2lbook expects executed notebooks."""
    for name in Builder(config)._find_md_files()[0]:
        page = Path(name)
        notebook = notebooks.read_page(page)
        for cell in notebook.cells:
            if cell.cell_type == 'markdown':
                cell.source = for_d2lbook(cell.source)
        if notebooks.code_cells(notebook):
            source = executed / notebooks.chinese(page).with_suffix('.ipynb').name
            try:
                notebooks.attach_outputs(notebook, nbformat.read(source, as_version=4))
            except OSError:
                raise RuntimeError(f'{page} is not executed yet: run make book') from None
            except ValueError as error:
                raise RuntimeError(f'{page}, {error}: run make book') from None
        target = Path(config.eval_dir, page).with_suffix('.ipynb')
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)


def name_alike(rst):
    """Give the English pages the names of the Chinese ones: a page is at the same address in both editions."""
    for page in Path(rst).rglob('*_en.rst'):
        page.rename(notebooks.chinese(page))
    index, settings = Path(rst, 'index.rst'), Path(rst, 'conf.py')
    index.write_text(re.sub(r'^( +\S+)_en$', r'\1', index.read_text(), flags=re.MULTILINE))  # the entries of the toc
    settings.write_text(settings.read_text().replace("'index_en'", "'index'"))


def render(edition, executed, work):
    """Render one edition; return its folder. Raises RuntimeError with Sphinx's warnings if there are any."""
    work.mkdir(parents=True)
    config = configuration(edition, work)
    prepare_pages(config, executed)
    log = work / 'log'
    with open(log, 'w') as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        Builder(config).rst()
    name_alike(config.rst_dir)
    shutil.copytree('static', Path(config.rst_dir, '_static'), dirs_exist_ok=True)
    html = work / 'html'
    command = [sys.executable, '-m', 'sphinx', '-b', 'html', '-W', '--keep-going', '-q', config.rst_dir, html]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        faults = result.stderr.strip().replace(f'{Path(config.rst_dir).resolve()}/', '')
        raise RuntimeError(f'Sphinx found faults in the pages:\n{faults}')
    localise.localise(html)
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
    with notebooks.exclusive():
        key, key_file, work = sources(executed), site / '.key', site.with_name('work')
        if key_file.exists() and key_file.read_text() == key:
            print(f'{site}/index.html is up to date')
            return
        for folder in (site, work):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            html, english = (render(edition, executed, work / language) for language, edition in EDITIONS.items())
            os.replace(english, html / 'en')
            assignment.add_to(html)
            localise.link_editions(html)
        except (RuntimeError, OSError) as error:
            sys.exit(f'{error}')
        (html / '.key').write_text(key)
        os.replace(html, site)
    print(f'The book is {site}/index.html')


if __name__ == '__main__':
    os.chdir(notebooks.ROOT)
    main()

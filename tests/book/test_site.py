"""The site of both editions in Chromium, opened from the disk: what it loads, shows, finds and weighs, and WCAG.

It is made in a copy of the clone by the commands that a reader types.
"""
import gzip
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

from book import notebooks

TOC = re.findall(r'^(?:chapter_fine_tuning/)?\w+$', (notebooks.ROOT / 'index.md').read_text(), re.MULTILINE)
NAMES = [f'{name}{{}}.html' for name in ('index', *TOC)]
PAGES = [*(name.format('') for name in NAMES), *(f'en/{name.format("_en")}' for name in NAMES), 'search.html',
         'en/search.html', '404.html']
WCAG = {'runOnly': ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], 'resultTypes': ['violations']}
MEGABYTE = 1_000_000
# what the page itself can tell: pictures that are missing or not described, formulas that are not drawn, links
LOOK = """() => ({
  pictures: Array.from(document.images, i => [i.getAttribute('src'), i.complete && i.naturalWidth > 0, i.alt.trim()]),
  formulas: document.querySelectorAll('.math').length,
  drawn: document.querySelectorAll('.math mjx-container svg').length,
  faulty: document.querySelectorAll('mjx-merror, [data-mjx-error]').length,
  links: Array.from(document.querySelectorAll('a[href]'), a => a.href),
  struck: Array.from(document.querySelectorAll('div.math'), math => ['mjx-container', '.eqno']
    .map(part => math.querySelector(part)?.getBoundingClientRect()))
    .filter(([f, n]) => n && f?.right > n.left && f.bottom > n.top).length,
  width: document.documentElement.scrollWidth})"""


def clone(folder):
    """Copy what git knows, and new files, into a folder; return the environment in which d2lbook is on the path."""
    names = subprocess.check_output(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], text=True,
                                    cwd=notebooks.ROOT).splitlines()
    for name in names:
        if (notebooks.ROOT / name).is_file() and not name.startswith(('renderer/', 'tests/')):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(notebooks.ROOT / name, folder / name)
    return {**os.environ, 'PATH': os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])}


def command(folder, environment, *words):
    """Run a command in a folder, and return all that it says; it may not fail."""
    result = subprocess.run(words, cwd=folder, env=environment, text=True, capture_output=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout + result.stderr


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """Render the committed notebooks: d2lbook's own command makes the Chinese edition."""
    folder = tmp_path_factory.mktemp('clone')
    environment = clone(folder)
    command(folder, environment, sys.executable, '-m', 'book.execute', '--stored')
    said = command(folder, environment, 'd2lbook', 'build', 'html')
    assert 'build succeeded.' in said
    command(folder, environment, sys.executable, '-m', 'book.edition', 'config_en.ini', 'html')
    command(folder, environment, sys.executable, '-m', 'assignments.generate', '--site', '_build/html')
    return folder / '_build/html'


@pytest.fixture
def tab(open_tab):
    return open_tab(viewport={'width': 1280, 'height': 800}, color_scheme='light')


def visit(tab, file):
    """Open a page and wait until its formulas are drawn; return what it tells of itself."""
    tab.goto(file.as_uri(), wait_until='load')
    tab.evaluate('() => window.MathJax?.startup?.promise')
    return tab.evaluate(LOOK)


def dead_links(links, file):
    """List the links that lead to no file, or to no place in their page; addresses elsewhere are not followed."""
    dead = []
    for link in links:
        target, fragment = urldefrag(link)
        if target.startswith('file:'):
            path = Path(unquote(urlsplit(target).path))
            if not path.is_file() or (fragment and f'id="{unquote(fragment)}"' not in path.read_text()):
                dead.append(link)
        elif not target.startswith('https://'):
            dead.append(link)
    return dead


def faults(tab, file):
    """List all that is wrong with a page."""
    seen = visit(tab, file)
    found = list(tab.faults)
    text = file.read_text()
    if text.count('<div') != text.count('</div>'):
        found.append('opens and closes different numbers of <div>')
    found += [f'has a missing picture {src}' for src, loaded, _ in seen['pictures'] if not loaded]
    found += [f'does not describe {src}' for src, _, alt in seen['pictures'] if not alt or src.endswith(alt)]
    if seen['drawn'] != seen['formulas'] or seen['faulty']:
        found.append(f'shows {seen["drawn"]} of {seen["formulas"]} formulas, {seen["faulty"]} with an error')
    found += [f'has the dead link {link}' for link in dead_links(seen['links'], file)]
    for scheme in ('light', 'dark'):
        tab.emulate_media(color_scheme=scheme)
        for violation in Axe().run(tab, options=WCAG).response['violations']:
            nodes = '; '.join(node['html'][:150] for node in violation['nodes'][:3])
            found.append(f'breaks {violation["id"]} in {scheme} colours: {nodes}')
    tab.set_viewport_size({'width': 360, 'height': 740})
    small = tab.evaluate(LOOK)
    if seen['struck'] or small['struck']:
        found.append('has a formula that covers its number')
    return found + ([f'is {small["width"]} pixels wide where 360 are there'] if small['width'] > 360 else [])


def weight(file):
    """Return the bytes of a file as a compressing server sends it."""
    content = Path(file).read_bytes()
    return len(gzip.compress(content, 6)) if Path(file).suffix in {'.html', '.css', '.js', '.svg'} else len(content)


@pytest.mark.parametrize('name', PAGES)
def test_the_page_is_whole_local_light_and_accessible(site, tab, name):
    assert faults(tab, site / name) == []
    assert sum(map(weight, set(tab.files))) <= 1.5 * MEGABYTE


def test_every_page_was_looked_at_and_the_site_is_small(site):
    assert {str(page.relative_to(site)) for page in site.rglob('*.html')} == {*PAGES, 'en/index.html'}
    assert 'url=index_en.html' in (site / 'en/index.html').read_text()
    assert sum(-(-file.stat().st_size // 4096) * 4096 for file in site.rglob('*') if file.is_file()) <= 13 * MEGABYTE


def test_faults_are_noticed(tab, tmp_path):
    (tmp_path / 'page.html').write_text("""<title>x</title><img src="none.png"><p style="color: #ccc">pale
<script src="http://127.0.0.1:9/x.js"></script><script>console.error("oh")</script><a href="none.html">a</a>
<a href="#none">b</a><span class="math">\\(x\\)</span><div class="math"><i class="eqno"
style="position: absolute">1</i><mjx-container>x</mjx-container></div><div style="width: 500px">wide</div></div>""")
    text = '\n'.join(faults(tab, tmp_path / 'page.html'))
    for part in ('requests http://127.0.0.1:9/x.js', 'misses file:', 'says oh', 'missing picture none.png',
                 'does not describe none.png', 'shows 0 of 2 formulas', 'dead link file:', '#none',
                 '<div>', 'covers its number', 'breaks color-contrast', 'in dark colours',
                 'breaks html-has-lang', 'pixels wide'):
        assert part in text, part


@pytest.mark.parametrize('name', ['index.html', 'en/chapter_fine_tuning/training_en.html'])
def test_the_content_security_policy_stops_what_is_not_the_page_s_own(site, tab, name):
    visit(tab, site / name)
    assert tab.faults == []
    with socket.create_server(('127.0.0.1', 0)) as server:
        address = f'http://127.0.0.1:{server.getsockname()[1]}/'
        ran = tab.evaluate('() => { const script = document.createElement("script"); script.textContent = '
                           '"window.injected = 1"; document.body.append(script); return window.injected }')
        assert ran is None and 'Content Security Policy' in tab.faults[-1]
        assert tab.evaluate('address => fetch(address).then(() => "reached", () => "stopped")', address) == 'stopped'
        tab.evaluate('address => { new Image().src = address }', address)
        server.settimeout(0.3)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize('edition, query, page', [
    ('', '微调', 'training'), ('', '类别激活图', 'prediction'), ('', '预算不同', 'mistakes'), ('', '腊肠犬', 'dataset'),
    ('', '热狗 混淆矩阵', 'prediction'), ('', 'SqueezeNet', 'index'), ('', '鲸', None),
    ('en/', 'recall', 'dataset'), ('en/', 'confusion matrix', 'prediction'), ('en/', 'whale', None)])
def test_the_search_works_from_the_disk(site, tab, edition, query, page):
    tab.goto(f'{(site / edition / "search.html").as_uri()}?q={query}')
    tab.wait_for_function("() => document.querySelector('#search-results p.search-summary')?.innerText.length > 0 && "
                          "!document.querySelector('#search-results h2')?.innerText.includes('...')")
    tab.wait_for_timeout(100)
    results = tab.eval_on_selector_all('#search-results li a', 'links => links.map(a => a.href)')
    if page:
        assert any(f'/{page}{edition and "_en"}.html' in result for result in results), results
        assert ('页' in tab.inner_text('p.search-summary')) is not bool(edition)
        tab.goto(results[0])
    else:
        assert results == []
    assert tab.faults == []


def test_labels_are_in_the_page_s_language(site, tab):
    text = (site / 'chapter_fine_tuning/training.html').read_text()
    assert all(word in text for word in ('搜索', '本页内容', '上一页', '下一页', '回到页首', '切换浅色', '收起目录'))
    assert not any(word in text for word in ('Toggle', 'Hide ', 'Permalink', 'Back to top', 'Search'))
    visit(tab, site / 'chapter_fine_tuning/training.html')
    assert set(tab.eval_on_selector_all('button.copybtn', 'all => all.map(b => b.dataset.tooltip)')) == {'复制'}
    assert tab.evaluate("() => document.querySelectorAll('.output .copybtn').length") == 0


@pytest.mark.parametrize('folder, foreign', [('_images', '[a-z]{2}'), ('en/_images', '[\u3400-\u9fff]')])
def test_drawings_are_labelled_in_the_page_s_language(site, folder, foreign):
    drawings = [path.read_text() for path in (site / folder).glob('output_*.svg')]
    labels = [re.findall(r'>([^<>]*\S[^<>]*)</text>', drawing) for drawing in drawings]
    assert len(labels) == 8 and all(labels)
    assert [label for label in sum(labels, []) if re.search(foreign, label)] == []


def test_the_copy_button_copies_the_cell(site, tab):
    visit(tab, site / 'chapter_fine_tuning/index.html')
    tab.evaluate('document.execCommand = () => (window.copied = getSelection().toString() || '
                 'document.activeElement.value, true)')
    tab.locator('button.copybtn').first.click()
    assert 'utils.pretrained_net()' in tab.evaluate('window.copied')


def test_the_keyboard_reaches_the_text_first_and_shows_where_it_is(site, tab):
    visit(tab, site / 'chapter_fine_tuning/training.html')
    focus = """() => { const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
        return [e.tagName, box.right > 0 && style.outlineStyle !== 'none' && style.opacity > 0] }"""
    tab.keyboard.press('Tab')
    assert tab.evaluate(focus) == ['A', True] and tab.evaluate('document.activeElement.hash') == '#content'
    tab.keyboard.press('Enter')
    reached = []
    for _ in range(60):
        tab.keyboard.press('Tab')
        reached.append(tab.evaluate(focus))
        if reached[-1][0] == 'BODY':  # the page has no more
            reached.pop()
            break
    assert len(reached) > 20 and all(visible for _, visible in reached), reached
    assert {'PRE', 'A', 'BUTTON'} <= {name for name, _ in reached}


@pytest.mark.parametrize('edition', ['', 'en/'])
def test_the_notebook_and_the_source_can_be_downloaded(site, tab, edition):
    visit(tab, site / edition / f'chapter_fine_tuning/training{edition and "_en"}.html')
    links = [Path(unquote(urlsplit(link).path)) for link in
             tab.eval_on_selector_all('.page-links a', 'links => links.map(a => a.href)')]
    stem = 'training_en' if edition else 'training'
    notebook, source = (next(link for link in links if link.name == stem + end) for end in ('.ipynb', '.md.txt'))
    page = notebooks.CHAPTER / f'{stem}.md'
    assert source.read_text(encoding='utf-8-sig') == page.read_text()
    cells = notebooks.code_cells(nbformat.read(notebook, as_version=4))
    assert [cell.source for cell in cells] == [cell.source for cell in notebooks.code_cells(notebooks.read_page(page))]


SMALL = """# 章
:label:`chap_small`

见 :numref:`chap_small`、
:numref:`fig_small` 与 :eqref:`eq_small` 。用
MXNet
的*法*
文字，$x$，MXNet 1.9。

![图的说明](../img/favicon.svg)
:label:`fig_small`

![只是*图*](../img/favicon.svg)

$$y = x^2.$$
:eqlabel:`eq_small`

## 1. 题

```{.python .noeval}
not_run = True
```

{alternative}

```python .input
plot()
```
"""


@pytest.fixture
def small(tmp_path):
    """A book of one page, whose cell is said to have printed and drawn something; give a function that renders it."""
    folder, environment = tmp_path / 'clone', clone(tmp_path / 'clone')
    (tmp_path / 'rsvg-convert').write_text(f'#!/bin/sh\ntouch {tmp_path}/called')  # it serves only PDFs
    (tmp_path / 'rsvg-convert').chmod(0o755)
    environment['PATH'] = f'{tmp_path}:{environment["PATH"]}'
    for path in [*folder.glob('chapter_fine_tuning/*'), *folder.glob('*_en.md'), *folder.glob('assignments/[0-9]*')]:
        path.unlink()
    (folder / 'index.md').write_text('# 书\n\n```toc\n:numbered:\n\nchapter_fine_tuning/index\n```\n')
    (folder / 'status.md').unlink()
    (folder / 'references.md').unlink()

    def build(alternative='<!-- alt: 一条线 -->', executed=True):
        page = folder / 'chapter_fine_tuning/index.md'
        page.write_text(SMALL.replace('{alternative}', alternative))
        notebook = notebooks.read_page(page)
        cell, = notebooks.code_cells(notebook)
        picture = next(output for path in notebooks.CHAPTER.glob('*.ipynb') for stored in
                       notebooks.code_cells(nbformat.read(path, as_version=4)) for output in stored.outputs
                       if 'image/png' in output.get('data', ()) and 'image/svg+xml' not in output.data)
        cell.execution_count = 1 if executed else None
        cell.outputs = [nbformat.v4.new_output('stream', text='*not bold* `x`_\n'), picture]
        target = folder / '_build/eval/chapter_fine_tuning/index.ipynb'
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
        return subprocess.run(['d2lbook', 'build', 'html'], cwd=folder, env=environment, text=True,
                              capture_output=True), folder / '_build/html/chapter_fine_tuning/index.html'
    return build


def test_the_tree_becomes_what_a_reader_expects(small, tab, tmp_path):
    result, page = small()
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / 'called').exists()  # few readers have it
    visit(tab, page)
    text = tab.inner_text('article')
    assert '见第1节、图1.1与(1.1)。用MXNet的法文字，' in text and 'MXNet 1.9。' in text
    assert '1.1. 题' in text and '*not bold* `x`_' in text and '.noeval' not in text
    assert tab.eval_on_selector_all('article img', 'all => all.map(i => i.alt)') == ['图的说明', '只是图', '一条线']
    assert tab.evaluate("() => document.querySelectorAll('figure').length") == 1


@pytest.mark.parametrize('fault, sentence', [
    ({'alternative': ''}, 'an output picture has no description'),
    ({'alternative': '<!-- alt: 一 -->\n\n<!-- alt: 二 -->'}, 'no picture follows the comment <!-- alt: 二 -->'),
    ({'alternative': ':numref:`chap_missing` 。\n\n<!-- alt: 一 -->'}, 'chap_missing'),
    ({'executed': False}, 'index.md has no outputs, or was changed after they were made: run make html')])
def test_a_faulty_page_stops_d2lbook_with_a_sentence(small, fault, sentence):
    result, page = small(**fault)
    assert result.returncode and sentence in result.stderr and not page.exists()

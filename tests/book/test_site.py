"""The site of both editions in Chromium, opened from the disk: what it loads, shows, finds and weighs, and WCAG."""
import gzip
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from book import notebooks
from book import render

CHROMIUM = shutil.which('chromium')
NAMES = ['index.html', 'references.html', 'status.html', 'search.html',
         *(f'{page.with_suffix("")}.html' for page in notebooks.pages())]
PAGES = [*NAMES, *(f'en/{name}' for name in NAMES), '404.html']
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
    .map(part => math.querySelector(part)?.getBoundingClientRect())).filter(([f, n]) => n && f?.right > n.left).length,
  width: document.documentElement.scrollWidth})"""


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """Render both editions from the stored notebooks, in a folder of their own."""
    folder = tmp_path_factory.mktemp('site')
    for name in ('chapter_fine_tuning', 'static', 'img', 'web', 'tools', 'assignments', 'data'):
        shutil.copytree(notebooks.ROOT / name, folder / name, ignore=shutil.ignore_patterns('cache', '*.zip'))
    for pattern in ('*.md', '*.ini', 'LICENSE*', 'refs.bib', 'requirements.lock', 'CITATION.cff', 'environment.yml',
                    'utils.py'):
        for path in notebooks.ROOT.glob(pattern):
            shutil.copy(path, folder)
    executed = folder / '_build/executed/demo'
    executed.mkdir(parents=True)
    for page in notebooks.pages():
        shutil.copy(page.with_suffix('.ipynb'), executed)
    code = f'import sys; sys.path.insert(0, {str(notebooks.ROOT / "tools")!r}); import render; render.main()'
    result = subprocess.run([sys.executable, '-c', code], cwd=folder, text=True, capture_output=True)
    assert result.returncode == 0, result.stderr
    return folder / '_build/html'


@pytest.fixture(scope='module')
def browser():
    if not CHROMIUM:
        pytest.skip('Chromium is not installed (Debian: apt-get install chromium)')
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])


@pytest.fixture
def tab(browser):
    """Open a tab that notes in `faults` and `files` what its page requests and complains about."""
    context = browser.new_context(viewport={'width': 1280, 'height': 800}, color_scheme='light')
    page = context.new_page()
    page.faults, page.files = [], []

    def request(event):
        if event.url.startswith('file:'):
            page.files.append(unquote(urlsplit(event.url).path))
        elif not event.url.startswith(('data:', 'blob:')):
            page.faults.append(f'requests {event.url}')

    page.on('request', request)
    page.on('requestfailed', lambda event: page.faults.append(f'misses {event.url}'))
    page.on('console', lambda event: event.type in ('error', 'warning') and page.faults.append(f'says {event.text}'))
    page.on('pageerror', lambda event: page.faults.append(f'fails with {event}'))
    yield page
    context.close()


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
    """Give the bytes of a file as a compressing server sends it."""
    content = Path(file).read_bytes()
    return len(gzip.compress(content, 6)) if Path(file).suffix in {'.html', '.css', '.js', '.svg'} else len(content)


@pytest.mark.parametrize('name', PAGES)
def test_the_page_is_whole_local_light_and_accessible(site, tab, name):
    assert faults(tab, site / name) == []
    assert sum(map(weight, set(tab.files))) <= 1.5 * MEGABYTE


def test_every_page_was_looked_at_and_the_site_is_small(site):
    assert {str(page.relative_to(site)) for page in site.rglob('*.html')} == set(PAGES)
    assert sum(-(-file.stat().st_size // 4096) * 4096 for file in site.rglob('*') if file.is_file()) <= 12 * MEGABYTE


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


@pytest.mark.parametrize('name', ['index.html', 'en/chapter_fine_tuning/training.html'])
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
    ('', '微调', 'training'), ('', '类别激活图', 'prediction'), ('', '轮数相同', 'training'), ('', '腊肠犬', 'dataset'),
    ('', '热狗 混淆矩阵', 'prediction'), ('', 'SqueezeNet', 'index'), ('', '鲸', None),
    ('en/', 'recall', 'dataset'), ('en/', 'confusion matrix', 'prediction'), ('en/', 'whale', None)])
def test_the_search_works_from_the_disk(site, tab, edition, query, page):
    tab.goto(f'{(site / edition / "search.html").as_uri()}?q={query}')
    tab.wait_for_function("() => document.querySelector('#search-results p.search-summary')?.innerText.length > 0 && "
                          "!document.querySelector('#search-results h2')?.innerText.includes('...')")
    tab.wait_for_timeout(100)
    results = tab.eval_on_selector_all('#search-results li a', 'links => links.map(a => a.href)')
    if page:
        assert any(f'/{page}.html' in result for result in results), results
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
    assert all(visible for _, visible in reached), reached
    assert {'PRE', 'A', 'BUTTON'} <= {name for name, _ in reached}


@pytest.mark.parametrize('edition', ['', 'en/'])
def test_the_notebook_and_the_source_can_be_downloaded(site, tab, edition):
    visit(tab, site / edition / 'chapter_fine_tuning/training.html')
    links = [Path(unquote(urlsplit(link).path)) for link in
             tab.eval_on_selector_all('.page-links a', 'links => links.map(a => a.href)')]
    stem = 'training_en' if edition else 'training'
    notebook, source = (next(link for link in links if link.name == stem + end) for end in ('.ipynb', '.md.txt'))
    page = notebooks.CHAPTER / f'{stem}.md'
    assert source.read_text(encoding='utf-8-sig') == page.read_text()
    cells = notebooks.code_cells(nbformat.read(notebook, as_version=4))
    assert [cell.source for cell in cells] == [cell.source for cell in notebooks.code_cells(notebooks.read_page(page))]


@pytest.mark.parametrize('page', notebooks.pages() + notebooks.pages(Path('index_en.md')), ids=str)
def test_every_output_picture_is_described(page):
    notebook = nbformat.read(page.with_suffix('.ipynb'), as_version=4)
    texts = render.alternatives(page, notebook)
    assert len(set(texts)) == len(texts) and all(len(text) > 12 for text in texts)


def test_a_picture_without_description_and_one_too_many_are_noticed():
    new = nbformat.v4
    picture = new.new_code_cell('plot()', outputs=[new.new_output('display_data', {'image/png': ''})])
    text = new.new_markdown_cell('x\n\n<!-- alt: one -->')
    with pytest.raises(RuntimeError, match=r"page.md, the cell 'plot\(\)' shows a picture"):
        render.alternatives('page.md', new.new_notebook(cells=[picture]))
    with pytest.raises(RuntimeError, match='page.md: no picture follows'):
        render.alternatives('page.md', new.new_notebook(cells=[text, picture, text]))


@pytest.mark.parametrize('text, shown', [
    ('一行，\n二行', '一行，二行'), ('用\nMXNet\n的', '用MXNet的'), ('one\ntwo', 'one\ntwo'),
    ('见\n:cite:`a`', '见\n:cite:`a`'), ('```\n一\n二\n```', '```\n一\n二\n```'), ('一\n* 二', '一\n* 二'),
    ('# 一\n二', '# 一\n二'), ('一\n\n二', '一\n\n二'),
    ('## 1. 题\n', '## 题\n'), ('| 1. 题 | 二 |', '| 1.\u00a0题 | 二 |'), ('一\n\n<!-- alt: 二 -->', '一\n\n')])
def test_line_breaks_in_chinese_leave_no_space(text, shown):
    assert render.for_d2lbook(text) == shown


@pytest.mark.parametrize('rst, shown', [
    ('见 :numref:`a` 的', '见\\ :numref:`a`\\ 的'), ('由\n:eq:`a` ，则', '由\\ :eq:`a`\\ ，则'),
    ('一。\n\n:numref:`a` 二', '一。\n\n:numref:`a`\\ 二'), ('| 见 :eq:`a` 的 |\n', '| 见 :eq:`a` 的 |\n'),
    ('see “one” :numref:`a` of', 'see “one” :numref:`a` of')])
def test_there_is_no_space_between_chinese_and_a_reference(rst, shown):
    assert render.polish(rst) == shown

"""Finish a rendered site: labels in the page's language, no request that leaves it, nothing in it that no page uses."""
import base64
import hashlib
import re
from pathlib import Path

# a link is followed by a person; everything else that names another host would be loaded with the page
REMOTE = re.compile(r'<(?:script|link(?! rel="canonical")|img|iframe|source)\b[^>]*?(?:src|href)="(?:https?:)?//[^"]*"'
                    r'|url\([\'"]?(?:https?:)?//[^)]*\)|@import\s+[\'"](?:https?:)?//[^\'"]*')
# labels that the theme does not offer for translation: each must be found, or the theme has changed
LABELS = {'Hide navigation sidebar': '收起目录', 'Hide table of contents sidebar': '收起本页内容',
          'Toggle site navigation sidebar': '展开目录', 'Toggle table of contents sidebar': '展开本页内容',
          'Toggle Light / Dark / Auto color theme': '切换浅色、深色或跟随系统',
          'Permalink to this headline': '本节的链接'}
SWITCHES = {'__navigation': ('Table of contents of the book', '全书目录'), '__toc': ('On this page', '本页内容')}
# Sphinx's scripts: the policy forbids code made from text (Chinese has no plural); a count is put in after translating
SCRIPTS = {'doctools.js': (r'(PLURAL_EXPR = )new Function\([^;]*;', r'\1() => 0;'),
           'searchtools.js': (r'_\(\s*`(Search finished, found )\$\{resultCount\}([^`]*)`\s*\)',
                              r'_("\1${resultCount}\2").replace("${resultCount}", resultCount)')}
# the pages may load the site's own files; MathJax writes styles into the page, and inline scripts are named by hash
POLICY = ("default-src 'none'; script-src 'self'{}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
          "font-src 'self'; form-action 'self'; base-uri 'self'")


def translate(page, english):
    """Put the theme's fixed labels into the page's language; raise RuntimeError when one is not there."""
    for label, chinese in LABELS.items():
        if label not in page and 'Permalink' not in label:
            raise RuntimeError(f'the theme has changed, it has no {label!r}: adapt book/localise.py')
        page = page if english else page.replace(label, chinese)
    for name, labels in SWITCHES.items():
        page = page.replace(f'id="{name}"', f'id="{name}" aria-label="{labels[0 if english else 1]}"', 1)
    return page


def protect(page):
    """Add a content security policy that allows the page's own files and, by their hashes, its inline scripts."""
    scripts = re.findall(r'<script>(.*?)</script>', page, re.DOTALL)
    hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    policy = POLICY.format(''.join(f" 'sha256-{value}'" for value in sorted(hashes)))
    return re.sub(r'<meta charset="utf-8" ?/>',
                  rf'\g<0>\n    <meta http-equiv="Content-Security-Policy" content="{policy}"/>', page, count=1)


def share(html):
    """Let the English edition use the Chinese one's files wherever it has the same; drop what no page uses.

    Raises RuntimeError when a page lacks its counterpart in the other edition.
    """
    pages = {page.relative_to(html): page.read_text() for page in sorted(html.rglob('*.html'))}
    for page in pages:
        other = page.relative_to('en') if page.parts[0] == 'en' else Path('en', page)
        if other not in pages and page.name != '404.html':
            raise RuntimeError(f'{page} has no counterpart {other} in the other edition')
    for file in sorted(html.glob('en/_*/**/*')):
        name = file.relative_to(html / 'en')
        if file.is_file() and (html / name).is_file() and (html / name).read_bytes() == file.read_bytes():
            file.unlink()
            for page in [page for page in pages if page.parts[0] == 'en']:
                pages[page] = re.sub(rf'(?<=")((?:\.\./)*){re.escape(str(name))}(?=[?"])', rf'../\1{name}', pages[page])
    for page, text in pages.items():
        (html / page).write_text(text)
    used = ''.join(pages.values()) + ''.join(style.read_text() for style in html.rglob('_static/**/*.css'))
    for file in [file for pattern in ('_static/**/*', 'en/_static/**/*', '**/.buildinfo', '**/objects.inv')
                 for file in html.glob(pattern) if file.is_file()]:
        if 'LICENSE' not in file.name and (file.name not in used or file.suffix == '.map'):
            file.unlink()


def finish(html, not_found):
    """Finish the site in the folder `html`, whose English edition lies in `en`; `not_found` is its page for errors.

    Raises RuntimeError when the theme has changed or a page would load from another host.
    """
    html = Path(html)
    for path in html.rglob('*.html'):
        page = translate(path.read_text(), path.relative_to(html).parts[0] == 'en')
        page = re.sub(r'<pre(?=[ >])', '<pre tabindex="0"', page)  # wide ones are scrolled, also with the keyboard
        # browsers would begin a line with the mark after a formula
        page = re.sub(r'([（“]?<span class="math[^>]*>[^<]*</span>[，。、；：？！）”,.;:?!)]+)',
                      r'<span class="together">\1</span>', page)
        page = page.replace('<article role="main"', '<article role="main" id="content"')
        page = page.replace(' role="doc-biblioentry"', '')  # a role that WAI-ARIA has withdrawn
        # docutils 0.19 closes this list of references without having opened it
        page = re.sub(r'<div class="docutils container" id="[^"]*">\n(?=<div class="citation")',
                      r'\g<0><div class="citation-list">\n', page)
        path.write_text(page.replace('class="table-wrapper', 'tabindex="0" class="table-wrapper'))
    for name, (old, new) in SCRIPTS.items():
        for script in html.rglob(f'_static/{name}'):
            text, count = re.subn(old, new, script.read_text())
            if not count:
                raise RuntimeError(f'Sphinx has changed, {name} has no {old!r}: adapt book/localise.py')
            script.write_text(text)
    (html / '404.html').write_text(not_found)
    share(html)
    for path in html.rglob('*.html'):
        path.write_text(protect(path.read_text()))
    for file in [*html.rglob('*.html'), *html.rglob('*.css')]:
        remote = REMOTE.search(file.read_text())
        if remote:
            raise RuntimeError(f'{file.relative_to(html)} would load from another host: {remote[0][:200]}')

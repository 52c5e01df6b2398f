"""Make a rendered site self-contained: no request leaves it, what no page uses is removed, its editions are linked."""
import os
import re
from pathlib import Path

COPY_ICON = ('data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 16 16%22 fill=%22none%22 '
             'stroke=%22%23555%22><rect x=%225.5%22 y=%225.5%22 width=%228%22 height=%229%22 rx=%221%22/>'
             '<path d=%22M10.5 5V2.5a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v8a1 1 0 0 0 1 1H5%22/></svg>')
# file, what to replace (a regular expression) and by what: each must be found, or the theme has changed
REPLACEMENTS = [
    ('d2l.js', r"\(function\(i,s,o,g,r,a,m\).*?ga\('send', 'pageview'\);", 'var ga = function() {};'),
    ('d2l.js', r'https://raw\.githubusercontent\.com/[^"]*copy-button\.svg', COPY_ICON),
    ('fonts.css', r'@font-face\s*\{[^}]*gstatic[^}]*\}', ''),
]
# a link is followed by a person; everything else that names another host would be loaded with the page
REMOTE = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)="(?:https?:)?//[^"]*"'
                    r'|url\([\'"]?(?:https?:)?//[^)]*\)|@import\s+[\'"](?:https?:)?//[^\'"]*')

# the theme's row for links, empty till now
LINKS = re.compile(r'header-links">\s*<div class="mdl-layout-spacer"></div>\s*<nav class="mdl-navigation">')


def link_editions(html):
    """Put a link to the same page of the other edition into the header of every page; `html/en` is the English one.

    Raises RuntimeError when a page has no counterpart or no header.
    """
    pages = [page.relative_to(html) for page in sorted(Path(html).rglob('*.html'))]
    for page in pages:
        english = page.parts[0] == 'en'
        other = page.relative_to('en') if english else Path('en', page)
        if other not in pages:
            raise RuntimeError(f'{page} has no counterpart {other} in the other edition')
        language, name = ('zh-CN', '中文') if english else ('en', 'English')
        link = (f'<a class="mdl-navigation__link" href="{os.path.relpath(other, page.parent)}" hreflang="{language}" '
                f'lang="{language}" style="color: #000">{name}</a>')  # white would hardly be seen
        text, count = LINKS.subn(rf'\g<0>{link}', (html / page).read_text(), count=1)
        if not count:
            raise RuntimeError(f'the header of {page} has changed: adapt tools/localise.py')
        (html / page).write_text(text)


def localise(html):
    """Replace the remote parts of Sphinx's and the theme's files; raise RuntimeError if any is left."""
    static = Path(html, '_static')
    for name, pattern, replacement in REPLACEMENTS:
        text, count = re.subn(pattern, replacement, (static / name).read_text(), flags=re.DOTALL)
        if not count:
            raise RuntimeError(f'{name} has changed, {pattern} is not in it: adapt tools/localise.py')
        (static / name).write_text(text)
    pages = ''.join(page.read_text() for page in Path(html).rglob('*.html'))
    for style in (static / 'material-design-lite-1.3.0').glob('material.*'):
        if style.name not in pages:
            style.unlink()
    for source_map in static.glob('*.map'):
        source_map.unlink()
    for file in [*Path(html).rglob('*.html'), *Path(html).rglob('*.css')]:
        remote = REMOTE.search(file.read_text())
        if remote:
            raise RuntimeError(f'{file.relative_to(html)} would load from another host: {remote[0][:200]}')

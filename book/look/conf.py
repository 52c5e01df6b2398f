"""Sphinx settings of the website: book/render.py adds them to those that d2lbook writes."""
import os
import re
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.search import languages
from sphinx.search.zh import SearchChinese

WEB = Path(__file__).parent
# where the book is published; both addresses stand in CITATION.cff alone, and the links to them wait for it
PUBLISHED = yaml.safe_load(WEB.parents[1].joinpath('CITATION.cff').read_text())
REPOSITORY, ADDRESS = PUBLISHED.get('repository-code'), PUBLISHED.get('url')

extensions = ['sphinxcontrib.bibtex', 'sphinx_copybutton']
templates_path = [str(WEB / 'templates')]
locale_dirs = ['../locale']
html_theme, html_theme_options = 'furo', {}
html_extra_path = ['../extra']
html_css_files = ['style.css']
copybutton_selector = 'div.highlight-python pre, div.highlight-console pre'
html_use_index = html_copy_source = html_show_sphinx = html_show_copyright = False
html_show_search_summary = False  # it fetches every page that it found, which browsers refuse under file://
pygments_style, pygments_dark_style = 'a11y-high-contrast-light', 'a11y-high-contrast-dark'

# what Sphinx adds to every page for extensions that this book does not have
UNUSED = {'jquery.js', 'underscore.js', '_sphinx_javascript_frameworks_compat.js'}


class Pairs(SearchChinese):
    """Index each Chinese character and each pair of neighbours: any part of a sentence is found, known word or not."""

    js_splitter_code = r"""
function splitQuery(query) {
  return (query.match(/[a-z0-9_]+|[\u3400-\u9fff]+/gi) || []).flatMap((run) =>
    /^[a-z0-9_]/i.test(run) || run.length === 1 ? [run] : Array.from(run.slice(1), (c, i) => run[i] + c));
}
"""

    def split(self, input):
        """Split a text into its Latin words and its Chinese characters and pairs."""
        chinese = [run[i:i + n] for run in re.findall('[\u3400-\u9fff]+', input)
                   for n in (1, 2) for i in range(len(run) - n + 1)]
        latin = self.latin1_letters.findall(input)
        self.latin_terms += latin
        return chinese + latin

    def word_filter(self, stemmed_word):
        """Accept every word but single letters."""
        return len(stemmed_word) > 1 or stemmed_word > '\u3400'


def page_context(app, pagename, templatename, context, doctree):
    """Tell the templates what the page links to: the other edition, its notebook, its source, the PDF, the picture."""
    up, english = '../' * pagename.count('/'), app.config.language == 'en'
    context['other_edition'] = f'{up}../{pagename}.html' if english else f'{up}en/{pagename}.html'
    source = f'{pagename}_en' if english else pagename
    extra = Path(app.srcdir) / html_extra_path[0]
    context['pdf'] = next((f'{up}{pdf.name}' for pdf in extra.glob('*.pdf')), None)
    for kind in ('ipynb', 'md.txt'):
        found = (extra / f'{source}.{kind}').exists()
        context[kind.partition('.')[0]] = f'{os.path.basename(source)}.{kind}' if found else None
    context['binder'] = (f'https://mybinder.org/v2/gh/{REPOSITORY.removeprefix("https://github.com/")}/HEAD?labpath='
                         f'{source}.ipynb' if REPOSITORY and context['ipynb'] else None)
    context['home'], context['address'], context['repository'] = up + ('../' if english else ''), ADDRESS, REPOSITORY
    paragraphs = doctree.findall(nodes.paragraph) if doctree else ()
    context['description'] = next((re.sub(r'\s+', ' ', text.astext())[:160] for text in paragraphs), '')
    context['script_files'] = [file for file in context['script_files']
                               if os.path.basename(getattr(file, 'filename', None) or file) not in UNUSED]


def setup(app):
    """Replace d2lbook's own additions to the pages."""
    languages['zh'] = Pairs
    app.connect('html-page-context', page_context, priority=900)

"""The Sphinx extension that makes the book's pages out of what d2lbook writes, for the site and for the PDFs.

config.ini names it under sphinx_extensions. What it changes, it changes in the document tree.
"""
import html
import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import yaml
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from PIL import Image
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.errors import ExtensionError
from sphinx.search import languages
from sphinx.search.zh import SearchChinese
from sphinx.transforms import SphinxTransform
from sphinx.util import images, logging
from sphinx.writers.html5 import HTML5Translator

from book import latex, notebooks
from hotdog import web
from hotdog.files import digest

LOOK = notebooks.ROOT / 'book' / 'look'
# the alternative text of a cell's picture: a comment in the text before the cell, which readers of notebooks do not see
ALTERNATIVE = re.compile(r'<!-- alt: (.+?) -->', re.DOTALL)
CHINESE = '\u2014\u2018-\u201d\u2026\u3000-\u303f\u3400-\u9fff\uff00-\uffef'
GAP = re.compile(rf'(?<=[{CHINESE}])\s+|\s+(?=[{CHINESE}])')
OPENING, CLOSING = re.compile('[（“(]$'), re.compile('^[，。、；：？！）”,.;:?!)]+')
VERBATIM = (nodes.literal, nodes.FixedTextElement, nodes.raw, nodes.math)
# the pages may load the site's own files; MathJax and the theme write styles into the page
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
          "font-src 'self'; form-action 'self'; base-uri 'self'")
# d2lbook's own script and styles call other hosts; the others serve extensions that this book does not have
UNUSED = {'d2l.js', 'd2l.css', 'jquery.js', 'underscore.js', '_sphinx_javascript_frameworks_compat.js'}
PERMALINKS = {'zh_CN': '本节的链接', 'en': 'Link to this place'}
STATUS = {'zh_CN': ('笔记本', '用时（秒）', '完成于（协调世界时）', '代码、库、数据和锁文件的校验和', '执行环境'),
          'en': ('Notebook', 'Run time (s)', 'Finished (UTC)', 'Checksums of code, library, data and lock',
                 'Executed with')}
MACHINE = {'zh_CN': {'processor': '处理器', 'cores': '核数', 'memory': '内存', 'system': '系统'}, 'en': {}}
logger = logging.getLogger(__name__)


class Output(Directive):
    """What a cell printed: text as it stands, not marked-up text."""

    has_content, option_spec = True, {'class': directives.class_option}

    def run(self):
        """Return a literal block in no language."""
        text = '\n'.join(self.content)
        return [nodes.literal_block(text, text, language='none', classes=self.options.get('class', []))]


class Status(Directive):
    """How the outputs were made, as recorded when the pages were executed."""

    def run(self):
        """Return a table of the pages and a list of the environment."""
        env = self.state.document.settings.env
        file = next(folder / 'record.json' for folder in Path(env.srcdir).parents if (folder / 'record.json').exists())
        env.note_dependency(str(file))
        records, (*head, title) = json.loads(file.read_text()), STATUS[env.config.language]
        rows = [(f'``{name}``', record['seconds'], record['finished'],
                 ' '.join(f'``{record[part][:8]}``' for part in ('code', 'library', 'data', 'lock')))
                for name, record in records.items()]
        lines = ['.. list-table::', '   :header-rows: 1', '']
        for row in (head, *rows):
            lines += [f'   {"*" if column == 0 else " "} - {cell}' for column, cell in enumerate(row)]
        lines += ['', title, '-' * 40, '']
        words, environment = MACHINE[env.config.language], list(records.values())[-1]['environment']
        lines += [f'* {words.get(name, name)}: ``{value}``' for name, value in environment.items()]
        self.state_machine.insert_input(lines, __file__)
        return []


class Pages(SphinxTransform):
    """Make of the tree that d2lbook and pandoc leave what a reader expects."""

    default_priority = 500  # after labels have found their figures (260), before pictures are collected

    def apply(self, **kwargs):
        """Change the tree of one page."""
        self.html = self.app.builder.format == 'html'
        self.figures()
        self.describe_outputs()
        for title in self.document.findall(nodes.title):  # Sphinx numbers the sections itself
            first = title.next_node(nodes.Text)
            first.parent.replace(first, nodes.Text(re.sub(r'^\d+\. ', '', first)))
        if self.config.language == 'zh_CN':
            self.close_gaps()
        self.data_frames()  # after that: what a cell shows stays as it is
        if self.html:
            self.keep_marks()
        elif self.app.builder.format == 'latex':
            latex.adapt(self.document)

    def figures(self):
        """Leave figures that have a label; the others are pictures, which their captions describe."""
        for figure in list(self.document.findall(nodes.figure)):
            image, caption = figure.next_node(nodes.image), figure.next_node(nodes.caption)
            if caption:
                image['alt'] = re.sub(r'\s+', ' ', caption.astext())
            if not figure['names']:
                image['align'] = 'center'
                figure.replace_self(image)

    def describe_outputs(self):
        """Attach to each output picture the alternative text before it, translate drawings and shrink photographs."""
        texts = []
        for node in list(self.document.findall(lambda node: isinstance(node, (nodes.raw, nodes.image)))):
            if isinstance(node, nodes.raw):
                texts += [re.sub(r'\s+', ' ', html.unescape(text)) for text in ALTERNATIVE.findall(node.astext())]
                if ALTERNATIVE.search(node.astext()):
                    node.parent.remove(node)
            elif Path(node['uri']).name.startswith('output_'):
                if not texts:
                    logger.warning('an output picture has no description: write a comment <!-- alt: ... --> at the end '
                                   'of the text before its cell', location=self.env.docname)
                node['alt'] = texts.pop(0) if texts else ''
                self.adapt(node)
        for text in texts:
            logger.warning('no picture follows the comment <!-- alt: %s -->: remove it', text,
                           location=self.env.docname)

    def data_frames(self):
        """Typeset the DataFrames that cells show: what pandas writes is HTML, which a PDF cannot take."""
        for node in list(self.document.findall(nodes.raw)):
            written = re.search(r'<table[^>]*class="dataframe".*?</table>', node.astext(), re.DOTALL)
            if not written:
                continue
            head, body = (list(part) for part in ElementTree.fromstring(written[0]))
            width = sum(int(cell.get('colspan', 1)) for cell in head[0])
            group = nodes.tgroup(cols=width)
            group += [nodes.colspec(colwidth=1, stub=int(column == 0)) for column in range(width)]
            group += [nodes.thead('', *map(self.table_row, head)), nodes.tbody('', *map(self.table_row, body))]
            node.replace_self(nodes.table('', group, classes=['dataframe', 'colwidths-auto']))

    def table_row(self, row):
        """Return a row of an HTML table, an element `tr`, as a node; in print, no line breaks within a number."""
        space = ' ' if self.html else '\u00a0'
        cells = [nodes.entry('', nodes.paragraph('', ''.join(cell.itertext()).replace(' … ', f'{space}…{space}')),
                             **{more: int(cell.get(span)) - 1 for more, span in
                                (('morecols', 'colspan'), ('morerows', 'rowspan')) if cell.get(span)}) for cell in row]
        return nodes.row('', *cells)

    def adapt(self, image):
        """Label a drawing in the page's language; on the site, show pictures as WebP, a quarter as large."""
        path = Path(self.app.srcdir, self.env.docname).parent / image['uri']
        if path.suffix == '.svg':
            if self.config.language == 'zh_CN':
                path.write_text(notebooks.in_chinese(path.read_text()))
        elif self.html:
            with Image.open(path) as picture:
                image['uri'] = f'output_{digest(path)[:12]}.webp'
                picture.convert('RGB').save(path.with_name(image['uri']), quality=90, method=6)
        else:
            image['scale'] = 80

    def close_gaps(self):
        """Leave no space where a line ends within Chinese, or between Chinese and a reference, a formula or code."""
        for text in list(self.document.findall(nodes.Text)):
            if isinstance(text.parent, VERBATIM):
                continue
            before, after = (self.neighbour(text, step) for step in (-1, 1))
            whole = GAP.sub('', f'{before}{text}{after}')
            text.parent.replace(text, nodes.Text(whole[len(before):len(whole) - len(after)]))

    @staticmethod
    def neighbour(text, step):
        """Return the character that stands before (-1) or after (1) a piece of text, or ''."""
        place = text.parent.index(text) + step
        sibling = text.parent[place] if 0 <= place < len(text.parent) else None
        known = isinstance(sibling, (nodes.Text, nodes.emphasis, nodes.strong)) and sibling.astext()
        return sibling.astext()[-1 if step < 0 else 0] if known else ''

    def keep_marks(self):
        """Keep a formula and the mark after it on one line."""
        for formula in list(self.document.findall(nodes.math)):
            parent, place = formula.parent, formula.parent.index(formula)
            after = parent[place + 1] if place + 1 < len(parent) and isinstance(parent[place + 1], nodes.Text) else ''
            mark = CLOSING.search(after)
            if mark:
                before = parent[place - 1] if place and isinstance(parent[place - 1], nodes.Text) else ''
                opening = OPENING.search(before)
                together = nodes.inline('', '', classes=['together'])
                parent.replace(formula, together)
                parent.replace(after, nodes.Text(after[mark.end():]))
                if opening:
                    parent.replace(before, nodes.Text(before[:-1]))
                    together += nodes.Text(opening[0])
                together += [formula, nodes.Text(mark[0])]


class Translator(HTML5Translator):
    """Writes HTML: labels in the page's language, and a list of references that is valid."""

    def add_permalink_ref(self, node, title):
        """Add the link to a heading, figure or table."""
        super().add_permalink_ref(node, PERMALINKS[self.config.language])

    def visit_citation(self, node):
        """Open a reference; docutils 0.19 gives it a role that WAI-ARIA has withdrawn, and breaks the list."""
        self.body.append(self.starttag(node, 'div', CLASS='citation'))

    def depart_citation(self, node):
        """Close a reference."""
        self.body.append('</div>\n')


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


def configure(app, config):
    """Set what both editions share; config.ini and config_en.ini set the rest."""
    published = yaml.safe_load((notebooks.ROOT / 'CITATION.cff').read_text())  # addresses wait there for publication
    config.html_context.update(address=published.get('url'), repository=published.get('repository-code'), policy=POLICY)
    config.templates_path = [str(LOOK / 'templates')]
    # the English edition uses the large scripts of the Chinese one, whose folder it is in
    static = LOOK / 'static'
    own = [path for path in static.iterdir() if path.is_file()] if config.language == 'en' else [static]
    config.html_static_path = ['_static', *map(str, own)]
    config.html_additional_pages = {'index': 'forward.html'} if config.language == 'en' else {'404': '404.html'}
    config.copybutton_selector = ', '.join(f'div.highlight-{name} pre' for name in ('python', 'ipython3', 'console'))
    config.html_use_index = config.html_copy_source = config.html_show_sphinx = config.html_show_copyright = False
    config.html_show_search_summary = False  # it fetches every page found, which browsers refuse under file://
    config.pygments_style, config.pygments_dark_style = 'a11y-high-contrast-light', 'a11y-high-contrast-dark'
    config.latex_elements, config.latex_table_style = latex.elements(config), ['booktabs']
    config.latex_additional_files = [str(LOOK / 'book.sty'), str(notebooks.ROOT / 'img' / 'cover.jpg')]
    config.latex_documents = [(*config.latex_documents[0][:4], 'howto')]
    config.latex_domain_indices = config.latex_show_pagerefs = False
    config.rsvg_converter_args = []
    app.registry.js_files = [entry for entry in app.registry.js_files if entry[0] not in UNUSED]
    app.registry.css_files = [entry for entry in app.registry.css_files if entry[0] not in UNUSED]


def check_outputs(app):
    """Stop when a page with code would be shown without outputs: d2lbook drops them when the page's text is newer."""
    for path in sorted(Path(app.srcdir).parent.glob('eval/**/*.ipynb')):
        cells = notebooks.code_cells(nbformat.read(path, as_version=4))
        if any(cell.execution_count is None for cell in cells):
            raise ExtensionError(f'{path.stem}.md has no outputs, or was changed after they were made: run make html, '
                                 'or make book when its code has changed')


def page_context(app, pagename, templatename, context, doctree):
    """Pass to the templates what a page links to: the other edition, its notebook, its source, the PDF."""
    up, english = '../' * pagename.count('/'), app.config.language == 'en'
    name = pagename if pagename not in app.env.found_docs else (
        pagename.removesuffix('_en') if english else f'{pagename}_en')
    context['other_edition'] = f'{up}../{name}.html' if english else f'{up}en/{name}.html'
    source = notebooks.ROOT / f'{pagename}.md'
    context['source'] = f'{source.name}.txt' if source.exists() else None
    context['notebook'] = source.with_suffix('.ipynb').name if source.with_suffix('.ipynb').exists() else None
    context['minutes'] = minutes(doctree) if context['notebook'] else None
    pdf = pdf_of(app)
    context['pdf'] = f'{up}{pdf.name}' if pdf else None
    context['binder'] = context['notebook'] and context['repository'] and context['repository'].replace(
        'https://github.com', 'https://mybinder.org/v2/gh') + f'/HEAD?labpath={pagename}.ipynb'
    colab = context['notebook'] and notebooks.needs_pytorch(source) and context['repository']  # Colab has no MXNet
    context['colab'] = colab and colab.replace(
        'https://github.com', 'https://colab.research.google.com/github') + f'/blob/main/{pagename}.ipynb'
    context['home'] = up + ('../' if english else '')
    paragraph = doctree.next_node(nodes.paragraph) if doctree else None
    context['description'] = re.sub(r'\s+', ' ', paragraph.astext())[:160] if paragraph else ''
    context['script_files'] = [file for file in context['script_files'] if Path(str(file)).name not in UNUSED]


def minutes(doctree):
    """Return how long a page takes to read, code included: 300 Chinese characters or 200 words a minute."""
    text = doctree.astext()
    return max(1, round(len(re.findall('[\u3400-\u9fff]', text)) / 300 + len(re.findall('[A-Za-z]+', text)) / 200))


def pdf_of(app):
    """Return the path of the edition's PDF if it was made from these pages, else None."""
    path = Path(app.srcdir).parent / 'pdf' / Path(app.config.latex_documents[0][1]).with_suffix('.pdf')
    pages = [page.stat().st_mtime for page in Path(app.srcdir).rglob('*.rst')]
    return path if path.exists() and path.stat().st_mtime > max(pages) else None


def finish(app, exception):
    """Lay beside the pages what they offer to download; leave no old site when building failed."""
    if app.builder.format != 'html':
        return
    site = Path(app.outdir)
    if exception:
        shutil.rmtree(site, ignore_errors=True)
        return
    for name in app.env.found_docs:
        page = notebooks.ROOT / f'{name}.md'
        # servers and browsers take a text without this mark for one in another encoding than UTF-8
        (site / f'{name}.md.txt').write_text(page.read_text(), encoding='utf-8-sig')
        if page.with_suffix('.ipynb').exists():
            nbformat.write(notebooks.read_page(page), site / f'{name}.ipynb')
    language = 'en' if app.config.language == 'en' else 'zh'
    for file in filter(None, [pdf_of(app), notebooks.ROOT / 'img' / 'cover.jpg' if language == 'zh' else None]):
        shutil.copy(file, site)
    if language == 'zh':
        shutil.copytree(web.FOLDER, site / '_static' / 'try', dirs_exist_ok=True)
    for name in UNUSED:
        (site / '_static' / name).unlink(missing_ok=True)


def setup(app):
    """Add all this to Sphinx."""
    languages['zh'] = Pairs
    images.mime_suffixes['.webp'] = 'image/webp'  # else Sphinx looks for a converter, which few readers have
    StandaloneHTMLBuilder.supported_image_types = [*StandaloneHTMLBuilder.supported_image_types, 'image/webp']
    app.doctreedir = str(Path(app.srcdir).with_name(f'doctrees-{Path(app.outdir).name}'))  # not within the site
    app.add_directive('parsed-literal', Output, override=True)
    app.add_directive('execution-record', Status)
    app.add_transform(Pages)
    app.set_translator('html', Translator)
    app.add_js_file('book.js', priority=300)  # after Sphinx's doctools.js, before its translations.js
    app.add_css_file('style.css')
    app.connect('config-inited', configure, priority=400)  # before the copy button takes its settings
    app.connect('builder-inited', check_outputs)
    app.connect('html-page-context', page_context, priority=900)
    app.connect('build-finished', finish)
    # another extension reads all pages anew
    return {'parallel_read_safe': True, 'parallel_write_safe': True, 'env_version': int(digest(__file__)[:8], 16)}

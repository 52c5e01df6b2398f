"""What the PDFs need: LaTeX's settings for each language, and a document tree that keeps together what belongs so."""
import re

from docutils import nodes
from sphinx.addnodes import pending_xref

HANZI = re.compile('[\u3400-\u9fff]')
WHOLE, HEAD = 20, 4  # lines of code that are kept on one page; lines of output that are kept with the code
WORDS = {
    'zh_CN': {'subtitle': '用MXNet Gluon写的一章可执行的教程', 'edition': '第%s版', 'option': 'zh', 'tag': 'zh-CN',
              'subject': '迁移学习与微调：一章可执行的教程', 'keywords': '迁移学习, 微调, 深度学习, MXNet, Gluon',
              'licence': '文字、图片和数据：CC BY-SA 4.0，%s。代码：MIT许可证。\\par '
                         '书中的输出由所印的代码得到，没有改动。'},
    'en': {'subtitle': 'An executable chapter in MXNet Gluon', 'edition': 'Version %s', 'option': 'en', 'tag': 'en',
           'subject': 'Transfer learning and fine-tuning: an executable chapter',
           'keywords': 'transfer learning, fine-tuning, deep learning, MXNet, Gluon',
           'licence': 'Text, pictures and data: CC BY-SA 4.0, %s. Code: MIT licence.\\par '
                      'All output in this book comes from the printed code, unchanged.'},
}
LICENCE = r'\url{https://creativecommons.org/licenses/by-sa/4.0/}'


def elements(config):
    """Return Sphinx's latex_elements for the edition's language; the look itself is in look/book.sty."""
    words = WORDS[config.language]
    commands = {'booksubtitle': words['subtitle'], 'bookedition': words['edition'] % config.release,
                'booklicence': words['licence'] % LICENCE}
    preamble = [f'\\usepackage[{words["option"]}]{{book}}',
                *(f'\\newcommand{{\\{name}}}{{{value}}}' for name, value in commands.items()),
                f'\\hypersetup{{pdflang={{{words["tag"]}}}, pdfsubject={{{words["subject"]}}}, '
                f'pdfkeywords={{{words["keywords"]}}}, pdfdisplaydoctitle, bookmarksnumbered, bookmarksopen}}']
    return {
        'papersize': 'a4paper', 'pointsize': '11pt', 'pxunit': '.6bp', 'figure_align': '!htb', 'fncychap': '',
        'geometry': r'\usepackage[inner=27mm, outer=25mm, top=25mm, bottom=25mm, headheight=14pt]{geometry}',
        'fontenc': r'\usepackage{xeCJK}', 'babel': r'\usepackage{babel}', 'polyglossia': '', 'fontpkg': '',
        'passoptionstopackages': r'\PassOptionsToPackage{indentafter}{titlesec}' * (words['option'] == 'zh'),
        'fvset': r'\fvset{fontsize=\small,baselinestretch=1.05,formatcom=\xeCJKVerbAddon}',
        'sphinxsetup': 'verbatimsep=2mm, verbatimforcewraps, VerbatimColor={gray}{0.95}, '
                       'VerbatimBorderColor={gray}{0.95}, InnerLinkColor={rgb}{0,0.25,0.5}, '
                       'OuterLinkColor={rgb}{0,0.25,0.5}, TitleColor={gray}{0}, pre_border-radius=2pt',
        'preamble': '\n'.join(preamble), 'makeindex': '', 'printindex': ''}


def raw(text):
    """Return a node that LaTeX reads as it stands."""
    return nodes.raw('', text, format='latex')


def adapt(document):
    """Keep a piece of code or output on one page, code with its output's first lines, and a table with its caption.

    Chinese and the number in a link get the space between them that xeCJK misses.
    """
    for block in list(document.findall(nodes.literal_block)):
        style, after = block.previous_sibling(), block.next_node(descend=False, siblings=True)
        if isinstance(style, nodes.raw) and 'diilbookstyle' in style.astext():
            printed = isinstance(after, nodes.raw) and 'outputcell' in after.astext()
            lines = min(block.astext().count('\n') + 1 + (HEAD if printed else 0), WHOLE)
            block.parent.replace(style, raw(f'\\needspace{{{lines}\\codeskip}}\n{style.astext()}'))
    for table in [title.parent for title in document.findall(nodes.title) if isinstance(title.parent, nodes.table)]:
        parent = table.parent
        labels = [node for node in parent.children
                  if isinstance(node, nodes.target) and node.get('refid') in table['ids']]
        parent.insert(parent.index(table) + 1, raw('\\end{minipage}'))
        # a label stays next to its table, or LaTeX gets it twice
        parent.insert(parent.index((labels or [table])[0]),
                      raw('\\bigskip\n\\noindent\\begin{minipage}{\\linewidth}\\centering'))
    for link in [link for link in document.findall(pending_xref) if link['reftype'] in ('numref', 'eq')]:
        place = link.parent.index(link)
        for step, edge in ((1, 0), (-1, -1)):
            sibling = link.parent[place + step] if 0 <= place + step < len(link.parent) else None
            if (step > 0 or link['reftype'] == 'eq') and isinstance(sibling, nodes.Text) and HANZI.match(sibling[edge]):
                link.parent.replace(sibling, nodes.Text(f' {sibling}' if step > 0 else f'{sibling} '))

"""Render the executed notebooks as two PDFs, with d2lbook, Sphinx and XeLaTeX; nothing is executed here.

They are `hot-dog-book-zh.pdf` and `hot-dog-book-en.pdf` in `_build/pdf`, or in `_build/photos/pdf` when the settings
are not the default. Both are made anew when anything they are made from changed, and replace the old ones only when
both are complete and their logs are clean; a failure leaves none.
"""
import argparse
import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pypandoc
from d2lbook.build import Builder

from book import notebooks
from book import render
from book.notebooks import BUILD, ROOT

STYLE = ROOT / 'book' / 'look' / 'book.sty'
# what to look for, and the Debian package that has it
PROGRAMS = {'xelatex': 'texlive-xetex', 'latexmk': 'latexmk', 'rsvg-convert': 'librsvg2-bin', 'fc-list': 'fontconfig'}
TEX_FILES = {'titlesec.sty': 'texlive-latex-extra', 'pzdr.tfm': 'texlive-fonts-recommended',
             'FandolKai-Regular.otf': 'texlive-lang-chinese', 'texgyrepagella-regular.otf': 'fonts-texgyre',
             'texgyrepagella-math.otf': 'fonts-texgyre-math'}
FONTS = {'Noto Serif CJK SC': 'fonts-noto-cjk'}
LANGUAGES = {'zh': 'zh-CN', 'en': 'en'}
WORDS = {
    'zh': {'subtitle': '用MXNet Gluon写的一章可执行的教程', 'edition': '第%s版',
           'subject': '迁移学习与微调：一章可执行的教程', 'keywords': '迁移学习, 微调, 深度学习, MXNet, Gluon',
           'licence': '文字、图片和数据：CC BY-SA 4.0，%s。代码：MIT许可证。\\par '
                      '书中的输出由所印的代码得到，没有改动。'},
    'en': {'subtitle': 'An executable chapter in MXNet Gluon', 'edition': 'Version %s',
           'subject': 'Transfer learning and fine-tuning: an executable chapter',
           'keywords': 'transfer learning, fine-tuning, deep learning, MXNet, Gluon',
           'licence': 'Text, pictures and data: CC BY-SA 4.0, %s. Code: MIT licence.\\par '
                      'All output in this book comes from the printed code, unchanged.'},
}
LICENCE = r'\url{https://creativecommons.org/licenses/by-sa/4.0/}'
# what no log may hold; a line that is too long by less than 3 pt is not seen
FAULTS = re.compile(r'Missing character.*|.*(?:Citation|[Rr]eference).*undefined.*|.*multiply defined.*'
                    r'|Overfull \\hbox \((?:[3-9]|\d{2,})\.\d+pt.*|^\./\S+:\d+: .*', re.MULTILINE)
HANZI = '[\u3400-\u9fff]'
LINK = re.compile(rf'({HANZI})(?=\\eqref)|((?:\\ref{{\\detokenize{{[^}}]*}}}}|\\eqref{{[^}}]*)}})(?={HANZI})')
WHOLE, HEAD = 20, 4  # lines of code that are kept on one page; lines of output that are kept with the code


def missing_packages():
    """List the Debian packages whose programs, TeX files or fonts are not there."""
    missing = [package for name, package in PROGRAMS.items() if not shutil.which(name)]
    if shutil.which('kpsewhich'):
        found = subprocess.run(['kpsewhich', *TEX_FILES], capture_output=True, text=True).stdout
        missing += [package for name, package in TEX_FILES.items() if f'/{name}' not in found]
    else:
        missing += TEX_FILES.values()
    if shutil.which('fc-list'):
        families = subprocess.run(['fc-list', ':', 'family'], capture_output=True, text=True).stdout
        missing += [package for name, package in FONTS.items() if name not in families]
    else:
        missing += FONTS.values()
    return list(dict.fromkeys(missing))


def settings(config, language):
    """Write the lines that make d2lbook's Sphinx settings those of the PDF."""
    words, title = WORDS[language], config.project['title']
    commands = {'booksubtitle': words['subtitle'], 'bookedition': words['edition'] % config.project['release'],
                'booklicence': words['licence'] % LICENCE}
    preamble = [f'\\usepackage[{language}]{{book}}',
                *(f'\\newcommand{{\\{name}}}{{{value}}}' for name, value in commands.items()),
                f'\\hypersetup{{pdflang={{{LANGUAGES[language]}}}, pdfsubject={{{words["subject"]}}}, '
                f'pdfkeywords={{{words["keywords"]}}}, pdfdisplaydoctitle, bookmarksnumbered, bookmarksopen}}']
    elements = {
        'papersize': 'a4paper', 'pointsize': '11pt', 'pxunit': '.6bp', 'figure_align': 'H', 'fncychap': '',
        'geometry': r'\usepackage[inner=27mm, outer=25mm, top=25mm, bottom=25mm, headheight=14pt]{geometry}',
        'fontenc': r'\usepackage{xeCJK}', 'babel': r'\usepackage{babel}', 'polyglossia': '', 'fontpkg': '',
        'passoptionstopackages': r'\PassOptionsToPackage{indentafter}{titlesec}' if language == 'zh' else '',
        'fvset': r'\fvset{fontsize=\small,baselinestretch=1.05,formatcom=\xeCJKVerbAddon}',
        'sphinxsetup': 'verbatimsep=2mm, verbatimforcewraps, VerbatimColor={gray}{0.95}, '
                       'VerbatimBorderColor={gray}{0.95}, InnerLinkColor={rgb}{0,0.25,0.5}, '
                       'OuterLinkColor={rgb}{0,0.25,0.5}, TitleColor={gray}{0}, pre_border-radius=2pt',
        'preamble': '\n'.join(preamble), 'makeindex': '', 'printindex': ''}
    values = {
        'latex_elements': elements, 'latex_additional_files': [str(STYLE), 'img/cover.jpg'],
        'latex_documents': [('index', 'book.tex', title, config.project['author'], 'howto')],
        'latex_table_style': ['booktabs'], 'latex_domain_indices': False, 'latex_show_pagerefs': False,
        'rsvg_converter_args': []}
    return '\n' + ''.join(f'{name} = {value!r}\n' for name, value in values.items())


def for_print(text):
    """Adapt reStructuredText: output figures need less room, headings have one number only."""
    text = re.sub(r'^(\.\. image:: .*)', r'\1\n   :align: center', render.polish(text), flags=re.MULTILINE)
    text = re.sub(r'^(\.\. figure:: output_.*)', r'\1\n   :scale: 80%', text, flags=re.MULTILINE)
    return re.sub(r'^\d+\\?\. (.+\n-{3,}$)', r'\1', text, flags=re.MULTILINE)


def keep_together(tex):
    """Keep a piece of code, or of output, on one page, code with its output's first lines; let titled figures float.

    A table stays with its caption. Chinese and the number in a link get the space between them that xeCJK misses.
    """
    def need(match):
        style, block, output = match.groups()
        lines = min(block.count('\n') + 1 + (HEAD if output else 0), WHOLE)
        return f'\\needspace{{{lines}\\codeskip}}\n{style}{block}'

    tex = LINK.sub(r'\1\2 ', tex)
    tex = re.sub(r'\\sphinxcapstartof\{table\}.*?\\end\{tabulary\}', r'\\bigskip\n\\begin{minipage}{\\linewidth}'
                 r'\\centering\n\g<0>\n\\end{minipage}', tex, flags=re.DOTALL)
    tex = tex.replace('{figure}[H]\n\\centering\n\\capstart', '{figure}[!htb]\n\\centering\n\\capstart')
    return re.sub(r'(\\diilbookstyle(?:in|out)putcell\s+)(\\begin\{sphinxVerbatim\}.*?\\end\{sphinxVerbatim\})'
                  r'(?=(\s+\\diilbookstyleoutputcell)?)', need, tex, flags=re.DOTALL)


def prepare(language, executed, work):
    """Lay out one edition as reStructuredText; return its folder."""
    work.mkdir(parents=True)
    config = render.configuration(render.EDITIONS[language], work)
    render.prepare_pages(config, executed)
    with open(work / 'log', 'w') as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        Builder(config).rst()
    folder = Path(config.rst_dir)
    render.name_alike(folder)
    for page in folder.rglob('*.rst'):
        page.write_text(for_print(page.read_text()))
    with open(folder / 'conf.py', 'a') as file:
        file.write(settings(config, language))
    return folder


def typeset(folder, work):
    """Make the PDF of one edition; return its path. Raises RuntimeError with the faults that the logs name."""
    latex = work / 'latex'
    command = [sys.executable, '-m', 'sphinx', '-b', 'latex', '-W', '--keep-going', '-q', folder, latex]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f'Sphinx found faults in the pages:\n{result.stderr.strip()}')
    tex = latex / 'book.tex'
    tex.write_text(keep_together(tex.read_text()))
    environment = {**os.environ, 'max_print_line': '10000', 'LATEXOPTS': '', 'FORCE_SOURCE_DATE': '1',
                   'SOURCE_DATE_EPOCH': os.environ.get('SOURCE_DATE_EPOCH', last_commit())}
    command = ['latexmk', '-xelatex', '-interaction=nonstopmode', '-halt-on-error', '-file-line-error', 'book.tex']
    result = subprocess.run(command, cwd=latex, capture_output=True, text=True, errors='replace', env=environment)
    (latex / 'latexmk.log').write_text(result.stdout + result.stderr)
    log = latex / 'book.log'  # of the last run: the first ones do not know the references yet
    faults = FAULTS.findall(log.read_text(errors='replace')) if log.exists() else []
    faults += re.findall(r'xdvipdfmx:(?:warning|fatal).*', result.stdout + result.stderr)
    if faults or result.returncode:
        faults = [fault for fault in faults if fault.startswith('./')] or faults  # errors, or else warnings
        said = '\n'.join(dict.fromkeys(faults)) or result.stderr.strip()[-2000:]
        raise RuntimeError(f'LaTeX found faults, see {log}:\n{said}')
    return latex / 'book.pdf'


def last_commit():
    """Give the time of the last commit in seconds since 1970, or now where there is no git: the date of the PDF."""
    git = shutil.which('git')
    stamp = git and subprocess.run([git, 'log', '-1', '--format=%ct'], capture_output=True, text=True).stdout.strip()
    return stamp or str(int(time.time()))


def build(executed, work):
    """Make both PDFs below `work`, at the same time; return their folder."""
    folders = {language: prepare(language, executed, work / language) for language in render.EDITIONS}
    target = work / 'pdf'
    target.mkdir()
    with ThreadPoolExecutor() as pool:
        made = pool.map(lambda language: typeset(folders[language], work / language), folders)
        for language, path in zip(folders, list(made)):
            os.replace(path, target / f'hot-dog-book-{language}.pdf')
    return target


def main():
    """Make the PDFs if anything they are made from changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='only see whether TeX and the fonts are there')
    options = parser.parse_args()
    missing = missing_packages()
    if missing:
        sys.exit('the PDFs need TeX and fonts, please type (Debian or Ubuntu): '
                 f'sudo apt-get install --no-install-recommends {" ".join(missing)}')
    if options.check:
        return
    try:
        chosen = notebooks.settings()
    except OSError as error:
        sys.exit(str(error))
    # pandoc comes with the package pypandoc
    os.environ['PATH'] = os.pathsep.join([str(Path(pypandoc.get_pandoc_path()).parent), os.environ['PATH']])
    logging.getLogger().setLevel(logging.WARNING)
    executed, target = BUILD / 'executed' / notebooks.variant(chosen), notebooks.site(chosen).with_name('pdf')
    with notebooks.exclusive():
        key = render.sources(executed)
        key_file, work = target / '.key', target.with_name('work-pdf')
        if key_file.exists() and key_file.read_text() == key:
            print(f'{target}/ is up to date')
            return
        for folder in (target, work):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            made = build(executed, work)
        except (RuntimeError, OSError) as error:
            sys.exit(notebooks.sentence(error))
        (made / '.key').write_text(key)
        os.replace(made, target)
    print(f'The PDFs are {" and ".join(str(path) for path in sorted(target.glob("*.pdf"), reverse=True))}')


if __name__ == '__main__':
    os.chdir(ROOT)
    main()

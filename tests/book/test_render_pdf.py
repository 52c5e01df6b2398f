"""The two PDFs, made once from the stored notebooks: text, figures, bookmarks, metadata, logs; what a fault leaves."""
import io
import os
import re
import shutil
import subprocess
import sys
import unicodedata
import zlib
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
from PIL import Image

from book import notebooks
import render_pdf

TOOLS = notebooks.ROOT / 'tools'
POPPLER = ('pdftotext', 'pdfinfo', 'pdfimages', 'pdftohtml', 'pdftoppm')
LANGUAGES = ('zh', 'en')
missing = render_pdf.missing_packages() + ['poppler-utils'] * (None in map(shutil.which, POPPLER))
needs_tex = pytest.mark.skipif(bool(missing), reason=f'not installed: {" ".join(missing)}')


def run(folder, *options, path=None):
    code = f'import sys; sys.path.insert(0, {str(TOOLS)!r}); import render_pdf; render_pdf.main()'
    return subprocess.run([sys.executable, '-c', code, *options], text=True, capture_output=True, cwd=folder,
                          env={**os.environ, 'PATH': path or os.environ['PATH']})


def poppler(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], check=True, capture_output=True).stdout


@pytest.fixture(scope='session')
def book(tmp_path_factory):
    """A copy of the book whose stored notebooks count as executed, and its PDFs."""
    folder = tmp_path_factory.mktemp('book')
    for name in (notebooks.CHAPTER, 'img', 'static', 'web'):
        shutil.copytree(notebooks.ROOT / name, folder / name)
    for pattern in ('*.md', 'config*.ini', 'refs.bib', 'requirements.lock', 'CITATION.cff'):
        for file in notebooks.ROOT.glob(pattern):
            shutil.copy(file, folder)
    executed = folder / '_build' / 'executed' / 'demo'
    executed.mkdir(parents=True)
    for file in (folder / notebooks.CHAPTER).glob('*.ipynb'):
        shutil.copy(file, executed)
    result = run(folder)
    assert result.returncode == 0, result.stderr
    return folder


def pdf(book, language):
    return book / '_build' / 'pdf' / f'hot-dog-book-{language}.pdf'


def letters(text):
    """Leave letters and digits only: lines, ligatures, hyphens and quotation marks differ between page and source."""
    return re.sub(r'[\W_]+', '', unicodedata.normalize('NFKC', text))


def pages(language):
    """List the pages of an edition that the PDF shows, in the order of reading."""
    index = Path(notebooks.ROOT, 'index.md' if language == 'zh' else 'index_en.md').read_text()
    names = re.search(r'^```toc\n(.*?)^```', index, re.MULTILINE | re.DOTALL)[1].split('\n')
    return [notebooks.ROOT / f'{name}.md' for name in names if '/' in name or name.startswith('references')]


def sections(language):
    """Give the headings of an edition, without the exercises' numbers, and the prose below each."""
    for page in pages(language):
        text = re.sub(r'^```(?s:.*?)^```$|^\$\$(?s:.*?)\$\$$|^!\[.*|^\|.*|^<!--.*-->$'
                      '|^:(?:label|eqlabel|width|bibliography):.*', '', page.read_text(), flags=re.MULTILINE)
        for part in re.split(r'^(?=#)', text, flags=re.MULTILINE)[1:]:
            heading, _, prose = part.partition('\n')
            yield re.sub(r'^#+ (\d+\. )?', '', heading), prose.strip()


def plain(sentence):
    """Take the longest piece of a sentence that holds no formula and no reference."""
    return max((letters(piece) for piece in re.split(r'\$.*?\$|:\w+:`.*?`', sentence)), key=len)


@needs_tex
@pytest.mark.parametrize('language', LANGUAGES)
def test_the_first_and_last_sentence_of_each_section_are_there(book, language):
    body = poppler('pdftotext', '-raw', '-x', 0, '-y', 60, '-W', 600, '-H', 730, pdf(book, language), '-')  # no headers
    text, count = letters(body.decode()), 0
    for heading, prose in sections(language):
        sentences = [plain(part) for part in re.split(r'(?<=[。？！：])|(?<=[.?!:])\s|\n\s*\n', prose)]
        sentences = [sentence for sentence in sentences if len(sentence) > 3]
        for sentence in sentences[:1] + sentences[-1:]:
            assert sentence in text, f'{heading}: {sentence}'
            count += 1
        assert letters(heading) in text
    assert count > 60


@needs_tex
@pytest.mark.parametrize('language', LANGUAGES)
def test_the_bookmarks_are_the_headings(book, language):
    xml = poppler('pdftohtml', '-xml', '-stdout', '-i', pdf(book, language)).decode()
    outline = ElementTree.fromstring(re.search(r'<outline>.*</outline>', xml, re.DOTALL)[0])
    found = [letters(re.sub(r'^[\d.]+ ', '', item.text)) for item in outline.iter('item')]
    assert found == [letters(heading) for heading, _ in sections(language)]


@needs_tex
@pytest.mark.parametrize('language', LANGUAGES)
def test_metadata_and_interface_words_are_in_the_language(book, language):
    information = poppler('pdfinfo', pdf(book, language)).decode()
    for name, value in {'Title': {'zh': '热狗，还是不是热狗：微调', 'en': 'Hot dog, or not hot dog: fine-tuning'},
                        'Author': {'zh': '本书作者', 'en': 'The authors of this book'},
                        'Subject': {'zh': '迁移学习与微调', 'en': 'Transfer learning and fine-tuning'},
                        'Keywords': {'zh': '微调', 'en': 'fine-tuning'}}.items():
        assert re.search(rf'^{name}: +.*{value[language]}', information, re.MULTILINE), name
    content = pdf(book, language).read_bytes()
    streams = b''.join(inflate(content[match.end():]) for match in re.finditer(rb'stream\r?\n', content))
    assert re.search({'zh': rb'/Lang *\(zh-CN\)', 'en': rb'/Lang *\(en\)'}[language], streams + content)
    words = poppler('pdftotext', pdf(book, language), '-').decode()
    for edition, interface in {'zh': ('目录', '图 1.1.1', '第 2 节'),
                               'en': ('Contents', 'Fig. 1.1.1', 'Section 2')}.items():
        assert [word in words for word in interface] == [edition == language] * 3


def inflate(content):
    """Decompress a PDF's stream, or give nothing where it is none of the kind."""
    try:
        return zlib.decompressobj().decompress(content)
    except zlib.error:
        return b''


@needs_tex
@pytest.mark.parametrize('language', LANGUAGES)
def test_every_figure_is_there_and_not_blank(book, language, tmp_path):
    latex = book / '_build' / 'work-pdf' / language / 'latex'
    used = set(re.findall(r'sphinxincludegraphics(?:\[.*?\])?\{\{(.*?)\}(\.\w+)\}', (latex / 'book.tex').read_text()))
    executed = [nbformat.read(path, as_version=4) for path in (book / '_build' / 'executed' / 'demo').glob('*.ipynb')
                if not path.stem.endswith('_en')]
    outputs = sum('image/png' in output.get('data', {}) for notebook in executed
                  for cell in notebooks.code_cells(notebook) for output in cell.outputs)
    drawings = [latex / f'{name}{ending}' for name, ending in used if ending == '.pdf']
    assert len(used) - len(drawings) == outputs > 5 and len(drawings) >= 2
    poppler('pdfimages', '-all', pdf(book, language), tmp_path / 'image')
    kinds = [line.split()[2] for line in poppler('pdfimages', '-list', pdf(book, language)).decode().splitlines()[2:]]
    images = [np.asarray(Image.open(file).convert('L'))
              for file, kind in zip(sorted(tmp_path.iterdir()), kinds, strict=True) if kind == 'image']
    assert len(images) == outputs + 1  # and the cover
    images += [np.asarray(Image.open(io.BytesIO(poppler('pdftoppm', '-r', '50', '-png', drawing))).convert('L'))
               for drawing in drawings]
    assert all(image.std() > 10 for image in images)
    labels = ElementTree.parse(notebooks.ROOT / 'img' / ('fine-tune.svg' if language == 'zh' else 'fine-tune_en.svg'))
    text = letters(poppler('pdftotext', pdf(book, language), '-').decode())
    for label in labels.iter('{http://www.w3.org/2000/svg}text'):
        if label.text and len(letters(label.text)) > 3:
            assert letters(label.text) in text


@needs_tex
@pytest.mark.parametrize('language', LANGUAGES)
def test_the_log_is_clean_and_all_links_lead_somewhere(book, language):
    latex = book / '_build' / 'work-pdf' / language / 'latex'
    log = (latex / 'book.log').read_text(errors='replace') + (latex / 'latexmk.log').read_text(errors='replace')
    assert 'Output written on book.xdv' in log
    last = log[:log.index('Output written')]  # the log of the last run comes first
    for fault in ('Missing character', 'undefined on input line', 'multiply defined', '??'):
        assert fault not in last, fault
    assert all(float(width) < 3 for width in re.findall(r'Overfull \\hbox \((\d+\.\d+)pt', last))
    assert 'https://creativecommons.org/licenses/by-sa/4.0/' in poppler('pdfinfo', '-url', pdf(book, language)).decode()


@needs_tex
def test_the_pdfs_are_made_once(book):
    before = {path: path.stat().st_mtime_ns for path in (book / '_build' / 'pdf').iterdir()}
    assert 'up to date' in run(book).stdout and len(before) == 3
    assert before == {path: path.stat().st_mtime_ns for path in (book / '_build' / 'pdf').iterdir()}


@needs_tex
@pytest.mark.long
def test_a_sign_that_no_font_has_is_a_fault_and_leaves_no_pdf(book, tmp_path):
    folder = tmp_path / 'book'
    shutil.copytree(book, folder)
    page = folder / 'index.md'
    page.write_text(page.read_text().replace('一本', '一𓀀本'))
    result = run(folder)
    assert result.returncode == 1 and 'Missing character' in result.stderr
    assert not (folder / '_build' / 'pdf').exists()


def test_without_tex_one_sentence_names_the_packages(tmp_path):
    result = run(tmp_path, '--check', path=str(tmp_path))
    sentence = result.stderr.splitlines()[-1]
    assert result.returncode == 1 and sentence.startswith('the PDFs need TeX')
    servers = [Path(notebooks.ROOT, name).read_text() for name in ('.ci/run', '.github/workflows/pages.yml')]
    for package in {*render_pdf.PROGRAMS.values(), *render_pdf.TEX_FILES.values(), *render_pdf.FONTS.values()}:
        assert package in sentence
        assert package == 'fontconfig' or all(package in server for server in servers)


@pytest.mark.parametrize('line, fault', [
    ('Missing character: There is no 热 (U+70ED) in font Pagella', True), ('Overfull \\hbox (12.5pt too wide)', True),
    ("LaTeX Warning: Reference `a' on page 4 undefined on input line 113.", True),
    ("LaTeX Warning: Citation `b' undefined", True), ('./book.tex:151: Undefined control sequence.', True),
    ('Overfull \\hbox (2.9pt too wide)', False), ('LaTeX Font Warning: Font shape undefined', False)])
def test_faults_of_the_log_are_noticed(line, fault):
    assert bool(render_pdf.FAULTS.search(f'first\n{line}\nlast')) is fault


def test_what_print_needs_is_changed():
    rst = ('见\n:numref:`a` 的\n\n3. Freeze\n---------\n\n.. parsed-literal::\n    :class: output\n\n    *x*\n\n'
           '.. figure:: output_a_1_0.png\n\n1. an item\n\n.. figure:: ../img/a.svg\n\n   words\n')
    assert render_pdf.for_print(rst) == (
        '见\\ :numref:`a`\\ 的\n\nFreeze\n---------\n\n.. code-block:: none\n    :class: output\n\n    *x*\n\n'
        '.. figure:: output_a_1_0.png\n   :scale: 80%\n\n1. an item\n\n'
        '.. image:: ../img/a.svg\n   :align: center\n   :alt: words\n')
    link, number = r'\hyperref[\detokenize{a}]{图\ref{\detokenize{a}}}', r'\eqref{b}'
    assert render_pdf.keep_together(f'如{link}所示，由{number}可见{number}，') == (
        f'如{link} 所示，由 {number} 可见 {number}，')
    table = '\\sphinxcapstartof{table}\nwords\n\\end{tabulary}'
    assert f'\\centering\n{table}\n\\end{{minipage}}' in render_pdf.keep_together(f'a\n{table}\nb')

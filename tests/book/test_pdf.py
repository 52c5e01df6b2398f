"""The two PDFs, made in a copy of the clone as a reader makes them: text, figures, bookmarks, metadata and logs."""
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest

from book import notebooks
from test_site import clone, command

PROGRAMS = ('xelatex', 'latexmk', 'rsvg-convert', 'pdftotext', 'pdfinfo', 'pdfimages', 'pdftohtml')
missing = [program for program in PROGRAMS if not shutil.which(program)]
pytestmark = pytest.mark.skipif(bool(missing), reason=f'not installed: {" ".join(missing)}')
LANGUAGES = {'zh': '', 'en': '_en'}


def poppler(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope='module')
def pdfs(tmp_path_factory):
    """A copy of the clone, in which make pdf was run on the committed outputs."""
    folder = tmp_path_factory.mktemp('clone')
    environment = {name: value for name, value in clone(folder).items() if name not in ('MAKEFLAGS', 'MAKELEVEL')}
    shutil.copytree(folder / notebooks.CHAPTER, folder / '_build' / 'executed')  # the committed outputs are current
    (folder / '.venv').symlink_to(notebooks.ROOT / '.venv')
    said = command(folder, environment, 'make', 'pdf', 'HTML=')  # test_site.py looks at the site
    assert 'd2lbook build pdf' in said  # the reader sees the standard command
    return {'zh': folder / '_build/pdf/hot-dog-book.pdf', 'en': folder / '_build/en/pdf/hot-dog-book-en.pdf'}


def letters(text):
    """Leave letters and digits only: lines, ligatures, hyphens and quotation marks differ between page and source."""
    return re.sub(r'[\W_]+', '', unicodedata.normalize('NFKC', text))


def sections(edition):
    """Yield the headings of an edition, without the exercises' numbers, and the prose below each."""
    index = (notebooks.ROOT / f'index{edition}.md').read_text()
    names = re.search(r'^```toc\n(.*?)^```', index, re.MULTILINE | re.DOTALL)[1].split()
    for name in [name for name in names if name.startswith(('chapter', 'references'))]:
        text = re.sub(r'^```(?s:.*?)^```$|^\$\$(?s:.*?)\$\$$|^!\[.*|^\|.*|^<.*>$|^:(?:label|eqlabel|width|bibl).*',
                      '', (notebooks.ROOT / f'{name}.md').read_text(), flags=re.MULTILINE)
        for part in re.split(r'^(?=#)', text, flags=re.MULTILINE)[1:]:
            heading, _, prose = part.partition('\n')
            yield re.sub(r'^#+ (\d+\. )?', '', heading), prose.strip()


@pytest.mark.parametrize('language', LANGUAGES)
def test_the_first_and_last_sentence_of_each_section_are_there(pdfs, language):
    text = letters(poppler('pdftotext', '-raw', '-x', 0, '-y', 60, '-W', 600, '-H', 730, pdfs[language], '-'))
    count = 0
    for heading, prose in sections(LANGUAGES[language]):
        sentences = [max((letters(piece) for piece in re.split(r'\$.*?\$|:\w+:`.*?`', part)), key=len)
                     for part in re.split(r'(?<=[。？！：])|(?<=[.?!:])\s|\n\s*\n', prose)]
        sentences = [sentence for sentence in sentences if len(sentence) > 3]
        for sentence in sentences[:1] + sentences[-1:]:
            assert sentence in text, f'{heading}: {sentence}'
            count += 1
    assert count > 60


@pytest.mark.parametrize('language', LANGUAGES)
def test_bookmarks_metadata_and_words_are_in_the_language(pdfs, language):
    xml = poppler('pdftohtml', '-xml', '-stdout', '-i', pdfs[language])
    outline = ElementTree.fromstring(re.search(r'<outline>.*</outline>', xml, re.DOTALL)[0])
    bookmarks = [letters(re.sub(r'^[\d.]+ ', '', item.text)) for item in outline.iter('item')]
    headings = [letters(heading) for heading, _ in sections(LANGUAGES[language])]
    assert bookmarks[:-3] + bookmarks[-1:] == headings  # and before the references the status page, of two sections
    information = poppler('pdfinfo', pdfs[language])
    for name, value in {'Title': {'zh': '热狗，还是不是热狗：微调', 'en': 'Hot dog, or not hot dog: fine-tuning'},
                        'Subject': {'zh': '迁移学习与微调', 'en': 'Transfer learning and fine-tuning'}}.items():
        assert re.search(rf'^{name}: +.*{value[language]}', information, re.MULTILINE), name
    words = poppler('pdftotext', pdfs[language], '-')
    for edition, interface in {'zh': ('目录', '图 1.1.1', '第 2 节'),
                               'en': ('Contents', 'Fig. 1.1.1', 'Section 2')}.items():
        assert [word in words for word in interface] == [edition == language] * 3
    assert 'https://creativecommons.org/licenses/by-sa/4.0/' in poppler('pdfinfo', '-url', pdfs[language])


@pytest.mark.parametrize('language', LANGUAGES)
def test_every_output_picture_is_there_and_every_font_is_embedded(pdfs, language):
    texts = [path.read_text() for path in notebooks.CHAPTER.glob('*.ipynb') if not path.stem.endswith('_en')]
    outputs = sum(text.count('"image/png"') - text.count('"image/svg+xml"') for text in texts)  # drawings are no pixels
    kinds = [line.split()[2] for line in poppler('pdfimages', '-list', pdfs[language]).splitlines()[2:]]
    assert kinds.count('image') == outputs + 1 > 6  # and the cover
    fonts = [line.split()[-5] for line in poppler('pdffonts', pdfs[language]).splitlines()[2:]]
    assert fonts and set(fonts) == {'yes'}


@pytest.mark.parametrize('line, fault', [
    ('Missing character: There is no 热 (U+70ED) in font Pagella', True), ('Overfull \\hbox (12.5pt too wide)', True),
    ("LaTeX Warning: Reference `a' on page 4 undefined on input line 113.", True), ('Overfull \\hbox (3.1pt too', True),
    ("LaTeX Warning: Citation `b' undefined", True), ('Overfull \\hbox (2.9pt too wide)', False),
    ('LaTeX Font Warning: Font shape undefined', False)])
def test_faults_of_the_log_stop_make_pdf(line, fault):
    pattern = re.search('^TEX_FAULTS := (.*)$', (notebooks.ROOT / 'Makefile').read_text(), re.MULTILINE)[1]
    result = subprocess.run(['grep', '-E', pattern], input=line, text=True, capture_output=True)
    assert (result.returncode == 0) is fault
    assert '! grep -E' in Path(notebooks.ROOT, 'Makefile').read_text()

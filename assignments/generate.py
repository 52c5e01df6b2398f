"""Generate the exercises' student version from `assignments/*.md`, with nbgrader: `make assignment`.

A source is a text notebook, one for each exercise and language. Code between `### BEGIN SOLUTION` and
`### END SOLUTION` is the solution; a cell with `points=N` holds tests, hidden ones between `### BEGIN HIDDEN TESTS` and
`### END HIDDEN TESTS`; all other cells are given. The statement comes from the book's exercise page. The result is
`_build/assignment`: `zh` and `en`, a folder for the students of each language, `release`, their notebooks alone, and
`gradebook.db`, nbgrader's gradebook without a student, which holds the hidden tests.
"""
import functools
import logging
import os
import re
import shutil
import sys
from pathlib import Path

import jupytext
import nbformat
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from book import notebooks
from book.notebooks import BUILD, CHAPTER, digest, file_digest

SOURCES = Path('assignments')
FOLDER = BUILD / 'assignment'
LANGUAGES = ('zh', 'en')
STUBS = {'zh': '# 在这里写你的代码\nraise NotImplementedError()', 'en': '# YOUR CODE HERE\nraise NotImplementedError()'}
TITLES = {'zh': '“{}”一节', 'en': 'section "{}"'}
# what a student needs to work, without a network connection
SHARED = ['utils.py', *sorted(f'hotdog/{path.name}' for path in (notebooks.ROOT / 'hotdog').glob('*.py')),
          'img/real_hotdog.jpg', 'environment.yml', 'LICENSE', 'LICENSE-CODE', 'data/imagenet_classes.txt',
          'data/checksums.txt', 'data/registry.txt',
          *(f'data/{line.split()[1]}' for line in (notebooks.ROOT / 'data' / 'checksums.txt').read_text().splitlines())]


def names(language=None):
    """List the exercises' names, of one language or of both; those of the English edition end in _en."""
    found = sorted(path.stem for path in SOURCES.glob('[0-9]_*.md'))
    return [name for name in found if language in (None, language_of(name))]


def language_of(name):
    """Tell an exercise's language by its name."""
    return 'en' if name.endswith('_en') else 'zh'


def page_of(language, name='exercises'):
    """Give the book's page of that name in a language."""
    page = CHAPTER / f'{name}.md'
    return notebooks.english(page) if language == 'en' else page


@functools.cache
def labelled():
    """Give the titles of the chapter's sections and its equations, by their labels."""
    chapter = ''.join(path.read_text() for path in sorted(CHAPTER.glob('*.md')))
    titles = {label: title for title, label in re.findall(r'^#+ (.+)\n:label:`(\w+)`', chapter, re.MULTILINE)}
    equations = {label: body.strip()
                 for body, label in re.findall(r'\$\$(.+?)\$\$\n:eqlabel:`(\w+)`', chapter, re.DOTALL)}
    return titles, equations


def resolve(text, language):
    """Replace d2lbook's references, which a notebook cannot show, by what they refer to, and leave out its labels."""
    titles, equations = labelled()
    authors = {'zh': '{}等，{}', 'en': '{} et al., {}'}[language]
    text = re.sub(r' ?:numref:`(sec_\w+)` ?', lambda match: ' ' * (language == 'en')
                  + TITLES[language].format(titles[match[1]]) + ' ' * (language == 'en'), text)
    text = re.sub(r':eqref:`(\w+)`', lambda match: f'${equations[match[1]].rstrip(".。")}$', text)
    text = re.sub(r':cite:`(\w+)\.[\w.]*?(\d{4})`', lambda match: f'({authors.format(match[1], match[2])})', text)
    text = re.sub(r'^:(?:eq)?label:.*\n?', '', text, flags=re.MULTILINE)
    return re.sub(r'```python \.\w+', '```python', text)


def statement(number, language):
    """Give an exercise's section of the book's page. Raises ValueError when there is none, or a reference is left."""
    page = page_of(language)
    match = re.search(rf'^## {number}\. .*?(?=^## |\Z)', page.read_text(), re.MULTILINE | re.DOTALL)
    if not match:
        raise ValueError(f'{page} has no exercise {number}')
    text = resolve(match[0].strip(), language)
    if re.search(r':\w+:`', text):
        raise ValueError(f'{page}, exercise {number}: a reference that the notebook cannot show')
    return text


def source_notebook(name):
    """Turn a source into the notebook that nbgrader takes, each cell with its role and an identifier."""
    notebook = jupytext.read(SOURCES / f'{name}.md')
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(statement(int(name[0]), language_of(name))))
    notebook.metadata = nbformat.from_dict(notebooks.METADATA)
    for number, cell in enumerate(notebook.cells):
        points = cell.metadata.get('points')
        solution = '### BEGIN SOLUTION' in cell.source
        kind = 'task' if solution else 'tests' if points else 'text' if cell.cell_type == 'markdown' else 'given'
        cell.id, cell.metadata = f'{name}-{number}', nbformat.NotebookNode()
        if kind == 'text' and number == len(notebook.cells) - 1:
            continue  # the student's own words
        cell.metadata.nbgrader = {'schema_version': 3, 'grade_id': f'{kind}-{number}', 'solution': solution,
                                  'grade': bool(points), 'locked': not solution, 'task': False}
        if points:
            cell.metadata.nbgrader['points'] = points
    return notebook


def config(folder, language):
    """Configure nbgrader for a course folder."""
    settings = Config()
    settings.CourseDirectory.root = str(folder.resolve())
    settings.CourseDirectory.course_id = 'hot-dog'
    settings.ClearSolutions.code_stub = {'python': STUBS[language]}
    # nbgrader calls the program alembic, which is in the same environment
    os.environ['PATH'] = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    return settings


def convert(folder):
    """Let nbgrader make the release version of every exercise, and the gradebook; raise RuntimeError if it cannot."""
    logging.getLogger('traitlets').propagate = False  # nbgrader tells of every file it writes
    for name in names():
        path = folder / 'source' / name / f'{name}.ipynb'
        path.parent.mkdir(parents=True)
        nbformat.write(source_notebook(name), path)
        result = NbGraderAPI(config=config(folder, language_of(name))).generate_assignment(name)
        if not result['success']:
            raise RuntimeError(f'{SOURCES / name}.md: nbgrader cannot convert it\n{result.get("log", "")}')


def student_folder(folder, language):
    """Lay out what the students of a language get: notebooks, guide, data and code."""
    target = folder / language
    for name in SHARED:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, target / name)
    for name in names(language):
        shutil.copy(folder / 'release' / name / f'{name}.ipynb', target)
    page = page_of(language, 'training')
    training = notebooks.read_page(page)  # exercise 8 begins with it
    for cell in training.cells:
        if cell.cell_type == 'markdown':
            cell.source = resolve(cell.source, language)
    (target / CHAPTER).mkdir()
    nbformat.write(training, target / page.with_suffix('.ipynb'))
    shutil.copy(SOURCES / ('student_en.md' if language == 'en' else 'student.md'), target / 'README.md')


def key():
    """Hash everything the student version is made from."""
    files = [*SOURCES.glob('*.md'), *CHAPTER.glob('*.md'), *map(Path, SHARED), Path('requirements.lock'),
             Path(__file__)]
    return digest([(path.name, file_digest(path)) for path in sorted(files)])


def generate():
    """Bring the student version up to date, all or nothing; return its folder."""
    key_file = FOLDER / '.key'
    if not key_file.exists() or key_file.read_text() != key():
        half = FOLDER.with_name('assignment.tmp')
        for folder in (FOLDER, half):
            shutil.rmtree(folder, ignore_errors=True)
        half.mkdir(parents=True)
        convert(half)
        shutil.rmtree(half / 'source')
        for language in LANGUAGES:
            student_folder(half, language)
        (half / '.key').write_text(key())
        os.replace(half, FOLDER)
    return FOLDER


def add_to(site):
    """Copy the student notebooks, where there are any, into the rendered site, beside each edition's exercise page."""
    if not names():
        return
    folder = generate()
    for language, edition in {'zh': site, 'en': site / 'en'}.items():
        target = edition / CHAPTER / 'assignments'
        target.mkdir(parents=True)
        for path in (folder / language).glob('*.ipynb'):
            shutil.copy(path, target)


def main():
    """Generate the student version and say where it is."""
    with notebooks.exclusive():
        try:
            folder = generate()
        except (OSError, ValueError, RuntimeError) as error:
            sys.exit(str(error))
    print(f'Hand out {folder}/zh (Chinese) or {folder}/en (English); make grade SUBMISSIONS=folder grades what '
          'comes back')


if __name__ == '__main__':
    os.chdir(notebooks.ROOT)
    main()

"""Generate the exercises from `assignments/*.md` with nbgrader: `make assignment`.

A source is a text notebook, one for each exercise and language. What is between `### BEGIN SOLUTION` and
`### END SOLUTION` is the solution; a code cell with `points=N` holds tests, hidden ones between
`### BEGIN HIDDEN TESTS` and `### END HIDDEN TESTS`, a text cell with points is marked by hand; all other cells are
given. The statement comes from the book's exercise page. The result is `_build/assignment`, a course folder for
nbgrader's own commands, and in it `zh` and `en`, a folder to hand out to the students of each language.

The environment variable CLASS, a name, makes a class's own variant in `_build/assignment-NAME`: nine tenths of the
pictures, drawn by the name, and other random draws and constants in the tests.
"""
import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
from mxnet import recordio

from assignments.sandbox import language_of
from book import notebooks
from book.notebooks import CHAPTER, ROOT
from hotdog import records
from hotdog.files import digest, replacing
from hotdog.photographs import SPLITS

SOURCES = Path('assignments')
RESULTS = SOURCES / 'results.json'  # what the solutions' experiments handed in, from `make solutions`
CLASS = os.environ.get('CLASS', '')
FOLDER = Path('_build', f'assignment-{CLASS}' if CLASS else 'assignment')
PROGRAMS = ('nbgrader_config.py', 'sandbox.py', 'run_notebook.py')  # what nbgrader's commands need in a course folder
FILES = ('utils.py', 'assignments/experiment.py', 'environment.yml', 'LICENSE', 'LICENSE-CODE')  # what students need
FOLDERS = ('hotdog', 'data', 'img')
LEFT_OUT = shutil.ignore_patterns('__pycache__', 'cache', '*.md', '*.zip', 'not_hotdog_*.rec', '*.svg')
RESULT = '### BEGIN SOLUTION\nresult = {}\n### END SOLUTION'  # the cell for it
TITLES = {'zh': '“{}”一节', 'en': 'section "{}"'}
DRAW = re.compile(r'((?:RandomState|Batches)\(|variant = )(\d+)')  # a seed within tests or what is given
AUTHORS = {'zh': '({}等，{})', 'en': '({} et al., {})'}


def names(language=None):
    """Return the exercises' names, of one language or of both; those of the English edition end in _en."""
    exercises = sorted(path.stem for path in SOURCES.glob('[0-9]_*.md'))
    return [name for name in exercises if language in (None, language_of(name))]


def page_of(name, language):
    """Return the path of the book's page of that name in a language."""
    return CHAPTER / f'{name}{"_en" if language == "en" else ""}.md'


def resolve(text, language):
    """Return a page's text with what d2lbook's references refer to in their place, and without its labels."""
    chapter = ''.join(path.read_text() for path in sorted(CHAPTER.glob('*.md')))
    titles = {label: title for title, label in re.findall(r'^#+ (.+)\n:label:`(\w+)`', chapter, re.MULTILINE)}
    equations = {label: body.strip().rstrip('.。')
                 for body, label in re.findall(r'\$\$(.+?)\$\$\n:eqlabel:`(\w+)`', chapter, re.DOTALL)}
    gap = {'zh': ' ?', 'en': ''}[language]
    text = re.sub(rf'{gap}:numref:`(sec_\w+)`{gap}', lambda match: TITLES[language].format(titles[match[1]]), text)
    text = re.sub(r':eqref:`(\w+)`', lambda match: f'${equations[match[1]]}$', text)
    text = re.sub(r':cite:`(\w+)\.[\w.]*?(\d{4})`', lambda match: AUTHORS[language].format(*match.groups()), text)
    text = re.sub(r'^:(?:eq)?label:.*\n?', '', text, flags=re.MULTILINE)
    return re.sub(r'```(?:python \.input|\{\.python \.noeval\})', '```python', text)


def statement(name):
    """Return an exercise's section of the book's page. Raises ValueError when there is none, or a reference is left."""
    language, number = language_of(name), name[0]
    page = page_of('exercises', language)
    match = re.search(rf'^## {number}\. .*?(?=^## |\Z)', page.read_text(), re.MULTILINE | re.DOTALL)
    text = resolve(match[0].strip(), language) if match else ''
    if not text or re.search(r':\w+:`', text):
        raise ValueError(f'{page} has no exercise {number}, or a reference in it that a notebook cannot show')
    return text


def source_notebook(name):
    """Return an exercise as the notebook that nbgrader takes, each cell with its role and an identifier.

    The solution's result is the one of the table of results with seed 0.
    """
    notebook = jupytext.read(SOURCES / f'{name}.md')
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(statement(name)))
    notebook.metadata = nbformat.from_dict(notebooks.METADATA)
    for number, cell in enumerate(notebook.cells):
        points = cell.metadata.get('points')
        solution = '### BEGIN SOLUTION' in cell.source
        kind = 'text' if cell.cell_type == 'markdown' else 'tests' if points else 'task' if solution else 'given'
        if solution and points:
            kind = 'conclusion'
        elif cell.source == RESULT:
            kind = 'result'
            cell.source = RESULT.replace('{}', result(name))
        if CLASS and kind in ('tests', 'given'):
            cell.source = DRAW.sub(lambda match: f'{match[1]}{int(match[2]) + seed_of(CLASS)}', cell.source)
        cell.id, cell.metadata = f'{name}-{number}', nbformat.NotebookNode()
        cell.metadata.nbgrader = {'schema_version': 3, 'grade_id': f'{kind}-{number}', 'solution': solution,
                                  'grade': bool(points), 'locked': not solution, 'task': False}
        if points:
            cell.metadata.nbgrader['points'] = points
    return notebook


def seed_of(*parts):
    """Return a number that names decide, from 1 to 1,000,000."""
    return 1 + int(hashlib.sha256(repr(parts).encode()).hexdigest(), 16) % 1_000_000


def draw_pictures(folder):
    """Reduce the data set in a folder to the class's own nine tenths of each split and class."""
    for split in SPLITS:
        path, part = folder / f'demo_{split}.rec', folder / f'part_{split}.rec'
        labels, draw = records.labels(path), random.Random(seed_of(CLASS, split))
        kept = {i for label in set(labels) for i in draw.sample(np.flatnonzero(labels == label).tolist(),
                                                                round(0.9 * (labels == label).sum()))}
        reader = recordio.MXRecordIO(str(path), 'r')
        writer = recordio.MXIndexedRecordIO(str(part.with_suffix('.idx')), str(part), 'w')
        for number in range(len(labels)):
            record = reader.read()
            if number in kept:
                writer.write_idx(number, record)
        writer.close()
        for suffix in ('.rec', '.idx'):
            part.with_suffix(suffix).replace(path.with_suffix(suffix))
    sums = folder / 'checksums.txt'
    names = [line.split()[1] for line in sums.read_text().splitlines()]
    sums.write_text(''.join(f'{digest(folder / name)}  {name}\n' for name in names))


def result(name, seed=0):
    """Return what the solution's experiment handed in, the text of a dictionary, empty where it was not executed."""
    results = json.loads(RESULTS.read_text()).get(name.removesuffix('_en'), {}).get('results', {})
    return results.get(str(seed), '{}')


def nbgrader(course, *arguments, **options):
    """Run one of nbgrader's own commands in a course folder; return its log. Raises RuntimeError when it fails."""
    command = [sys.executable, '-m', 'nbgrader', *arguments]
    result = subprocess.run(command, cwd=course, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if result.returncode:
        raise RuntimeError(f'nbgrader {" ".join(arguments)}: {result.stderr.strip()}')
    return result.stderr


def student_folder(course, language):
    """Lay out what the students of a language get: notebooks, guide, data and code."""
    target = course / language
    for name in FOLDERS:
        shutil.copytree(name, target / name, ignore=LEFT_OUT)
    for path in (*FILES, *(course / 'release' / name / f'{name}.ipynb' for name in names(language))):
        shutil.copy(path, target)
    (target / 'data' / 'cache').mkdir()  # which cannot be made where a submission is graded
    if CLASS:
        draw_pictures(target / 'data')
    page = page_of('training', language)
    training = notebooks.read_page(page)  # exercise 8 begins with it
    for cell in training.cells:
        if cell.cell_type == 'markdown':
            cell.source = resolve(cell.source, language)
    (target / CHAPTER).mkdir()
    nbformat.write(training, target / page.with_suffix('.ipynb'))
    shutil.copy(SOURCES / ('student_en.md' if language == 'en' else 'student.md'), target / 'README.md')


def fingerprint():
    """Return a hash of everything that the exercises are made from."""
    files = [RESULTS, *map(Path, (*FILES, 'requirements.lock'))]
    for folder in (SOURCES, CHAPTER, *FOLDERS):
        files += [path for path in Path(folder).glob('*.*') if path.suffix not in ('.ipynb', '.json')]
    return hashlib.sha256(repr([(str(path), digest(path)) for path in sorted(files)]).encode()).hexdigest()


def generate():
    """Bring the course folder up to date, all or nothing; return its path, absolute."""
    current, stamp = fingerprint(), FOLDER / 'fingerprint'
    if not stamp.exists() or stamp.read_text() != current:
        with replacing(FOLDER) as course:
            for name in names():
                path = course / 'source' / name / f'{name}.ipynb'
                path.parent.mkdir(parents=True)
                nbformat.write(source_notebook(name), path)
            for program in PROGRAMS:
                shutil.copy(SOURCES / program, course)
            print("nbgrader generate_assignment --assignment='*'", flush=True)
            nbgrader(course, 'generate_assignment', '--assignment=*')
            for language in ('zh', 'en'):
                student_folder(course, language)
            (course / 'fingerprint').write_text(current)
    return FOLDER.resolve()


def main():
    """Generate the exercises, copy the student notebooks into a rendered site where one is named, and say where."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--site', type=Path, help='copy the notebooks beside the exercise pages of this folder')
    options = parser.parse_args()
    os.chdir(ROOT)
    if re.search(r'[^\w-]', CLASS):
        sys.exit(f'CLASS={CLASS}: a name of letters, digits, - and _')
    folder = generate()
    for name in names() if options.site else ():
        target = options.site / language_of(name).replace('zh', '.') / CHAPTER / 'assignments'
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / 'release' / name / f'{name}.ipynb', target)
    if not options.site:
        print(f'Hand out {FOLDER}/zh (Chinese) or {FOLDER}/en (English); make grade SUBMISSIONS=folder grades what '
              'comes back')


if __name__ == '__main__':
    main()

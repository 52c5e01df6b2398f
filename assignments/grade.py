"""Grade what a class handed in: make grade SUBMISSIONS=folder, a folder with one folder for each student.

The result is FOLDER-grades beside it, a course folder for nbgrader's own commands, with `grades.csv` and
`feedback/STUDENT/index.html`. Each notebook is graded by processes of its own, and `results/STUDENT/EXERCISE.json`,
written last, marks it as graded: stopped at any moment, the same command goes on where it was. After conclusions were
marked in nbgrader's formgrader, the same command puts these points into the table and the pages.
"""
import argparse
import csv
import html
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import filelock
import nbformat
from nbgrader.api import Gradebook, MissingEntry

from assignments import generate, sandbox
from assignments.sandbox import language_of
from hotdog.files import digest, replacing

LARGEST = 20_000_000  # bytes of a notebook; with outputs of a whole chapter it has one or two million
SECONDS = 600  # for one of nbgrader's commands; the notebook's own limits are in sandbox.py
SENTENCES = {
    'zh': {'missing': '没有交。', 'waiting': '还没有评。', 'several': '交了{}个文件，评的是{}。',
           'unreadable': '{}不是能读的笔记本（.ipynb，不超过20 MB）。', 'failed': '无法评分（{}）。',
           'unmarked': '结论还没有评。',
           'title': '成绩与反馈', 'head': ('习题', '得分', '满分', '说明'), 'total': '合计'},
    'en': {'missing': 'Not handed in.', 'waiting': 'Not graded yet.', 'several': '{} files handed in; {} was graded.',
           'unreadable': '{} is not a notebook (.ipynb, up to 20 MB) that can be read.',
           'failed': 'It could not be graded ({}).', 'unmarked': 'The conclusion is not marked yet.',
           'title': 'Grades and feedback', 'head': ('exercise', 'points', 'of', 'remarks'), 'total': 'total'}}
PAGE = """<!DOCTYPE html>
<html lang="{}"><head><meta charset="utf-8"><title>{title}</title><style>body {{font: 16px sans-serif; margin: 2em}}
td, th {{padding: .4em .8em; text-align: left; border-bottom: 1px solid #ccc}}</style></head>
<body><h1>{title}</h1><table>{}</table></body></html>
"""


def files_of(folder):
    """Return a student's files, {exercise: [path, ...]}, the one to grade first; links and special files do not count.

    A file belongs to the exercise whose name is part of its own; of one that belongs to none, a line is printed.
    """
    files, known = {}, sorted(generate.names(), key=len, reverse=True)
    for root, folders, file_names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] not in '._')
        for path in (Path(root, name) for name in file_names if name[0] not in '._'):
            name = next((name for name in known if name in path.stem), None)
            if name and path.is_file() and not path.is_symlink():
                files.setdefault(name, []).append(path)
            elif path.suffix == '.ipynb':
                print(f'{path} is not graded: its name does not tell which exercise it is')
    for name, paths in files.items():
        paths.sort(key=lambda path: (path.suffix != '.ipynb', path.stem != name, -path.stat().st_mtime))
    return files


def students_of(submissions):
    """Return {student: files}; the student's name is the folder's, less what nbgrader and spreadsheets do not take.

    Raises ValueError when there is no folder of a student, or two names become the same.
    """
    students = {}
    for folder in sorted(path for path in submissions.iterdir() if path.is_dir() and path.name[0] not in '._'):
        name = re.sub(r'[^\w.@ -]', '_', folder.name).strip().lstrip('@-') or '_'
        if name in students:
            raise ValueError(f'{folder} and another folder would both be the student {name}: rename one')
        students[name] = files_of(folder)
    if not students:
        raise ValueError(f'{submissions} holds no folder of a student: make one for each, with the notebooks in it')
    return students


def check_isolation():
    """Raise RuntimeError where bubblewrap cannot lock a program up."""
    test = [*sandbox.command(generate.ROOT, True), sys.executable, '-c', 'open("/book/utils.py")']
    try:
        subprocess.run(test, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, 'stderr', None) or 'is it installed? Debian: apt-get install bubblewrap'
        raise RuntimeError(f'bubblewrap cannot lock up a program here ({reason.strip()[-200:]}): what students wrote '
                           'could read and delete your files. In a container or a virtual machine that holds nothing '
                           'else, add ISOLATION=none') from None


def prepare(folder, course):
    """Make the class's course folder unless it is there; return its lock.

    Raises RuntimeError when it was made from other exercises, or another process is grading in it.
    """
    if not folder.exists():
        with replacing(folder) as part:
            shutil.copytree(course, part)
    elif (folder / 'fingerprint').read_text() != (course / 'fingerprint').read_text():
        raise RuntimeError(f'the exercises are no longer those that {folder} was graded with: move that folder away to '
                           'grade all anew, or git checkout the version that you handed out')
    lock = filelock.FileLock(folder / '.lock')
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise RuntimeError(f'another make grade is at work in {folder}') from None
    return lock


def grade(folder, student, name, paths, options):
    """Grade a notebook unless it was graded as it is now; return the remark on it, and the seconds if it is new.

    What failed for no fault of the notebook is graded again when the command is repeated.
    """
    path, sentences, result = paths[0], SENTENCES[language_of(name)], folder / 'results' / student / f'{name}.json'
    key, start = [path.name, digest(path), len(paths)], time.monotonic()
    if result.exists() and (known := json.loads(result.read_text()))['key'] == key:
        return known['remark'], None
    result.unlink(missing_ok=True)
    try:
        remark = run(folder, student, name, path, options)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        remark, key = sentences['failed'].format(str(error).splitlines()[-1][-200:]), None
        forget(folder, student, name)
    except ValueError:
        remark = sentences['unreadable'].format(path.name)
        forget(folder, student, name)
    if len(paths) > 1:
        remark = f'{sentences["several"].format(len(paths), path.name)} {remark}'.strip()
    with replacing(result) as part:
        part.write_text(json.dumps({'key': key, 'remark': remark}))
    return remark, round(time.monotonic() - start)


def run(folder, student, name, path, options):
    """Grade a notebook with nbgrader's own commands; return the remark on it.

    Raises ValueError when the file is no notebook, RuntimeError or TimeoutExpired when nbgrader fails.
    """
    try:
        notebook = nbformat.read(path, as_version=4) if path.stat().st_size <= LARGEST else None
        nbformat.validate(notebook)
    except Exception as error:  # whatever nbformat makes of a file that may hold anything
        raise ValueError(path) from error
    submitted = folder / 'submitted' / student / name / f'{name}.ipynb'
    submitted.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, submitted)
    chosen = [name, f'--student={student}', '--force']
    generate.nbgrader(folder, 'autograde', *chosen, *options, timeout=SECONDS)
    cells = nbformat.read(folder / 'autograded' / student / name / f'{name}.ipynb', as_version=4).cells
    return next((output.evalue for cell in cells for output in cell.get('outputs', [])
                 if output.output_type == 'error' and output.ename == 'Stopped'), '')


def forget(folder, student, name):
    """Take a notebook that cannot be graded, and the grade of an older one, out of the gradebook and the folders."""
    for step in ('submitted', 'autograded', 'feedback'):
        shutil.rmtree(folder / step / student / name, ignore_errors=True)
    with Gradebook(f'sqlite:///{folder}/gradebook.db', 'hot-dog') as gradebook:
        try:
            gradebook.remove_submission(name, student)
        except MissingEntry:
            pass


def rows_of(folder, student, files, language, gradebook):
    """Return a row for each exercise of a student, the better edition: (exercise, points, of, remark)."""
    rows, sentences = [], SENTENCES[language]
    remarks = {path.stem: json.loads(path.read_text())['remark']
               for path in sorted((folder / 'results' / student).glob('*.json'))}
    for name in generate.names(language):
        of = gradebook.find_assignment(name).max_score
        waiting = any(other[0] == name[0] for other in files)
        editions = [(name, 0.0, of, sentences['waiting' if waiting else 'missing'])]
        for other in [other for other in remarks if other[0] == name[0]]:
            try:
                submission = gradebook.find_submission(other, student)
                unmarked = sentences['unmarked'] if submission.needs_manual_grade else ''
                editions.append((other, submission.score, of, f'{remarks[other]} {unmarked}'.strip()))
            except MissingEntry:  # it could not be graded
                editions.append((other, 0.0, of, remarks[other]))
        rows.append(max(editions[1:] or editions, key=lambda row: row[1]))
    return rows


def export(folder, students):
    """Write the table and the students' pages; return {student: rows}."""
    everything, table = [name for files in students.values() for name in files], {}
    with Gradebook(f'sqlite:///{folder}/gradebook.db', 'hot-dog') as gradebook:
        for student, files in students.items():
            language = 'en' if all(name.endswith('_en') for name in files or everything) else 'zh'
            table[student] = rows_of(folder, student, files, language, gradebook)
            page(folder / 'feedback' / student, language, table[student])
    with replacing(folder / 'grades.csv') as part, open(part, 'w', encoding='utf-8-sig') as file:  # so Excel knows it
        writer = csv.writer(file)
        writer.writerow(['student', *(name[0] for name in generate.names('zh')), 'total', 'of', 'remarks'])
        for student, rows in table.items():
            _, points, largest, _ = zip(*rows)
            writer.writerow([student, *points, sum(points), sum(largest),
                             ' '.join(f'{name[0]}: {remark}' for name, _, _, remark in rows if remark)])
    return table


def page(folder, language, rows):
    """Write a student's page: the points, the remarks and the links to nbgrader's feedback."""
    sentences, lines = SENTENCES[language], []
    for name, points, of, remark in [*rows, (None, sum(row[1] for row in rows), sum(row[2] for row in rows), '')]:
        linked = f'<a href="{name}/{name}.html">{name}</a>' if (folder / str(name)).exists() else name
        lines.append((linked or sentences['total'], f'{points:g}', f'{of:g}', html.escape(remark)))
    folder.mkdir(parents=True, exist_ok=True)
    cells = [''.join(f'<td>{cell}</td>' for cell in line) for line in (sentences['head'], *lines)]
    (folder / 'index.html').write_text(PAGE.format(language, ''.join(f'<tr>{line}</tr>\n' for line in cells),
                                                   title=f'{sentences["title"]}: {html.escape(folder.name)}'))


def main():
    """Grade every notebook of every student, telling each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('submissions', type=lambda name: Path(name).expanduser().resolve())
    parser.add_argument('--isolation', choices=('bubblewrap', 'none'), default='bubblewrap')
    arguments, options = parser.parse_known_args()  # the others go to nbgrader: --SandboxedExecute.cell_seconds=60
    submissions, folder = arguments.submissions, arguments.submissions.with_name(f'{arguments.submissions.name}-grades')
    os.chdir(generate.ROOT)
    if not submissions.is_dir() or submissions in (Path.cwd(), Path('/')):
        raise NotADirectoryError(f'SUBMISSIONS={submissions} is not a folder that holds one for each student')
    students = students_of(submissions)
    if arguments.isolation == 'bubblewrap':
        check_isolation()
    options += [f'--SandboxedExecute.isolated={arguments.isolation == "bubblewrap"}']
    jobs = [(student, name, paths) for student, files in students.items() for name, paths in sorted(files.items())]
    with prepare(folder, generate.generate()):
        try:
            for number, (student, name, paths) in enumerate(jobs, 1):
                print(f"[{number}/{len(jobs)}] nbgrader autograde {name} --student='{student}': ", end='', flush=True)
                remark, seconds = grade(folder, student, name, paths, options)
                print('graded before.' if seconds is None else f'graded in {seconds} s.', remark, flush=True)
            for name in sorted({path.name for path in (folder / 'autograded').glob('*/*')}):  # with the marks by hand
                print(f'nbgrader generate_feedback {name} --force', flush=True)
                generate.nbgrader(folder, 'generate_feedback', name, '--force')
        finally:
            table = export(folder, students)
    for student, rows in table.items():
        print(f'{student:24} {sum(row[1] for row in rows):5g} of {sum(row[2] for row in rows):g}')
    print(f'{folder}/grades.csv')


if __name__ == '__main__':
    try:
        main()
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit('stopped: the same command goes on from here')

"""Grade what a class handed in: make grade SUBMISSIONS=folder, a folder with one folder for each student.

Everything goes into FOLDER-grades beside it: `grades.csv`, `feedback/STUDENT/index.html`, nbgrader's `gradebook.db` and
`autograded/`, the executed notebooks. Each notebook is graded by a process of its own (tools/autograde.py) on a copy of
the gradebook, which replaces the gradebook when the process has ended: stopped at any moment, the same command goes on
where it was.
"""
import argparse
import csv
import html
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import filelock
from nbgrader.api import Gradebook, MissingEntry

from assignments import generate as assignment
from assignments import autograde
from book import execute
from book import notebooks
from book.notebooks import ROOT, digest, file_digest, write_atomically

LARGEST = 20_000_000  # bytes of a notebook; with outputs of a whole chapter it has one or two million
SENTENCES = {
    'zh': {'missing': '没有交。', 'waiting': '还没有评。', 'large': '{}太大（{} MB）：清除输出后重交。',
           'unreadable': '{}不是能读的笔记本。',
           'kind': '{}不是笔记本：要交.ipynb文件。', 'several': '交了{}个文件，评的是{}。',
           'failed': '无法评分（{}）。', 'long': '评分超过了时限，已终止。', 'title': '成绩与反馈', 'exercise': '习题',
           'points': '得分', 'remarks': '说明', 'total': '合计', 'page': '逐格反馈'},
    'en': {'missing': 'Not handed in.', 'waiting': 'Not graded yet.',
           'large': '{} is too large ({} MB): clear its outputs and hand it in again.',
           'unreadable': '{} is not a notebook that can be read.',
           'kind': '{} is not a notebook: hand in an .ipynb file.', 'several': '{} files handed in; {} was graded.',
           'failed': 'It could not be graded ({}).', 'long': 'Grading took too long and was stopped.',
           'title': 'Grades and feedback', 'exercise': 'exercise', 'points': 'points', 'remarks': 'remarks',
           'total': 'total', 'page': 'feedback on each cell'}}
PAGE = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}: {student}</title>
<style>body {{font: 16px sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em}}
td, th {{padding: .4em .8em; text-align: left; vertical-align: top; border-bottom: 1px solid #ccc}}
td:nth-child(2) {{white-space: nowrap}}</style></head>
<body><h1>{title}: {student}</h1><table><tr>{head}</tr>
{rows}</table></body></html>
"""


def exercise_of(path):
    """Tell which exercise a file is, by its name, or, if it was renamed, by the title of its first cells."""
    known = sorted(assignment.names(), key=len, reverse=True)
    by_name = next((name for name in known if path.stem.startswith(name)), None)
    if by_name or path.suffix != '.ipynb' or path.stat().st_size > LARGEST:
        return by_name
    try:
        cells = json.loads(path.read_bytes())['cells']
        texts = [''.join(cell['source']).splitlines()[0] for cell in cells if ''.join(cell['source'])]
    except (ValueError, KeyError, TypeError, RecursionError, OSError):
        return None
    titles = {assignment.statement(int(name[0]), assignment.language_of(name)).splitlines()[0]: name for name in known}
    return next((titles[text] for text in texts if text in titles), None)


def handed_in(folder):
    """Find a student's files: {exercise: [path, ...]}, the one to grade first. Links and special files do not count."""
    found = {}
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] not in '._')
        for path in (Path(root, name) for name in files if name[0] not in '._'):
            if path.is_file() and not path.is_symlink() and (name := exercise_of(path)):
                found.setdefault(name, []).append(path)
    for name, paths in found.items():
        paths.sort(key=lambda path: (path.suffix != '.ipynb', path.stem != name, -path.stat().st_mtime))
    return found


def students_of(submissions):
    """Give {student: folder}; the student's name is the folder's, less what nbgrader does not take.

    Raises ValueError when there is no folder of a student, or two names become the same.
    """
    found = {}
    for folder in sorted(submissions.iterdir()):
        if folder.is_dir() and not folder.is_symlink() and folder.name[0] not in '._':
            name = re.sub(r'[^\w.@ -]', '_', folder.name).strip()
            if name in found:
                raise ValueError(f'{folder} and {found[name]} would be the same student: rename one')
            found[name] = folder
    if not found:
        raise ValueError(f'{submissions} holds no folder of a student: make one for each, with the notebooks in it')
    return found


def check_isolation(isolated):
    """Raise RuntimeError where notebooks cannot be locked up and the teacher has not said that they need not be."""
    if not isolated:
        return
    if not shutil.which('bwrap'):
        reason = 'bubblewrap is missing (Debian: apt-get install bubblewrap)'
    else:
        with tempfile.TemporaryDirectory(prefix='grade-') as work:
            (Path(work) / 'run').mkdir()
            command = [*autograde.sandbox(Path(work), isolated), sys.executable, '-c', 'open("utils.py")']
            result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode == 0:
            return
        reason = f'bubblewrap cannot lock up a program here ({result.stderr.strip()[-200:]})'
    raise RuntimeError(f"{reason}: the students' programs could read and delete your files. In a container or a "
                       'virtual machine that holds nothing else, add ISOLATION=none')


class Class:
    """The grades of a class: a folder with the gradebook and everything made from it."""

    def __init__(self, folder, release, isolated, limits):
        self.folder, self.release, self.isolated, self.limits = folder, folder / 'release', isolated, limits
        self.gradebook, key = folder / 'gradebook.db', (release / '.key').read_text()
        folder.mkdir(exist_ok=True)
        self.lock = filelock.FileLock(folder / '.lock')
        try:
            self.lock.acquire(timeout=0)
        except filelock.Timeout:
            raise RuntimeError(f'another make grade is at work in {folder}') from None
        key_file = folder / '.key'
        if not self.gradebook.exists():
            write_atomically(key_file, key)
            shutil.copytree(release / 'release', self.release, dirs_exist_ok=True)  # whatever make does meanwhile
            self.replace_gradebook(release / 'gradebook.db')
        elif not key_file.exists() or key_file.read_text() != key:
            raise RuntimeError(f'the exercises are no longer those that {folder} was graded with: move that folder '
                               'away to grade all anew, or git checkout the version that you handed out')

    def replace_gradebook(self, path):
        """Put another gradebook in place of this one, at one stroke."""
        half = self.folder / 'gradebook.tmp'
        shutil.copy(path, half)
        os.replace(half, self.gradebook)

    def result_file(self, student, name):
        """Say where the result of a notebook is kept; it is written last, so that it marks a finished grading."""
        return self.folder / 'results' / student / f'{name}.json'

    def grade(self, student, name, paths):
        """Grade a notebook unless it was graded as it is now; return the result, and whether it is new."""
        language, path = assignment.language_of(name), paths[0]
        sentences, file = SENTENCES[language], self.result_file(student, name)
        key = digest(path.name, path.stat().st_size, path.stat().st_size <= LARGEST and file_digest(path), len(paths))
        if file.exists() and (result := json.loads(file.read_text()))['key'] == key:
            return result, False
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix='grade-') as work:  # short: a socket's path has 107 bytes
            if path.suffix != '.ipynb':
                result = {'message': sentences['kind'].format(path.name)}
            elif path.stat().st_size > LARGEST:
                result = {'message': sentences['large'].format(path.name, path.stat().st_size // 10**6)}
            else:
                result = self.run(Path(work), student, name, path)
            self.keep(Path(work), student, name)
        if len(paths) > 1:
            result['message'] = f'{sentences["several"].format(len(paths), path.name)} {result["message"]}'.strip()
        result.update(key=None if result.pop('again', False) else key, seconds=round(time.monotonic() - start))
        write_atomically(file, json.dumps(result, ensure_ascii=False))
        return result, True

    def run(self, work, student, name, path):
        """Grade a notebook in the folder `work` by a process of its own; return its result.

        What failed for no fault of the notebook is to be graded again when the command is repeated.
        """
        language = assignment.language_of(name)
        sentences = SENTENCES[language]
        shutil.copy(path, work / 'submission.ipynb')
        shutil.copy(self.gradebook, work)
        job = {'student': student, 'exercise': name, 'language': language, 'isolated': self.isolated,
               'limits': self.limits, 'release': str(self.release / name / f'{name}.ipynb'),
               'unreadable': sentences['unreadable'].format(path.name)}
        (work / 'job.json').write_text(json.dumps(job))
        with open(work / 'log', 'wb') as log:
            process = subprocess.Popen([sys.executable, autograde.__file__, work], stdout=log, stderr=log, cwd=ROOT,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(self.limits['notebook'] + 120)
            return json.loads((work / 'result.json').read_text())
        except subprocess.TimeoutExpired:
            return {'message': sentences['long']}
        except (OSError, ValueError):
            lines = (work / 'log').read_text(errors='replace').strip().splitlines()
            return {'message': sentences['failed'].format(lines[-1][:200] if lines else process.returncode),
                    'again': True}
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def keep(self, work, student, name):
        """Take over what a grading left: pages first, then the gradebook. What was not graded loses an old grade."""
        for step in ('autograded', 'feedback'):
            old, new = self.folder / step / student / name, work / step / student / name
            shutil.rmtree(old, ignore_errors=True)
            if new.exists():
                shutil.copytree(new, old)
        if (work / 'feedback').exists():
            self.replace_gradebook(work / 'gradebook.db')
            return
        shutil.copy(self.gradebook, work / 'gradebook.db')
        with Gradebook(f'sqlite:///{work}/gradebook.db', 'hot-dog') as gradebook:
            gradebook.update_or_create_student(student)
            try:
                gradebook.remove_submission(name, student)
            except MissingEntry:
                pass
        self.replace_gradebook(work / 'gradebook.db')

    def table(self, files):
        """Give a row for each student and exercise number: {student: {number: (points, of, message, name)}}.

        `files` are those handed in, {student: {exercise: paths}}. Who handed in nothing gets the class's language.
        """
        found = {}
        with Gradebook(f'sqlite:///{self.gradebook}', 'hot-dog') as gradebook:
            largest = {name: gradebook.find_assignment(name).max_score for name in assignment.names()}
            everything = [name for handed in files.values() for name in handed]
            for student, handed in files.items():
                known = {path.stem: json.loads(path.read_text())
                         for path in sorted((self.folder / 'results' / student).glob('*.json'))}
                theirs = handed or known or everything
                language = 'en' if theirs and all(name.endswith('_en') for name in theirs) else 'zh'
                found[student] = {}
                for name in assignment.names(language):
                    state = 'waiting' if any(other[0] == name[0] for other in handed) else 'missing'
                    rows = [(0.0, largest[name], SENTENCES[language][state], name)] + [
                        (self.points(gradebook, other, student), largest[name], known[other]['message'], other)
                        for other in known if other[0] == name[0]]
                    found[student][name[0]] = max(rows[1:] or rows, key=lambda row: row[0])
        return found

    def points(self, gradebook, name, student):
        """Give a student's points for a notebook: 0 where it could not be graded."""
        try:
            return gradebook.find_submission(name, student).score
        except MissingEntry:
            return 0.0

    def export(self, files):
        """Write the CSV table and the students' pages; return the table."""
        table = self.table(files)
        numbers = sorted({number for row in table.values() for number in row})
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(['student', *numbers, 'total', 'of', 'remarks'])
        for student, row in table.items():
            points = [row[number][0] for number in numbers]
            remarks = ' '.join(f'{number}: {row[number][2]}' for number in numbers if row[number][2])
            writer.writerow([safe_cell(student), *points, sum(points), sum(row[number][1] for number in numbers),
                             safe_cell(remarks)])
            self.student_page(student, row)
        write_atomically(self.folder / 'grades.csv', '\ufeff' + text.getvalue())  # the mark tells Excel it is UTF-8
        return table

    def student_page(self, student, row):
        """Write a student's page: the points, the remarks and the links to nbgrader's feedback."""
        language = assignment.language_of(next(iter(row.values()))[3])
        sentences, lines = SENTENCES[language], []
        for points, largest, message, name in row.values():
            cells = [name, f'{points:g} / {largest:g}', html.escape(message)]
            if (self.folder / 'feedback' / student / name / f'{name}.html').exists():
                cells.append(f'<a href="{name}/{name}.html">{sentences["page"]}</a>')
            lines.append(cells)
        lines.append([sentences['total'], f'{sum(r[0] for r in row.values()):g} / {sum(r[1] for r in row.values()):g}'])
        write_atomically(self.folder / 'feedback' / student / 'index.html', PAGE.format(
            language=language, title=sentences['title'], student=html.escape(student),
            head=''.join(f'<th>{sentences[key]}</th>' for key in ('exercise', 'points', 'remarks')) + '<th></th>',
            rows='\n'.join('<tr>' + ''.join(f'<td>{cell}</td>' for cell in cells) + '</tr>' for cells in lines)))


def safe_cell(text):
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if text[:1] in ('=', '+', '-', '@') else text


def grade_all(submissions, graded):
    """Grade every notebook of every student, telling each; return the table."""
    files = {student: handed_in(folder) for student, folder in students_of(submissions).items()}
    jobs = [(student, name, paths) for student, found in files.items() for name, paths in sorted(found.items())]
    print(f'{len(files)} students, {len(jobs)} notebooks; grades and feedback go to {graded.folder}')
    try:
        for number, (student, name, paths) in enumerate(jobs, 1):
            print(f'[{number}/{len(jobs)}] {student}: {name}, ', end='', flush=True)
            result, new = graded.grade(student, name, paths)
            told = f'graded in {result["seconds"]} s' if new else 'graded before'
            print(f'{told}. {result["message"]}', flush=True)
    finally:
        table = graded.export(files)
    return table


def main():
    """Grade a folder of submissions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('submissions')
    parser.add_argument('--isolation', choices=('bubblewrap', 'none'), default='bubblewrap')
    parser.add_argument('--cell-seconds', type=int, default=autograde.CELL_SECONDS)
    parser.add_argument('--notebook-seconds', type=int, default=autograde.NOTEBOOK_SECONDS)
    options = parser.parse_args()
    submissions = Path(options.submissions).expanduser().resolve()
    limits = {'cell': options.cell_seconds, 'notebook': options.notebook_seconds, 'output': autograde.OUTPUT_BYTES}
    os.chdir(ROOT)
    os.environ.update(execute.REPRODUCIBLE)
    try:
        if not options.submissions or not submissions.is_dir():
            raise NotADirectoryError(f'SUBMISSIONS={options.submissions} is not a folder: name the one that holds a '
                                     'folder for each student')
        check_isolation(options.isolation == 'bubblewrap')
        with notebooks.exclusive():
            release = assignment.generate()
        graded = Class(submissions.with_name(f'{submissions.name}-grades'), release,
                       options.isolation == 'bubblewrap', limits)
        table = grade_all(submissions, graded)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(str(error))
    for student, row in table.items():
        print(f'{student:24} {sum(r[0] for r in row.values()):5g} of {sum(r[1] for r in row.values()):g}')
    print(f'{graded.folder}/grades.csv')


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('stopped: the same command goes on from here')

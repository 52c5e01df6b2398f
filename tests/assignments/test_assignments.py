"""The exercises: both editions alike, solutions get full marks, wrong answers do not, and no submission does harm."""
import copy
import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from pathlib import Path

import nbformat
import pytest

from assignments import generate as assignment
from assignments import autograde
from assignments import grade
from book import notebooks
from assignments import solutions
from other_solutions import OTHER

NAMES = assignment.names('zh')
CHEAP = '5_weighted_loss'
GRADE = [sys.executable, 'tools/grade.py']


def isolated():
    try:
        grade.check_isolation(True)
    except RuntimeError:
        return False
    return True


needs_isolation = pytest.mark.skipif(not isolated(), reason='bubblewrap is missing or may not make namespaces')


@pytest.fixture(scope='module')
def folder():
    """The generated student version."""
    with notebooks.exclusive():
        return assignment.generate()


def student_version(folder, name):
    return nbformat.read(folder / assignment.language_of(name) / f'{name}.ipynb', as_version=4)


def solved(folder, name):
    """The student version with the solutions in it."""
    notebook = student_version(folder, name)
    for cell, source in zip(notebook.cells, assignment.source_notebook(name).cells, strict=True):
        cell.source = source.source if '### BEGIN SOLUTION' in source.source else cell.source
    return notebook


def with_cell(notebook, source):
    notebook = copy.deepcopy(notebook)
    notebook.cells.insert(2, nbformat.v4.new_code_cell(source))
    return notebook


def hand_in(submissions, student, notebook, file):
    path = submissions / student / file
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def run_grading(submissions, *options):
    result = subprocess.run([*GRADE, submissions, *options], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return table(submissions)


def table(submissions):
    with open(submissions.with_name(f'{submissions.name}-grades') / 'grades.csv', encoding='utf-8-sig') as file:
        return {row['student']: row for row in csv.DictReader(file)}


@pytest.mark.parametrize('name', NAMES)
def test_the_editions_hold_the_same_code_and_tests(folder, name):
    chinese, english = (assignment.source_notebook(edition) for edition in (name, f'{name}_en'))
    assert notebooks.difference(chinese, english) is None
    assert [cell.metadata for cell in chinese.cells] == [cell.metadata for cell in english.cells]
    assert not re.search('[\u3400-\u9fff]', ''.join(cell.source for cell in english.cells))
    released = (student_version(folder, edition) for edition in (name, f'{name}_en'))
    assert notebooks.difference(*released) is None


@pytest.mark.parametrize('name', assignment.names())
def test_the_student_version_shows_the_statement_and_neither_solutions_nor_hidden_tests(folder, name):
    notebook, source = student_version(folder, name), assignment.source_notebook(name)
    page = assignment.page_of(assignment.language_of(name)).read_text()
    heading = notebook.cells[0].source.splitlines()[0]
    assert heading in page and heading.startswith(f'## {name[0]}. ')
    assert not re.search(r':\w+:`', notebook.cells[0].source)
    text = ''.join(cell.source for cell in notebook.cells)
    assert 'SOLUTION' not in text and 'HIDDEN' not in text
    assert assignment.STUBS[assignment.language_of(name)][:5] in text
    points = sum(cell.metadata.nbgrader.get('points', 0) for cell in source.cells if 'nbgrader' in cell.metadata)
    row = next(line for line in page.splitlines() if f'(assignments/{name}.ipynb)' in line)
    assert f'| {points} |' in row
    hidden = [cell for cell in source.cells if '### BEGIN HIDDEN TESTS' in cell.source]
    assert len(hidden) == sum('points' in cell.metadata.get('nbgrader', {}) for cell in source.cells)


def test_the_student_folder_has_what_its_notebooks_need(folder):
    for language in assignment.LANGUAGES:
        code = 'import utils; utils.load_data(); utils.pretrained_net()'
        environment = {**os.environ, 'BOOK_CACHE': str(notebooks.ROOT / 'data' / 'cache')}
        subprocess.run([sys.executable, '-c', code], cwd=folder / language, env=environment, check=True)
        assert {path.stem for path in (folder / language).glob('*.ipynb')} == set(assignment.names(language))
        training, = (nbformat.read(path, as_version=4) for path in (folder / language).glob('*/training*.ipynb'))
        assert not re.search(r':(?:numref|eqref|cite|label):`', ''.join(cell.source for cell in training.cells))
        pictures = re.findall(r"'(\.\./img/.*?)'", ''.join(cell.source for cell in training.cells))
        assert pictures and all((folder / language / 'img' / picture).exists() for picture in pictures)


# Wrong answers: what is replaced in the solution, by what, and the numbers of the test cells that must not pass.
WRONG = {'1_convergence': [
    ('max(f1[-patience:]) <= max(f1[:-patience])', 'f1[-1] <= f1[-2]', {0}),  # compares with the last epoch
    ("result['validation_f1'])", "result['test_accuracy'])", {1}),  # chooses by the test set
    ("if method == 'fine-tuning'", 'if method', {2}),  # from scratch starts from the source model too
    ('not has_converged(f1, patience)', 'True', {2})], '2_layers': [  # never stops before max_epochs
    ('[:k]:', '[:k + 1]:', {0}),
    ('utils.evaluate(test_iter', 'utils.evaluate(train_iter', {1}),  # evaluates on training data
    ('for x, y in train_iter', 'for x, y in test_iter', {1})], '3_hotdog_row': [
    ("names.index('hotdog')", '713', {0, 1, 2}), ("names.index('hotdog')", '934', {0}),  # hard-coded
    ('nd.stack(weight.mean(axis=0), nd.array(row.reshape(512, 1, 1)))',
     'nd.stack(nd.array(row.reshape(512, 1, 1)), weight.mean(axis=0))', {2})], '4_freezing': [
    ("'null' if number < len(layers) - unfrozen else 'write'", "'write'", {0, 2}),  # freezes nothing
    ('number < len(layers) - unfrozen', 'number >= unfrozen', {0, 2}),  # the wrong end
    ('np.array_equal(before[name], parameter.data().asnumpy())',
     'before[name].flat[0] == parameter.data().asnumpy().flat[0]', {1})], '5_weighted_loss': [
    ('(w - 1) * labels', '(w - 1) * (1 - labels)', {0}), (' / w', '', {0}),
    # both kinds of mistake cost the same
    ('miss_cost * int(((labels == 1) & (predicted == 0)).sum())', 'int((labels != predicted).sum())', {1, 2}),
    ('candidates = [*np.unique(probabilities), 1.0]', 'candidates = [0.5]', {2})], '6_few_pictures': [
    ('indices[:size] for', 'draw.permutation(indices)[:size] for', {0}),  # not nested
    ('if count == updates', 'if False', {1}),  # whole epochs
    ('default=None', 'default=max(sizes)', {2}), ('ddof=1', 'ddof=0', {2})], '7_cached_features': [
    ('(x.as_in_context(mx.cpu())))', '(x.as_in_context(mx.cpu())).mean(axis=(2, 3), keepdims=True))', {0}),
    ('features.append(net', 'with autograd.train_mode(): features.append(net', {0}),  # dropout
    ('trainer.step(len(part))', 'pass', {1})], '8_own_pictures': [
    ('(labels, predicted), 1)', '(predicted, labels), 1)', {0}),
    ('np.flatnonzero(predicted != labels)', 'np.arange(len(labels))', {1}),
    ('pictures.copy()', 'pictures', {2}),
    ('(predict(covered).argmax(axis=1) == labels).mean()', '1', {2})]}  # hard-coded
SLOW = {*WRONG} - {'5_weighted_loss'}
CASES = [pytest.param(name, *change, id=f'{name}-{number}', marks=[pytest.mark.long] if name in SLOW else [])
         for name in NAMES for number, change in enumerate([('', '', set()), *WRONG[name]])]


@pytest.fixture
def lost_tests(monkeypatch):
    """Execute an exercise's cells in this process, and give the numbers of the test cells that do not pass."""
    monkeypatch.setenv('GRADING', '1')
    monkeypatch.setattr(sys, 'path', list(sys.path))

    def run(cells):
        variables, failed, number = {}, set(), 0
        for cell in cells:
            try:
                exec(compile(cell.source, 'cell', 'exec'), variables)
            except Exception:
                assert cell.metadata.nbgrader.grade, f'not in a test: {cell.source}'
                traceback.print_exc()  # pytest shows it where the test fails
                failed.add(number)
            number += cell.metadata.nbgrader.grade
        return failed
    return run


@pytest.mark.parametrize('name, old, new, lost', CASES)
def test_solutions_pass_and_wrong_answers_lose_their_points(name, old, new, lost, lost_tests):
    cells = notebooks.code_cells(assignment.source_notebook(name))
    changed = next((cell for cell in cells if cell.metadata.nbgrader.solution and old in cell.source))
    changed.source = changed.source.replace(old, new, 1)
    assert lost_tests(cells) == lost


@pytest.mark.parametrize('name', [pytest.param(name, marks=[pytest.mark.long] if name in SLOW else [])
                                  for name in NAMES])
def test_right_solutions_in_another_style_get_full_marks(name, lost_tests):
    cells = notebooks.code_cells(assignment.source_notebook(name))
    solutions = [cell for cell in cells if cell.metadata.nbgrader.solution][:-1]  # but the experiment
    for cell, source in zip(solutions, OTHER[name], strict=True):
        cell.source = source
    assert lost_tests(cells) == set()


@pytest.mark.parametrize('name', NAMES)
def test_the_teachers_table_says_what_the_solutions_measured(name):
    results = json.loads(solutions.RESULTS.read_text())[name]
    assert results['code'] == solutions.code_digest(name), f'it has changed: make solutions NAMES={name}'
    measured = [float(number) for line in results['output'] for number in re.findall(r'\d+(?:\.\d+)?(?:e-\d+)?', line)]
    rows = [re.search(rf'^\| {name[0]} \| (.*) \|$', (assignment.SOURCES / page).read_text(), re.MULTILINE)[1]
            for page in ('teacher.md', 'teacher_en.md')]
    numbers = [re.findall(r'\d+(?:\.\d+)?', row.replace('F_1', '')) for row in rows]
    assert sorted(numbers[0]) == sorted(numbers[1]) and len(numbers[0]) > 2
    for number in numbers[0]:  # each is a measured one, rounded
        half = 0.5 * 10 ** -len(number.partition('.')[2])
        assert any(abs(value - float(number)) <= half + 1e-9 for value in measured), f'{number} was not measured'


def thief(submissions):
    """A cell that reaches for everything that is not the student's."""
    return f"""import os, pathlib, shutil, socket
def attempt(action):
    try:
        return action()
    except OSError:
        return None
attempt(lambda: shutil.rmtree({str(submissions.parent)!r}))
attempt(lambda: shutil.rmtree({str(notebooks.ROOT / 'assignments')!r}))
attempt(lambda: pathlib.Path('utils.py').write_text('broken'))
attempt(lambda: pathlib.Path({str(notebooks.ROOT / 'stolen')!r}).write_text('x'))
assert not pathlib.Path({str(notebooks.ROOT / 'assignments')!r}).exists(), 'it sees the solutions'
assert not os.path.exists({str(submissions)!r}), 'it sees the other submissions'
assert attempt(lambda: socket.create_connection(('127.0.0.1', 22), 1)) is None
assert [name for _, name in socket.if_nameindex()] == ['lo'], 'it has a network'
def weighted_loss(outputs, labels, w):
    raise SystemExit
"""


@pytest.fixture(scope='module')
def a_class(folder, tmp_path_factory):
    """A small class that hands in one exercise, among it a thief, graded; the folder of submissions."""
    submissions = tmp_path_factory.mktemp('teacher') / 'class'
    good, file = solved(folder, CHEAP), f'{CHEAP}.ipynb'
    hand_in(submissions, '王小明', good, f'{CHEAP} (1).ipynb')
    hand_in(submissions, 'untouched', student_version(folder, CHEAP), file)
    (submissions / 'text').mkdir()
    (submissions / 'text' / file).write_text('This is no notebook.')
    (submissions / 'absent').mkdir()
    hand_in(submissions, 'thief', with_cell(good, thief(submissions)), file)
    run_grading(submissions)
    return submissions


@needs_isolation
def test_a_class_is_graded(a_class):
    grades = table(a_class)
    assert {student: float(row['total']) for student, row in grades.items()} == {
        '王小明': 10, 'untouched': 0, 'text': 0, 'absent': 0, 'thief': 10}
    assert {row['of'] for row in grades.values()} == {'80.0'}
    for student, words in {'text': '不是能读的笔记本', 'absent': '没有交'}.items():
        assert words in grades[student]['remarks']
        page = a_class.with_name('class-grades') / 'feedback' / student / 'index.html'
        assert words in page.read_text()


@pytest.mark.long
@needs_isolation
def test_tampering_earns_nothing_and_is_told(folder, tmp_path):
    good, file, submissions = solved(folder, CHEAP), f'{CHEAP}.ipynb', tmp_path / 'class'
    hand_in(submissions, 'dies', with_cell(good, 'import os; os._exit(0)'), file)
    tests = [number for number, cell in enumerate(good.cells) if 'points' in cell.metadata.get('nbgrader', {})]
    tampered = student_version(folder, CHEAP)
    tampered.cells[tests[0]].source = 'pass'
    tampered.cells[tests[1]].metadata.nbgrader.points = 1000
    del tampered.cells[tests[2]]
    tampered.cells.append(copy.deepcopy(tampered.cells[tests[0]]))
    hand_in(submissions, 'tampers', tampered, 'my homework.ipynb')
    grades = run_grading(submissions)
    assert {float(row['total']) for row in grades.values()} == {0}
    assert '内核中途退出' in grades['dies']['remarks']
    assert all(word in grades['tampers']['remarks'] for word in ('已恢复原样', '出现多次', '缺少'))


@needs_isolation
def test_no_submission_harms_the_files_of_others(a_class):
    assert assignment.names('zh') == NAMES and not Path('stolen').exists()
    assert len(list(a_class.glob('*/*.ipynb'))) == 4
    pages = a_class.with_name('class-grades') / 'feedback'
    executed = nbformat.read(pages.with_name('autograded') / 'thief' / CHEAP / f'{CHEAP}.ipynb', as_version=4)
    errors = [output.evalue for output in executed.cells[2].get('outputs', []) if output.output_type == 'error']
    assert errors == [], 'the sandbox let something through'
    text = (pages / '王小明' / CHEAP / f'{CHEAP}.html').read_text()
    assert 'weighted_loss' in text and '<script>alert' not in text


@needs_isolation
def test_grading_again_grades_nothing_twice(a_class):
    result = subprocess.run([*GRADE, a_class], capture_output=True, text=True, check=True)
    assert result.stdout.count('graded before') == 4 and 'graded in' not in result.stdout


@needs_isolation
@pytest.mark.long
@pytest.mark.parametrize('source, words', [
    ('while True: pass', '运行超过了'),
    ('import time\ntry: time.sleep(999)\nexcept BaseException: time.sleep(999)', '运行超过了'),
    ("for _ in range(100): print('x' * 1_000_000)", '输出超过了'), ("while True: print('x' * 1_000_000)", ''),
    ('import os\nwhile True:\n    try: os.fork()\n    except OSError: pass', ''),
    ('x = bytearray(1 << 40)', ''), ('import os, signal; os.kill(os.getppid(), signal.SIGKILL)', '')])
def test_hostile_programs_get_a_mark_and_a_message(folder, tmp_path, source, words):
    submissions = tmp_path / 'class'
    hand_in(submissions, 'hostile', with_cell(solved(folder, CHEAP), source), f'{CHEAP}.ipynb')
    hand_in(submissions, 'honest', solved(folder, CHEAP), f'{CHEAP}.ipynb')
    grades = run_grading(submissions, '--cell-seconds', '60', '--notebook-seconds', '90')
    assert float(grades['honest']['total']) == 10
    assert words in grades['hostile']['remarks']
    if float(grades['hostile']['total']) < 10:
        assert CHEAP[0] + ': ' in grades['hostile']['remarks']


@needs_isolation
@pytest.mark.long
@pytest.mark.parametrize('stop', [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_grading_leaves_a_sound_gradebook_and_goes_on(folder, tmp_path, stop):
    submissions = tmp_path / 'class'
    for student in ('anna', 'bob'):
        hand_in(submissions, student, solved(folder, f'{CHEAP}_en'), f'{CHEAP}_en.ipynb')
    results, gradebook = tmp_path / 'class-grades' / 'results', tmp_path / 'class-grades' / 'gradebook.db'
    process = subprocess.Popen([*GRADE, submissions], stdout=subprocess.DEVNULL)
    while not list(results.glob('anna/*.json')):
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(3)
    process.send_signal(stop)
    process.wait()
    if stop == signal.SIGINT:
        assert table(submissions)['bob']['remarks'] == ' '.join(f'{n}: Not handed in.' for n in range(1, 9)).replace(
            '5: Not handed in.', '5: Not graded yet.')
    with sqlite3.connect(gradebook) as database:
        assert database.execute('PRAGMA integrity_check').fetchone() == ('ok',)
        assert database.execute('SELECT COUNT(*) FROM submitted_assignment').fetchone() == (1,)
    assert {row['total'] for row in run_grading(submissions).values()} == {'10.0'}


@needs_isolation
@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize('language', assignment.LANGUAGES)
def test_all_solutions_get_full_marks_within_the_time(folder, tmp_path, language):
    submissions = tmp_path / 'class'
    for name in assignment.names(language):
        hand_in(submissions, 'solved', solved(folder, name), f'{name}.ipynb')
        hand_in(submissions, 'untouched', student_version(folder, name), f'{name}.ipynb')
    grades = run_grading(submissions)
    assert (float(grades['solved']['total']), float(grades['untouched']['total'])) == (80, 0)
    results = (tmp_path / 'class-grades' / 'results' / 'solved').glob('*.json')
    assert sum(json.loads(path.read_text())['seconds'] for path in results) <= 480


@pytest.mark.parametrize('case, words', [
    ('unnamed', 'is not a folder'), ('missing', 'is not a folder'), ('file', 'is not a folder'),
    ('empty', 'holds no folder of a student'), ('no bwrap', 'ISOLATION=none')])
def test_what_cannot_be_graded_is_said_in_a_sentence(tmp_path, monkeypatch, case, words):
    submissions = tmp_path / 'class'
    if case == 'file':
        submissions.write_text('')
    elif case != 'missing':
        submissions.mkdir()
    if case == 'no bwrap':
        monkeypatch.setenv('PATH', str(Path(sys.executable).parent))
    else:
        monkeypatch.setattr(grade, 'check_isolation', lambda isolated: None)
        monkeypatch.setattr(assignment, 'generate', lambda: assignment.FOLDER)
    monkeypatch.setattr(sys, 'argv', ['grade.py', '' if case == 'unnamed' else str(submissions)])
    with pytest.raises(SystemExit, match=words) as error:
        grade.main()
    assert error.value.code not in (0, None)


def test_what_failed_for_no_fault_of_the_notebook_is_graded_again(folder, tmp_path, monkeypatch):
    hand_in(tmp_path, 'anna', solved(folder, CHEAP), f'{CHEAP}.ipynb')
    monkeypatch.setattr(autograde, '__file__', os.devnull)  # a grading that leaves no result
    graded = grade.Class(tmp_path / 'grades', folder, True, {'notebook': 10})
    for _ in range(2):
        result, new = graded.grade('anna', CHEAP, [tmp_path / 'anna' / f'{CHEAP}.ipynb'])
        assert new and '无法评分' in result['message']


def test_rebuilding_keeps_the_students_own_cells_in_their_places(folder):
    release, sentences = student_version(folder, CHEAP), autograde.SENTENCES['en']
    ours = [cell.source for cell in release.cells if 'nbgrader' in cell.metadata]
    handed_in = with_cell(solved(folder, CHEAP), 'mine = 1')
    notebook, remarks = autograde.rebuild(handed_in, copy.deepcopy(release), sentences)
    assert remarks == [] and notebook.cells[2].source == 'mine = 1'
    assert len([cell for cell in notebook.cells if 'nbgrader' in cell.metadata]) == len(ours)
    with pytest.raises(autograde.Refused):
        autograde.rebuild(nbformat.v4.new_notebook(), release, sentences)

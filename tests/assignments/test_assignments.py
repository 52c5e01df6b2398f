"""The exercises: both editions alike, solutions get full marks, wrong answers do not, and no submission does harm."""
import ast
import base64
import copy
import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import traceback

import nbformat
import numpy as np
import pytest
from nbgrader.api import Gradebook

from assignments import experiment, generate, grade, sandbox, solutions
from book import notebooks
from book.execute import REPRODUCIBLE
from hotdog import datasets, files, records
from other_solutions import OTHER

NAMES = generate.names('zh')
CHEAP = '5_weighted_loss'
GRADE = [sys.executable, '-m', 'assignments.grade']
MARKED = [pytest.param(name, marks=[pytest.mark.long] * (name != CHEAP)) for name in NAMES]


@pytest.fixture(scope='module')
def course():
    """The course folder."""
    return generate.generate()


@pytest.fixture(scope='module')
def isolation():
    """Skip what needs bubblewrap where it cannot work."""
    try:
        grade.check_isolation()
    except RuntimeError as error:
        pytest.skip(str(error))


def notebook_of(course, name, solved=False):
    """Return the student version of an exercise, or one with the solutions in it."""
    notebook = nbformat.read(course / 'release' / name / f'{name}.ipynb', as_version=4)
    for cell, source in zip(notebook.cells, generate.source_notebook(name).cells, strict=True):
        cell.source = source.source if solved and '### BEGIN SOLUTION' in source.source else cell.source
    return notebook


def hand_in(submissions, student, notebook, name, *sources):
    """Put a notebook, with further cells after its first two, into a student's folder."""
    notebook = copy.deepcopy(notebook)
    notebook.cells[2:2] = [nbformat.v4.new_code_cell(source) for source in sources]
    (submissions / student).mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, submissions / student / f'{name}.ipynb')


def run_grading(submissions, *options):
    """Grade a class; return {student: row of the table}."""
    result = subprocess.run([*GRADE, submissions, *options], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    with open(submissions.with_name(f'{submissions.name}-grades') / 'grades.csv', encoding='utf-8-sig') as file:
        return {row['student']: row for row in csv.DictReader(file)}


@pytest.mark.parametrize('name', NAMES)
def test_the_editions_hold_the_same_code_and_tests(course, name):
    chinese, english = (generate.source_notebook(edition) for edition in (name, f'{name}_en'))
    assert notebooks.difference(chinese, english) is None
    assert [cell.metadata for cell in chinese.cells] == [cell.metadata for cell in english.cells]
    assert not re.search('[\u3400-\u9fff]', ''.join(cell.source for cell in english.cells))


@pytest.mark.parametrize('name', generate.names())
def test_the_student_version_shows_the_statement_and_neither_solutions_nor_hidden_tests(course, name):
    notebook, source = notebook_of(course, name), generate.source_notebook(name)
    page = generate.page_of('exercises', sandbox.language_of(name)).read_text()
    assert notebook.cells[0].source.startswith(f'## {name[0]}. ') and notebook.cells[0].source.splitlines()[0] in page
    text = ''.join(cell.source for cell in notebook.cells)
    assert not re.search(r'SOLUTION|HIDDEN|:\w+:`', text) and 'raise NotImplementedError()' in text
    *tests, conclusion = [cell for cell in source.cells if cell.metadata.nbgrader.grade]
    assert all('### BEGIN HIDDEN TESTS' in cell.source for cell in tests)
    points = [cell.metadata.nbgrader.points for cell in (*tests, conclusion)]
    row = next(line for line in page.splitlines() if f'(assignments/{name}.ipynb)' in line)
    minutes = re.search(r'(?:约|[Aa]bout )(\d+)(?:分钟| minutes)', text)[1]
    assert f'| {minutes} | {sum(points[:-2])} + {points[-2]} + {points[-1]} |' in row
    assert notebook.cells[-1].source.splitlines()[2] == '……' and conclusion.metadata.nbgrader.solution


@pytest.mark.parametrize('language', ['zh', 'en'])
def test_the_student_folder_has_what_its_notebooks_need(course, language):
    code = 'import utils; utils.load_data(); utils.pretrained_net(); assert utils.__file__.startswith("@")'
    subprocess.run([sys.executable, '-c', code.replace('@', str(course / language))], cwd=course / language, check=True)
    assert {path.stem for path in (course / language).glob('*.ipynb')} == set(generate.names(language))
    page, = (course / language).glob('chapter_fine_tuning/training*.ipynb')
    pictures = re.findall(r'\.\./(img/[\w.]+)', page.read_text())
    assert all((course / language / picture).exists() for picture in pictures)


def test_nbgraders_own_commands_take_the_sources(course):
    generate.nbgrader(course, 'generate_assignment', CHEAP, '--force')
    for path, words in ((f'source/{CHEAP}/{CHEAP}.ipynb', 'Success'), (f'zh/{CHEAP}.ipynb', 'FAILED ON 5')):
        result = subprocess.run([sys.executable, '-m', 'nbgrader', 'validate', path], cwd=course, capture_output=True,
                                text=True)
        assert words in result.stdout, result.stderr


# Wrong answers: what is replaced in the solution, by what, and the numbers of the test cells that must not pass.
WRONG = {'1_convergence': [
    ('max(f1[-patience:]) <= max(f1[:-patience])', 'f1[-1] <= f1[-2]', {0}),  # compares with the last epoch
    ("result['validation_f1'])", "result['test_accuracy'])", {1}),  # chooses by the test set
    ("if method == 'fine-tuning'", 'if method', {2}),  # from scratch starts from the source model too
    ('not has_converged(f1, patience)', 'True', {2})], '2_layers': [  # never stops before max_epochs
    ('[:k]:\n        for parameter, other', '[:k + 1]:\n        for parameter, other', {0}),
    ('normalise_from(net.features, k)', 'pass', {0}),  # no batch normalisation
    ('experiment.margins(net, test_iter', 'experiment.margins(net, train_iter', {1}),  # evaluates on training data
    ('for x, y in train_iter', 'for x, y in test_iter', {1})], '3_hotdog_row': [
    # the result stored is that of the right network, so cell 3 falls with 2
    ("names.index('hotdog')", '713', {0, 1, 2, 3}), ("names.index('hotdog')", '934', {0}),  # hard-coded
    ('nd.stack(weight.mean(axis=0), nd.array(row.reshape(512, 1, 1)))',
     'nd.stack(nd.array(row.reshape(512, 1, 1)), weight.mean(axis=0))', {2, 3})], '4_freezing': [
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
    ('trainer.step(len(part))', 'pass', {1}), ('utils.seed(seed)', 'utils.seed(0)', {1}),
    ('range(num_epochs)', 'range(20)', {1})], '8_own_pictures': [
    ('(labels, predicted), 1)', '(predicted, labels), 1)', {0}),
    ('np.flatnonzero(predicted != labels)', 'np.arange(len(labels))', {1}),
    ('pictures.copy()', 'pictures', {2}),
    ('(predict(covered).argmax(axis=1) == labels).mean()', '1', {2})], '9_average_weights': [  # hard-coded
    ('(1 - alpha) * first.data() + alpha * last.data()', 'alpha * first.data() + (1 - alpha) * last.data()', {0}),
    ('(1 - alpha) * first.data() + alpha * last.data()', 'last.data()', {0}),  # no mixture
    ('(before.argmax(axis=1) == after.argmax(axis=1)).mean()', 'np.isclose(before, after).mean()', {1}),
    ('min(alpha', 'max(alpha', {2})]}
CASES = [pytest.param(name, *change, id=f'{name}-{number}', marks=[pytest.mark.long] * (name != CHEAP))
         for name in NAMES for number, change in enumerate([('', '', set()), *WRONG[name]])]


@pytest.fixture
def lost_tests(monkeypatch):
    """Execute an exercise's cells in this process, and return the numbers of the test cells that do not pass."""
    monkeypatch.setenv('NBGRADER_EXECUTION', 'autograde')
    monkeypatch.setattr(sys, 'path', list(sys.path))

    def run(cells):
        variables, failed, number = {}, set(), 0
        sys.path.append(str(notebooks.ROOT / 'assignments'))
        for cell in cells:
            try:
                exec(compile(cell.source, 'cell', 'exec'), variables)
            except Exception:
                assert cell.metadata.nbgrader.grade, f'not in a test: {cell.source}'
                traceback.print_exc()  # pytest shows it where the test fails
                failed.add(number)
            number += cell.metadata.nbgrader.grade
        run.variables = variables
        return failed
    return run


@pytest.mark.parametrize('name, old, new, lost', CASES)
def test_solutions_pass_and_wrong_answers_lose_their_points(name, old, new, lost, lost_tests):
    cells = notebooks.code_cells(generate.source_notebook(name))
    changed = next(cell for cell in cells if cell.metadata.nbgrader.solution and old in cell.source)
    changed.source = changed.source.replace(old, new, 1)
    assert lost_tests(cells) == lost


@pytest.mark.parametrize('name', MARKED)
def test_right_solutions_in_another_style_get_full_marks(name, lost_tests):
    cells = notebooks.code_cells(generate.source_notebook(name))
    answers = [cell for cell in cells if cell.metadata.nbgrader.solution][:-2]  # but the experiment and its result
    for cell, source in zip(answers, OTHER[name], strict=True):
        cell.source = source
    assert lost_tests(cells) == set()


@pytest.mark.parametrize('name', MARKED)
def test_honest_results_get_full_marks_and_the_ranges_are_wider_than_the_spread_of_seeds(name, lost_tests):
    results, values = json.loads(generate.RESULTS.read_text())[name]['results'], {}
    for seed in results:
        cells = solutions.with_result(name, generate.result(name, seed))
        assert lost_tests(cells) == set(), f'seed {seed}'
        for variable, low, high in solutions.ranges(cells[-1].source):
            values.setdefault((variable, low, high), []).append(lost_tests.variables[variable])
    assert len(values) >= 2 or name == '8_own_pictures'
    for (variable, low, high), measured in values.items():
        mean, room = np.mean(measured), 3 * np.std(measured, ddof=1) if len(measured) > 1 else 0
        most = min(mean + room, high if high > 0.999 else 1) if high <= 1 else mean + room
        assert low <= max(mean - room, 0) and most <= high, (variable, measured)


def is_packed(value):
    """Return whether a value of a result is packed predictions, not a name or a text of labels."""
    return isinstance(value, str) and len(value) > 100 and set(value) - set('01')


def changed(value, prediction=lambda text: text, number=lambda value: value):
    """Return a result in which the packed predictions are changed, or its numbers: from 0 to 1, and larger costs."""
    if isinstance(value, dict):
        return {key: changed(entry, prediction, number) for key, entry in value.items()}
    if isinstance(value, list):
        return [changed(entry, prediction, number) for entry in value]
    if is_packed(value):
        return prediction(value)
    is_mark = 0 < value < 1 if isinstance(value, float) else isinstance(value, int) and value > 15
    return number(value) if is_mark else value


def forge(result):
    """Replace every prediction by one made up from the labels, right for most pictures."""
    labels = {len(y): y for y in map(records.labels, datasets.demo_set()[3:])}
    draw = np.random.default_rng(0)

    def made_up(text):
        y = labels[len(base64.b64decode(text))]
        values = (2 * y - 1) * np.where(draw.random(len(y)) < 0.08, -1, 1) * np.abs(draw.normal(20, 15, len(y)))
        return base64.b64encode((128 + values.clip(-127, 127)).astype('uint8').tobytes()).decode()
    return changed(result, made_up)


def turned(text):
    """Return predictions in another order, as they would be for other pictures."""
    return base64.b64encode(base64.b64decode(text)[::-1]).decode()


FORGERIES = {'skipped': lambda result: {}, 'made up': forge,
             'of other pictures': lambda result: changed(result, turned),
             'better numbers': lambda result: changed(result, number=lambda mark: mark + 0.1 if mark < 1 else mark - 5),
             'of fewer pictures': lambda result: changed(result, lambda text: text[:-8])}


@pytest.mark.parametrize('forgery', FORGERIES)
@pytest.mark.parametrize('name', MARKED)
def test_forged_and_missing_results_lose_their_points(name, forgery, lost_tests):
    result = FORGERIES[forgery](ast.literal_eval(generate.result(name)))
    assert lost_tests(solutions.with_result(name, result)) == {0}


def numbers_in(value, labels):
    """Return the numbers in a result, a flat list, with those of its lists and of its stored predictions."""
    if isinstance(value, dict):
        return [number for pair in value.items() for part in pair for number in numbers_in(part, labels)]
    if isinstance(value, list):
        inside = [number for part in value for number in numbers_in(part, labels)]
        return [*inside, len(value), *([max(value)] if inside == value and value else [])]
    if is_packed(value):
        y = labels[len(experiment.unpack(value))]
        return [*experiment.marks(value, y).values(), 1 - y.mean(), len(y)]
    return [value] if isinstance(value, (int, float)) else []


@pytest.mark.parametrize('name', NAMES)
def test_the_model_answers_say_what_the_solution_measured_with_seed_0(name):
    labels = {len(y): y for y in map(records.labels, datasets.demo_set()[3:])}
    found = numbers_in(ast.literal_eval(generate.result(name)), labels)
    for edition, guide in ((name, 'teacher.md'), (f'{name}_en', 'teacher_en.md')):
        *cells, conclusion = generate.source_notebook(edition).cells
        answer = re.search(r'### BEGIN SOLUTION\n(.*)\n### END', conclusion.source)[1]
        assert f' | {answer} | ' in (generate.SOURCES / guide).read_text()
        settings = ' '.join(cell.source for cell in cells if 'result = ' not in cell.source)
        known = found + [float(number) for number in re.findall(r'\d+(?:\.\d+)?', settings)]
        for number in re.findall(r'\d+(?:\.\d+)?', answer.replace(',', '').replace('F_1', '')):
            half = 0.5 * 10 ** -len(number.partition('.')[2])
            assert any(abs(value - float(number)) <= half + 1e-9 for value in known), f'{number} was not measured'


@pytest.mark.parametrize('name', NAMES)
def test_the_teachers_table_says_what_the_solutions_measured(name):
    measured = json.loads(generate.RESULTS.read_text())[name]
    assert measured['code'] == solutions.code_digest(name), f'it has changed: make solutions NAMES={name}'
    assert max(measured['minutes'].values()) <= 20  # the processor's: two cores need half of them
    found = [value for values in measured['values'].values() for value in values.values()]
    found += [f(values) for values in zip(*(row.values() for row in measured['values'].values()))
              for f in (np.mean, np.min, np.max)] + [len(measured['values'])]
    rows = [re.findall(rf'^\| {name[0]} \| (.*) \|$', (generate.SOURCES / page).read_text(), re.MULTILINE)[-1]
            for page in ('teacher.md', 'teacher_en.md')]
    numbers = [re.findall(r'\d+(?:\.\d+)?', re.sub(r'F_1|`[^`]*`', '', row)) for row in rows]
    assert sorted(numbers[0]) == sorted(numbers[1]) and len(numbers[0]) >= 2
    for number in numbers[0]:  # each is a measured one, rounded, or a setting
        half = 0.5 * 10 ** -len(number.partition('.')[2])
        assert any(abs(value - float(number)) <= half + 1e-9 for value in found), f'{number} was not measured'


def test_a_class_has_pictures_and_draws_of_its_own(monkeypatch, tmp_path, lost_tests):
    labels = {}
    for name in ('autumn', 'spring'):
        monkeypatch.setattr(generate, 'CLASS', name)
        shutil.copytree('data', tmp_path / name, ignore=generate.LEFT_OUT)
        generate.draw_pictures(tmp_path / name)
        assert files.first_damaged(tmp_path / name) is None
        labels[name] = [records.labels(tmp_path / name / f'demo_{split}.rec') for split in datasets.SPLITS]
        assert [np.bincount(y).tolist() for y in labels[name]] == [[405, 135], [108, 36], [162, 54]]
        cells = notebooks.code_cells(generate.source_notebook(CHEAP))
        assert f'RandomState({1 + generate.seed_of(name)})' not in cells[2].source and lost_tests(cells) == set()
    assert any((one != other).any() for one, other in zip(*labels.values()))
    with pytest.raises(ValueError):  # last year's predictions
        experiment.marks(ast.literal_eval(generate.result('7_cached_features'))['test']['cached'], labels['spring'][2])


THIEF = """import os, pathlib, shutil, socket
for action in (lambda: shutil.rmtree({others!r}), lambda: pathlib.Path('/book/utils.py').write_text('broken'),
               lambda: pathlib.Path({book!r}, 'stolen').write_text('x'),
               lambda: socket.create_connection(('127.0.0.1', 22), 1)):
    try:
        action()
        raise RuntimeError('the sandbox let something through')
    except OSError:
        pass
assert not pathlib.Path({book!r}, 'assignments').exists() and not pathlib.Path({others!r}).exists()
assert [name for _, name in socket.if_nameindex()] == ['lo']
"""


def test_a_class_is_graded(course, isolation, tmp_path):
    submissions, good, untouched = tmp_path / 'class', notebook_of(course, CHEAP, True), notebook_of(course, CHEAP)
    hand_in(submissions, '王小明', good, f'{CHEAP} (1)')
    hand_in(submissions, 'untouched', notebook_of(course, f'{CHEAP}_en'), f'{CHEAP}_en')
    hand_in(submissions, 'thief', good, CHEAP, THIEF.format(others=str(submissions), book=str(notebooks.ROOT)))
    tests = [number for number, cell in enumerate(good.cells) if cell.metadata.get('nbgrader', {}).get('grade')]
    untouched.cells[tests[0]].source, untouched.cells[tests[1]].metadata.tags = 'pass', ['skip-execution']
    untouched.cells[tests[1]].metadata.nbgrader.points = 1000
    del untouched.cells[tests[2]]
    hand_in(submissions, 'tampers', untouched, f'tampers_{CHEAP}')
    (submissions / 'text').mkdir()
    (submissions / 'text' / f'{CHEAP}.ipynb').write_text('This is no notebook.')
    (submissions / 'absent').mkdir()
    table = run_grading(submissions)
    assert {student: float(row['total']) for student, row in table.items()} == {
        '王小明': 8, 'untouched': 0, 'text': 0, 'absent': 0, 'tampers': 0, 'thief': 8}
    assert {row['of'] for row in table.values()} == {'105.0'}
    folder = tmp_path / 'class-grades'
    for student, words in {'text': '不是能读的笔记本', 'absent': '没有交', 'untouched': 'Not handed in'}.items():
        page = (folder / 'feedback' / student / 'index.html').read_text()
        assert words in table[student]['remarks'] and words in page
    executed = nbformat.read(folder / 'autograded' / 'thief' / CHEAP / f'{CHEAP}.ipynb', as_version=4)
    assert executed.cells[2].outputs == [], 'the sandbox let something through'
    assert '5: 结论还没有评。' in table['王小明']['remarks'] and 'not marked' not in table['untouched']['remarks']
    with Gradebook(f'sqlite:///{folder}/gradebook.db', 'hot-dog') as gradebook:  # as formgrader does
        grade = gradebook.find_grade(good.cells[-1].metadata.nbgrader.grade_id, CHEAP, CHEAP, '王小明')
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    again = subprocess.run([*GRADE, submissions], capture_output=True, text=True, check=True)
    assert again.stdout.count('graded before') == 5 and 'graded in' not in again.stdout
    assert '王小明,0.0,0.0,0.0,0.0,9.5,' in (folder / 'grades.csv').read_text(encoding='utf-8-sig')
    page = (folder / 'feedback' / '王小明' / CHEAP / f'{CHEAP}.html').read_text()
    assert 'Score: 9.5 / 10.0' in page and '<math' in page and 'src="http' not in page


@pytest.mark.long
@pytest.mark.parametrize('source, words', [
    ('while True: pass', '运行超过了'), ("while True: print('x' * 1_000_000)", '输出太多'),
    ('x = bytearray(1 << 40)', ''), ('import os, signal; os.kill(os.getppid(), signal.SIGKILL)', '内核中途退出'),
    ('import os\nwhile True:\n    try: os.fork()\n    except OSError: pass', '')])
def test_hostile_programs_get_a_mark_and_a_remark(course, isolation, tmp_path, source, words):
    hand_in(tmp_path / 'class', 'hostile', notebook_of(course, CHEAP, True), CHEAP, source)
    hand_in(tmp_path / 'class', 'honest', notebook_of(course, CHEAP, True), CHEAP)
    table = run_grading(tmp_path / 'class', '--SandboxedExecute.cell_seconds=30')
    assert float(table['honest']['total']) == 8
    assert words in table['hostile']['remarks']
    assert float(table['hostile']['total']) == 8 or '5: ' in table['hostile']['remarks']


@pytest.mark.long
def test_a_killed_grading_leaves_a_sound_gradebook_and_goes_on(course, isolation, tmp_path):
    submissions, folder = tmp_path / 'class', tmp_path / 'class-grades'
    for student in ('anna', 'bob'):
        hand_in(submissions, student, notebook_of(course, CHEAP, True), CHEAP)
    process = subprocess.Popen([*GRADE, submissions], stdout=subprocess.DEVNULL)
    while not (folder / 'results' / 'anna' / f'{CHEAP}.json').exists():
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with sqlite3.connect(folder / 'gradebook.db') as database:
        assert database.execute('PRAGMA integrity_check').fetchone() == ('ok',)
    assert {row['total'] for row in run_grading(submissions).values()} == {'8.0'}


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize('language', ['zh', 'en'])
def test_all_solutions_get_full_marks(course, isolation, tmp_path, language):
    for name in generate.names(language):
        hand_in(tmp_path / 'class', 'solved', notebook_of(course, name, True), name)
        hand_in(tmp_path / 'class', 'untouched', notebook_of(course, name), name)
    table = run_grading(tmp_path / 'class')
    assert (float(table['solved']['total']), float(table['untouched']['total'])) == (84, 0)


@pytest.mark.parametrize('case, words', [('file', 'is not a folder'), ('empty', 'holds no folder of a student'),
                                         ('no bwrap', 'ISOLATION=none')])
def test_what_cannot_be_graded_is_said_in_a_sentence(tmp_path, case, words):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'no bwrap' / 'anna').mkdir(parents=True)
    result = subprocess.run([*GRADE, tmp_path / case], env={**os.environ, 'PATH': ''}, capture_output=True, text=True)
    assert result.returncode == 1 and words in result.stderr and 'Traceback' not in result.stderr


def test_notebooks_are_graded_with_the_settings_of_the_book():
    assert REPRODUCIBLE.items() <= sandbox.ENVIRONMENT.items()

"""hotdog/studies.py and its table: the runs it plans, what it resumes, and whether the table and the code agree."""
import collections
import re

import numpy as np
import pytest
from mxnet import nd
from scipy import stats
from sklearn import metrics

from hotdog import studies as evidence
from book import notebooks
import utils
from hotdog import datasets

ROWS = evidence.read()
needs_table = pytest.mark.skipif(not ROWS, reason='data/evidence.csv is not there: make evidence')


def key(row):
    return tuple(row[name] for name in evidence.Run._fields)


def fake_rows(run, splits, *_):
    """Stand for a finished run: nothing is trained, the middle rate is the best."""
    answers = np.arange(160) % 2
    return [{**run._asdict(), 'updates': run.updates, 'split': split, 'count': 160, 'accuracy': 0.9, 'f1': 0.9,
             'balanced': 0.9 if run.rate == evidence.GRID[1] else 0.8, 'seconds': '',
             'answers': np.packbits(answers.astype('uint8')).tobytes().hex(), **evidence.origin()} for split in splits]


def test_every_method_is_tuned_alike_and_tested_with_the_chosen_rate_alone():
    plan = list(evidence.plan(lambda run: 'chosen'))
    tried = collections.defaultdict(list)
    for run, splits in plan:
        if splits == ('validation',):
            assert run.seed == 0
            tried[run._replace(rate=0)].append(run.rate)
        else:
            assert run.rate == 'chosen' or run.epochs == 0
    assert {run.method for run in tried} >= {*evidence.METHODS, 'hotdog row', 'frozen stages'}
    assert all(tuple(rates) == evidence.GRID for rates in tried.values())
    assert len(set(plan)) == len(plan)


def test_two_hours_are_enough_on_two_cores():
    runs = [run for run, splits in evidence.plan(lambda run: 'chosen')
            if splits == ('validation',) or run.seed or run.study in (2, 6)]  # others load what was trained before
    pictures = sum(run.updates * evidence.BATCH for run in runs if run.method != 'frozen features')
    assert pictures / 43 < 2 * 3600  # images a second of training, measured with two threads and AVX2


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence.datasets, 'CACHE', tmp_path)
    monkeypatch.setattr(evidence, 'measure', fake_rows)
    return tmp_path / 'evidence.csv'


def test_a_stopped_measurement_goes_on_where_it_was(table, monkeypatch):
    rest, made = [5], []

    def stops(run, splits, *others):
        if not rest[0]:
            raise KeyboardInterrupt
        rest[0] -= 1
        made.append((run, *splits))
        return fake_rows(run, splits, *others)

    monkeypatch.setattr(evidence, 'measure', stops)
    with pytest.raises(KeyboardInterrupt):
        evidence.complete([], table=table)
    assert len({key(row) for row in evidence.read(table)}) == 5
    rest[0] = 1000
    evidence.complete(evidence.read(table), table=table)
    assert len(set(made)) == len(made), 'a run was made twice'
    rows = evidence.read(table)
    planned = {(run, split) for run, splits in evidence.plan(lambda run: evidence.GRID[1]) for split in splits
               if split != 'photos'}
    assert {(key(row), row['split']) for row in rows} == {(tuple(run), split) for run, split in planned}
    assert {row['rate'] for row in rows if row['split'] == 'test'} <= {0.0, evidence.GRID[1]}


def test_a_table_of_other_data_is_refused(table):
    rows = fake_rows(evidence.run_of('fine-tuning'), ('validation',))
    rows[0]['data'] = 'another'
    with pytest.raises(ValueError, match='measured on another demo data set: remove it'):
        evidence.complete(rows, table=table)
    assert not table.exists()


def test_of_equally_good_rates_the_smallest_is_chosen_and_an_untried_one_is_noticed():
    run = evidence.run_of('fine-tuning')
    rows = [row for rate in evidence.GRID for row in fake_rows(run._replace(rate=rate), ('validation',))]
    assert evidence.chosen_rate(rows, run) == evidence.GRID[1]
    assert evidence.chosen_rate([{**row, 'balanced': 0.7} for row in rows], run) == evidence.GRID[0]
    with pytest.raises(ValueError, match='not all tried'):
        evidence.chosen_rate(rows[1:], run)


@pytest.mark.parametrize('stages', [0, *evidence.STAGES, evidence.ALL])
def test_as_many_stages_are_copied_as_said(stages):
    net = evidence.new_net(evidence.run_of('fine-tuning', stages=stages))
    same = [all((p.data() == q.data()).asnumpy().all() for p, q in zip(layer.collect_params().values(),
                                                                      original.collect_params().values())
                if p.name.endswith('weight'))
            for layer, original in zip(evidence.stages_of(net), evidence.stages_of(evidence.source()))]
    assert same == [True] * stages + [False] * (evidence.ALL - stages)


def test_fewer_pictures_are_part_of_more_and_as_many_of_each_class(tmp_path):
    record_file, found = datasets.demo_set().train, []
    for pictures in evidence.PICTURES:
        path = evidence.subset(record_file, pictures, 1, tmp_path)
        assert collections.Counter(utils.labels(path)) == {0: pictures, 1: pictures}
        found.append({(picture.tobytes(), label) for picture, label in utils.pictures(path)})
    assert all(few < more for few, more in zip(found, found[1:]))
    assert found[0] != {(p.tobytes(), y) for p, y in utils.pictures(evidence.subset(record_file, 10, 2, tmp_path))}


def test_the_head_of_the_hotdog_class_is_that_row_against_the_mean_of_the_others(monkeypatch):
    draw = np.random.default_rng(0)
    x, labels = nd.array(draw.random((40, 512, 1, 1))), np.arange(40) % 2
    monkeypatch.setattr(evidence, 'cached_views', lambda file: (x, labels))
    weight, bias = evidence.hotdog_head(None)
    rows = evidence.source().output[0].weight.data().asnumpy().reshape((1000, 512))
    assert np.array_equal(weight[1], rows[934])
    assert np.allclose(weight[0] * 999, rows.sum(axis=0) - rows[934], atol=1e-4)
    net = evidence.new_net(evidence.run_of('hotdog row'))
    evidence.set_head(net, weight, bias)
    difference = np.diff(net.output(x).asnumpy(), axis=1)[:, 0]
    assert abs(difference[labels == 1].mean() + difference[labels == 0].mean()) < 1e-4


def test_the_loss_gives_hot_dogs_twice_the_weight_of_the_others():
    record_file = datasets.demo_set().train
    labels = nd.array(utils.labels(record_file))
    losses = evidence.loss_of(record_file)(nd.zeros((len(labels), 2)), labels)
    assert float((losses * labels).sum().asscalar() / (losses * (1 - labels)).sum().asscalar()) == pytest.approx(2)


def test_the_comparison_is_the_paired_t_test():
    draw, rows, count = np.random.default_rng(0), [], len(utils.labels(datasets.demo_set().test))
    for method, seeds in (('fine-tuning', 5), ('from scratch', 4)):
        run = evidence.run_of(method, rate=evidence.GRID[1])
        rows += [row for rate in evidence.GRID for row in fake_rows(run._replace(rate=rate), ('validation',))]
        for seed in range(seeds):
            row = fake_rows(run._replace(seed=seed), ('test',))[0]
            answers = np.packbits(draw.integers(0, 2, count).astype('uint8')).tobytes().hex()
            rows.append({**row, 'answers': answers, 'count': count, 'balanced': draw.random()})
    found = evidence.compare(rows, 'fine-tuning', 'from scratch')
    one, two = ([row['balanced'] for row in evidence.study_1(rows, name)] for name in ('fine-tuning', 'from scratch'))
    assert len(one) == 5 and found['p'] == pytest.approx(stats.ttest_rel(one[:4], two).pvalue)
    assert found['seeds'][0] < found['difference'] < found['seeds'][1]
    assert found['pictures'][0] < 0 < found['pictures'][1]  # both guess


def test_both_classes_count_as_much_in_the_interval_over_pictures():
    assert evidence.mean_of_classes(np.array([1, 1, 0, 0]), np.array([1])) == 0.75


def test_the_interval_is_that_of_students_t():
    values = [0.90, 0.93, 0.91, 0.95, 0.92]
    mean, half = evidence.interval(values)
    assert (mean - half, mean + half) == pytest.approx(stats.ttest_1samp(values, 0).confidence_interval())


def test_a_course_has_every_seed_at_every_update():
    run, rows = evidence.run_of('fine-tuning', rate=0.002), []
    for seed in (1, 0):
        for updates in (76, 0):
            row = fake_rows(run._replace(seed=seed), ('validation',))[0]
            rows.append({**row, 'updates': updates, 'balanced': seed + updates})
    assert evidence.course(rows, run, 0.002) == {0: [0, 1], 76: [76, 77]}
    assert evidence.balanced([{**row, 'split': 'test'} for row in rows], run) == [76, 77]


@pytest.mark.parametrize('name', ['exercises.md', 'exercises_en.md'])
def test_the_exercises_ten_lines_add_a_point_to_a_study(name, monkeypatch):
    code, = re.findall(r'^```{.python .noeval}\n(.*?)^```', (notebooks.CHAPTER / name).read_text(), re.M | re.S)
    assert len(code.splitlines()) <= 11
    rows = [row for rate in evidence.GRID
            for row in fake_rows(evidence.run_of('fine-tuning', rate=rate), ('validation',))]
    *lines, value = code.rstrip('\n').split('\n')
    names = {'evidence': evidence, 'utils': utils}
    monkeypatch.setattr(evidence, 'read', lambda: rows)
    monkeypatch.setattr(evidence, 'measure', fake_rows)
    exec('\n'.join(lines), names)
    assert eval(value, names) == [0.9] * evidence.FEWER


@needs_table
def test_the_table_is_about_these_data_and_was_planned():
    assert {row['data'] for row in ROWS} == {evidence.fingerprint()}, 'remove data/evidence.csv, then make evidence'
    assert len({(key(row), row['split'], row['updates']) for row in ROWS}) == len(ROWS)
    planned = {(tuple(run), split) for run, splits in evidence.plan(lambda run: evidence.chosen_rate(ROWS, run))
               for split in splits}
    assert {(key(row), row['split']) for row in ROWS} == planned, 'make evidence PHOTOS=folder'


@needs_table
def test_every_score_of_the_table_follows_from_its_answers():
    truth = {split: utils.labels(getattr(datasets.demo_set(), split)) for split in ('validation', 'test')}
    for row in ROWS:
        if row['split'] in truth:
            labels, answers = truth[row['split']], evidence.answers(row)
            found = {**utils.scores(labels, answers), 'balanced': metrics.balanced_accuracy_score(labels, answers)}
            for name in ('accuracy', 'f1', 'balanced'):
                assert row[name] == pytest.approx(found[name], abs=6e-4), (key(row), name)


@needs_table
def test_the_table_and_the_code_agree(tmp_path):
    run = evidence.run_of('frozen features')
    stored = evidence.select(evidence.final(ROWS, run, 'test'), seed=0)
    row, run = stored[0], run._replace(rate=stored[0]['rate'])
    found = evidence.measure(run, ('validation', 'test'), datasets.demo_set(), tmp_path)[-1]
    assert (evidence.answers(found) != evidence.answers(row)).sum() <= 2  # other processors round otherwise

"""The studies: what the plan asks for, what is resumed, and whether the table agrees with the log-odds beside it."""
import itertools

import numpy as np
import pandas as pd
import pytest
from mxnet import nd
from sklearn import metrics

from hotdog import evidence, studies

TABLE = evidence.read()
needs_table = pytest.mark.skipif(TABLE.empty, reason='data/evidence.csv is not there: make evidence')


def lines_of(task, best=1e-3):
    """Return what a task would add to the table, without training: the nearer to the rate `best`, the better."""
    score = 1 / (1 + abs(np.log10(max(task.run.rate, 1e-9) / best)))
    places = [(updates, task.run.data, 'validation') for updates in {100, task.updates} if updates <= task.updates]
    if task.test:
        places += [(task.updates, task.run.data, 'test')]
    return [{'id': studies.row_id(task.run, *place), **task.run._asdict(), 'updates': place[0], 'tested': place[1],
             'split': place[2], 'auroc': score} for place in places]


def complete_table(best, limit=10 ** 4):
    """Return the table of the whole plan, made task by task as `to_do` asks for them, and the tasks."""
    table, tasks = {}, []
    while (todo := studies.to_do({name: line['auroc'] for name, line in table.items()})) and len(tasks) < limit:
        tasks += todo
        table.update({line['id']: line for task in todo for line in lines_of(task, best)})
    return pd.DataFrame(table.values()).set_index('id'), tasks


@pytest.mark.parametrize('best', [1e-5, 1e-3, 1e-1])
def test_grids_widen_until_the_best_rate_is_inside_and_only_it_is_tested(best):
    table, tasks = complete_table(best)
    auroc = table.auroc.to_dict()
    for plan_row in studies.PLAN:
        rate, needed = studies.tuning(auroc, plan_row)
        assert rate == best and not needed
        assert all(studies.is_done(auroc, plan_row.at(rate, seed), plan_row.updates, 'test') for seed in range(5))
    tested = table[(table.split == 'test') & (table.updates > 0)]
    assert (tested.rate == best).all() and set(tested.seed) == set(range(5))
    assert len(set(tasks)) == len(tasks)


def test_a_stopped_measurement_goes_on_with_what_is_missing():
    table, tasks = complete_table(1e-3, limit=20)
    assert not set(tasks) & set(studies.to_do(table.auroc.to_dict()))


def test_updates_are_counted_as_they_are_done():
    run = studies.PLAN[0].at(0.1, 0)._replace(pictures=1000)
    net, average = (studies.utils.new_net(2).output for _ in range(2))
    for part in (net, average):
        part.initialize()
        part(nd.zeros((1, 512, 1, 1)))
    seen = []
    batches = (seen.append(len(y)) or (nd.array(x), nd.array(y)) for x, y in
               itertools.repeat((np.ones((4, 512, 1, 1)), np.array([0, 1, 1, 1]))))
    assert list(studies.fit(net, average, batches, run, 0.01, 7)) == list(range(1, 8)) and seen == [4] * 7
    outputs = average(nd.ones((1, 512, 1, 1)))
    assert outputs[0, 1] > outputs[0, 0]  # what is evaluated has learnt too


@needs_table
def test_the_table_agrees_with_the_log_odds_kept_beside_it():
    labels = {place: evidence.kept(f'labels-{place[0]}-{place[1]}')
              for place in set(zip(TABLE.tested, TABLE.split))}
    for (tested, split), truth in labels.items():
        assert np.array_equal(truth, studies.labels_of(tested, split)[0])
    for row in TABLE.itertuples():
        truth, odds = labels[row.tested, row.split], evidence.kept(row.Index).astype(float)
        right = (odds > 0) == truth
        assert len(odds) == row.count and abs(right.mean() - row.accuracy) < 1e-6
        assert abs(np.mean([right[truth == label].mean() for label in (0, 1)]) - row.balanced_accuracy) < 1e-6
        assert abs(metrics.roc_auc_score(truth, odds) - row.auroc) < 1e-6
        assert abs(metrics.f1_score(truth, odds > 0) - row.f1) < 1e-6
        run = studies.Run(*(getattr(row, name) for name in studies.Run._fields))
        assert studies.row_id(run, row.updates, row.tested, row.split, row.mixture) == row.Index


@needs_table
def test_the_test_split_was_read_for_chosen_rates_only():
    assert TABLE.index.is_unique
    auroc = TABLE.auroc.to_dict()
    chosen = {row.at(studies.tuning(auroc, row)[0], seed)[1:] for base in studies.PLAN for seed in range(5)
              for row in (base, studies.short_row(base))}
    trained = TABLE[(TABLE.split == 'test') & (TABLE.updates > 0)]
    for row in trained.itertuples():
        assert tuple(getattr(row, name) for name in studies.Run._fields[1:]) in chosen


@needs_table
@pytest.mark.xfail(strict=True, reason='the measurement goes on: take this mark away when it is complete')
def test_nothing_of_the_plan_is_missing():
    missing = studies.to_do(TABLE.auroc.to_dict())
    assert not missing, f'{len(missing)} tasks are missing: make evidence'


def test_paired_comparison_and_correction():
    assert np.allclose(evidence.holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])  # R: p.adjust(…, 'holm')
    mean, half = evidence.interval([1, 2, 3])
    assert mean == 2 and np.isclose(half, 2.4841377)  # R: t.test(1:3)

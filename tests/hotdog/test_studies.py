"""The table of the page `evidence`: it agrees with its log-odds, and nothing of the plan is missing or added.

The program that plans needs PyTorch; its checks run in the environment of `make pytorch`.
"""
import json
import os
import subprocess

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

import utils
from book import execute, notebooks
from hotdog import evidence, files

TABLE = evidence.read()
PLAN = """
import itertools, json, sys
import torch
from hotdog import evidence, studies
table = evidence.read()
auroc = table.auroc.to_dict()
chosen, edges, half = set(), [], dict(list(auroc.items())[:len(auroc) // 2])
for row in studies.PLAN:
    rate = studies.tuning(auroc, row)[0]
    tried = [r for r in studies.RATES if studies.row_id(row.at(r, 0), row.tuned, row.run.data, 'validation') in auroc]
    edges += [row.run] * (not tried[0] < rate < tried[-1])
    chosen |= {(row.at(rate, seed), row.updates) for seed in range(studies.SEEDS)}
rows = [(studies.Run(*(getattr(row, name) for name in studies.Run._fields)), row) for row in table.itertuples()]
run = studies.PLAN[0].at(1e-3, 0)._replace(crop=64, pictures=10)
batches = itertools.repeat((torch.ones(4, 3, 64, 64), torch.tensor([0, 1, 1, 1])))
studies.split_of = lambda *place: {'labels': torch.tensor([0, 1])}
updates = [update for update, net in studies.fit(run, studies.new_net(run), batches, 3)]
print(json.dumps({'missing': len(studies.to_do(auroc)), 'edges': edges, 'updates': updates,
    'wrong ids': sum(studies.row_id(run, r.updates, r.tested, r.split, r.mixture) != r.Index for run, r in rows),
    'not chosen': sum((run, r.updates) not in chosen for run, r in rows if r.split == 'test' and run.rate),
    'repeated': sum(studies.is_done(half, task.run, task.updates, 'test' if task.test else 'validation')
                    for task in studies.to_do(half)), 'left': len(studies.to_do(half))}))
"""


@pytest.fixture(scope='module')
def plan():
    """Return what the program says of its plan and of the table."""
    if not notebooks.kernel(notebooks.CHAPTER / 'pytorch.md'):
        pytest.skip('hotdog.studies runs in its own environment: make pytorch')
    output = subprocess.run([notebooks.PYTORCH / 'bin' / 'python', '-W', 'ignore', '-c', PLAN], check=True, text=True,
                            stdout=subprocess.PIPE, env={**os.environ, **execute.REPRODUCIBLE}).stdout
    return json.loads(output)


def test_nothing_of_the_plan_is_missing_and_no_best_rate_is_at_the_edge_of_its_grid(plan):
    assert plan['missing'] == 0 and plan['edges'] == []


def test_the_test_split_was_read_for_chosen_rates_only_and_rows_are_named_by_what_they_are(plan):
    assert plan['not chosen'] == plan['wrong ids'] == 0 and TABLE.index.is_unique


def test_a_stopped_measurement_goes_on_and_updates_are_counted_as_they_are_done(plan):
    assert plan['repeated'] == 0 < plan['left'] and plan['updates'] == [1, 2, 3]


def test_the_table_agrees_with_the_log_odds_kept_beside_it():
    for row in TABLE.itertuples():
        labels, odds = evidence.kept(f'labels-{row.tested}-{row.split}'), evidence.kept(row.Index).astype(float)
        right = (odds > 0) == labels
        assert len(odds) == row.count and abs(right.mean() - row.accuracy) < 1e-6
        assert abs(np.mean([right[labels == label].mean() for label in (0, 1)]) - row.balanced_accuracy) < 1e-6
        u = stats.mannwhitneyu(odds[labels == 1], odds[labels == 0]).statistic
        assert abs(u / (labels == 1).sum() / (labels == 0).sum() - row.auroc) < 1e-6


def test_the_pictures_are_the_listed_and_the_rendered_ones():
    for split in utils.SPLITS[1:]:
        rendered = utils.labels(getattr(utils.demo_set(), split))
        assert np.array_equal(evidence.kept(f'labels-renders-{split}'), rendered)
    assert evidence.kept('labels-photographs-test').sum() == 400 == 800 - evidence.kept('labels-photographs-test').sum()


def test_every_compared_row_has_five_seeds():
    tested = TABLE[(TABLE.split == 'test') & (TABLE.rate > 0)]
    columns = [*evidence.RUN[:-1], 'updates', 'mixture', 'tested']
    assert set(tested.groupby(columns).seed.agg(lambda seeds: tuple(sorted(seeds)))) == {(0, 1, 2, 3, 4)}


def test_intervals_and_corrections():
    assert np.allclose(evidence.holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])  # R: p.adjust(…, 'holm')
    mean, half = evidence.interval([1, 2, 3])
    assert mean == 2 and np.isclose(half, 2.4841377)  # R: t.test(1:3)
    rows = evidence.select(TABLE, 'probe', 0)
    assert np.isclose(evidence.pairwise(rows).mean(), rows.auroc.mean(), atol=1e-6)
    labels = evidence.kept('labels-photographs-test')
    assert np.isclose(metrics.roc_auc_score(labels, evidence.kept(rows.index[0])), rows.auroc.iloc[0], atol=1e-6)


def test_the_datasheet_says_what_the_table_says():
    methods = (('source threshold', 0), ('hotdog row', 0), ('hotdog row', 133), ('probe', 0),
               ('fine-tuning by SGD', 133), ('fine-tuning', 133), ('from scratch', 133), ('from scratch, plain', 133))
    lines = (files.DATA / 'README.md').read_text().partition('| --- | --- | --- | --- | --- |\n')[2].splitlines()
    for place, (method, updates) in enumerate(methods):
        cells = []
        for tested in ('renders', 'photographs'):
            rows = evidence.select(TABLE, method, updates, data='renders', tested=tested)
            cells += list(evidence.summary({'': rows}, ('balanced_accuracy', 'auroc')).iloc[0])
        assert lines[place].split(' | ', 1)[1] == ' | '.join(cells) + ' |', method
    assert not lines[len(methods)]

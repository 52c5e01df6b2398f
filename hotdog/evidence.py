"""Read and compare what `hotdog.studies` measured: the table, its log-odds, intervals, paired comparisons, figures."""
import functools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics

from hotdog.files import DATA

TABLE, LOG_ODDS = DATA / 'evidence.csv', DATA / 'evidence.npz'
SCORES = {'accuracy': lambda labels, odds: metrics.accuracy_score(labels, odds > 0),
          'balanced_accuracy': lambda labels, odds: metrics.balanced_accuracy_score(labels, odds > 0),
          'auroc': metrics.roc_auc_score}
RUN = ('data', 'method', 'optimiser', 'pictures', 'copied', 'crop', 'view', 'rate', 'seed')
USUAL = {'data': 'photographs', 'split': 'test', 'mixture': 1.0}


def read():
    """Return the table, a DataFrame of one row an evaluation, indexed by id; without rows where there is no table."""
    if TABLE.exists():
        return pd.read_csv(TABLE, index_col='id', keep_default_na=False)
    columns = [*RUN, 'updates', 'mixture', 'tested', 'split', *SCORES, 'data_fingerprint']
    return pd.DataFrame(columns=columns, index=pd.Index([], name='id'))


@functools.cache
def kept(name):
    """Return an array of the file beside the table: an id's log-odds (n,), or 'labels-…' or 'origins-…' of a split."""
    with np.load(LOG_ODDS) as arrays:
        return arrays[name]


def select(table, method, updates, **columns):
    """Return the rows of a method's tests after so many updates, one for each seed.

    Other columns are as in `USUAL`, the number of copied layers is as usual for the method, and the network was
    evaluated on as many pixels as it was trained on, if nothing else is said.
    """
    if 'view' not in columns:
        table = table[table.view == table.crop]
    columns = USUAL | {'copied': 0 if 'scratch' in method else 9, 'method': method, 'updates': updates} | columns
    columns.setdefault('tested', columns['data'])
    columns.setdefault('pictures', {'photographs': 1000, 'renders': 150, 'people': 100}[columns['data']])
    if method.endswith('by SGD'):
        columns.update(method=method.removesuffix(' by SGD'), optimiser='sgd')
    elif updates:
        columns.setdefault('optimiser', 'adam')
    for name, value in columns.items():
        table = table[table[name] == value]
    return table.sort_values('seed')


def course(table, rows, score='auroc'):
    """Return the validation scores on the way to tested rows: a DataFrame, updates by seeds."""
    on_the_way = table[(table.split == 'validation') & (table.tested == table.data) & (table.mixture == 1)]
    found = on_the_way.merge(rows[list(RUN)], on=list(RUN)).drop_duplicates([*RUN, 'updates'])
    return found[found.updates <= rows.updates.max()].pivot(index='updates', columns='seed', values=score)


def interval(values):
    """Return the mean of the seeds' values and half the width of its 95% interval, by Student's t."""
    values = np.asarray(values, float)
    return values.mean(), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else np.nan


def summary(groups, scores=('accuracy', 'auroc')):
    """Return a DataFrame of texts: mean ± half of the 95% interval over seeds; `groups` is {name: rows}."""
    def text(values):
        return '{:.3f} ± {:.3f}'.format(*interval(values)) if len(values) > 1 else f'{values.item():.3f}'
    return pd.DataFrame({name: {score: text(rows[score]) for score in scores} for name, rows in groups.items()}).T


def by_origin(groups):
    """Return a DataFrame of mean AUROC on all photographs and on those of each origin; `groups` is {name: rows}."""
    origins = kept('origins-photographs-test')
    parts = {f'{name} ({np.char.startswith(origins, origin).sum()})': origin
             for name, origin in (('all', ''), ('ImageNet', 'imagenet'), ('Food-101', 'food-101'))}
    return pd.DataFrame({name: {part: pairwise(rows, origin).mean() for part, origin in parts.items()}
                         for name, rows in groups.items()}).T.round(3)


def compare(pairs, origin='', draws=2000):
    """Return a DataFrame of paired comparisons of the AUROC; `pairs` is {name: (rows, rows)}, paired by their seeds.

    Columns, as texts: the mean difference, its 95% intervals over seeds (Student's t) and over pictures (bootstrap),
    p of the paired t-test, corrected for all pairs by Holm's method. Only pictures count whose origin begins with
    `origin`.
    """
    result = {}
    for name, (one, other) in pairs.items():
        won = pairwise(one, origin) - pairwise(other, origin)
        difference = won.mean(axis=(1, 2))
        mean, half = interval(difference)
        result[name] = {'difference': f'{mean:.3f}', 'seeds': f'{mean - half:.3f} … {mean + half:.3f}',
                        'pictures': '{:.3f} … {:.3f}'.format(*over_pictures(won.mean(axis=0), draws)),
                        'p': stats.ttest_1samp(difference, 0).pvalue}
    result = pd.DataFrame(result).T
    return result.assign(p=[f'{p:.3f}' for p in holm(result.p.to_numpy(float))])


def holm(p):
    """Return p values (n,) corrected by Holm's method."""
    order, corrected = np.argsort(p), np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def pairwise(rows, origin=''):
    """Return for each network (n, positives, negatives) whether the positive has the larger log-odds: 1, a tie 0.5, 0.

    The mean of a matrix is the AUROC (Mann and Whitney). Only pictures count whose origin begins with `origin`.
    """
    place = f'{rows.tested.iloc[0]}-{rows.split.iloc[0]}'
    counts = np.char.startswith(kept(f'origins-{place}'), origin)
    labels, odds = kept(f'labels-{place}')[counts], np.stack([kept(name)[counts] for name in rows.index])
    return (np.sign(odds[:, labels == 1, None].astype('float32') - odds[:, None, labels == 0]) + 1) / 2


def over_pictures(won, draws):
    """Return the 95% bootstrap interval over pictures of the mean of a matrix (positives, negatives)."""
    draw = np.random.default_rng(0)
    positives, negatives = (draw.multinomial(n, np.full(n, 1 / n), draws) / n for n in won.shape)
    return np.percentile(((positives @ won) * negatives).sum(axis=1), [2.5, 97.5])


def plot_courses(courses, levels=None):
    """Draw validation AUROC over updates: {name: DataFrame, updates by seeds} as mean and range, `levels` as lines."""
    _, axis = plt.subplots(figsize=(6, 3.4))
    for name, values in courses.items():
        drawn, = axis.plot(values.index, values.mean(axis=1), label=name)
        axis.fill_between(values.index, values.min(axis=1), values.max(axis=1), color=drawn.get_color(), alpha=0.2)
    for place, (name, level) in enumerate((levels or {}).items()):
        axis.axhline(level, color=f'C{len(courses) + place}', linestyle=('--', ':')[place % 2], label=name)
    axis.set(xscale='log', xlabel='updates', ylabel='validation AUROC')
    axis.legend()


def plot_means(curves, xlabel, score='auroc', **options):
    """Draw test scores: {name: {x: rows}} as a line through the means with bars for the 95% intervals over seeds."""
    _, axis = plt.subplots(figsize=(6, 3.4))
    for name, curve in curves.items():
        means, halves = zip(*(interval(rows[score]) for rows in curve.values()))
        axis.errorbar(list(curve), means, yerr=halves, marker='o', capsize=3, label=name)
    axis.set(xlabel=xlabel, ylabel=f'test {"AUROC" if score == "auroc" else score.replace("_", " ")}', **options)
    axis.legend()

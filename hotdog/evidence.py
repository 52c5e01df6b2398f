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
          'auroc': metrics.roc_auc_score,
          'f1': lambda labels, odds: metrics.f1_score(labels, odds > 0)}


def read(table=TABLE):
    """Return the table, a DataFrame of one row an evaluation, indexed by id; without rows where there is no table."""
    if table.exists():
        return pd.read_csv(table, index_col='id', keep_default_na=False)
    columns = ['study', 'data', 'method', 'optimiser', 'pictures', 'copied', 'rate', 'seed', 'updates', 'mixture',
               'tested', 'split', 'auroc', 'data_fingerprint']
    return pd.DataFrame(columns=columns, index=pd.Index([], name='id'))


@functools.cache
def kept(name, file=LOG_ODDS):
    """Return an array of the file beside the table: an id's log-odds (n,), or 'labels-…' or 'origins-…' of a split."""
    with np.load(file) as arrays:
        return arrays[name]


def select(table, **columns):
    """Return the rows whose columns have these values, sorted by seed and updates."""
    for name, value in columns.items():
        table = table[table[name] == value]
    return table.sort_values(['seed', 'updates'])


def tested(table, method, tested='photographs', **columns):
    """Return a method's test rows, one for each seed and number of updates, all with the chosen rate."""
    return select(table, method=method, tested=tested, split='test',
                  **{'data': tested, 'optimiser': 'adam', 'mixture': 1.0, **columns})


def course(table, test_rows, score='auroc'):
    """Return the validation scores on the way of tested runs: a DataFrame, updates by seeds."""
    rows = pd.concat([select(table, split='validation', tested=row.tested, data=row.data, method=row.method,
                             optimiser=row.optimiser, pictures=row.pictures, copied=row.copied, rate=row.rate,
                             seed=row.seed, mixture=1.0) for row in test_rows.itertuples()])
    return rows[~rows.index.duplicated()].pivot(index='updates', columns='seed', values=score)


def interval(values):
    """Return the mean of the seeds' values and half the width of its 95% interval, by Student's t."""
    values = np.asarray(values, float)
    return values.mean(), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)


def summary(groups, scores=('accuracy', 'auroc')):
    """Return a DataFrame of means and half widths of 95% intervals; `groups` is {name: rows of the table}."""
    return pd.DataFrame({name: {'seeds': len(rows), **{
        f'{score}{part}': value for score in scores
        for part, value in zip(('', ' ±'), interval(rows[score]))}} for name, rows in groups.items()}).T


def on_pictures(row, score='auroc', where=None):
    """Return the score of a row of the table on all pictures of its split, or on those that `where`, (n,), marks."""
    labels, odds = kept(f'labels-{row.tested}-{row.split}'), kept(row.name).astype(float)
    return SCORES[score](labels[where], odds[where]) if where is not None else SCORES[score](labels, odds)


def origins(tested='photographs', split='test'):
    """Return {origin: mark of each picture (n,)} for the pictures from ImageNet and from Food-101."""
    from_imagenet = np.char.startswith(kept(f'origins-{tested}-{split}'), 'imagenet')
    return {'ImageNet': from_imagenet, 'Food-101': ~from_imagenet}


def compare(pairs, score='auroc', draws=1000):
    """Return a DataFrame of paired comparisons; `pairs` is {name: (rows, rows)} of the table, paired by their seeds.

    Columns: the mean difference, its 95% interval over seeds (Student's t), that over pictures (bootstrap, networks
    given), p of the paired t-test, and p corrected for all pairs by Holm's method.
    """
    result = {}
    for name, (one, other) in pairs.items():
        one, other = (rows.set_index(rows.seed, drop=False).assign(id=rows.index) for rows in (one, other))
        seeds = sorted(set(one.seed) & set(other.seed))
        difference = (one[score][seeds] - other[score][seeds]).to_numpy()
        mean, half = interval(difference)
        low, high = over_pictures(one.loc[seeds], other.loc[seeds], score, draws)
        result[name] = {'difference': mean, 'seeds from': mean - half, 'seeds to': mean + half, 'pictures from': low,
                        'pictures to': high, 'p': stats.ttest_1samp(difference, 0).pvalue}
    result = pd.DataFrame(result).T
    return result.assign(**{'p (Holm)': holm(result.p.to_numpy())})


def over_pictures(one, other, score, draws):
    """Return the 95% bootstrap interval over pictures of the difference of two groups' mean scores."""
    labels = kept(f'labels-{one.tested.iloc[0]}-{one.split.iloc[0]}')
    odds = [[kept(name).astype(float) for name in rows.id] for rows in (one, other)]
    draw, places = np.random.default_rng(0), [np.flatnonzero(labels == label) for label in (0, 1)]
    differences = []
    for _ in range(draws):
        chosen = np.concatenate([draw.choice(place, len(place)) for place in places])
        means = [np.mean([SCORES[score](labels[chosen], z[chosen]) for z in group]) for group in odds]
        differences.append(means[0] - means[1])
    return np.percentile(differences, [2.5, 97.5])


def holm(p):
    """Return p values (n,) corrected by Holm's method."""
    order = np.argsort(p)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def plot_courses(courses, axis=None, score='AUROC', xscale='log'):
    """Draw {name: DataFrame of updates by seeds}: the seeds' mean, and a band from the least to the greatest."""
    axis = axis or plt.subplots()[1]
    for name, values in courses.items():
        drawn, = axis.plot(values.index, values.mean(axis=1), label=name)
        axis.fill_between(values.index, values.min(axis=1), values.max(axis=1), color=drawn.get_color(), alpha=0.15)
    axis.set(xscale=xscale, xlabel='updates', ylabel=f'validation {score}')
    axis.legend()
    return axis


def plot_intervals(groups, score='auroc', axis=None):
    """Draw a mark for each seed and a bar for the 95% interval of the mean, a line for each of {name: rows}."""
    axis = axis or plt.subplots()[1]
    for place, rows in enumerate(groups.values()):
        axis.plot(rows[score], [place] * len(rows), 'o', color='C0', alpha=0.5)
        if len(rows) > 1:
            mean, half = interval(rows[score])
            axis.errorbar(mean, place, xerr=half, color='black', marker='|', markersize=14, capsize=4)
    axis.set(xlabel=score, yticks=range(len(groups)), yticklabels=groups)
    axis.invert_yaxis()
    return axis

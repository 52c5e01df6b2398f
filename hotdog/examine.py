"""What a data set's pictures tell before and after training: suspicious ones, shortcuts, how sure a figure is."""
import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from hotdog import datasets, records
from hotdog.photographs import SPLITS

DOUBTED = 0.1  # probability of its own label below which a picture is worth a look
DRAWS = 5


def interval(right, count):
    """Return the 95% interval (low, high) of an accuracy of `right` of `count` pictures, by Wilson's method."""
    return tuple(stats.binomtest(int(right), int(count)).proportion_ci(method='wilson'))


def out_of_fold(samples, c, groups):
    """Return the probabilities (n, classes) that a probe with C=c gives to each picture, trained on others, and labels.

    `samples` is {split: (features, labels)}; pictures are in the order train, validation, test, and so are the numbers
    of their groups (n,), none of which is divided. There are five folds, each predicted by a logistic regression on the
    other four; fewer where a class has fewer groups.
    """
    x, y = (np.concatenate(part) for part in zip(*(samples[split] for split in SPLITS)))
    return _cross_predicted(LogisticRegression(C=c, max_iter=2000), x, y, groups, method='predict_proba'), y


def _cross_predicted(model, x, y, groups, **options):
    """Return what a model predicts for each picture, fitted to folds in which nothing of its group is."""
    fewest = min(len(np.unique(groups[y == name])) for name in np.unique(y))
    folds = StratifiedGroupKFold(min(5, fewest), shuffle=True, random_state=0)
    return cross_val_predict(model, x, y, groups=groups, cv=folds, **options)


def doubtful(probabilities, y):
    """Return the places of the pictures whose label is doubtful, the most doubtful first."""
    own = probabilities[np.arange(len(y)), y]
    return [int(i) for i in own.argsort() if own[i] < DOUBTED]


def shortcuts(data):
    """Return the balanced accuracy, out of fold, with which the classes can be told without looking at the pictures.

    A Series: by mean and spread of the colours alone and, where there are files, by size or kind of the file.
    """
    table = datasets.used(data)
    colours = np.array([colour for split in SPLITS for colour in map(_colours, records.samples(getattr(data, split)))])
    known = {'colour': colours}
    if 'width' in table:
        known['size'] = table[['width', 'height', 'bytes']].to_numpy(float)
        known['kind of file'] = pd.get_dummies(table.file.map(lambda name: Path(name).suffix.lower())).to_numpy(float)
    y, model = table['class'].to_numpy(), RandomForestClassifier(200, min_samples_leaf=3, random_state=0)
    return pd.Series({name: balanced_accuracy_score(y, _cross_predicted(model, x, y, table['group']))
                      for name, x in known.items()})


def _colours(sample):
    """Return mean and standard deviation (6,) of the RGB values of a record's picture."""
    pixels = np.asarray(Image.open(io.BytesIO(sample[1])).convert('RGB').resize((64, 64)))
    return np.concatenate([pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1))])


def learning_curve(samples, c):
    """Return the test accuracy of probes with C=c on a quarter, half and all of the training pictures, a Series.

    Its index is the number of pictures; those of a part are drawn DRAWS times, class by class, and the mean is taken.
    """
    (x, y), (test_x, test_y), draw, result = samples['train'], samples['test'], np.random.default_rng(0), {}
    for share in (0.25, 0.5, 1):
        scores = []
        for _ in range(DRAWS if share < 1 else 1):
            keep = np.concatenate([draw.choice(np.flatnonzero(y == label), max(1, round(share * (y == label).sum())),
                                               replace=False) for label in np.unique(y)])
            scores.append(LogisticRegression(C=c, max_iter=2000).fit(x[keep], y[keep]).score(test_x, test_y))
        result[len(keep)] = np.mean(scores)
    return pd.Series(result)

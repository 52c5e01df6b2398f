"""What the exercises' experiments share: building networks, smaller pictures, and the result to hand in.

A result is a dictionary that `show` prints as a line of code. Predictions are stored in it as text: each picture's
margin, the score of class 1 less that of class 0 (the log-odds), so that a picture is called 1 where it is positive.
"""
import base64

import mxnet as mx
import numpy as np
from mxnet import nd
from scipy import stats

import utils
from hotdog import training

STEP = 1 / 8  # to which a margin is rounded


def copy_features(net, source_net):
    """Copy the parameters of `features` from a source model to a new network, as the page `training` does."""
    for new, old in zip(net.features.collect_params().values(), source_net.features.collect_params().values()):
        new.shape = old.shape
        new.initialize()
        new.set_data(old.data())


class HalfSize:
    """The batches of a record file at half size, (n, 3, 112, 112): a quarter of the computing; else as `RecordIter`."""

    def __init__(self, record_file, batch_size=32, augment=False):
        self.batches, self.kept = utils.RecordIter(record_file, batch_size, augment), []

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        if self.kept:
            yield from self.kept
            return
        for x, y in self.batches:
            batch = nd.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type='avg'), y.copy()
            if not self.batches.augment:
                self.kept.append(batch)
            yield batch
        if len(self.kept) < len(self):  # stopped early
            self.kept = []


def margins(net, batches):
    """Return the margins (n,) that a network of two classes gives to all pictures."""
    scores = [net(x.as_in_context(mx.cpu())).asnumpy() for x, _ in batches]
    return np.concatenate([score[:, 1] - score[:, 0] for score in scores])


def pack(values):
    """Return margins (n,) as a text, rounded to eighths and cut off at 16, four characters for three pictures."""
    rounded = np.clip(np.rint(np.asarray(values, float) / STEP), -127, 127)
    return base64.b64encode((rounded + 128).astype('uint8').tobytes()).decode()


def unpack(text):
    """Return the margins (n,) that a text holds."""
    return (np.frombuffer(base64.b64decode(text), 'uint8').astype(float) - 128) * STEP


def marks(text, labels):
    """Return accuracy, F1, AUROC and so on of packed margins, a dictionary. Raises ValueError for a wrong number."""
    values = unpack(text)
    if len(values) != len(labels):
        raise ValueError(f'{len(values)} predictions for {len(labels)} pictures')
    return utils.ranking_scores(np.asarray(labels, int), (values > 0).astype(int), values)


def agreement(one, other, labels):
    """Return how alike two lists of margins rank the pictures within each class: the mean of Spearman's correlations.

    Networks that have seen the pictures find the same ones hard; what was made up from the labels gives about 0.
    """
    found = [stats.spearmanr(np.asarray(one)[labels == label], np.asarray(other)[labels == label])[0]
             for label in np.unique(labels)]
    return float(np.mean(np.nan_to_num(found)))


def source_margins(record_file):
    """Return the source model's log-odds (n,) of "hotdog" for all pictures of a record file."""
    return training.source_scores(record_file, utils.pretrained_net())[0]


def plain(value):
    """Return a value with Python's own numbers, lists and dictionaries in it, floats to four digits."""
    if isinstance(value, dict):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(entry) for entry in value]
    value = value.item() if isinstance(value, np.generic) else value
    return round(value, 6) if isinstance(value, float) else value


def show(result):
    """Print a result as a line of code, to be put into the notebook's cell for it."""
    print(f'result = {plain(result)!r}')

"""Train a classifier on any data set, frozen features first, and use it: what `make mine` and `make predict` do.

A classifier's network is SqueezeNet, as ImageNet left it or fine-tuned, with an output layer for its own classes.
"""
import itertools
import json
from pathlib import Path
from typing import NamedTuple

import mxnet as mx
import numpy as np
import pandas as pd
from mxnet import autograd, gluon, nd
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from hotdog import datasets, files, imagenet, photographs, training
from hotdog.batches import MEAN, STD, RecordIter

PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1)  # inverse ones: LogisticRegression's C
RATES = (3e-5, 1e-4)
PIECES, MOST, PATIENCE = (20, 50), 8, 2  # updates between validations; validations, and those without improvement
WARM_UP, BATCH = 10, 32  # updates; pictures
MAP = (7.5, 215.5, 215.5, 7.5)  # left, right, bottom, top of the 13 x 13 positions in the picture, each 16 wide
PARAMETERS, DESCRIPTION = 'model.params', 'model.json'


class Classifier(NamedTuple):
    """A network and the names of its outputs; `description` is what `model.json` says of it."""

    net: gluon.Block
    classes: list
    description: dict

    def probabilities(self, pictures, ctx=mx.cpu()):
        """Return the probabilities (classes,) of each picture, an array (height, width, 3) as `read` returns it."""
        x = nd.array(np.stack(pictures).astype('float32').transpose(0, 3, 1, 2), ctx=ctx)
        return nd.softmax(self.net(normalised(x))).asnumpy()

    def activations(self, pictures, ctx=mx.cpu()):
        """Return for each picture (224, 224, 3) its class, the next one, and a map (13, 13) of what speaks for the one.

        The mean of such a map is the difference of the two logits (Zhou et al., arXiv 1512.04150).
        """
        x = normalised(nd.array(np.stack(pictures).astype('float32').transpose(0, 3, 1, 2), ctx=ctx))
        maps = self.net.output[0](self.net.features(x)).asnumpy()
        order = (-maps.mean(axis=(2, 3))).argsort(axis=1)
        return [(self.classes[first], self.classes[second], each[first] - each[second])
                for each, (first, second, *_) in zip(maps, order)]

    def classify(self, file):
        """Return {class: probability} of a picture's file, the most probable class first. Raises as `read`."""
        pairs = zip(self.classes, self.probabilities([read(file)])[0].tolist())
        return dict(sorted(pairs, key=lambda pair: -pair[1]))


def read(file):
    """Return a file's picture as the network sees it, RGB (224, 224, 3), uint8. Raises OSError or ValueError."""
    return middle(np.asarray(photographs.read_picture(file)))


def middle(pixels):
    """Return the middle 224 x 224 of RGB pixels (height, width, 3)."""
    top, left = ((side - 224) // 2 for side in pixels.shape[:2])
    return pixels[top:top + 224, left:left + 224]


def normalised(x):
    """Return RGB pixels (n, 3, height, width) of 0 to 255 as the networks expect them."""
    mean, std = (nd.array(values, ctx=x.context).reshape((1, 3, 1, 1)) for values in (MEAN, STD))
    return (x - mean) / std


def load(folder=None):
    """Return a classifier from the folder that was taken away, or the book's own. Raises FileNotFoundError."""
    if folder is None:
        return _from_file(files.DATA / 'fine_tuned.params', datasets.CLASSES, {})
    folder = Path(folder).expanduser()
    if not (folder / DESCRIPTION).exists() or not (folder / PARAMETERS).exists():
        raise FileNotFoundError(f'{folder} holds no classifier ({DESCRIPTION} and {PARAMETERS}): '
                                'name the folder that make mine wrote')
    description = json.loads((folder / DESCRIPTION).read_text())
    return _from_file(folder / PARAMETERS, description['classes'], description)


def _from_file(path, classes, description):
    net = imagenet.target_network('squeezenet1_1', len(classes))
    net.load_parameters(str(path))
    net.hybridize()
    return Classifier(net, classes, description)


def features(data, ctx=mx.cpu()):
    """Return {split: features (n, 512) of the source model, averaged over positions, and labels (n,)}."""
    net, result = imagenet.pretrained('squeezenet1_1', ctx), {}
    net.features.hybridize()
    for split in photographs.SPLITS:
        pictures = RecordIter(getattr(data, split), 40)
        rows = [(net.features(x.as_in_context(ctx)).mean(axis=(2, 3)).asnumpy(), y.asnumpy().astype(int))
                for x, y in tqdm(pictures, f'features, {split}', unit='batch')]
        result[split] = tuple(np.concatenate(part) for part in zip(*rows))
    return result


def probe(samples):
    """Return logistic regressions {C: model} on frozen features, and the one with the least validation loss.

    `samples` is what `features` returns; the cross-entropy is taken on its validation split.
    """
    models = {c: LogisticRegression(C=c, max_iter=2000).fit(*samples['train']) for c in PENALTIES}
    x, y = samples['validation']
    losses = {c: metrics.log_loss(y, model.predict_proba(x), labels=model.classes_) for c, model in models.items()}
    return models[min(losses, key=losses.get)], losses


def with_head(model, ctx=mx.cpu()):
    """Return the source model with a logistic regression as its output layer."""
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # of two classes scikit-learn keeps the difference
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    net, source = imagenet.target_network('squeezenet1_1', len(weight)), imagenet.pretrained('squeezenet1_1', ctx)
    arrays = [parameter.data().asnumpy() for parameter in source.features.collect_params().values()]
    for parameter, array in zip(net.collect_params().values(), [*arrays, weight[:, :, None, None], bias], strict=True):
        parameter.shape = array.shape
        parameter.initialize(ctx=ctx)
        parameter.set_data(nd.array(array))
    net.hybridize(static_alloc=True)
    return net


class _Course:
    """A network on its way from `start` at a constant rate; `average` is the mean of its weights over late updates."""

    def __init__(self, data, model, rate, ctx):
        self.net, self.average = with_head(model, ctx), with_head(model, ctx)
        self.ctx, self.rate, self.updates = ctx, rate, 0
        self.batches = itertools.chain.from_iterable(itertools.repeat(RecordIter(data.train, BATCH, augment=True)))
        self.trainer = gluon.Trainer(self.net.collect_params(), 'adam', {'learning_rate': rate, 'wd': 1e-4})
        self.validation, self.history = RecordIter(data.validation), []
        self.piece = int(np.clip(len(RecordIter(data.train, BATCH)), *PIECES))

    def go_on(self, bar):
        """Update for an epoch, more or less, validate, and return the validation loss."""
        loss = gluon.loss.SoftmaxCrossEntropyLoss()
        for x, y in itertools.islice(self.batches, self.piece):
            self.updates += 1
            self.trainer.set_learning_rate(self.rate * min(1, self.updates / WARM_UP))
            with autograd.record():
                value = loss(self.net(x.as_in_context(self.ctx)), y.as_in_context(self.ctx))
            value.backward()
            self.trainer.step(len(x))
            for mean, new in zip(self.average.collect_params().values(), self.net.collect_params().values()):
                mean.set_data(mean.data() + (new.data() - mean.data()) * 8 / (self.updates + 8))
            bar.update()
        probabilities, labels = training.predict(self.validation, self.average, self.ctx)
        value = metrics.log_loss(labels, probabilities, labels=range(probabilities.shape[1]))
        accuracy = (probabilities.argmax(axis=1) == labels).mean()
        self.history.append({'rate': self.rate, 'updates': self.updates, 'loss': value, 'accuracy': accuracy})
        return value


def fine_tune(data, model, ctx=mx.cpu()):
    """Return the network that fine-tuning makes of a probe, and a DataFrame of its validations.

    Begins at the probe (Kumar et al., arXiv 2202.10054), with Adam. All RATES run up to the first validation; the best
    goes on until the loss has not fallen for PATIENCE validations. What is evaluated is a running mean of the weights.
    """
    mx.random.seed(0)
    courses = [_Course(data, model, rate, ctx) for rate in RATES]
    with tqdm(desc='fine-tuning', total=courses[0].piece * (len(RATES) + MOST - 1), unit='update') as bar:
        losses = [course.go_on(bar) for course in courses]
        course = courses[int(np.argmin(losses))]
        best, kept, left = min(losses), _values(course.average), PATIENCE
        while left and len(course.history) < MOST:
            loss = course.go_on(bar)
            best, kept, left = (loss, _values(course.average), PATIENCE) if loss < best else (best, kept, left - 1)
    for parameter, value in zip(course.average.collect_params().values(), kept):
        parameter.set_data(value)
    return course.average, pd.DataFrame([row for each in courses for row in each.history])


def _values(net):
    return [parameter.data().copy() for parameter in net.collect_params().values()]


def trained(data, ctx=mx.cpu()):
    """Return a classifier for a data set and the features that `features` returns.

    Frozen features are tried first, then fine-tuning from them; what has the lower cross-entropy on the validation
    split is kept. `description` says which (`kept`), the losses of both, and how fine-tuning went (`history`). Of a
    folder of photographs both are kept beside its packed pictures, and found there the next time.
    """
    folder = data.train.parent / 'classifier'
    if (folder / 'features.npz').exists():
        with np.load(folder / 'features.npz') as kept:
            return load(folder), {split: (kept[f'{split}_x'], kept[f'{split}_y']) for split in photographs.SPLITS}
    samples = features(data, ctx)
    model, losses = probe(samples)
    net, history = fine_tune(data, model, ctx)
    best = {'frozen features': min(losses.values()), 'fine-tuning': history.loss.min()}
    kept = min(best, key=best.get)
    result = Classifier(net if kept == 'fine-tuning' else with_head(model, ctx), list(data.classes), {
        'classes': list(data.classes), 'kept': kept, 'C': model.C, 'validation_loss': best,
        'history': history.to_dict('records')})
    if datasets.is_folder(data):
        with files.replacing(folder) as part:
            part.mkdir()
            save(result, part)
            np.savez(part / 'features.npz', **{f'{split}_{name}': values for split, pair in samples.items()
                                               for name, values in zip('xy', pair)})
    return result, samples


def save(classifier, folder):
    """Write a classifier's parameters and its description to a folder, from where `load` reads them."""
    classifier.net.save_parameters(str(folder / PARAMETERS))
    (folder / DESCRIPTION).write_text(json.dumps(classifier.description, indent=1, ensure_ascii=False))

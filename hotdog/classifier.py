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

from hotdog import datasets, files, imagenet, photographs, training, weights
from hotdog.batches import MEAN, STD, RecordIter

PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1)  # inverse ones: LogisticRegression's C
VIEWS = 2  # augmented views of each training picture that a probe sees, besides the picture itself
RATES, SHARES = (3e-5, 1e-4), (0, 0.25, 0.5, 0.75, 1)  # of Adam; of fine-tuning in the weights
FROZEN = 26  # parameters of the first convolution and the first four Fire modules, which fine-tuning leaves
PIECES, MOST, PATIENCE = (20, 50), 8, 2  # updates between validations; validations, and those without improvement
WARM_UP, LATE, BATCH = 10, 3, 32  # updates; the mean is over a third of them or so; pictures
MAP = (7.5, 215.5, 215.5, 7.5)  # left, right, bottom, top of the 13 x 13 positions in the picture, each 16 wide
STATIC = {'static_alloc': True, 'static_shape': True}  # a quarter faster in predicting
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


def normalised(x, F=nd):
    """Return RGB pixels (n, 3, height, width) of 0 to 255 as the networks expect them; with F=mx.sym, of symbols."""
    channels = [F.slice_axis(x, axis=1, begin=c, end=c + 1) for c in range(3)]
    return F.concat(*[(channel - mean) / std for channel, mean, std in zip(channels, MEAN, STD)], dim=1)


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
    net.hybridize(**STATIC)
    return Classifier(net, classes, description)


def features(data, ctx=mx.cpu(), views=VIEWS):
    """Return {split: features (n, 512) of the source model, averaged over positions, and labels (n,)}.

    With them, 'views' has those of `views` augmented views of all training pictures, unless that is 0.
    """
    net = imagenet.pretrained('squeezenet1_1', ctx)
    net.features.hybridize(**STATIC)

    def pooled(file, name, passes=1, augment=False):
        batches = itertools.chain.from_iterable(itertools.repeat(RecordIter(file, 40, augment), passes))
        rows = [(net.features(x.as_in_context(ctx)).mean(axis=(2, 3)).asnumpy(), y.asnumpy().astype(int))
                for x, y in tqdm(batches, f'features, {name}', unit='batch')]
        return tuple(np.concatenate(part) for part in zip(*rows))

    samples = {split: pooled(getattr(data, split), split) for split in photographs.SPLITS}
    return {**samples, 'views': pooled(data.train, 'views', views, augment=True)} if views else samples


def probe(samples):
    """Return the logistic regression on frozen features with the least cross-entropy on the validation split, and C.

    `samples` is what `features` returns; C is the inverse penalty for a training set without its augmented views.
    """
    x, y = (np.concatenate(parts) for parts in zip(samples['train'], samples['views']))
    models = {c: LogisticRegression(C=c / (1 + VIEWS), max_iter=2000).fit(x, y) for c in PENALTIES}
    x, y = samples['validation']
    c = min(models, key=lambda c: metrics.log_loss(y, models[c].predict_proba(x), labels=models[c].classes_))
    return models[c], c


def with_head(model):
    """Return the source model's parameters, a list of arrays, with a logistic regression as its output layer."""
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # of two classes scikit-learn keeps the difference
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return [*weights.squeezenet()[:-2], weight[:, :, None, None], bias]


def with_arrays(arrays, ctx=mx.cpu()):
    """Return a SqueezeNet with these parameters, a list of arrays in Gluon's order; the last is a bias an output."""
    net = imagenet.target_network('squeezenet1_1', len(arrays[-1]))
    for parameter, array in zip(net.collect_params().values(), arrays, strict=True):
        parameter.shape = array.shape
        parameter.initialize(ctx=ctx)
        parameter.set_data(nd.array(array))
    net.hybridize(**STATIC)
    return net


class _Course:
    """A network on its way from `start` at a constant rate; `mean` are its weights, averaged over late updates."""

    def __init__(self, data, start, rate, ctx):
        self.data, self.rate, self.ctx, self.updates, self.history = data, rate, ctx, 0, []
        self.net, self.averaged = with_arrays(start, ctx), with_arrays(start, ctx)
        self.net.hybridize(static_alloc=True)
        self.pairs = list(zip(*(net.collect_params().values() for net in (self.averaged, self.net))))[FROZEN:]
        for parameter in list(self.net.collect_params().values())[:FROZEN]:
            parameter.grad_req = 'null'
        self.trainer = gluon.Trainer([parameter for _, parameter in self.pairs], 'adam', {'wd': 1e-4})
        self.batches = itertools.chain.from_iterable(itertools.repeat(RecordIter(data.train, BATCH, augment=True)))
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
            for mean, new in self.pairs:
                mean.set_data(mean.data() + (new.data() - mean.data()) * LATE / (self.updates + LATE))
            nd.waitall()  # else all batches of a piece wait in memory
            bar.update()
        value, accuracy = _validate(self.data, self.averaged, self.ctx)
        self.history.append({'rate': self.rate, 'updates': self.updates, 'loss': value, 'accuracy': accuracy})
        return value


def _validate(data, net, ctx):
    """Return the cross-entropy and the accuracy of a network on the validation split."""
    probabilities, labels = training.predict(RecordIter(data.validation), net, ctx)
    return (metrics.log_loss(labels, probabilities, labels=range(len(data.classes))),
            (probabilities.argmax(axis=1) == labels).mean())


def arrays_of(net):
    """Return a network's parameters as a list of arrays, in Gluon's order."""
    return [parameter.data().asnumpy() for parameter in net.collect_params().values()]


def fine_tune(data, start, ctx=mx.cpu()):
    """Return the parameters that fine-tuning makes of those of `start`, and a DataFrame of its validations.

    Begins at a probe (Kumar et al., arXiv 2202.10054), with Adam; the layers before the last four Fire modules stay.
    All RATES run up to the first validation; the best goes on until the loss has not fallen for PATIENCE validations.
    What is evaluated is a running mean of the weights.
    """
    mx.random.seed(0)
    courses = [_Course(data, start, rate, ctx) for rate in RATES]
    with tqdm(desc='fine-tuning', total=courses[0].piece * (len(RATES) + MOST - 1), unit='update') as bar:
        losses = [course.go_on(bar) for course in courses]
        course, histories = courses[int(np.argmin(losses))], [each.history for each in courses]
        del courses  # the others' memory
        best, kept, left = min(losses), arrays_of(course.averaged), PATIENCE
        while left and len(course.history) < MOST:
            loss = course.go_on(bar)
            best, kept, left = (loss, arrays_of(course.averaged), PATIENCE) if loss < best else (best, kept, left - 1)
    return kept, pd.DataFrame([row for history in histories for row in history])


def trained(data, ctx=mx.cpu()):
    """Return a classifier for a data set and the features that `features` returns.

    Its weights lie between those of a probe on frozen features and those after fine-tuning (Wortsman et al., arXiv
    2109.01903), at that of SHARES which has the lowest cross-entropy on the validation split. `description` tells the
    `share`, the losses of all (`shares`), and how fine-tuning went (`history`). Of a folder of photographs both are
    kept beside its packed pictures, and found there the next time.
    """
    folder = data.train.parent / 'classifier'
    if (folder / 'features.npz').exists():
        with np.load(folder / 'features.npz') as kept:
            return load(folder), {name[:-2]: (kept[name], kept[f'{name[:-2]}_y']) for name in kept if name[-1] == 'x'}
    samples = features(data, ctx)
    model, c = probe(samples)
    start = with_head(model)
    tuned, history = fine_tune(data, start, ctx)
    nets = {share: with_arrays([(1 - share) * one + share * other for one, other in zip(start, tuned)], ctx)
            for share in SHARES}
    losses = pd.DataFrame([(share, *_validate(data, net, ctx)) for share, net in nets.items()],
                          columns=['share', 'loss', 'accuracy'])
    share = float(losses.share[losses.loss.argmin()])
    result = Classifier(nets[share], list(data.classes), {
        'classes': list(data.classes), 'share': share, 'C': c, 'shares': losses.to_dict('records'),
        'history': history.to_dict('records')})
    if datasets.is_folder(data):
        with files.replacing(folder) as part:
            part.mkdir()
            save(result, part)
            np.savez(part / 'features.npz', **{f'{name}_{axis}': values for name, pair in samples.items()
                                               for axis, values in zip('xy', pair)})
    return result, samples


def save(classifier, folder):
    """Write a classifier's parameters and its description to a folder, from where `load` reads them."""
    classifier.net.save_parameters(str(folder / PARAMETERS))
    (folder / DESCRIPTION).write_text(json.dumps(classifier.description, indent=1, ensure_ascii=False))

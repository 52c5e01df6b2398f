"""Measure what pretraining buys, for the page 'evidence': python -m hotdog.studies --photos FOLDER (make evidence).

`docs/EVIDENCE.md` tells the design and why it is so. A run trains one network; every line of `data/evidence.csv` is
one evaluation of it, and `data/evidence.npz` keeps, under the line's id, the log-odds of "hot dog" of every picture.
What is finished is kept: called again, the program goes on where it was stopped.
"""
import argparse
import csv
import functools
import hashlib
import importlib.metadata
import io
import itertools
import multiprocessing
import os
import platform
import sys
from concurrent import futures
from datetime import date
from pathlib import Path
from typing import NamedTuple

import mxnet as mx
import numpy as np
import pandas as pd
from mxnet import autograd, gluon, init, nd, recordio
from mxnet.gluon import nn
from sklearn import linear_model
from tqdm import tqdm

import utils
from hotdog import datasets, files, imagenet, photographs
from hotdog.evidence import LOG_ODDS, SCORES, TABLE, read

LIST = datasets.HERE / 'photographs_2000.csv'
CLASSES = ('not_hotdog', 'hotdog')
BATCH, WARM_UP, LAYERS = 32, 10, 9
CROP, SCRATCH_CROP = (224, 256), (128, 168)  # pixels of a training crop and of the picture's short side
RATES = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
CURVE = (25, 50, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000, 3000)  # updates after which a run is validated
VIEWS = 4  # augmented views of each picture whose features the probe learns from
TUNING_SEEDS = 2
CHAPTER = 133  # updates of the chapter's seven epochs on the rendered pictures
SHORT = 100
MIXTURES = (0.25, 0.5, 0.75)  # shares of the tuned weights in WiSE-FT; 0 and 1 are rows of their own
SECONDS = {224: 0.87, 128: 0.43}  # of an update on one core with AVX-512, by the crop's side


class Run(NamedTuple):
    """One training. `pictures` counts the hot dogs among its pictures, `copied` the layers from the source model."""

    study: int  # the first that needs it
    data: str
    method: str
    optimiser: str
    pictures: int
    copied: int
    rate: float
    seed: int


class Row(NamedTuple):
    """A row of the plan: a run whose rate is tuned after `tuned` updates, and which then goes on to `updates`."""

    run: Run
    tuned: int
    updates: int
    start: float  # the middle one of the first three rates tried

    def at(self, rate, seed):
        """Return its run with a learning rate and a seed."""
        return self.run._replace(rate=rate, seed=seed)


class Task(NamedTuple):
    """What a process does at a time: train a run, or test what it trained."""

    run: Run
    updates: int
    test: bool


def row(study, method, start, tuned, updates=None, data='photographs', pictures=None, copied=LAYERS, optimiser='adam'):
    """Return a row of the plan."""
    pictures = pictures or {'photographs': 1000, 'renders': 150}[data]
    return Row(Run(study, data, method, optimiser, pictures, copied, 0.0, 0), tuned, updates or tuned, start)


CHAPTER_ROWS = (row(0, 'fine-tuning', 1e-4, CHAPTER, data='renders'),
                row(0, 'from scratch', 1e-3, CHAPTER, data='renders', copied=0),
                row(0, 'probe', 3e-4, 4000, data='renders'))
ABLATION = (row(0, 'from scratch, plain', 3e-4, CHAPTER, data='renders', copied=0),
            row(0, 'from scratch, Xavier', 1e-3, CHAPTER, data='renders', copied=0),
            row(0, 'from scratch', 1e-1, CHAPTER, data='renders', copied=0, optimiser='sgd'))
METHODS = (row(1, 'probe then fine-tuning', 1e-4, SHORT, 250),
           row(1, 'hotdog row', 1e-4, SHORT, 250),
           row(1, 'one rate', 3e-4, SHORT, 250),
           row(1, 'fine-tuning', 3e-3, SHORT, 250, optimiser='sgd'),
           row(1, 'from scratch, plain', 3e-4, 300, 1000, copied=0))
TRANSFER = (row(4, 'hotdog row', 1e-4, CHAPTER, data='renders'),)
SIZES = tuple(itertools.chain.from_iterable(
    (row(2, 'probe', 3e-4, 2000, pictures=pictures), row(2, 'fine-tuning', 1e-4, SHORT, updates, pictures=pictures),
     row(2, 'from scratch', 1e-3, 300, pictures=pictures, copied=0))
    for pictures, updates in ((300, 200), (100, 200), (30, 100), (10, 100))))
DEPTHS = tuple(row(3, 'fine-tuning', 1e-4, 300, 600, copied=copied) for copied in (7, 5, 3, 8))
MAIN = (row(1, 'probe', 3e-4, 4000), row(1, 'fine-tuning', 1e-4, SHORT, 250),
        row(1, 'from scratch', 1e-3, 300, 2000, copied=0))
FIXED = tuple(Task(Run(study, data, method, '', {'photographs': 1000, 'renders': 150}[data], LAYERS, 0.0, 0), 0, True)
              for method, study in (('source threshold', 0), ('hotdog row', 4)) for data in ('renders', 'photographs'))
PLAN = (*MAIN, *CHAPTER_ROWS, *TRANSFER, *METHODS, *SIZES, *DEPTHS, *ABLATION)


# What is still to do

def row_id(run, updates, tested, split, mixture=1.0):
    """Return the name, 10 hexadecimal digits, of one evaluation; the study does not count."""
    return hashlib.sha1(repr((*run[1:], updates, tested, split, mixture)).encode()).hexdigest()[:10]


def is_done(auroc, run, updates, split='validation'):
    """Say whether a run was evaluated after so many updates on a split of the data that it was trained on."""
    return row_id(run, updates, run.data, split) in auroc


def validation_auroc(auroc, run, updates):
    """Return the mean validation AUROC of a run over the seeds of tuning."""
    return sum(auroc[row_id(run._replace(seed=seed), updates, run.data, 'validation')]
               for seed in range(TUNING_SEEDS)) / TUNING_SEEDS


def tuning(auroc, plan_row):
    """Return the chosen rate (None while there is none) and the trainings that choosing it still needs.

    `auroc` is {id: AUROC} of the table's rows.

    Three rates are tried at first, and more until the best one has a worse neighbour on either side.
    """
    middle = RATES.index(plan_row.start)
    rates, updates = list(RATES[middle - 1:middle + 2]), plan_row.tuned
    while True:
        runs = [plan_row.at(rate, seed) for seed in range(TUNING_SEEDS) for rate in rates]
        needed = [Task(run, updates, False) for run in runs if not is_done(auroc, run, updates)]
        if needed:
            return None, needed
        best = max(rates, key=lambda rate: validation_auroc(auroc, plan_row.at(rate, 0), updates))
        place = RATES.index(best)
        if best == rates[0] and place > 0:
            rates.insert(0, RATES[place - 1])
        elif best == rates[-1] and place < len(RATES) - 1:
            rates.append(RATES[place + 1])
        else:
            return best, []


def needed_by(auroc, plan_row, seeds):
    """Return the tasks that a row of the plan still needs and that can begin: tuning, then training, then tests."""
    rate, needed = tuning(auroc, plan_row)
    if plan_row.run.method == 'probe then fine-tuning' and needed and not probe_rate(auroc, plan_row.run):
        return []
    if rate is None:
        return needed
    runs = [plan_row.at(rate, seed) for seed in range(seeds)]
    needed = [Task(run, plan_row.updates, False) for run in runs if not is_done(auroc, run, plan_row.updates)]
    return needed or [Task(run, plan_row.updates, True) for run in runs
                      if not is_done(auroc, run, plan_row.updates, 'test')]


def short_row(plan_row):
    """Return the row that asks the same after SHORT updates, with a rate chosen for them."""
    return plan_row._replace(tuned=SHORT, updates=SHORT)


def to_do(auroc):
    """Return all tasks that can begin, the most wanted first: two seeds of every row, then three, then five."""
    tasks = [task for task in FIXED if not is_done(auroc, task.run, 0, 'test')]
    for seeds in (2, 3, 5):
        for plan_row in PLAN:
            needed = needed_by(auroc, plan_row, seeds)
            if not needed and plan_row.run.study == 1:  # the long runs are there, which were short ones once
                needed = needed_by(auroc, short_row(plan_row), seeds)
            tasks += needed
    return list(dict.fromkeys(tasks))


def probe_rate(auroc, run):
    """Return the rate chosen for a probe of the same pictures as a run has, or None."""
    rows = [plan_row for plan_row in PLAN if plan_row.run.method == 'probe'
            and (plan_row.run.data, plan_row.run.pictures) == (run.data, run.pictures)]
    return tuning(auroc, rows[0])[0]


def estimate(tasks):
    """Return the seconds that tasks take on one core."""
    return sum(10 if task.test or task.run.method == 'probe' else task.updates * SECONDS[crop_of(task.run)[0]] + 15
               for task in tasks)


# The pictures

def crop_of(run):
    """Return the pixels of a training crop and of the short side of the picture that it is cut from.

    A network from scratch learns photographs as well from smaller crops, which cost half; every network is evaluated
    alike, on the middle 224 pixels of a picture with short side 256.
    """
    return SCRATCH_CROP if run.data == 'photographs' and not run.copied else CROP


def pack_photographs(folder):
    """Pack the listed photographs once, as data/cache/evidence/SPLIT.rec: short side 256, JPEG.

    `folder` is a clone of the public collection, whose files must have the listed SHA-256, or a folder of copies with
    short side 256, SPLIT/CLASS/NAME.jpg, taken as they are. Raises FileNotFoundError or ValueError naming a bad file.
    """
    target = cache() / 'photographs'
    if target.exists():
        return
    if folder is None:
        raise FileNotFoundError('the photographs are not here yet: make evidence PHOTOS=folder, a clone of the public '
                                'collection that docs/EVIDENCE.md names')
    with files.replacing(target) as part:
        part.mkdir()
        for split, group in pd.read_csv(LIST).groupby('split'):
            writer = recordio.MXIndexedRecordIO(str(part / f'{split}.idx'), str(part / f'{split}.rec'), 'w')
            for key, item in enumerate(tqdm(list(group.itertuples()), desc=f'packing {split}', unit='pictures')):
                header = recordio.IRHeader(0, CLASSES.index(item[2]), key, 0)
                writer.write_idx(key, recordio.pack(header, encoded(Path(folder), item)))
            writer.close()


def encoded(folder, item):
    """Return the JPEG of one photograph of the list."""
    copy, original = folder / item.split / item[2] / Path(item.original).name, folder / item.original
    if copy.exists():
        return copy.read_bytes()
    if files.digest(original) != item.sha256:
        raise ValueError(f'{original} is not the listed photograph (its SHA-256 differs): check out the named commit')
    photographs.read_picture(original).save(jpeg := io.BytesIO(), 'JPEG', quality=95)
    return jpeg.getvalue()


def cache():
    """Return the folder of what can be made again, data/cache/evidence."""
    folder = datasets.CACHE / 'evidence'
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def record_file(data, split):
    """Return the RecordIO file of a split ('train', 'validation', 'test') of 'photographs' or 'renders'."""
    return cache() / 'photographs' / f'{split}.rec' if data == 'photographs' else getattr(utils.demo_set(), split)


def labels_of(data, split):
    """Return the labels (n,) of a split, and for each photograph what its file name says of its origin (n,)."""
    if data == 'renders':
        labels = utils.labels(record_file(data, split))
        return labels, np.full(len(labels), 'render')
    chosen = pd.read_csv(LIST).query('split == @split')
    origins = chosen.original.map(lambda path: Path(path).stem.rpartition('_')[0] or 'food-101')
    return (chosen['class'] == 'hotdog').to_numpy(int), origins.to_numpy(str)


@functools.cache
def fingerprint(data):
    """Return the first digits of a hash over the packed files of a data set."""
    digests = [files.digest(record_file(data, split)) for split in utils.SPLITS]
    return hashlib.sha256(repr(digests).encode()).hexdigest()[:8]


def training_file(run):
    """Return the RecordIO file that a run learns from: `pictures` of each class, drawn by the seed.

    With one seed, each smaller set is part of every larger one.
    """
    whole, labels = record_file(run.data, 'train'), labels_of(run.data, 'train')[0]
    if run.pictures == (labels == 1).sum():
        return whole
    folder = cache() / f'subset-{run.pictures}-{run.seed}'
    if folder.exists():
        return folder / 'train.rec'
    order = np.random.default_rng(run.seed).permutation(len(labels))
    keep = sorted(np.concatenate([order[labels[order] == label][:run.pictures] for label in (0, 1)]))
    with files.replacing(folder) as part:
        if folder.exists():  # another process wrote it meanwhile
            return folder / 'train.rec'
        part.mkdir()
        reader = recordio.MXIndexedRecordIO(str(whole.with_suffix('.idx')), str(whole), 'r')
        writer = recordio.MXIndexedRecordIO(str(part / 'train.idx'), str(part / 'train.rec'), 'w')
        for key, index in enumerate(keep):
            writer.write_idx(key, reader.read_idx(index))
        writer.close()
    return folder / 'train.rec'


def training_batches(run, epochs=None):
    """Yield augmented batches, data (n, 3, crop, crop) and labels (n,), without end or for some epochs."""
    pictures = utils.RecordIter(training_file(run), BATCH, augment=True)
    crop, short_side = crop_of(run)
    pictures.options.update(data_shape=(3, crop, crop), resize=short_side)
    pictures.epoch = 1000 * run.seed
    for _ in itertools.count() if epochs is None else range(epochs):
        yield from pictures


@functools.cache
def batches(data, split):
    """Return all of a split's batches, as the chapter reads them."""
    return list(utils.RecordIter(record_file(data, split), 40))


# The networks

@functools.cache
def source():
    """Return the source model; nobody changes it."""
    net = utils.pretrained_net()
    net.features.hybridize(static_alloc=True)
    return net


def parametric(net):
    """Return the 9 layers of SqueezeNet's features that have parameters, in their order."""
    return [layer for layer in net.features if list(layer.collect_params())]


def normalised(layer):
    """Return a layer with batch normalisation after each of its convolutions."""
    if isinstance(layer, nn.Conv2D):
        pair = nn.HybridSequential()
        pair.add(layer, nn.BatchNorm())
        return pair
    for key, child in layer._children.items():
        layer._children[key] = normalised(child)
    return layer


def new_net(run):
    """Return the network that a run begins with: copied layers, then random ones with batch normalisation.

    Random layers begin as He et al. (arXiv 1502.01852) derive for ReLU; an output layer on copied ones begins small.
    """
    utils.seed(run.seed)
    net = utils.new_net(2)
    if 'plain' not in run.method:
        for layer in parametric(net)[run.copied:]:
            key = next(key for key, child in net.features._children.items() if child is layer)
            net.features._children[key] = normalised(layer)
    random = init.Xavier() if 'Xavier' in run.method else init.MSRAPrelu('in', slope=0)
    net.features.initialize(random)
    net.output.initialize(init.Normal(0.01) if run.copied else random)
    net(nd.zeros((1, 3, 224, 224)))  # gives every parameter its shape
    for layer, original in list(zip(parametric(net), parametric(source())))[:run.copied]:
        copy_values(original, layer)
    if run.method == 'fine-tuning':
        for part in (*parametric(net)[run.copied:], net.output):
            part.collect_params().setattr('lr_mult', 10)
    if run.method == 'hotdog row':
        set_head(net, *hotdog_head(run))
    net.hybridize(static_alloc=True)
    return net


def copy_values(source_net, target_net, share=1.0):
    """Move all parameters of a network towards another's by a share of the way."""
    for value, parameter in zip(source_net.collect_params().values(), target_net.collect_params().values()):
        parameter.set_data(value.data() if share == 1 else (1 - share) * parameter.data() + share * value.data())


def set_head(net, weight, bias):
    """Give the output layer these weights, (2, 512), and biases, (2,)."""
    for parameter, value in zip(net.output.collect_params().values(), (weight, bias)):
        parameter.set_data(nd.array(value).reshape(parameter.shape))


def pooled_features(data_batches):
    """Return the source model's features averaged over each picture, (n, 512), and the labels (n,)."""
    parts = [(source().features(x).mean(axis=(2, 3)).asnumpy(), y.asnumpy()) for x, y in data_batches]
    return tuple(np.concatenate(part) for part in zip(*parts))


def cached_features(name, data_batches):
    """Return pooled features and labels, computed once and kept under a name in data/cache."""
    path = cache() / f'features-{name}.npz'
    if not path.exists():
        x, y = pooled_features(data_batches())
        with files.replacing(path) as part, open(part, 'wb') as file:
            np.savez(file, x=x, y=y)
    with np.load(path) as kept:
        return kept['x'], kept['y']


def centre_features(data, split):
    """Return the features (n, 512) and labels (n,) of a split's pictures, not augmented."""
    return cached_features(f'{data}-{split}', lambda: utils.RecordIter(record_file(data, split), 40))


def training_features(run):
    """Return the features (VIEWS n, 512) and labels of augmented views of a run's pictures."""
    seed = run.seed if 'subset' in str(training_file(run)) else 0
    return cached_features(f'{run.data}-{run.pictures}-{seed}',
                           lambda: training_batches(run._replace(seed=seed), VIEWS))


def hotdog_head(run):
    """Return an output layer made of the source model's: 'hotdog' against the mean of its other 999 classes.

    Only the bias is fitted: the difference of the two scores is zero midway between the classes' means.
    """
    weight = next(iter(source().output.collect_params().values())).data().asnumpy().reshape(1000, 512)
    place = imagenet.class_names().index('hotdog')
    weight = np.stack([np.delete(weight, place, axis=0).mean(axis=0), weight[place]])
    x, y = centre_features(run.data, 'train')
    difference = x @ (weight[1] - weight[0])
    return weight, np.array([np.mean([difference[y == label].mean() for label in (0, 1)]), 0])


# Training and evaluating

def loss_of(run):
    """Return the loss: cross-entropy, on the rendered pictures weighted as in the chapter, weights 1 on average."""
    cross_entropy, w = gluon.loss.SoftmaxCrossEntropyLoss(), 6 if run.data == 'renders' else 1
    share = labels_of(run.data, 'train')[0].mean()
    return lambda outputs, y: cross_entropy(outputs, y) * (1 + (w - 1) * y) / (1 + (w - 1) * share)


def fit(net, average, data_batches, run, rate, updates):
    """Update a network `updates` times, and yield the number of updates done after each.

    The rate rises over the first updates. On photographs it then stays, and `average` becomes the mean of the weights
    over about the last eighth of the updates; on renders it falls along a cosine as in the chapter.
    """
    schedule = mx.lr_scheduler.CosineScheduler(updates, rate, warmup_steps=WARM_UP)
    options = {'momentum': 0.9} if run.optimiser == 'sgd' else {}
    trainer = gluon.Trainer(net.collect_params(), run.optimiser, {'learning_rate': rate, 'wd': 1e-4, **options})
    loss = loss_of(run)
    for update, (x, y) in enumerate(itertools.islice(data_batches, updates), 1):
        trainer.set_learning_rate(schedule(update) if run.data == 'renders' else rate * min(1, update / WARM_UP))
        with autograd.record():
            value = loss(net(x), y)
        value.backward()
        trainer.step(len(x))
        copy_values(net, average, 1 if run.data == 'renders' else 8 / (update + 8))
        yield update


def feature_batches(x, y, seed):
    """Yield batches of cached features, (n, 512, 1, 1), without end, in an order drawn by the seed."""
    draw = np.random.default_rng(seed)
    while True:
        for chosen in np.array_split(draw.permutation(len(y)), -(-len(y) // BATCH)):
            yield nd.array(x[chosen]).reshape((-1, 512, 1, 1)), nd.array(y[chosen])


def train_probe(run, rate, updates):
    """Yield the updates done and the output layer, a network on pooled features (n, 512, 1, 1)."""
    net, average = new_net(run), new_net(run)
    steps = fit(net.output, average.output, feature_batches(*training_features(run), run.seed), run, rate, updates)
    for update in steps:
        yield update, average


def train_net(run, updates, rate_of_probe):
    """Yield the updates done and the network that is evaluated then."""
    net, average = new_net(run), new_net(run)
    if run.method == 'probe then fine-tuning':
        *_, (_, probe) = train_probe(run, rate_of_probe, 4000)
        copy_values(probe.output, net.output)
    for update in fit(net, average, training_batches(run), run, run.rate, updates):
        yield update, average


def log_odds(net, tested, split, of_features=False):
    """Return the network's log-odds of "hot dog" for each picture of a split, (n,) float16."""
    if of_features:
        data_batches = [nd.array(centre_features(tested, split)[0]).reshape((-1, 512, 1, 1))]
    else:
        data_batches = [x for x, _ in batches(tested, split)]
    outputs = [net(x).asnumpy() for x in data_batches]
    return np.concatenate([z[:, 1] - z[:, 0] for z in outputs]).astype('float16')


def line(run, updates, tested, split, values, mixture=1.0):
    """Return one line of the table, a dictionary, and the log-odds that belong to it."""
    labels, odds = labels_of(tested, split)[0], values.astype(float)  # rounded as they are kept
    versions = '; '.join(f'{name} {importlib.metadata.version(name)}' for name in ('mxnet', 'numpy'))
    return {'id': row_id(run, updates, tested, split, mixture), **run._asdict(), 'updates': updates,
            'mixture': mixture, 'tested': tested, 'split': split, 'count': len(values),
            **{name: round(score(labels, odds), 6) for name, score in SCORES.items()},
            'date': date.today().isoformat(), 'versions': versions, 'processor': processor(),
            'data_fingerprint': fingerprint(run.data)}, values


@functools.cache
def processor():
    """Return the processor's name with its widest vector instructions."""
    text = Path('/proc/cpuinfo').read_text() if Path('/proc/cpuinfo').exists() else ''
    names = [part.partition(':')[2].strip() for part in text.splitlines() if part.startswith('model name')]
    return f'{(names or [platform.processor()])[0]}{", AVX-512" * ("avx512f" in text)}'


def parameter_file(run, updates):
    """Return the file of the parameters that a run had after so many updates."""
    return cache() / f'{row_id(run, updates, run.data, "validation")}.params'


def train(task, rate_of_probe):
    """Train a run; return a line of the table for each validation on the way, with its log-odds."""
    run, lines = task.run, []
    is_probe = run.method == 'probe'
    steps = train_probe(run, run.rate, task.updates) if is_probe else train_net(run, task.updates, rate_of_probe)
    for update, net in steps:
        if update in CURVE or update == task.updates:
            values = log_odds(net.output if is_probe else net, run.data, 'validation', is_probe)
            lines.append(line(run, update, run.data, 'validation', values))
            if update in (SHORT, task.updates):
                with files.replacing(parameter_file(run, update)) as part:
                    net.save_parameters(str(part))
    return lines


def source_log_odds(data, split):
    """Return the log-odds of the source model for its own class hotdog, (n, 1), and the labels (n,)."""
    place = imagenet.class_names().index('hotdog')
    parts = [(source()(x).asnumpy().astype('float64'), y.asnumpy())
             for x, y in utils.RecordIter(record_file(data, split), 40)]
    z, y = (np.concatenate(part) for part in zip(*parts))
    return z[:, [place]] - np.log(np.exp(np.delete(z, place, axis=1)).sum(axis=1, keepdims=True)), y


def threshold_fitted(run):
    """Return a function of a split: the source model's log-odds, moved and scaled by a logistic regression."""
    x, y = source_log_odds(run.data, 'train')
    threshold = linear_model.LogisticRegression(C=100)
    threshold.fit(x, y, np.where(y == 1, 6 if run.data == 'renders' else 1, 1))
    return lambda tested, split: threshold.decision_function(source_log_odds(tested, split)[0]).astype('float16')


def test(task):
    """Evaluate what a run trained: its own test split, and what was trained on renders on the photographs too."""
    run, is_probe = task.run, task.run.method == 'probe'
    splits = [(run.data, 'test')]
    if run.data == 'renders':
        splits += [('photographs', 'validation'), ('photographs', 'test')]
    if run.method == 'source threshold':
        values_of, splits = threshold_fitted(run), [(run.data, 'validation'), *splits]
    else:
        net = new_net(run)
        if task.updates:
            net.load_parameters(str(parameter_file(run, task.updates)))
        else:
            splits = [(run.data, 'validation'), *splits]

        def values_of(tested, split):
            return log_odds(net.output if is_probe else net, tested, split, is_probe)
    lines = [line(run, task.updates, *place, values_of(*place)) for place in splits]
    if run.study == 4 and task.updates:
        for share in MIXTURES:
            mixture = new_net(run)
            copy_values(net, mixture, share)
            for place in [(run.data, 'validation'), *splits]:
                lines.append(line(run, task.updates, *place, log_odds(mixture, *place), share))
    return lines


def measure(task, rate_of_probe=None):
    """Do a task in a process of its own; return lines of the table with their log-odds."""
    if task.test and (not task.updates or parameter_file(task.run, task.updates).exists()):
        return test(task)
    return train(task, rate_of_probe) + (test(task) if task.test else [])


# The table

def append(lines, table=TABLE, log_odds_file=LOG_ODDS):
    """Add lines to the table and their log-odds to the file beside it; both are there whole at any time."""
    kept = dict(np.load(log_odds_file)) if Path(log_odds_file).exists() else {}
    for tested, split in {(values['tested'], values['split']) for values, _ in lines}:
        kept[f'labels-{tested}-{split}'], kept[f'origins-{tested}-{split}'] = labels_of(tested, split)
    kept.update({values['id']: odds for values, odds in lines})
    with files.replacing(log_odds_file) as part, open(part, 'wb') as file:
        np.savez_compressed(file, **kept)
    new = pd.DataFrame([values for values, _ in lines]).set_index('id')
    old = read(Path(table))
    whole = pd.concat([old[~old.index.isin(new.index)], new]) if len(old) else new
    with files.replacing(table) as part:
        whole.to_csv(part, quoting=csv.QUOTE_MINIMAL, lineterminator='\n')


def check_data(table):
    """Raise ValueError when lines of the table were measured on other pictures than those that are here."""
    for data in ('renders', 'photographs'):
        others = set(table.data_fingerprint[table.data == data]) - {fingerprint(data)}
        if others:
            raise ValueError(f'{TABLE} was measured on other {data} ({", ".join(others)}): move it away to begin anew')


def complete(jobs):
    """Do all tasks that the table lacks, some at a time, and add each one's lines to the table when it is finished."""
    check_data(read())
    context = multiprocessing.get_context('spawn')
    with futures.ProcessPoolExecutor(jobs, context, max_tasks_per_child=3) as pool, \
            tqdm(unit='task', smoothing=0) as bar:
        running = {}
        while True:
            auroc = read().auroc.to_dict()
            waiting = [task for task in to_do(auroc) if task not in running.values()]
            bar.total = bar.n + len(running) + len(waiting)
            bar.set_postfix_str(f'{estimate(waiting) / 3600:.1f} core hours known')
            for task in waiting[:jobs - len(running)]:
                rate = probe_rate(auroc, task.run) if task.run.method == 'probe then fine-tuning' else None
                running[pool.submit(measure, task, rate)] = task
            if not running:
                return
            for future in futures.wait(running, return_when=futures.FIRST_COMPLETED).done:
                append(future.result())
                del running[future]
                bar.update()


def print_plan(auroc):
    """Print every row of the plan with the rate chosen for it and the trainings that it still needs."""
    for plan_row in PLAN:
        rate, needed, run = *tuning(auroc, plan_row), plan_row.run
        needed = needed or needed_by(auroc, plan_row, 5)
        print(f'study {run.study}: {run.data}, {run.pictures}, {run.method}, {run.optimiser}, {run.copied} layers, '
              f'{plan_row.updates} updates: rate {rate or "?"}, {len(needed)} tasks, {estimate(needed) / 60:.0f} min')
    print(f'{estimate(to_do(auroc)) / 3600:.1f} hours on one core for the tasks that can be named so far')


def main():
    """Complete the table, or print the plan; on bad input say in one sentence what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path, help='a clone of the public collection, or SPLIT/CLASS/NAME.jpg')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='processes, of one thread each')
    parser.add_argument('--plan', action='store_true', help='print what is to do and how long it takes')
    options = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'  # the processes read it when they load MXNet
    if utils.source_model != 'squeezenet1_1':
        sys.exit(f'the table is about squeezenet1_1, not {utils.source_model}: unset SOURCE_MODEL')
    if options.plan:
        return print_plan(read().auroc.to_dict())
    try:
        pack_photographs(options.photos)
        complete(options.jobs)
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('stopped: the finished runs are kept')

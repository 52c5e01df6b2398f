"""Measure what pretraining buys, for the page `evidence`: `make evidence PHOTOS=folder`.

`docs/EVIDENCE.md` tells the design and why it is so. A run trains one network; every line of `data/evidence.csv` is
one evaluation of it, and `data/evidence.npz` keeps, under the line's id, the log-odds of "hot dog" of every picture.
What is finished is kept: called again, the program goes on where it was stopped. It is written in PyTorch, so that it
takes today's GPUs; the network and its weights are the chapter's (tests/book/test_pytorch.py compares them).
"""
import argparse
import copy
import functools
import hashlib
import itertools
import math
import multiprocessing
import os
import platform
import sys
from concurrent import futures
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageOps
from sklearn import linear_model
from torch import nn
from torch.optim import swa_utils
from torchvision import io, models
from torchvision.transforms.v2 import functional
from tqdm import tqdm

from hotdog import files, weights
from hotdog.evidence import LOG_ODDS, SCORES, TABLE, read

LIST = files.DATA / 'photographs_2000.csv'
CACHE = files.CACHE / 'evidence'  # what can be made again
SPLITS = ('train', 'validation', 'test')
BATCH, WARM_UP, LAYERS, HOTDOG = 32, 10, 9, 934
CROP, SMALL = 224, 128  # pixels of a training crop
RATES = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
CURVE = (25, 100, 150, 200, 400, 1000, 2000, 3000)  # updates after which a run is validated
SHORT = 100
VIEWS = 4  # augmented views of each picture whose features the probe learns from
TUNING_SEEDS, SEEDS = 2, 5
CHAPTER = 133  # updates of the chapter's seven epochs on the rendered pictures
PICTURES = {'photographs': 1000, 'renders': 150, 'people': 100}  # training pictures of the positive class
MIXTURES = (0.25, 0.5, 0.75)  # shares of the tuned weights in WiSE-FT; 0 and 1 are rows of their own
SECONDS = {CROP: 0.86, SMALL: 0.29}  # of an update on one core with AVX2, by the crop's side
DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')


class Run(NamedTuple):
    """One training. `pictures` counts the hot dogs among its pictures, `copied` the layers from the source model."""

    data: str
    method: str
    optimiser: str
    pictures: int
    copied: int
    crop: int
    view: int  # pixels of the middle of a picture that the network is evaluated on
    rate: float  # of the probe: the inverse of the penalty
    seed: int


class Row(NamedTuple):
    """A row of the plan: a run whose rate is chosen after `tuned` updates, starting with three around `start`."""

    run: Run
    updates: int
    start: float
    tuned: int

    def at(self, rate, seed):
        """Return its run with a learning rate and a seed."""
        return self.run._replace(rate=rate, seed=seed)


class Task(NamedTuple):
    """What a process does at a time: train a run, and test what it trained."""

    run: Run
    updates: int
    test: bool


def row(method, start, updates, data='photographs', pictures=None, copied=LAYERS, optimiser='adam', crop=CROP,
        view=None, tuned=None):
    """Return a row of the plan; it is evaluated on as many pixels as it is trained on, if nothing else is said."""
    run = Run(data, method, optimiser, pictures or PICTURES[data], copied, crop, view or crop, 0.0, 0)
    return Row(run, updates, start, tuned or updates)


def probe(**options):
    """Return the row of the plan for logistic regression on frozen features."""
    return row('probe', 0.03, 0, optimiser='', **options)


MAIN = (row('from scratch', 1e-3, 3000, copied=0, crop=SMALL, tuned=400),
        row('from scratch', 3e-3, 3000, pictures=300, copied=0, crop=SMALL, tuned=400),
        row('fine-tuning', 1e-4, 400), probe(),
        row('fine-tuning', 1e-4, SHORT))
METHODS = (row('probe then fine-tuning', 3e-5, 150), row('one rate', 1e-4, 150), row('fine-tuning', 1e-4, 150),
           row('fine-tuning', 3e-4, 150, optimiser='sgd'))
CROPS = (row('from scratch', 1e-3, 200, copied=0, crop=SMALL),
         row('from scratch', 1e-3, 400, copied=0, crop=SMALL, view=CROP), row('from scratch', 1e-3, 200, copied=0))
CHAPTER_ROWS = (probe(data='renders'), row('fine-tuning', 3e-4, CHAPTER, data='renders'),
                row('fine-tuning', 1e-3, CHAPTER, data='renders', optimiser='sgd'),
                row('from scratch', 1e-3, CHAPTER, data='renders', copied=0))
ABLATION = (row('from scratch, plain', 1e-3, CHAPTER, data='renders', copied=0),
            row('from scratch, Xavier', 1e-3, CHAPTER, data='renders', copied=0),
            row('from scratch', 3e-2, CHAPTER, data='renders', copied=0, optimiser='sgd'))
TRANSFER = (row('hotdog row', 1e-3, CHAPTER, data='renders'),)
SIZES = tuple(itertools.chain.from_iterable(
    (probe(pictures=pictures), row('fine-tuning', start, updates, pictures=pictures),
     row('from scratch', scratch, 2 * updates, pictures=pictures, copied=0, crop=SMALL))
    for pictures, updates, start, scratch in ((300, 200, 1e-4, 3e-3), (100, SHORT, 1e-4, 1e-2),
                                              (30, SHORT, 3e-5, 3e-3), (10, SHORT, 3e-5, 1e-3))))
DEPTHS = tuple(row('fine-tuning', start, 400, copied=copied, crop=SMALL)
               for copied, start in ((9, 1e-4), (7, 3e-4), (5, 3e-4), (3, 3e-4))) + (
    row('from scratch', 1e-3, 400, copied=0, crop=SMALL),)
FIXED = tuple(Task(Run(data, method, '', PICTURES[data], LAYERS, CROP, CROP, 0.0, 0), 0, True)
              for method in ('source threshold', 'hotdog row') for data in ('renders', 'photographs'))
PEOPLE = (probe(data='people'), row('fine-tuning', 1e-4, SHORT, data='people'),
          row('from scratch', 1e-3, 2 * SHORT, data='people', copied=0, crop=SMALL))
PLAN = (*MAIN, *CHAPTER_ROWS, *TRANSFER, *METHODS, *CROPS, *SIZES, *DEPTHS, *ABLATION, *PEOPLE)


# What is still to do

def row_id(run, updates, tested, split, mixture=1.0):
    """Return the name, 10 hexadecimal digits, of one evaluation."""
    return hashlib.sha1(repr((*run, updates, tested, split, mixture)).encode()).hexdigest()[:10]


def is_done(auroc, run, updates, split='validation'):
    """Return whether a run was evaluated after so many updates on a split of the data that it was trained on."""
    return row_id(run, updates, run.data, split) in auroc


def validation_auroc(auroc, run, updates):
    """Return the mean validation AUROC of a run over the seeds of tuning."""
    return sum(auroc[row_id(run._replace(seed=seed), updates, run.data, 'validation')]
               for seed in range(TUNING_SEEDS)) / TUNING_SEEDS


def tuning(auroc, plan_row):
    """Return the chosen rate (None while there is none) and the trainings that choosing it still needs.

    `auroc` is {id: AUROC} of the table's rows. Three rates are tried at first, and more until the best one has a worse
    neighbour on either side.
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


def probe_rate(auroc, run):
    """Return the penalty chosen for the probe of the same pictures as a run has, or None."""
    return tuning(auroc, probe(data=run.data, pictures=run.pictures))[0]


def needed_by(auroc, plan_row):
    """Return the tasks that a row of the plan still needs and that can begin: tuning, then training with tests."""
    rate, needed = tuning(auroc, plan_row)
    if plan_row.run.method == 'probe then fine-tuning' and not probe_rate(auroc, plan_row.run):
        return []
    if any(longer.run == plan_row.run and longer.updates > plan_row.updates and not tuning(auroc, longer)[0]
           for longer in PLAN):  # its runs will serve here too
        return []
    return needed if rate is None else [
        Task(run, plan_row.updates, True) for run in (plan_row.at(rate, seed) for seed in range(SEEDS))
        if not is_done(auroc, run, plan_row.updates, 'test')]


def to_do(auroc):
    """Return all tasks that can begin, the most wanted first."""
    tasks = [task for task in FIXED if not is_done(auroc, task.run, 0, 'test')]
    return list(dict.fromkeys(itertools.chain(tasks, *(needed_by(auroc, plan_row) for plan_row in PLAN))))


def estimate(tasks):
    """Return the seconds that tasks take on one core."""
    return sum(task.updates * SECONDS[task.run.crop] + 30 for task in tasks)


# The pictures

def listed(folder):
    """Yield split, label, origin and picture (3, height, width), short side 256, of the listed photographs.

    `folder` is a clone of the public collection, whose files must have the listed SHA-256, or a folder of copies with
    short side 256, SPLIT/CLASS/NAME.jpg, taken as they are. Raises FileNotFoundError or ValueError naming a bad file.
    """
    if folder is None:
        raise FileNotFoundError('the photographs are not here yet: make evidence PHOTOS=folder, a clone of the public '
                                'collection that docs/EVIDENCE.md names')
    for item in tqdm(list(pd.read_csv(LIST).itertuples()), 'reading photographs'):
        copy, original = folder / item.split / item[2] / Path(item.original).name, folder / item.original
        if not copy.exists() and files.digest(original) != item.sha256:
            raise ValueError(f'{original} is not the listed photograph (its SHA-256 differs): check out the commit')
        picture = ImageOps.exif_transpose(Image.open(copy if copy.exists() else original)).convert('RGB')
        picture = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        yield item.split, int(item[2] == 'hotdog'), Path(item.original).stem.rpartition('_')[0] or 'food-101', picture


def rendered():
    """Yield split, label, origin and picture of the demo set, whose RecordIO files hold JPEGs."""
    for split in SPLITS:
        for label, jpeg in files.records(files.DATA / f'demo_{split}.rec'):
            yield split, label, 'render', io.decode_image(torch.from_numpy(jpeg))


def prepare(data, pictures):
    """Write the pictures of a data set once, as tensors of 8 bits, into the cache.

    Each split has `labels`, `origins`, and `middle`, the middle 224 pixels of each picture with short side 256. The
    training split also has `whole`, each picture scaled to a square a little larger than a crop, and `aspect`.
    """
    with files.replacing(CACHE / f'{data}.pt') as part:
        splits = {split: {'labels': [], 'origins': [], 'middle': [], 'aspect': [], CROP: [], SMALL: []}
                  for split in SPLITS}
        for split, label, origin, picture in pictures:
            kept = splits[split]
            kept['labels'].append(label)
            kept['origins'].append(origin)
            picture = functional.resize(picture, 256, antialias=True)
            kept['middle'].append(functional.center_crop(picture, 224))
            if split == 'train':
                kept['aspect'].append(picture.shape[2] / picture.shape[1])
                for crop in (CROP, SMALL):
                    kept[crop].append(functional.resize(picture, [crop * 9 // 7] * 2, antialias=True))
        for kept in splits.values():
            kept.update({key: torch.stack(kept[key]) for key in ('middle', CROP, SMALL) if kept[key]},
                        labels=torch.tensor(kept['labels']), aspect=torch.tensor(kept['aspect']))
        torch.save(splits, part)


@functools.cache
def split_of(data, split):
    """Return what `prepare` wrote of a split; the pictures are read when they are used.

    The set `people` has the photographs with other labels: those of people are 1, and all others, hot dogs too, 0.
    """
    if data == 'people':
        kept = split_of('photographs', split)
        return {**kept, 'labels': torch.tensor([int(origin == 'imagenet_people') for origin in kept['origins']])}
    return torch.load(CACHE / f'{data}.pt', mmap=True)[split]


@functools.cache
def on_device(data, split, key):
    """Return the tensor that `prepare` wrote under a key, on the device."""
    return split_of(data, split)[key].to(DEVICE)


@functools.cache
def fingerprint(data):
    """Return the first digits of a hash over the files that define a data set."""
    paths = [files.DATA / f'demo_{split}.rec' for split in SPLITS] if data == 'renders' else [LIST]
    return hashlib.sha256(repr([files.digest(path) for path in paths]).encode()).hexdigest()[:8]


def training_set(run):
    """Return the places (n,) of the pictures that a run learns from: `pictures` of each class, drawn by the seed.

    With one seed, each smaller set is part of every larger one.
    """
    labels = split_of(run.data, 'train')['labels'].numpy()
    if run.pictures == (labels == 1).sum():
        return np.arange(len(labels))
    order = np.random.default_rng(run.seed).permutation(len(labels))
    return np.sort(np.concatenate([order[labels[order] == label][:run.pictures] for label in (0, 1)]))


def normalised(pictures):
    """Return pictures (n, 3, h, w), 0 to 1, as the networks want them."""
    mean, std = (torch.tensor(values, dtype=torch.float32, device=DEVICE).reshape(3, 1, 1)
                 for values in (weights.MEAN, weights.STD))
    return ((pictures - mean) / std).contiguous(memory_format=torch.channels_last)


def random_views(pictures, aspect, crop):
    """Return random views (n, 3, crop, crop) of square pictures (n, 3, h, h) that had an aspect ratio (n,).

    Each is a part of 0.35 to 1 of the area with an aspect ratio between 3:4 and 4:3, mirrored or not, its brightness,
    contrast and saturation changed by up to 0.25, 0.25 and 0.35, as on the page `pytorch`.
    """
    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(len(pictures), *shape, device=DEVICE)

    area, ratio = uniform(0.35, 1), torch.exp(uniform(math.log(3 / 4), math.log(4 / 3)))
    size = torch.stack([area * ratio / aspect, area * aspect / ratio], dim=1).sqrt().clamp(max=1)  # width, height
    placed = torch.diag_embed(size * torch.stack([uniform(-1, 1).sign(), torch.ones_like(area)], dim=1))
    placed = torch.cat([placed, ((1 - size) * uniform(-1, 1, 2)).unsqueeze(2)], dim=2)
    grid = nn.functional.affine_grid(placed, (len(pictures), 3, crop, crop), align_corners=False)
    views = nn.functional.grid_sample(pictures.float() / 255, grid, padding_mode='border', align_corners=False)
    views = views * uniform(0.75, 1.25, 1, 1, 1)
    for dimensions, most in (((1, 2, 3), 0.25), (1, 0.35)):  # away from or towards the mean grey, then each pixel's
        grey = views.mean(dim=dimensions, keepdim=True)
        views = grey + (views - grey) * uniform(1 - most, 1 + most, 1, 1, 1)
    return normalised(views.clamp(0, 1))


def training_batches(run):
    """Yield augmented batches without end, normalised pictures (n, 3, crop, crop) and labels (n,)."""
    whole, aspect, labels = (on_device(run.data, 'train', key) for key in (run.crop, 'aspect', 'labels'))
    places, draw, waiting = training_set(run), np.random.default_rng(run.seed), np.empty(0, int)
    size = min(BATCH, len(places))
    while True:
        if len(waiting) < size:
            waiting = np.concatenate([waiting, draw.permutation(places)])
        chosen, waiting = torch.from_numpy(waiting[:size]).to(DEVICE), waiting[size:]
        yield random_views(whole[chosen], aspect[chosen], run.crop), labels[chosen]


def plain_batches(data, split, view=CROP):
    """Yield the pictures of a split, (n, 3, view, view), as they are evaluated."""
    for part in on_device(data, split, 'middle').split(100):
        part = functional.resize(part, view, antialias=True)
        yield normalised(part.float() / 255)


# The networks

@functools.cache
def source():
    """Return the source model; nobody changes it."""
    net = models.squeezenet1_1()
    net.load_state_dict(dict(zip(net.state_dict(), map(torch.from_numpy, weights.squeezenet()))))
    return net.to(DEVICE).eval().requires_grad_(False)


def parametric(net):
    """Return the 9 layers of SqueezeNet's features that have parameters, in their order."""
    return [layer for layer in net.features if list(layer.parameters())]


def new_net(run):
    """Return the network that a run begins with: copied layers, then random ones with batch normalisation.

    Random layers begin as He et al. (arXiv 1502.01852) derive for ReLU; an output layer on copied ones begins small.
    """
    torch.manual_seed(run.seed)
    net = models.squeezenet1_1()
    net.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, 2, 1), nn.AdaptiveAvgPool2d(1))
    output = net.classifier[1]
    for layer in [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]:
        if 'Xavier' in run.method:
            nn.init.xavier_uniform_(layer.weight)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
        nn.init.zeros_(layer.bias)
    if run.copied:
        nn.init.normal_(output.weight, std=0.01)
    for layer, original in list(zip(parametric(net), parametric(source())))[:run.copied]:
        layer.load_state_dict(original.state_dict())
    if run.method == 'hotdog row':
        set_output(net, *hotdog_output(run))
    if 'plain' not in run.method:
        normalise_layers(net, parametric(net)[run.copied:])
    return net.to(DEVICE, memory_format=torch.channels_last)


def normalise_layers(net, layers):
    """Put batch normalisation after each convolution in some of a network's layers."""
    inside = {id(part) for layer in layers for part in layer.modules()}
    for name, part in list(net.named_modules()):
        if isinstance(part, nn.Conv2d) and id(part) in inside:
            net.set_submodule(name, nn.Sequential(part, nn.BatchNorm2d(part.out_channels)))


def set_output(net, weight, bias):
    """Give the output layer these weights, (2, 512), and biases, (2,)."""
    with torch.no_grad():
        net.classifier[1].weight.copy_(torch.as_tensor(weight).reshape(2, 512, 1, 1))
        net.classifier[1].bias.copy_(torch.as_tensor(bias))


@torch.no_grad()
def pooled(batches):
    """Return the source model's features averaged over each picture, (n, 512)."""
    return torch.cat([source().features(x).mean(dim=(2, 3)) for x in batches]).cpu().numpy()


@functools.cache
def plain_features(data, split):
    """Return the features (n, 512) of a split's pictures, not augmented."""
    return pooled(plain_batches(data, split))


@functools.cache
def training_features(run):
    """Return the features (VIEWS n, 512) and labels of augmented views of a run's pictures."""
    torch.manual_seed(run.seed)
    count = math.ceil(VIEWS * len(training_set(run)) / BATCH)
    views, labels = zip(*itertools.islice(training_batches(run), count))
    return pooled(views), torch.cat(labels).cpu().numpy()


def hotdog_output(run):
    """Return an output layer made of the source model's: "hotdog" against the mean of its other 999 classes.

    Only the bias is fitted: the difference of the two scores is zero midway between the classes' means.
    """
    rows = source().classifier[1].weight.cpu().numpy().reshape(1000, 512)
    weight = np.stack([np.delete(rows, HOTDOG, axis=0).mean(axis=0), rows[HOTDOG]])
    labels = split_of(run.data, 'train')['labels'].numpy()
    difference = plain_features(run.data, 'train') @ (weight[1] - weight[0])
    return weight, np.array([np.mean([difference[labels == label].mean() for label in (0, 1)]), 0])


# Training and evaluating

def picture_weights(run, labels):
    """Return the weight of each picture in the loss, 1 on average; hot dogs among renders weigh six times as much."""
    w = 6 if run.data == 'renders' else 1
    share = split_of(run.data, 'train')['labels'].float().mean().item()
    return (1 + (w - 1) * labels) / (1 + (w - 1) * share)


def fitted_probe(run):
    """Return a logistic regression on a run's augmented features, fitted to convergence (scikit-learn, L-BFGS)."""
    x, y = training_features(run._replace(rate=0.0, method='', optimiser=''))
    return linear_model.LogisticRegression(C=run.rate, max_iter=5000).fit(x, y, picture_weights(run, y))


def threshold_fitted(run):
    """Return a function from a split to log-odds: the source model's, moved and scaled by a logistic regression."""
    @torch.no_grad()
    def score(data, split):
        z = torch.cat([source()(x).double() for x in plain_batches(data, split)]).cpu()
        others = torch.cat([z[:, :HOTDOG], z[:, HOTDOG + 1:]], dim=1)
        return (z[:, HOTDOG] - others.logsumexp(dim=1)).numpy()[:, None]

    labels = split_of(run.data, 'train')['labels'].numpy()
    threshold = linear_model.LogisticRegression(C=100)
    threshold.fit(score(run.data, 'train'), labels, picture_weights(run, labels))
    return lambda data, split: threshold.decision_function(score(data, split))


def parameter_groups(run, net):
    """Return the parameters with their learning rates: in fine-tuning, what is not copied learns ten times as fast."""
    if run.method != 'fine-tuning':
        return [{'params': net.parameters(), 'lr': run.rate}]
    layers = parametric(net)
    return [{'params': [p for layer in layers[:run.copied] for p in layer.parameters()], 'lr': run.rate},
            {'params': [p for layer in (*layers[run.copied:], net.classifier) for p in layer.parameters()],
             'lr': 10 * run.rate}]


def schedule(run, updates):
    """Return a function from the number of updates done to the factor of the learning rate.

    The rate rises over the first updates. On photographs it then stays, on renders it falls along a cosine.
    """
    def factor(done):
        rise = min(1, (done + 1) / WARM_UP)
        if run.data != 'renders':
            return rise
        return rise * (1 + math.cos(math.pi * max(0, done - WARM_UP) / (updates - WARM_UP))) / 2
    return factor


def running_mean(averages, values, count):
    """Move averages towards the values after `count` updates: a mean over about the last eighth of the updates."""
    if averages[0].is_floating_point():
        torch._foreach_lerp_(averages, values, 8 / (count + 8))


def record(net, x):
    """Let a network replay its steps as CUDA graphs, twice as fast; its values do not change. `x` is a batch."""
    before = copy.deepcopy(net.state_dict())
    torch.cuda.make_graphed_callables(net.train(), (x,))
    net.load_state_dict(before)


def fit(run, net, batches, updates):
    """Update a network `updates` times; yield, after each, the number done and the network that is evaluated.

    On photographs, that is the running mean of the weights.
    """
    options = {'weight_decay': 1e-4} | ({'momentum': 0.9} if run.optimiser == 'sgd' else {})
    optimiser = {'adam': torch.optim.Adam, 'sgd': torch.optim.SGD}[run.optimiser](parameter_groups(run, net), **options)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(run, updates))
    average = swa_utils.AveragedModel(net, multi_avg_fn=running_mean, use_buffers=True)
    if DEVICE.type == 'cuda':
        record(net, next(batches)[0])
    for update, (x, y) in enumerate(itertools.islice(batches, updates), 1):
        net.train()
        losses = nn.functional.cross_entropy(net(x), y, reduction='none')
        optimiser.zero_grad()
        (losses * picture_weights(run, y)).mean().backward()
        optimiser.step()
        rate.step()
        average.update_parameters(net)
        yield update, average.module if run.data != 'renders' else net


def trained(task, rate_of_probe):
    """Yield the updates done and the network that is evaluated then."""
    run = task.run
    net = new_net(run)
    if run.method == 'probe then fine-tuning':
        fitted = fitted_probe(run._replace(rate=rate_of_probe))
        set_output(net, np.stack([0 * fitted.coef_[0], fitted.coef_[0]]), np.array([0, fitted.intercept_[0]]))
    yield from fit(run, net, training_batches(run), task.updates)


@torch.no_grad()
def log_odds(net, data, split, view=CROP):
    """Return the network's log-odds of "hot dog" for each picture of a split, (n,)."""
    z = torch.cat([net.eval()(x) for x in plain_batches(data, split, view)]).cpu().numpy()
    return z[:, 1] - z[:, 0]


def line(run, updates, tested, split, values, mixture=1.0):
    """Return one line of the table, a dictionary, and the log-odds that belong to it, (n,) float16."""
    values = values.astype('float16')
    labels, odds = split_of(tested, split)['labels'].numpy(), values.astype(float)  # rounded as they are kept
    return {'id': row_id(run, updates, tested, split, mixture), **run._asdict(), 'updates': updates,
            'mixture': mixture, 'tested': tested, 'split': split, 'count': len(values),
            **{name: round(float(score(labels, odds)), 6) for name, score in SCORES.items()},
            'date': date.today().isoformat(), 'versions': f'torch {torch.__version__}', 'processor': processor(),
            'data_fingerprint': fingerprint(run.data)}, values


@functools.cache
def processor():
    """Return the name of the GPU or of the processor that computes."""
    if DEVICE.type == 'cuda':
        return torch.cuda.get_device_name()
    info = Path('/proc/cpuinfo')
    names = [text for text in (info.read_text() if info.exists() else '').splitlines() if 'model name' in text]
    return names[0].partition(':')[2].strip() if names else platform.processor()


def parameter_file(run, updates):
    """Return the file of the parameters that a run had after so many updates, whatever it is evaluated on."""
    return CACHE / f'{row_id(run._replace(view=run.crop), updates, run.data, "validation")}.pt'


def train(task, rate_of_probe):
    """Train a run; return a line of the table for each validation on the way, with its log-odds."""
    run, lines = task.run, []
    for update, net in trained(task, rate_of_probe):
        if update == task.updates or update in CURVE and run.data != 'renders':
            lines.append(line(run, update, run.data, 'validation', log_odds(net, run.data, 'validation', run.view)))
            if update in (SHORT, 150, 200, 400, task.updates):  # where some row of the plan ends
                with files.replacing(parameter_file(run, update)) as part:
                    torch.save(net.state_dict(), part)
    return lines


def tested_on(run):
    """Return the splits, (data, split), that a run is tested on: what renders taught, on the photographs too."""
    return [(run.data, 'test')] + [('photographs', 'test')] * (run.data == 'renders')


def evaluated(task, places):
    """Return lines of the table for what a run trained; if it is tested, for mixtures with what it began with too."""
    run, net = task.run, new_net(task.run)
    if task.updates:
        net.load_state_dict(torch.load(parameter_file(run, task.updates), map_location=DEVICE))
    lines = [line(run, task.updates, *place, log_odds(net, *place, run.view)) for place in places]
    if run.method == 'hotdog row' and task.updates and task.test:
        for share, place in itertools.product(MIXTURES, [(run.data, 'validation'), *tested_on(run)]):
            mixed = new_net(run)
            with torch.no_grad():
                for value, end in zip(mixed.parameters(), net.parameters()):
                    value.lerp_(end, share)
            lines.append(line(run, task.updates, *place, log_odds(mixed, *place, run.view), share))
    return lines


def without_updates(task):
    """Return lines of the table for what is fitted on features or scores, not trained step by step."""
    run = task.run
    if run.method == 'probe':
        fitted = fitted_probe(run)
        values_of = lambda *place: fitted.decision_function(plain_features(*place))  # noqa: E731
    else:
        values_of = threshold_fitted(run)
    places = [(run.data, 'validation')] + (tested_on(run) if task.test else [])
    return [line(run, 0, *place, values_of(*place)) for place in places]


def measure(task, rate_of_probe=None):
    """Do a task in a process of its own; return lines of the table with their log-odds."""
    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = True
    if task.run.method in ('probe', 'source threshold'):
        return without_updates(task)
    is_trained = not task.updates or parameter_file(task.run, task.updates).exists()
    lines = [] if is_trained else train(task, rate_of_probe)
    places = [(task.run.data, 'validation')] * is_trained + tested_on(task.run) * task.test
    return lines + evaluated(task, places)


# The table

def append(lines):
    """Add lines to the table and their log-odds to the file beside it; both are there whole at any time."""
    kept = dict(np.load(LOG_ODDS)) if LOG_ODDS.exists() else {}
    for data, split in {(values['tested'], values['split']) for values, _ in lines}:
        kept[f'labels-{data}-{split}'] = split_of(data, split)['labels'].numpy()
        kept[f'origins-{data}-{split}'] = np.array(split_of(data, split)['origins'])
    kept.update({values['id']: odds for values, odds in lines})
    with files.replacing(LOG_ODDS) as part, open(part, 'wb') as file:
        np.savez_compressed(file, **kept)
    new = pd.DataFrame([values for values, _ in lines]).set_index('id')
    new = new[~new.index.duplicated()]
    old = read()
    with files.replacing(TABLE) as part:
        (pd.concat([old[~old.index.isin(new.index)], new]) if len(old) else new).to_csv(part, lineterminator='\n')


def check_data(table):
    """Raise ValueError when lines of the table were measured on other pictures than those that are here."""
    for data in PICTURES:
        others = set(table.data_fingerprint[table.data == data]) - {fingerprint(data)}
        if others:
            raise ValueError(f'{TABLE} was measured on other {data} ({", ".join(others)}): move it away to begin anew')


def complete(jobs):
    """Do all tasks that the table lacks, some at a time, and add each one's lines to the table when it is finished."""
    check_data(read())
    context = multiprocessing.get_context('spawn')
    with futures.ProcessPoolExecutor(jobs, context) as pool, tqdm(unit='task', smoothing=0) as bar:
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
            done = futures.wait(running, return_when=futures.FIRST_COMPLETED).done
            append(list(itertools.chain.from_iterable(future.result() for future in done)))
            for future in done:
                del running[future]
            bar.update(len(done))


def print_plan(auroc):
    """Print every row of the plan with the rate chosen for it and the tasks that it still needs."""
    for plan_row in PLAN:
        run, rate, needed = plan_row.run, tuning(auroc, plan_row)[0], needed_by(auroc, plan_row)
        print(f'{run.data}, {run.pictures}, {run.method}, {run.optimiser}, {run.copied} layers, crops of {run.crop}, '
              f'{plan_row.updates} updates: rate {rate or "?"}, {len(needed)} tasks, {estimate(needed) / 60:.0f} min')
    print(f'{estimate(to_do(auroc)) / 3600:.1f} hours on one core for the tasks that can be named so far')


def main():
    """Complete the table, or print the plan; on bad input say in one sentence what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path, help='a clone of the public collection, or SPLIT/CLASS/NAME.jpg')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='processes, of one thread each')
    parser.add_argument('--plan', action='store_true', help='print what is to do and how long it takes')
    options = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'  # the processes read it when they begin
    if options.plan:
        return print_plan(read().auroc.to_dict())
    try:
        for data in ('photographs', 'renders'):
            if not (CACHE / f'{data}.pt').exists():
                prepare(data, rendered() if data == 'renders' else listed(options.photos))
        complete(options.jobs)
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('stopped: the finished runs are kept')

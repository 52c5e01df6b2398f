"""Measure what pretraining buys, for the page 'evidence': python -m hotdog.studies [--photos FOLDER] (make evidence).

Each run trains one network on the demo set (or on a part of it) with one seed, and every line of `data/evidence.csv` is
one evaluation of it. A finished run is kept: called again, the program goes on where it was stopped. Learning rates are
chosen from GRID by the validation split with seed 0, alike for every method; the test split and the photographs are
evaluated with the chosen rate alone, once.
"""
import argparse
import csv
import datetime
import functools
import hashlib
import io
import itertools
import os
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import mxnet as mx
import numpy as np
from mxnet import autograd, gluon, init, nd, recordio
from scipy import stats
from sklearn import metrics
from tqdm import tqdm

import utils
from hotdog import imagenet, datasets

TABLE = datasets.DATA / 'evidence.csv'
GRID = (0.0005, 0.002, 0.008, 0.032)  # learning rates, the same for every method
BATCH, STEPS = 32, 19  # pictures of an update, updates of an epoch on all pictures
EPOCHS, LONG = 4, 32  # of every method, and of training from scratch until it converges
PROBE_EPOCHS, VIEWS = 100, 3  # of the probe, which costs next to nothing: its features are computed once for each view
SEEDS, FEWER, TWO = 5, 3, 2
PICTURES, STAGES, ALL = (10, 25, 50, 100), (3, 6), 9  # pictures of each class; copied stages, of 9
METHODS = ('frozen features', 'fine-tuning', 'faster head', 'probe first', 'from scratch')
AT_ONCE = 6  # runs of one process: MXNet keeps some hundred megabytes of each
CURVE = (0, 4, 8, 12, 19, 38, 57, 76)  # updates after which a run is validated


class Run(NamedTuple):
    """One training: `study` is the first that needs it, `pictures` is 0 for all and otherwise counts each class."""

    study: int
    method: str
    pictures: int
    stages: int
    epochs: int
    rate: float
    seed: int

    @property
    def updates(self):
        """Count the updates: with fewer pictures as many as with all."""
        return self.epochs * STEPS

    @property
    def name(self):
        """Name the run's file."""
        return '-'.join(str(value).replace(' ', '_') for value in self)


COLUMNS = (*Run._fields, 'split', 'updates', 'count', 'accuracy', 'f1', 'balanced', 'answers', 'seconds',
           'cpu_seconds', 'date', 'versions', 'hardware', 'data')


def run_of(method, study=1, pictures=0, stages=None, epochs=None, rate=0.0, seed=0):
    """Return a run, by default one of study 1."""
    if epochs is None:
        epochs = PROBE_EPOCHS if method == 'frozen features' else EPOCHS
    stages = (0 if method == 'from scratch' else ALL) if stages is None else stages
    return Run(study, method, pictures, stages, epochs, rate, seed)


def plan(choose):
    """Yield every run with the splits that it is evaluated on, in the order of work.

    `choose(run)` gives the learning rate that the validation split chose for this sort of run; it is asked when all
    runs that it depends on have been yielded.
    """
    every = ('validation', 'test', 'photos')

    def tuned(runs, seeds):
        for run, rate in itertools.product(runs, GRID):
            yield run._replace(rate=rate), ('validation',)
        for seed, run in itertools.product(range(seeds), runs):
            yield run._replace(rate=choose(run), seed=seed), every

    yield from tuned([run_of(method) for method in METHODS], SEEDS)
    yield run_of('hotdog row', study=4, epochs=0), every
    yield from tuned([run_of('hotdog row', study=4)], FEWER)
    for seed, pictures, method in itertools.product(range(FEWER), PICTURES, ('fine-tuning', 'from scratch')):
        run = run_of(method, study=2, pictures=pictures, seed=seed)
        yield run._replace(rate=choose(run_of(method))), every
    yield from tuned([run_of(method, study=3, stages=stages)
                      for stages in STAGES for method in ('fine-tuning', 'frozen stages')], FEWER)
    for seed in range(TWO):
        run = run_of('from scratch', study=6, epochs=LONG, seed=seed)
        yield run._replace(rate=choose(run_of('from scratch'))), every


def read(path=TABLE):
    """Read the table: a list of dictionaries, numbers as numbers."""
    def value(column, text):
        if column in ('study', 'pictures', 'stages', 'epochs', 'seed', 'updates', 'count'):
            return int(text)
        if column in ('rate', 'accuracy', 'f1', 'balanced', 'seconds', 'cpu_seconds'):
            return float(text or 'nan')  # only rows of the validation split tell how long the training took
        return text

    if not Path(path).exists():
        return []
    with open(path, newline='', encoding='utf-8') as file:
        return [{column: value(column, text) for column, text in row.items()} for row in csv.DictReader(file)]


def write(rows, path=TABLE):
    """Write the table, the old one or the new one whole, never a part."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    half = Path(f'{path}.{os.getpid()}.tmp')
    half.write_text(text.getvalue(), encoding='utf-8')
    os.replace(half, path)


def select(rows, **conditions):
    """Return the rows whose columns have these values, in the order of seeds and updates."""
    found = [row for row in rows if all(row[name] == value for name, value in conditions.items())]
    return sorted(found, key=lambda row: (row['seed'], row['updates']))


def final(rows, run, split):
    """Return the rows of a sort of run after its last update: every rate and seed."""
    return select(rows, method=run.method, pictures=run.pictures, stages=run.stages, epochs=run.epochs, split=split,
                  updates=run.updates)


def chosen_rate(rows, run):
    """Return the rate with the best balanced accuracy on the validation split with seed 0; of equals the smallest.

    Raises ValueError when a rate of the grid has not been tried.
    """
    tried = {row['rate']: row['balanced'] for row in final(rows, run, 'validation') if row['seed'] == 0}
    if set(GRID) - set(tried):
        raise ValueError(f'the rates of {run.method} are not all tried: run make evidence')
    return max(GRID, key=lambda rate: (tried[rate], -rate))


def fingerprint():
    """Name the demo data by the first digits of a hash."""
    return hashlib.sha256((datasets.DATA / 'checksums.txt').read_bytes()).hexdigest()[:8]


def parameter_folder():
    """Return the folder of the trained networks, which is made if it is not there."""
    folder = datasets.CACHE / f'evidence-{fingerprint()}'
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def stages_of(net):
    """List the layers of `features` that have parameters, in their order: 9 in SqueezeNet."""
    return [layer for layer in net.features if list(layer.collect_params())]


@functools.cache
def source():
    """Return the source model; nobody changes it."""
    return utils.pretrained_net()


def pooled(data_iter):
    """Return the source model's features, averaged over the picture, as a batch (n, 512, 1, 1), and the labels (n,)."""
    found = [(source().features(x.as_in_context(mx.cpu())).mean(axis=(2, 3), keepdims=True), y.asnumpy())
             for x, y in data_iter]
    return nd.concat(*(x for x, _ in found), dim=0), np.concatenate([y for _, y in found])


@functools.cache
def cached_views(record_file):
    """Return the pooled features of a few augmented views of all pictures, one after the other, and their labels."""
    pictures = utils.RecordIter(record_file, BATCH, augment=True)
    views = [pooled(pictures) for _ in range(VIEWS)]
    return nd.concat(*(x for x, _ in views), dim=0), np.concatenate([y for _, y in views])


def loss_of(record_file):
    """Return the chapter's weighted loss: hot dogs count twice as much as all the rest, whatever their share.

    The weights are 1 on average, so that a learning rate means the same for every share of hot dogs.
    """
    labels = utils.labels(record_file)
    w = 2 * (labels == 0).sum() / (labels == 1).sum()
    mean = 1 + (w - 1) * (labels == 1).mean()
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()
    return lambda outputs, labels: cross_entropy(outputs, labels) * (1 + (w - 1) * labels) / mean


def new_net(run):
    """Return a network whose first `run.stages` stages are the source model's and whose rest is random by `run.seed`.

    Random layers begin as He et al. (arXiv 1502.01852) derive for ReLU; an output layer upon copied ones begins small.
    """
    utils.seed(run.seed)
    net = utils.new_net(2)
    net.features.initialize(init.MSRAPrelu('in', slope=0))
    net.output.initialize(init.Normal(0.01) if run.stages else init.MSRAPrelu('in', slope=0))
    net(nd.zeros((1, 3, 224, 224)))  # gives every parameter its shape
    for layer, original in list(zip(stages_of(net), stages_of(source())))[:run.stages]:
        for parameter, value in zip(layer.collect_params().values(), original.collect_params().values()):
            parameter.set_data(value.data())
    return net


def set_head(net, weight, bias):
    """Set the output layer's weights, (2, 512), and biases, (2,)."""
    for parameter, value in zip(net.output.collect_params().values(), (weight, bias)):
        parameter.set_data(nd.array(value).reshape(parameter.shape))


def hotdog_head(record_file):
    """Make an output layer of what the source model has: 'hotdog' against the mean of its other 999 classes.

    Only the bias is fitted, so that the difference of the two scores is zero midway between the classes' means.
    """
    weight, bias = (p.data().asnumpy() for p in source().output.collect_params().values())
    row = imagenet.class_names().index('hotdog')
    weight = np.stack([np.delete(weight, row, axis=0).mean(axis=0), weight[row]]).reshape((2, -1))
    x, labels = cached_views(record_file)
    difference = x.asnumpy().reshape((len(labels), -1)) @ (weight[1] - weight[0])
    midway = (difference[labels == 1].mean() + difference[labels == 0].mean()) / 2
    return weight, np.array([midway, 0])


def fit(net, batches, loss, rate, updates, checkpoints=(), validate=None, progress=None):
    """Update the network with SGD as the chapter does; give what `validate(update)` returns at the checkpoints."""
    schedule = mx.lr_scheduler.CosineScheduler(max(1, updates), rate, warmup_steps=9)
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'lr_scheduler': schedule, 'momentum': 0.9, 'wd': 1e-4})
    found = [validate(0)] if 0 in checkpoints else []
    for update, (data, labels) in enumerate(itertools.islice(batches, updates), 1):
        data, labels = (part.as_in_context(mx.cpu()) for part in (data, labels))
        with autograd.record():
            value = loss(net(data), labels)
        value.backward()
        trainer.step(len(data))
        found += [validate(update)] if update in checkpoints else []
        if progress:
            progress.update()
    return found


def picture_batches(record_file, seed):
    """Yield batches of augmented pictures without end, others for each seed."""
    pictures = utils.RecordIter(record_file, BATCH, augment=True)
    pictures.epoch = 1000 * seed
    while True:
        yield from pictures


def feature_batches(x, labels, seed):
    """Yield batches of cached features without end, in an order drawn by the seed."""
    draw = np.random.default_rng(seed)
    while True:
        for chosen in np.array_split(draw.permutation(len(labels)), -(-len(labels) // BATCH)):
            yield x.take(nd.array(chosen)), nd.array(labels[chosen])


def subset(record_file, pictures, seed, folder):
    """Write a RecordIO file with the first so many pictures of each class in an order drawn by the seed.

    With one seed, each smaller set is part of every larger one.
    """
    labels = utils.labels(record_file)
    order = random.Random(seed).sample(range(len(labels)), len(labels))
    keep = {i for label in (0, 1) for i in [i for i in order if labels[i] == label][:pictures]}
    path, reader = folder / f'subset-{pictures}-{seed}.rec', recordio.MXRecordIO(str(record_file), 'r')
    writer = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')
    for key in range(len(labels)):
        record = reader.read()
        if key in keep:
            writer.write_idx(key, record)
    writer.close()
    return path


def result(net, data, split):
    """Evaluate a network on a split, a list of batches or an iterator: the columns that depend on its answers."""
    probabilities, labels = utils.predict(data, net)
    answers = probabilities.argmax(axis=1)
    scores = utils.scores(labels, answers)
    return {'split': split, 'count': len(labels), 'accuracy': scores['accuracy'], 'f1': scores['f1'],
            'balanced': round(metrics.balanced_accuracy_score(labels, answers), 3),
            'answers': np.packbits(answers.astype('uint8')).tobytes().hex()}


def train_probe(net, run, data):
    """Train the output layer alone, on cached features."""
    x, labels = cached_views(data.train)
    fit(net.output, feature_batches(x, labels, run.seed), loss_of(data.train), run.rate, PROBE_EPOCHS * STEPS)


def train(run, data, folder, probe_rate=None, progress=None):
    """Train a network as the run says; give it and its validation results, a dictionary for each checkpoint.

    `probe_rate` is the learning rate of the probe from which 'probe first' starts.
    """
    net, file = new_net(run), data.train

    def validate(update):
        return {'updates': update, **result(net, utils.RecordIter(data.validation), 'validation')}

    if run.method == 'frozen features':
        train_probe(net, run, data)
        return net, [validate(run.updates)]
    if run.method == 'probe first':
        train_probe(net, run._replace(rate=probe_rate), data)
    if run.method == 'hotdog row':
        set_head(net, *hotdog_head(file))
    if run.method == 'faster head':
        net.output.collect_params().setattr('lr_mult', 10)
    if run.method == 'frozen stages':
        for layer in stages_of(net)[:run.stages]:
            layer.collect_params().setattr('grad_req', 'null')
    if run.pictures:
        file = subset(file, run.pictures, run.seed, folder)
    net.hybridize(static_alloc=True)
    checkpoints = {1: CURVE, 4: CURVE, 6: range(0, run.updates + 1, 2 * STEPS)}.get(run.study, [run.updates])
    return net, fit(net, picture_batches(file, run.seed), loss_of(file), run.rate, run.updates, checkpoints, validate,
                    progress)


def origin():
    """Return the columns that say where, when and on which data a row was measured."""
    model = next((line.split(':')[1].strip() for line in Path('/proc/cpuinfo').read_text().splitlines()
                  if line.startswith('model name')), 'unknown')
    return {'date': datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            'versions': f'mxnet {mx.__version__}, numpy {np.__version__}',
            'hardware': f'{model}, {os.environ.get("OMP_NUM_THREADS", os.cpu_count())} threads', 'data': fingerprint()}


def measure(run, splits, data, folder, probe_rate=None, photos=None, progress=None):
    """Train a network, or load it where it has been trained, and evaluate it on the splits: the rows of the table."""
    file, start, cpu = folder / f'{run.name}.params', time.time(), time.process_time()
    if 'validation' in splits or not file.exists():
        net, found = train(run, data, folder, probe_rate, progress)
        net.save_parameters(f'{file}.tmp')
        os.replace(f'{file}.tmp', file)
    else:
        net, found = utils.new_net(2), []
        net.load_parameters(str(file))
    seconds = {'seconds': round(time.time() - start, 1), 'cpu_seconds': round(time.process_time() - cpu, 1)}
    found = [{**row, **seconds} for row in found] if 'validation' in splits else []
    for split, record_file in (('test', data.test), ('photos', photos)):
        if split in splits:
            found.append({'updates': run.updates, **result(net, utils.RecordIter(record_file), split)})
    return [{**run._asdict(), **row, **origin()} for row in found]


def compare(rows, method, other, split='test'):
    """Compare the balanced accuracy of two methods of study 1 by pairs.

    Gives the mean difference, its 95% interval over seeds with the p-value of the paired t-test, and, where the labels
    are known (not of the photographs), its 95% bootstrap interval over the split's pictures, the networks being given.
    """
    one, two = zip(*zip(study_1(rows, method, split), study_1(rows, other, split)))  # the seeds that both have
    difference = np.array([row['balanced'] for row in one]) - [row['balanced'] for row in two]
    mean, half = interval(difference)
    found = {'difference': mean, 'seeds': (mean - half, mean + half), 'p': stats.ttest_1samp(difference, 0).pvalue}
    if split != 'photos':
        gain = np.subtract(*(np.mean([right_answers(row) for row in group], axis=0) for group in (one, two)))
        labels = utils.labels(getattr(datasets.demo_set(), split))
        over = stats.bootstrap((gain[labels == 0], gain[labels == 1]), mean_of_classes, random_state=0,
                               method='percentile', vectorized=True)
        found['pictures'] = tuple(over.confidence_interval)
    return found


def mean_of_classes(negatives, positives, axis=-1):
    """Return the mean of two classes' means: as with the balanced accuracy, either class counts as much."""
    return (negatives.mean(axis=axis) + positives.mean(axis=axis)) / 2


def study_1(rows, method, split='test'):
    """Return the rows of a method after its last update, one for each seed, with the chosen rate."""
    run = run_of(method)
    return select(final(rows, run, split), rate=chosen_rate(rows, run))


def balanced(rows, run, split='test'):
    """Return the balanced accuracy of each seed after the last update, on a split that the chosen rate alone saw."""
    return [row['balanced'] for row in final(rows, run, split)]


def course(rows, run, rate):
    """Return how a sort of run went on the validation split: {updates: its balanced accuracy for each seed}."""
    found = select(rows, method=run.method, pictures=run.pictures, stages=run.stages, epochs=run.epochs, rate=rate,
                   split='validation')
    return {updates: [row['balanced'] for row in found if row['updates'] == updates]
            for updates in sorted({row['updates'] for row in found})}


def interval(values):
    """Return the mean of a few seeds' values and half the width of its 95% interval, by Student's t."""
    return np.mean(values), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)


def means(groups):
    """Return the mean of each group of {place: values}, to three places."""
    return {place: round(float(np.mean(values)), 3) for place, values in groups.items()}


def in_words(found):
    """Return in a line what `compare` found."""
    return ', '.join([f'{found["difference"]:+.3f}', f'p {found["p"]:.2g}',
                      *(f'{name} {found[name][0]:+.3f} to {found[name][1]:+.3f}'
                        for name in ('seeds', 'pictures') if name in found)])


def strips(series, label):
    """Draw a strip plot of {name: {row: values}}: a mark for each seed, and a bar for the mean's 95% interval."""
    _, axis = plt.subplots()
    for number, (name, groups) in enumerate(series.items()):
        for row, values in enumerate(groups.values()):
            place, (mean, half) = row + 0.3 * number - 0.15 * (len(series) - 1), interval(values)
            axis.plot(values, [place] * len(values), 'o^'[number], color=f'C{number}', alpha=0.6, linestyle='',
                      label=None if row else name)
            axis.errorbar(mean, place, xerr=half, color='black', marker='|', markersize=14, capsize=4, linestyle='')
    axis.set(xlabel=label, yticks=range(len(groups)), yticklabels=groups)
    axis.invert_yaxis()
    if len(series) > 1:
        axis.legend(loc='upper center')


def lines(curves, label, pictures, xscale='linear'):
    """Draw {name: {place: values}}: a line through the means of each curve, and a small mark for each value."""
    _, axis = plt.subplots()
    for name, groups in curves.items():
        drawn, = axis.plot(groups.keys(), means(groups).values(), label=name)
        for place, values in groups.items():
            axis.plot([place] * len(values), values, drawn.get_marker(), color=drawn.get_color(), markersize=3,
                      alpha=0.5)
    axis.set(xlabel=label, ylabel=f'balanced accuracy\n({pictures})', xscale=xscale)
    if len(groups) < 6:
        axis.set_xticks(list(groups), list(groups))
        axis.minorticks_off()
    axis.legend()


def answers(row):
    """Unpack a row's answers, (count,) of 0 and 1, in the order of the split's file."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(row['answers']), 'uint8'))[:row['count']]


def right_answers(row):
    """Return for each picture of a row's split whether the answer is right, (count,); not for the photographs."""
    return answers(row) == utils.labels(getattr(datasets.demo_set(), row['split']))


def complete(rows, photos=None, table=TABLE, limit=None):
    """Make all runs that the table lacks, at most `limit`, and add each to it when it is finished; count them."""
    data, folder = datasets.demo_set(), parameter_folder()
    if len(utils.RecordIter(data.train, BATCH)) != STEPS:
        raise ValueError(f'{data.train} does not hold {STEPS} batches of {BATCH}: set STEPS in hotdog/studies.py')
    if any(row['data'] != fingerprint() for row in rows):
        raise ValueError(f'{table} was measured on another demo data set: remove it and run make evidence again')
    record_file = datasets.folder_set(photos).test if photos else None

    def missing(run, splits):
        done = {row['split'] for row in rows if all(row[name] == value for name, value in run._asdict().items())}
        return [split for split in splits if split not in done and (split != 'photos' or record_file)]

    def choose(run):
        return chosen_rate(rows, run)

    total, made = sum(run.updates for run, _ in plan(lambda run: GRID[0])), 0
    with tqdm(total=total, unit='update', smoothing=0, disable=False) as bar:
        for run, splits in plan(choose):
            bar.set_description(f'study {run.study}, {run.method}, seed {run.seed}')
            todo, at = missing(run, splits), bar.n
            if todo:
                probe_rate = choose(run_of('frozen features')) if run.method == 'probe first' else None
                rows += measure(run, todo, data, folder, probe_rate, record_file, bar)
                write(rows, table)
                made += 1
                bar.update(at + run.updates - bar.n)
            else:
                bar.total -= run.updates  # so that the time left is that of the runs to come
            if made == limit:
                break
    return made


def main():
    """Complete the table; on bad input say in one sentence what is wrong."""
    from book.execute import REPRODUCIBLE
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path, help='also evaluate on photographs: FOLDER/test/{hotdog,not_hotdog}')
    parser.add_argument('--limit', type=int, help='stop after this many runs')
    options = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in REPRODUCIBLE.items()):
        os.environ.update(REPRODUCIBLE)  # the libraries read it when they are loaded: start again
        os.execv(sys.executable, [sys.executable, *sys.argv])
    if utils.source_model != 'squeezenet1_1':
        sys.exit(f'the table is about squeezenet1_1, not {utils.source_model}: unset SOURCE_MODEL')
    try:
        made = complete(read(), options.photos, limit=options.limit or AT_ONCE)
        if made == AT_ONCE and not options.limit:
            os.execv(sys.executable, [sys.executable, *sys.argv])
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('stopped: the finished runs are kept')

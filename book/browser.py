"""Make the network of the page 'Try it': python -m book.browser trains it and writes its weights as a script.

It starts as ImageNet's SqueezeNet with all 1,000 outputs, of which `hotdog` is one class and the other 999 the other.
By Bayes' rule the odds of a hot dog are multiplied by 999 where hot dogs are not one picture in 1,000 but one in two:
log 999 is added to the output's bias, and the threshold is 0.5 without having been fitted to anything. The network is
fine-tuned on the demo set, and lies between start and end in weights (Wortsman et al., arXiv 2109.01903).
"""
import argparse
import base64
import csv
import hashlib
import itertools
import json
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon, nd
from sklearn import metrics
from tqdm import tqdm

from hotdog import batches, classifier, datasets, files, imagenet, records, web

SCRIPT, SAMPLES = web.FOLDER / 'weights.js', web.FOLDER / 'samples.js'
FIGURES = files.DATA / 'try.json'
HOTDOG = imagenet.class_names().index('hotdog')
SHARE, SEEDS = 0.25, (0, 1, 2)  # of the fine-tuned weights in the mixture; of the runs that are averaged
RATE, UPDATES, BATCH = 0.0005, 76, 32
# the pictures to click, in Chinese and English: the exam's, and a dozen of the test split
EXAM = {'real': ('热狗', 'hot dog'), 'leg': ('晒红的腿', 'sunburnt legs'),
        'dog': ('打扮成热狗的狗', 'dog dressed up as a hot dog')}
TEST = {'carrot_in_a_bun-000': ('夹胡萝卜的面包', 'carrot in a bun'), 'cat-000': ('猫', 'cat'),
        'eclair-000': ('闪电泡芙', 'éclairs'), 'rolled_carpet-000': ('卷起的地毯', 'rolled carpets'),
        'sausage_dog-000': ('腊肠犬', 'sausage dog'), 'taco-000': ('墨西哥卷饼', 'tacos'),
        **{f'hot_dog-{number:03}': ('热狗', 'hot dog') for number in (1, 6, 16, 27, 34, 49)}}


def start():
    """Return the parameters of ImageNet's SqueezeNet, its bias of `hotdog` raised by log 999."""
    arrays = classifier.arrays_of(imagenet.pretrained('squeezenet1_1', mx.cpu()))
    arrays[-1][HOTDOG] += np.log(len(arrays[-1]) - 1)
    return arrays


def log_odds(outputs):
    """Return the log odds (n,) of a hot dog for outputs (n, 1000)."""
    others = nd.concat(outputs[:, :HOTDOG], outputs[:, HOTDOG + 1:], dim=1)
    largest = others.max(axis=1, keepdims=True)
    return outputs[:, HOTDOG] - nd.log(nd.exp(others - largest).sum(axis=1)) - largest[:, 0]


def fine_tune(arrays, record_file, seed):
    """Return the parameters after fine-tuning on a RecordIO file; both classes weigh the same in the loss."""
    mx.random.seed(seed)
    net, pictures = classifier.with_arrays(arrays), batches.RecordIter(record_file, BATCH, augment=True)
    pictures.epoch = 1000 * seed  # other views for each seed
    labels = records.labels(record_file)
    weights = nd.array([len(labels) / 2 / (labels == label).sum() for label in (0, 1)])
    schedule = mx.lr_scheduler.CosineScheduler(UPDATES, RATE, warmup_steps=9)
    trainer = gluon.Trainer(net.collect_params(), 'sgd',
                            {'learning_rate': RATE, 'lr_scheduler': schedule, 'momentum': 0.9, 'wd': 1e-4})
    loss = gluon.loss.SigmoidBinaryCrossEntropyLoss()
    endless = itertools.chain.from_iterable(itertools.repeat(pictures))
    for x, y in tqdm(itertools.islice(endless, UPDATES), total=UPDATES, desc=f'seed {seed}'):
        with autograd.record():
            value = loss(log_odds(net(x)), y) * weights.take(y)
        value.backward()
        trainer.step(len(x))
    return classifier.arrays_of(net)


def mixture(record_file):
    """Return the parameters of the page's network: SHARE of the fine-tuned ones' mean, the rest of the start's."""
    first = start()
    tuned = [fine_tune(first, record_file, seed) for seed in SEEDS]
    return [(1 - SHARE) * begin + SHARE * np.mean(ends, axis=0) for begin, *ends in zip(first, *tuned)]


def read_script(file):
    """Return the network that a script holds, and its header."""
    header = json.loads(Path(file).read_text().removeprefix('var Weights = ').rstrip(';\n'))
    numbers, arrays = np.frombuffer(base64.b64decode(header['data']), '<f2').astype('float32'), []
    for outputs, size, _, inputs in header['shapes']:
        weights = outputs * size * size * inputs
        kernel, bias, numbers = np.split(numbers, [weights, weights + outputs])
        arrays += [kernel.reshape(outputs, size, size, inputs).transpose(0, 3, 1, 2), bias]
    return classifier.with_arrays(arrays), header


def samples(record_file):
    """Return the script that holds the pictures to click: the exam's and a dozen of the test split."""
    with open(files.DATA / 'manifest.csv', newline='') as file:
        digests = {row['sha256']: Path(row['file']).stem for row in csv.DictReader(file) if row['split'] == 'test'}
    encoded = {digests[hashlib.sha256(jpeg).hexdigest()]: jpeg for _, jpeg in records.samples(record_file)}
    pictures = [((files.DATA.parent / 'img' / f'{name}_hotdog.jpg').read_bytes(), names)
                for name, names in EXAM.items()] + [(encoded[name], names) for name, names in TEST.items()]
    return 'var Samples = ' + json.dumps([{'zh': names[0], 'en': names[1], 'data': base64.b64encode(jpeg).decode()}
                                          for jpeg, names in pictures], ensure_ascii=False) + ';\n'


def scores(labels, odds):
    """Return AUROC, balanced accuracy at log odds of zero, and both recalls, to three places."""
    positive, negative = (odds[labels == 1] >= 0).mean(), (odds[labels == 0] < 0).mean()
    values = {'pictures': len(labels), 'auroc': metrics.roc_auc_score(labels, odds),
              'balanced_accuracy': (positive + negative) / 2, 'hotdog': positive, 'not_hotdog': negative}
    return {name: round(float(value), 3) if name != 'pictures' else value for name, value in values.items()}


def odds_of(net, pictures):
    """Return the log odds (n,) and labels (n,) of an iterator over batches of pictures and labels."""
    odds, labels = zip(*((log_odds(net(x)).asnumpy(), y.asnumpy()) for x, y in pictures))
    return np.concatenate(odds), np.concatenate(labels)


def measure_photographs(net, folder):
    """Return the `scores` on the photographs FOLDER/{not_hotdog,hotdog}/*, and on those from ImageNet and others."""
    files = [(file, label) for label, name in enumerate(('not_hotdog', 'hotdog')) for file in
             sorted(Path(folder, name).iterdir())]

    groups = [files[first:first + BATCH] for first in range(0, len(files), BATCH)]
    pictures = ((nd.array(np.stack([classifier.read(file) for file, _ in group]).transpose(0, 3, 1, 2)),
                 nd.array([y for _, y in group])) for group in groups)
    odds, labels = odds_of(net, ((classifier.normalised(x.astype('float32')), y) for x, y in pictures))
    known = np.array([file.name.startswith('imagenet_') for file, _ in files])
    return {'all': scores(labels, odds), 'from ImageNet': scores(labels[known], odds[known]),
            'from elsewhere': scores(labels[~known], odds[~known])}


def main():
    """Train, write the script and the figures; with --photos only measure what the script holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path, metavar='FOLDER', help='only measure on FOLDER/{hotdog,not_hotdog}/*')
    options = parser.parse_args()
    data, figures = datasets.demo_set(), json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if options.photos:
        figures['photographs'] = measure_photographs(read_script(SCRIPT)[0], options.photos)
    else:
        class_of = [int(output == HOTDOG) for output in range(1000)]
        SAMPLES.write_text(samples(data.test))
        SCRIPT.write_text(web.script(mixture(data.train), class_of, data.classes, imagenet.class_names()))
        net, _ = read_script(SCRIPT)
        for split in ('validation', 'test'):
            odds, labels = odds_of(net, batches.RecordIter(getattr(data, split)))
            figures[split] = scores(labels, odds)
        figures.pop('photographs', None)  # those of the network before
    FIGURES.write_text(json.dumps(figures, indent=1) + '\n')
    print(FIGURES.read_text(), end='')


if __name__ == '__main__':
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(str(error))

"""Measure what the datasheet of the demo data states: python -m hotdog.measure_data [PHOTOS] [--seeds 3].

It tests the demo set with ImageNet's own hotdog class, trains on it with each method, and tests every trained network
on the demo test split and, where a folder PHOTOS/test/{hotdog,not_hotdog} is given, on its photographs. Only the demo
set is trained and tuned on. The result is a table in Markdown.
"""
import argparse
import random
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import gluon, init, nd
from sklearn.linear_model import LogisticRegression

import utils
from hotdog import datasets

HOTDOG = utils.imagenet.class_names().index('hotdog')


def features_and_logits(source_net, record_file):
    """Return the pooled features (n, 512), the source model's 1,000 logits (n, 1000) and the labels (n,)."""
    found = [(source_net.features(x.as_in_context(mx.cpu())), y) for x, y in utils.RecordIter(record_file)]
    return (np.concatenate([f.mean(axis=(2, 3)).asnumpy() for f, _ in found]),
            np.concatenate([source_net.output(f).asnumpy() for f, _ in found]),
            np.concatenate([y.asnumpy().astype(int) for _, y in found]))


def log_odds(logits):
    """Return the log odds (n, 1) of ImageNet's class hotdog against its other 999."""
    rest = np.delete(logits, HOTDOG, axis=1)
    top = rest.max(axis=1, keepdims=True)
    return logits[:, [HOTDOG]] - top - np.log(np.exp(rest - top).sum(axis=1, keepdims=True))


def trained(data, method, learning_rate, num_epochs, seed):
    """Train a network on the demo set by 'fine-tuning' or 'from scratch', as the chapter does."""
    utils.seed(seed)
    random.seed(seed)
    net, source_net = utils.new_net(2), utils.pretrained_net()
    fine_tuning = method == 'fine-tuning'
    net.features.initialize(init.MSRAPrelu('in', slope=0))
    net.output.initialize(init.Normal(0.01) if fine_tuning else init.MSRAPrelu('in', slope=0))
    if fine_tuning:
        net(nd.zeros((1, 3, 224, 224)))
        for parameter, source in zip(net.features.collect_params().values(),
                                     source_net.features.collect_params().values()):
            parameter.set_data(source.data().copy())
        net.output.collect_params().setattr('lr_mult', 10)
    net.hybridize(static_alloc=True)
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()
    train_iter = utils.RecordIter(data.train, augment=True)
    schedule = mx.lr_scheduler.CosineScheduler(num_epochs * len(train_iter), learning_rate,
                                               warmup_steps=len(train_iter) // 2)
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'lr_scheduler': schedule, 'momentum': 0.9, 'wd': 1e-4})
    utils.train(train_iter, utils.RecordIter(data.validation), net,
                lambda outputs, labels: cross_entropy(outputs, labels) * (1 + 5 * labels) / 6, trainer, mx.cpu(),
                num_epochs)
    return net


def recalls(labels, predicted):
    """Return the shares of hot dogs and of others that are recognised, and their mean (the balanced accuracy)."""
    hot_dogs, others = ((predicted == labels)[labels == label].mean() for label in (1, 0))
    return hot_dogs, others, (hot_dogs + others) / 2


def row(method, *results):
    """Print a line of the table."""
    print(f'| {method} | ' + ' | '.join(f'{value:.3f}' for result in results for value in result) + ' |', flush=True)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('photos', nargs='?', type=Path)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--learning-rate', type=float, default=1e-3)
    parser.add_argument('--epochs', type=int, default=7)
    arguments = parser.parse_args()
    data, source_net = datasets.demo_set(), utils.pretrained_net()
    source_net.hybridize(static_alloc=True)
    tests = [data.test] + ([datasets.folder_set(arguments.photos).test] if arguments.photos else [])
    sets = [features_and_logits(source_net, file) for file in (data.train, data.validation, *tests)]

    logits, labels = (np.concatenate([found[i] for found in sets[:3]]) for i in (1, 2))
    rank = (logits > logits[:, [HOTDOG]]).sum(axis=1)
    print(f'ImageNet SqueezeNet 1.1 on the {len(labels)} demo pictures: hotdog in the top five of '
          f'{(rank < 5)[labels == 1].mean():.3f} of the hot dogs, top one of {(rank < 1)[labels == 0].mean():.3f} '
          'of the others\n')
    print('| method |' + ' demo hot dogs | demo others | demo balanced |'
          + ' photo hot dogs | photo others | photo balanced |' * (len(tests) - 1))
    print('| --- |' + ' --- |' * 3 * len(tests))

    (x, z, y), (x_val, _, y_val) = sets[:2]
    threshold = LogisticRegression(C=100, class_weight='balanced').fit(log_odds(z), y)
    row('head from the hotdog row', *(recalls(labels, threshold.predict(log_odds(z))) for _, z, labels in sets[2:]))
    scale = x.std(axis=0) + 1e-6
    probes = [LogisticRegression(C=c, class_weight='balanced', max_iter=5000).fit(x / scale, y)
              for c in (1e-4, 1e-3, 1e-2, 1e-1)]
    probe = max(probes, key=lambda p: recalls(y_val, p.predict(x_val / scale))[2])
    row('probe on frozen features', *(recalls(labels, probe.predict(x / scale)) for x, _, labels in sets[2:]))
    for method, rate in (('fine-tuning', arguments.learning_rate), ('from scratch', 0.003)):
        for seed in range(arguments.seeds if method == 'fine-tuning' else 1):
            net = trained(data, method, rate, arguments.epochs, seed)
            results = [utils.predict(utils.RecordIter(file), net) for file in tests]
            row(f'{method}, seed {seed}', *(recalls(labels, p.argmax(axis=1)) for p, labels in results))


if __name__ == '__main__':
    main()

"""MXNet's side of the first table of the page 'larger'; `book.larger` starts it and says what to measure."""
import itertools
import sys

import mxnet as mx
from mxnet import autograd, gluon, nd
from mxnet.contrib import amp

from book.larger import SIZE, serve, stretch
from book.worker_mxnet import network
from hotdog import datasets
from hotdog.batches import RecordIter


def updater(net, rate=1e-4):
    """Return a function that updates a network on a batch and waits for the result; it returns the batch's size."""
    loss_function = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': rate, 'momentum': 0.9})

    def update(x, y):
        with autograd.record():
            loss = loss_function(net(x), y)
        loss.backward()
        trainer.step(len(x))
        loss.wait_to_read()
        nd.waitall()
        return len(x)

    return update


def plain():
    """Return a SqueezeNet that runs operator by operator."""
    net = network('squeezenet1_1')
    net.hybridize(False)
    return net


def stream():
    """Yield augmented batches for ever, read by MXNet's own threads."""
    for epoch in itertools.count():
        reader = RecordIter(datasets.demo_set().train, SIZE, augment=True)
        reader.epoch = epoch
        yield from (batch for batch in reader if len(batch[1]) == SIZE)


def flowing(step):
    """Return a measurement of `step(x, y)` on batches as they are read; what lay ready before it does not count."""
    def measure():
        batches = stream()
        for _ in range(3):
            step(*next(batches))
        return stretch(lambda: step(*next(batches)))
    return measure


def variants(number_format):
    """Return {name: function that measures pictures a second}."""
    x, y = next(iter(RecordIter(datasets.demo_set().train, 4 * SIZE)))
    update, name = updater(network('squeezenet1_1')), '' if number_format == 'float32' else ', bfloat16'
    batch = {size: (x[:size].copy(), y[:size].copy()) for size in (SIZE // 4, SIZE, 4 * SIZE)}
    measures = {f'computing{name}': lambda: stretch(lambda: update(*batch[SIZE])),
                f'all together{name}': flowing(update)}
    if name:
        return measures
    eager, net = updater(plain()), network('squeezenet1_1')
    frozen, head = network('squeezenet1_1'), updater(net.output)
    frozen.features.collect_params().setattr('grad_req', 'null')
    through, cached = updater(frozen), net.features(batch[SIZE][0])
    for size in (SIZE // 4, 4 * SIZE):
        measures[f'computing, batch size {size}'] = lambda size=size: stretch(lambda: update(*batch[size]))
    return {**measures, 'reading': flowing(lambda x, y: len(x.asnumpy())),
            'computing, not hybridized': lambda: stretch(lambda: eager(*batch[SIZE])),
            'output layer only': lambda: stretch(lambda: through(*batch[SIZE])),
            'output layer only, cached features': lambda: stretch(lambda: head(cached, batch[SIZE][1]))}


if __name__ == '__main__':
    if sys.argv[1] == 'bfloat16':
        amp.init('bfloat16')
    mx.random.seed(0)
    serve(variants(sys.argv[1]))

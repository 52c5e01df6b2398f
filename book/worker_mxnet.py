"""One of several processes that train a network together with MXNet's KVStore, each on its share of every batch.

    python -m book.launch -n 2 -s 1 python -m book.worker_mxnet FOLDER

starts two workers, one server and a scheduler on this machine; without the launcher, the process trains alone. Each
worker writes FOLDER/RANK.json, its losses and the seconds of each step; with `--resume`, it goes on from the checkpoint
that worker 0 leaves in FOLDER after every step.
"""
import json
import os
import time

import mxnet as mx  # a server or scheduler stays in here until the workers have ended
from mxnet import autograd, gluon, init, nd

from book.larger import RESNET, work
from hotdog import datasets, files, imagenet
from hotdog.batches import RecordIter


def network(name):
    """Return SqueezeNet with its ImageNet weights and a new output layer, or ResNet-18 with random weights."""
    mx.random.seed(0)  # all workers begin with the same weights
    net = imagenet.target_network(name, 2) if name == 'squeezenet1_1' else imagenet.network(name, classes=2)
    net.initialize(init.Xavier())
    if name == 'squeezenet1_1':
        net.features = imagenet.pretrained(name, mx.cpu()).features
        net.features[-1]._rate = 0  # no dropout: its random numbers would differ between workers
    net(nd.zeros((1, 3, 224, 224)))  # only now the parameters have shapes and values
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def train(options):
    """Update the network `steps` times and return the mean losses, one a step, and the seconds that each took."""
    kv = mx.kv.create('dist_sync') if 'DMLC_ROLE' in os.environ else None
    rank, workers = (kv.rank, kv.num_workers) if kv else (0, 1)
    print(f'worker {rank} of {workers}: process {os.getpid()}', flush=True)
    net, loss_function = network(options.network), gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': options.rate, 'momentum': 0.9},
                            kvstore=None)  # the workers update: what a server knew, none of them could save
    parameters = dict(enumerate(p for p in net.collect_params().values() if kv and p.grad_req != 'null'))
    for key, parameter in parameters.items():
        kv.init(key, nd.zeros(parameter.shape))
    checkpoint, done, losses, seconds = options.folder / 'checkpoint', 0, [], []
    if options.resume:
        done = json.loads(checkpoint.with_suffix('.json').read_text())
        net.load_parameters(f'{checkpoint}-{done}.params')
        trainer.load_states(f'{checkpoint}-{done}.states')
    blocks = enumerate(RecordIter(datasets.demo_set().train, options.batch_size))
    for step, (x, y) in ((number // workers, block) for number, block in blocks if number % workers == rank):
        if not done <= step < options.steps:
            continue
        start = time.perf_counter()
        with autograd.record():
            loss = loss_function(net(x), y)
        loss.backward()
        for key, parameter in parameters.items():  # the server adds the gradients of all workers up
            kv.push(key, parameter.grad(), priority=-key)
            kv.pull(key, out=parameter.grad(), priority=-key)
        trainer.step(len(x) * workers)
        losses.append(float(loss.mean().asscalar()))
        nd.waitall()
        seconds.append(time.perf_counter() - start)
        print(f'worker {rank}: step {step}, loss {losses[-1]:.4f}', flush=True)
        if options.checkpoint and rank == 0:
            net.save_parameters(f'{checkpoint}-{step + 1}.params')
            trainer.save_states(f'{checkpoint}-{step + 1}.states')
            with files.replacing(checkpoint.with_suffix('.json')) as path:  # last: now the two files are whole
                path.write_text(str(step + 1))
    return rank, losses, seconds


if __name__ == '__main__':
    work(__doc__, train, RESNET['MXNet'])

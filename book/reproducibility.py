"""Show how far training repeats: the losses of short fine-tuning runs under several settings of the processor.

Each run is a fresh process that fine-tunes on the validation pictures for two epochs. The table compares its losses,
batch by batch, with those of the first run, which has the reference's settings; three such runs must be equal bit by
bit, or the program exits with 1. Takes three minutes on two idle cores.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from book import execute

PATHS = {'AVX2': {}, 'AVX-512': {'DNNL_MAX_CPU_ISA': 'AVX512_CORE', 'OPENBLAS_CORETYPE': 'SkylakeX'},
         "the libraries' choice": {'DNNL_MAX_CPU_ISA': 'ALL', 'OPENBLAS_CORETYPE': ''}}
# what is run: the code path, the threads, the cores
RUNS = [('AVX2', 2, 2), ('AVX2', 2, 2), ('AVX2', 2, 2), ('AVX2', 2, 1), ('AVX2', 1, 2), ('AVX2', 1, 1),
        ('AVX-512', 2, 2), ('AVX-512', 2, 2), ("the libraries' choice", 2, 2)]


def train():
    """Fine-tune for two epochs and return the summed loss of every batch."""
    import mxnet as mx
    from mxnet import gluon

    import utils
    data, losses = utils.load_data(), []
    net, source_net = utils.new_net(2), utils.pretrained_net()  # converting its weights may draw random numbers
    utils.seed(0)
    for parameter, source in zip(net.features.collect_params().values(), source_net.features.collect_params().values()):
        parameter.shape = source.shape
        parameter.initialize()
        parameter.set_data(source.data())
    net.output.initialize(mx.init.Normal(0.01))
    net.hybridize(static_alloc=True)
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()

    def loss(outputs, labels):
        values = cross_entropy(outputs, labels)
        losses.append(values.sum())
        return values

    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.001, 'momentum': 0.9})
    train_iter = utils.RecordIter(data.validation, augment=True)
    utils.train(train_iter, train_iter, net, loss, trainer, mx.cpu(), 2)
    return [float(value.asscalar()) for value in losses]


def run(path, threads, cores):
    """Return the losses of a fresh process with a code path, a number of threads, and bound to so many cores."""
    settings = {**execute.REPRODUCIBLE, **PATHS[path], 'OMP_NUM_THREADS': str(threads)}
    available = sorted(os.sched_getaffinity(0))[:cores]
    result = subprocess.run([sys.executable, __file__, '--train'], capture_output=True, text=True, check=True,
                            env={**os.environ, **{name: value for name, value in settings.items() if value}},
                            preexec_fn=lambda: os.sched_setaffinity(0, available))
    return json.loads(result.stdout.splitlines()[-1])


def main():
    """Print the table; exit with 1 when runs with equal settings differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--train', action='store_true', help='train once, here, and print the losses as JSON')
    if parser.parse_args().train:
        print(json.dumps(train()))
        return
    flags = Path('/proc/cpuinfo').read_text()
    model = next((line.split(': ')[1] for line in flags.splitlines() if line.startswith('model name')), 'unknown')
    wide = 'with' if 'avx512f' in flags else 'without'
    print(f'Processor: {model}, {len(os.sched_getaffinity(0))} cores, {wide} AVX-512\n')
    print('| code path | threads | cores | last loss | largest relative difference to the first run |')
    print('| --- ' * 5 + '|')
    first, equal = {}, True
    for settings in RUNS:
        losses = run(*settings)
        reference = first.setdefault('reference', losses)
        difference = max(abs(a - b) / abs(a) for a, b in zip(reference, losses, strict=True))
        equal &= losses == first.setdefault(settings, losses)
        found = 'none, equal bit by bit' if losses == reference else f'{difference:.1e}'
        print('|', ' | '.join([*map(str, settings), f'{losses[-1]:.9g}', found]), '|', flush=True)
    sys.exit(None if equal else 'Runs with equal settings differ: the numbers of the book cannot be compared')


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()

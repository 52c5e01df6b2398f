"""What MXNet computes on the first 32 validation pictures, which the page `pytorch` compares with PyTorch.

`python -m hotdog.parity` writes it to data/parity.npz: a twentieth of the logits, the loss, and after one update two
of the parameters; a test compares everything.
"""
import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from hotdog import datasets, files, imagenet
from hotdog.batches import RecordIter

FILE = files.DATA / 'parity.npz'


def values():
    """Return the source model's features (32, 512, 13, 13), logits (32, 1000), mean loss, and its weights after SGD.

    The labels, 0 and 1, are taken for ImageNet's; the output layer's rate is ten times the others'; nothing is dropped.
    Not by `record(train_mode=False)`: on a CPU, MXNet 1.9.1 then computes wrong gradients below maximum pooling.
    """
    x, y = next(iter(RecordIter(datasets.demo_set().validation)))
    net = imagenet.pretrained('squeezenet1_1', mx.cpu())
    net.output.collect_params().setattr('lr_mult', 10)
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.001, 'momentum': 0.9, 'wd': 1e-4})
    net.features[-1]._rate = 0  # dropout
    with autograd.record():
        features = net.features(x)
        logits = net.output(features)
        loss = gluon.loss.SoftmaxCrossEntropyLoss()(logits, y)
    loss.backward()
    trainer.step(len(y))
    weights = [parameter.data().asnumpy() for parameter in net.collect_params().values()]
    return {'features': features.asnumpy(), 'logits': logits.asnumpy(), 'loss': loss.mean().asscalar(),
            'weights': weights}


def excerpt(values):
    """Return of `values` what the page compares, {name: array}, parameters by their names in torchvision."""
    return {'logits': values['logits'][:, ::20], 'loss': values['loss'],
            'features.3.squeeze.weight': values['weights'][2], 'classifier.1.bias': values['weights'][-1]}


if __name__ == '__main__':
    np.savez_compressed(FILE, **excerpt(values()))

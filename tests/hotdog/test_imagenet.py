"""The converted ImageNet weights, against a forward pass in NumPy and against photographs."""
import hashlib
import importlib
import os
import pickle
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from mxnet import nd
from numpy.lib.stride_tricks import sliding_window_view

import utils
from hotdog import imagenet

PHOTOS = Path(__file__).parents[2] / 'shared' / 'photos' / 'imagenet_sample'
PICTURE = Path(__file__).parents[1] / 'img' / 'real_hotdog.jpg'


def convolve(x, kernel, bias, stride=1, padding=0):
    """Convolve x (height, width, in) with a kernel (height, width, in, out)."""
    x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    windows = sliding_window_view(x, kernel.shape[:2], axis=(0, 1))[::stride, ::stride]
    return np.tensordot(windows, kernel, axes=([3, 4, 2], [0, 1, 2])) + bias.reshape(-1)


def pool(x):
    """Take the maximum over 3 x 3 windows, two apart, the last one cut (Gluon's ceil_mode)."""
    height, width = (-(-(n - 3) // 2) * 2 + 3 for n in x.shape[:2])
    x = np.pad(x, ((0, height - x.shape[0]), (0, width - x.shape[1]), (0, 0)), constant_values=-np.inf)
    return sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max(axis=(3, 4))


def squeezenet(weights, x):
    """Run SqueezeNet 1.1 with the packaged weights on a picture (height, width, BGR less its mean)."""
    def relu(x):
        return np.maximum(x, 0)
    x = pool(relu(convolve(x, *weights['conv1'], stride=2)))
    for number in range(2, 10):
        fire = {part: weights[f'fire{number}/{part}'] for part in ('squeeze1x1', 'expand1x1', 'expand3x3')}
        x = relu(convolve(x, *fire['squeeze1x1']))
        x = relu(np.concatenate([convolve(x, *fire['expand1x1']), convolve(x, *fire['expand3x3'], padding=1)], axis=2))
        if number in (3, 5):
            x = pool(x)
    return relu(convolve(x, *weights['conv10'])).mean(axis=(0, 1))


def test_the_weights_are_there_before_the_first_picture():
    utils.seed(3)
    net = utils.pretrained_net()
    assert sum(parameter.data().size for parameter in net.collect_params().values()) == 1_235_496
    number = nd.random.uniform().asscalar()
    utils.seed(3)
    assert nd.random.uniform().asscalar() == number  # loading draws no random numbers


def test_gluon_agrees_with_a_forward_pass_in_numpy():
    pixels = utils.read_picture(PICTURE)
    weights = imagenet.read_weights(imagenet._weights_file())
    expected = squeezenet(weights, pixels.asnumpy()[:, :, ::-1] - imagenet.BGR_MEAN)
    found = utils.pretrained_net()(utils.normalise(pixels))[0].asnumpy()
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert found.argmax() == 934 == imagenet.class_names().index('hotdog')
    assert imagenet.class_names()[713] == 'photocopier'


@pytest.mark.skipif(not PHOTOS.exists(), reason='the photographs for checking are not here')
def test_top_1_accuracy_on_photographs():
    net, files = utils.pretrained_net(), sorted(PHOTOS.iterdir())
    net.hybridize(static_alloc=True)
    batches = [nd.concat(*(utils.normalise(utils.read_picture(file)) for file in files[i:i + 50]), dim=0)
               for i in range(0, 1000, 50)]
    predicted = np.concatenate([net(batch).asnumpy().argmax(axis=1) for batch in batches])
    assert (predicted == np.arange(1000)).mean() >= 0.58


class Malicious:
    """Call a function when it is unpickled by a careless reader."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


ATTACKS = {
    'a method': lambda trace: Malicious(Path.touch, trace),
    'a shell': lambda trace: Malicious(os.system, f'touch {trace}'),
    'eval': lambda trace: Malicious(eval, f'open({str(trace)!r}, "w")'),
    'in an array': lambda trace: np.array([Malicious(os.system, f'touch {trace}')], dtype=object),
    'as a key': lambda trace: {Malicious(os.system, f'touch {trace}'): 1},
    'an import': lambda trace: Malicious(importlib.import_module, 'antigravity')}


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('attack', ATTACKS)
def test_a_pickle_that_runs_code_is_refused(tmp_path, attack, protocol):
    path, trace = tmp_path / 'weights.pkl', tmp_path / 'trace'
    content = pickle.dumps({'conv1': ATTACKS[attack](trace)}, protocol)
    path.write_bytes(content)
    with pytest.raises(ValueError, match='holds more than arrays'):
        imagenet.read_weights(path, hashlib.sha256(content).hexdigest())
    assert not trace.exists() and 'antigravity' not in sys.modules
    if attack != 'an import':  # the attack is one: Python's own reader falls for it
        pickle.loads(content)
        assert trace.exists()


@pytest.mark.parametrize('content', [  # ways around the name of a class: a dotted name, an attribute, an extension
    b'\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.', b'cnumpy\ncore.os.system\n(S"true"\ntR.',
    b'cbuiltins\ngetattr\n.', b'\x80\x02\x82\x01.', b'cnumpy\nload\n(S"weights.pkl"\nI00\nI01\ntR.',
    b'cnumpy.core.multiarray\nscalar\n.', b'ios\nsystem\n(S"true"\n.'])
def test_a_pickle_finds_no_way_around(tmp_path, content):
    path = tmp_path / 'weights.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='holds more than arrays'):
        imagenet.read_weights(path, hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize('number', [b'r\x00\x00\x00\x20', b'p536870912\n'])
def test_a_pickle_cannot_take_all_memory(tmp_path, number):
    """Python's own reader in C would make room for all objects up to the number: 8 GB."""
    path, content = tmp_path / 'weights.pkl', b'\x80\x02}' + number + b'.'
    path.write_bytes(content)
    tracemalloc.start()
    assert imagenet.read_weights(path, hashlib.sha256(content).hexdigest()) == {}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_another_file_is_refused(tmp_path):
    path = tmp_path / 'weights.pkl'
    path.write_bytes(pickle.dumps({'conv1': [np.zeros(3)]}))
    with pytest.raises(ValueError, match='install ndf 0.1.4 again'):
        imagenet.read_weights(path)

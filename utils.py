"""What the notebooks share: the settings, the devices, the data, the networks, training and evaluation.

Change a setting here and every notebook follows; so do the environment variables of the same names in capitals.
"""
import os
import time

import matplotlib.pyplot as plt
import mxnet as mx
import numpy as np
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn
from sklearn import metrics
from tqdm.auto import tqdm

from hotdog import datasets, imagenet, parameters
from hotdog.batches import MEAN, STD, RecordIter  # noqa: F401 (the pages say utils.RecordIter, and so on)
from hotdog.datasets import CACHE, SPLITS, demo_set, labels, pictures  # noqa: F401
from hotdog.imagenet import class_names  # noqa: F401

demo = os.environ.get('DEMO', '').lower() not in ('0', 'false')  # False: the published data set, 690 MB to download
photos = os.environ.get('PHOTOS') or None  # a folder of your own, train/CLASS/*.jpg and test/CLASS/*.jpg; from this one
source_model = os.environ.get('SOURCE_MODEL') or 'squeezenet1_1'  # or 'resnet18_v2' (45 MB to download)


def try_gpu():
    """Return the first GPU if MXNet can compute on it, else the CPU."""
    return try_all_gpus()[0]


def try_all_gpus():
    """Return every GPU that MXNet can compute on, or `[cpu()]`: each one is tried with a small array."""
    devices = []
    for i in range(mx.context.num_gpus()):
        try:
            nd.ones(1, ctx=mx.gpu(i)).asnumpy()
            devices.append(mx.gpu(i))
        except mx.MXNetError:
            print(f'GPU {i} is there, but this build of MXNet cannot use it')
    return devices or [mx.cpu()]


def seed(number):
    """Fix MXNet's and NumPy's random numbers."""
    mx.random.seed(number)
    np.random.seed(number)


def load_data():
    """Return the data set that the settings choose (section 'The data set'); see `datasets.DataSet`."""
    if photos:
        return datasets.folder_set(datasets.HERE.parent / os.path.expanduser(photos))
    return datasets.demo_set() if demo else datasets.published_set()


def read_picture(file):
    """Read a picture as the network sees it: RGB, short side 256, the middle 224 x 224 pixels, uint8."""
    pixels = np.asarray(datasets.read_picture(file))
    return mx.image.center_crop(nd.array(pixels, dtype='uint8'), (224, 224))[0]


def denormalise(x):
    """Turn one normalised picture (3, height, width) back into RGB pixels (height, width, 3), uint8."""
    pixels = x.asnumpy().transpose(1, 2, 0) * STD + MEAN
    return pixels.round().clip(0, 255).astype('uint8')


def show_pictures(pictures, titles=None, columns=8):
    """Plot pictures (arrays of height, width, 3) in a grid, with their titles."""
    rows = -(-len(pictures) // columns)
    size = 9 / columns
    _, axes = plt.subplots(rows, columns, figsize=(9, rows * size * (1.2 if titles else 1)), squeeze=False)
    for axis in axes.flat:
        axis.axis('off')
    for i, (axis, picture) in enumerate(zip(axes.flat, pictures)):
        axis.imshow(picture)
        axis.set_title(titles[i] if titles else '', fontsize=8)


def parameter_file(name, must_exist=False):
    """Return the path under which a trained network's parameters are kept for these settings.

    Raises FileNotFoundError or ValueError when the file must exist, and does not or is damaged.
    """
    data = load_data()
    path = datasets.CACHE / f'{name}-{source_model}-{data.name}.params'
    if must_exist:
        parameters.check(path, new_net(len(data.classes)))
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def normalise(pixels):
    """Turn RGB pixels (height, width, 3) of 0 to 255 into a normalised batch of one, (1, 3, height, width)."""
    x = (pixels.astype('float32') - nd.array(MEAN)) / nd.array(STD)
    return x.transpose((2, 0, 1)).expand_dims(0)


def pretrained_net(ctx=mx.cpu()):
    """Return the source model with its ImageNet weights (1,000 outputs).

    Raises ConnectionError when the model zoo's weights cannot be fetched, and ValueError when it has no such model.
    """
    try:
        return imagenet.pretrained(source_model, ctx, datasets.DOWNLOADS)
    except ConnectionError as error:
        raise ConnectionError(f"{error}, or set source_model = 'squeezenet1_1' in utils.py") from None


def new_net(num_classes):
    """Return an uninitialised network like the source model with `num_classes` outputs.

    SqueezeNet's own output layer ends in a ReLU on the logits; with few classes both logits may die at zero for good,
    so the new one goes without.
    """
    net = imagenet.network(source_model, classes=num_classes)
    if source_model.startswith('squeezenet'):
        net.output = nn.HybridSequential()
        net.output.add(nn.Conv2D(num_classes, kernel_size=1), nn.GlobalAvgPool2D(), nn.Flatten())
    return net


def predict(data_iter, net, ctx=mx.cpu()):
    """Return the probabilities (n, classes) and labels (n,) of all pictures."""
    probabilities, labels = [], []
    for data, label in data_iter:
        probabilities.append(nd.softmax(net(data.as_in_context(ctx))).asnumpy())
        labels.append(label.asnumpy().astype(int))
    return np.concatenate(probabilities), np.concatenate(labels)


def scores(labels, predicted):
    """Return accuracy, precision, recall and F1, to three places: of class 1 of two, or the mean of more classes."""
    average = 'binary' if max(labels.max(), predicted.max()) < 2 else 'macro'
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(labels, predicted, average=average,
                                                                       zero_division=0)
    found = {'accuracy': (labels == predicted).mean(), 'precision': precision, 'recall': recall, 'f1': f1}
    return {name: round(float(value), 3) for name, value in found.items()}


def evaluate(data_iter, net, ctx=mx.cpu()):
    """Return the network's accuracy, precision, recall and F1 on all pictures of the iterator."""
    probabilities, labels = predict(data_iter, net, ctx)
    return scores(labels, probabilities.argmax(axis=1))


def train(train_iter, val_iter, net, loss, trainer, ctx, num_epochs):
    """Train on one device or a list of devices; print a line an epoch and return the history, a list of values a name.

    `loss(outputs, labels)` gives one value a picture. Ctrl-C stops early and keeps the history. Raises
    FloatingPointError when the loss is not finite, naming epoch and batch, and MemoryError.
    """
    devices = list(ctx) if isinstance(ctx, (list, tuple)) else [ctx]
    history = {name: [] for name in ('loss', 'train_accuracy', 'accuracy', 'precision', 'recall', 'f1', 'rate')}
    try:
        for epoch in range(1, num_epochs + 1):
            start, total, correct, count = time.time(), 0.0, 0, 0
            batches = tqdm(train_iter, desc=f'epoch {epoch}', unit='batch', leave=False,
                           disable=datasets.QUIET)
            for number, (data, label) in enumerate(batches, 1):
                batch_loss, batch_correct, real = _step(data, label, net, loss, trainer, devices)
                if not np.isfinite(batch_loss):
                    raise FloatingPointError(f'the loss is {batch_loss} in epoch {epoch}, batch {number}: '
                                             'choose a smaller learning_rate')
                total, correct, count = total + batch_loss, correct + batch_correct, count + real
            rate = count / (time.time() - start)
            values = {'loss': total / count, 'train_accuracy': correct / count,
                      **evaluate(val_iter, net, devices[0]), 'rate': rate}
            for name, value in values.items():
                history[name].append(float(value))
            print(f'epoch {epoch}: loss {total / count:.3f}, train acc {correct / count:.3f}, val acc '
                  f'{values["accuracy"]:.3f}, precision {values["precision"]:.3f}, recall {values["recall"]:.3f}, '
                  f'{rate:.0f} images/s')
    except mx.MXNetError as error:
        if 'out of memory' in str(error) or 'bad_alloc' in str(error):
            raise MemoryError(f'{devices[0]} has too little memory: choose a smaller batch_size') from None
        raise
    except KeyboardInterrupt:
        print(f'stopped after {len(history["loss"])} epochs')
    return history


def _step(data, label, net, loss, trainer, devices):
    """Update the network on one batch; return the summed loss, the number of right answers and of pictures."""
    size, spare = len(data), max(0, len(devices) - len(data))
    weight = nd.array([1] * size + [0] * spare)  # a device without a picture gets one that counts nothing
    if spare:
        data, label = (nd.concat(part, *[part[:1]] * spare, dim=0) for part in (data, label))
    data, label, weight = (gluon.utils.split_and_load(part, devices, even_split=False)
                           for part in (data, label, weight))
    with autograd.record():
        outputs = [net(x) for x in data]
        losses = [loss(out, y) * w for out, y, w in zip(outputs, label, weight)]
    autograd.backward(losses)
    trainer.step(size)
    correct = sum(float(((out.argmax(axis=1) == y) * w).sum().asscalar())
                  for out, y, w in zip(outputs, label, weight))
    return sum(float(part.sum().asscalar()) for part in losses), correct, size

"""What the notebooks share: the settings, the devices, the data and the networks; training is in hotdog/training.py.

Change a setting here and every notebook follows; so do the environment variables of the same names in capitals.
"""
import os
import warnings

import matplotlib.pyplot as plt
import mxnet as mx
import numpy as np
from matplotlib import font_manager
from mxnet import nd

from hotdog import classifier, datasets, imagenet
from hotdog.batches import MEAN, STD, RecordIter
from hotdog.classifier import load as load_classifier
from hotdog.classifier import trained
from hotdog.datasets import CACHE, DATA, SPLITS, demo_set, table, used
from hotdog.examine import doubtful, interval, learning_curve, out_of_fold, shortcuts
from hotdog.imagenet import class_names
from hotdog.records import labels, pictures
from hotdog.takeaway import place as taken_away
from hotdog.takeaway import write as take_away
from hotdog.training import evaluate, predict, ranking_scores, scores, train

__all__ = ['CACHE', 'MEAN', 'SPLITS', 'STD', 'RecordIter', 'class_names', 'demo_set', 'doubtful', 'evaluate',
           'interval', 'labels', 'learning_curve', 'load_classifier', 'out_of_fold', 'pictures', 'predict',
           'ranking_scores', 'scores', 'shortcuts', 'table', 'take_away', 'taken_away', 'train', 'trained',
           'used']  # what this module passes on

# class names may be Chinese, which the book's own font has not
CHINESE_FONTS = {'Noto Sans CJK JP', 'Noto Sans CJK SC', 'WenQuanYi Zen Hei', 'Microsoft YaHei', 'PingFang SC'}
plt.rcParams['font.family'] = ['DejaVu Sans', *sorted(CHINESE_FONTS & set(font_manager.get_font_names()))]
warnings.filterwarnings('ignore', 'Glyph .* missing')

demo = os.environ.get('DEMO', '').lower() not in ('0', 'false')  # False: the published data set, 690 MB to download
photos = os.environ.get('PHOTOS') or None  # a folder of your own (from this one), CLASS/* or {train,test}/CLASS/*
source_model = os.environ.get('SOURCE_MODEL') or 'squeezenet1_1'  # or 'resnet18_v2' (45 MB to download)


def try_gpu():
    """Return the first GPU if MXNet can compute on it, else the CPU."""
    return try_all_gpus()[0]


def try_all_gpus():
    """Return every GPU that MXNet can compute on, or `[cpu()]`: each one is tried with a small array."""
    devices, unusable = [], []
    for i in range(mx.context.num_gpus()):
        try:
            nd.ones(1, ctx=mx.gpu(i)).asnumpy()
            devices.append(mx.gpu(i))
        except mx.MXNetError:
            unusable.append(i)
    if unusable:
        print(f'GPU {unusable} cannot be used: MXNet 1.9.1 has code for compute capability 5.0 to 8.6 only; '
              'the page pytorch runs on newer ones')
    return devices or [mx.cpu()]


def seed(number):
    """Fix MXNet's and NumPy's random numbers."""
    mx.random.seed(number)
    np.random.seed(number)


def load_data():
    """Return the data set that the settings choose, a `datasets.DataSet` (section 'The data set')."""
    if photos:
        return datasets.folder_set(DATA.parent / os.path.expanduser(photos))
    return demo_set() if demo else datasets.published_set()


def read_picture(file):
    """Return a picture as the network sees it, RGB pixels (224, 224, 3), uint8: short side 256, then its middle."""
    return nd.array(classifier.read(file), dtype='uint8')


def normalise(pixels):
    """Return RGB pixels (height, width, 3) of 0 to 255 as a normalised batch of one, (1, 3, height, width)."""
    return classifier.normalised(pixels.astype('float32').transpose((2, 0, 1)).expand_dims(0))


def denormalise(x):
    """Return the RGB pixels (height, width, 3), uint8, of one normalised picture (3, height, width)."""
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


def show_activation(model, pictures):
    """Plot pictures (256 or more pixels high and wide) with the activation map of a classifier over their middle.

    Red speaks for the predicted class, blue for the next; the title names both.
    """
    crops = [classifier.middle(picture) for picture in pictures]
    _, axes = plt.subplots(1, len(crops), figsize=(9, 9 / len(crops) * 1.2), squeeze=False)
    for axis, crop, (first, second, activation) in zip(axes.flat, crops, model.activations(crops)):
        largest = abs(activation).max()
        axis.imshow(crop)
        axis.imshow(activation, cmap='RdBu_r', vmin=-largest, vmax=largest, alpha=0.5, extent=classifier.MAP)
        axis.set(xlim=(0, 224), ylim=(224, 0))
        axis.set_title(f'{first} / {second}', fontsize=8)
        axis.axis('off')


def pretrained_net(ctx=mx.cpu()):
    """Return the source model with its ImageNet weights (1,000 outputs). Raises as `imagenet.pretrained` does."""
    return imagenet.pretrained(source_model, ctx)


def new_net(num_classes):
    """Return an uninitialised network like the source model with `num_classes` outputs, without a ReLU on them."""
    return imagenet.target_network(source_model, num_classes)


def parameter_file(name, must_exist=False):
    """Return the path under which a trained network's parameters are kept for these settings.

    When the file must exist and you have trained none, it is the network that comes with the book. Raises
    FileNotFoundError when the book has none for these settings, and ValueError when your file is damaged.
    """
    settings = f'{source_model}-{load_data().name}'
    path = CACHE / f'{name}-{settings}.params'
    if must_exist and not path.exists():
        if settings != 'squeezenet1_1-demo' or not (DATA / f'{name}.params').exists():
            raise FileNotFoundError(f'{path} is not there yet: run the notebook training first, with the same settings')
        path = DATA / f'{name}.params'
    if must_exist:
        try:
            nd.load(str(path))
        except mx.MXNetError:
            raise ValueError(f'{path} is damaged: run the notebook training again') from None
    return str(path)

"""What the notebooks share: the settings, the devices, the data and the networks; training is in hotdog/training.py.

Change a setting here and every notebook follows; so do the environment variables of the same names in capitals.
"""
import os
import tempfile
import warnings

import matplotlib.pyplot as plt
import mxnet as mx
import numpy as np
from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from matplotlib import figure, font_manager
from matplotlib_inline import backend_inline  # noqa: F401 (it chooses a picture's formats when it is imported)
from mxnet import nd

from hotdog import classifier, datasets, imagenet, records
from hotdog.batches import MEAN, STD, RecordIter
from hotdog.classifier import features, trained
from hotdog.classifier import load as load_classifier
from hotdog.datasets import CACHE, DATA, SPLITS, counts, demo_set, table, used
from hotdog.examine import doubtful, interval, learning_curve, out_of_fold, shortcuts
from hotdog.imagenet import class_names
from hotdog.records import labels, pictures
from hotdog.takeaway import place as taken_away
from hotdog.takeaway import write as take_away
from hotdog.training import compare, evaluate, fit, predict, ranking_scores, scores, train

__all__ = ['CACHE', 'MEAN', 'SPLITS', 'STD', 'RecordIter', 'class_names', 'compare', 'counts', 'demo_set', 'doubtful',
           'evaluate', 'features', 'fit', 'interval', 'labels', 'learning_curve', 'load_classifier', 'out_of_fold',
           'pictures', 'predict', 'ranking_scores', 'scores', 'shortcuts', 'table', 'take_away', 'taken_away', 'train',
           'trained', 'used']  # what this module passes on

# class names may be Chinese, which the book's own font has not
CHINESE_FONTS = {'Noto Sans CJK JP', 'Noto Sans CJK SC', 'WenQuanYi Zen Hei', 'Microsoft YaHei', 'PingFang SC'}
plt.rcParams['font.family'] = ['DejaVu Sans', *sorted(CHINESE_FONTS & set(font_manager.get_font_names()))]
warnings.filterwarnings('ignore', 'Glyph .* missing')


def drawing(chart):
    """Return a figure as SVG, whose labels the book's editions translate, or None where it shows pictures."""
    pixels = any(axis.images for axis in chart.axes)
    return None if pixels else print_figure(chart, 'svg', metadata={'Date': None})


if get_ipython():  # notebooks hold it beside the pixels
    get_ipython().display_formatter.formatters['image/svg+xml'].for_type(figure.Figure, drawing)

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


def augmented(record_file, count=8):
    """Return the first positive of a record file and `count` augmented views of it, RGB arrays."""
    sample = next(sample for sample in records.samples(record_file) if sample[0] == 1)
    with tempfile.TemporaryDirectory() as folder:
        records.write(f'{folder}/one.rec', count * [sample])
        x, _ = next(iter(RecordIter(f'{folder}/one.rec', count, augment=True)))
        return [pictures(f'{folder}/one.rec', 1)[0][0], *map(denormalise, x)]


def show_pictures(pictures, titles=None, columns=8):
    """Plot pictures (arrays of height, width, 3) in a grid, with their titles."""
    rows = -(-len(pictures) // columns)
    size = 9 / columns
    _, axes = plt.subplots(rows, columns, figsize=(9, rows * size * (1.2 if titles else 1)), squeeze=False)
    for axis in axes.flat:
        axis.axis('off')
    for i, (axis, picture) in enumerate(zip(axes.flat, pictures)):
        axis.imshow(picture)
        axis.set_title(titles[i] if titles else '', fontsize=8 if columns > 4 else 10)


def show_history(history):
    """Plot the training loss and the validation AUROC over the epochs; `history` is {method: what `train` returned}."""
    _, axes = plt.subplots(1, 2, figsize=(9, 3.2))
    for axis, name, title in zip(axes, ('loss', 'auroc'), ('training loss', 'validation AUROC')):
        for method, values in history.items():
            axis.plot(range(1, len(values[name]) + 1), values[name], label=method)
        axis.set(xlabel='epoch', ylabel=title)
    axes[1].axhline(0.5, color='gray', linewidth=1)  # guessing
    axes[0].legend()


def show_activation(model, pictures):
    """Plot pictures (256 or more pixels high and wide) in grey with the activation map of a classifier over them.

    Red speaks for the predicted class, blue for the next; the title names both.
    """
    crops = [classifier.middle(picture) for picture in pictures]
    _, axes = plt.subplots(1, len(crops), figsize=(9, 9 / len(crops) * 1.2), squeeze=False)
    for axis, crop, (first, second, activation) in zip(axes.flat, crops, model.activations(crops)):
        largest = abs(activation).max()
        axis.imshow(crop.mean(axis=2), cmap='gray')
        axis.imshow(activation, cmap='RdBu_r', vmin=-largest, vmax=largest, alpha=0.5, extent=classifier.MAP)
        axis.set(xlim=(0, 224), ylim=(224, 0))
        axis.set_title(f'{first} / {second}', fontsize=8)
        axis.axis('off')


def pretrained_net(ctx=mx.cpu()):
    """Return the source model with its ImageNet weights (1,000 outputs). Raises as `imagenet.pretrained` does."""
    return imagenet.pretrained(source_model, ctx)


def new_net(num_classes, batch_norm=False):
    """Return an uninitialised network like the source model with `num_classes` outputs (`imagenet.target_network`)."""
    return imagenet.target_network(source_model, num_classes, batch_norm)


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


def fine_tuned():
    """Return the network that the page `training` saved, a `classifier.Classifier`; raises as `parameter_file` does."""
    classes = load_data().classes
    net = new_net(len(classes))
    net.load_parameters(parameter_file('fine_tuned', must_exist=True))
    return classifier.Classifier(net, classes, {})

"""Write what a reader takes away of a classifier: the network in three forms, a card, and the lists behind its figures.
"""
import re
import shutil
import tempfile
from datetime import date
from pathlib import Path

import mxnet as mx
import numpy as np
import onnxruntime
from mxnet import gluon, nd

from hotdog import classifier, datasets, examine, files, records, training, web
from hotdog.batches import RecordIter

TOLERANCE = 1e-4  # of a probability, between MXNet and onnxruntime
CARD = """# {classes}

From SqueezeNet 1.1's ImageNet weights / 由ImageNet预训练的SqueezeNet 1.1得到。{date}.

| | |
| --- | --- |
| classes 类别 | {classes} |
| pictures for training, validation, test 训练、验证、测试图片 | {counts} |
| test accuracy 测试准确率 | {accuracy:.3f}, 95% interval 置信区间 {low:.3f}–{high:.3f} |
| recall of each class 各类查全率 | {recalls} |
| share of fine-tuning in the weights 微调在权重里的份额 | {share:g} |
| left out 未用的图片 | {left_out} (`pictures.csv`) |

The figures hold for pictures like those of the test split, from the same source. Every picture gets one of these
classes, even a picture of something else. Do not use it where a mistake does harm.

这些数字只对与测试集同源的图片成立。任何图片都会被归入上述某一类，哪怕画的是别的东西。出错会造成伤害的地方请勿使用。

| file 文件 | |
| --- | --- |
| `classifier.html` | classifies pictures in a browser, without a network 在浏览器里分类，不需要网络 |
| `model.onnx` | input `data` (n, 3, 224, 224), RGB 0–255; output 输出 (n, {number}), probabilities 各类概率 |
| `model.params`, `model.json` | for Gluon and `make predict` 供Gluon和`make predict`使用 |
| `predictions.csv` | the answers to the test pictures 测试图片的预测 |

Reading of a picture 读图片的方法：upright (EXIF), RGB, shorter side to 256 pixels (Pillow, bicubic), the middle
224 × 224; `model.onnx` normalises by itself.
"""


class _Whole(gluon.HybridBlock):
    """A classifier with the normalisation before it and the softmax behind it."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def hybrid_forward(self, F, x):
        return F.softmax(self.net(classifier.normalised(x, F)))


def export_onnx(net, path, pictures):
    """Write a network as ONNX and compare its answers to pixels (n, 3, 224, 224) with MXNet's.

    Raises RuntimeError when they differ by more than TOLERANCE.
    """
    whole = _Whole(net)
    whole.hybridize()
    right = whole(nd.array(pictures)).asnumpy()
    with tempfile.TemporaryDirectory() as folder:
        whole.export(f'{folder}/model')
        mx.onnx.export_model(f'{folder}/model-symbol.json', f'{folder}/model-0000.params', [(1, 3, 224, 224)],
                             np.float32, str(path), dynamic=True, dynamic_input_shapes=[(None, 3, 224, 224)])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # MXNet's exporter leaves weights among the inputs, which is only slower
    session = onnxruntime.InferenceSession(str(path), options)
    difference = np.abs(session.run(None, {'data': pictures.astype('float32')})[0] - right).max()
    if difference > TOLERANCE:
        raise RuntimeError(f'{path} answers otherwise than MXNet, by {difference:.2g}')


def place(parent, data):
    """Return the folder, parent/NAME, to which a data set's classifier goes: NAME is that of the photographs' folder.
    """
    return Path(parent) / re.sub('-[0-9a-f]{8}$', '', data.name)


def write(parent, data, trained):
    """Write everything to the folder `place`, in place of what was written there before, and return it.

    `predictions.csv` in it has the columns `file`, `class`, `predicted`, and the probability of each class. Raises
    FileExistsError when there is a folder of that name with other things in it.
    """
    folder = place(parent, data)
    if folder.exists() and not (folder / classifier.DESCRIPTION).exists():
        raise FileExistsError(f'{folder} is there and holds no classifier: move it away')
    probabilities, labels = training.predict(RecordIter(data.test), trained.net)
    test = datasets.used(data).query("split == 'test'").reset_index(drop=True)
    predictions = test[['file', 'class']].assign(predicted=np.array(trained.classes)[probabilities.argmax(axis=1)])
    for number, name in enumerate(trained.classes):
        predictions[f'p {name}'] = probabilities[:, number].round(4)
    pixels = [classifier.middle(picture) for picture, _ in records.pictures(data.test, 8)]
    with files.replacing(folder) as part:
        part.mkdir()
        classifier.save(trained, part)
        export_onnx(trained.net, part / 'model.onnx', np.stack(pixels).transpose(0, 3, 1, 2).astype('float32'))
        card = _card(data, trained, probabilities.argmax(axis=1) == labels, labels)
        (part / 'CARD.md').write_text(card)
        (part / 'classifier.html').write_text(web.page(trained.net, trained.classes, ' / '.join(trained.classes),
                                                       card.split('\n\n')[1]))
        predictions.to_csv(part / 'predictions.csv', index=False, errors='surrogateescape')
        if datasets.is_folder(data):
            shutil.copy(data.train.parent / 'pictures.csv', part)
    return folder


def _card(data, trained, is_right, labels):
    """Return the card of a classifier, Markdown; `is_right` and `labels` (n,) are of the test pictures."""
    used = datasets.used(data)
    low, high = examine.interval(is_right.sum(), len(is_right))
    return CARD.format(
        classes=', '.join(trained.classes), share=trained.description['share'], date=date.today(),
        counts=', '.join(str((used.split == split).sum()) for split in datasets.SPLITS), accuracy=is_right.mean(),
        low=low, high=high, left_out=len(datasets.table(data)) - len(used), number=len(trained.classes),
        recalls=', '.join(f'{name} {is_right[labels == label].mean():.3f}'
                          for label, name in enumerate(trained.classes)))

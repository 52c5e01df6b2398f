"""Train networks, let them predict, and mark their answers."""
import time

import mxnet as mx
import numpy as np
import pandas as pd
from mxnet import autograd, gluon, lr_scheduler, nd
from sklearn import metrics
from tqdm import tqdm

from hotdog import imagenet, records
from hotdog.batches import RecordIter


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
    values = metrics.precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)
    names = ('accuracy', 'precision', 'recall', 'f1')
    return {name: round(float(value), 3) for name, value in zip(names, ((labels == predicted).mean(), *values))}


def ranking_scores(labels, predicted, probabilities):
    """Return `scores` with the balanced accuracy and the AUROC (of more than two classes, the mean of one-vs-rest).

    `probabilities` (n, classes), or a score of class 1 (n,), rank the pictures. Where a class has no picture, the AUROC
    is not defined, and given as nan.
    """
    classes = 2 if probabilities.ndim == 1 else probabilities.shape[1]
    if probabilities.ndim == 2 and probabilities.shape[1] == 2:
        probabilities = probabilities[:, 1]
    is_defined = len(np.unique(labels)) == classes
    auroc = metrics.roc_auc_score(labels, probabilities, multi_class='ovr') if is_defined else np.nan
    return {**scores(labels, predicted), 'auroc': round(float(auroc), 3),
            'balanced_accuracy': round(float(metrics.balanced_accuracy_score(labels, predicted)), 3)}


def evaluate(data_iter, net, ctx=mx.cpu()):
    """Return the network's accuracy, precision, recall, F1, balanced accuracy and AUROC on all pictures."""
    probabilities, labels = predict(data_iter, net, ctx)
    return ranking_scores(labels, probabilities.argmax(axis=1), probabilities)


def compare(data, names, nets, source_net, ctx=mx.cpu(), source_class='hotdog'):
    """Return the test marks of networks and of two baselines that train nothing, a DataFrame, a row for each.

    The baselines are class 0 for everything, and the source model's log-odds of one of its classes, with the threshold
    at which the recalls of both classes add up to most on the training pictures. Columns: accuracy, balanced_accuracy,
    auroc.
    """
    score, y = source_scores(data.train, source_net, ctx, source_class)
    false_alarms, recall, thresholds = metrics.roc_curve(y, score)
    threshold = thresholds[(recall - false_alarms).argmax()]
    score, y = source_scores(data.test, source_net, ctx, source_class)
    marks = {f'always {data.classes[0]}': ranking_scores(y, 0 * y, 0 * y),
             'source model, threshold': ranking_scores(y, (score > threshold).astype(int), score),
             **{name: evaluate(RecordIter(data.test), net, ctx) for name, net in zip(names, nets)}}
    return pd.DataFrame(marks).T[['accuracy', 'balanced_accuracy', 'auroc']]


def source_scores(record_file, source_net, ctx=mx.cpu(), source_class='hotdog'):
    """Return the log-odds of a class of ImageNet (n,), and 1 where the label is 1, else 0 (n,)."""
    p, y = predict(RecordIter(record_file), source_net, ctx)
    p = p[:, imagenet.class_names().index(source_class)].astype('float64').clip(1e-9, 1 - 1e-7)
    return np.log(p / (1 - p)), (y == 1).astype(int)


def weighted_loss(data):
    """Return `loss(outputs, labels)`, one value a picture: (1 + (w - 1) y) / w times the cross-entropy.

    w is 6 where there are two classes and, among the training pictures, more than twice as many negatives (y = 0) as
    positives (y = 1); elsewhere it is 1, and nothing is weighted.
    """
    labels, cross_entropy = records.labels(data.train), gluon.loss.SoftmaxCrossEntropyLoss()
    w = 6 if len(data.classes) == 2 and (labels == 0).sum() > 2 * (labels == 1).sum() else 1
    return lambda outputs, y: cross_entropy(outputs, y) * (1 + (w - 1) * (y == 1)) / w


def fit(net, data, learning_rate, ctx=mx.cpu(), optimizer='sgd', num_epochs=7, **options):
    """Train a network on a data set, the same on every run, and return its history as `train` does.

    Batches of 32 augmented pictures, `weighted_loss`, weight decay 1e-4; the learning rate rises during half an epoch
    and then falls to zero along a cosine. Further options go to the optimiser. Raises as `train` does.
    """
    mx.random.seed(0)
    np.random.seed(0)
    net.hybridize(static_alloc=True)
    train_iter = RecordIter(data.train, augment=True)
    schedule = lr_scheduler.CosineScheduler(num_epochs * len(train_iter), learning_rate,
                                            warmup_steps=len(train_iter) // 2)
    trainer = gluon.Trainer(net.collect_params(), optimizer, {'wd': 1e-4, 'lr_scheduler': schedule, **options})
    return train(train_iter, RecordIter(data.validation), net, weighted_loss(data), trainer, ctx, num_epochs)


def train(train_iter, val_iter, net, loss, trainer, ctx, num_epochs):
    """Train on one device or a list of devices; print a line an epoch and return the history, a list of values a name.

    `loss(outputs, labels)` gives one value a picture. Ctrl-C stops early and keeps the history. Raises
    FloatingPointError when the loss is not finite, naming epoch and batch, and MemoryError.
    """
    devices = list(ctx) if isinstance(ctx, (list, tuple)) else [ctx]
    history = {name: [] for name in ('loss', 'train_accuracy', 'accuracy', 'precision', 'recall', 'f1',
                                     'balanced_accuracy', 'auroc', 'rate')}
    try:
        for epoch in range(1, num_epochs + 1):
            values = _train_epoch(train_iter, net, loss, trainer, devices, epoch)
            values.update(evaluate(val_iter, net, devices[0]))
            for name, value in values.items():
                history[name].append(value)
            print('epoch {epoch}: loss {loss:.3f}, train acc {train_accuracy:.3f}, val acc {accuracy:.3f}, '
                  'AUROC {auroc:.3f}, {rate:.0f} images/s'.format(epoch=epoch, **values))
    except mx.MXNetError as error:
        if 'out of memory' in str(error) or 'bad_alloc' in str(error):
            raise MemoryError(f'{devices[0]} has too little memory: choose a smaller batch_size') from None
        raise
    except KeyboardInterrupt:
        print(f'stopped after {len(history["loss"])} epochs')
    return history


def _train_epoch(train_iter, net, loss, trainer, devices, epoch):
    """Return the mean loss and the accuracy of one epoch on the training pictures, and its pictures a second."""
    start, total, correct, count = time.time(), 0.0, 0, 0
    for number, (data, label) in enumerate(tqdm(train_iter, f'epoch {epoch}', unit='batch', leave=False), 1):
        batch_loss, batch_correct = _step(data, label, net, loss, trainer, devices)
        if not np.isfinite(batch_loss):
            raise FloatingPointError(f'the loss is {batch_loss} in epoch {epoch}, batch {number}: '
                                     'choose a smaller learning_rate')
        total, correct, count = total + batch_loss, correct + batch_correct, count + len(data)
    return {'loss': total / count, 'train_accuracy': correct / count, 'rate': count / (time.time() - start)}


def _step(data, label, net, loss, trainer, devices):
    """Update the network on one batch; return the summed loss and the number of right answers."""
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
    return sum(float(part.sum().asscalar()) for part in losses), correct

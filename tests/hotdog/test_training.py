"""What the notebooks share, against NumPy, scikit-learn and values computed by hand."""
import os
import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon, nd
from sklearn import metrics

import utils
from hotdog import records, training


def test_normalise_and_back():
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3)).astype('uint8')
    x = utils.normalise(nd.array(pixels, dtype='uint8'))
    expected = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert x.shape == (1, 3, 224, 224)
    assert np.allclose(x[0].asnumpy(), expected.transpose(2, 0, 1), atol=1e-5)
    assert np.array_equal(utils.denormalise(x[0]), pixels)


class Brightness(gluon.Block):
    """Answer 1 with more confidence the brighter a picture is."""

    def forward(self, x):  # noqa: D102
        level = x.mean(axis=(1, 2, 3)) - 0.9
        return nd.stack(-level, level, axis=1)


def test_evaluation_with_a_cut_last_batch_agrees_with_scikit_learn(record_file):
    probabilities, labels = utils.predict(utils.RecordIter(record_file, 4), Brightness())
    assert np.array_equal(labels, np.arange(10) // 5)
    predicted = probabilities.argmax(axis=1)
    assert 0 < (predicted != labels).sum() < 10
    marks = utils.evaluate(utils.RecordIter(record_file, 4), Brightness())
    authority = {name: getattr(metrics, f'{name}_score')(labels, predicted)
                 for name in ('accuracy', 'precision', 'recall', 'f1', 'balanced_accuracy')}
    authority['auroc'] = metrics.roc_auc_score(labels, probabilities[:, 1])
    assert marks == pytest.approx(authority, abs=5e-4)


def train_small(record_file, ctx=mx.cpu(), loss=None, learning_rate=0.05, batch_size=4, num_epochs=2):
    utils.seed(1)
    net = gluon.nn.HybridSequential()
    net.add(gluon.nn.Conv2D(4, 3, strides=8, activation='relu'), gluon.nn.GlobalAvgPool2D(), gluon.nn.Dense(2))
    net.initialize(mx.init.Xavier(), ctx=ctx)
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': learning_rate})
    data = (utils.RecordIter(record_file, batch_size, augment=True), utils.RecordIter(record_file, batch_size))
    return net, utils.train(*data, net, loss or gluon.loss.SoftmaxCrossEntropyLoss(), trainer, ctx, num_epochs)


def test_several_devices_train_like_one(record_file):
    one, history = train_small(record_file)
    two, other = train_small(record_file, [mx.cpu(0), mx.cpu(1), mx.cpu(2)])  # the last batch has two
    assert np.allclose(history['loss'], other['loss'], rtol=1e-4)
    for p, q in zip(one.collect_params().values(), two.collect_params().values()):
        assert np.allclose(p.data().asnumpy(), q.data(mx.cpu(0)).asnumpy(), atol=1e-5)
        assert np.array_equal(q.data(mx.cpu(0)).asnumpy(), q.data(mx.cpu(2)).asnumpy())


def test_the_history_is_complete_and_training_learns(record_file):
    _, history = train_small(record_file, num_epochs=8)
    assert {len(values) for values in history.values()} == {8}
    assert history['loss'][-1] < history['loss'][0]


def test_a_loss_that_is_not_finite_stops_by_name(record_file):
    with pytest.raises(FloatingPointError, match=r'epoch \d+, batch \d+: choose a smaller learning_rate'):
        train_small(record_file, learning_rate=1e30)


def test_control_c_keeps_the_history(record_file):
    calls = []

    def loss(outputs, labels):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return gluon.loss.SoftmaxCrossEntropyLoss()(outputs, labels)
    _, history = train_small(record_file, loss=loss, num_epochs=5)
    assert {len(values) for values in history.values()} == {1}


def test_a_step_with_lr_mult_moves_as_computed_by_hand():
    net = gluon.nn.Dense(1, in_units=2)
    net.initialize(mx.init.One())
    net.weight.lr_mult = 10
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.01, 'momentum': 0.9})
    x = nd.array([[1, 2], [3, 4]])
    for _ in range(2):
        with autograd.record():
            loss = net(x).sum(axis=1)
        loss.backward()
        trainer.step(2)
    gradient = np.array([2.0, 3.0])  # the mean of x over the batch; the bias's is 1
    assert np.allclose(net.weight.data().asnumpy(), 1 - 0.1 * gradient * (1 + 1.9), atol=1e-6)
    assert np.allclose(net.bias.data().asnumpy(), 0 - 0.01 * (1 + 1.9), atol=1e-6)


def test_the_weighted_loss_follows_its_formula():
    loss, w = training.weighted_loss(utils.demo_set()), 6
    draw = np.random.default_rng(0)
    outputs, y = draw.normal(size=(50, 2)), draw.integers(0, 2, 50)
    cross_entropy = -np.log(np.exp(outputs)[range(50), y] / np.exp(outputs).sum(axis=1))
    values = loss(nd.array(outputs), nd.array(y)).asnumpy()
    assert np.allclose(values, (1 + (w - 1) * y) / w * cross_entropy, atol=1e-5)


@pytest.mark.parametrize('demo, expected', [('', True), ('False', False)])
def test_settings_from_the_environment(demo, expected):
    code = 'import utils; print(utils.demo, utils.source_model, utils.photos)'
    environment = {**os.environ, 'PHOTOS': '', 'SOURCE_MODEL': '', 'DEMO': demo}
    result = subprocess.run([sys.executable, '-c', code], text=True, capture_output=True, env=environment)
    assert result.stdout.split() == [str(expected), 'squeezenet1_1', 'None'], result.stderr


def test_a_gpu_that_cannot_compute_is_named_and_left(monkeypatch, capsys):
    monkeypatch.setattr(mx.context, 'num_gpus', lambda: 2)  # this build of MXNet can use none: the real error comes
    assert utils.try_all_gpus() == [mx.cpu()] and utils.try_gpu() == mx.cpu()
    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith('GPU [0, 1] cannot be used: ') and said.endswith('the page pytorch runs on newer ones')

    def fail(*_, **__):
        raise TypeError('a fault of ours')
    monkeypatch.setattr(utils.nd, 'ones', fail)
    with pytest.raises(TypeError):  # only MXNet's errors mean that a GPU is unusable
        utils.try_gpu()


def test_too_little_memory_names_the_batch_size(record_file):
    def loss(outputs, labels):
        raise mx.MXNetError('cudaMalloc retry failed: out of memory')
    with pytest.raises(MemoryError, match=r'cpu\(0\) has too little memory: choose a smaller batch_size'):
        train_small(record_file, loss=loss)


@pytest.mark.parametrize('batch_size', [1, 64])
def test_one_picture_is_enough(record_file, tmp_path, batch_size):
    records.write(tmp_path / 'one.rec', [next(records.samples(record_file))])
    _, history = train_small(tmp_path / 'one.rec', batch_size=batch_size, num_epochs=1)
    assert len(history['loss']) == 1 and np.isfinite(history['loss'][0])

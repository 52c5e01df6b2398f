"""What the notebooks share, against NumPy, scikit-learn and values computed by hand."""
import io
import os
import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon, nd, recordio
from PIL import Image
from sklearn import metrics

from book import notebooks
import utils
from hotdog import records


@pytest.fixture
def record_file(tmp_path):
    """Pack ten grey pictures, each of its own brightness, label 1 for the bright half."""
    path = tmp_path / 'grey.rec'
    writer = recordio.MXIndexedRecordIO(str(tmp_path / 'grey.idx'), str(path), 'w')
    for i in range(10):
        jpeg = io.BytesIO()
        Image.new('RGB', (300, 260), (25 * i,) * 3).save(jpeg, 'JPEG')
        writer.write_idx(i, recordio.pack(recordio.IRHeader(0, i // 5, i, 0), jpeg.getvalue()))
    writer.close()
    return path


@pytest.mark.parametrize('augment', [False, True])
@pytest.mark.parametrize('batch_size', [1, 3, 4, 10, 64])
def test_every_epoch_has_every_picture_once(record_file, batch_size, augment):
    data_iter = utils.RecordIter(record_file, batch_size, augment)
    for _ in range(3):
        batches = [(utils.denormalise(x[0])[0, 0, 0] if batch_size == 1 else None, len(y), int(y.sum().asscalar()))
                   for x, y in data_iter]
        assert sum(size for _, size, _ in batches) == 10
        assert sum(bright for *_, bright in batches) == 5
        assert len(batches) == len(data_iter)


def test_a_batch_that_is_kept_stays_as_it_was(record_file):
    kept = [*utils.RecordIter(record_file, 2)]
    assert np.concatenate([y.asnumpy() for _, y in kept]).tolist() == [0] * 5 + [1] * 5
    brightness = [float(x.mean().asscalar()) for batch, _ in kept for x in batch]
    assert brightness == sorted(brightness) and len(set(brightness)) == 10


def test_augmentation_repeats_with_the_same_seed_only_across_iterators(record_file):
    one, two = (utils.RecordIter(record_file, 10, augment=True) for _ in range(2))
    first, second = (next(iter(data_iter))[0].asnumpy() for data_iter in (one, two))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, next(iter(one))[0].asnumpy())


def test_normalise_and_back():
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3)).astype('uint8')
    x = utils.normalise(nd.array(pixels, dtype='uint8'))
    expected = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert x.shape == (1, 3, 224, 224)
    assert np.allclose(x[0].asnumpy(), expected.transpose(2, 0, 1), atol=1e-5)
    assert np.array_equal(utils.denormalise(x[0]), pixels)


class Brightness(gluon.Block):
    """Say 1 with more confidence the brighter a picture is."""

    def forward(self, x):  # noqa: D102
        level = x.mean(axis=(1, 2, 3)) - 0.9
        return nd.stack(-level, level, axis=1)


def test_evaluation_with_a_cut_last_batch_agrees_with_scikit_learn(record_file):
    probabilities, labels = utils.predict(utils.RecordIter(record_file, 4), Brightness())
    assert np.array_equal(labels, np.arange(10) // 5)
    predicted = probabilities.argmax(axis=1)
    assert 0 < (predicted != labels).sum() < 10
    found = utils.evaluate(utils.RecordIter(record_file, 4), Brightness())
    authority = {name: getattr(metrics, f'{name}_score')(labels, predicted)
                 for name in ('accuracy', 'precision', 'recall', 'f1')}
    assert found == pytest.approx(authority, abs=5e-4)


def small_net(ctx):
    net = gluon.nn.HybridSequential()
    net.add(gluon.nn.Conv2D(4, 3, strides=8, activation='relu'), gluon.nn.GlobalAvgPool2D(), gluon.nn.Dense(2))
    net.initialize(mx.init.Xavier(), ctx=ctx, force_reinit=True)
    return net


def train_small(record_file, ctx, learning_rate=0.05, batch_size=4, num_epochs=2):
    utils.seed(1)
    net = small_net(ctx)
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': learning_rate})
    data = (utils.RecordIter(record_file, batch_size, augment=True), utils.RecordIter(record_file, batch_size))
    return net, utils.train(*data, net, gluon.loss.SoftmaxCrossEntropyLoss(), trainer, ctx, num_epochs)


def test_several_devices_train_like_one(record_file):
    one, history = train_small(record_file, mx.cpu())
    two, other = train_small(record_file, [mx.cpu(0), mx.cpu(1), mx.cpu(2)], batch_size=4)  # the last batch has two
    assert np.allclose(history['loss'], other['loss'], rtol=1e-4)
    for p, q in zip(one.collect_params().values(), two.collect_params().values()):
        assert np.allclose(p.data().asnumpy(), q.data(mx.cpu(0)).asnumpy(), atol=1e-5)
        assert np.array_equal(q.data(mx.cpu(0)).asnumpy(), q.data(mx.cpu(2)).asnumpy())


def test_the_history_is_complete_and_training_learns(record_file):
    _, history = train_small(record_file, mx.cpu(), num_epochs=8)
    assert {len(values) for values in history.values()} == {8}
    assert history['loss'][-1] < history['loss'][0]


def test_a_loss_that_is_not_finite_stops_by_name(record_file):
    with pytest.raises(FloatingPointError, match=r'epoch \d+, batch \d+: choose a smaller learning_rate'):
        train_small(record_file, mx.cpu(), learning_rate=1e30)


def test_control_c_keeps_the_history(record_file):
    calls = []

    def loss(outputs, labels):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return gluon.loss.SoftmaxCrossEntropyLoss()(outputs, labels)
    net = small_net(mx.cpu())
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.01})
    data_iter = utils.RecordIter(record_file, 4)
    history = utils.train(data_iter, data_iter, net, loss, trainer, mx.cpu(), 5)
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


def test_the_weighted_loss_of_the_chapter_follows_its_formula():
    cell, = (cell.source for cell in notebooks.code_cells(notebooks.read_page(notebooks.CHAPTER / 'training.md'))
             if 'def loss(' in cell.source)
    names = {'sources': utils.datasets, 'data': utils.load_data(), 'gluon': gluon}
    exec(cell, names)
    draw = np.random.default_rng(0)
    outputs, labels = draw.normal(size=(50, 2)), draw.integers(0, 2, 50)
    w, y = names['w'], labels
    assert w == 6
    cross_entropy = -np.log(np.exp(outputs)[range(50), y] / np.exp(outputs).sum(axis=1))
    found = names['loss'](nd.array(outputs), nd.array(labels)).asnumpy()
    assert np.allclose(found, (1 + (w - 1) * y) / w * cross_entropy, atol=1e-5)


def test_new_net_has_no_relu_on_its_logits():
    net = utils.new_net(3)
    net.initialize(mx.init.Xavier())
    outputs = net(nd.random.normal(shape=(4, 3, 224, 224)))
    assert outputs.shape == (4, 3)
    assert (outputs.asnumpy() < 0).any()


def test_a_missing_parameter_file_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(utils.datasets, 'CACHE', tmp_path)
    with pytest.raises(FileNotFoundError, match='run the notebook training first'):
        utils.parameter_file('fine_tuned', must_exist=True)


def test_trained_parameters_stay_in_the_clone_when_downloads_are_shared(tmp_path, monkeypatch):
    monkeypatch.setattr(utils.datasets, 'CACHE', tmp_path / 'cache')
    monkeypatch.setattr(utils.datasets, 'DOWNLOADS', tmp_path / 'shared')
    assert utils.parameter_file('fine_tuned') == str(tmp_path / 'cache' / 'fine_tuned-squeezenet1_1-demo.params')
    assert os.listdir(tmp_path) == ['cache']


def test_an_unreachable_model_zoo_names_the_offline_choice(tmp_path, monkeypatch):
    monkeypatch.setattr(utils, 'source_model', 'resnet18_v2')
    monkeypatch.setattr(utils.imagenet, 'MODEL_ZOO', 'http://127.0.0.1:9/')
    monkeypatch.setattr(utils.imagenet.fetch, 'WAITS', ())
    monkeypatch.setattr(utils.datasets, 'DOWNLOADS', tmp_path)
    with pytest.raises(ConnectionError, match="put resnet18_v2-a81db45f.params .* set source_model = 'squeezenet1_1'"):
        utils.pretrained_net()


def test_a_model_that_the_zoo_does_not_have_is_named(monkeypatch):
    monkeypatch.setattr(utils, 'source_model', 'nonsense')
    for make in (utils.pretrained_net, lambda: utils.new_net(2)):
        with pytest.raises(ValueError, match="source_model = 'nonsense' is not .*: choose 'squeezenet1_1' or"):
            make()


@pytest.mark.parametrize('demo, expected', [('', True), ('1', True), ('0', False), ('False', False)])
def test_settings_from_the_environment(demo, expected):
    code = ('import utils; from hotdog import fetch, sources; print(utils.demo, utils.source_model, utils.photos, '
            'downloads.OFFLINE, datasets.DOWNLOADS == datasets.CACHE)')
    environment = dict.fromkeys(('PHOTOS', 'SOURCE_MODEL', 'BOOK_OFFLINE', 'BOOK_CACHE', 'BOOK_MIRRORS'), '')
    result = subprocess.run([sys.executable, '-c', code], cwd=notebooks.ROOT, text=True, capture_output=True,
                            env={**os.environ, **environment, 'DEMO': demo})
    assert result.stdout.split() == [str(expected), 'squeezenet1_1', 'None', 'False', 'True'], result.stderr


def test_18_a_gpu_that_cannot_compute_is_named_and_left(monkeypatch, capsys):
    monkeypatch.setattr(mx.context, 'num_gpus', lambda: 2)  # this build of MXNet can use none: the real error comes
    assert utils.try_all_gpus() == [mx.cpu()] and utils.try_gpu() == mx.cpu()
    assert capsys.readouterr().out.splitlines()[:2] == [
        f'GPU {i} is there, but this build of MXNet cannot use it' for i in range(2)]

    def fail(*_, **__):
        raise TypeError('a fault of ours')
    monkeypatch.setattr(utils.nd, 'ones', fail)
    with pytest.raises(TypeError):  # only MXNet's errors mean that a GPU is unusable
        utils.try_gpu()


def test_18_too_little_memory_names_the_batch_size(record_file):
    def loss(outputs, labels):
        raise mx.MXNetError('cudaMalloc retry failed: out of memory')
    net = small_net(mx.cpu())
    trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.01})
    data_iter = utils.RecordIter(record_file, 4)
    with pytest.raises(MemoryError, match=r'cpu\(0\) has too little memory: choose a smaller batch_size'):
        utils.train(data_iter, data_iter, net, loss, trainer, mx.cpu(), 1)


@pytest.mark.parametrize('batch_size', [1, 64])
def test_19_one_picture_is_enough(tmp_path, batch_size):
    writer = records.Writer(tmp_path / 'one.rec')
    jpeg = io.BytesIO()
    Image.new('RGB', (256, 256), 'red').save(jpeg, 'JPEG')
    writer.add(1, jpeg.getvalue())
    writer.close()
    _, history = train_small(tmp_path / 'one.rec', mx.cpu(), batch_size=batch_size, num_epochs=1)
    assert len(history['loss']) == 1 and np.isfinite(history['loss'][0])

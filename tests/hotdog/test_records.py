"""RecordIO and parameter files: our reader and writer against MXNet's own, and what is said of damaged files."""
import io
import struct
from contextlib import closing

import mxnet as mx
import numpy as np
import pytest
from mxnet import nd, recordio
from mxnet.gluon.model_zoo import vision
from PIL import Image

import utils
from hotdog import parameters, records, datasets

MAGIC = struct.pack('<I', 0xced7230a)
CONTENTS = [b'', b'a', b'abcd', MAGIC, b'1234' + MAGIC + b'56', b'123' + MAGIC, MAGIC * 3 + b'7', b'x' * 1001]
DEMO = datasets.HERE / 'demo_validation.rec'


@pytest.fixture
def small(tmp_path):
    """The first five pictures of the demo data, with an index."""
    with closing(records.Writer(tmp_path / 'small.rec')) as writer:
        for _, sample in zip(range(5), records.samples(DEMO)):
            writer.add(*sample)
    return tmp_path / 'small.rec'


def test_what_mxnet_writes_is_read(tmp_path):
    writer = recordio.MXRecordIO(str(tmp_path / 'a.rec'), 'w')
    for content in CONTENTS:
        writer.write(content)
    writer.close()
    assert [content for _, content in records.read(tmp_path / 'a.rec')] == CONTENTS


def test_what_is_written_is_what_mxnet_writes(tmp_path):
    with closing(records.Writer(tmp_path / 'ours.rec')) as ours:
        for number, content in enumerate(CONTENTS):
            ours.add(number, content)
    theirs = recordio.MXIndexedRecordIO(str(tmp_path / 'theirs.idx'), str(tmp_path / 'theirs.rec'), 'w')
    for number, content in enumerate(CONTENTS):
        theirs.write_idx(number, recordio.pack(recordio.IRHeader(0, number, number, 0), content))
    theirs.close()
    for suffix in ('rec', 'idx'):
        assert (tmp_path / f'ours.{suffix}').read_bytes() == (tmp_path / f'theirs.{suffix}').read_bytes()


def test_the_demo_data_is_read_as_mxnet_reads_it():
    reader = recordio.MXRecordIO(str(DEMO), 'r')
    for label, encoded in records.samples(DEMO):
        header, content = recordio.unpack(reader.read())
        assert (header.label, content) == (label, encoded)
    assert reader.read() is None


def test_a_label_may_be_an_array_of_one(tmp_path):
    writer = recordio.MXRecordIO(str(tmp_path / 'a.rec'), 'w')
    for label in ([1.0], [0.0], 2):
        writer.write(recordio.pack(recordio.IRHeader(0, label, 0, 0), b'picture'))
    writer.close()
    assert list(records.samples(tmp_path / 'a.rec')) == [(1, b'picture'), (0, b'picture'), (2, b'picture')]


@pytest.mark.parametrize('damage, sentence', [
    (lambda content: content[:-20_000], 'no whole record at byte'), (lambda content: content + b'abc', 'no whole rec'),
    (lambda content: bytes(len(content)), 'no whole record at byte 0'), (lambda content: b'', 'holds no pictures'),
    (lambda content: b'<html>Please log in</html>', 'no whole record at byte 0'),
    (lambda content: content[:3000] + content[3100:], 'no whole record at byte'),
    (lambda content: content[:32] + b'text' + content[36:], 'picture 1 cannot be read, it is no whole JPEG'),
    (lambda content: content[:12] + struct.pack('<f', np.nan) + content[16:], 'no whole number as its label')])
def test_17_a_damaged_record_file_is_refused_before_mxnet_sees_it(small, damage, sentence):
    small.write_bytes(damage(small.read_bytes()))
    with pytest.raises(ValueError, match=sentence) as caught:
        utils.RecordIter(small, 4)
    assert str(small) in str(caught.value)


def test_a_picture_that_mxnet_would_decode_otherwise_is_refused(tmp_path):
    """One changed byte in the table of a JPEG's codes: neither decoder complains, and each makes its own picture."""
    with Image.open('img/real_hotdog.jpg') as picture:
        picture.convert('RGB').resize((256, 256)).save(content := io.BytesIO(), 'JPEG', quality=95)
    damaged = bytearray(content.getvalue())
    damaged[damaged.index(b'\xff\xc4') + 26] = 7
    Image.open(io.BytesIO(damaged)).load()
    with closing(records.Writer(tmp_path / 'a.rec')) as writer:
        writer.add(0, content.getvalue())
        writer.add(0, bytes(damaged))
    with pytest.raises(ValueError, match='picture 2 cannot be read, .*MXNet and Pillow decode it to different pixels'):
        utils.RecordIter(tmp_path / 'a.rec', 2)


@pytest.mark.parametrize('text', ['', 'hello\n', '0\t0\n', '0\t0\n1\t99999999\n', '0 0\n', '-1\t0\n'])
def test_17_a_damaged_index_is_refused(small, text):
    """An index that is empty or text ends MXNet's process; without any, pictures are shuffled nearby only."""
    small.with_suffix('.idx').write_text(text)
    with pytest.raises(ValueError, match='small.idx is damaged: it does not list the records of .*; delete it'):
        utils.RecordIter(small, 4, augment=True)
    small.with_suffix('.idx').unlink()
    assert sum(len(y) for _, y in utils.RecordIter(small, 4, augment=True)) == 5


@pytest.fixture
def saved(tmp_path):
    net = utils.new_net(2)
    net.initialize(mx.init.Xavier())
    net(nd.zeros((1, 3, 224, 224)))
    net.save_parameters(str(tmp_path / 'net.params'))
    return tmp_path / 'net.params'


def test_parameters_are_read_as_mxnet_reads_them(saved):
    arrays, expected = parameters.read(saved), nd.load(str(saved))
    assert list(arrays) == list(expected) and len(arrays) == 52
    assert all(np.array_equal(array, expected[name].asnumpy()) for name, array in arrays.items())
    parameters.check(saved, utils.new_net(2))


@pytest.mark.parametrize('damage, sentence', [
    (lambda content: content[:-1], 'ends too early'), (lambda content: content[:100_000], 'ends too early'),
    (lambda content: b'', 'ends too early'), (lambda content: content + b'x', 'does not end after'),
    (lambda content: b'<html>' * 1000, 'does not begin like one'),
    (lambda content: content[:400] + struct.pack('<f', np.inf) + content[404:], 'not finite')])
def test_17_a_damaged_parameter_file_is_refused(saved, damage, sentence):
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(ValueError, match=f'net.params is no whole .*{sentence}.*: run the notebook training again'):
        parameters.check(saved, utils.new_net(2))


def test_17_parameters_of_other_classes_are_refused(saved):
    with pytest.raises(ValueError, match=r'net.params is of a network with other classes or layers, its '
                                         r'output.0.weight has the shape \(2, 512, 1, 1\): run the notebook'):
        parameters.check(saved, utils.new_net(3))


def test_17_parameters_of_another_layout_are_refused(saved):
    net = utils.new_net(2)
    net.features[0].weight._shape = (64, 0, 5, 5)
    with pytest.raises(ValueError, match='its features.0.weight has the shape .*: run the notebook training again'):
        parameters.check(saved, net)
    with pytest.raises(ValueError, match='net.params is of another kind of network: run the notebook training again'):
        parameters.check(saved, vision.resnet18_v2(classes=2))

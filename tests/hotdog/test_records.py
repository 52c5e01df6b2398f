"""RecordIO files: what is written and read, against MXNet and Pillow."""
import io
import itertools

import mxnet as mx
import numpy as np
import pytest
from mxnet import recordio
from PIL import Image

import utils
from hotdog import files, records

DEMO = utils.DATA / 'demo_validation.rec'


def crop(pixels):
    top, left = ((side - 224) // 2 for side in pixels.shape[:2])
    return pixels[top:top + 224, left:left + 224]


def test_what_is_written_is_read_by_mxnet(tmp_path):
    samples = list(itertools.islice(records.samples(DEMO), 5))
    records.write(tmp_path / 'a.rec', samples)
    reader = recordio.MXIndexedRecordIO(str(tmp_path / 'a.idx'), str(tmp_path / 'a.rec'), 'r')
    for number in (4, 0, 2):
        header, encoded = recordio.unpack(reader.read_idx(number))
        assert (int(header.label), encoded) == samples[number]
    assert list(records.samples(tmp_path / 'a.rec')) == samples
    assert records.labels(tmp_path / 'a.rec').tolist() == [label for label, _ in samples]
    assert len(records.pictures(tmp_path / 'a.rec')) == 5 and len(records.pictures(tmp_path / 'a.rec', 2)) == 2


def test_records_are_read_without_mxnet_as_with_it():
    assert [(label, jpeg.tobytes()) for label, jpeg in files.records(DEMO)] == list(records.samples(DEMO))


def test_a_full_disk_is_an_os_error(tmp_path):
    (tmp_path / 'a.rec').symlink_to('/dev/full')
    with pytest.raises(OSError, match='No space left'):
        records.write(tmp_path / 'a.rec', [(1, b'x' * 100_000)])


@pytest.mark.parametrize('orientation', [1, 6])
def test_mxnet_sees_a_picture_as_pillow_does(tmp_path, orientation):
    """A picture with smooth colours, turned by its EXIF entry or not, goes both ways to the same pixels."""
    x, y = np.meshgrid(np.linspace(0, 255, 260), np.linspace(0, 255, 256))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.stack([x, y, 255 - x], 2).astype('uint8')).save(jpeg := io.BytesIO(), 'JPEG', exif=exif)
    records.write(tmp_path / 'a.rec', [(1, jpeg.getvalue())])
    data, _ = next(iter(utils.RecordIter(tmp_path / 'a.rec', 1)))
    assert np.array_equal(utils.denormalise(data[0]), crop(records.pictures(tmp_path / 'a.rec')[0][0]))


def test_batches_are_normalised_by_the_formula():
    data, _ = next(iter(utils.RecordIter(DEMO, batch_size=4)))
    for x, (pixels, _) in zip(data, records.pictures(DEMO, 4)):
        expected = (crop(pixels) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        assert np.allclose(x.as_in_context(mx.cpu()).asnumpy(), expected.transpose(2, 0, 1), atol=1e-5)


@pytest.mark.parametrize('augment', [False, True])
@pytest.mark.parametrize('batch_size', [1, 3, 10, 64])
def test_every_epoch_has_every_picture_once(record_file, batch_size, augment):
    data_iter = utils.RecordIter(record_file, batch_size, augment)
    for _ in range(3):
        labels = [y.asnumpy() for _, y in data_iter]
        assert sorted(np.concatenate(labels)) == [0] * 5 + [1] * 5 and len(labels) == len(data_iter)


def test_a_batch_that_is_kept_stays_as_it_was(record_file):
    kept = [*utils.RecordIter(record_file, 2)]
    brightness = [float(x.mean().asscalar()) for batch, _ in kept for x in batch]
    assert brightness == sorted(brightness) and len(set(brightness)) == 10


def test_augmentation_is_the_same_on_every_run_and_another_in_every_epoch(record_file):
    one, two = (utils.RecordIter(record_file, 10, augment=True) for _ in range(2))
    first, second = (next(iter(data_iter))[0].asnumpy() for data_iter in (one, two))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, next(iter(one))[0].asnumpy())

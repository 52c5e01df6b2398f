"""Read and write RecordIO files: each record is a label and an encoded picture (see `mxnet.recordio`)."""
import errno
import io
import os
from contextlib import closing
from itertools import islice

import numpy as np
from mxnet import MXNetError, recordio
from PIL import Image, ImageOps


def index_of(file):
    """Return the path of a RecordIO file's index, with which its pictures can be read in any order."""
    return os.path.splitext(file)[0] + '.idx'


def samples(file):
    """Yield the label (int) and the encoded picture (bytes) of each record."""
    reader = recordio.MXRecordIO(str(file), 'r')
    while (record := reader.read()) is not None:
        header, encoded = recordio.unpack(record)
        yield int(header.label), encoded


def labels(file):
    """Return the labels (n,) of a file."""
    return np.array([label for label, _ in samples(file)])


def pictures(file, count=None):
    """Return the first `count` pictures (all by default): pairs of an RGB array (height, width, 3) and a label."""
    decoded = ((Image.open(io.BytesIO(encoded)), label) for label, encoded in islice(samples(file), count))
    return [(np.asarray(ImageOps.exif_transpose(picture).convert('RGB')), label) for picture, label in decoded]


def write(file, samples):
    """Write pairs of a label and an encoded picture to a new file and its index. Raises OSError when the disk is full.
    """
    number = -1
    try:
        with closing(recordio.MXIndexedRecordIO(index_of(file), str(file), 'w')) as writer:
            for number, (label, encoded) in enumerate(samples):
                writer.write_idx(number, recordio.pack(recordio.IRHeader(0, label, number, 0), encoded))
        labels(file)  # MXNet does not say when the last part did not fit: reading fails
    except MXNetError:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from None

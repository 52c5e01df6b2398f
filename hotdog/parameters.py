"""Check a Gluon parameter file before MXNet's reader, in C++, sees it.

The file is a list of arrays and their names, little-endian: a magic number, zero, the count and the arrays, each a
magic number, its storage (0, dense), its dimensions, a device, a type and the values; then the count and the names,
each with its length.
"""
import struct
from pathlib import Path

import numpy as np

LIST_MAGIC, ARRAY_MAGIC = 0x112, 0xf993fac9
FLOAT32 = 0


class _Reader:
    def __init__(self, content):
        self.content, self.at = content, 0

    def bytes(self, count):
        if self.at + count > len(self.content):
            raise ValueError('it ends too early')
        self.at += count
        return self.content[self.at - count:self.at]

    def numbers(self, form):
        return struct.unpack(f'<{form}', self.bytes(struct.calcsize(f'<{form}')))


def read(file):
    """Read `{name: float32 array}` in the file's order; raises ValueError when it is damaged or not such a file."""
    reader = _Reader(Path(file).read_bytes())
    try:
        magic, zero, count = reader.numbers('QQQ')
        _require((magic, zero) == (LIST_MAGIC, 0), 'it does not begin like one')
        arrays = [_array(reader) for _ in range(count)]
        _require(reader.numbers('Q') == (count,), 'it has not as many names as arrays')
        names = [reader.bytes(*reader.numbers('Q')).decode() for _ in range(count)]
        _require(reader.at == len(reader.content), 'it does not end after the last name')
        _require(len(set(names)) == count > 0, 'it holds nothing, or a name twice')
    except ValueError as error:
        raise ValueError(f'{file} is no whole parameter file ({error}): run the notebook training again') from None
    return dict(zip(names, arrays))


def _array(reader):
    magic, storage, dimensions = reader.numbers('Iii')
    _require((magic, storage) == (ARRAY_MAGIC, 0) and 1 <= dimensions <= 8, 'an array has another form')
    shape = reader.numbers(f'{dimensions}q')
    device, _, kind = reader.numbers('iii')
    _require(device == 1 and kind == FLOAT32 and min(shape) > 0, 'an array is not of float32 values')
    size = 1
    for length in shape:  # Python's numbers do not overflow
        size *= length
    values = np.frombuffer(reader.bytes(4 * size), '<f4').reshape(shape)
    _require(np.isfinite(values).all(), 'a value is not finite')
    return values


def _require(holds, sentence):
    if not holds:
        raise ValueError(sentence)


def check(file, net):
    """Raise FileNotFoundError or ValueError unless a file holds the parameters of a network like `net`."""
    if not Path(file).exists():
        raise FileNotFoundError(f'{file} is not there yet: run the notebook training first')
    arrays, wanted = read(file), {name: p.shape for name, p in net._collect_params_with_prefix().items()}
    if arrays.keys() != wanted.keys():
        raise ValueError(f'{file} is of another kind of network: run the notebook training again')
    for name, shape in wanted.items():
        found = arrays[name].shape  # a length that the network does not know yet is 0
        if len(found) != len(shape) or any(length not in (0, other) for length, other in zip(shape, found)):
            raise ValueError(f'{file} is of a network with other classes or layers, its {name} has the shape {found}: '
                             'run the notebook training again')

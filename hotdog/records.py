"""Read and write RecordIO files in Python: MXNet's own reader, in C++, ends the process on some damaged files.

A record is a header of two words (a magic number; a kind of 3 bits and a length of 29 bits), the content, and zeros up
to a multiple of four bytes. Content that holds the magic number at such a multiple is cut there into several records.
A picture's content is `IRHeader` (flag, label, two ids) and a JPEG.
"""
import hashlib
import io
import math
import os
import re
import struct
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import mxnet as mx
import numpy as np
from PIL import Image, ImageOps

MAGIC = struct.pack('<I', 0xced7230a)
WHOLE, START, MIDDLE, END = range(4)
IR_HEADER = struct.Struct('<IfQQ')
MAX_PIXELS = 150 * 10 ** 6  # a larger picture is taken for a mistake or an attack; Pillow itself stops at 179 million


def read(file):
    """Yield the offset and the content of each record. Raises ValueError where the file is not RecordIO."""
    size = os.path.getsize(file)
    with open(file, 'rb') as stream:
        offset, parts, begin = 0, [], 0
        while offset < size:
            head = stream.read(8)
            kind, length = divmod(int.from_bytes(head[4:], 'little'), 2 ** 29)
            padded = -(-length // 4) * 4
            expected = (MIDDLE, END) if parts else (WHOLE, START)
            if len(head) < 8 or head[:4] != MAGIC or kind not in expected or offset + 8 + padded > size:
                raise ValueError(f'{file} is damaged: there is no whole record at byte {offset}')
            if not parts:
                begin = offset
            parts.append(stream.read(padded)[:length])
            offset += 8 + padded
            if kind in (WHOLE, END):
                yield begin, MAGIC.join(parts)
                parts = []
        if parts:
            raise ValueError(f'{file} is damaged: it ends within the record at byte {begin}')


def samples(file):
    """Yield the label (int) and the encoded picture of each record. Raises ValueError as `read` does."""
    for offset, content in read(file):
        flag, label = IR_HEADER.unpack(content[:24])[:2] if len(content) >= 24 else (2, 0)
        if flag == 1 and len(content) >= 28:  # the one label comes as an array
            label = struct.unpack('<f', content[24:28])[0]
        if flag > 1 or not math.isfinite(label) or label < 0 or label != int(label):
            raise ValueError(f'{file} is damaged: the record at byte {offset} has no whole number as its label')
        yield int(label), content[24 + 4 * flag:]


def decode(encoded):
    """Decode a JPEG, grey or colour, to the RGB picture that MXNet makes of it, upright.

    Raises ValueError when it is something else, damaged or too large.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=['JPEG']) as picture:
            if picture.mode not in ('RGB', 'L') or picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f'it is {picture.width} x {picture.height} pixels, {picture.mode}')
            pixels = mx.image.imdecode(encoded).asnumpy()  # not turned; of some damage each decoder makes its own
            if not np.array_equal(pixels, picture.convert('RGB')):
                raise ValueError('MXNet and Pillow decode it to different pixels')
            return ImageOps.exif_transpose(picture).convert('RGB')
    except Exception as error:  # whatever Pillow's parsers let through
        raise ValueError(f'it is no whole JPEG ({" ".join(str(error).split())})') from None


def labels(file):
    """Give the labels (n,) of a file after checking every record, decoding its picture, and the index beside it.

    Raises ValueError, naming the file and what is wrong with it.
    """
    status = [os.stat(path) if os.path.exists(path) else None for path in (file, index_of(file))]
    return _labels(str(file), str([(s.st_size, s.st_mtime_ns) for s in status if s])).copy()


@lru_cache(maxsize=32)  # the chapter reads the same files again and again
def _labels(file, status):
    found, pictures = [], []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (label, encoded) in enumerate(samples(file)):
            found.append(label)
            pictures.append((number, encoded))
            if len(pictures) == 256:
                _decode_all(file, pictures, pool)
                pictures = []
        _decode_all(file, pictures, pool)
    if not found:
        raise ValueError(f'{file} holds no pictures')
    _check_index(file)
    return np.array(found)


def _decode_all(file, pictures, pool):
    def fault(picture):
        try:
            decode(picture[1])
        except ValueError as error:
            return f'{file} is damaged: picture {picture[0] + 1} cannot be read, {error}'
    for sentence in filter(None, pool.map(fault, pictures)):
        raise ValueError(sentence)


def index_of(file):
    """Name the index of a RecordIO file: lines of a number and the offset of a record."""
    return os.path.splitext(file)[0] + '.idx'


def _check_index(file):
    """Raise ValueError when there is an index that does not list exactly the file's records."""
    index = Path(index_of(file))
    if not index.exists():
        return
    content = index.read_bytes()
    whole = re.fullmatch(rb'(\d{1,18}\t\d{1,18}\n)+', content)
    keys, offsets = zip(*(map(int, line.split()) for line in content.splitlines())) if whole else ((), ())
    if len(set(keys)) < len(keys) or sorted(offsets) != [offset for offset, _ in read(file)]:
        raise ValueError(f'{index} is damaged: it does not list the records of {file}; delete it to go without')


def pictures(file, count=None):
    """Read the first `count` pictures (all by default): pairs of an RGB array (height, width, 3) and a label."""
    found = []
    for label, encoded in samples(file):
        if len(found) == count:
            break
        try:
            found.append((np.asarray(decode(encoded)), label))
        except ValueError as error:
            raise ValueError(f'{file} is damaged: picture {len(found) + 1} cannot be read, {error}') from None
    return found


class Writer:
    """Write pictures to a new RecordIO file and its index, as `MXIndexedRecordIO` does; a full disk is an OSError."""

    def __init__(self, file):
        self.stream, self.index, self.count = open(file, 'wb'), open(index_of(file), 'w'), 0

    def add(self, label, encoded):
        """Append a picture."""
        self.index.write(f'{self.count}\t{self.stream.tell()}\n')
        content = IR_HEADER.pack(0, label, self.count, 0) + encoded
        parts = _split(content)
        kinds = [WHOLE] if len(parts) == 1 else [START] + [MIDDLE] * (len(parts) - 2) + [END]
        for kind, part in zip(kinds, parts):
            self.stream.write(MAGIC + struct.pack('<I', kind << 29 | len(part)) + part + bytes(-len(part) % 4))
        self.count += 1

    def close(self):
        """Finish the two files."""
        self.stream.close()
        self.index.close()


def _split(content):
    """Cut content at each magic number that lies at a multiple of four bytes."""
    cuts = [at for at in range(0, len(content) - 3, 4) if content[at:at + 4] == MAGIC] if MAGIC in content else []
    return [content[begin:end] for begin, end in zip([0] + [at + 4 for at in cuts], cuts + [len(content)])]


def write_checksums(folder):
    """List the SHA-256 of every file of a folder in its `checksums.txt`."""
    files = sorted(Path(folder).iterdir())
    lines = [f'{_sha256(path, path.stat().st_size, path.stat().st_mtime_ns)}  {path.name}\n' for path in files]
    Path(folder, 'checksums.txt').write_text(''.join(lines))


def first_damaged(folder):
    """Give the first file of a folder that is not what its `checksums.txt` says, else None."""
    listing = Path(folder, 'checksums.txt')
    try:
        rows = [line.split('  ') for line in listing.read_text().splitlines()]
        expected = {name: sha256 for sha256, name in rows}
    except (OSError, ValueError):
        return listing
    if not expected:
        return listing
    for name, sha256 in expected.items():
        path = Path(folder, name)
        if '/' in name or not path.is_file() or _sha256(path, path.stat().st_size, path.stat().st_mtime_ns) != sha256:
            return path


@lru_cache(maxsize=64)
def _sha256(path, size, date):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()

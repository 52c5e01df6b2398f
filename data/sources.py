"""Find, fetch, check and pack the data sets: three splits of RecordIO files, wherever the pictures come from.

`demo_set()` is embedded, `published_set()` is downloaded, `folder_set(folder)` is the reader's own photographs.
"""
import hashlib
import io
import os
import random
import shutil
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
from mxnet import recordio
from PIL import Image, ImageOps
from tqdm.auto import tqdm

HERE = Path(__file__).parent
CACHE = Path(os.environ.get('BOOK_CACHE', HERE / 'cache'))  # may be shared between clones
QUIET = bool(os.environ.get('TQDM_DISABLE'))  # tqdm itself ignores it in notebooks
SPLITS = ('train', 'validation', 'test')
VALIDATION_SHARE = 0.15  # of the training pictures, where no validation split is given
SUFFIXES = {'.jpg', '.jpeg', '.png', '.webp', '.bmp', '.gif', '.tif', '.tiff'}
RECORDS_URL = 'https://apache-mxnet.s3-accelerate.amazonaws.com/gluon/dataset/'
PUBLISHED = {'train': ('not_hotdog_train-e6ef27b4.rec', '0aad7e1f16f5fb109b719a414a867bbee6ef27b4'),
             'test': ('not_hotdog_validation-c0201740.rec', '723ae5f8a433ed2e2bf729baec6b878ac0201740')}
ARCHIVE_URL = 'http://d2l-data.s3-accelerate.amazonaws.com/hotdog.zip'
ARCHIVE_SHA1 = 'fba480ffa8aa7e0febbb511d181409f899b9baa5'


class DataSet(NamedTuple):
    """The three RecordIO files of a data set and the names of its classes (class 1 is the positive one)."""

    name: str
    classes: list
    train: Path
    validation: Path
    test: Path


def demo_set():
    """Give the data set that comes with the book; its files are checked against `checksums.txt` first."""
    for line in (HERE / 'checksums.txt').read_text().splitlines():
        sha256, name = line.split()
        path = HERE / name
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise ValueError(f'{path} is missing or damaged: restore it with git checkout data/{name}')
    return DataSet('demo', ['not_hotdog', 'hotdog'], *(HERE / f'demo_{split}.rec' for split in SPLITS))


def published_set():
    """Download the 18,141 published pictures, 690 MB; the published validation file serves as the test split.

    Where their host is gone, d2l.ai's smaller collection is fetched and packed instead. Raises ConnectionError when
    neither can be had.
    """
    try:
        files = {split: _fetch(RECORDS_URL + name, sha1) for split, (name, sha1) in PUBLISHED.items()}
    except (OSError, ValueError) as first:
        try:
            archive = _fetch(ARCHIVE_URL, ARCHIVE_SHA1)
        except (OSError, ValueError) as second:
            raise ConnectionError(
                f'the published data set cannot be downloaded ({first}; {second}): put {PUBLISHED["train"][0]} and '
                f'{PUBLISHED["test"][0]} into {CACHE} yourself, or set demo = True in utils.py') from None
        return folder_set(_unpack(archive) / 'hotdog')
    return _cut_validation(files)


def _fetch(url, sha1):
    """Download a file into the cache, verified before it gets its name, with three tries."""
    download = pooch.HTTPDownloader(progressbar=not QUIET, timeout=30)
    fetcher = pooch.create(path=CACHE, base_url='', registry={Path(url).name: f'sha1:{sha1}'},
                           urls={Path(url).name: url}, retry_if_failed=2)
    return Path(fetcher.fetch(Path(url).name, downloader=download))


def _unpack(archive):
    """Unzip the archive into a folder that gets its name only when it is complete."""
    target = archive.with_suffix('')
    if not target.exists():
        half = _temporary(target)
        shutil.unpack_archive(archive, half)
        os.replace(half, target)
    return target


def _temporary(target):
    """Give a path beside `target` that no other process uses."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f'{target.name}.{os.getpid()}.tmp')
    shutil.rmtree(half, ignore_errors=True)
    return half


def _cut_validation(files):
    """Split the published training file, by a fixed seed, into training and validation pictures."""
    target = CACHE / 'published'
    if not target.exists():
        half = _temporary(target)
        half.mkdir()
        draw = random.Random(0)
        reader = recordio.MXRecordIO(str(files['train']), 'r')
        writers = {split: _writer(half, split) for split in ('train', 'validation')}
        count = 0
        while (record := reader.read()) is not None:
            writer = writers['validation' if draw.random() < VALIDATION_SHARE else 'train']
            writer.write_idx(count, record)
            count += 1
        for writer in writers.values():
            writer.close()
        os.replace(half, target)
    return DataSet('published', ['not_hotdog', 'hotdog'], target / 'train.rec', target / 'validation.rec',
                   files['test'])


def _writer(folder, split):
    return recordio.MXIndexedRecordIO(str(folder / f'{split}.idx'), str(folder / f'{split}.rec'), 'w')


def folder_set(folder):
    """Pack a folder `train/CLASS/*.jpg`, `test/CLASS/*.jpg` and perhaps `validation/CLASS/*.jpg` to RecordIO.

    Without `validation`, a share of the training pictures serves, drawn by a fixed seed. The packed files are kept and
    used again until a name, size or date in the folder changes. Raises FileNotFoundError or ValueError, naming every
    bad file, before anything is written.
    """
    folder = Path(folder).expanduser().resolve()
    classes, pictures = list_pictures(folder)
    stamp = ''.join(f'{path}{path.stat().st_size}{path.stat().st_mtime_ns}\n'
                    for split in SPLITS for path, _ in pictures[split])
    target = CACHE / f'{folder.name}-{hashlib.sha256(stamp.encode()).hexdigest()[:8]}'
    if not target.exists():
        _pack(pictures, target)
    return DataSet(target.name, classes, *(target / f'{split}.rec' for split in SPLITS))


def list_pictures(folder):
    """List the class names and, for each split, the (path, label) pairs of a folder of photographs."""
    for split in ('train', 'test'):
        if not (folder / split).is_dir():
            raise FileNotFoundError(f'{folder} has no folder {split}: make {split}/CLASS/ for each class of pictures')
    given = [split for split in SPLITS if (folder / split).is_dir()]
    classes = _classes(folder / 'train')
    pictures = {split: [(path, label) for label, name in enumerate(classes)
                        for path in _class_pictures(folder / split / name)] for split in given}
    for split in given:
        extra = set(_classes(folder / split)) - set(classes)
        if extra:
            raise ValueError(f'{folder / split} has the class {sorted(extra)[0]}, which train lacks: name them alike')
    if 'validation' not in given:
        pictures['train'], pictures['validation'] = _divide(pictures['train'])
    return classes, pictures


def _classes(split):
    """Give the class names in order; a class called not_something comes first, so that the positive one is 1."""
    names = [path.name for path in split.iterdir() if path.is_dir() and path.name[0] not in '._']
    if len(names) < 2:
        raise ValueError(f'{split} needs a folder for each of two or more classes, it has {len(names)}')
    return sorted(names, key=lambda name: (not name.lower().startswith(('not', 'no_')), name))


def _class_pictures(folder):
    files = [path for path in folder.glob('*') if path.name[0] != '.' and path.suffix.lower() in SUFFIXES]
    if not files:
        raise ValueError(f'{folder} holds no pictures: put some there ({", ".join(sorted(SUFFIXES))})')
    return sorted(files)


def _divide(pictures):
    """Split (path, label) pairs into training and validation, each class in the same proportion."""
    validation = set()
    for label in {label for _, label in pictures}:
        of_class = [pair for pair in pictures if pair[1] == label]
        if len(of_class) < 2:
            raise ValueError(f'{of_class[0][0].parent} holds one picture: a class needs at least two')
        count = max(1, round(VALIDATION_SHARE * len(of_class)))
        validation |= set(random.Random(0).sample(of_class, count))
    return [pair for pair in pictures if pair not in validation], sorted(validation)


def read_picture(path, short_side=256):
    """Read a picture of any kind that Pillow knows as RGB: upright, its shorter side `short_side` pixels."""
    with warnings.catch_warnings(), Image.open(path) as picture:
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        picture = ImageOps.exif_transpose(picture)
        if picture.mode in ('RGBA', 'LA', 'P', 'PA'):  # transparent parts become white, not black
            picture = picture.convert('RGBA')
            picture = Image.alpha_composite(Image.new('RGBA', picture.size, 'white'), picture)
        picture = picture.convert('RGB')
    scale = short_side / min(picture.size)
    return picture.resize([max(short_side, round(scale * side)) for side in picture.size], Image.BICUBIC)


def _pack(pictures, target):
    """Decode every picture and write the three RecordIO files, all or nothing."""
    half, bad = _temporary(target), []
    half.mkdir()
    try:
        for split in SPLITS:
            writer = _writer(half, split)
            mixed = random.Random(0).sample(pictures[split], len(pictures[split]))  # the reader shuffles nearby records
            for key, (path, label) in enumerate(tqdm(mixed, desc=f'packing {split}', unit='pictures',
                                                     disable=QUIET)):
                try:
                    read_picture(path).save(jpeg := io.BytesIO(), 'JPEG', quality=95)
                except (OSError, ValueError, SyntaxError, Image.DecompressionBombError,
                        Image.DecompressionBombWarning) as error:
                    bad.append(f'{path} ({error})')
                    continue
                writer.write_idx(key, recordio.pack(recordio.IRHeader(0, label, key, 0), jpeg.getvalue()))
            writer.close()
        if bad:
            raise ValueError(f'{len(bad)} pictures cannot be read, replace or remove them: ' + '; '.join(bad))
        os.replace(half, target)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def labels(record_file):
    """Read the labels of an indexed RecordIO file, in its order."""
    reader = recordio.MXRecordIO(str(record_file), 'r')
    found = []
    while (record := reader.read()) is not None:
        found.append(int(recordio.unpack(record)[0].label))
    return np.array(found)


def pictures(record_file, count=None):
    """Read the first `count` pictures (all by default): pairs of an RGB array (height, width, 3) and a label."""
    reader = recordio.MXRecordIO(str(record_file), 'r')
    found = []
    while len(found) != count and (record := reader.read()) is not None:
        header, jpeg = recordio.unpack(record)
        found.append((np.asarray(Image.open(io.BytesIO(jpeg)).convert('RGB')), int(header.label)))
    return found

"""Find the data sets: three splits of RecordIO files, wherever the pictures come from.

`demo_set()` is embedded, `published_set()` is downloaded, `folder_set(folder)` is the reader's own photographs.
"""
import os
import random
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from hotdog import downloads, photographs, records
from hotdog.downloads import QUIET as QUIET
from hotdog.photographs import SPLITS, VALIDATION_SHARE, read_picture as read_picture
from hotdog.records import labels as labels, pictures as pictures

HERE = Path(__file__).resolve().parents[1] / 'data'
CACHE = HERE / 'cache'  # what the notebooks write
DOWNLOADS = HERE.parent / Path(os.environ.get('BOOK_CACHE') or CACHE).expanduser()  # may be shared between clones
RECORDS_URL = 'https://apache-mxnet.s3-accelerate.amazonaws.com/gluon/dataset/'
PUBLISHED = {'train': ('not_hotdog_train-e6ef27b4.rec', '0aad7e1f16f5fb109b719a414a867bbee6ef27b4'),
             'test': ('not_hotdog_validation-c0201740.rec', '723ae5f8a433ed2e2bf729baec6b878ac0201740')}
ARCHIVE_URL = 'http://d2l-data.s3-accelerate.amazonaws.com/hotdog.zip'
ARCHIVE_SHA1 = 'fba480ffa8aa7e0febbb511d181409f899b9baa5'
LARGEST_ARCHIVE = 2 * 10 ** 9  # bytes that its files may take


class DataSet(NamedTuple):
    """The three RecordIO files of a data set and the names of its classes (class 1 is the positive one)."""

    name: str
    classes: list
    train: Path
    validation: Path
    test: Path


def demo_set():
    """Give the data set that comes with the book; its files are checked against `checksums.txt` first."""
    path = records.first_damaged(HERE)
    if path:
        raise ValueError(f'{path} is missing or damaged: restore it with git checkout data/{path.name}')
    return _data_set('demo', ['not_hotdog', 'hotdog'], HERE, 'demo_')


def folder_set(folder):
    """Pack a folder `train/CLASS/*.jpg`, `test/CLASS/*.jpg` and perhaps `validation/CLASS/*.jpg` to RecordIO.

    Without `validation`, a share of the training pictures serves, drawn by a fixed seed. The packed files are kept and
    used again until a name, size or date in the folder changes. Raises FileNotFoundError or ValueError, naming the
    bad files, with nothing written.
    """
    return _packed_set(*photographs.packed(folder, DOWNLOADS))


def _packed_set(target, classes):
    return _data_set(target.name, classes, target)


def _data_set(name, classes, folder, prefix=''):
    with downloads.writing(CACHE, 'copy the book to another folder'):
        CACHE.mkdir(exist_ok=True)  # for what the notebooks write
    return DataSet(name, classes, *(folder / f'{prefix}{split}.rec' for split in SPLITS))


def published_set():
    """Download the 18,141 published pictures, 690 MB; the published validation file serves as the test split.

    Where their host is gone, d2l.ai's smaller collection is fetched and packed instead. Raises ConnectionError when
    neither can be had.
    """
    try:
        files = {split: downloads.fetch(name, sha1, [RECORDS_URL + name], DOWNLOADS)
                 for split, (name, sha1) in PUBLISHED.items()}
    except ConnectionError as first:
        try:
            archive = downloads.fetch(Path(ARCHIVE_URL).name, ARCHIVE_SHA1, [ARCHIVE_URL], DOWNLOADS)
        except ConnectionError as second:
            raise ConnectionError(f'{first}. Instead of it, {second}. '
                                  'Or set demo = True in utils.py, it needs no network') from None
        return _packed_set(*photographs.packed(_unpack(archive) / 'hotdog', DOWNLOADS, published=True))
    return _cut_validation(files)


def _unpack(archive):
    """Unzip an archive into a folder of its name, which is there only when it is complete.

    Raises ValueError when the archive is damaged or a file of it would lie elsewhere or take too much room.
    """
    target = archive.with_suffix('')
    if not target.exists():
        with downloads.making(target) as part:
            if target.exists():
                return target
            try:
                with zipfile.ZipFile(archive) as members:
                    for member in members.infolist():
                        if not (part / member.filename).resolve().is_relative_to(part.resolve()):
                            raise ValueError(f'{archive} would write {member.filename} elsewhere: delete it')
                    if sum(member.file_size for member in members.infolist()) > LARGEST_ARCHIVE:
                        raise ValueError(f'{archive} would take more than {LARGEST_ARCHIVE / 1e9} GB: delete it')
                    members.extractall(part)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
                raise ValueError(f'{archive} is no whole archive ({error}): delete it') from None
    return target


def _cut_validation(files):
    """Split the published training file, by a fixed seed, into training and validation pictures."""
    target = DOWNLOADS / 'published'
    if records.first_damaged(target):
        with downloads.making(target) as part:
            if records.first_damaged(target):  # and no other process made it meanwhile
                part.mkdir()
                _copy_records(files, part)
                records.write_checksums(part)
    return _packed_set(target, ['not_hotdog', 'hotdog'])


def _copy_records(files, folder):
    """Copy the published records into three splits, less those that Pillow cannot decode, which it prints."""
    draw, left_out = random.Random(0), 0
    writers = {split: records.Writer(folder / f'{split}.rec') for split in SPLITS}
    for split, file in files.items():
        for label, encoded in records.samples(file):
            part = 'validation' if split == 'train' and draw.random() < VALIDATION_SHARE else split
            try:
                records.decode(encoded)
                writers[part].add(label, encoded)
            except ValueError:
                left_out += 1
    for writer in writers.values():
        writer.close()
    if left_out:
        print(f'{left_out} published pictures cannot be decoded and are left out')

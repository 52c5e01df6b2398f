"""Find the data sets: three splits of RecordIO files, wherever the pictures come from.

`demo_set()` comes with the book, `published_set()` is downloaded, `folder_set(folder)` is the reader's own photographs.
"""
import os
import random
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pooch

from hotdog import downloads, files, photographs, records
from hotdog.files import CACHE, DATA
from hotdog.photographs import SPLITS

VALIDATION_SHARE = 0.15  # of the published training pictures
CLASSES = ['not_hotdog', 'hotdog']
PUBLISHED = {'train': 'not_hotdog_train-e6ef27b4.rec', 'test': 'not_hotdog_validation-c0201740.rec'}


class DataSet(NamedTuple):
    """The three RecordIO files of a data set and the names of its classes (class 1 is the positive one)."""

    name: str
    classes: list
    train: Path
    validation: Path
    test: Path


def demo_set():
    """Return the data set that comes with the book. Raises ValueError, naming the file, when one is damaged."""
    damaged = files.first_damaged(DATA)  # MXNet would end the process at some damage
    if damaged:
        raise ValueError(f'{damaged} is missing or damaged: restore it with git checkout data/{damaged.name}')
    CACHE.mkdir(exist_ok=True)  # for what the notebooks write
    return DataSet('demo', CLASSES, *(DATA / f'demo_{split}.rec' for split in SPLITS))


def folder_set(folder):
    """Return a folder of photographs, CLASS/* or {train, test, validation}/CLASS/*, as a data set, packed in the cache.

    Splits that are not there are drawn. What cannot be used is left out (`table` lists it), or refused where the
    environment variable STRICT is set. The packed files are used again until a name, size or date in the folder
    changes. Raises FileNotFoundError or ValueError, with nothing written, when training would be senseless.
    """
    return _packed_set(*photographs.packed(folder, downloads.FOLDER, bool(os.environ.get('STRICT'))))


def is_folder(data):
    """Return whether a data set is a folder of photographs."""
    return (data.train.parent / 'pictures.csv').exists()


def table(data):
    """Return the files of a folder's data set, a DataFrame: `file`, `class`, `split`, and why it is left out.

    `reason` is '' for what is used; the rows of a split are in the order of its records. `other` is the file that a
    repeated picture repeats, `group` the number of those that are nearly the same. The pictures of other data sets have
    no files: `file` is their place.
    """
    if is_folder(data):
        return photographs.read_table(data.train.parent)
    rows = [(f'{split} {number}', data.classes[label], split, '', '') for split in SPLITS
            for number, label in enumerate(records.labels(getattr(data, split)))]
    return pd.DataFrame(rows, columns=['file', 'class', 'split', 'reason', 'other']).assign(group=range(len(rows)))


def used(data):
    """Return the rows of `table` for the pictures that are used, in the order train, validation, test."""
    rows = table(data).query("reason == ''")
    return pd.concat([rows[rows.split == split] for split in SPLITS], ignore_index=True)


def counts(data):
    """Return how many pictures are used, a DataFrame with a row for each class and a column for each split."""
    rows = used(data)
    return pd.crosstab(rows['class'], rows.split)[list(SPLITS)].rename_axis(index=None, columns=None)


def published_set():
    """Return the 18,141 published pictures (690 MB to download); their validation file serves as the test split.

    Where their host is gone, d2l.ai's smaller collection is fetched and packed instead. Raises ConnectionError when
    neither can be had.
    """
    try:
        published = {split: downloads.fetch(name) for split, name in PUBLISHED.items()}
    except ConnectionError as first:
        try:
            unpacked = downloads.fetch('hotdog.zip', pooch.Unzip())
        except ConnectionError as second:
            raise ConnectionError(f'{first}; or, instead of it, {second}; '
                                  'or set demo = True in utils.py, which needs no network') from None
        folder = Path(unpacked[0]).relative_to(downloads.FOLDER).parts[:2]  # hotdog.zip.unzip/hotdog
        return _packed_set(*photographs.packed(downloads.FOLDER.joinpath(*folder), downloads.FOLDER))
    target = downloads.FOLDER / 'published'
    if files.first_damaged(target):
        with files.replacing(target) as part:
            _split_published(published, part)
    return _packed_set(target, CLASSES)


def _packed_set(folder, classes):
    CACHE.mkdir(exist_ok=True)
    return DataSet(folder.name, classes, *(folder / f'{split}.rec' for split in SPLITS))


def _split_published(published, folder):
    """Write the three splits to a new folder; a fixed seed draws the validation pictures from the training file."""
    folder.mkdir()
    draw = random.Random(0)
    held_out = [draw.random() < VALIDATION_SHARE for _ in records.labels(published['train'])]
    for split, wanted in (('train', False), ('validation', True)):
        samples = zip(records.samples(published['train']), held_out)
        records.write(folder / f'{split}.rec', (sample for sample, held in samples if held == wanted))
    records.write(folder / 'test.rec', records.samples(published['test']))
    files.write_checksums(folder)

"""Read a folder of photographs: what can be used of it, and what is left out and why (`data/PHOTOGRAPHS.md`)."""
import hashlib
import io
import os
import random
import re
import warnings
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pandas as pd
import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from hotdog import files, records

SPLITS = ('train', 'validation', 'test')
FORMATS = ('JPEG', 'PNG', 'WEBP', 'AVIF', 'HEIF', 'BMP', 'GIF', 'TIFF')  # others of Pillow's run other programs
SHORTEST, SLENDEREST = 32, 10  # pixels of the shorter side, and how many times as long the longer one may be
FEWEST = 10  # good pictures of a class
SHARES = {'test': 0.2, 'validation': 0.15}  # that are drawn, of all pictures and of those for training
SAME, NEAR = 12, 40  # bits of 256 in which the hashes of two views of one picture differ, and of two that are alike
TONES = 10  # of 255, by which such pictures differ on average: else pictures on a plain ground would all be alike
VERSION = 4  # raise it when the same photographs are to be packed anew
NOT_A_FILE, LINK, NO_CLASS = 'no file', 'a link that leads out of the folder', 'in no class'
COPY, ALIKE, TWO_CLASSES = 'the same picture as', 'nearly the same picture as', 'in another class too'
UNREADABLE = ('damaged', 'empty', 'no picture', 'too many pixels', 'too small or too slender', '32 bits a pixel')
pillow_heif.register_heif_opener()
warnings.filterwarnings('ignore', module=r'PIL\.')  # of sizes and odd metadata: a picture is read, or it is left out


# What is in the folder

def find(folder):
    """Return a DataFrame of a folder's files: `file`, `class`, `split` ('' where none is given), `reason`, `other`.

    The folder holds CLASS/* or {train, test, validation}/CLASS/*. `reason` is '' but for what cannot be a picture.
    Raises FileNotFoundError or ValueError, a sentence, when there are not two classes, the same in every split.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{shown(folder)} is not a folder: name one that holds a folder for each class')
    names = {'val': 'validation', 'valid': 'validation'}
    splits = {split: path for path in _entries(folder) if path.is_dir()
              and (split := names.get(path.name.lower(), path.name.lower())) in SPLITS}
    if 'train' not in splits:
        splits = {'': folder}
    rows = [row for split in ('', *SPLITS) if split in splits for row in _files(splits[split], split, folder)]
    listed = {row[0] for row in rows}
    rows += [(file, '', '', NO_CLASS) for file, *_ in _files(folder, '', folder) if file not in listed]
    table = pd.DataFrame(rows, columns=['file', 'class', 'split', 'reason']).assign(other='')
    classes = {split: {path.name for path in _entries(splits[split]) if path.is_dir()} for split in splits}
    given = classes.get('train', classes.get(''))
    if len(given) < 2:
        raise ValueError(f'{shown(splits.get("train", folder))} needs a folder for each of two or more classes, '
                         f'it has {len(given)}')
    for split, names in classes.items():
        if names != given:
            raise ValueError(f'{shown(splits[split])} and {shown(splits["train"])} have not the same classes '
                             f'({", ".join(sorted(names ^ given))}): name them alike')
    return table


def _entries(folder):
    """Return what is in a folder, less what is hidden or what systems leave there (__MACOSX, @eaDir, Thumbs.db)."""
    return sorted(path for path in folder.iterdir()
                  if path.name[0] not in '._@' and path.name.lower() not in ('thumbs.db', 'desktop.ini'))


def _files(split_folder, split, root):
    """Yield file, class, split and reason of all files of a split, those in deeper folders too."""
    for path in _entries(split_folder):
        if path.is_file():
            yield str(path.relative_to(root)), '', split, NO_CLASS
            continue
        for parent, folders, names in os.walk(path):
            folders[:] = [entry.name for entry in _entries(Path(parent)) if entry.name in folders]
            for entry in _entries(Path(parent)):
                if entry.name in names:
                    inside = Path(os.path.realpath(entry)).is_relative_to(root)
                    reason = LINK if not inside else '' if entry.is_file() else NOT_A_FILE
                    yield str(entry.relative_to(root)), path.name, split, reason


def class_names(table):
    """Return the class names in order; not_something (or no_, not-, no-) comes first: the positive class is 1."""
    names = set(table['class']) - {''}
    return sorted(names, key=lambda name: (not re.match('(not|no)[-_ ]', name, re.IGNORECASE), name))


def shown(path):
    """Return a path as text on one line, whatever characters it has."""
    return str(path) if str(path).isprintable() else repr(str(path))


# One picture

def read_picture(path, short_side=256):
    """Return a file's picture as RGB: upright, its shorter side `short_side` pixels, transparent parts white.

    `path` may be a file object. Raises ValueError with the reason, one of UNREADABLE, when it cannot be read,
    FileNotFoundError or PermissionError.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            picture = ImageOps.exif_transpose(picture)
    except (FileNotFoundError, PermissionError):
        raise
    except UnidentifiedImageError:
        raise ValueError('no picture' if os.path.getsize(path) else 'empty') from None
    except Image.DecompressionBombError:
        raise ValueError('too many pixels') from None
    except Exception:  # whatever Pillow's parsers let through
        raise ValueError('damaged') from None
    short, long = sorted(picture.size)
    if short < SHORTEST or long > SLENDEREST * short:
        raise ValueError('too small or too slender')
    size = [max(short_side, round(short_side / short * side)) for side in picture.size]
    return _to_rgb(picture).resize(size, Image.BICUBIC)


def _to_rgb(picture):
    """Return a picture of any mode as RGB of 8 bits."""
    if picture.mode in ('I', 'F'):
        raise ValueError('32 bits a pixel')  # of which white is unknown
    if picture.mode.startswith('I;16'):  # convert() would cut everything above 255 off
        return Image.fromarray((np.asarray(picture) // 257).astype('uint8')).convert('RGB')
    if picture.has_transparency_data or picture.mode in ('P', 'PA'):  # white, not black, shows through
        picture = picture.convert('RGBA')
        picture = Image.alpha_composite(Image.new('RGBA', picture.size, 'white'), picture)
    return picture.convert('RGB')


def _encoded(path):
    """Return why a file cannot be used ('' if it can), its width, height and bytes, its JPEG of the size that is kept,
    and its 17 x 16 thumbnail."""
    try:
        picture = read_picture(path)
        with Image.open(path) as original:
            size = (*original.size, os.path.getsize(path))
    except (OSError, ValueError) as error:
        return str(error), (0, 0, 0), None, None
    picture.save(jpeg := io.BytesIO(), 'JPEG', quality=95)
    return '', size, jpeg.getvalue(), np.asarray(picture.convert('L').resize((17, 16), Image.BILINEAR), 'float32')


# Repetitions

def leave_out_repetitions(table, thumbnails):
    """Mark in the table what shows the same as another picture; return the number (n,) of each picture's group.

    A difference hash has a bit for each pair of neighbours in the thumbnails (n, 16, 17). Of one picture the file of
    the test split stays, then that of the validation split, then the first. Nearly the same pictures may stand in one
    split, and have one number. `table` has the rows that `thumbnails` belong to.
    """
    bits = np.where(thumbnails[:, :, 1:] > thumbnails[:, :, :-1], 1, -1).reshape(len(table), -1).astype('float32')
    order = np.argsort(table.split.map({'test': 0, 'validation': 1, 'train': 2, '': 3}), kind='stable').to_numpy()
    groups, columns = np.arange(len(table)), [table.columns.get_loc(name) for name in ('reason', 'other')]
    names, splits, labels = (table[name].to_numpy() for name in ('file', 'split', 'class'))
    is_out = np.zeros(len(table), bool)
    for place, i in enumerate(order):
        if is_out[i]:
            continue
        later = order[place + 1:][~is_out[order[place + 1:]]]
        distance = (bits.shape[1] - bits[later] @ bits[i]) / 2
        later, distance = later[distance <= NEAR], distance[distance <= NEAR]
        for j, bits_between in zip(later, distance):
            if np.abs(thumbnails[i] - thumbnails[j]).mean() > TONES:
                continue
            groups[groups == groups[j]] = groups[i]
            if bits_between <= SAME and labels[i] != labels[j]:
                table.iloc[[i, j], columns] = [[TWO_CLASSES, names[j]], [TWO_CLASSES, names[i]]]
                is_out[[i, j]] = True
            elif bits_between <= SAME or splits[i] != splits[j]:
                table.iloc[j, columns] = [COPY if bits_between <= SAME else ALIKE, names[i]]
                is_out[j] = True
    return groups


def divide(table, groups):
    """Draw the splits that the folder does not give, a share of each class; pictures of one group stay together."""
    draw, split_column = random.Random(0), table.columns.get_loc('split')
    for split, share in SHARES.items():
        if split in set(table.split):
            continue
        is_open = table.split.isin(['', 'train']).to_numpy()
        for name in class_names(table):
            rows = np.flatnonzero(is_open & (table['class'] == name).to_numpy()).tolist()
            drawn = draw.sample(rows, max(1, round(share * len(rows))))
            table.iloc[is_open & np.isin(groups, groups[drawn]), split_column] = split
    table.loc[table.split == '', 'split'] = 'train'


# Packing

def packed(folder, cache, strict=False):
    """Return the folder in `cache` that holds a folder's packed pictures, and the classes; pack it if anything changed.

    It holds SPLIT.rec and `pictures.csv`, the table of `find` with `width`, `height` and `bytes` of each file and the
    number of its `group` of nearly the same pictures; the pictures of each split are in the order of its records.
    Raises FileNotFoundError or ValueError when training would be senseless, or, if strict, when any file is left out.
    """
    folder = Path(folder).expanduser().resolve()
    table = find(folder)
    stamp = [(row.file, row.reason, os.lstat(folder / row.file).st_size, os.lstat(folder / row.file).st_mtime_ns)
             for row in table.itertuples()]
    key = hashlib.sha256(repr((VERSION, str(folder), stamp)).encode('utf-8', 'surrogateescape')).hexdigest()[:8]
    target = cache / (re.sub(r'[^\w.-]', '_', folder.name)[:40] + f'-{key}')
    classes = class_names(table)
    if files.first_damaged(target):
        table, jpegs = _read_all(folder, table)
        with files.replacing(target) as part:
            part.mkdir()
            for split in SPLITS:
                rows = table[(table.split == split) & (table.reason == '')]
                records.write(part / f'{split}.rec', [(classes.index(name), jpegs[i])
                                                      for i, name in rows['class'].items()])
            table.to_csv(part / 'pictures.csv', index=False, errors='surrogateescape')
            files.write_checksums(part)
    left_out = (read_table(target).reason != '').sum()
    if left_out and strict:
        raise ValueError(f'{left_out} files of {shown(folder)} cannot be used, see {target / "pictures.csv"}: '
                         'remove or mend them, or leave STRICT=1 away')
    return target, classes


def read_table(packed_folder):
    """Return the table of a packed folder's files, a DataFrame as `find` makes it."""
    return pd.read_csv(packed_folder / 'pictures.csv', keep_default_na=False, encoding_errors='surrogateescape')


def _read_all(folder, table):
    """Return the table in the order in which it is packed, every file judged, and {row: JPEG} of what can be used."""
    order = random.Random(0).sample(range(len(table)), len(table))  # readers shuffle nearby records only
    table = table.iloc[order].reset_index(drop=True).assign(width=0, height=0, bytes=0, group=-1)
    candidates, jpegs, thumbnails = table.index[table.reason == ''], {}, {}
    with ThreadPool() as pool:
        encoded = tqdm(pool.imap(_encoded, [folder / name for name in table.file[candidates]]), 'reading',
                       len(candidates), unit='picture')
        for i, (reason, size, jpeg, thumbnail) in zip(candidates, encoded):
            table.loc[i, ['reason', 'width', 'height', 'bytes']] = reason, *size
            if not reason:
                jpegs[i], thumbnails[i] = jpeg, thumbnail
    good = table.loc[list(jpegs)]
    groups = leave_out_repetitions(good, np.stack(list(thumbnails.values()))) if len(good) else []
    table.loc[good.index, ['reason', 'other', 'group']] = good.assign(group=groups)[['reason', 'other', 'group']]
    _refuse_senseless(folder, table)
    used = (good.reason == '').to_numpy()
    good = good[used].copy()
    divide(good, groups[used])
    table.loc[good.index, 'split'] = good.split
    _refuse_empty(folder, table)
    return table, jpegs


def _refuse_senseless(folder, table):
    """Raise ValueError when a class has too few pictures that can be used."""
    counts = table[table.reason == ''].groupby('class').size().reindex(class_names(table), fill_value=0)
    if counts.min() < FEWEST:
        raise ValueError(f'{shown(folder)}: the class {counts.idxmin()} has {counts.min()} pictures that can be used, '
                         f'{FEWEST} are needed: add some{_left_out(table)}')


def _refuse_empty(folder, table):
    """Raise ValueError when a split has no picture of some class."""
    for split in SPLITS:
        missing = set(class_names(table)) - set(table['class'][(table.split == split) & (table.reason == '')])
        if missing:
            raise ValueError(f'{shown(folder)}: {split} has no picture of {min(missing)} that can be used: '
                             f'add some{_left_out(table)}')


def _left_out(table):
    counts = table.reason[table.reason != ''].value_counts()
    return f'; left out: {", ".join(f"{name} ({count})" for name, count in counts.items())}' if len(counts) else ''

"""Check a folder of photographs and pack it to RecordIO; `data/PHOTOGRAPHS.md` states what is accepted and why."""
import hashlib
import io
import os
import random
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm.auto import tqdm

from hotdog import downloads, records

SPLITS = ('train', 'validation', 'test')
VALIDATION_SHARE = 0.15  # of the training pictures, where no validation split is given
FORMATS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'GIF', 'TIFF')  # Pillow knows more, some of which run other programs
SHORTEST, SLENDEREST = 32, 10  # pixels of the shorter side, and how many times as long the longer one may be
SHOWN = 10  # faults that an error tells; `make check-data` tells all
VERSION = 1  # raise it when the same photographs are to be packed anew


def list_pictures(folder):
    """List a folder's class names, for each split its (path, label) pairs, and the entries that are no pictures.

    Raises FileNotFoundError or ValueError when splits or classes are missing, empty or not the same everywhere.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{shown(folder)} is not a folder: name one that holds train and test')
    for split in ('train', 'test'):
        if not (folder / split).is_dir():
            raise FileNotFoundError(f'{shown(folder)} has no folder {split}: '
                                    f'make {split}/CLASS/ for each class of pictures')
    for other in ('val', 'valid'):
        if (folder / other).is_dir() and not (folder / 'validation').is_dir():
            raise ValueError(f'{shown(folder / other)} is not looked at: rename it to validation')
    given = [split for split in SPLITS if (folder / split).is_dir()]
    classes, pictures, faults = _classes(folder / 'train'), {}, []
    for split in given:
        extra = set(_classes(folder / split)) - set(classes)
        if extra:
            raise ValueError(f'{shown(folder / split)} has the class {sorted(extra)[0]}, which train lacks: '
                             'name them alike')
        faults += [f'{shown(path)} lies in no class: move it' for path in _entries(folder / split) if path.is_file()]
        pictures[split] = []
        for label, class_name in enumerate(classes):
            files = _class_pictures(folder / split / class_name, folder, faults)
            pictures[split] += [(path, label) for path in files]
    if 'validation' not in given:
        pictures['train'], pictures['validation'] = _divide(pictures['train'])
    return classes, pictures, faults


def _entries(folder):
    """List what is in a folder, less what is hidden or what systems leave there (__MACOSX, @eaDir, Thumbs.db)."""
    return sorted(path for path in folder.iterdir()
                  if path.name[0] not in '._@' and path.name.lower() not in ('thumbs.db', 'desktop.ini'))


def _classes(split):
    """Give the class names in order; not_something (or no_, not-, no-) comes first, so that the positive one is 1."""
    names = [path.name for path in _entries(split) if path.is_dir()]
    if len(names) < 2:
        raise ValueError(f'{shown(split)} needs a folder for each of two or more classes, it has {len(names)}')
    return sorted(names, key=lambda name: (not re.match('(not|no)[-_ ]', name, re.IGNORECASE), name))


def _class_pictures(folder, root, faults):
    """List the files of a class; append to `faults` what cannot be a picture."""
    files = _entries(folder) if folder.is_dir() else []
    good = []
    for path in files:
        if not Path(os.path.realpath(path)).is_relative_to(root):
            faults.append(f'{shown(path)} is a link that leads out of the folder: copy the picture')
        elif path.is_dir():
            faults.append(f'{shown(path)} is a folder in a class: move its pictures up')
        elif not path.is_file():
            faults.append(f'{shown(path)} is no file: remove it')
        else:
            good.append(path)
    if not files:
        raise ValueError(f'{shown(folder)} holds no pictures: put some there, JPEG or PNG for example')
    return good


def _divide(pictures):
    """Split (path, label) pairs into training and validation, each class in the same proportion."""
    validation = set()
    for label in {label for _, label in pictures}:
        of_class = [pair for pair in pictures if pair[1] == label]
        if len(of_class) < 2:
            raise ValueError(f'{shown(of_class[0][0].parent)} holds one picture: a class needs at least two')
        share = max(1, round(VALIDATION_SHARE * len(of_class)))
        validation |= set(random.Random(0).sample(of_class, share))
    return [pair for pair in pictures if pair not in validation], sorted(validation)


def shown(path):
    """Write a path on one line, whatever characters it has."""
    return str(path) if str(path).isprintable() else repr(str(path))


class _Refused(ValueError):
    """A picture is whole, but not of a kind that is accepted."""


def read_picture(path, short_side=256):
    """Read a picture as RGB: upright, its shorter side `short_side` pixels, transparent parts white.

    Raises ValueError with the reason when it is damaged or of a kind that is not accepted.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            short, long = sorted(picture.size)
            if short * long > records.MAX_PIXELS:
                raise _Refused(f'{short * long / 1e6:.0f} million pixels are too many: make it smaller')
            if short < SHORTEST or long > SLENDEREST * short:
                raise _Refused(f'{picture.width} x {picture.height} pixels are too small or too slender: remove it')
            picture = _to_rgb(ImageOps.exif_transpose(picture))
    except _Refused:
        raise
    except Image.UnidentifiedImageError:
        raise ValueError(_unknown(path)) from None
    except Image.DecompressionBombError:
        raise ValueError('it has too many pixels: make it smaller') from None
    except Exception as error:  # whatever Pillow's parsers let through
        raise ValueError(f'it is damaged ({" ".join(str(error).split())}): copy it anew or remove it') from None
    scale = short_side / min(picture.size)
    return picture.resize([max(short_side, round(scale * side)) for side in picture.size], Image.BICUBIC)


def _to_rgb(picture):
    """Convert a picture of any mode to RGB of 8 bits."""
    if picture.mode in ('I', 'F'):
        raise _Refused('its pixels have 32 bits, of which white is unknown: save it with 8 bits')
    if picture.mode.startswith('I;16'):  # convert() would cut everything above 255 off
        return Image.fromarray((np.asarray(picture) // 257).astype('uint8')).convert('RGB')
    if picture.has_transparency_data or picture.mode in ('P', 'PA'):  # white, not black, shows through
        picture = picture.convert('RGBA')
        picture = Image.alpha_composite(Image.new('RGBA', picture.size, 'white'), picture)
    return picture.convert('RGB')


def _unknown(path):
    """Say what a file is that is no picture of the accepted kinds."""
    with open(path, 'rb') as file:
        head = file.read(12)
    if not head:
        return 'it is empty: copy it anew or remove it'
    if head[4:8] == b'ftyp':
        return 'it is HEIC, AVIF or a video: save it as JPEG'
    return 'it is no picture that can be read: remove it, or save it as JPEG'


def count(faults):
    """Count faults in words."""
    return f'{len(faults)} fault{"s" * (len(faults) > 1)}'


def read_all(pictures, keep):
    """Decode every picture once, and pass `keep` the split, the label and a JPEG of each that is good.

    Returns the faults, a sentence each: pictures that cannot be used, and pairs that show the same picture.
    """
    faults, first = [], {}
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter('ignore')  # of sizes and odd metadata: a picture is accepted, or it is a fault
        for split in SPLITS:
            mixed = random.Random(0).sample(pictures[split], len(pictures[split]))  # readers shuffle nearby records
            rest = iter(tqdm(mixed, desc=f'reading {split}', unit='pictures', disable=downloads.QUIET))
            while chunk := list(islice(rest, 64)):  # so that few pictures are in memory at a time
                for (path, label), (jpeg, fault) in zip(chunk, pool.map(_encoded, [path for path, _ in chunk])):
                    if fault:
                        faults.append(f'{shown(path)}: {fault}')
                        continue
                    same = first.setdefault(hashlib.sha256(jpeg).digest(), path)
                    if same != path:
                        faults.append(f'{shown(path)} is the same picture as {shown(same)}: keep one of them')
                    keep(split, label, jpeg)
    return sorted(faults)


def _encoded(path):
    """Give a picture as a JPEG of the size that is kept, and no fault; or nothing and the fault."""
    try:
        read_picture(path).save(jpeg := io.BytesIO(), 'JPEG', quality=95)
    except ValueError as error:
        return None, str(error)
    return jpeg.getvalue(), None


def check(folder):
    """Check a folder without writing anything; give its classes, `{split: pictures of each class}` and all faults."""
    classes, pictures, faults = list_pictures(Path(folder).expanduser().resolve())
    faults = faults + read_all(pictures, lambda *_: None)
    counts = {split: [sum(label == number for _, label in pictures[split]) for number in range(len(classes))]
              for split in SPLITS}
    return classes, counts, faults


def packed(folder, cache, published=False):
    """Pack a folder into the folder `cache`, unless that was done and nothing changed; give the target, the classes.

    Nothing is kept when anything in the folder is bad: FileNotFoundError or ValueError says what. Of a published
    collection, which its readers cannot mend, bad pictures are left out.
    """
    folder = Path(folder).expanduser().resolve()
    classes, pictures, faults = list_pictures(folder)
    stamp = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for split in SPLITS for path, _ in
             pictures[split]] if not faults else []
    key = hashlib.sha256(repr((VERSION, stamp)).encode()).hexdigest()[:8]
    target = cache / (re.sub(r'[^\w.-]', '_', folder.name)[:40] + f'-{key}')
    if not faults and not records.first_damaged(target):
        return target, classes
    with downloads.making(target) as part:
        if not faults and not records.first_damaged(target):  # another process packed it meanwhile
            return target, classes
        part.mkdir()
        writers = {split: records.Writer(part / f'{split}.rec') for split in SPLITS}
        try:
            faults += read_all(pictures, lambda split, *sample: writers[split].add(*sample))
        finally:
            for writer in writers.values():
                writer.close()
        if faults and published:
            print(f'{count(faults)} among the published pictures:', '; '.join(faults[:SHOWN]))
        elif faults:
            more = f'; and {len(faults) - SHOWN} more' if len(faults) > SHOWN else ''
            raise ValueError(f'{count(faults)} in {shown(folder)}: {"; ".join(faults[:SHOWN])}{more} '
                             '(make check-data PHOTOS=FOLDER lists all)')
        records.write_checksums(part)
    return target, classes

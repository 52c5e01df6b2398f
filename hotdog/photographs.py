"""Check a folder of photographs and pack it to RecordIO; `data/PHOTOGRAPHS.md` states what is accepted and why."""
import hashlib
import io
import os
import random
import re
import warnings
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from hotdog import files, records

SPLITS = ('train', 'validation', 'test')
VALIDATION_SHARE = 0.15  # of the training pictures, where no validation split is given
FORMATS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'GIF', 'TIFF')  # Pillow knows more, some of which run other programs
SHORTEST, SLENDEREST = 32, 10  # pixels of the shorter side, and how many times as long the longer one may be
SHOWN = 10  # faults that an error tells; `make check-data` tells all
VERSION = 2  # raise it when the same photographs are to be packed anew
warnings.filterwarnings('ignore', module=r'PIL\.')  # of sizes and odd metadata: a picture is accepted, or it is a fault


def list_pictures(folder):
    """Return a folder's class names, for each split its (path, label) pairs, and its faults, a sentence each.

    Raises FileNotFoundError or ValueError when splits or classes are missing, empty or not the same everywhere.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{shown(folder)} is not a folder: name one that holds train and test')
    for split in ('train', 'test'):
        if not (folder / split).is_dir():
            raise FileNotFoundError(f'{shown(folder)} has no folder {split}: '
                                    f'make {split}/CLASS/ for each class of pictures')
    given = [split for split in SPLITS if (folder / split).is_dir()]
    for other in ('val', 'valid'):
        if (folder / other).is_dir() and 'validation' not in given:
            raise ValueError(f'{shown(folder / other)} is not looked at: rename it to validation')
    classes, pictures, faults = _classes(folder / 'train'), {}, []
    for split in given:
        extra = set(_classes(folder / split)) - set(classes)
        if extra:
            raise ValueError(f'{shown(folder / split)} has the class {min(extra)}, which train lacks: name them alike')
        faults += [f'{shown(path)} lies in no class: move it' for path in _entries(folder / split) if path.is_file()]
        pictures[split] = [(path, label) for label, name in enumerate(classes)
                           for path in _class_pictures(folder / split / name, folder, faults)]
    if 'validation' not in given:
        pictures['train'], pictures['validation'] = _divide(pictures['train'])
    return classes, pictures, faults


def _entries(folder):
    """Return what is in a folder, less what is hidden or what systems leave there (__MACOSX, @eaDir, Thumbs.db)."""
    return sorted(path for path in folder.iterdir()
                  if path.name[0] not in '._@' and path.name.lower() not in ('thumbs.db', 'desktop.ini'))


def _classes(split):
    """Return the class names in order; not_something (or no_, not-, no-) comes first: the positive class is 1."""
    names = [path.name for path in _entries(split) if path.is_dir()]
    if len(names) < 2:
        raise ValueError(f'{shown(split)} needs a folder for each of two or more classes, it has {len(names)}')
    return sorted(names, key=lambda name: (not re.match('(not|no)[-_ ]', name, re.IGNORECASE), name))


def _class_pictures(folder, root, faults):
    """Return the files of a class; append to `faults` what cannot be a picture."""
    entries = _entries(folder) if folder.is_dir() else []
    if not entries:
        raise ValueError(f'{shown(folder)} holds no pictures: put some there, JPEG or PNG for example')
    for path in entries:
        if not Path(os.path.realpath(path)).is_relative_to(root):
            faults.append(f'{shown(path)} is a link that leads out of the folder: copy the picture')
        elif path.is_dir():
            faults.append(f'{shown(path)} is a folder in a class: move its pictures up')
        elif not path.is_file():
            faults.append(f'{shown(path)} is no file: remove it')
        else:
            yield path


def _divide(pictures):
    """Return the (path, label) pairs for training and for validation, each class in the same proportion."""
    validation = set()
    for label in {label for _, label in pictures}:
        of_class = [pair for pair in pictures if pair[1] == label]
        if len(of_class) < 2:
            raise ValueError(f'{shown(of_class[0][0].parent)} holds one picture: a class needs at least two')
        validation |= set(random.Random(0).sample(of_class, max(1, round(VALIDATION_SHARE * len(of_class)))))
    return [pair for pair in pictures if pair not in validation], sorted(validation)


def shown(path):
    """Return a path as text on one line, whatever characters it has."""
    return str(path) if str(path).isprintable() else repr(str(path))


def read_picture(path, short_side=256):
    """Return a file's picture as RGB: upright, its shorter side `short_side` pixels, transparent parts white.

    Raises ValueError with the reason when it is damaged or of a kind that is not accepted.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            picture = ImageOps.exif_transpose(picture)
    except UnidentifiedImageError:
        raise ValueError(_unknown(path)) from None
    except Image.DecompressionBombError:
        raise ValueError('it has too many pixels: make it smaller') from None
    except Exception as error:  # whatever Pillow's parsers let through
        raise ValueError(f'it is damaged ({" ".join(str(error).split())}): copy it anew or remove it') from None
    short, long = sorted(picture.size)
    if short < SHORTEST or long > SLENDEREST * short:
        raise ValueError(f'{picture.width} x {picture.height} pixels are too small or too slender: remove it')
    size = [max(short_side, round(short_side / short * side)) for side in picture.size]
    return _to_rgb(picture).resize(size, Image.BICUBIC)


def _to_rgb(picture):
    """Return a picture of any mode as RGB of 8 bits."""
    if picture.mode in ('I', 'F'):
        raise ValueError('its pixels have 32 bits, of which white is unknown: save it with 8 bits')
    if picture.mode.startswith('I;16'):  # convert() would cut everything above 255 off
        return Image.fromarray((np.asarray(picture) // 257).astype('uint8')).convert('RGB')
    if picture.has_transparency_data or picture.mode in ('P', 'PA'):  # white, not black, shows through
        picture = picture.convert('RGBA')
        picture = Image.alpha_composite(Image.new('RGBA', picture.size, 'white'), picture)
    return picture.convert('RGB')


def _unknown(path):
    """Return what is wrong with a file that is no picture of the accepted kinds."""
    with open(path, 'rb') as file:
        head = file.read(12)
    if not head:
        return 'it is empty: copy it anew or remove it'
    if head[4:8] == b'ftyp':
        return 'it is HEIC, AVIF or a video: save it as JPEG'
    return 'it is no picture that can be read: remove it, or save it as JPEG'


def readable(pictures, split, faults, first):
    """Yield label and JPEG of each good picture of a split, and append a sentence to `faults` for each bad one.

    `first` collects the path of each picture, for all splits, so that repeated pictures are faults too.
    """
    mixed = random.Random(0).sample(pictures[split], len(pictures[split]))  # readers shuffle nearby records only
    with ThreadPool() as pool:
        encoded = pool.imap(_encoded, [path for path, _ in mixed])
        for (jpeg, fault), (path, label) in zip(tqdm(encoded, f'reading {split}', len(mixed), unit='picture'), mixed):
            if fault:
                faults.append(f'{shown(path)}: {fault}')
                continue
            same = first.setdefault(hashlib.sha256(jpeg).digest(), path)
            if same == path:
                yield label, jpeg
            else:
                faults.append(f'{shown(path)} is the same picture as {shown(same)}: keep one of them')


def _encoded(path):
    """Return a picture as a JPEG of the size that is kept, and no fault; or nothing and the fault."""
    try:
        read_picture(path).save(jpeg := io.BytesIO(), 'JPEG', quality=95)
    except (OSError, ValueError) as error:
        return None, str(error)
    return jpeg.getvalue(), None


def packed(folder, cache, published=False):
    """Return the folder in `cache` that holds a folder's packed pictures, and the classes; pack it if anything changed.

    Nothing is kept when anything in the folder is bad: FileNotFoundError or ValueError says what. Of a published
    collection, which its readers cannot mend, bad pictures are left out.
    """
    folder = Path(folder).expanduser().resolve()
    classes, pictures, faults = list_pictures(folder)
    stamp = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for split in SPLITS
             for path, _ in pictures[split]]
    key = hashlib.sha256(repr((VERSION, stamp)).encode()).hexdigest()[:8]
    target = cache / (re.sub(r'[^\w.-]', '_', folder.name)[:40] + f'-{key}')
    if not faults and not files.first_damaged(target):
        return target, classes
    with files.replacing(target) as part:
        part.mkdir()
        first = {}
        for split in SPLITS:
            records.write(part / f'{split}.rec', readable(pictures, split, faults, first))
        if faults:
            sentence = f'faults in {shown(folder)} ({len(faults)}): {"; ".join(sorted(faults)[:SHOWN])}'
            sentence += f'; and {len(faults) - SHOWN} more' if len(faults) > SHOWN else ''
            if not published:
                raise ValueError(f'{sentence} (make check-data PHOTOS=FOLDER lists all)')
            print(sentence)
        files.write_checksums(part)
    return target, classes

"""Write files and folders so that they are there whole or not at all, and tell damaged ones from good ones."""
import errno
import hashlib
import shutil
from contextlib import contextmanager
from pathlib import Path

import filelock
import numpy as np

DATA = Path(__file__).resolve().parents[1] / 'data'
CACHE = DATA / 'cache'  # what the notebooks write


@contextmanager
def replacing(target):
    """Yield a temporary path beside `target` (a file or a folder) that takes its name when the block ends.

    One process at a time replaces a target, others wait. When the block raises, or makes nothing at the path, the old
    target stays. Raises OSError, one sentence, when the disk is full or the folder cannot be written.
    """
    target = Path(target)
    temporary = target.with_name(f'{target.name}.part')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(target.with_name(f'.{target.name}.lock')):
            _remove(temporary)  # what a process that was killed left
            try:
                yield temporary
                if temporary.is_dir():
                    _remove(target)  # a full folder cannot be replaced
                if temporary.exists():
                    temporary.replace(target)
            finally:
                _remove(temporary)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(f'{target} cannot be written, the disk is full: make room and try again') from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise PermissionError(f'{target} cannot be written ({error.strerror}): '
                                  f'make {target.parent} writable or use another folder') from None
        raise


def digest(path):
    """Return the SHA-256 of a file's content, 64 hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def records(path):
    """Yield the label (int) and the encoded picture (n,), uint8, of each record of a RecordIO file, without MXNet."""
    words = np.fromfile(path, 'uint32')
    while len(words):  # magic number, length, flag, label, two numbers, the picture, padding
        length, label = int(words[1]), int(words[3:4].view('float32')[0])
        yield label, words[8:].view('uint8')[:length - 24]
        words = words[2 + (length + 3) // 4:]


def write_checksums(folder):
    """List the SHA-256 of every file of a folder in its `checksums.txt`, as `sha256sum` does."""
    lines = [f'{digest(path)}  {path.name}\n' for path in sorted(folder.iterdir())]
    (folder / 'checksums.txt').write_text(''.join(lines))


def first_damaged(folder):
    """Return the first file of a folder that is not what its `checksums.txt` says, else None."""
    listing = folder / 'checksums.txt'
    if not listing.is_file():
        return listing
    for line in listing.read_text().splitlines():
        checksum, _, name = line.partition('  ')
        if not (folder / name).is_file() or digest(folder / name) != checksum:
            return folder / name
    return None


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

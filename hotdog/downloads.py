"""Fetch files whose hash is known: from the cache, else from one address after the other; never a half or wrong file.

Three environment variables choose where from: `BOOK_CACHE`, a folder that may be shared and filled by hand;
`BOOK_MIRRORS`, folders or addresses (http, https, file) that are tried first; `BOOK_OFFLINE=1` forbids any request.
"""
import errno
import fcntl
import os
import re
import shutil
import sys
import time
import urllib.parse
import urllib.request
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

MIRRORS = os.environ.get('BOOK_MIRRORS', '').split()
OFFLINE = os.environ.get('BOOK_OFFLINE', '') not in ('', '0')
QUIET = bool(os.environ.get('TQDM_DISABLE'))  # tqdm itself ignores it in notebooks
TIMEOUT = 10  # seconds to wait for a connection, and for each part of an answer
WAITS = (1, 2)  # seconds before the second and third try of an address
LARGEST_MEMBER = 5 * 10 ** 8  # bytes that a file in an archive may have


def fetch(name, sha1, addresses, folder):
    """Return the path of `folder/name`, whose content has the given SHA-1; download it if it is not there.

    The addresses are tried in order, the mirrors before them; an address that ends in .zip may give an archive that
    holds the file. Raises ValueError when `sha1` is no SHA-1, OSError when `folder` cannot be written, and
    ConnectionError, which lists what was tried and says where to put the file by hand.
    """
    if not re.fullmatch('[0-9a-f]{40}', sha1):
        raise ValueError(f'{name} cannot be checked: {sha1!r} is no SHA-1, correct it where the file is listed')
    target, tried = Path(folder, name), []
    if _has(target, sha1):
        return target
    addresses = [_address(mirror, name) for mirror in MIRRORS] + list(addresses)
    if OFFLINE:
        addresses = [address for address in addresses if address.startswith('file:')]
    with making(target) as part:
        if _has(target, sha1):  # another process fetched it meanwhile
            return target
        for address in addresses:
            for wait in (0, *WAITS):
                time.sleep(wait)
                try:
                    _download(address, part, name)
                    _check(part, sha1)
                    return target
                except (requests.RequestException, ValueError, zipfile.BadZipFile, FileNotFoundError) as error:
                    reason, again = _reason(error)
                if not again:
                    break
            tried.append(f'{address} ({reason})')
        state = 'damaged' if target.exists() else 'missing'
        what = 'BOOK_OFFLINE forbids to download it' if OFFLINE else 'it cannot be downloaded'
        raise ConnectionError(f'{target} is {state} and {what}{": tried " * bool(tried)}{", ".join(tried)}; '
                              f'put {name} (SHA-1 {sha1}) into {target.parent} by hand')


def _has(path, sha1):
    return path.exists() and pooch.file_hash(str(path), 'sha1') == sha1


def _address(mirror, name):
    """Give the address of a file on a mirror, which may be a folder."""
    if '://' not in mirror:
        mirror = Path(mirror).expanduser().resolve().as_uri()
    return f'{mirror.rstrip("/")}/{urllib.parse.quote(name)}'


def _download(address, part, name):
    """Write what an address gives to the file `part`."""
    if address.startswith('file:'):
        try:
            source = open(urllib.request.url2pathname(urllib.parse.urlsplit(address).path), 'rb')
        except OSError as error:
            raise FileNotFoundError(error.strerror) from None
        with source, open(part, 'wb') as file:
            shutil.copyfileobj(source, file)
    else:
        with tqdm(total=1, desc=name, unit='B', unit_scale=True, disable=QUIET) as bar:
            try:
                pooch.HTTPDownloader(progressbar=bar, chunk_size=2 ** 18, timeout=TIMEOUT)(address, str(part), None)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise OSError(error.errno, f'{bar.total / 1e6:.1f} MB are needed') from None
                raise
    if address.endswith('.zip') and not name.endswith('.zip'):
        with zipfile.ZipFile(part) as archive:
            if name not in archive.namelist() or archive.getinfo(name).file_size > LARGEST_MEMBER:
                raise ValueError(f'the archive does not hold {name}')
            content = archive.read(name)
        part.write_bytes(content)


def _check(part, sha1):
    """Raise ValueError when a downloaded file is not the right one."""
    found = pooch.file_hash(str(part), 'sha1')
    if found != sha1:
        start = part.open('rb').read(512).lstrip().lower()
        login = ', it is a web page: does the network ask for a login?' if start.startswith(b'<') else ''
        raise ValueError(f'{part.stat().st_size} bytes with SHA-1 {found}, expected {sha1}{login}')


def _reason(error):
    """Say briefly why an address failed, and whether another try makes sense."""
    response = getattr(error, 'response', None)
    if response is not None:
        return f'HTTP {response.status_code}', response.status_code in (408, 429) or response.status_code >= 500
    if not isinstance(error, requests.RequestException) or isinstance(error, ValueError):
        return str(error), not isinstance(error, (FileNotFoundError, requests.RequestException))
    if 'timed out' in str(error):
        return f'no answer for {TIMEOUT} s', True
    return ('the connection broke' if 'IncompleteRead' in str(error) else 'no connection'), True


@contextmanager
def making(target):
    """Give a path beside `target` that takes its name, as a file or a folder, when the block ends without an error.

    One process at a time makes a target, others wait; the system releases the lock of a process that was killed, and
    the next one removes what it left. Raises OSError as `writing` does.
    """
    part = target.with_name(f'{target.name}.part')
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target.with_name(f'.{target.name}.lock'), 'w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f'{target} is being made by another process: waiting until it has finished', file=sys.stderr)
                fcntl.flock(lock, fcntl.LOCK_EX)
            remove(part)
            try:
                yield part
                if part.is_dir():
                    remove(target)
                if part.exists():
                    os.replace(part, target)
            finally:
                remove(part)


@contextmanager
def writing(target, remedy='set BOOK_CACHE to another folder'):
    """Say in one sentence of an OSError when the disk is full or the folder cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(next(folder for folder in target.parents if folder.exists())).free / 1e6
            raise OSError(f'{target} cannot be written, the disk is full ({free:.1f} MB are free; {error.strerror}): '
                          f'make room, or {remedy}') from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise PermissionError(f'{target} cannot be written ({error.strerror}): {remedy}') from None
        raise


def remove(path):
    """Remove a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

"""Download the files that `data/registry.txt` lists, each with its hash and its address.

They are kept in `data/cache`, or in the folder that the environment variable `BOOK_CACHE` names.
"""
import io
import zipfile
from pathlib import Path

import pooch
import requests

from hotdog.files import CACHE, DATA

REGISTRY = pooch.create(path=CACHE, base_url='', env='BOOK_CACHE', retry_if_failed=2)
REGISTRY.load_registry(DATA / 'registry.txt')
FOLDER = Path(REGISTRY.abspath)


def fetch(name, processor=None):
    """Return the path of a file of the registry, downloaded if it is not there, or what the processor makes of it.

    Raises ConnectionError, one sentence, which says where to put the file by hand.
    """
    download = pooch.HTTPDownloader(progressbar=True)

    def unpack(url, file, registry):
        download(url, archive := io.BytesIO(), registry)
        with zipfile.ZipFile(archive) as members:
            Path(file).write_bytes(members.read(name))

    try:
        packed = REGISTRY.get_url(name).endswith('.zip') and not name.endswith('.zip')
        path = REGISTRY.fetch(name, processor=processor, downloader=unpack if packed else download)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = 'no connection' if isinstance(error, requests.ConnectionError) else ' '.join(str(error).split())
        raise ConnectionError(f'{name} cannot be downloaded from {REGISTRY.get_url(name)} ({reason}): '
                              f'put it into {REGISTRY.abspath} by hand') from None
    return path if processor else Path(path)

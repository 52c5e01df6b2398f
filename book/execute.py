"""Execute the pages whose outputs are not current, and lay all pages with their outputs where d2lbook looks.

Outputs are current as long as their fingerprint agrees: hashes of the page's code, the library, the data and the lock.
It stands in `fingerprint.json` beside the notebooks: `chapter_fine_tuning` has the committed ones, `_build/executed`
those that were executed here. Where only prose changed, the outputs stay. With a setting such as PHOTOS everything goes
below `_build/photos`, and the committed notebooks are never touched.
"""
import argparse
import ast
import asyncio
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm

from book import notebooks
from book.notebooks import BUILD, CHAPTER
from hotdog.files import digest, replacing

# One code path of the numeric libraries wherever reference outputs are made, so that they agree between processors.
REPRODUCIBLE = {'DNNL_MAX_CPU_ISA': 'AVX2', 'OPENBLAS_CORETYPE': 'Haswell', 'OMP_NUM_THREADS': '2',
                'PYTHONHASHSEED': '0', 'TQDM_DISABLE': '1', 'ATEN_CPU_CAPABILITY': 'avx2', 'MKL_CBWR': 'AVX2'}
# Errors whose text is a sentence for the reader; of others the type is told too.
SPOKEN = {'ValueError', 'FileNotFoundError', 'RuntimeError', 'ConnectionError', 'FloatingPointError', 'OSError',
          'PermissionError', 'MemoryError'}
# What outputs depend on besides the code of their page.
SHARED = {'library': 'utils.py or hotdog/', 'data': 'data/ or img/', 'lock': 'requirements.lock'}
PACKAGES = ('mxnet', 'torch', 'torchvision', 'numpy', 'scikit-learn', 'matplotlib', 'pillow')


def hash_of(*values):
    """Return the SHA-256 of any values that Python prints in full, 64 hexadecimal digits."""
    return hashlib.sha256(repr(values).encode()).hexdigest()


def shared_hashes(chosen, pytorch=False):
    """Return {part: hash} of what all pages depend on, or the page `pytorch`; comments in the library do not count."""
    modules = [Path('hotdog', name) for name in ('files.py', 'weights.py')] if pytorch else (
        Path('utils.py'), *sorted(Path('hotdog').glob('*.py')))
    library = [ast.dump(ast.parse(path.read_text())) for path in modules]
    files = [path for folder in ('data', 'img') for path in sorted(Path(folder).glob('[!.]*.*')) if path.is_file()
             and path.suffix not in ('.md', '.zip', '.json', '.params') and not path.name.startswith('not_hotdog')
             and (not pytorch or path.suffix in ('.rec', '.npz', '.jpg'))]
    photos = sorted(Path(chosen['PHOTOS']).rglob('*')) if 'PHOTOS' in chosen else []
    listing = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in photos if path.is_file()]
    return {'library': hash_of(library, (CHAPTER / 'matplotlibrc').read_text(), sorted(REPRODUCIBLE.items())),
            'data': hash_of([(str(path), digest(path)) for path in files], listing, sorted(chosen.items())),
            'lock': digest('requirements_pytorch.lock' if pytorch else 'requirements.lock')}


def environment(chosen, page):
    """Return what the status page says of the machine that executes: {name: text}."""
    packages = notebooks.PYTORCH.glob('lib/python*/site-packages') if notebooks.needs_pytorch(page) else sys.path
    versions = {item.name.lower(): item.version
                for item in importlib.metadata.distributions(path=list(map(str, packages)))}
    cpu = re.search(r'^model name\s*: (.*)', Path('/proc/cpuinfo').read_text(), re.MULTILINE)
    gpus = subprocess.run(['nvidia-smi', '--query-gpu=name', '--format=csv,noheader'], capture_output=True,
                          text=True).stdout.split('\n')[:-1] if shutil.which('nvidia-smi') else []
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    settings = {name: 'photos' if name == 'PHOTOS' else value for name, value in chosen.items()}  # no path of a reader
    return {'processor': cpu[1] if cpu else platform.machine(), 'cores': str(os.cpu_count()),
            'memory': f'{memory:.1f} GiB', 'GPU': ', '.join(gpus) or '-', 'system': platform.platform(),
            'Python': platform.python_version(), **{name: versions[name] for name in PACKAGES if name in versions},
            **settings, **REPRODUCIBLE}


def run(notebook, page, seconds, client_class=NotebookClient):
    """Execute all cells of a notebook in a fresh kernel and normalise its outputs.

    Raises RuntimeError with one sentence that names the notebook and the cell.
    """
    current = 0
    with tqdm(total=len(notebooks.code_cells(notebook)), desc=page.stem, disable=False,
              bar_format='{desc}: cell {n} of {total}, {elapsed}') as bar:

        def stop_at_once(notebook):
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)  # nbclient's would end in a traceback

        def start(cell, cell_index):
            nonlocal current
            current += cell.cell_type == 'code'

        client = client_class(notebook, timeout=seconds, record_timing=False, coalesce_streams=True,
                              resources={'metadata': {'path': str(CHAPTER)}}, kernel_name=notebooks.kernel(page),
                              extra_arguments=['--log-level=ERROR'], on_notebook_start=stop_at_once,
                              on_cell_start=start, on_cell_executed=lambda **reply: bar.update())
        try:
            client.execute()
        except KeyboardInterrupt:
            client.shutdown_kernel = 'immediate'
            raise
        except (CellTimeoutError, DeadKernelError, CellExecutionError) as error:
            raise RuntimeError(f'{page}, code cell {current}: {reason(error, seconds)}') from None
    notebook.metadata = nbformat.from_dict(notebooks.METADATA)  # the kernel adds its exact version


def reason(error, seconds):
    """Return in a few words why a cell failed."""
    if isinstance(error, CellTimeoutError):
        return f'it ran longer than {seconds} s and was stopped'
    if isinstance(error, DeadKernelError):
        return 'the kernel died, perhaps for lack of memory'
    sentence = (error.evalue.strip() or 'no message').splitlines()[-1]
    return sentence if error.ename in SPOKEN else f'{error.ename}: {sentence}'


class Store:
    """A folder of executed notebooks with their fingerprints, {page: record}."""

    def __init__(self, folder):
        self.folder, self.file = folder, folder / 'fingerprint.json'
        self.records = json.loads(self.file.read_text()) if self.file.exists() else {}

    def changed(self, page, notebook, hashes):
        """Return the parts that changed since a page's outputs were made, an empty list when they are current."""
        record, path = self.records.get(page.stem, {}), self.folder / f'{page.stem}.ipynb'
        if not path.exists() or notebooks.difference(notebook, nbformat.read(path, as_version=4)):
            return ['code']
        return [part for part in hashes if record.get(part) != hashes[part]]

    def attach(self, page, notebook):
        """Attach the outputs that are stored to a page's notebook; return its record."""
        notebooks.attach_outputs(notebook, nbformat.read(self.folder / f'{page.stem}.ipynb', as_version=4))
        return self.records[page.stem]

    def write(self, page, notebook, record):
        """Store a page's notebook, then its record: in between the notebook counts as outdated."""
        write_notebook(self.folder / f'{page.stem}.ipynb', notebook)
        self.records = dict(sorted({**self.records, page.stem: record}.items()))
        with replacing(self.file) as path:
            path.write_text(json.dumps(self.records, indent=1, ensure_ascii=False) + '\n')


def write_notebook(path, notebook, newer_than=None):
    """Write a notebook where its content differs, or where the file is older than its page: d2lbook looks at both."""
    text = nbformat.writes(notebook) + '\n'
    if not path.exists() or path.read_text() != text or (
            newer_than and path.stat().st_mtime <= newer_than.stat().st_mtime):
        with replacing(path) as half:
            half.write_text(text)


def read_editions(page):
    """Return {path: notebook} of a page's editions; raise RuntimeError when they hold different code."""
    editions = {path: notebooks.read_page(path) for path in (page, notebooks.english(page)) if path.exists()}
    for path, notebook in editions.items():
        number = notebooks.difference(editions[page], notebook)
        if number:
            raise RuntimeError(f'{path}, code cell {number}: not the code of {page}, change both alike')
    return editions


def execute(chosen, options):
    """Lay all pages with current outputs where d2lbook looks, executing what has none.

    Raises RuntimeError when a cell fails or, with --stored, when outputs are not current.
    """
    build = BUILD / 'photos' if chosen else BUILD
    cache, committed, shared = Store(build / 'executed'), Store(CHAPTER), shared_hashes(chosen)
    stores = [] if options.force else [cache, committed] if options.update or options.stored else [cache]
    pages, records, outdated = {page: read_editions(page) for page in notebooks.pages()}, {}, {}
    for page, editions in pages.items():
        notebook = editions[page]
        code = hash_of([notebooks.tree(cell) for cell in notebooks.code_cells(notebook)])
        hashes, candidates = {'code': code, **shared}, stores
        if notebooks.needs_pytorch(page):  # few readers have its environment: its committed outputs serve
            hashes = {'code': code, **shared_hashes({}, pytorch=True)}
            candidates = stores if options.force and notebooks.kernel(page) else [cache, committed]
        store = next((store for store in candidates if not store.changed(page, notebook, hashes)), None)
        if store:
            records[page] = store.attach(page, notebook)
        elif options.stored:
            outdated[page] = committed.changed(page, notebook, hashes)
        elif not notebooks.kernel(page):
            raise RuntimeError(f'{page} has changed, and its environment is not here: run make pytorch')
        else:
            start = time.time()
            run(notebook, page, options.timeout)
            records[page] = {**hashes, 'seconds': round(time.time() - start, 1),
                             'environment': environment(chosen, page),
                             'finished': datetime.now(UTC).strftime('%Y-%m-%d %H:%M')}
            cache.write(page, notebook, records[page])
    if outdated:
        raise RuntimeError(complaint(outdated))
    for page, editions in pages.items():
        if options.update:
            committed.write(page, editions[page], records[page])
        for path, notebook in editions.items():
            notebooks.attach_outputs(notebook, editions[page])
            target = build / ('eval' if path == page else 'en/eval') / path.with_suffix('.ipynb')
            write_notebook(target, notebook, newer_than=path)
            if options.update:
                write_notebook(path.with_suffix('.ipynb'), notebook)
    with replacing(build / 'record.json') as path:  # for the status page
        path.write_text(json.dumps({page.stem: record for page, record in records.items()}))


def complaint(outdated):
    """Return the sentence that says what changed since outputs were made; {page: parts} is given."""
    parts = dict.fromkeys(SHARED.get(part) or f'the code of {page}' for page in outdated for part in outdated[page])
    return (f'{", ".join(parts)} changed since the outputs of {", ".join(page.stem for page in outdated)} were made: '
            'run make book, which executes them')


def main():
    """Execute what changed; on an error say it in one sentence and leave no rendered site that looks new."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--force', action='store_true', help='execute every page again')
    parser.add_argument('--stored', action='store_true', help='execute nothing, fail when outputs are not current')
    parser.add_argument('--update', action='store_true', help='renew the committed notebooks, too')
    parser.add_argument('--timeout', type=int, default=3600, help='seconds that a cell may take')
    options, chosen = parser.parse_args(), {}
    try:
        chosen = notebooks.settings()
        if chosen and (options.update or options.stored):
            raise ValueError(f'the committed notebooks show the demo data: unset {", ".join(chosen)}')
        os.environ.update(REPRODUCIBLE, **chosen)
        execute(chosen, options)
    except (OSError, RuntimeError, ValueError) as error:
        for folder in ('html', 'pdf', 'en/pdf'):  # an old page must not look new
            shutil.rmtree(BUILD / ('photos' if chosen else '') / folder, ignore_errors=True)
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit('stopped: the finished notebooks are kept')


if __name__ == '__main__':
    os.chdir(notebooks.ROOT)
    main()

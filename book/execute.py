"""Execute the chapter's notebooks in the order of reading, where their content changed, into _build/executed.

A notebook is executed again when its code, the code of a notebook before it, utils.py, the library, the data or
the lock changed; when only prose changed, its outputs are attached to the new text. It is executed, too, before a later
one is that would find other trained parameters than it left. The result is `_build/executed/VARIANT/NAME.ipynb` with
`NAME.key` and `NAME.json`, the record for the status page, beside it; the variant is `demo`, or another one for the
settings of `make book PHOTOS=folder`.
"""
import argparse
import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm

from book import notebooks
from book import status
from book.notebooks import BUILD, CHAPTER, digest, file_digest

# One code path of the numeric libraries wherever reference outputs are made, so that they agree between processors.
REPRODUCIBLE = {'DNNL_MAX_CPU_ISA': 'AVX2', 'OPENBLAS_CORETYPE': 'Haswell', 'OMP_NUM_THREADS': '2',
                'PYTHONHASHSEED': '0', 'TQDM_DISABLE': '1'}
WIDGET = 'application/vnd.jupyter.widget-view+json'
# Errors whose text is a sentence for the reader; of others the type is told too.
SPOKEN = {'ValueError', 'FileNotFoundError', 'RuntimeError', 'ConnectionError', 'FloatingPointError', 'OSError',
          'PermissionError', 'MemoryError'}


def inputs(chosen):
    """Hash everything besides the notebooks that their outputs depend on."""
    files = [Path('utils.py'), *Path('hotdog').glob('*.py'), Path('requirements.lock'), CHAPTER / 'matplotlibrc',
             *(path for folder in ('data', 'img') for path in Path(folder).glob('*.*') if path.suffix != '.md')]
    contents = [(str(path), file_digest(path)) for path in sorted(files) if path.is_file()]
    photos = sorted(Path(chosen['PHOTOS']).rglob('*')) if 'PHOTOS' in chosen else []
    listing = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in photos if path.is_file()]
    return digest(contents, listing, sorted(chosen.items()), sorted(REPRODUCIBLE.items()))


def check_english(page, notebook):
    """Raise RuntimeError when the English edition of a page holds other code, for which there would be no outputs."""
    edition = notebooks.english(page)
    number = notebooks.difference(notebook, notebooks.read_page(edition)) if edition.exists() else None
    if number:
        raise RuntimeError(f'{edition}, code cell {number}: not the code of {page}, change both alike')


def run(notebook, page, seconds, client_class=NotebookClient):
    """Execute all cells of a notebook in a fresh kernel and normalise its outputs.

    Raises RuntimeError with one sentence that names the notebook and the cell.
    """
    count, current = len(notebooks.code_cells(notebook)), 0
    with tqdm(total=count, desc=page.stem, disable=False, bar_format='{desc}: cell {n} of {total}, {elapsed}') as bar:

        def stop_at_once(notebook):
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)  # nbclient's would end in a traceback

        def start(cell, cell_index):
            nonlocal current
            current += cell.cell_type == 'code'

        def done(cell, cell_index, execute_reply):
            bar.update()

        client = client_class(notebook, timeout=seconds, record_timing=False, coalesce_streams=True,
                              resources={'metadata': {'path': str(CHAPTER)}}, kernel_name='python3',
                              extra_arguments=['--log-level=ERROR'],
                              on_notebook_start=stop_at_once, on_cell_start=start, on_cell_executed=done)
        try:
            client.execute()
        except KeyboardInterrupt:
            client.shutdown_kernel = 'immediate'
            raise
        except CellTimeoutError:
            raise RuntimeError(f'{page}, code cell {current}: it ran longer than {seconds} s and was stopped') from None
        except DeadKernelError:
            raise RuntimeError(f'{page}, code cell {current}: the kernel died, perhaps for lack of memory') from None
        except CellExecutionError as error:
            sentence = (error.evalue.strip() or 'no message').splitlines()[-1]
            kind = '' if error.ename in SPOKEN else f'{error.ename}: '
            raise RuntimeError(f'{page}, code cell {current}: {kind}{sentence}') from None
    notebook.metadata = nbformat.from_dict(notebooks.METADATA)  # the kernel adds its exact version
    for cell in notebooks.code_cells(notebook):  # progress bars are for those who wait, not for those who read
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get('data', ())]


def trained_since(moment):
    """List the trained parameters, which notebooks leave for later ones, written since a moment: names with hashes."""
    return [f'{path.name} {file_digest(path)}' for path in sorted(Path('data/cache').glob('*.params'))
            if path.stat().st_mtime_ns >= moment]


def outdated(folder, keys, force):
    """List the pages to execute; `keys` has one for each page. Beside each result are its key and what it trained."""
    found, present = [], set(trained_since(0))
    for page, key in reversed(keys.items()):  # what a page trained matters if a page after it is executed
        path, key_file = folder / f'{page.stem}.ipynb', folder / f'{page.stem}.key'
        old, *trained = (key_file.read_text() if key_file.exists() and path.exists() else '').split('\n')
        if force or old != key or found and not present.issuperset(trained):
            found.append(page)
    return found


def execute(chosen, force, seconds):
    """Bring the executed notebooks up to date; return their paths, in the order of reading."""
    folder = BUILD / 'executed' / notebooks.variant(chosen)
    key, keys = inputs(chosen), {}
    pages = {page: notebooks.read_page(page) for page in notebooks.pages()}
    for page, notebook in pages.items():
        check_english(page, notebook)
        cells = notebooks.code_cells(notebook)
        keys[page] = key = digest(key, page.name, [(cell.source, cell.metadata) for cell in cells])
    to_execute, paths = outdated(folder, keys, force), []
    for page, notebook in pages.items():
        path, key_file = folder / f'{page.stem}.ipynb', folder / f'{page.stem}.key'
        if page in to_execute:
            start = time.time()
            run(notebook, page, seconds)
            seconds_taken = time.time() - start
            notebooks.write_atomically(folder / f'{page.stem}.json',
                                       status.record(chosen, REPRODUCIBLE, notebook, seconds_taken))
            trained = trained_since(start * 10 ** 9)
        else:
            notebooks.attach_outputs(notebook, nbformat.read(path, as_version=4))
            trained = key_file.read_text().split('\n')[1:]
        text = nbformat.writes(notebook) + '\n'
        if not path.exists() or path.read_text() != text:
            key_file.unlink(missing_ok=True)  # killed between the two writes, the notebook counts as outdated
            notebooks.write_atomically(path, text)
        notebooks.write_atomically(key_file, '\n'.join([keys[page], *trained]))
        paths.append(path)
    return paths


def update(path):
    """Copy an executed notebook beside its page; the English page's notebook gets the same outputs."""
    notebooks.write_atomically(CHAPTER / path.name, path.read_text())
    page = notebooks.english(CHAPTER / f'{path.stem}.md')
    if page.exists():
        notebook = notebooks.attach_outputs(notebooks.read_page(page), nbformat.read(path, as_version=4))
        notebooks.write_atomically(page.with_suffix('.ipynb'), nbformat.writes(notebook) + '\n')


def main():
    """Execute what changed; on an error say it in one sentence and leave no rendered site that looks new."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--force', action='store_true', help='execute every notebook again')
    parser.add_argument('--update', action='store_true', help='copy the results beside the pages (make notebooks)')
    parser.add_argument('--timeout', type=int, default=3600, help='seconds that a cell may take')
    options = parser.parse_args()
    try:
        chosen = notebooks.settings()
        if options.update and chosen:
            raise ValueError(f'the reference notebooks show the demo data: unset {", ".join(chosen)}')
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    os.environ.update(REPRODUCIBLE, **chosen)
    try:
        with notebooks.exclusive():
            try:
                paths = execute(chosen, options.force, options.timeout)
                for path in paths if options.update else []:
                    update(path)
            except (OSError, RuntimeError):
                for folder in ('html', 'pdf'):  # an old page must not look new
                    shutil.rmtree(notebooks.site(chosen).with_name(folder), ignore_errors=True)
                raise
    except (OSError, RuntimeError) as error:
        sys.exit(notebooks.sentence(error))
    except KeyboardInterrupt:
        sys.exit('stopped: the finished notebooks are kept')


if __name__ == '__main__':
    os.chdir(notebooks.ROOT)
    main()

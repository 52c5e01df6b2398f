"""Execute the exercises' solutions with their experiments, for the teacher: `make solutions`, 90 minutes on two cores.

The result is `_build/solutions/NAME.ipynb`; a solution that was executed as it is now is not executed again. What the
experiments print is kept in `assignments/results.json`, the source of the teacher's table. Names of exercises as
arguments choose some of them. Exercise 8 takes the network that the book's page `training` makes.
"""
import hashlib
import json
import os
import re
import sys

import nbformat
from nbclient import NotebookClient

from assignments import generate
from book.execute import REPRODUCIBLE
from book.notebooks import CHAPTER, code_cells, difference, tree
from hotdog.files import replacing

FOLDER = generate.FOLDER.with_name('solutions')
RESULTS = generate.SOURCES / 'results.json'
MARKS = re.compile(r'^ *### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\n?', re.MULTILINE)


def code_digest(name):
    """Return a hash of the code that an exercise's results depend on: without tests and comments, in both editions one.

    What the solution takes from `utils.py` and the data is not part of it.
    """
    cells = [cell for cell in code_cells(generate.source_notebook(name)) if not cell.metadata.nbgrader.grade]
    return hashlib.sha256(repr([tree(cell) for cell in cells]).encode()).hexdigest()


def solve(name):
    """Execute a solution unless that was done; return its notebook. Raises CellExecutionError when a cell fails."""
    notebook, path = generate.source_notebook(name), FOLDER / f'{name}.ipynb'
    for cell in notebook.cells:
        cell.source = MARKS.sub('', cell.source)
        cell.metadata = nbformat.NotebookNode()
    if path.exists() and difference(notebook, executed := nbformat.read(path, as_version=4)) is None:
        return executed
    NotebookClient(notebook, record_timing=False, coalesce_streams=True,
                   resources={'metadata': {'path': str(CHAPTER)}}).execute()
    with replacing(path) as part:
        nbformat.write(notebook, part)
    return notebook


def record(name, notebook):
    """Keep what a solution printed, without the lines of single epochs, in the table of results."""
    text = ''.join(output.text for cell in code_cells(notebook) for output in cell.outputs
                   if output.output_type == 'stream' and output.name == 'stdout')
    lines = [line for line in text.splitlines() if line and not line.startswith('epoch ')]
    with replacing(RESULTS) as part:
        results = {**json.loads(RESULTS.read_text()), name: {'code': code_digest(name), 'output': lines}}
        part.write_text(json.dumps(dict(sorted(results.items())), indent=1) + '\n')


def main():
    """Execute the solutions named, or all of the Chinese edition; the English one holds the same code."""
    os.chdir(generate.ROOT)
    os.environ.update(REPRODUCIBLE)
    for name in sys.argv[1:] or generate.names('zh'):
        if name not in generate.names('zh'):
            sys.exit(f'{name}: no such exercise, these are: {" ".join(generate.names("zh"))}')
        print(f'{name}: executing', flush=True)
        record(name, solve(name))
        print(FOLDER / f'{name}.ipynb', flush=True)


if __name__ == '__main__':
    main()

"""Execute the exercises' solutions with their experiments, for the teacher: `make solutions`; `assignments/results.json`.

Each is executed with the seeds 0, 10 and 20, and what its experiment hands in is kept in the table of results with its
time, from which the tests take their ranges and the teacher's table its numbers. What was executed as it is now is not
executed again. Arguments choose exercises. The notebook with seed 0 is left in `_build/solutions`.
"""
import hashlib
import json
import os
import re
import sys
import time

import nbformat
from nbclient import NotebookClient

from assignments import generate
from book.execute import REPRODUCIBLE
from book.notebooks import CHAPTER, ROOT, code_cells, tree
from hotdog.files import replacing

FOLDER = generate.FOLDER.with_name('solutions')
RESULTS = generate.RESULTS
SEEDS = (0, 10, 20)
MARKS = re.compile(r'^ *### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\n?', re.MULTILINE)


def code_digest(name):
    """Return a hash of the code that an exercise's results depend on: without tests and comments, in both editions one.

    What the solution takes from `utils.py`, pages and data is not part of it.
    """
    cells = [cell for cell in code_cells(generate.source_notebook(name))
             if not cell.metadata.nbgrader.grade and not cell.metadata.nbgrader.grade_id.startswith('result')]
    return hashlib.sha256(repr([tree(cell) for cell in cells]).encode()).hexdigest()


def solve(name, seed):
    """Execute a solution up to its result, with a seed; return its notebook. Raises CellExecutionError."""
    notebook = generate.source_notebook(name)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == 'markdown' or not cell.metadata.nbgrader.grade
                      and not cell.metadata.nbgrader.grade_id.startswith('result')]
    for cell in notebook.cells:
        cell.source = MARKS.sub('', cell.source).replace('    seed = 0\n', f'    seed = {seed}\n')
        cell.metadata = nbformat.NotebookNode()
    NotebookClient(notebook, record_timing=False, coalesce_streams=True, timeout=None,
                   resources={'metadata': {'path': str(CHAPTER)}}).execute()
    return notebook


def result_of(notebook):
    """Return what an executed notebook's experiment has printed to be handed in, the text of a dictionary."""
    text = ''.join(output.get('text', '') for cell in code_cells(notebook) for output in cell.outputs)
    return re.search(r'^result = (.*)', text, re.MULTILINE)[1]


def record(name, seed):
    """Execute a solution with a seed and keep its result in the table, unless it is there."""
    key, digest = str(seed), code_digest(name)
    results = json.loads(RESULTS.read_text())
    known = results.get(name, {})
    if known.get('code') == digest and key in known['results']:
        return
    start, notebook = time.monotonic(), solve(name, seed)
    minutes = round((time.monotonic() - start) / 60, 1)
    results = json.loads(RESULTS.read_text())  # another process may have added to it
    if results.get(name, {}).get('code') != digest:
        results[name] = {'code': digest, 'results': {}, 'minutes': {}}
    results[name]['results'][key], results[name]['minutes'][key] = result_of(notebook), minutes
    with replacing(RESULTS) as part:
        part.write_text(json.dumps(dict(sorted(results.items())), indent=1) + '\n')
    with replacing(FOLDER / f'{name}-{seed}.ipynb') as part:
        nbformat.write(notebook, part)


def main():
    """Execute the solutions named, or all of the Chinese edition; the English one holds the same code."""
    os.chdir(ROOT)
    os.environ.update(REPRODUCIBLE)
    names = sys.argv[1:] or generate.names('zh')
    for seed in SEEDS:
        for name in names:
            if name not in generate.names('zh'):
                sys.exit(f'{name}: no such exercise, these are: {" ".join(generate.names("zh"))}')
            if seed == 0 or '    seed = 0\n' in (generate.SOURCES / f'{name}.md').read_text():
                print(f'{name}, seed {seed}', flush=True)
                record(name, seed)
    print(RESULTS)


if __name__ == '__main__':
    main()

"""Execute the exercises' solutions with their experiments, for the teacher: `make solutions`, 90 minutes on two cores.

The result is `_build/solutions/NAME.ipynb`; a solution that was executed as it is now is not executed again. What the
experiments print is kept in `assignments/results.json`, the source of the teacher's table. Names of exercises as
arguments choose some of them. Exercise 8 takes the network that `make book` trained.
"""
import json
import os
import re
import sys

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

from assignments import generate as assignment
from book import execute
from book import notebooks

FOLDER = notebooks.BUILD / 'solutions'
RESULTS = assignment.SOURCES / 'results.json'
MARKS = re.compile(r'^ *### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\n?', re.MULTILINE)


class Client(NotebookClient):
    """Show at once what the cells print, for those who wait for an hour."""

    def output(self, outs, msg, display_id, cell_index):
        """Print a text, and do as usual."""
        if msg['msg_type'] == 'stream':
            tqdm.write(msg['content']['text'], end='')
        return super().output(outs, msg, display_id, cell_index)


def code_digest(name):
    """Hash the code that an exercise's results depend on: without its tests and comments, so the same in both editions.

    What the solution takes from `utils.py` and the data is not part of it.
    """
    cells = notebooks.code_cells(assignment.source_notebook(name))
    return notebooks.digest(*(notebooks.tree(cell) for cell in cells if not cell.metadata.nbgrader.grade))


def solve(name):
    """Execute a solution unless that was done; return its notebook. Raises RuntimeError when a cell fails."""
    notebook, path = assignment.source_notebook(name), FOLDER / f'{name}.ipynb'
    for cell in notebook.cells:
        cell.source = MARKS.sub('', cell.source)
        cell.metadata = nbformat.NotebookNode()
    if path.exists():
        done = nbformat.read(path, as_version=4)
        if notebooks.difference(notebook, done) is None:
            return done
    execute.run(notebook, assignment.SOURCES / f'{name}.md', None, Client)
    notebooks.write_atomically(path, nbformat.writes(notebook))
    return notebook


def record(name, notebook):
    """Keep what a solution printed, without the lines of single epochs, in the table of results."""
    texts = [output.text for cell in notebooks.code_cells(notebook) for output in cell.outputs
             if output.output_type == 'stream' and output.name == 'stdout']
    lines = [line for line in ''.join(texts).splitlines() if line and not line.startswith('epoch ')]
    with notebooks.exclusive():
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[name.removesuffix('_en')] = {'code': code_digest(name), 'output': lines}
        notebooks.write_atomically(RESULTS, json.dumps(dict(sorted(results.items())), indent=1) + '\n')


def main():
    """Execute the solutions named, or all of the Chinese edition; the English one holds the same code."""
    os.environ.update(execute.REPRODUCIBLE)
    chosen, known = sys.argv[1:] or assignment.names('zh'), assignment.names()
    for name in chosen:
        if name not in known:
            sys.exit(f'{name}: no such exercise, these are: {" ".join(assignment.names("zh"))}')
    try:
        for name in chosen:
            record(name, solve(name))
            print(FOLDER / f'{name}.ipynb')
    except (OSError, RuntimeError) as error:
        sys.exit(notebooks.sentence(error))


if __name__ == '__main__':
    os.chdir(notebooks.ROOT)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('stopped: the finished solutions are kept')

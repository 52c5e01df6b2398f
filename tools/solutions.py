"""Execute the exercises' solutions with their experiments, for the teacher: `make solutions`, hours on two CPU cores.

The result is `_build/solutions/NAME.ipynb`; a solution that was executed as it is now is not executed again. Names of
exercises as arguments choose some of them. Exercise 8 takes the network that `make book` trained.
"""
import os
import re
import sys

import nbformat

import assignment
import execute
import notebooks

FOLDER = notebooks.BUILD / 'solutions'
MARKS = re.compile(r'^ *### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\n?', re.MULTILINE)


def solve(name):
    """Execute a solution unless that was done; return its path. Raises RuntimeError when a cell fails."""
    notebook, path = assignment.source_notebook(name), FOLDER / f'{name}.ipynb'
    for cell in notebook.cells:
        cell.source = MARKS.sub('', cell.source)
        cell.metadata = nbformat.NotebookNode()
    if path.exists():
        done = nbformat.read(path, as_version=4)
        if [cell.source for cell in done.cells] == [cell.source for cell in notebook.cells]:
            return path
    execute.run(notebook, assignment.SOURCES / f'{name}.md', None)
    notebooks.write_atomically(path, nbformat.writes(notebook))
    return path


def main():
    """Execute the solutions named, or all of the Chinese edition; the English one holds the same code."""
    os.environ.update(execute.REPRODUCIBLE)
    try:
        for name in sys.argv[1:] or assignment.names('zh'):
            print(solve(name))
    except (OSError, RuntimeError) as error:
        sys.exit(notebooks.sentence(error))


if __name__ == '__main__':
    os.chdir(notebooks.ROOT)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('stopped: the finished solutions are kept')

"""Execute the exercises' solutions with their experiments, for the teacher: `make solutions`.

Each is executed with the seeds 0, 10 and 20, and what its experiment hands in is kept in `assignments/results.json`
with its time: the ranges of the hidden tests hold these results, and the teacher's table tells them. What was executed
as it is now is not executed again. Arguments choose exercises. The executed notebooks are left in `_build/solutions`.
"""
import ast
import hashlib
import json
import os
import re
import resource
import sys

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
             if cell.metadata.nbgrader.grade_id.split('-')[0] not in ('tests', 'result')]
    return hashlib.sha256(repr([tree(cell) for cell in cells]).encode()).hexdigest()


def solve(name, seed):
    """Execute a solution up to its result, with a seed; return its notebook. Raises CellExecutionError."""
    notebook = generate.source_notebook(name)
    notebook.cells = [cell for cell in notebook.cells if cell.metadata.nbgrader.grade_id.split('-')[0]
                      not in ('tests', 'result')]
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


def with_result(name, result):
    """Return the code cells of a solved exercise with the text of a result, and only the tests of the result."""
    *cells, test = code_cells(generate.source_notebook(name))
    cells[-1].source = f'result = {result}'
    return [cell for cell in cells if not cell.metadata.nbgrader.grade] + [test]


def ranges(source):
    """Return the ranges that a test demands, a list of (name, low, high)."""
    chains = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Compare) and len(node.ops) == 2
              and all(isinstance(end, ast.Constant) for end in (node.left, node.comparators[1]))]
    return [(chain.comparators[0].id, chain.left.value, chain.comparators[1].value) for chain in chains]


def values(name, result):
    """Return {name: value} of what the tests of a result demand to be in a range. Raises what the tests raise."""
    cells, variables = with_result(name, result), {}
    os.environ['NBGRADER_EXECUTION'] = 'autograde'  # without the experiment
    for cell in cells:
        exec(compile(cell.source, name, 'exec'), variables)
    del os.environ['NBGRADER_EXECUTION']
    return {variable: round(float(variables[variable]), 4) for variable, _, _ in ranges(cells[-1].source)}


def record(name, seed):
    """Execute a solution with a seed, unless that was done, and keep its result, minutes and values in the table."""
    key, digest = str(seed), code_digest(name)
    known = read_results().get(name, {})
    if known.get('code') == digest and key in known.get('values', {}):
        return
    if known.get('code') != digest or key not in known['results']:
        start, notebook = cpu_minutes(), solve(name, seed)
        found = {'results': result_of(notebook), 'minutes': round(cpu_minutes() - start, 1)}
        with replacing(FOLDER / f'{name}-{seed}.ipynb') as part:
            nbformat.write(notebook, part)
    else:
        found = {column: known[column][key] for column in ('results', 'minutes')}
    found['values'] = values(name, found['results'])
    results = read_results()  # another process may have added to it
    if results.get(name, {}).get('code') != digest:
        results[name] = {'code': digest}
    for column, value in found.items():
        results[name].setdefault(column, {})[key] = value
    with replacing(RESULTS) as part:
        part.write_text(json.dumps(dict(sorted(results.items())), indent=1) + '\n')


def cpu_minutes():
    """Return the processor's minutes that the kernels have used so far: what one core alone would take."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 60


def read_results():
    """Return the table of results, {exercise: {'code', and {seed: value} of 'results', 'minutes' and 'values'}}."""
    return json.loads(RESULTS.read_text())


def main():
    """Execute the solutions named, or all of the Chinese edition; the English one holds the same code."""
    os.chdir(ROOT)
    os.environ.update(REPRODUCIBLE)
    sys.path.append(str(generate.SOURCES.resolve()))
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

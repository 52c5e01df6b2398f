"""Measure the methods of the page 'variants' with other seeds and rates: python -m book.variants.

It runs the page's own cells with seed 0 and every learning rate times each of FACTORS, then with the other seeds, and
writes `data/variants.json`: for each method and factor the AUROC on the validation split, for the page's own rates also
the scores on the test split, a list with one value a seed. A test compares: the page's rates are the best of the three.
"""
import json
import os

from book import execute, notebooks
from hotdog.files import DATA

FILE = DATA / 'variants.json'
FACTORS, SEEDS = (0.3, 1, 3), (0, 1, 2)


def cells():
    """Return the page's cells up to the one that chooses the rates, and those that train and define the scores."""
    sources = [cell.source for cell in notebooks.code_cells(notebooks.read_page(notebooks.CHAPTER / 'variants.md'))]
    sources = [source for source in sources if 'variants.json' not in source]
    rates, scores = (next(i for i, source in enumerate(sources) if mark in source)
                     for mark in ('\nrates = ', 'def scores('))
    return sources[:rates + 1], sources[rates + 1:scores + 1]


def measure():
    """Return {method: {'validation': {factor: AUROCs}, 'accuracy', 'auroc', 'kept': values of the seeds}}."""
    prepare, methods = cells()
    page, table = {}, {}
    os.chdir(notebooks.CHAPTER)  # where notebooks run
    for source in prepare:
        exec(source, page)
    rates = page['rates']
    for factor, seed in [(factor, 0) for factor in FACTORS] + [(1, seed) for seed in SEEDS[1:]]:
        page.update(seed=seed, rates={name: factor * rate for name, rate in rates.items()})
        for source in methods:
            exec(source, page)
        for name, net in page['nets'].items():
            row = table.setdefault(name, {'validation': {}})
            score = page['auroc'](page['positive'](net(page['val_x'])), page['val_y'])
            row['validation'].setdefault(str(factor), []).append(round(float(score), 4))
            if factor == 1:
                for column, value in zip(('accuracy', 'auroc', 'kept'), page['scores'](net)):
                    row.setdefault(column, []).append(round(float(value), 4))
            print(factor, seed, name, score, flush=True)
    return table


if __name__ == '__main__':
    os.environ.update(execute.REPRODUCIBLE)  # before the page imports MXNet
    FILE.write_text(json.dumps(measure(), indent=1) + '\n')

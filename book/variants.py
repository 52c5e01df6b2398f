"""Tune and measure the methods of the page 'variants': python -m book.variants.

It runs the page's own cells with seed 0 and three learning rates for each method, chooses the rate with the best AUROC
on the validation split, then runs them with each seed and these rates, and writes `data/variants.json`, from which the
page takes its rates and its first figure.
"""
import json
import os

from book import execute, notebooks
from hotdog.files import DATA

FILE = DATA / 'variants.json'
RATES = {'linear probe': 1e-3, 'last module': 1e-3, 'fine-tuning': 3e-4, 'layer-wise rates': 6e-4,
         'gradual unfreezing': 3e-4, 'probe first': 3e-4, 'LoRA': 1e-3, 'L2-SP': 3e-4}
FACTORS, SEEDS = (0.3, 1, 3), (0, 1, 2)


def cells():
    """Return the page's cells that prepare, up to the rates, and those that train and define the scores."""
    sources = [cell.source for cell in notebooks.code_cells(notebooks.read_page(notebooks.CHAPTER / 'variants.md'))]
    sources = [source for source in sources if 'variants.json' not in source]
    rates, scores = (next(i for i, source in enumerate(sources) if mark in source)
                     for mark in ('\nrates = ', 'def scores('))
    return sources[:rates + 1], sources[rates + 1:scores + 1]


def measure():
    """Return {method: {'validation': {rate: AUROC}, 'rate', and 'accuracy', 'auroc', 'kept': a value a seed}}."""
    prepare, methods = cells()
    import utils  # here, after the settings below
    page = {'measured': {}, 'utils': utils}
    os.chdir(notebooks.CHAPTER)  # where notebooks run
    for source in prepare:
        exec(source, page)

    def run(rates, seed):
        page.update(rates=rates, seed=seed)
        for source in methods:
            exec(source, page)
        return page['nets'].items()

    table = {name: {'validation': {}} for name in RATES}
    for factor in FACTORS:
        rates = {name: float(f'{factor * rate:.1g}') for name, rate in RATES.items()}
        for name, net in run(rates, seed=0):
            if name in rates:
                score = page['auroc'](page['positive'](net(page['val_x'])), page['val_y'])
                table[name]['validation'][rates[name]] = round(float(score), 4)
    for values in table.values():
        values['rate'] = max(values['validation'], key=values['validation'].get)
    rates = {name: values['rate'] for name, values in table.items()}
    for seed in SEEDS:
        for name, net in run(rates, seed):
            for column, value in zip(('accuracy', 'auroc', 'kept'), page['scores'](net)):
                table.setdefault(name, {}).setdefault(column, []).append(round(float(value), 4))
    return table


if __name__ == '__main__':
    os.environ.update(execute.REPRODUCIBLE)  # before the page imports MXNet
    FILE.write_text(json.dumps(measure(), indent=1) + '\n')

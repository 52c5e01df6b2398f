"""Several processes compute what one does, in both frameworks; what the page `larger` says of its tables holds."""
import json
import statistics

import pytest

from book import larger
from hotdog import datasets, records

GPU = json.loads(larger.FILE.with_name('larger_gpu.json').read_text())


def stored(section):
    """Return a section's table; what was measured in a single turn, to try the program, is not to be published."""
    result = json.loads(larger.FILE.read_text())[section]
    assert result['turns'] >= 3, 'measure it on an idle machine: python -m book.larger'
    return result['measured']


def needs(framework):
    """Skip a test where the framework's environment is not there."""
    if not larger.PYTHON[framework].exists():
        pytest.skip(f'the environment of {framework} is not here: make pytorch')


@pytest.mark.parametrize('framework', larger.PYTHON)
def test_two_processes_have_the_losses_of_one_with_a_batch_twice_as_large(framework):
    needs(framework)
    alone = larger.together(framework, 1, '--batch-size', 8, '--steps', 3)
    results = larger.together(framework, 2, '--batch-size', 4, '--steps', 3)
    assert len(results) == 2 and len(results[0]['losses']) == 3
    assert results[0]['losses'] != results[1]['losses']  # each has pictures of its own
    assert larger.largest_difference(alone[0]['losses'], larger.mean_losses(results)) <= 1e-4


def test_workers_that_do_not_exchange_compute_something_else():
    alone = larger.together('MXNet', 1, '--batch-size', 8, '--steps', 2)
    apart = larger.together('MXNet', 2, '--batch-size', 4, '--steps', 2, apart=True)
    assert larger.largest_difference(alone[0]['losses'], larger.mean_losses(apart)) > 1e-4


def test_a_worker_that_fails_is_reported():
    with pytest.raises(RuntimeError, match='1 workers of MXNet failed:[^$]*unrecognized arguments: --nonsense'):
        larger.together('MXNet', 1, '--nonsense')


@pytest.mark.parametrize('framework', larger.PYTHON)
def test_training_goes_on_from_a_checkpoint(framework, tmp_path):
    needs(framework)
    whole = larger.together(framework, 1, '--batch-size', 8, '--steps', 4)[0]['losses']
    for options in (('--steps', 2, '--checkpoint'), ('--steps', 4, '--resume')):
        larger.run_one(framework, tmp_path, '--batch-size', 8, *options)
    losses = json.loads((tmp_path / '0.json').read_text())['losses']
    assert losses == pytest.approx(whole[2:], abs=1e-6)


def test_stored_losses_are_equal():
    for framework, differences in stored('equal').items():
        assert set(differences) == {'2', '4'} and max(differences.values()) <= 1e-4, framework


def test_what_the_page_says_of_costs():
    costs = stored('costs')
    rates = {name: {what: row['rate'] for what, row in rows.items()} for name, rows in costs.items()}
    assert set(larger.PYTHON) == set(rates)
    for framework, table in rates.items():
        lows, highs = zip(*(costs[framework][what]['range'] for what in ('computing', 'all together')))
        assert max(lows) < min(highs), framework
        assert table['computing, batch size 128'] < table['computing'], framework
        assert table['output layer only, cached features'] > 3 * table['output layer only']
    halves = [costs['PyTorch'][f'{what}, bfloat16']['range'] for what in ('all together', 'computing')]
    assert halves[0][1] < halves[1][0]
    mxnet, pytorch = rates['MXNet'], rates['PyTorch']
    assert mxnet['computing'] > mxnet['computing, not hybridized']
    assert pytorch['computing'] > pytorch['computing, not channels_last']
    assert pytorch['computing, torch.compile'] < pytorch['computing']
    assert pytorch['computing, batch size 128'] < pytorch['computing, batch size 8'] / 2
    assert mxnet['computing'] < 0.9 * pytorch['computing'] and mxnet['reading'] > 9 * mxnet['all together']
    assert max(costs['PyTorch']['all together, 2 reading processes']['range']) < min(
        costs['PyTorch']['all together']['range'])
    assert 1.6 < pytorch['reading, 2 reading processes'] / mxnet['reading'] < 2.4


def test_what_the_page_says_of_processes():
    rates, ranges = ({tuple(row[name] for name in ('framework', 'network', 'workers', 'apart')): row[column]
                      for row in stored('processes')} for column in ('rate', 'range'))
    pairs = [key for key in rates if key[2] > 1 and not key[3]]
    faster = [key for key in pairs if rates[key] > rates[*key[:3], True]]
    assert len(pairs) == 6 and faster == [('PyTorch', 'squeezenet1_1', 2, False)]
    for key in pairs:
        assert (ranges[key][1] < ranges[*key[:3], True][0]) == key[1].startswith('resnet18')
        assert key[1] == 'squeezenet1_1' or rates[key] > 0.9 * rates[*key[:3], True]
    for framework in larger.PYTHON:
        assert rates[framework, 'squeezenet1_1', 4, False] / rates[framework, 'squeezenet1_1', 1, False] / 4 <= 0.55


def test_what_the_page_says_of_killed_workers():
    table = stored('killed')
    assert table['MXNet']['launcher'] == 'waits'
    assert table['PyTorch']['launcher'] == 'ended' and table['PyTorch']['exit status'] != 0
    restarted = table['PyTorch, --max-restarts 1']
    assert restarted['launcher'] == 'ended' and restarted['exit status'] == 0
    for row in table.values():
        assert row['steps done after going on'] and row['largest difference to a run that nobody stopped'] <= 1e-4


def test_what_the_page_says_of_the_gpu():
    computing = {tuple(what.split(', ')): row['rate'] for what, row in GPU['computing'].items()}
    squeezenet = {key[1:]: value for key, value in computing.items() if key[0] == 'squeezenet1_1'}
    small = [value for key, value in squeezenet.items() if key[0] == '32']
    assert max(small) < 2 * min(small)
    best = {kind: max(value for key, value in squeezenet.items() if key[:2] == ('32', kind))
            for kind in ('float32', 'TF32', 'bfloat16')}
    assert best['bfloat16'] < best['TF32'] < best['float32']
    assert max(value for key, value in squeezenet.items() if key[:2] == ('32', 'bfloat16')) < statistics.median(small)
    assert squeezenet['512', 'bfloat16', 'channels_last'] > 6 * squeezenet['32', 'bfloat16', 'channels_last']
    resnet = {key[2:]: value for key, value in computing.items() if key[:2] == ('resnet18', '128')}
    assert resnet['bfloat16', 'channels_last'] > 3 * resnet['float32', 'contiguous']
    reading = {what: row['rate'] for what, row in GPU['reading'].items()}
    assert 0.4 < reading['all together, 16 workers'] / reading['computing alone'] < 0.6
    assert GPU['machine']['cores'] == 16
    assert reading['copying alone, float32'] < reading['computing alone'] < reading['copying alone, float32, pinned']


def test_numbers_of_the_page():
    assert len(records.labels(datasets.demo_set().train)) == 600
    assert 16882 // (64 * larger.SIZE) == 8 and 16882 // (1000 * larger.SIZE) == 0

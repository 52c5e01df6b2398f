"""PyTorch computes what MXNet does, in its own environment (make pytorch); the page's code is short."""
import os
import re
import subprocess

import nbformat
import numpy as np
import pytest

from book import execute, notebooks
from hotdog import files, parity

PAGE = notebooks.CHAPTER / 'pytorch.md'
CELLS = [cell.source for cell in notebooks.code_cells(notebooks.read_page(PAGE))]
# the page's own cells, less training and drawing, then everything that they computed
WANTED = ('import ', 'def read_records', 'to_input', 'def loader', 'source_net = ', 'stored, ')
SCRIPT = """
features = copy.deepcopy(source_net)
for parameter, array in zip(features.parameters(), weights.squeezenet()):
    parameter.data = torch.from_numpy(array)
np.savez(sys.argv[1], features=features.eval().features(x).detach(), logits=logits.detach(), loss=loss.detach(),
         **{f'weight {i}': p.detach() for i, p in enumerate(source_net.parameters())})
"""


@pytest.fixture(scope='module')
def both(tmp_path_factory):
    """Return what MXNet and PyTorch compute on the first validation pictures, two dictionaries of arrays."""
    if not notebooks.kernel(PAGE):
        pytest.skip('the page pytorch runs in its own environment: make pytorch')
    file = tmp_path_factory.mktemp('pytorch') / 'values.npz'
    cells = [cell for cell in CELLS if cell.startswith(WANTED)]
    assert len(cells) == len(WANTED)
    subprocess.run([notebooks.PYTORCH / 'bin' / 'python', '-c', '\n'.join(cells) + SCRIPT, file], check=True,
                   cwd=notebooks.CHAPTER, env={**os.environ, **execute.REPRODUCIBLE})
    return parity.values(), np.load(file)


def test_features_logits_and_loss_agree(both):
    mxnet, pytorch = both
    assert len(mxnet['logits']) == len(pytorch['logits']) == 32
    difference = mxnet['features'] - pytorch['features']
    assert np.abs(difference.mean(axis=(2, 3))).max() <= 1e-4
    assert np.abs(difference).max() <= 1e-5 * mxnet['features'].max()
    assert np.abs(mxnet['logits'] - pytorch['logits']).max() <= 1e-4
    assert abs(mxnet['loss'] - pytorch['loss']) <= 1e-5


def test_all_weights_agree_after_one_update(both):
    mxnet, pytorch = both
    assert len(mxnet['weights']) == 52
    for i, weight in enumerate(mxnet['weights']):
        assert np.abs(weight - pytorch[f'weight {i}']).max() <= 1e-5


def test_what_is_stored_for_the_page_is_what_mxnet_computes():
    stored, values = np.load(parity.FILE), parity.excerpt(parity.values())
    assert set(stored) == set(values)
    for name, array in stored.items():
        assert np.abs(array - values[name]).max() <= 1e-5


def test_the_page_has_at_most_80_lines_of_code():
    assert sum(bool(line.strip()) for cell in CELLS for line in cell.splitlines()) <= 80


def test_the_page_needs_neither_mxnet_nor_anything_else_of_the_book():
    for name in ('weights', 'files'):
        code = (files.DATA.parent / 'hotdog' / f'{name}.py').read_text()
        assert not re.search(r'^ *(?:import|from) (?:mxnet|torch)|from hotdog import (?!files\n)', code, re.MULTILINE)
    assert 'import utils' not in '\n'.join(CELLS)


def test_fine_tuning_is_as_good_as_with_mxnet(marks_of_training):
    """The two test accuracies differ by no more than two standard errors of a difference, on 240 pictures."""
    page = nbformat.read(notebooks.CHAPTER / 'pytorch.ipynb', as_version=4)
    cell = next(cell for cell in page.cells if cell.source.startswith('finetune_net ='))
    ours, theirs = float(cell.outputs[-1]['data']['text/plain']), marks_of_training['fine-tuning']['accuracy']
    assert abs(ours - theirs) <= 2 * np.sqrt((ours * (1 - ours) + theirs * (1 - theirs)) / 240)

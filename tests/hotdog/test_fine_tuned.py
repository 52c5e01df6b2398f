"""The trained network that comes with the book, against the page that trains it."""
import time

import numpy as np
import pytest
from mxnet import nd

import utils
from hotdog import files

SHIPPED, START = files.DATA / 'fine_tuned.params', time.time()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(utils, 'CACHE', tmp_path)
    return tmp_path


def test_the_shipped_network_scores_what_the_page_training_prints(marks_of_training):
    net = utils.new_net(2)
    net.load_parameters(str(SHIPPED))
    marks, printed = utils.evaluate(utils.RecordIter(utils.demo_set().test), net), marks_of_training['fine-tuning']
    assert set(printed) == {'accuracy', 'balanced_accuracy', 'auroc'}
    assert {name: marks[name] for name in printed} == printed


def test_the_shipped_network_is_what_the_page_trains():
    own = utils.CACHE / 'fine_tuned-squeezenet1_1-demo.params'
    if not own.exists() or own.stat().st_mtime < START:
        pytest.skip('the page training was not executed in this run: pytest tests/hotdog chapter_fine_tuning --nbval')
    shipped, trained = nd.load(str(SHIPPED)), nd.load(str(own))
    assert shipped.keys() == trained.keys()
    for name, array in shipped.items():
        assert np.allclose(array.asnumpy(), trained[name].asnumpy(), rtol=0, atol=1e-6), name


def test_your_own_network_comes_before_the_shipped_one(cache):
    assert utils.parameter_file('fine_tuned', must_exist=True) == str(SHIPPED)
    own = utils.parameter_file('fine_tuned')
    assert own == str(cache / 'fine_tuned-squeezenet1_1-demo.params')
    (cache / 'fine_tuned-squeezenet1_1-demo.params').write_bytes(SHIPPED.read_bytes())
    assert utils.parameter_file('fine_tuned', must_exist=True) == own
    (cache / 'fine_tuned-squeezenet1_1-demo.params').write_bytes(SHIPPED.read_bytes()[:1000])
    with pytest.raises(ValueError, match='demo.params is damaged: run the notebook training again'):
        utils.parameter_file('fine_tuned', must_exist=True)


def test_for_other_settings_the_page_training_must_have_run(cache, monkeypatch):
    monkeypatch.setattr(utils, 'source_model', 'resnet18_v2')
    with pytest.raises(FileNotFoundError, match='resnet18_v2-demo.params is not there yet: run the notebook training'):
        utils.parameter_file('fine_tuned', must_exist=True)

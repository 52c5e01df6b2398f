"""Tests, the notebooks' among them, run as the reference notebooks were executed: same code paths, no settings."""
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest

from book import execute, notebooks

HERE = Path(__file__).parent
LAST = 'test_the_shipped_network_is_what_the_page_trains'
sys.path.insert(0, str(HERE / 'tests' / 'book'))
import nbval_gate  # noqa: E402

# two processes share the cores, so a thread that waits must not spin
os.environ.update(execute.REPRODUCIBLE, PYTHONPATH=str(HERE / 'tests' / 'book' / 'guard'), OMP_WAIT_POLICY='PASSIVE')
for setting in (*notebooks.SETTINGS, 'BOOK_CACHE'):
    os.environ.pop(setting, None)
nbval_gate.install()


@pytest.fixture(scope='session')
def marks_of_training():
    """Return the test marks that the page `training` shows, {method: {'accuracy', 'balanced_accuracy', 'auroc'}}."""
    page = nbformat.read(notebooks.CHAPTER / 'training.ipynb', as_version=4)
    tables = [output.data['text/plain'] for cell in notebooks.code_cells(page) for output in cell.outputs
              if 'balanced_accuracy' in output.get('data', {}).get('text/plain', '')]
    header, *rows = tables[0].splitlines()
    names = header.split()
    return {re.split(' {2,}', row)[0]: dict(zip(names, map(float, row.split()[-len(names):]))) for row in rows}


def pytest_collection_modifyitems(items):
    """Run the chapter's notebooks last, in the order of reading, and then what looks at what they trained."""
    for item in items:
        if item.path.suffix == '.ipynb' and not notebooks.kernel(item.path):
            item.add_marker(pytest.mark.skip(reason='the page pytorch runs in its own environment: make pytorch'))
    if any(item.path.suffix == '.ipynb' and item.path.parent.name == notebooks.CHAPTER.name for item in items):
        order = [page.stem for start in ('index.md', 'index_en.md') for page in notebooks.pages(Path(start))]
        items.sort(key=lambda item: len(order) if item.name == LAST else
                   order.index(item.path.stem) if item.path.suffix == '.ipynb' else -1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let a file's tests run in one process, those that need the trained network in that of the page training."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            is_trained = re.search(rf'/(training|prediction)\W.*Cell|{LAST}', nodeid)
            return 'training' if is_trained else super()._split_scope(nodeid)

    return Scheduling(config, log)


def fail_when_skipped(report):
    """Under SKIP_NOTHING (.ci/run) a skipped test fails, but for want of the photographs, which are not published."""
    if os.environ.get('SKIP_NOTHING') and report.skipped and not hasattr(report, 'wasxfail'):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if 'the photographs for checking are not here' not in reason:
            report.outcome, report.longrepr = 'failed', f'must not be skipped here. {reason}'
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Look at the report of every test."""
    return fail_when_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """Look at the report of every module, which may be skipped whole."""
    return fail_when_skipped((yield))

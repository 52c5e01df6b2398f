"""Tests, the notebooks' among them, run as the reference notebooks were executed: same code paths, no settings."""
import os

import execute
import notebooks

os.environ.update(execute.REPRODUCIBLE)
for setting in notebooks.SETTINGS:
    os.environ.pop(setting, None)

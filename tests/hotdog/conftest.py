"""What tests of the library share."""
import io

import numpy as np
import pytest
from PIL import Image

from hotdog import downloads, records


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make a folder of photographs, two classes in two splits, and keep what is packed beside it."""
    monkeypatch.setattr(downloads, 'FOLDER', tmp_path / 'cache')
    draw = np.random.default_rng(0)
    for split, count in (('train', 10), ('test', 3)):
        for name in ('cat', 'not_cat'):
            (tmp_path / 'photos' / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 255, (30, 40, 3)).astype('uint8')
                Image.fromarray(pixels).resize((160, 120)).save(tmp_path / 'photos' / split / name / f'{i}.png')
    return tmp_path / 'photos'


@pytest.fixture
def record_file(tmp_path):
    """Pack ten grey pictures, each of its own brightness, label 1 for the bright half."""
    def jpeg(level):
        Image.new('RGB', (300, 260), (level,) * 3).save(file := io.BytesIO(), 'JPEG')
        return file.getvalue()
    records.write(tmp_path / 'grey.rec', [(i // 5, jpeg(25 * i)) for i in range(10)])
    return tmp_path / 'grey.rec'

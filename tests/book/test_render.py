"""tools/render.py on a book of two small pages: what it leaves, when it repeats, and what a fault leaves."""
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from book import localise
from book import notebooks
from book import render
from book import status

TOOLS = notebooks.ROOT / 'tools'
SITE = Path('_build/html')


PAGE = r"""# 章
:label:`chap_one`

见 :numref:`chap_one`、:numref:`fig_one` 与 :eqref:`eq_one`。

![图的说明](../img/favicon.svg)
:label:`fig_one`

$$y = x^2.$$
:eqlabel:`eq_one`

文字。
又一行。

| 一 | 二 |
| --- | --- |
| :numref:`chap_one` | :eqref:`eq_one` |

```python .noeval
not_run = True
```

<!-- alt: 一条线 -->

```python .input
import matplotlib.pyplot as plt

_ = plt.plot([1, 2])
print('输' + '出')
```
"""
ENGLISH = (PAGE.replace('_one`', '_one_en`').replace('章', 'Chapter').replace('图的说明', 'Caption')
           .replace('文字。\n又一行。', 'Text.\nA line.')
           .replace('一条线', 'a line').replace('见', 'See').replace("'出')", "'出')  # joined"))


def run(tool):
    code = f'import sys; sys.path.insert(0, {str(TOOLS)!r}); import {tool}; {tool}.main()'
    return subprocess.run([sys.executable, '-c', code], text=True, capture_output=True)


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ('static', 'img', 'web'):
        shutil.copytree(notebooks.ROOT / folder, folder)
    for file in ('config.ini', 'config_en.ini', 'refs.bib', 'CITATION.cff', 'environment.yml'):
        shutil.copy(notebooks.ROOT / file, file)
    for folder in ('chapter_fine_tuning', 'tools', 'data'):
        os.mkdir(folder)
    for file in ('utils.py', 'requirements.lock', 'chapter_fine_tuning/matplotlibrc', 'data/manifest.csv'):
        Path(file).touch()
    Path('index.md').write_text('# 书\n\n```toc\n:numbered:\n\nchapter_fine_tuning/index\n```\n')
    Path('index_en.md').write_text('# Book\n\n```toc\n:numbered:\n\nchapter_fine_tuning/index_en\n```\n')
    Path('chapter_fine_tuning/index.md').write_text(PAGE)
    Path('chapter_fine_tuning/index_en.md').write_text(ENGLISH)
    assert run('execute').returncode == 0
    return tmp_path


def test_the_site_is_complete_local_and_made_once(book):
    for name in ('hot-dog-book-zh.pdf', 'hot-dog-book-en.pdf'):
        Path('_build/pdf').mkdir(exist_ok=True)
        Path('_build/pdf', name).touch()
    Path('_build/pdf/.key').write_text(render.sources(Path('_build/executed/demo')))
    result = run('render')
    assert result.returncode == 0, result.stderr
    page = (SITE / 'chapter_fine_tuning/index.html').read_text()
    for part in ('输出', 'alt="一条线"', '_images/output_', 'alt="图的说明"', '文字。又一行。', '图1',
                 '1节', '(1.1)', 'not_run', 'tex-svg-full.js', 'lang="zh-CN"'):
        assert part in page, part
    assert '.noeval' not in page and '```' not in page and ':label:' not in page
    assert '<!--' not in page.partition('<article')[2]
    english = (SITE / 'en/chapter_fine_tuning/index.html').read_text()
    for part in ('输出', '# joined', 'Fig. 1', 'Section 1', '(1.1)', 'lang="en"', 'Caption', 'alt="a line"',
                 '../../_static/mathjax'):
        assert part in english, part
    assert '<a href="../en/chapter_fine_tuning/index.html" hreflang="en"' in page
    assert '<a href="../../chapter_fine_tuning/index.html" hreflang="zh-CN"' in english
    assert not list(SITE.glob('en/_static/**/*.css')) and not list(SITE.glob('**/jquery*'))
    record = json.loads(Path('_build/executed/demo/index.json').read_text())
    for name in ('status.html', 'en/status.html'):
        text = (SITE / name).read_text()
        assert all(str(value) in text for value in (record['seconds'], record['finished'], platform.python_version(),
                                                    importlib.metadata.version('mxnet'), *record['data']))
    assert 'href="chapter_fine_tuning/index.html"' in (SITE / 'en/index.html').read_text()
    assert 'href="../hot-dog-book-zh.pdf"' in page and (SITE / 'hot-dog-book-zh.pdf').exists()
    assert 'href="../hot-dog-book-en.pdf"' in english and (SITE / 'en/hot-dog-book-en.pdf').exists()
    assert render.papers(Path('_build/pdf'), 'another key') == []
    made = (SITE / 'index.html').stat().st_mtime_ns
    assert 'up to date' in run('render').stdout and (SITE / 'index.html').stat().st_mtime_ns == made
    page = Path('chapter_fine_tuning/index.md')
    page.write_text(page.read_text() + '\n见 :numref:`chap_missing`。\n')
    assert run('execute').returncode == 0
    result = run('render')
    assert result.returncode == 1 and 'chap_missing' in result.stderr and not SITE.exists()


def test_pages_that_were_not_executed_are_not_rendered(book):
    shutil.rmtree('_build/executed')
    result = run('render')
    assert result.returncode == 1 and not SITE.exists()
    assert result.stderr.splitlines()[-1] == 'chapter_fine_tuning/index.md is not executed yet: run make book'


def test_a_picture_without_description_is_not_rendered(book):
    for page in ('chapter_fine_tuning/index.md', 'chapter_fine_tuning/index_en.md'):
        Path(page).write_text(re.sub('<!-- alt.*?-->', '', Path(page).read_text()))
    assert run('execute').returncode == 0
    result = run('render')
    assert result.returncode == 1 and not SITE.exists()
    assert "index.md, the cell 'import matplotlib.pyplot as plt' shows a picture" in result.stderr.splitlines()[-1]


def test_the_record_names_data_and_settings_but_not_the_folder_of_photographs(tmp_path):
    Path(tmp_path, 'a.jpg').write_bytes(b'a')
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('utils.seed(3)\nutils.seed(12)')])
    text = status.record({'PHOTOS': str(tmp_path)}, {'OMP_NUM_THREADS': '2'}, notebook, 1.25)
    found = json.loads(text)
    assert str(tmp_path) not in text and found['seeds'] == [3, 12] and found['settings']['OMP_NUM_THREADS'] == '2'
    assert list(found['data']) == ['1'] and found['packages']['numpy'] == np.__version__
    Path(tmp_path, 'a.jpg').write_bytes(b'b')
    assert json.loads(status.record({'PHOTOS': str(tmp_path)}, {}, notebook, 1))['data'] != found['data']
    demo = json.loads(status.record({}, {}, notebook, 1))['data']
    assert demo['data/manifest.csv'] == hashlib.sha256(Path('data/manifest.csv').read_bytes()).hexdigest()


def test_a_page_without_counterpart_and_a_new_theme_are_noticed(tmp_path):
    Path(tmp_path, 'en').mkdir()
    Path(tmp_path, 'one.html').touch()
    with pytest.raises(RuntimeError, match='one.html has no counterpart en/one.html'):
        localise.share(tmp_path)
    with pytest.raises(RuntimeError, match='the theme has changed'):
        localise.finish(tmp_path, '')


@pytest.mark.parametrize('text, remote', [
    ('<script src="https://x.org/a.js">', True), ('<link rel="stylesheet" href="//x.org/a.css">', True),
    ("url('//fonts.example/a.woff')", True), ('<img alt="" src="http://x.org/a.png">', True),
    ('<a href="https://x.org">', False), ('<img src="../a.png">', False), ('url(data:image/png)', False)])
def test_remote_requests_are_noticed(text, remote):
    assert bool(localise.REMOTE.search(text)) is remote

"""The slides: as many in both languages, each with something to show and a note, and a file that asks no server."""
import re
import shutil

import pytest
from playwright.sync_api import sync_playwright

from book import slides


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The folder that the slides are written to."""
    monkeypatch.setattr(slides, 'FOLDER', tmp_path)
    return tmp_path


def test_each_mark_makes_a_slide_with_something_to_show_and_a_note(folder):
    counts = []
    for language in ('zh', 'en'):
        text, count = slides.deck(language)
        counts.append(count)
        parts = [part for part in re.split(r'^# .*\n', re.sub(r'^```.*?^```', 'code', text, flags=re.M | re.S),
                                           flags=re.M) if part.strip()]
        assert len(parts) == count
        for body, note in (re.match(r'(.*)::: notes\n(.*):::\s*', part, re.DOTALL).groups() for part in parts):
            assert re.search(r'!\[]\(|^code|\$\$|<iframe|<table|^(?:\*|\d\.|\|) ', body, re.M), body
            lines = [line for line in body.splitlines() if line.startswith('* ')]
            assert len(set(lines)) == len(lines) and not re.search(r'!\[[^\]]', body), body
            assert len(note) > 40 and ':numref:' not in body + note and '<!--' not in note
    assert counts[0] == counts[1] and 18 <= counts[0] <= 26


@pytest.mark.long
@pytest.mark.skipif(not shutil.which('chromium'), reason='Chromium is not installed')
def test_the_file_is_whole_and_everything_fits(folder):
    count, requests = slides.make('en'), []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which('chromium'), args=['--no-sandbox'])
        tab = browser.new_page(viewport={'width': 1200, 'height': 740})
        tab.on('request', lambda request: requests.append(request.url))
        tab.goto(f'file://{folder}/slides_en.html')
        tab.wait_for_function('window.Reveal && Reveal.isReady()')
        heights = tab.evaluate('Reveal.getSlides().map((slide, i) => (Reveal.slide(i), slide.scrollHeight))')
        browser.close()
    assert len(heights) == count and max(heights[:-1]) <= 740 and (folder / 'slides_en.pdf').stat().st_size > 100_000
    assert [url for url in requests if not url.startswith(('data:', f'file://{folder}'))] == []

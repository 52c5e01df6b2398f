"""Chromium, for the tests of what is shown in a browser."""
import shutil
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import sync_playwright


@pytest.fixture(scope='module')
def chromium():
    """A browser whose camera shows a test picture."""
    if not shutil.which('chromium'):
        pytest.skip('Chromium is not installed (Debian: apt-get install chromium)')
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=shutil.which('chromium'), args=[
            '--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'])


@pytest.fixture
def open_tab(chromium):
    """Return a function that opens a tab, which notes in `files` and `faults` what it requests and complains about.

    What lies in the page itself or below the addresses `allowed` is not noted; what lies elsewhere on the disk is no
    fault, but a file.
    """
    contexts = []

    def opened(allowed=(), **options):
        contexts.append(chromium.new_context(**options))
        tab = contexts[-1].new_page()
        tab.faults, tab.files = [], []

        def request(event):
            if event.url.startswith(('data:', 'blob:', *allowed)):
                return
            if event.url.startswith('file:'):
                tab.files.append(unquote(urlsplit(event.url).path))
            else:
                tab.faults.append(f'requests {event.url}')

        tab.on('request', request)
        tab.on('requestfailed', lambda event: tab.faults.append(f'misses {event.url}'))
        tab.on('console', lambda event: tab.faults.append(f'says {event.text}')
               if event.type in ('error', 'warning') else None)
        tab.on('pageerror', lambda event: tab.faults.append(f'fails with {event}'))
        return tab

    yield opened
    for context in contexts:
        context.close()

"""Check the rendered book's links to other sites, with a network: list each that does not answer, with its page."""
import html
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import requests

from book import notebooks

AGENT = {'User-Agent': 'Mozilla/5.0 (link check)'}
LINK = re.compile(r'<a\b[^>]*?href="(https?://[^"#]+)')


def fault(address):
    """Say what is wrong with an address, or nothing. Sites that refuse programs (403, 429) count as there."""
    try:
        with requests.get(address, timeout=20, stream=True, headers=AGENT) as answer:
            return '' if answer.status_code < 400 or answer.status_code in (403, 429) else f'HTTP {answer.status_code}'
    except requests.RequestException as error:
        return type(error).__name__


def main():
    """Check every address once; exit with 1 when one fails."""
    site, links = notebooks.site({}), {}
    pages = sorted(site.rglob('*.html'))
    if not pages:
        sys.exit(f'{site} holds no page: run make book')
    for page in pages:
        for address in LINK.findall(page.read_text()):
            links.setdefault(html.unescape(address), page.relative_to(site))
    with ThreadPoolExecutor(8) as pool:
        faults = [f'{page}: {address}: {text}'
                  for (address, page), text in zip(links.items(), pool.map(fault, links)) if text]
    print('\n'.join([*faults, f'{len(links)} links, {len(faults)} faults']))
    sys.exit(bool(faults))


if __name__ == '__main__':
    os.chdir(notebooks.ROOT)
    main()

"""Run `d2lbook build` with another configuration file than config.ini, or into another folder than its own.

    python -m book.edition config_en.ini html
    python -m book.edition config.ini html _build/photos
"""
import logging
import sys
import tempfile

from d2lbook.build import Builder
from d2lbook.config import Config


def main(configuration, command, output=None):
    """Run one of d2lbook's commands (html, pdf); its errors end the process."""
    logging.basicConfig(format='[d2lbook] %(message)s', level=logging.INFO)
    with open(configuration, encoding='utf-8') as file:
        text = file.read()
    if output:
        text = text.replace('_build', output)
    with tempfile.NamedTemporaryFile('w', suffix='.ini', encoding='utf-8') as file:
        file.write(text)
        file.flush()
        getattr(Builder(Config(config_fname=file.name)), command)()


if __name__ == '__main__':
    main(*sys.argv[1:])

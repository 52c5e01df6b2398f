"""Compile environment.yml and build.yml into requirements.lock: every package, pinned and hashed.

Pins in the present lock are kept where they still fit; with --upgrade all are chosen anew.
"""
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPILE = ['uv', 'pip', 'compile', '-', '-o', 'requirements.lock', '--generate-hashes', '--no-annotate', '--quiet',
           '--python-version', '3.11', '--python-platform', 'x86_64-manylinux_2_28',
           '--custom-compile-command', 'make lock']


def pip_requirements(file):
    """List the entries of a conda file's pip section."""
    for entry in yaml.safe_load(Path(file).read_text())['dependencies']:
        if isinstance(entry, dict):
            return entry['pip']
    raise ValueError(f'{file} has no pip section: add one')


def main(options):
    """Write the lock, or leave it and say why the pins cannot be resolved."""
    wanted = pip_requirements(ROOT / 'environment.yml') + pip_requirements(ROOT / 'build.yml')
    result = subprocess.run(COMPILE + options, input='\n'.join(wanted), stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, cwd=ROOT)
    if result.returncode:
        sys.exit(f'requirements.lock stays as it is, the pins cannot be resolved: {result.stderr.strip()}')


if __name__ == '__main__':
    main(sys.argv[1:])

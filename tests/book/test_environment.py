"""environment.yml, build.yml, requirements.lock and the installed packages agree."""
import os
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
import yaml

UNIVERSAL = ('environment_pytorch.yml', 'requirements_pytorch.lock')  # for several systems and versions of Python
FILES = ('environment.yml', 'build.yml', 'requirements.lock')


def check(environment, build, lock):
    """Compare the texts of the three files; return {name: version} of the lock."""
    lists = [yaml.safe_load(text)['dependencies'][-1]['pip'] for text in (environment, build)]
    pins = dict(entry.replace('_', '-').split('==') for entries in lists for entry in entries)
    assert len(pins) == sum(map(len, lists)), 'a package is in both files'
    entries = [entry for entry in re.split(r'\n(?=\S)', lock) if not entry.startswith('#')]
    assert all(re.fullmatch(r'[\w.-]+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+\n?', entry) for entry in entries)
    versions = dict(entry.split()[0].split('==') for entry in entries)
    assert pins.items() <= versions.items(), 'run make lock'
    assert 'python=3.11' in yaml.safe_load(environment)['dependencies']
    return versions


def test_the_files_agree_and_the_lock_is_installed():
    versions = check(*(Path(name).read_text() for name in FILES))
    assert {name: metadata.version(name) for name in versions} == versions


def test_the_lock_of_pytorch_holds_its_pins_and_wheels_of_every_system():
    environment, lock = (Path(name).read_text() for name in UNIVERSAL)
    pins = yaml.safe_load(environment)['dependencies'][-1]['pip']
    entries = {entry.split()[0]: entry for entry in re.split(r'\n(?=\S)', lock) if not entry.startswith('#')}
    assert set(pins) <= set(entries), 'run make lock'
    assert all(re.fullmatch(r'[\w.-]+==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n?', entry)
               for entry in re.split(r'\n(?=\S)', lock) if not entry.startswith('#'))
    assert "sys_platform == 'darwin'" in lock and "sys_platform == 'win32'" in lock


@pytest.mark.parametrize('file, old, new', [
    (0, r'tqdm==\S+', 'tqdm==0'), (0, 'python=3.11', 'python=3.12'), (1, r'nbval==\S+', 'click==8'),
    (1, r'nbval==\S+', 'tqdm==4.70.1'), (2, r'\ntqdm==', '\ntqmd=='), (2, 'sha256:', 'md5:'),
    (2, r'\nalembic', '\n--pre\nalembic')])
def test_a_disagreement_is_noticed(file, old, new):
    texts = [Path(name).read_text() for name in FILES]
    texts[file], count = re.subn(old, new, texts[file])
    assert count
    with pytest.raises(AssertionError):
        check(*texts)


def test_without_python_one_sentence_says_what_to_install_and_nothing_is_left(tmp_path):
    shutil.copy('requirements.lock', tmp_path)
    for name in ('bash', 'uname', 'flock', 'ldconfig', 'dpkg', 'grep'):
        (tmp_path / name).symlink_to(shutil.which(name, path='/usr/bin:/bin:/usr/sbin:/sbin'))
    result = subprocess.run(['bash', Path('book/setup.sh').resolve(), '.venv/stamp'], cwd=tmp_path, text=True,
                            capture_output=True, env={'PATH': str(tmp_path)})
    assert result.returncode == 1 and not (tmp_path / '.venv').exists()
    assert result.stderr.startswith('make: Python 3.11') and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize('system', ['Darwin arm64', 'Linux aarch64', 'MINGW64_NT-10.0 x86_64'])
def test_on_another_system_one_sentence_says_what_works_there(tmp_path, system):
    (tmp_path / 'uname').write_text(f'#!/bin/sh\necho {system}\n')
    (tmp_path / 'uname').chmod(0o755)
    (tmp_path / 'requirements.lock').touch()
    result = subprocess.run(['bash', Path('book/setup.sh').resolve(), '.venv/stamp'], cwd=tmp_path, text=True,
                            capture_output=True, env={'PATH': f'{tmp_path}:{os.environ["PATH"]}'})
    assert result.returncode == 1 and not (tmp_path / '.venv').exists()
    said, = result.stderr.splitlines()
    for name in ('environment_pytorch.yml', 'Dockerfile'):
        assert name in said and Path(name).exists()
    assert system in said and 'WSL' in said


def test_actions_are_pinned_by_commit_and_the_addresses_are_web_addresses():
    uses = re.findall(r'uses: *(\S+)', ''.join(path.read_text() for path in Path('.github/workflows').glob('*.yml')))
    assert uses and all(re.fullmatch(r'[\w-]+/[\w-]+@[0-9a-f]{40}', action) for action in uses), uses
    citation = yaml.safe_load(Path('CITATION.cff').read_text())
    assert all(re.fullmatch(r'https://\S+', citation[key]) for key in ('repository-code', 'url') if key in citation)
    assert citation.get('url', '/').endswith('/')

"""environment.yml, build.yml, requirements.lock and the installed packages agree."""
import os
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
import yaml

FILES = ('environment.yml', 'build.yml', 'requirements.lock')


def pins(conda_file):
    """Give {name: version} of a conda file's pip section, and what Python it asks for."""
    dependencies = yaml.safe_load(conda_file)['dependencies']
    entries = next(entry['pip'] for entry in dependencies if isinstance(entry, dict))
    assert 'python=3.11' in dependencies, 'Python must be 3.11'
    return dict(entry.replace('_', '-').split('==') for entry in entries)


def locked(lock):
    """Give {name: (version, number of hashes)} of a lock."""
    blocks = re.split(r'\n(?=\S)', re.sub(r'^#.*\n', '', lock, flags=re.MULTILINE).strip())
    heads = [re.match(r'([a-z0-9.-]+)==(\S+)', block) for block in blocks]
    assert all(heads), f'not a pin: {blocks[heads.index(None)][:60]}' if None in heads else ''
    return {head[1]: (head[2], len(re.findall(r'--hash=sha256:[0-9a-f]{64}\b', block)))
            for head, block in zip(heads, blocks)}


def check(environment, build, lock):
    """Compare the texts of the three files."""
    readers, builders, lock_pins = pins(environment), pins(build), locked(lock)
    assert readers.items() <= builders.items(), "build.yml must repeat the readers' part"
    assert {name: lock_pins.get(name, (None,))[0] for name in builders} == builders, 'run make lock'
    assert [name for name, (_, hashes) in lock_pins.items() if not hashes] == [], 'these lack a hash'
    for text in (environment, build, lock):
        assert not re.search(r'https?:|index-url|find-links', text), 'no file may name an index'


@pytest.fixture
def texts():
    return [Path(name).read_text() for name in FILES]


def test_the_three_files_agree(texts):
    check(*texts)


@pytest.mark.parametrize('file, old, new', [
    (0, r'tqdm==\S+', 'tqdm==0'), (0, r'tqdm==\S+', 'click==8'), (0, r'python=3.11', 'python=3.12'),
    (1, r'nbval==\S+', 'nbval==0'), (1, r'nbval==\S+', 'click==8'), (1, r' +- tqdm==.*\n', ''),
    (2, r'\ntqdm==\S+', '\ntqdm==0'), (2, r'\ntqdm==', '\ntqmd=='), (2, r'--hash=sha256:', '--hash=md5:'),
    (2, r'\nmxnet==', '\nmxnet>='), (2, r'\nalembic', '\n--index-url=x\nalembic')])
def test_a_disagreement_is_noticed(texts, file, old, new):
    texts[file], count = re.subn(old, new, texts[file])
    assert count
    with pytest.raises(AssertionError):
        check(*texts)


def test_the_lock_is_installed(texts):
    versions = {name: version for name, (version, _) in locked(texts[2]).items()}
    assert {name: metadata.version(name) for name in versions} == versions


def setup(folder, path):
    """Run tools/setup.sh in a folder with a PATH of its own."""
    return subprocess.run(['bash', Path('tools/setup.sh').resolve(), '.venv/stamp'], cwd=folder, text=True,
                          capture_output=True, env={'PATH': str(path), 'HOME': str(folder)})


def test_without_python_one_sentence_says_what_to_install(tmp_path):
    for name in ('requirements.lock', 'build.yml'):
        shutil.copy(name, tmp_path)
    tools = tmp_path / 'bin'
    tools.mkdir()
    for name in ('bash', 'mktemp', 'rm', 'flock', 'mv', 'grep', 'sed', 'tr'):
        (tools / name).symlink_to(shutil.which(name))
    result = setup(tmp_path, tools)
    assert result.returncode == 1 and not (tmp_path / '.venv').exists()
    assert result.stderr.strip().splitlines() == [
        'make: Python 3.11 with its venv module is missing: install python3.11-venv (Debian 12: python3-venv) or uv']


@pytest.mark.long
def test_a_broken_lock_leaves_the_old_environment(tmp_path, texts):
    (tmp_path / 'requirements.lock').write_text(re.sub('sha256:.', 'sha256:0', texts[2]))
    shutil.copy('build.yml', tmp_path)
    (tmp_path / '.venv').mkdir()
    (tmp_path / '.venv' / 'lock-old').touch()
    result = setup(tmp_path, os.environ['PATH'])
    assert result.returncode == 1 and 'requirements.lock is damaged' in result.stderr
    assert os.listdir(tmp_path / '.venv') == ['lock-old'] and not (tmp_path / '.venv.previous').exists()


@pytest.mark.long
def test_a_lock_that_lacks_what_others_need_is_refused(tmp_path, texts):
    blocks = re.split(r'\n(?=\S)', texts[2])
    (tmp_path / 'requirements.lock').write_text('\n'.join(b for b in blocks if re.match('(pip|jinja2)==', b)) + '\n')
    (tmp_path / 'build.yml').write_text('')
    result = setup(tmp_path, os.environ['PATH'])
    assert result.returncode == 1 and not (tmp_path / '.venv').exists()
    assert re.search(r'requirements.lock is damaged, restore it .* \(jinja2 .* requires markupsafe', result.stderr)


def test_actions_are_pinned_by_commit_and_the_addresses_are_web_addresses():
    workflows = ''.join(path.read_text() for path in Path('.github/workflows').glob('*.yml'))
    assert yaml.safe_load(Path('.github/workflows/pages.yml').read_text())['jobs'].keys() == {'build', 'publish'}
    uses = re.findall(r'uses: *(\S+)', workflows)
    assert uses and all(re.fullmatch(r'[\w-]+/[\w-]+@[0-9a-f]{40}', action) for action in uses), uses
    citation = yaml.safe_load(Path('CITATION.cff').read_text())
    assert {'cff-version', 'message', 'title', 'authors'} <= citation.keys()
    for key in ('repository-code', 'url'):
        assert re.fullmatch(r'https://\S+', citation.get(key, 'https://none'))
    assert citation.get('url', '/').endswith('/')

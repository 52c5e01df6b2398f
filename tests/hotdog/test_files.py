"""Writing whole files, and finding damaged ones."""
import errno
import hashlib
import multiprocessing
import os
import time

import pytest

from hotdog import files


def test_a_file_and_a_folder_are_replaced_whole(tmp_path):
    for content in ('old', 'new'):
        with files.replacing(tmp_path / 'file') as part:
            part.write_text(content)
        with files.replacing(tmp_path / 'more' / 'folder') as part:
            part.mkdir()
            (part / content).write_text(content)
    assert (tmp_path / 'file').read_text() == 'new'
    assert os.listdir(tmp_path / 'more' / 'folder') == ['new']
    with pytest.raises(RuntimeError), files.replacing(tmp_path / 'file') as part:
        part.write_text('half')
        raise RuntimeError
    assert (tmp_path / 'file').read_text() == 'new'
    assert sorted(os.listdir(tmp_path)) == ['.file.lock', 'file', 'more']


@pytest.mark.parametrize('number, sentence', [(errno.ENOSPC, 'file cannot be written, the disk is full: make room'),
                                              (errno.EROFS, 'file cannot be written .*: make .* writable')])
def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path, number, sentence):
    with pytest.raises(OSError, match=sentence), files.replacing(tmp_path / 'file') as part:
        part.write_text('half')
        raise OSError(number, os.strerror(number))
    assert os.listdir(tmp_path) == ['.file.lock']


def add(path):
    with files.replacing(path) as part:
        content = path.read_text()
        time.sleep(0.02)
        part.write_text(content + 'x')


def test_one_process_at_a_time_replaces_a_file(tmp_path):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'file.part').write_text('of a process that was killed')
    with multiprocessing.get_context('fork').Pool(4) as pool:
        pool.map(add, [tmp_path / 'file'] * 12)
    assert (tmp_path / 'file').read_text() == 'x' * 12


def test_the_first_damaged_file_is_named(tmp_path):
    (tmp_path / 'a').write_text('content')
    (tmp_path / 'b').write_text('')
    assert files.first_damaged(tmp_path) == tmp_path / 'checksums.txt'
    files.write_checksums(tmp_path)
    assert files.first_damaged(tmp_path) is None
    assert f'{hashlib.sha256(b"content").hexdigest()}  a\n' in (tmp_path / 'checksums.txt').read_text()
    (tmp_path / 'b').write_text('x')
    assert files.first_damaged(tmp_path) == tmp_path / 'b'

"""Downloads against a server on this machine that fails in the ways of real ones; nothing else is asked."""
import errno
import hashlib
import http.server
import io
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile

import mxnet as mx
import pytest
from tqdm import tqdm
import pytest_socket
import requests

from hotdog import downloads, imagenet, datasets

CONTENT = os.urandom(200_000)
SHA1 = hashlib.sha1(CONTENT).hexdigest()
LOGIN = b'<html>Welcome to the hotel. Please log in.</html>'


@pytest.fixture
def server(monkeypatch):
    """A server whose `answers` are (status, body, length that it claims or None) in turn, the last one for good."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            server.asked.append(self.path)
            status, body, length = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            if status is None and not body:  # says nothing until the reader has gone
                server.release.wait(20)
                return
            self.send_response(status or 200)
            if length is not None:
                self.send_header('Content-Length', str(length))
            self.end_headers()
            self.wfile.write(body)
            if status is None:  # says no more
                server.release.wait(20)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    server.answers, server.asked, server.release = [(200, CONTENT, len(CONTENT))], [], threading.Event()
    server.address = f'http://127.0.0.1:{server.server_port}'
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Take the clock out of the tests; note how long would have been waited."""
    found = []
    monkeypatch.setattr(downloads.time, 'sleep', found.append)
    return found


def get(server, folder, *more):
    return downloads.fetch('data.rec', SHA1, [f'{server.address}/data.rec', *more], folder)


def refusal(server, folder, *more, error=ConnectionError):
    """Get the sentence of the error, after making sure that nothing is left in the folder."""
    with pytest.raises(error) as caught:
        get(server, folder, *more)
    assert [path.name for path in folder.iterdir() if path.suffix != '.lock'] == []
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_the_guard_lets_no_test_reach_another_machine():
    with pytest.raises(pytest_socket.SocketConnectBlockedError):
        socket.create_connection(('192.0.2.1', 80), timeout=1)
    with pytest.raises(pytest_socket.SocketConnectBlockedError):
        requests.get('http://192.0.2.1/', timeout=1)


@pytest.mark.parametrize('call', ["create_connection(('192.0.2.1', 80), 1)", "getaddrinfo('example.org', 80)",
                                  "socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 53))"])
def test_the_guard_holds_in_the_processes_that_tests_start(call):
    result = subprocess.run([sys.executable, '-c', f'import socket; socket.{call}'], text=True, capture_output=True)
    assert result.returncode == 1 and 'RuntimeError: a test wants to reach' in result.stderr


@pytest.mark.parametrize('status', [404, 410])
def test_1_a_missing_file_is_sought_on_the_next_mirror(server, tmp_path, monkeypatch, waits, status):
    server.answers = [(status, b'gone', 4)]
    sentence = refusal(server, tmp_path, f'{server.address}/elsewhere/data.rec')
    assert server.asked == ['/data.rec', '/elsewhere/data.rec'] and waits == [0, 0]
    for part in (f'{server.address}/data.rec (HTTP {status})', f'{server.address}/elsewhere/data.rec (HTTP {status})',
                 f'put data.rec (SHA-1 {SHA1}) into {tmp_path} by hand'):
        assert part in sentence
    server.answers = [(status, b'gone', 4), (200, CONTENT, len(CONTENT))]
    assert get(server, tmp_path, f'{server.address}/elsewhere/data.rec').read_bytes() == CONTENT


@pytest.mark.parametrize('status', [429, 500, 503])
def test_2_a_busy_server_is_asked_again_after_growing_waits(server, tmp_path, waits, status):
    server.answers = [(status, b'', 0), (status, b'', 0), (200, CONTENT, len(CONTENT))]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 3 and waits == [0, 1, 2]
    server.answers = [(status, b'', 0)]
    assert refusal(server, tmp_path / 'other') and len(server.asked) == 6


def test_3_a_login_page_is_not_taken_for_the_file(server, tmp_path):
    server.answers = [(200, LOGIN, len(LOGIN))]
    sentence = refusal(server, tmp_path)
    assert f'{len(LOGIN)} bytes with SHA-1 {hashlib.sha1(LOGIN).hexdigest()}, expected {SHA1}' in sentence
    assert 'does the network ask for a login?' in sentence


@pytest.mark.parametrize('length', [len(CONTENT), None])
def test_4_a_connection_that_breaks_leaves_nothing(server, tmp_path, length):
    server.answers = [(200, CONTENT[:50_000], length)]
    sentence = refusal(server, tmp_path)
    assert ('the connection broke' if length else '50000 bytes') in sentence and len(server.asked) == 3
    server.answers = [(200, CONTENT[:50_000], length), (200, CONTENT, length)]
    assert get(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize('body', [b'', CONTENT[:50_000]])
def test_5_a_silent_server_is_left_after_a_time(server, tmp_path, monkeypatch, body):
    assert downloads.TIMEOUT * (1 + len(downloads.WAITS)) + sum(downloads.WAITS) < 60
    monkeypatch.setattr(fetch, 'TIMEOUT', 0.2)
    server.answers = [(None, body, len(CONTENT))]
    start = time.monotonic()
    assert 'no answer for 0.2 s' in refusal(server, tmp_path)
    assert len(server.asked) == 3 and time.monotonic() - start < 5


def test_6_a_filled_cache_needs_no_network(server, tmp_path, monkeypatch):
    (tmp_path / 'data.rec').write_bytes(CONTENT)  # put there by hand
    monkeypatch.setattr(socket, 'socket', None)  # the least use of a socket is an error
    assert get(server, tmp_path) == tmp_path / 'data.rec'
    assert os.listdir(tmp_path) == ['data.rec']


def test_6_a_shared_cache_may_be_read_only(server, tmp_path):
    (tmp_path / 'data.rec').write_bytes(CONTENT)
    tmp_path.chmod(0o555)
    assert get(server, tmp_path).read_bytes() == CONTENT and os.listdir(tmp_path) == ['data.rec']
    assert server.asked == []


def test_7_without_network_and_file_the_error_says_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, 'DOWNLOADS', tmp_path)
    monkeypatch.setattr(sources, 'RECORDS_URL', 'http://127.0.0.1:9/')
    monkeypatch.setattr(sources, 'ARCHIVE_URL', 'http://127.0.0.1:9/hotdog.zip')
    with pytest.raises(ConnectionError) as caught:
        datasets.published_set()
    name, sha1 = datasets.PUBLISHED['train']
    for part in (f'http://127.0.0.1:9/{name} (no connection)', 'http://127.0.0.1:9/hotdog.zip (no connection)',
                 f'put {name} (SHA-1 {sha1}) into {tmp_path} by hand', 'set demo = True in utils.py'):
        assert part in str(caught.value)


def test_7_offline_no_request_is_made(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, 'OFFLINE', True)
    assert 'BOOK_OFFLINE forbids' in refusal(server, tmp_path / 'cache') and server.asked == []
    (tmp_path / 'mirror').mkdir()
    (tmp_path / 'mirror' / 'data.rec').write_bytes(CONTENT)
    monkeypatch.setattr(fetch, 'MIRRORS', [str(tmp_path / 'mirror')])
    assert get(server, tmp_path / 'cache').read_bytes() == CONTENT and server.asked == []


def test_8_a_damaged_file_in_the_cache_is_fetched_again(server, tmp_path, monkeypatch):
    get(server, tmp_path)
    damaged = bytearray(CONTENT)
    damaged[1000] ^= 1
    (tmp_path / 'data.rec').write_bytes(damaged)
    assert get(server, tmp_path).read_bytes() == CONTENT and len(server.asked) == 2
    (tmp_path / 'data.rec').write_bytes(damaged)
    monkeypatch.setattr(fetch, 'OFFLINE', True)
    with pytest.raises(ConnectionError, match='data.rec is damaged and BOOK_OFFLINE forbids'):
        get(server, tmp_path)


@pytest.mark.parametrize('sha1', ['', 'abc', SHA1[:-1], SHA1.upper(), f'{SHA1}0', 'g' * 40])
def test_9_a_hash_that_is_none_is_refused_before_anything_is_asked(server, tmp_path, sha1):
    with pytest.raises(ValueError, match='is no SHA-1'):
        downloads.fetch('data.rec', sha1, [server.address], tmp_path)
    assert server.asked == [] and not list(tmp_path.iterdir())


@pytest.mark.parametrize('number, part', [(errno.ENOSPC, 'the disk is full'), (errno.EACCES, 'Permission denied'),
                                          (errno.EROFS, 'Read-only file system')])
def test_10_what_cannot_be_written_is_said_and_the_good_file_stays(server, tmp_path, monkeypatch, number, part):
    (tmp_path / 'other.rec').write_bytes(b'good')

    def write(bar, address, file):
        bar.total = 10 ** 9
        open(file, 'wb').close()
        raise OSError(number, os.strerror(number), file)
    monkeypatch.setattr(downloads.pooch.HTTPDownloader, '__call__',
                        lambda self, address, file, _: write(self.progressbar, address, file))
    with pytest.raises(OSError) as caught:
        get(server, tmp_path)
    assert part in str(caught.value) and f'{tmp_path}/data.rec cannot be written' in str(caught.value)
    assert number != errno.ENOSPC or '1000.0 MB are needed' in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ['.data.rec.lock', 'other.rec']
    monkeypatch.undo()
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_11_two_processes_fetch_it_once(server, tmp_path):
    (tmp_path / '.data.rec.lock').touch()  # of a process long gone
    with multiprocessing.get_context('fork').Pool(3) as pool:
        paths = pool.starmap(downloads.fetch, [('data.rec', SHA1, [f'{server.address}/data.rec'], tmp_path)] * 3)
    assert set(paths) == {tmp_path / 'data.rec'} and paths[0].read_bytes() == CONTENT
    assert server.asked == ['/data.rec']


def test_11_a_killed_download_leaves_nothing_to_clean(server, tmp_path):
    """Kill twenty downloads, each a little later; the next one removes what they left and is right."""
    tqdm.set_lock(threading.RLock())  # tqdm's own is shared with forked processes: one that is killed may keep it
    for number in range(20):
        server.answers = [(200, CONTENT, 2 * len(CONTENT)), (200, CONTENT, len(CONTENT))]
        process = multiprocessing.get_context('fork').Process(target=get, args=(server, tmp_path))
        process.start()
        threading.Event().wait(0.004 * number)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        server.answers = [(200, CONTENT, len(CONTENT))]
        assert get(server, tmp_path).read_bytes() == CONTENT
        assert sorted(os.listdir(tmp_path)) == ['.data.rec.lock', 'data.rec']
        (tmp_path / 'data.rec').unlink()


def archive(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize('content', [b'no archive', archive({'hotdog/a': b'x' * 1000})[:80],
                                     archive({'../outside': b''}), archive({'/tmp/outside-of-it': b''}),
                                     archive({'hotdog/a': bytes(30_000)})])
def test_12_an_archive_that_is_broken_or_would_write_elsewhere_is_refused(tmp_path, monkeypatch, content):
    monkeypatch.setattr(sources, 'LARGEST_ARCHIVE', 20_000)
    (tmp_path / 'cache').mkdir()
    (tmp_path / 'cache' / 'hotdog.zip').write_bytes(content)
    with pytest.raises(ValueError, match='hotdog.zip .*: delete it'):
        datasets._unpack(tmp_path / 'cache' / 'hotdog.zip')
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['.hotdog.lock', 'cache', 'hotdog.zip']


def test_13_unpacking_that_was_killed_starts_over(tmp_path, monkeypatch):
    (tmp_path / 'hotdog.zip').write_bytes(archive({f'hotdog/{i}': b'content' for i in range(50)}))
    extract = zipfile.ZipFile._extract_member

    def die(self, member, *rest):
        if getattr(member, 'filename', member).endswith('30'):
            os.kill(os.getpid(), signal.SIGKILL)
        return extract(self, member, *rest)
    monkeypatch.setattr(zipfile.ZipFile, '_extract_member', die)
    process = multiprocessing.get_context('fork').Process(target=datasets._unpack, args=(tmp_path / 'hotdog.zip',))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL and len(list(tmp_path.glob('hotdog.part/hotdog/*'))) == 30
    assert not (tmp_path / 'hotdog').exists()
    monkeypatch.undo()
    assert len(list(datasets._unpack(tmp_path / 'hotdog.zip').glob('hotdog/*'))) == 50
    assert not (tmp_path / 'hotdog.part').exists()


def test_mirrors_come_first_in_their_order(server, tmp_path, monkeypatch):
    (tmp_path / 'mirror 镜像').mkdir()
    monkeypatch.setattr(fetch, 'MIRRORS', [f'{server.address}/first/', (tmp_path / 'mirror 镜像').as_uri()])
    server.answers = [(404, b'', 0), (200, CONTENT, len(CONTENT))]
    assert get(server, tmp_path).read_bytes() == CONTENT and server.asked == ['/first/data.rec', '/data.rec']
    (tmp_path / 'mirror 镜像' / 'data.rec').write_bytes(CONTENT)
    server.answers = [(404, b'', 0)]
    assert get(server, tmp_path / 'other').read_bytes() == CONTENT and server.asked[2:] == ['/first/data.rec']
    (tmp_path / 'mirror 镜像' / 'data.rec').write_bytes(LOGIN)
    assert 'mirror%20%E9%95%9C%E5%83%8F/data.rec (49 bytes' in refusal(server, tmp_path / 'third')


def test_progress_shows_size_rate_and_time(server, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(fetch, 'QUIET', False)
    get(server, tmp_path)
    last = capfd.readouterr().err.split('\r')[-1]
    assert 'data.rec: 100%' in last and '200k/200k' in last and 'B/s' in last


@pytest.mark.parametrize('content, works', [
    (archive({'net-12345678.params': CONTENT}), True), (archive({'net-12345678.params': LOGIN}), False),
    (archive({'../net-12345678.params': CONTENT}), False), (b'PK no archive', False)])
def test_an_archive_gives_the_one_file_whose_hash_is_right(server, tmp_path, content, works):
    server.answers = [(200, content, len(content))]
    arguments = 'net-12345678.params', SHA1, [f'{server.address}/net-12345678.zip'], tmp_path
    if works:
        assert downloads.fetch(*arguments).read_bytes() == CONTENT
    else:
        with pytest.raises(ConnectionError):
            downloads.fetch(*arguments)
        assert os.listdir(tmp_path) == ['.net-12345678.params.lock']


def test_the_model_zoo_is_loaded_from_a_mirror(server, tmp_path, monkeypatch):
    """An archive like the zoo's own, with a small network's parameters, goes the whole way to a network."""
    net = imagenet.vision.squeezenet1_0()
    net.initialize()
    net(imagenet.nd.zeros((1, 3, 224, 224)))
    net.save_parameters(str(tmp_path / 'saved'))
    content = (tmp_path / 'saved').read_bytes()
    sha1 = hashlib.sha1(content).hexdigest()
    monkeypatch.setitem(imagenet.model_store._model_sha1, 'squeezenet1_0', sha1)
    zipped = archive({f'squeezenet1_0-{sha1[:8]}.params': content})
    server.answers = [(404, b'', 0), (200, zipped, len(zipped))]
    monkeypatch.setattr(fetch, 'MIRRORS', [server.address])
    monkeypatch.setattr(imagenet, 'MODEL_ZOO', f'{server.address}/')
    loaded = imagenet.pretrained('squeezenet1_0', mx.cpu(), tmp_path)
    for one, other in zip(net.collect_params().values(), loaded.collect_params().values()):
        assert (one.data() == other.data()).asnumpy().all()
    assert server.asked == [f'/squeezenet1_0-{sha1[:8]}.params', f'/squeezenet1_0-{sha1[:8]}.zip']

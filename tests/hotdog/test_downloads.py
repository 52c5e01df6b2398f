"""Downloads against a server on this machine that fails in the ways of real ones; nothing else is asked."""
import hashlib
import http.server
import io
import os
import socket
import threading
import time
import zipfile

import mxnet as mx
import pooch
import pytest
import requests

from hotdog import datasets, downloads, imagenet, records

CONTENT = os.urandom(200_000)
GOOD = (200, CONTENT, len(CONTENT))
LOGIN = b'<html>Welcome to the hotel. Please log in.</html>'


@pytest.fixture
def server():
    """A server whose `answers` are (status, body, length that it claims or None) in turn, the last one for good."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            server.asked.append(self.path)
            status, body, length = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            self.send_response(status)
            if length is not None:
                self.send_header('Content-Length', str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.answers, server.asked = [GOOD], []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def registry(server, tmp_path, monkeypatch):
    """A registry of the server's file `data.rec`, whose cache is empty; no time is spent waiting."""
    registry = pooch.create(tmp_path / 'cache', f'http://127.0.0.1:{server.server_port}/', retry_if_failed=2,
                            registry={'data.rec': f'sha1:{hashlib.sha1(CONTENT).hexdigest()}'})
    monkeypatch.setattr(downloads, 'REGISTRY', registry)
    monkeypatch.setattr(downloads, 'FOLDER', registry.path)
    monkeypatch.setattr(time, 'sleep', lambda seconds: None)
    return registry


def archive(members):
    with zipfile.ZipFile(file := io.BytesIO(), 'w') as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return file.getvalue()


def test_every_entry_of_the_registry_has_a_hash_and_an_address():
    shipped = pooch.create(path='', base_url='')
    shipped.load_registry(downloads.DATA / 'registry.txt')
    assert {*datasets.PUBLISHED.values(), *imagenet.DOWNLOADED.values(), 'hotdog.zip'} == set(shipped.registry)
    for name, checksum in shipped.registry.items():
        assert len(checksum.removeprefix('sha1:')) == 40 and shipped.get_url(name).startswith('http')


@pytest.mark.parametrize('answer, reason', [((404, b'gone', 4), '404'), ((200, LOGIN, len(LOGIN)), 'hash'),
                                            ((200, CONTENT[:50_000], len(CONTENT)), 'Incomplete')])
def test_a_failed_download_is_tried_three_times_and_leaves_nothing(server, registry, answer, reason):
    server.answers = [answer]
    with pytest.raises(ConnectionError) as caught:
        downloads.fetch('data.rec')
    sentence = str(caught.value)
    assert '\n' not in sentence and reason in sentence and f'put it into {registry.path} by hand' in sentence
    assert f'data.rec cannot be downloaded from {registry.base_url}data.rec' in sentence
    assert len(server.asked) == 3 and list(registry.path.iterdir()) == []
    server.answers = [answer, GOOD]
    assert downloads.fetch('data.rec').read_bytes() == CONTENT


def test_a_file_that_is_there_needs_no_network_and_a_damaged_one_is_fetched_again(server, registry, monkeypatch):
    registry.path.mkdir()
    (registry.path / 'data.rec').write_bytes(CONTENT)  # put there by hand
    assert downloads.fetch('data.rec').read_bytes() == CONTENT and server.asked == []
    (registry.path / 'data.rec').write_bytes(CONTENT[:-1] + b'x')
    assert downloads.fetch('data.rec').read_bytes() == CONTENT and server.asked == ['/data.rec']


def test_the_model_zoo_packs_its_networks(server, registry, monkeypatch):
    """An archive like the zoo's own, with a random network's parameters, goes the whole way to a network."""
    net = imagenet.vision.resnet18_v2()
    net.initialize()
    net(mx.nd.zeros((1, 3, 224, 224)))
    path = registry.path.parent / 'saved'
    net.save_parameters(str(path))
    name = imagenet.DOWNLOADED['resnet18_v2']
    registry.registry[name] = pooch.file_hash(str(path))
    registry.urls[name] = f'{registry.base_url}resnet18_v2.zip'
    zipped, other = archive({name: path.read_bytes()}), archive({'README': b''})
    server.answers = [(200, other, len(other))]
    with pytest.raises(ConnectionError, match=name):
        imagenet.pretrained('resnet18_v2', mx.cpu())
    server.answers = [(200, zipped, len(zipped))]
    loaded = imagenet.pretrained('resnet18_v2', mx.cpu())
    for one, two in zip(net.collect_params().values(), loaded.collect_params().values(), strict=True):
        assert (one.data() == two.data()).asnumpy().all()


def test_the_published_set_is_split_by_a_fixed_seed(registry, monkeypatch):
    registry.path.mkdir()
    monkeypatch.setattr(datasets, 'PUBLISHED', {'train': 'train.rec', 'test': 'test.rec'})
    for name, count in (('train.rec', 40), ('test.rec', 5)):
        records.write(registry.path / name, [(i % 2, bytes([i])) for i in range(count)])
        registry.registry[name] = pooch.file_hash(str(registry.path / name))
    data = datasets.published_set()
    parts = [set(records.samples(file)) for file in (data.train, data.validation)]
    assert parts[0] | parts[1] == {(i % 2, bytes([i])) for i in range(40)} and not parts[0] & parts[1]
    assert 1 <= len(parts[1]) <= 12 and len(records.labels(data.test)) == 5
    times = data.train.stat().st_mtime_ns
    assert datasets.published_set() == data and data.train.stat().st_mtime_ns == times


def test_without_the_published_files_the_smaller_collection_serves(server, registry, folder):
    """Its host gone, d2l.ai's archive is unpacked and packed, but for the pictures that are bad."""
    (folder / 'train' / 'cat' / 'bad.jpg').write_bytes(b'')
    zipped = archive({f'hotdog/{path.relative_to(folder)}': path.read_bytes()
                      for path in folder.rglob('*') if path.is_file()})
    for name, body in zip((*datasets.PUBLISHED.values(), 'hotdog.zip'), (b'', b'', zipped)):
        registry.registry[name] = f'sha1:{hashlib.sha1(body or b"x").hexdigest()}'
    server.answers = [(404, b'', 0)]
    with pytest.raises(ConnectionError, match='not_hotdog_train.*; or, instead of it, hotdog.zip .* set demo = True'):
        datasets.published_set()
    (registry.path / 'hotdog.zip').write_bytes(zipped)
    data = datasets.published_set()
    assert data.classes == ['not_cat', 'cat'] and data.train.is_relative_to(registry.path)
    assert sum(len(records.labels(file)) for file in (data.train, data.validation)) == 20


def test_no_test_reaches_another_machine():
    """Which of the two guards speaks depends on the process: pytest-socket, or sitecustomize in xdist's workers."""
    for ask in (lambda: socket.create_connection(('192.0.2.1', 80), 1), lambda: requests.get('http://192.0.2.1/')):
        with pytest.raises(Exception, match='tried to use socket.socket.connect|not allowed|wants to reach'):
            ask()

"""Feed damaged files to whatever reads files from outside: python tests/fuzz.py FOLDER FIRST COUNT KIND...

Each case must end in a ValueError of one line or in the right result: what MXNet makes of the same bytes, or what was
written. The case at work is in FOLDER/case, for the parent process to name when this one crashes or hangs.
"""
import csv
import hashlib
import io
import pickle
import random
import resource
import signal
import sys
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

import numpy as np  # noqa: E402
from mxnet import gluon, init, nd  # noqa: E402
from PIL import Image  # noqa: E402

import check_data  # noqa: E402
import utils  # noqa: E402
from hotdog import imagenet, parameters, photographs, records, datasets  # noqa: E402

SECONDS = 20  # that a case may take
MEMORY = 12 * 2 ** 30  # bytes of addresses; most are MXNet's


def mutate(content, draw):
    """Damage bytes in one of the ways that disks, networks and people do, or draw them at random."""
    content = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        at, length = draw.randrange(len(content) + 1), draw.choice((1, 2, 4, 8, 100, 1000))
        way = draw.randrange(8)
        if way == 0:
            del content[at:]
        elif way in (1, 2) and at < len(content):
            content[at] ^= 1 << draw.randrange(8)
        elif way == 3:
            content[at:at + length] = draw.randbytes(length)
        elif way == 4:
            del content[at:at + length]
        elif way == 5:
            content[at:at] = content[at // 2:at // 2 + length]
        elif way == 6:
            at = 4 * draw.randrange(min(len(content), 400) // 4 + 1)  # a length or count in a header
            content[at:at + 4] = draw.choice((bytes(4), b'\xff' * 4, b'\xff\xff\xff\x7f', draw.randbytes(4)))
        elif draw.random() < 0.1:
            content = bytearray(draw.randbytes(draw.randrange(3000)))
    return bytes(content)


def middle(pixels):
    top, left = ((side - 224) // 2 for side in pixels.shape[:2])
    return pixels[top:top + 224, left:left + 224]


class Records:
    """Record files without checksums, with and without index: MXNet must make of them what Pillow makes."""

    def __init__(self, folder, part):
        self.file, self.part = folder / 'fuzz.rec', part
        with closing(records.Writer(self.file)) as writer:
            for _, sample in zip(range(3), records.samples(datasets.HERE / 'demo_train.rec')):
                writer.add(*sample)
        self.seed = {suffix: self.file.with_suffix(suffix).read_bytes() for suffix in ('.rec', '.idx')}

    def run(self, draw):
        for suffix, content in self.seed.items():
            self.file.with_suffix(suffix).write_bytes(mutate(content, draw) if suffix == self.part else content)
        if self.part == '.rec':
            self.file.with_suffix('.idx').unlink()
        shown = records.pictures(self.file)
        (data, labels), = utils.RecordIter(self.file, 64)
        assert [label for _, label in shown] == labels.asnumpy().astype(int).tolist()
        for x, (pixels, _) in zip(data, shown):
            if min(pixels.shape[:2]) == 256:  # else MXNet resizes it
                assert np.array_equal(utils.denormalise(x), middle(pixels)), 'MXNet sees other pixels than Pillow'
        if self.part == '.idx':
            assert sum(len(y) for _, y in utils.RecordIter(self.file, 2, augment=True)) == len(shown)


class Packed:
    """A packed set with its checksums: every change is noticed."""

    def __init__(self, folder):
        self.folder = folder / 'packed'
        self.folder.mkdir()
        with closing(records.Writer(self.folder / 'train.rec')) as writer:
            for _, sample in zip(range(3), records.samples(datasets.HERE / 'demo_train.rec')):
                writer.add(*sample)
        records.write_checksums(self.folder)
        self.seed = {path: path.read_bytes() for path in sorted(self.folder.iterdir())}

    def run(self, draw):
        chosen = draw.choice(list(self.seed))
        for path, content in self.seed.items():
            path.write_bytes(mutate(content, draw) if path == chosen else content)
        damaged = records.first_damaged(self.folder)
        if {path: path.read_bytes() for path in self.seed} == self.seed:
            assert damaged is None
        elif chosen.name != 'checksums.txt':
            assert damaged == chosen
        elif damaged is None:  # the listing lost whole lines, or has another line break: what it lists is right
            assert set(chosen.read_text().splitlines()) <= set(self.seed[chosen].decode().splitlines())
        if damaged:
            raise ValueError(f'{damaged} is damaged')


class Parameters:
    """Parameter files: what we read is what MXNet loads."""

    def __init__(self, folder):
        self.file = folder / 'fuzz.params'
        net = gluon.nn.HybridSequential()
        net.add(gluon.nn.Conv2D(4, 3, in_channels=3), gluon.nn.Dense(2, in_units=4))
        net.initialize(init.Xavier())
        net.save_parameters(str(self.file))
        self.seed = self.file.read_bytes()

    def run(self, draw):
        self.file.write_bytes(mutate(self.seed, draw))
        arrays = parameters.read(self.file)
        loaded = nd.load(str(self.file))
        assert list(arrays) == list(loaded)
        for name, array in arrays.items():
            assert np.array_equal(array, loaded[name].asnumpy())


class Weights:
    """Pickles of arrays, whose hash is taken for the right one."""

    def __init__(self, folder):
        self.file = folder / 'fuzz.pkl'
        layers = {'conv1': [np.ones((3, 3, 3, 4), 'float32'), np.ones(4, 'float32')],
                  'conv10': [np.ones((1, 1, 4, 5), 'float32'), np.ones(5, 'float32')]}
        self.seeds = [pickle.dumps(layers, protocol) for protocol in range(5)]

    def run(self, draw):
        content = mutate(draw.choice(self.seeds), draw)
        self.file.write_bytes(content)
        weights = imagenet.read_weights(self.file, hashlib.sha256(content).hexdigest())
        assert all(isinstance(array, np.ndarray) and array.sum() is not None
                   for arrays in weights.values() for array in arrays)


class Photographs:
    """Photographs: what is accepted, MXNet sees as Pillow does."""

    def __init__(self, folder):
        self.file = folder / 'fuzz.jpg'
        picture = Image.open(ROOT / 'img' / 'real_hotdog.jpg').convert('RGB').resize((200, 150))
        self.seeds = []
        for form, options in (('JPEG', {}), ('JPEG', {'progressive': True}), ('JPEG', {'quality': 95}), ('PNG', {}),
                              ('GIF', {}), ('WEBP', {}), ('TIFF', {'compression': 'tiff_lzw'}), ('BMP', {})):
            picture.save(content := io.BytesIO(), form, **options)
            self.seeds += [content.getvalue()] * (4 if form == 'JPEG' else 1)

    def run(self, draw):
        self.file.write_bytes(mutate(draw.choice(self.seeds), draw))
        jpeg, fault = photographs._encoded(self.file)
        if fault:
            raise ValueError(fault)
        with closing(records.Writer(self.file.with_suffix('.rec'))) as writer:
            writer.add(1, jpeg)
        (pixels, label), = records.pictures(self.file.with_suffix('.rec'))
        assert label == 1 and min(pixels.shape[:2]) == 256
        if draw.random() < 0.2:
            (data, _), = utils.RecordIter(self.file.with_suffix('.rec'), 1)
            assert np.array_equal(utils.denormalise(data[0]), middle(pixels))


class Manifest:
    """The manifest: what is accepted has one whole row for each picture."""

    def __init__(self, folder):
        self.file = folder / 'manifest.csv'
        self.seed = b''.join((datasets.HERE / 'manifest.csv').read_bytes().splitlines(True)[:40])

    def run(self, draw):
        self.file.write_bytes(mutate(self.seed, draw))
        found = check_data.read_manifest(self.file)
        with open(self.file, newline='', encoding='utf-8') as file:
            rows = list(csv.DictReader(file))
        assert found == {row['sha256']: (row['split'], int(row['label'])) for row in rows}
        assert {split for split, _ in found.values()} <= set(datasets.SPLITS)


KINDS = {'rec': lambda folder: Records(folder, '.rec'), 'idx': lambda folder: Records(folder, '.idx'),
         'packed': Packed, 'params': Parameters, 'pickle': Weights, 'picture': Photographs, 'manifest': Manifest}


def main(folder, first, count, *kinds):
    """Run the cases and print how many were refused and how many gave a result."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for kind in kinds:
        subject, refused = KINDS[kind](Path(folder)), 0
        for number in range(int(first), int(first) + int(count)):
            Path(folder, 'case').write_text(f'{kind} {number}')
            signal.alarm(SECONDS)  # a hang ends the process
            try:
                subject.run(random.Random(f'{kind} {number}'))
            except ValueError as error:
                assert len(str(error).splitlines()) == 1, error
                refused += 1
            signal.alarm(0)
        print(kind, refused, int(count) - refused, flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])

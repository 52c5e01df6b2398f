"""Folders of photographs: what is accepted, what is refused, and that MXNet sees what Pillow sees."""
import hashlib
import io
import os
import subprocess
import sys
from contextlib import closing

import mxnet as mx
import numpy as np
import pytest
from PIL import Image

from hotdog import check as check_data
from book import notebooks
import utils
from hotdog import photographs, records, datasets

CHECK = [sys.executable, str(notebooks.ROOT / 'tools' / 'check_data.py')]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make a folder of photographs, two classes in two splits, and keep what is packed beside it."""
    monkeypatch.setattr(sources, 'DOWNLOADS', tmp_path / 'cache')
    draw = np.random.default_rng(0)
    for split, count in (('train', 10), ('test', 3)):
        for name in ('cat', 'not_cat'):
            (tmp_path / 'photos' / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 255, (30, 40, 3)).astype('uint8')
                Image.fromarray(pixels).resize((160, 120)).save(tmp_path / 'photos' / split / name / f'{i}.png')
    return tmp_path / 'photos'


def test_a_folder_is_packed(folder):
    packed = datasets.folder_set(folder)
    assert packed.classes == ['not_cat', 'cat']
    counts = {split: np.bincount(datasets.labels(getattr(packed, split))).tolist() for split in datasets.SPLITS}
    assert counts == {'train': [8, 8], 'validation': [2, 2], 'test': [3, 3]}
    assert datasets.folder_set(folder) == packed
    pixels, label = datasets.pictures(packed.test, 1)[0]
    assert min(pixels.shape[:2]) == 256
    likely = sorted((folder / 'test' / packed.classes[label]).iterdir())
    distances = [np.abs(np.asarray(datasets.read_picture(path), int) - pixels).mean() for path in likely]
    assert min(distances) < 8  # what JPEG loses; another picture is far off
    assert sorted(distances)[1] > 30


def test_more_than_two_classes(folder):
    for split in ('train', 'test'):
        (folder / split / 'dog').mkdir()
        for i in range(3):
            Image.new('L', (50, 60), 40 * i + 20 * (split == 'test')).save(folder / split / 'dog' / f'{i}.jpg')
    packed = datasets.folder_set(folder)
    assert packed.classes == ['not_cat', 'cat', 'dog']
    assert set(datasets.labels(packed.train)) == {0, 1, 2}


def test_a_folder_without_a_split_is_refused(folder):
    (folder / 'test').rename(folder / 'tset')
    with pytest.raises(FileNotFoundError, match='has no folder test'):
        datasets.folder_set(folder)


def test_an_empty_class_is_refused(folder):
    for path in (folder / 'train' / 'cat').iterdir():
        path.unlink()
    with pytest.raises(ValueError, match='train/cat holds no pictures'):
        datasets.folder_set(folder)


def test_every_unreadable_picture_is_named_and_nothing_is_written(folder):
    (folder / 'train' / 'cat' / 'text.jpg').write_text('this is no picture')
    (folder / 'test' / 'not_cat' / 'empty.jpg').write_bytes(b'')
    whole = io.BytesIO()
    Image.new('RGB', (300, 300)).save(whole, 'JPEG')
    (folder / 'test' / 'cat' / 'half.jpg').write_bytes(whole.getvalue()[:len(whole.getvalue()) // 2])
    with pytest.raises(ValueError, match='3 faults in .*make check-data PHOTOS=FOLDER lists all') as error:
        datasets.folder_set(folder)
    assert all(name in str(error.value) for name in ('cat/text.jpg', 'not_cat/empty.jpg', 'cat/half.jpg'))
    assert not list(datasets.DOWNLOADS.glob('[!.]*'))


def scene(size=(400, 300)):
    """A picture with red growing to the right, green downwards, and a bright corner, all smooth enough for JPEG."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    return Image.fromarray(np.stack([255 * x, 255 * y, 200 * (1 - x) * (1 - y)], 2).astype('uint8'))


def saved(picture, form, **options):
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def turned(picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: to be shown turned to the right
    return saved(picture.transpose(Image.Transpose.ROTATE_90), 'JPEG', exif=exif, quality=95)


def see_through(picture):
    picture = picture.convert('RGBA')
    picture.paste((0, 0, 0, 0), (0, 0, 400, 150))
    return picture


def sixteen_bits(picture):
    return Image.fromarray(np.asarray(picture.convert('L')).astype('uint16') * 257)


SCENE, OTHER = scene(), Image.new('RGB', (400, 300), 'blue')
GREY = SCENE.convert('L').convert('RGB')
WHITE_TOP = Image.fromarray(np.concatenate([np.full((150, 400, 3), 255, 'uint8'), np.asarray(SCENE)[150:]]))
KINDS = {  # file name: content, and the picture that it must become
    'colour.jpg': (saved(SCENE, 'JPEG', quality=95), SCENE), 'UPPER.JPEG': (saved(SCENE, 'JPEG', quality=90), SCENE),
    'progressive.jpg': (saved(SCENE, 'JPEG', quality=95, progressive=True, subsampling=0), SCENE),
    'grey.jpg': (saved(SCENE.convert('L'), 'JPEG', quality=95), GREY),
    'cmyk.jpg': (saved(SCENE.convert('CMYK'), 'JPEG', quality=95), SCENE), 'turned.jpg': (turned(SCENE), SCENE),
    'two in one.jpg': (saved(SCENE, 'MPO', quality=95, save_all=True, append_images=[OTHER]), SCENE),
    'see-through.png': (saved(see_through(SCENE), 'PNG'), WHITE_TOP),
    'see-through.webp': (saved(see_through(SCENE), 'WEBP', lossless=True), WHITE_TOP),
    'palette.png': (saved(SCENE.quantize(256), 'PNG'), SCENE),
    'sixteen bits.png': (saved(sixteen_bits(SCENE), 'PNG'), GREY),
    'sixteen bits.tif': (saved(sixteen_bits(SCENE), 'TIFF'), GREY),
    'moving.gif': (saved(SCENE, 'GIF', save_all=True, append_images=[OTHER, OTHER]), SCENE),
    'moving.png': (saved(SCENE, 'PNG', save_all=True, append_images=[OTHER, OTHER]), SCENE),
    'bitmap.bmp': (saved(SCENE, 'BMP'), SCENE), '热狗 一.webp': (saved(SCENE, 'WEBP', quality=95), SCENE),
    'two\nlines.jpg': (saved(SCENE, 'JPEG', quality=93), SCENE),
    'wrong suffix.txt': (saved(SCENE, 'PNG', compress_level=1), SCENE),
    os.fsdecode(b'not \xff text.jpg'): (saved(SCENE, 'JPEG', quality=92), SCENE)}
BOMB = saved(Image.new('1', (16_000, 10_000)), 'PNG')
REFUSED = {  # file name: content, and why it is not used
    'half.jpg': (KINDS['colour.jpg'][0][:3000], 'not processed)): copy it anew or remove it'),
    'half.png': (KINDS['see-through.png'][0][:3000], 'damaged'), 'text.jpg': (b'this is text', 'it is no picture'),
    'page.jpg': (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'it is no picture'),
    'empty.jpg': (b'', 'it is empty: copy it anew or remove it'),
    'photo.heic': (b'\0\0\0\x24ftypheic' + bytes(500), 'it is HEIC, AVIF or a video: save it as JPEG'),
    'photo.avif': (saved(SCENE, 'AVIF'), 'it is HEIC, AVIF or a video: save it as JPEG'),
    'drawing.eps': (saved(SCENE, 'EPS'), 'it is no picture that can be read'),
    'dot.png': (saved(Image.new('RGB', (1, 1)), 'PNG'), '1 x 1 pixels are too small or too slender: remove it'),
    'strip.png': (saved(Image.new('RGB', (2000, 40)), 'PNG'), 'too small or too slender'),
    'float.tif': (saved(Image.new('F', (60, 60)), 'TIFF'), '32 bits'), 'bomb.png': (BOMB, '160 million pixels are too'),
    'larger bomb.png': (saved(Image.new('1', (20_000, 10_000)), 'PNG'), 'too many pixels')}


@pytest.mark.parametrize('file', KINDS, ids=ascii)
def test_15_an_accepted_kind_becomes_the_picture_that_one_sees(tmp_path, file):
    content, expected = KINDS[file]
    (tmp_path / file).write_bytes(content)
    found = photographs.read_picture(tmp_path / file, short_side=300)
    assert (found.mode, found.size) == ('RGB', (400, 300))
    assert np.abs(np.asarray(found, int) - np.asarray(expected, int)).mean() < 4


@pytest.mark.parametrize('file', REFUSED)
def test_15_a_refused_kind_says_why(tmp_path, file):
    content, reason = REFUSED[file]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError) as caught:
        photographs.read_picture(tmp_path / file)
    assert reason in str(caught.value) and '\n' not in str(caught.value)


def test_15_a_photograph_of_108_megapixels_is_accepted(tmp_path):
    Image.new('L', (12_000, 9_000), 70).save(tmp_path / 'large.jpg')
    picture = photographs.read_picture(tmp_path / 'large.jpg')
    assert picture.size == (341, 256) and np.ptp(np.asarray(picture)) == 0


def test_15_mxnet_sees_every_accepted_kind_as_pillow_does(folder):
    for file, (content, _) in KINDS.items():
        (folder / 'test' / 'cat' / file).write_bytes(content)
    *_, faults = photographs.check(folder)
    same = [fault for fault in faults if 'is the same picture as' in fault]
    assert faults == same and all(fault.isprintable() for fault in faults)
    assert len(faults) == 6  # kinds without loss give the very same picture, which is found, too
    for fault in faults:
        os.unlink(fault.partition(' is the same picture as ')[0])
    packed = datasets.folder_set(folder)
    data, label = next(iter(utils.RecordIter(packed.test, batch_size=64)))
    shown = records.pictures(packed.test)
    assert len(shown) == len(data) == 6 + len(KINDS) - len(faults)
    for x, y, (pixels, expected) in zip(data, label, shown):
        top, left = ((side - 224) // 2 for side in pixels.shape[:2])
        assert np.array_equal(utils.denormalise(x.as_in_context(mx.cpu())), pixels[top:top + 224, left:left + 224])
        assert y.asscalar() == expected


@pytest.mark.parametrize('orientation', range(1, 9))
def test_mxnet_turns_a_record_as_we_do(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    with closing(records.Writer(tmp_path / 'turned.rec')) as writer:
        writer.add(1, saved(scene((260, 256)), 'JPEG', exif=exif))
    data, _ = next(iter(utils.RecordIter(tmp_path / 'turned.rec', 1)))
    pixels, = (pixels for pixels, _ in records.pictures(tmp_path / 'turned.rec'))
    top, left = ((side - 224) // 2 for side in pixels.shape[:2])
    assert np.array_equal(utils.denormalise(data[0]), pixels[top:top + 224, left:left + 224])


def checked(folder):
    return subprocess.run([*CHECK, str(folder)], text=True, capture_output=True)


def test_14_check_data_lists_all_that_is_bad(folder):
    result = checked(folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ['train      not_cat 8, cat 8', 'validation not_cat 2, cat 2',
                                          'test       not_cat 3, cat 3',
                                          '(validation is drawn from the folder train: 15% of each class)',
                                          'every picture can be used']
    for number, (file, (content, _)) in enumerate(REFUSED.items()):
        (folder / ('train', 'test')[number % 2] / ('cat', 'not_cat')[number // 2 % 2] / file).write_bytes(content)
    (folder / 'test' / 'cat' / 'copy of a picture.png').write_bytes((folder / 'train' / 'cat' / '3.png').read_bytes())
    Image.open(folder / 'test' / 'cat' / '1.png').save(folder / 'test' / 'not_cat' / 'in two classes.bmp')
    result = checked(folder)
    said = [line for line in result.stdout.splitlines() if line.startswith(str(folder))]
    assert result.returncode == 1 and said == sorted(said)
    assert result.stderr.strip() == (f'{len(REFUSED) + 2} faults, listed above: training will not start before that '
                                     'is mended')
    for number, (file, (_, reason)) in enumerate(REFUSED.items()):
        place = f'{folder}/{("train", "test")[number % 2]}/{("cat", "not_cat")[number // 2 % 2]}/{file}: '
        line, = (line for line in result.stdout.splitlines() if line.startswith(place))
        assert reason in line
    assert f'{folder}/test/cat/copy of a picture.png is the same picture as {folder}/train/cat/3.png' in result.stdout
    assert 'in two classes.bmp' in result.stdout
    with pytest.raises(ValueError, match=f'{len(REFUSED) + 2} faults .* and {len(REFUSED) + 2 - 10} more'):
        datasets.folder_set(folder)
    assert not list(datasets.DOWNLOADS.glob('[!.]*'))


def test_16_what_systems_leave_in_folders_is_no_class_and_no_picture(folder):
    before = photographs.check(folder)
    for path in ('__MACOSX/train/cat/._1.png', 'train/__MACOSX/._1.png', 'train/.ipynb_checkpoints/1.png',
                 'test/cat/.DS_Store', 'test/cat/._1.png', 'train/cat/Thumbs.db', 'train/@eaDir/1.png', '.git/x',
                 'test/cat/desktop.ini', 'train/.hidden/1.png', 'notes.txt'):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b'x')
    assert photographs.check(folder) == before and before[2] == []


@pytest.mark.parametrize('change, sentence', [
    (lambda f: f.rename(f.with_name('elsewhere')), 'photos is not a folder: name one that holds train and test'),
    (lambda f: (f / 'test').rename(f / 'tset'), 'has no folder test: make test/CLASS/'),
    (lambda f: (f / 'test' / 'cat').rename(f / 'test' / 'Cat'), 'has the class Cat, which train lacks'),
    (lambda f: (f / 'train' / 'dog').mkdir(), 'train/dog holds no pictures'),
    (lambda f: (f / 'test').rename(f / 'val') and (f / 'train').rename(f / 'test'), 'has no folder train'),
    (lambda f: (f / 'val').mkdir(), 'val is not looked at: rename it to validation'),
    (lambda f: (f / 'train' / 'cat').rename(f / 'cat'), 'needs a folder for each of two or more classes, it has 1')])
def test_16_classes_must_be_the_same_everywhere(folder, change, sentence):
    change(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        datasets.folder_set(folder)
    result = checked(folder)
    assert result.returncode == 1 and sentence in result.stderr and len(result.stderr.splitlines()) == 1


def test_links_pipes_and_lost_files_are_refused(folder, tmp_path):
    (tmp_path / 'outside.png').write_bytes(saved(SCENE, 'PNG'))
    cat = folder / 'train' / 'cat'
    for name, target in (('out.png', '../../../outside.png'), ('circle.png', 'circle.png'), ('lost.png', 'gone.png')):
        (cat / name).symlink_to(target)
    os.mkfifo(cat / 'pipe.png')
    (cat / 'more').mkdir()
    (folder / 'train' / 'stray.png').write_bytes(saved(SCENE, 'PNG'))
    *_, faults = photographs.check(folder)
    assert sorted(fault.removeprefix(f'{folder}/train/') for fault in faults) == [
        'cat/circle.png is no file: remove it', 'cat/lost.png is no file: remove it',
        'cat/more is a folder in a class: move its pictures up',
        'cat/out.png is a link that leads out of the folder: copy the picture', 'cat/pipe.png is no file: remove it',
        'stray.png lies in no class: move it']
    for path in (*(cat / name for name in ('out.png', 'circle.png', 'lost.png', 'pipe.png')),
                 folder / 'train' / 'stray.png'):
        path.unlink()
    (cat / 'more').rmdir()
    (folder.parent / 'link to all').symlink_to(folder)  # the folder itself may be reached by a link
    (cat / 'within.png').symlink_to('../../train/cat/0.png')
    assert photographs.check(folder.parent / 'link to all')[2] == [
        f'{cat}/within.png is the same picture as {cat}/0.png: keep one of them']


def test_a_packed_set_that_was_damaged_is_packed_again(folder):
    packed = datasets.folder_set(folder)
    before = {path.name: path.read_bytes() for path in packed.train.parent.iterdir()}
    for damage in (lambda p: p.train.unlink(), lambda p: p.test.write_bytes(before['test.rec'][:-1] + b'x'),
                   lambda p: p.train.with_suffix('.idx').write_text('0\t0\n'),
                   lambda p: (p.train.parent / 'checksums.txt').write_text('')):
        damage(packed)
        assert datasets.folder_set(folder) == packed
        assert {path.name: path.read_bytes() for path in packed.train.parent.iterdir()} == before
    (folder / 'train' / 'cat' / '0.png').write_bytes(saved(SCENE, 'PNG'))
    assert datasets.folder_set(folder).train != packed.train


def test_the_demo_data_is_checked_against_the_manifest(tmp_path, monkeypatch):
    result = subprocess.run(CHECK, text=True, capture_output=True)
    assert result.returncode == 0 and 'test       not_hotdog 180, hotdog 60' in result.stdout, result.stderr
    for name in ('checksums.txt', 'manifest.csv', *(f'demo_{s}.{x}' for s in datasets.SPLITS for x in ('rec', 'idx'))):
        (tmp_path / name).write_bytes((datasets.HERE / name).read_bytes())
    monkeypatch.setattr(sources, 'HERE', tmp_path)
    text = (tmp_path / 'manifest.csv').read_text()
    first, second = text.splitlines()[1:3]
    (tmp_path / 'manifest.csv').write_text(text.replace(first, first.replace('test,0,', 'train,0,')))
    sums = (tmp_path / 'checksums.txt').read_text()
    digest = hashlib.sha256((tmp_path / 'manifest.csv').read_bytes()).hexdigest()
    (tmp_path / 'checksums.txt').write_text(sums.replace(hashlib.sha256(text.encode()).hexdigest(), digest))
    *_, faults = check_data.check_demo()
    assert len(faults) == 1 and 'demo_test.rec: picture' in faults[0]

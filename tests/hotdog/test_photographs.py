"""Folders of photographs: what is accepted, what is refused, and that MXNet sees what Pillow sees."""
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import utils
from hotdog import check, datasets, downloads, photographs, records


def test_a_folder_is_packed(folder):
    packed = datasets.folder_set(folder)
    assert packed.classes == ['not_cat', 'cat']
    counts = {split: np.bincount(utils.labels(getattr(packed, split))).tolist() for split in datasets.SPLITS}
    assert counts == {'train': [8, 8], 'validation': [2, 2], 'test': [3, 3]}
    pixels, label = utils.pictures(packed.test, 1)[0]
    assert min(pixels.shape[:2]) == 256
    distances = sorted(np.abs(np.asarray(photographs.read_picture(path), int) - pixels).mean()
                       for path in (folder / 'test' / packed.classes[label]).iterdir())
    assert distances[0] < 8 and distances[1] > 30  # what JPEG loses; another picture is far off


def test_more_than_two_classes(folder):
    for split in ('train', 'test'):
        (folder / split / 'dog').mkdir()
        for i in range(3):
            Image.new('L', (50, 60), 40 * i + 20 * (split == 'test')).save(folder / split / 'dog' / f'{i}.jpg')
    packed = datasets.folder_set(folder)
    assert packed.classes == ['not_cat', 'cat', 'dog'] and set(utils.labels(packed.train)) == {0, 1, 2}


def scene(size=(400, 300)):
    """A picture with red growing to the right, green downwards, and a bright corner, all smooth enough for JPEG."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    return Image.fromarray(np.stack([255 * x, 255 * y, 200 * (1 - x) * (1 - y)], 2).astype('uint8'))


def saved(picture, form, **options):
    picture.save(file := io.BytesIO(), form, **options)
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
REFUSED = {  # file name: content, and why it is not used
    'half.jpg': (KINDS['colour.jpg'][0][:3000], 'not processed)): copy it anew or remove it'),
    'text.jpg': (b'this is text', 'it is no picture'), 'empty.jpg': (b'', 'it is empty: copy it anew or remove it'),
    'photo.heic': (b'\0\0\0\x24ftypheic' + bytes(500), 'it is HEIC, AVIF or a video: save it as JPEG'),
    'drawing.eps': (saved(SCENE, 'EPS'), 'it is no picture that can be read'),
    'dot.png': (saved(Image.new('RGB', (1, 1)), 'PNG'), '1 x 1 pixels are too small or too slender: remove it'),
    'strip.png': (saved(Image.new('RGB', (2000, 40)), 'PNG'), 'too small or too slender'),
    'float.tif': (saved(Image.new('F', (60, 60)), 'TIFF'), '32 bits'),
    'bomb.png': (saved(Image.new('1', (20_000, 10_000)), 'PNG'), 'too many pixels: make it smaller')}


@pytest.mark.parametrize('file', KINDS, ids=ascii)
def test_an_accepted_kind_becomes_the_picture_that_one_sees(tmp_path, file):
    content, expected = KINDS[file]
    (tmp_path / file).write_bytes(content)
    picture = photographs.read_picture(tmp_path / file, short_side=300)
    assert (picture.mode, picture.size) == ('RGB', (400, 300))
    assert np.abs(np.asarray(picture, int) - np.asarray(expected, int)).mean() < 4


def test_mxnet_sees_every_accepted_kind_as_pillow_does(folder):
    for file, (content, _) in KINDS.items():
        (folder / 'test' / 'cat' / file).write_bytes(content)
    *_, faults = check.check_folder(folder)
    assert len(faults) == 6 and all(fault.isprintable() for fault in faults)
    for fault in faults:  # kinds without loss give the very same picture
        path, _, _ = fault.partition(' is the same picture as ')
        os.unlink(path)
    packed = datasets.folder_set(folder)
    data, label = next(iter(utils.RecordIter(packed.test, batch_size=64)))
    pictures = records.pictures(packed.test)
    assert len(pictures) == len(data) == 6 + len(KINDS) - len(faults)
    for x, y, (pixels, expected) in zip(data, label, pictures):
        top, left = ((side - 224) // 2 for side in pixels.shape[:2])
        assert np.array_equal(utils.denormalise(x), pixels[top:top + 224, left:left + 224])
        assert y.asscalar() == expected


def checked(folder):
    return subprocess.run([sys.executable, '-m', 'hotdog.check', str(folder)], text=True, capture_output=True)


def test_all_that_is_bad_is_listed_and_nothing_is_written(folder):
    result = checked(folder)
    assert (result.returncode, result.stdout.splitlines()) == (0, [
        'train      not_cat 8, cat 8', 'validation not_cat 2, cat 2', 'test       not_cat 3, cat 3',
        '(validation is drawn from the folder train: 15% of each class)', 'every picture can be used'])
    for number, (file, (content, _)) in enumerate(REFUSED.items()):
        (folder / ('train', 'test')[number % 2] / 'cat' / file).write_bytes(content)
    (folder / 'test' / 'cat' / 'copy.png').write_bytes((folder / 'train' / 'cat' / '3.png').read_bytes())
    result = checked(folder)
    count = len(REFUSED) + 1
    assert result.returncode == 1 and f'faults: {count}, listed above' in result.stderr.splitlines()[-1]
    for number, (file, (_, reason)) in enumerate(REFUSED.items()):
        place = f'{folder}/{("train", "test")[number % 2]}/cat/{file}: '
        assert any(line.startswith(place) and reason in line for line in result.stdout.splitlines())
    assert f'{folder}/test/cat/copy.png is the same picture as {folder}/train/cat/3.png' in result.stdout
    with pytest.raises(ValueError, match=rf'faults in .*photos \({count}\): .*{folder}.* lists all'):
        datasets.folder_set(folder)
    assert list(downloads.FOLDER.glob('[!.]*')) == []


def test_what_systems_leave_in_folders_is_no_class_and_no_picture(folder):
    before = check.check_folder(folder)
    for path in ('__MACOSX/train/cat/._1.png', 'train/.ipynb_checkpoints/1.png', 'test/cat/.DS_Store',
                 'train/cat/Thumbs.db', 'train/@eaDir/1.png', 'test/cat/desktop.ini', 'notes.txt'):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b'x')
    assert check.check_folder(folder) == before and before[2] == []


@pytest.mark.parametrize('change, sentence', [
    (lambda f: f.rename(f.with_name('elsewhere')), 'photos is not a folder: name one that holds train and test'),
    (lambda f: (f / 'test').rename(f / 'tset'), 'has no folder test: make test/CLASS/'),
    (lambda f: (f / 'test' / 'cat').rename(f / 'test' / 'Cat'), 'has the class Cat, which train lacks'),
    (lambda f: (f / 'train' / 'dog').mkdir(), 'train/dog holds no pictures'),
    (lambda f: (f / 'val').mkdir(), 'val is not looked at: rename it to validation'),
    (lambda f: (f / 'train' / 'cat').rename(f / 'cat'), 'needs a folder for each of two or more classes, it has 1')])
def test_classes_must_be_the_same_everywhere(folder, change, sentence):
    change(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        datasets.folder_set(folder)


def test_links_pipes_and_lost_files_are_refused(folder, tmp_path):
    (tmp_path / 'outside.png').write_bytes(saved(SCENE, 'PNG'))
    cat = folder / 'train' / 'cat'
    for name, target in (('out.png', '../../../outside.png'), ('lost.png', 'gone.png'), ('within.png', '0.png')):
        (cat / name).symlink_to(target)
    os.mkfifo(cat / 'pipe.png')
    (cat / 'more').mkdir()
    (folder / 'train' / 'stray.png').write_bytes(saved(SCENE, 'PNG'))
    faults = [fault.replace(f'{folder}/train/', '') for fault in check.check_folder(folder)[2]]
    assert faults[:-1] == [
        'cat/lost.png is no file: remove it', 'cat/more is a folder in a class: move its pictures up',
        'cat/out.png is a link that leads out of the folder: copy the picture', 'cat/pipe.png is no file: remove it',
        'cat/within.png is the same picture as cat/0.png: keep one of them']
    assert faults[-1] == 'stray.png lies in no class: move it'


def test_a_packed_set_is_used_again_until_it_or_a_photograph_changes(folder):
    packed = datasets.folder_set(folder)
    content, time = packed.test.read_bytes(), packed.test.stat().st_mtime_ns
    assert datasets.folder_set(folder) == packed and packed.test.stat().st_mtime_ns == time
    packed.test.write_bytes(content[:-1] + b'x')
    assert datasets.folder_set(folder) == packed and packed.test.read_bytes() == content
    (folder / 'train' / 'cat' / '0.png').write_bytes(saved(SCENE, 'PNG'))
    assert datasets.folder_set(folder).train != packed.train

"""Folders of photographs: what is read, what is left out and why, and that MXNet sees what Pillow sees."""
import io
import os
import shutil

import numpy as np
import pillow_heif
import pytest
from PIL import Image

import utils
from hotdog import datasets, downloads, photographs, records


def counts(data):
    """The pictures of each class in each split."""
    return {split: np.bincount(utils.labels(getattr(data, split))).tolist() for split in datasets.SPLITS}


def reasons(data):
    """Why files are left out: {file: (reason, other)}."""
    left_out = datasets.table(data).query("reason != ''")
    return {row.file: (row.reason, row.other) for row in left_out.itertuples()}


def test_a_folder_is_packed(folder):
    packed = datasets.folder_set(folder)
    assert packed.classes == ['not_cat', 'cat'] and reasons(packed) == {}
    assert counts(packed) == {'train': [8, 8], 'validation': [2, 2], 'test': [3, 3]}
    rows = datasets.used(packed).query("split == 'test'").reset_index()
    for (pixels, label), row in zip(utils.pictures(packed.test), rows.itertuples(), strict=True):
        original = np.asarray(photographs.read_picture(folder / row.file), int)
        assert packed.classes[label] == row[3] and min(pixels.shape[:2]) == 256
        assert np.abs(original - pixels).mean() < 8  # what JPEG loses
    sizes = {(row.width, row.height, row.bytes) for row in rows.itertuples()}
    assert {size[:2] for size in sizes} == {(160, 120)} and len(sizes) > 1


def test_classes_side_by_side_are_divided(folder):
    for split in ('train', 'test'):
        for path in list((folder / split).glob('*/*')):
            target = folder / {'cat': '猫', 'not_cat': 'dog'}[path.parent.name] / split / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)  # folders in a class are looked into
        shutil.rmtree(folder / split)
    packed = datasets.folder_set(folder)
    assert packed.classes == ['dog', '猫']
    assert [sum(counts(packed)[split]) for split in datasets.SPLITS] == [16, 4, 6]
    assert all(min(of_class) > 0 for of_class in counts(packed).values())


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


def heic(picture):
    pillow_heif.from_pillow(picture).save(file := io.BytesIO(), quality=95)
    return file.getvalue()


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
    'telephone.heic': (heic(SCENE), SCENE), 'small.avif': (saved(SCENE, 'AVIF', quality=95), SCENE),
    'two\nlines.jpg': (saved(SCENE, 'JPEG', quality=93), SCENE),
    'wrong suffix.txt': (saved(SCENE, 'PNG', compress_level=1), SCENE),
    os.fsdecode(b'not \xff text.jpg'): (saved(SCENE, 'JPEG', quality=92), SCENE)}
LEFT_OUT = {  # file name: content, and why it is not used
    'half.jpg': (KINDS['colour.jpg'][0][:3000], 'damaged'), 'text.jpg': (b'this is text', 'no picture'),
    'empty.jpg': (b'', 'empty'), 'photo.heic': (KINDS['telephone.heic'][0][:900], 'damaged'),
    'film.mov': (b'\0\0\0\x14ftypqt  ' + bytes(500), 'no picture'), 'drawing.eps': (saved(SCENE, 'EPS'), 'no picture'),
    'dot.png': (saved(Image.new('RGB', (1, 1)), 'PNG'), 'too small or too slender'),
    'strip.png': (saved(Image.new('RGB', (2000, 40)), 'PNG'), 'too small or too slender'),
    'float.tif': (saved(Image.new('F', (60, 60)), 'TIFF'), '32 bits a pixel'),
    'bomb.png': (saved(Image.new('1', (20_000, 10_000)), 'PNG'), 'too many pixels')}


@pytest.mark.parametrize('file', KINDS, ids=ascii)
def test_an_accepted_kind_becomes_the_picture_that_one_sees(tmp_path, file):
    content, expected = KINDS[file]
    (tmp_path / file).write_bytes(content)
    picture = photographs.read_picture(tmp_path / file, short_side=300)
    assert (picture.mode, picture.size) == ('RGB', (400, 300))
    assert np.abs(np.asarray(picture, int) - np.asarray(expected, int)).mean() < 4


def test_mxnet_sees_every_accepted_kind_as_pillow_does(folder, monkeypatch):
    monkeypatch.setattr(photographs, 'TONES', -1)  # all kinds show the same picture
    for file, (content, _) in KINDS.items():
        (folder / 'test' / 'cat' / file).write_bytes(content)
    packed = datasets.folder_set(folder)
    data, label = next(iter(utils.RecordIter(packed.test, batch_size=64)))
    pictures = records.pictures(packed.test)
    assert len(pictures) == len(data) == 6 + len(KINDS) and reasons(packed) == {}
    assert {row.file for row in datasets.used(packed).itertuples()} >= {f'test/cat/{file}' for file in KINDS}
    for x, y, (pixels, expected) in zip(data, label, pictures):
        top, left = ((side - 224) // 2 for side in pixels.shape[:2])
        assert np.array_equal(utils.denormalise(x), pixels[top:top + 224, left:left + 224])
        assert y.asscalar() == expected


def test_what_cannot_be_used_is_left_out_and_listed(folder, tmp_path, monkeypatch):
    (tmp_path / 'outside.png').write_bytes(saved(SCENE, 'PNG'))
    cat = folder / 'train' / 'cat'
    for file, (content, _) in LEFT_OUT.items():
        (cat / file).write_bytes(content)
    for name, target in (('out.png', '../../../outside.png'), ('lost.png', 'gone.png')):
        (cat / name).symlink_to(target)
    os.mkfifo(cat / 'pipe.png')
    for path in ('train/stray.png', 'holdout/cat/1.png', 'notes.txt'):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(saved(SCENE, 'PNG'))
    for path in ('__MACOSX/train/cat/._1.png', 'train/.ipynb_checkpoints/1.png', 'test/cat/.DS_Store',
                 'train/cat/Thumbs.db', 'train/@eaDir/1.png', 'test/cat/desktop.ini'):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b'x')  # what systems leave in folders is not even listed
    packed = datasets.folder_set(folder)
    assert counts(packed) == {'train': [8, 8], 'validation': [2, 2], 'test': [3, 3]}
    expected = {f'train/cat/{file}': reason for file, (_, reason) in LEFT_OUT.items()}
    expected.update({'train/cat/out.png': 'a link that leads out of the folder', 'train/cat/lost.png': 'no file',
                     'train/cat/pipe.png': 'no file', 'train/stray.png': 'in no class',
                     'holdout/cat/1.png': 'in no class', 'notes.txt': 'in no class'})
    assert {file: reason for file, (reason, _) in reasons(packed).items()} == expected
    assert set(expected.values()) > set(photographs.UNREADABLE)
    monkeypatch.setenv('STRICT', '1')
    with pytest.raises(ValueError, match=rf'{len(expected)} files of .*photos cannot be used, see .*pictures.csv'):
        datasets.folder_set(folder)


def test_no_picture_is_on_both_sides_of_a_split(folder):
    """Copied, shrunk, compressed anew: the test keeps it; in two classes: nobody does. Similar ones stay together."""
    def change(file, target, quality=50, shrink=2, crop=0):
        picture = Image.open(folder / file)
        picture = picture.crop((crop, 0, *picture.size))
        picture.resize([side // shrink for side in picture.size]).save(folder / target, quality=quality)
    change('test/cat/0.png', 'train/cat/again.jpg')
    change('train/cat/1.png', 'train/cat/9 again.jpg')
    change('train/cat/2.png', 'train/not_cat/other class.jpg')
    change('test/cat/1.png', 'train/cat/moved.jpg', crop=3, shrink=1)
    packed = datasets.folder_set(folder)
    assert reasons(packed) == {
        'train/cat/again.jpg': ('the same picture as', 'test/cat/0.png'),
        'train/cat/9 again.jpg': ('the same picture as', 'train/cat/1.png'),
        'train/cat/2.png': ('in another class too', 'train/not_cat/other class.jpg'),
        'train/not_cat/other class.jpg': ('in another class too', 'train/cat/2.png'),
        'train/cat/moved.jpg': ('nearly the same picture as', 'test/cat/1.png')}


@pytest.mark.parametrize('change, sentence', [
    (lambda f: f.rename(f.with_name('elsewhere')), 'photos is not a folder: name one that holds a folder for each'),
    (lambda f: (f / 'test' / 'cat').rename(f / 'test' / 'Cat'), 'not the same classes .Cat, cat.: name them alike'),
    (lambda f: shutil.rmtree(f / 'train' / 'cat'),
     'train needs a folder for each of two or more classes, it has 1'),
    (lambda f: [(f / 'train' / 'cat' / f'{i}.png').unlink() for i in range(4)], 'class cat has 9 pictures .* 10 are'),
    (lambda f: [(f / 'test' / 'cat' / f'{i}.png').write_bytes(b'') for i in range(3)],
     r'test has no picture of cat that can be used: add some; left out: empty \(3\)')])
def test_what_makes_training_senseless_stops_it(folder, change, sentence):
    change(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        datasets.folder_set(folder)
    assert list(downloads.FOLDER.glob('[!.]*')) == []


def test_a_packed_set_is_used_again_until_it_or_a_photograph_changes(folder):
    packed = datasets.folder_set(folder)
    content, time = packed.test.read_bytes(), packed.test.stat().st_mtime_ns
    assert datasets.folder_set(folder) == packed and packed.test.stat().st_mtime_ns == time
    packed.test.write_bytes(content[:-1] + b'x')
    assert datasets.folder_set(folder) == packed and packed.test.read_bytes() == content
    (folder / 'train' / 'cat' / '0.png').write_bytes(saved(SCENE, 'PNG'))
    assert datasets.folder_set(folder).train != packed.train

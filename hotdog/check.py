"""Check every picture once, without training: python -m hotdog.check [FOLDER].

Of a folder of photographs it lists each file that cannot be used, each pair of files that show the same picture, and
how many pictures of each class every split has. Without a folder it compares the book's own pictures with the manifest.
"""
import argparse
import collections
import csv
import hashlib
import sys
from pathlib import Path

from hotdog import photographs, records, datasets

COLUMNS = ['file', 'split', 'label', 'kind', 'seed', 'sha256']


def read_manifest(file):
    """Read `{SHA-256: (split, label)}`; raises ValueError when the manifest is not one."""
    try:
        with open(file, newline='', encoding='utf-8') as lines:
            header, *rows = csv.reader(lines, strict=True)
        found = {row[5]: (row[1], int(row[2])) for row in rows}
        whole = header == COLUMNS and len(found) == len(rows) and {len(row) for row in rows} == {len(COLUMNS)}
    except (ValueError, IndexError, csv.Error):
        whole = False
    if not whole or not all(split in datasets.SPLITS and label in (0, 1) for split, label in found.values()):
        raise ValueError(f'{file} is damaged: restore it with git checkout data/manifest.csv')
    return found


def check_demo():
    """Check the book's own pictures as `photographs.check` does a folder's."""
    data, manifest = datasets.demo_set(), read_manifest(datasets.HERE / 'manifest.csv')
    counts, faults = {}, []
    for split in datasets.SPLITS:
        file = getattr(data, split)
        counts[split] = collections.Counter(records.labels(file).tolist())
        for number, (label, encoded) in enumerate(records.samples(file), 1):
            if manifest.pop(hashlib.sha256(encoded).hexdigest(), None) != (split, label):
                faults.append(f'{file}: picture {number} is not in the manifest, or there twice')
    faults += [f'{datasets.HERE}/demo_{split}.rec lacks a picture of the manifest' for split, _ in manifest.values()]
    return data.classes, counts, faults


def main():
    """Print the counts and all faults; exit with an error when there is any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?')
    folder = parser.parse_args().folder
    try:
        classes, counts, faults = photographs.check(folder) if folder else check_demo()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit('stopped')
    for split in datasets.SPLITS:
        print(f'{split:10}', ', '.join(f'{photographs.shown(name)} {counts[split][label]}'
                                       for label, name in enumerate(classes)))
    if folder and not (Path(folder).expanduser() / 'validation').is_dir():
        print(f'(validation is drawn from the folder train: {datasets.VALIDATION_SHARE:.0%} of each class)')
    for fault in faults:
        print(fault)
    if faults:
        sys.exit(f'{photographs.count(faults)}, listed above: training will not start before that is mended')
    print('every picture can be used')


if __name__ == '__main__':
    main()

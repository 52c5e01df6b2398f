"""Check every picture once, without training: python -m hotdog.check [FOLDER].

Of a folder of photographs it lists each file that cannot be used, each pair of files that show the same picture, and
how many good pictures of each class every split has. Without a folder it compares the book's own pictures with the
manifest.
"""
import argparse
import csv
import hashlib
import sys
from collections import Counter
from pathlib import Path

from hotdog import datasets, photographs, records


def check_folder(folder):
    """Return a folder's classes, `{split: Counter of labels}` and all faults, a sentence each; nothing is written."""
    classes, pictures, faults = photographs.list_pictures(Path(folder).expanduser().resolve())
    first = {}
    counts = {split: Counter(label for label, _ in photographs.readable(pictures, split, faults, first))
              for split in datasets.SPLITS}
    return classes, counts, sorted(faults)


def check_demo():
    """Return the same of the book's own pictures, whose faults are differences from the manifest."""
    data, counts, faults = datasets.demo_set(), {}, []
    with open(datasets.DATA / 'manifest.csv', newline='', encoding='utf-8') as lines:
        manifest = {row['sha256']: (row['split'], int(row['label'])) for row in csv.DictReader(lines)}
    for split in datasets.SPLITS:
        samples = list(records.samples(getattr(data, split)))
        counts[split] = Counter(label for label, _ in samples)
        for number, (label, encoded) in enumerate(samples, 1):
            if manifest.pop(hashlib.sha256(encoded).hexdigest(), None) != (split, label):
                faults.append(f'demo_{split}.rec: picture {number} is not in the manifest, or there twice')
    faults += [f'demo_{split}.rec lacks a picture of the manifest' for split, _ in manifest.values()]
    return data.classes, counts, faults


def main():
    """Print the counts and all faults; exit with an error when there is any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?')
    folder = parser.parse_args().folder
    try:
        classes, counts, faults = check_folder(folder) if folder else check_demo()
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
        sys.exit(f'faults: {len(faults)}, listed above; training will not start before they are mended')
    print('every picture can be used')


if __name__ == '__main__':
    main()

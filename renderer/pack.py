"""Pack rendered pictures into record files: python pack.py RENDERS DATA_FOLDER. Runs with MXNet, not with Blender."""
import argparse
import csv
import hashlib
import os
import random
import sys
from pathlib import Path

from mxnet import recordio
from tqdm import tqdm

PICTURES = 1000
LIMIT = 16 * 10 ** 6  # bytes of all record files together, so that the repository stays small


def read_manifest(renders):
    """Return the rows of the manifest after checking that every picture is there and is the one listed."""
    manifest = renders / 'manifest.csv'
    if not manifest.exists():
        raise SystemExit(f'there is no {manifest}: run render.py {renders} to its end first')
    with open(manifest, newline='') as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        picture = renders / row['file']
        if not picture.exists() or hashlib.sha256(picture.read_bytes()).hexdigest() != row['sha256']:
            raise SystemExit(f'{picture} is not the picture in {manifest}: delete it and run render.py {renders} again')
    return rows


def pack(rows, renders, data, split):
    """Write a split's pictures, shuffled the same way every time, to parts of files; give the parts."""
    parts = [data / f'demo_{split}.{suffix}.part' for suffix in ('idx', 'rec')]
    random.Random(split).shuffle(rows)
    record = recordio.MXIndexedRecordIO(*map(str, parts), 'w')
    for i, row in enumerate(tqdm(rows, split, unit='picture')):
        header = recordio.IRHeader(0, float(row['label']), i, 0)
        record.write_idx(i, recordio.pack(header, (renders / row['file']).read_bytes()))
    record.close()
    return parts


def main():
    """Pack the three splits, copy the manifest beside them and list the checksums of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('renders', type=Path)
    parser.add_argument('data', type=Path)
    parser.add_argument('--partial', action='store_true', help='pack although pictures are missing (to try things out)')
    arguments = parser.parse_args()
    rows = read_manifest(arguments.renders)
    if len(rows) < PICTURES and not arguments.partial:
        sys.exit(f'{PICTURES - len(rows)} of {PICTURES} pictures are missing: run render.py {arguments.renders} again')
    arguments.data.mkdir(parents=True, exist_ok=True)
    parts = []
    for split in ('train', 'validation', 'test'):
        parts += pack([row for row in rows if row['split'] == split], arguments.renders, arguments.data, split)
    size = sum(part.stat().st_size for part in parts)
    if size > LIMIT:
        for part in parts:
            part.unlink()
        sys.exit(f'the record files take {size / 1e6:.1f} MB, over the limit of {LIMIT / 1e6:.0f}: '
                 'lower the quality in photograph.py')
    parts.append(arguments.data / 'manifest.csv.part')
    parts[-1].write_bytes((arguments.renders / 'manifest.csv').read_bytes())
    checksums = ''.join(f'{hashlib.sha256(part.read_bytes()).hexdigest()}  {part.stem}\n' for part in parts)
    parts.append(arguments.data / 'checksums.txt.part')
    parts[-1].write_text(checksums)
    for part in parts:
        os.replace(part, part.with_suffix(''))
    print(f'{len(rows)} pictures, {size / 1e6:.1f} MB in {arguments.data}')


if __name__ == '__main__':
    main()

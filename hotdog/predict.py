"""Classify pictures: python -m hotdog.predict FILE_OR_FOLDER... [--model FOLDER] [--out FILE.csv] (make predict).

Prints a line a picture: class, probability, file. What cannot be read is told in a sentence, and the others are
classified all the same.
"""
import argparse
import sys
from pathlib import Path

import pandas as pd

from hotdog import classifier, photographs


def pictures_in(paths):
    """Return the files that are named or lie in folders that are named, but for hidden ones."""
    return [file for path in map(Path, paths)
            for file in ([path] if not path.is_dir() else sorted(
                inner for inner in path.rglob('*') if inner.is_file() and inner.name[0] != '.'))]


def main():
    """Print the answers; exit with an error when a file could not be read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('pictures', nargs='+')
    parser.add_argument('--model', type=Path, help="the folder that make mine wrote; without it, the book's network")
    parser.add_argument('--out', type=Path, help='write the answers to this CSV file, too')
    options, rows, unread = parser.parse_args(), [], 0
    try:
        model = classifier.load(options.model)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    for file in pictures_in(options.pictures):
        try:
            answer = model.classify(file)
        except (OSError, ValueError) as error:
            unread += 1
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            print(f'{photographs.shown(file)}: cannot be read ({reason}); try it saved as JPEG', file=sys.stderr)
            continue
        name, probability = next(iter(answer.items()))
        print(f'{name}\t{probability:.3f}\t{photographs.shown(file)}')
        rows.append({'file': str(file), 'predicted': name, **{f'p {key}': round(answer[key], 4)
                                                              for key in model.classes}})
    if options.out:
        pd.DataFrame(rows).to_csv(options.out, index=False, errors='surrogateescape')
    if unread:
        sys.exit(f'{unread} of {unread + len(rows)} files could not be read, see above')


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('stopped')

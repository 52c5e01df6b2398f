"""Show many rendered pictures in one: python contact_sheet.py RENDERS OUT.png [--kind KIND]."""
import argparse
from pathlib import Path

from PIL import Image


def main():
    """Paste the pictures of a folder of renders, in the order of their names, into rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('renders', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--kind', help='only this kind')
    parser.add_argument('--columns', type=int, default=12)
    parser.add_argument('--size', type=int, default=128, help='pixels a picture')
    arguments = parser.parse_args()
    files = sorted(arguments.renders.glob(f'*/{arguments.kind or "*"}-[0-9]*.jpg'))
    if not files:
        raise SystemExit(f'no pictures of {arguments.kind or "any kind"} in {arguments.renders}: render some first')
    size, columns = arguments.size, arguments.columns
    sheet = Image.new('RGB', (min(columns, len(files)) * size, -(-len(files) // columns) * size), 'white')
    for i, file in enumerate(files):
        with Image.open(file) as image:
            sheet.paste(image.resize((size, size)), (i % columns * size, i // columns * size))
    sheet.save(arguments.out)


if __name__ == '__main__':
    main()

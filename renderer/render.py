"""Render the demo data set: python render.py FOLDER. Stop it at any time; the next run goes on where it stopped."""
import argparse
import csv
import hashlib
import io
import json
import os
import queue
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from PIL import Image
from tqdm import tqdm

import scenes
from photograph import SIZE, draw

COUNTS = {'train': (150, 450), 'validation': (40, 120), 'test': (60, 180)}  # hot dogs, others
COLUMNS = ['file', 'split', 'label', 'kind', 'seed', 'sha256']
PER_WORKER = 40  # pictures until a worker starts afresh, which bounds its memory


# What to render

def kinds_of(split):
    """Return the names of a split's kinds: hot dogs, other foods, anything else."""
    test = split == 'test'
    groups = (scenes.HOT_DOGS, {**scenes.FOODS, **(scenes.TEST_FOODS if test else {})},
              {**scenes.OTHERS, **(scenes.TEST_OTHERS if test else {})})
    return [sorted(group) for group in groups]


def plan():
    """List every picture as a dictionary, mixed so that any first part is like the whole."""
    pictures = []
    for split, (positive, negative) in COUNTS.items():
        third = negative // 3
        for group, (kinds, count) in enumerate(zip(kinds_of(split), (positive, negative - third, third))):
            kinds = random.Random(f'{split}-{group}').sample(kinds, len(kinds))
            for i in range(count):
                kind, number = kinds[i % len(kinds)], i // len(kinds)
                file = f'{split}/{kind}-{number:03d}.jpg'
                picture = {'file': file, 'split': split, 'label': int(group == 0), 'kind': kind,
                           'seed': int(hashlib.sha256(file.encode()).hexdigest()[:8], 16)}
                pictures.append(((i + .5) / count, file, picture))
    return [picture for _, _, picture in sorted(pictures, key=lambda item: item[:2])]


# Workers

def write(file, data):
    """Write a file at once or not at all."""
    part = file.with_name(file.name + '.part')
    part.write_bytes(data)
    os.replace(part, file)


def work(folder, samples, core):
    """Be a worker: draw the pictures named on standard input, a line of JSON each, until it ends."""
    if core is not None and hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {core})  # the denoiser's threads would get in the other workers' way: half as fast
    answers = os.fdopen(os.dup(1), 'w', 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Blender chats on standard output
    for line in sys.stdin:
        picture = json.loads(line)
        data, times = draw(picture, samples)
        write(folder / picture['file'], data)
        try:
            print(json.dumps(times), file=answers)
        except BrokenPipeError:  # the program was stopped; the picture is whole
            return


def employ(todo, folder, samples, core, done):
    """Keep one worker process busy until nothing is left; `done(picture, times or None)` hears of each picture."""
    command = [sys.executable, __file__, str(folder), '--worker', '--samples', str(samples), '--core', str(core)]
    while not todo.empty():
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              start_new_session=True) as worker:  # of its own, so that Ctrl-C does not cut a rendering
            for _ in range(PER_WORKER):
                try:
                    picture = todo.get_nowait()
                except queue.Empty:
                    break
                try:
                    worker.stdin.write(json.dumps(picture) + '\n')
                    worker.stdin.flush()
                    answer = worker.stdout.readline()
                except BrokenPipeError:
                    answer = ''
                done(picture, json.loads(answer) if answer else None)
                if not answer:
                    break


def is_good(file):
    """Return whether a file is a whole picture."""
    try:
        with Image.open(file) as image:
            image.load()
            return image.size == (SIZE, SIZE)
    except OSError:
        return False


def render(pictures, folder, jobs, samples):
    """Render pictures with some workers; give the mean times and the files that failed."""
    todo, totals, failed = queue.SimpleQueue(), Counter(), []
    for picture in pictures:
        todo.put(picture)
    with tqdm(total=len(pictures), unit='picture', smoothing=.05) as bar:
        def done(picture, times):
            failed.extend([] if times else [picture['file']])
            totals.update(times or {})
            bar.update()
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else range(os.cpu_count())
        threads = [threading.Thread(target=employ, args=(todo, folder, samples, cores[i % len(cores)], done),
                                    daemon=True) for i in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return totals, failed


def write_manifest(pictures, folder):
    """List the pictures that are there, with their hashes; give the number of those missing."""
    there = [p for p in sorted(pictures, key=lambda p: p['file']) if (folder / p['file']).exists()]
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator='\n')
    table.writeheader()
    table.writerows({**p, 'sha256': hashlib.sha256((folder / p['file']).read_bytes()).hexdigest()} for p in there)
    write(folder / 'manifest.csv', text.getvalue().encode())
    return len(pictures) - len(there)


def main():
    """Render what is missing and write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--split', choices=[*COUNTS], help='only this split')
    parser.add_argument('--kind', choices=[*scenes.KINDS], metavar='KIND', help='only this kind')
    parser.add_argument('--limit', type=int, help='only the first so many pictures')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='worker processes (default: one a core)')
    parser.add_argument('--samples', type=int, default=8, help='rays a pixel')
    parser.add_argument('--core', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--worker', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder = arguments.folder
    if arguments.worker:
        return work(folder, arguments.samples, arguments.core)
    pictures = plan()
    wanted = [p for p in pictures if arguments.split in (None, p['split']) and arguments.kind in (None, p['kind'])]
    wanted = [p for p in wanted[:arguments.limit] if not is_good(folder / p['file'])]
    for split in COUNTS:
        (folder / split).mkdir(parents=True, exist_ok=True)
    try:
        totals, failed = render(wanted, folder, arguments.jobs, arguments.samples)
    except KeyboardInterrupt:
        sys.exit('stopped; run the same command again to go on')
    if wanted:
        means = ', '.join(f'{name} {total / len(wanted):.2f}' for name, total in sorted(totals.items()))
        print(f'{len(wanted)} pictures; mean core-seconds (and attempts) each: {means}')
    missing = write_manifest(pictures, folder)
    if failed or missing:
        names = f'; failed: {", ".join(failed)}' if failed else ''
        sys.exit(f'{missing} of {len(pictures)} pictures are missing{names}')


if __name__ == '__main__':
    main()

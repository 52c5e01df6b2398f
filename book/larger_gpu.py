"""Measure training on a GPU for the page 'larger': python3 -m book.larger_gpu OUTPUT.json (75 s on an H100).

It needs PyTorch, torchvision and the demo pictures, no network and no weights: for speed, random ones serve. All
numbers of the file are from one run; each is the median of several stretches, with the slowest and the fastest. After
every section the file is written, so a run that was cut keeps what it has; what the time did not allow is in 'skipped'.
"""
import argparse
import json
import os
import platform
import signal
import statistics
import time
from contextlib import contextmanager
from pathlib import Path

START = time.time()  # before PyTorch is imported, which takes its time

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from torchvision import io, models  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

RECORDS = Path(__file__).resolve().parents[1] / 'data' / 'demo_train.rec'
FORMATS = ('float32', 'TF32', 'bfloat16')
BEST = ('bfloat16', 'channels_last')  # number format and memory layout of all but the first table
UNTIL = {'computing': 36, 'reading': 52, 'features': 55, 'compiling': 74}  # seconds since the start
AUGMENT = v2.Compose([v2.RandomResizedCrop(224, scale=(0.35, 1)), v2.RandomHorizontalFlip(),
                      v2.ColorJitter(0.25, 0.25, 0.35)])


class Run:
    """What one run has measured, its device, and how large its parts are."""

    def __init__(self, output, tiny=False):
        self.output, self.tiny, self.result = Path(output), tiny, {}
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        self.batches = (8, 4) if tiny else (128, 32, 512)  # the first is that of all but the first table
        self.seconds, self.repeats = (0.05, 2) if tiny else (0.35, 3)

    def wait(self):
        """Wait until the GPU has done what it was told."""
        if self.device.type == 'cuda':
            torch.cuda.synchronize()

    def rate(self, step, pictures):
        """Return pictures a second of `step()`: the median of some stretches, and the slowest and the fastest."""
        seconds = [self.stretch(step, 2) for _ in range(2)][-1] / 2  # the first is slower: it chooses kernels
        count = max(2, int(self.seconds / self.repeats / seconds))
        rates = [pictures * count / self.stretch(step, count) for _ in range(self.repeats)]
        return {'rate': rounded(statistics.median(rates)), 'range': [rounded(min(rates)), rounded(max(rates))]}

    def stretch(self, step, count):
        """Return the seconds of `count` steps; only at the end the CPU waits for the GPU, as in training."""
        self.wait()
        start = time.perf_counter()
        for _ in range(count):
            step()
        self.wait()
        return time.perf_counter() - start

    def measure(self, section, name, function):
        """Put `function()` under a name into a section, unless its time is over or it fails, which is noted."""
        if time.time() - START > UNTIL[section] and not self.tiny:
            self.result.setdefault('skipped', []).append(f'{section}: {name}')
            return
        try:
            value = function()
        except Exception as error:  # a card that is too small or a machine with little shared memory: go on
            value = {'failed': f'{type(error).__name__}: {str(error).strip()[:200]}'}
            if self.device.type == 'cuda':
                torch.cuda.empty_cache()
        self.result.setdefault(section, {})[name] = value
        print(f'{time.time() - START:5.1f} s  {section}: {name}: {value}', flush=True)

    def write(self):
        """Write what is there, whole or not at all."""
        half = self.output.with_name(f'{self.output.name}.part')
        half.write_text(json.dumps(self.result, indent=1) + '\n')
        half.replace(self.output)


def rounded(number):
    """Return a number with four digits."""
    return float(f'{number:.4g}')


def machine(run):
    """Return what the run was made on, {name: text or number}."""
    cuda = run.device.type == 'cuda'
    cpu = next((line.split(': ')[1] for line in Path('/proc/cpuinfo').read_text().splitlines()
                if line.startswith('model name')), platform.machine())
    return {'date': time.strftime('%Y-%m-%d'), 'device': torch.cuda.get_device_name() if cuda else 'CPU',
            'processor': cpu, 'cores': len(os.sched_getaffinity(0)), 'python': platform.python_version(),
            'torch': torch.__version__, 'torchvision': torchvision.__version__,
            'cuda': torch.version.cuda, 'cudnn': torch.backends.cudnn.version()}


@contextmanager
def number_format(name, device):
    """Compute in float32, in TF32 (float32 whose products are rounded to 10 bits) or in bfloat16 where it serves."""
    precision = 'high' if name == 'TF32' else 'highest'
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = name == 'TF32'
    with torch.autocast(device.type, torch.bfloat16, enabled=name == 'bfloat16'):
        yield


def network(name, device, layout):
    """Return a network with two outputs and random weights, ready to be trained."""
    torch.manual_seed(0)
    net = getattr(models, name)(num_classes=2).train().to(device)
    return net.to(memory_format=torch.channels_last) if layout == 'channels_last' else net


def trainer(net, kind, device):
    """Return a function that updates the network on one batch, pictures (n, 3, h, w) and labels (n,)."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)

    def update(x, y):
        with number_format(kind, device):
            loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


def batch_of(size, device, layout='contiguous'):
    """Return random pictures (size, 3, 224, 224) and labels on the device."""
    x = torch.randn(size, 3, 224, 224, device=device)
    x = x.contiguous(memory_format=torch.channels_last) if layout == 'channels_last' else x
    return x, torch.randint(2, (size,), device=device)


def computing(run):
    """Measure training on a batch that lies on the GPU: size, number format and layout."""
    first, *others = run.batches

    def one(name, size, kind, layout):
        def trained():
            update = trainer(network(name, run.device, layout), kind, run.device)
            x, y = batch_of(size, run.device, layout)
            return run.rate(lambda: update(x, y), size)

        more = ', cudnn.benchmark' if torch.backends.cudnn.benchmark else ''
        run.measure('computing', f'{name}, {size}, {kind}, {layout}{more}', trained)

    for name, sizes in (('squeezenet1_1', [first]), ('resnet18', [first]), ('squeezenet1_1', others)):
        for size in sizes:
            for kind in FORMATS:
                for layout in ('contiguous', 'channels_last'):
                    one(name, size, kind, layout)
    torch.backends.cudnn.benchmark = True  # tries the algorithms and keeps the fastest for each shape
    one('squeezenet1_1', first, *BEST)
    torch.backends.cudnn.benchmark = False
    for size in others:
        one('resnet18', size, *BEST)


def read_records(file):
    """Return the JPEG files (a list of uint8 tensors) and labels of a RecordIO file, as on the page `pytorch`."""
    words, samples = np.fromfile(file, 'uint32'), []
    while len(words):
        length, label = int(words[1]), words[3:4].view('float32')[0]
        samples.append((torch.from_numpy(words[8:].view('uint8')[:length - 24].copy()), int(label)))
        words = words[2 + (length + 3) // 4:]
    return samples


class Pictures:
    """The training pictures, decoded and changed at random whenever they are read, as often as wanted."""

    def __init__(self, samples, count):
        self.samples, self.count = samples, count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        jpeg, label = self.samples[i % len(self.samples)]
        return AUGMENT(io.decode_image(jpeg)), label


def to_device(batch, device):
    """Return a batch of uint8 pictures and labels on the device, normalised there: a quarter of the bytes to copy."""
    x, y = (part.to(device, non_blocking=True) for part in batch)
    return x.contiguous(memory_format=torch.channels_last).float().div_(127.5).sub_(1), y


def through(loader, device, update=None):
    """Return the pictures a second of one pass over a loader; without `update`, of reading only.

    The first batches do not count, one a worker: all come at once, when the workers have started.
    """
    count, ready = 0, max(1, loader.num_workers)
    for number, batch in enumerate(loader, 1):
        if update:
            update(*to_device(batch, device))
        if number > ready:
            count += len(batch[1])
        elif number == ready:
            start = time.perf_counter()
    if update and device.type == 'cuda':
        torch.cuda.synchronize()
    return {'rate': rounded(count / (time.perf_counter() - start))}


def views(pictures, size=224):
    """Return random views of uint8 pictures (n, 3, h, w), made on their device: cropped, mirrored, other brightness."""
    n, device = len(pictures), pictures.device
    scale = torch.empty(n, device=device).uniform_(0.35, 1).sqrt()
    shift = (torch.rand(2, n, device=device) * 2 - 1) * (1 - scale)
    mirror = torch.randint(2, (n,), device=device) * 2 - 1
    zero = torch.zeros_like(scale)
    theta = torch.stack([scale * mirror, zero, shift[0], zero, scale, shift[1]], 1).view(n, 2, 3)
    grid = nn.functional.affine_grid(theta, (n, 3, size, size), align_corners=False)
    x = nn.functional.grid_sample(pictures.float().div_(127.5).sub_(1), grid, align_corners=False)
    return x.mul_(torch.empty(n, 1, 1, 1, device=device).uniform_(0.75, 1.25))


def reading(run):
    """Measure where the time goes: reading with a number of workers, copying, computing, and everything together."""
    size, (samples, device) = run.batches[0], (read_records(RECORDS), run.device)
    update = trainer(network('squeezenet1_1', device, BEST[1]), BEST[0], device)
    x, y = batch_of(size, device, 'channels_last')
    run.measure('reading', 'computing alone', lambda: run.rate(lambda: update(x, y), size))
    copied = torch.randint(256, (size, 3, 224, 224), dtype=torch.uint8)
    sources = {'uint8': copied, 'float32': copied.float()}
    if device.type == 'cuda':
        sources.update({f'{name}, pinned': source.pin_memory() for name, source in list(sources.items())})
    for name, source in sources.items():
        run.measure('reading', f'copying alone, {name}',
                    lambda source=source: run.rate(lambda: source.to(device, non_blocking=True), size))
    pictures = torch.stack([io.decode_image(jpeg) for jpeg, _ in samples]).to(device)
    every = torch.tensor([label for _, label in samples], device=device)

    def from_device():
        chosen = torch.randint(len(pictures), (size,), device=device)
        update(views(pictures[chosen]).contiguous(memory_format=torch.channels_last), every[chosen])

    run.measure('reading', 'all together, pictures on the device', lambda: run.rate(from_device, size))
    for workers, batches in ((1, 3), (0, 2)) if run.tiny else ((16, 96), (8, 56), (0, 5)):
        loader = DataLoader(Pictures(samples, batches * size), size, num_workers=workers, drop_last=True,
                            pin_memory=device.type == 'cuda', persistent_workers=workers > 0)
        for name, function in (('reading alone', None), ('all together', update)):
            run.measure('reading', f'{name}, {workers} workers',
                        lambda loader=loader, function=function: through(loader, device, function))


def features(run):
    """Measure training the output layer alone: on cached features, and through the frozen layers every time."""
    size, device = run.batches[0], run.device
    net = network('squeezenet1_1', device, 'channels_last')
    net.features.requires_grad_(False)
    x, y = batch_of(size, device, 'channels_last')
    update, head = trainer(net, BEST[0], device), trainer(nn.Sequential(net.classifier, nn.Flatten()), BEST[0], device)
    with torch.no_grad(), number_format(BEST[0], device):
        cached = net.features(x)
        pooled = cached.mean((2, 3), keepdim=True)
    for name, step in (('through the frozen layers', lambda: update(x, y)), ('cached', lambda: head(cached, y)),
                       ('cached and pooled', lambda: head(pooled, y))):
        run.measure('features', name, lambda step=step: run.rate(step, size))


def compiling(run):
    """Measure `torch.compile` at one setting, beside the same without it; give up when the time is over."""
    size, device = run.batches[0], run.device

    def compiled():
        net = network('squeezenet1_1', device, 'channels_last')
        update = trainer(torch.compile(net), BEST[0], device)
        x, y = batch_of(size, device, 'channels_last')
        start = time.perf_counter()
        update(x, y)
        run.wait()
        seconds = time.perf_counter() - start
        return {**run.rate(lambda: update(x, y), size), 'seconds until the first update': rounded(seconds)}

    def give_up(*_):
        raise TimeoutError('torch.compile took longer than the time that was left')

    update = trainer(network('squeezenet1_1', device, 'channels_last'), BEST[0], device)
    x, y = batch_of(size, device, 'channels_last')
    run.measure('compiling', 'eager', lambda: run.rate(lambda: update(x, y), size))
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(max(1, int(UNTIL['compiling'] - (time.time() - START))) if not run.tiny else 0)
    run.measure('compiling', 'torch.compile', compiled)
    signal.alarm(0)


def main():
    """Measure section by section and write the file after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('output', help='the JSON file to write')
    parser.add_argument('--tiny', action='store_true', help='small parts, to try the program on a CPU')
    options = parser.parse_args()
    run = Run(options.output, options.tiny)
    run.result['machine'] = machine(run)
    for section in (computing, reading, features, compiling):
        section(run)
        run.result['seconds'] = rounded(time.time() - START)
        run.write()
        print(f'{time.time() - START:5.1f} s  {section.__name__} is in {run.output}', flush=True)


if __name__ == '__main__':
    main()

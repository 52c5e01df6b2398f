"""Measure training on a GPU for the page 'larger': python3 -m book.larger_gpu OUTPUT.json (a minute on an H200).

It needs PyTorch, torchvision and the demo pictures, no network and no weights: for speed, random ones serve. All
numbers of the file are from one run; each is the median of several stretches, with the slowest and the fastest.
"""
import itertools
import json
import os
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader
from torchvision import io, models
from torchvision.transforms import v2

from book.worker_pytorch import VIEW, read_records

DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
FORMATS, LAYOUTS = ('float32', 'TF32', 'bfloat16'), ('contiguous', 'channels_last')
SETTINGS = (('resnet18', 128), ('squeezenet1_1', 32), ('squeezenet1_1', 512))  # of the first table
SIZE = 128  # pictures of a batch in the second
STRETCH, REPEATS = 0.12, 3  # seconds of a stretch, and how many there are
AUGMENT = v2.Compose(VIEW)


def stretch(step, count):
    """Return the seconds of `count` steps; only at the end the CPU waits for the GPU, as in training."""
    torch.accelerator.synchronize() if DEVICE.type == 'cuda' else None
    start = time.perf_counter()
    for _ in range(count):
        step()
    torch.accelerator.synchronize() if DEVICE.type == 'cuda' else None
    return time.perf_counter() - start


def rate(step, pictures):
    """Return pictures a second of `step()`: the median of some stretches, and the slowest and the fastest."""
    seconds = [stretch(step, 2) for _ in range(2)][-1] / 2  # the first is slower: it chooses kernels
    count = max(2, int(STRETCH / seconds))
    rates = [float(f'{pictures * count / stretch(step, count):.4g}') for _ in range(REPEATS)]
    return {'rate': statistics.median(rates), 'range': [min(rates), max(rates)]}


def machine():
    """Return what the run was made on, {name: text or number}."""
    device = torch.cuda.get_device_name() if DEVICE.type == 'cuda' else 'CPU'
    return {'date': time.strftime('%Y-%m-%d'), 'device': device, 'cores': len(os.sched_getaffinity(0)),
            'torch': torch.__version__, 'torchvision': torchvision.__version__, 'cuda': torch.version.cuda,
            'cudnn': torch.backends.cudnn.version()}


def trainer(name, number_format, layout):
    """Return a function that updates a network with random weights on one batch, pictures (n, 3, h, w) and labels (n,).

    TF32 is float32 whose products are rounded to 10 bits.
    """
    torch.manual_seed(0)
    net = getattr(models, name)(num_classes=2).train().to(DEVICE, memory_format=memory(layout))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)

    def update(x, y):
        torch.backends.cudnn.allow_tf32 = number_format == 'TF32'
        torch.set_float32_matmul_precision('high' if number_format == 'TF32' else 'highest')
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=number_format == 'bfloat16'):
            loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


def memory(layout):
    """Return PyTorch's name of a layout."""
    return torch.channels_last if layout == 'channels_last' else torch.contiguous_format


def batch_of(size, layout):
    """Return random pictures (size, 3, 224, 224) and labels on the device."""
    x = torch.randn(size, 3, 224, 224, device=DEVICE).contiguous(memory_format=memory(layout))
    return x, torch.randint(2, (size,), device=DEVICE)


def computing():
    """Return {setting: rates} of training on a batch that lies on the GPU: size, number format and layout."""
    rates = {}
    for (name, size), number_format, layout in itertools.product(SETTINGS, FORMATS, LAYOUTS):
        update, batch = trainer(name, number_format, layout), batch_of(size, layout)
        rates[f'{name}, {size}, {number_format}, {layout}'] = rate(partial(update, *batch), size)
    return rates


class Pictures:
    """The training pictures, decoded and changed at random whenever they are read, as often as wanted."""

    def __init__(self, samples, count):
        self.samples, self.count = samples, count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        jpeg, label = self.samples[i % len(self.samples)]
        return AUGMENT(io.decode_image(jpeg)), label


def to_device(x, y):
    """Return a batch of uint8 pictures and labels on the device, normalised there: a quarter of the bytes to copy."""
    x, y = (part.to(DEVICE, non_blocking=True) for part in (x, y))
    return x.contiguous(memory_format=torch.channels_last).float().div_(127.5).sub_(1), y


def through(loader, update=None):
    """Return the pictures a second of one pass over a loader; without `update`, of reading only.

    The first batches do not count, one a worker: all come at once, when the workers have started.
    """
    count, ready = 0, max(1, loader.num_workers)
    for number, batch in enumerate(loader, 1):
        if update:
            update(*to_device(*batch))
        if number > ready:
            count += len(batch[1])
        elif number == ready:
            start = time.perf_counter()
    stretch(None, 0)  # wait for the GPU
    return {'rate': float(f'{count / (time.perf_counter() - start):.4g}')}


def views(pictures, size=224):
    """Return random views of uint8 pictures (n, 3, h, w), made on their device: cropped, mirrored, other brightness."""
    n = len(pictures)
    scale = torch.empty(n, device=DEVICE).uniform_(0.35, 1).sqrt()
    shift = (torch.rand(2, n, device=DEVICE) * 2 - 1) * (1 - scale)
    mirror = torch.randint(2, (n,), device=DEVICE) * 2 - 1
    zero = torch.zeros_like(scale)
    theta = torch.stack([scale * mirror, zero, shift[0], zero, scale, shift[1]], 1).view(n, 2, 3)
    grid = nn.functional.affine_grid(theta, (n, 3, size, size), align_corners=False)
    x = nn.functional.grid_sample(pictures.float().div_(127.5).sub_(1), grid, align_corners=False)
    return x.mul_(torch.empty(n, 1, 1, 1, device=DEVICE).uniform_(0.75, 1.25))


def reading():
    """Return {what: rates} of reading with a number of workers, copying, computing, and everything together."""
    size, samples, rates = SIZE, read_records(), {}
    update, batch = trainer('squeezenet1_1', 'bfloat16', 'channels_last'), batch_of(size, 'channels_last')
    rates['computing alone'] = rate(lambda: update(*batch), size)
    copied = torch.randint(256, (size, 3, 224, 224), dtype=torch.uint8)
    sources = {'uint8': copied, 'float32': copied.float()}
    if DEVICE.type == 'cuda':
        sources |= {f'{name}, pinned': source.pin_memory() for name, source in sources.items()}
    for name, source in sources.items():
        rates[f'copying alone, {name}'] = rate(partial(source.to, DEVICE, non_blocking=True), size)
    pictures = torch.stack([io.decode_image(jpeg) for jpeg, _ in samples]).to(DEVICE)
    labels = torch.tensor([label for _, label in samples], device=DEVICE)

    def from_device():
        chosen = torch.randint(len(pictures), (size,), device=DEVICE)
        update(views(pictures[chosen]).contiguous(memory_format=torch.channels_last), labels[chosen])

    rates['all together, pictures on the device'] = rate(from_device, size)
    for workers, batches in ((16, 96), (8, 56), (0, 5)):
        loader = DataLoader(Pictures(samples, batches * size), size, num_workers=workers, drop_last=True,
                            pin_memory=DEVICE.type == 'cuda', persistent_workers=workers > 0)
        rates[f'reading alone, {workers} workers'] = through(loader)
        rates[f'all together, {workers} workers'] = through(loader, update)
    return rates


if __name__ == '__main__':
    Path(sys.argv[1]).write_text(json.dumps(
        {'machine': machine(), 'computing': computing(), 'reading': reading()}, indent=1) + '\n')

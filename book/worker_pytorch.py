"""One of several processes that train a network together with PyTorch, each on its share of every batch.

    torchrun --nproc-per-node 2 -m book.worker_pytorch FOLDER

starts two workers on this machine; without torchrun, the process trains alone. Options and files are those of
`book.worker_mxnet`; the checkpoint is one file, and a worker that torchrun has started again goes on from it.
"""
import os
import time

import torch
from torch import distributed, nn
from torchvision import io, models
from torchvision.transforms import v2

from book.larger import RESNET, work
from hotdog import files, weights

VIEW = [v2.RandomResizedCrop(224, scale=(0.35, 1)), v2.RandomHorizontalFlip(), v2.ColorJitter(0.25, 0.25, 0.35)]
PLAIN = v2.Compose([v2.CenterCrop(224), v2.ToDtype(torch.float32, scale=True), v2.Normalize(weights.MEAN, weights.STD)])


def read_records():
    """Return the JPEG files (uint8 tensors) of the training pictures with their labels, a list of pairs."""
    return [(torch.from_numpy(jpeg.copy()), label) for label, jpeg in files.records(files.DATA / 'demo_train.rec')]


def network(name):
    """Return SqueezeNet with its ImageNet weights and a new output layer, or ResNet-18 with random weights."""
    torch.manual_seed(0)  # all workers begin with the same weights
    net = getattr(models, name)(num_classes=2)
    if name == 'squeezenet1_1':
        net.load_state_dict(dict(zip(net.features.state_dict(prefix='features.'),
                                     map(torch.from_numpy, weights.squeezenet()))), strict=False)
        net.classifier = nn.Sequential(nn.Conv2d(512, 2, 1), nn.AdaptiveAvgPool2d(1))  # no dropout, as in MXNet
    return net.train().to(memory_format=torch.channels_last)


def batches(size, rank, workers):
    """Yield (step, pictures, labels) of a worker: blocks of `size` pictures go to the workers in turn."""
    samples = read_records()
    for step, start in enumerate(range(rank * size, len(samples) - size + 1, workers * size)):
        pictures, labels = zip(*samples[start:start + size])
        yield step, torch.stack([PLAIN(io.decode_image(jpeg)) for jpeg in pictures]), torch.tensor(labels)


def train(options):
    """Update the network `steps` times and return the mean losses, one a step, and the seconds that each took."""
    rank, workers = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))
    print(f'worker {rank} of {workers}: process {os.getpid()}', flush=True)
    net = network(options.network)
    if 'RANK' in os.environ:
        distributed.init_process_group('gloo')
        net = nn.parallel.DistributedDataParallel(net)  # averages the gradients in `backward`
    optimizer = torch.optim.SGD(net.parameters(), lr=options.rate, momentum=0.9)
    checkpoint, done, losses, seconds = options.folder / 'checkpoint.pt', 0, [], []
    if checkpoint.exists() and (options.resume or int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0))):
        state = torch.load(checkpoint)
        net.load_state_dict(state['net'])
        optimizer.load_state_dict(state['optimizer'])
        done = state['done']
    for step, x, y in batches(options.batch_size, rank, workers):
        if not done <= step < options.steps:
            continue
        start = time.perf_counter()
        loss = nn.functional.cross_entropy(net(x).flatten(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
        print(f'worker {rank}: step {step}, loss {losses[-1]:.4f}', flush=True)
        if options.checkpoint and rank == 0:
            torch.save({'net': net.state_dict(), 'optimizer': optimizer.state_dict(), 'done': step + 1},
                       checkpoint.with_suffix('.part'))
            checkpoint.with_suffix('.part').replace(checkpoint)
    if 'RANK' in os.environ:
        distributed.destroy_process_group()
    return rank, losses, seconds


if __name__ == '__main__':
    work(__doc__, train, RESNET['PyTorch'])

"""PyTorch's side of the first table of the page 'larger'; `book.larger` starts it and says what to measure."""
import torch
from torch import nn
from torch.utils.data import DataLoader, default_collate
from torchvision import io
from torchvision.transforms import v2

from book.larger import SIZE, serve, stretch
from book.worker_pytorch import PLAIN, VIEW, network, read_records
from hotdog import weights

# the augmentation of the page `pytorch`
AUGMENT = v2.Compose([*VIEW, v2.ToDtype(torch.float32, scale=True), v2.Normalize(weights.MEAN, weights.STD)])


def updater(net, bfloat16=False):
    """Return a function that updates a network on a batch; it returns the batch's size."""
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1e-4, momentum=0.9)

    def update(x, y):
        with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
            loss = nn.functional.cross_entropy(net(x).flatten(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return len(x)

    return update


def collate(samples):
    """Return a batch of augmented pictures and labels."""
    return default_collate([(AUGMENT(io.decode_image(jpeg)), label) for jpeg, label in samples])


def flowing(step, workers):
    """Return a measurement of `step(x, y)` on batches as they are read; what lay ready before it does not count."""
    def measure():
        samples = 20 * read_records()
        loader = DataLoader(samples, SIZE, shuffle=True, num_workers=workers, collate_fn=collate)
        batches = iter(loader)
        for _ in range(1 + 2 * workers):
            step(*next(batches))
        return stretch(lambda: step(*next(batches)))
    return measure


def variants():
    """Return {name: function that measures pictures a second}."""
    samples = read_records()[:4 * SIZE]
    x, y = default_collate([(PLAIN(io.decode_image(jpeg)), label) for jpeg, label in samples])
    batch = {size: (x[:size].contiguous(memory_format=torch.channels_last), y[:size])
             for size in (SIZE // 4, SIZE, 4 * SIZE)}
    update, half = updater(network('squeezenet1_1')), updater(network('squeezenet1_1'), bfloat16=True)
    nchw = updater(network('squeezenet1_1').to(memory_format=torch.contiguous_format))
    compiled, frozen = updater(torch.compile(network('squeezenet1_1'))), network('squeezenet1_1')
    frozen.features.requires_grad_(False)
    through, head = updater(frozen), updater(network('squeezenet1_1').classifier)
    with torch.no_grad():
        cached = frozen.features(batch[SIZE][0])
    measures = {'computing': lambda: stretch(lambda: update(*batch[SIZE])),
                'computing, bfloat16': lambda: stretch(lambda: half(*batch[SIZE])),
                'computing, not channels_last': lambda: stretch(lambda: nchw(x[:SIZE], y[:SIZE])),
                'computing, torch.compile': lambda: stretch(lambda: compiled(*batch[SIZE])),
                'output layer only': lambda: stretch(lambda: through(*batch[SIZE])),
                'output layer only, cached features': lambda: stretch(lambda: head(cached, batch[SIZE][1]))}
    for size in (SIZE // 4, 4 * SIZE):
        measures[f'computing, batch size {size}'] = lambda size=size: stretch(lambda: update(*batch[size]))
    for workers in (0, 2):
        name = f', {workers} reading processes' if workers else ''
        measures[f'reading{name}'] = flowing(lambda x, y: len(x), workers)
        measures[f'all together{name}'] = flowing(update, workers)
        measures[f'all together, bfloat16{name}'] = flowing(half, workers)
    return measures


if __name__ == '__main__':
    torch.manual_seed(0)
    serve(variants())

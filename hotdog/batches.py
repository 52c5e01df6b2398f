"""Read RecordIO files in batches, as the networks want them."""
import os

import mxnet as mx

from hotdog import records, weights

MEAN, STD = 255 * weights.MEAN, 255 * weights.STD  # of the pixels that the source models were trained with


class RecordIter:
    """Iterate over a RecordIO file in batches: float32 data (n, 3, 224, 224), normalised, and labels (n,).

    With `augment`, pictures are shuffled, and at random cropped, scaled by 0.875 to 1.5 (MXNet enlarges what is
    smaller than the crop), mirrored, and changed in brightness, contrast and colour; the same on every run.
    `mx.io.ImageRecordIter` either fills the last batch from the next epoch's pictures, which that epoch then lacks, or
    with left-overs that it does not mark: here the last batch is cut to its real pictures.
    """

    def __init__(self, record_file, batch_size=32, augment=False):
        self.count, self.augment, self.epoch = len(records.labels(record_file)), augment, 0
        self.options = dict(path_imgrec=str(record_file), batch_size=min(batch_size, self.count),
                            data_shape=(3, 224, 224), resize=256, round_batch=False, preprocess_threads=2,
                            prefetch_buffer=1,  # MXNet never frees what lies there at the end (its issue 15218)
                            verbose=False)
        for c, mean, std in zip('rgb', MEAN, STD):
            self.options.update({f'mean_{c}': float(mean), f'std_{c}': float(std)})
        index = records.index_of(record_file)
        if augment and os.path.exists(index):  # without it, only pictures that lie near each other are shuffled
            self.options['path_imgidx'] = index

    def __len__(self):
        return -(-self.count // self.options['batch_size'])

    def __iter__(self):
        random_view = dict(shuffle=True, seed=self.epoch, seed_aug=self.epoch, rand_crop=True, rand_mirror=True,
                           min_random_scale=0.75, max_random_scale=1.5, brightness=0.25, contrast=0.25, saturation=0.35,
                           random_h=6, pca_noise=0.05) if self.augment else {}
        self.epoch += 1  # one seed for all epochs would give the same few views again
        left = self.count
        for batch in mx.io.ImageRecordIter(**self.options, **random_view):
            # MXNet soon fills the same memory with another batch, so whoever keeps a batch needs a copy
            data, label = (part[0][:left].as_in_context(mx.cpu()) for part in (batch.data, batch.label))
            left -= len(data)
            yield data, label

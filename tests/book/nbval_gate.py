"""What nbval 0.11 lets pass and this book does not: another picture, a cell never executed, a kernel that died.

`install()` adds it to nbval's classes, since nbval offers no hook of its own; and each notebook gets its kernel.
"""
import base64
import io
import time
from queue import Empty

import numpy as np
from nbval import kernel, plugin
from PIL import Image, ImageChops, ImageFilter

from book import notebooks

SHIFT = 5  # pixels of the square within which a colour may have moved: the layout depends on the fonts' hinting
AREA = 4  # radius in pixels of the squares over which what is left of the difference is averaged
# oneDNN sums batch normalisation in an order that depends on the processor's cache: what trains with it differs from
# machine to machine. Tests of the stored outputs check what the pages claim of it (tests/pages/test_numbers.py).
VARIES = ('scratch_net', 'bn_net', 'show_history(')
TOLERANCE = 60  # of 255, this average; test_gate.py shows what passes and what does not


def difference(reference, other):
    """Return in a few words how two PNG pictures (base64 text) differ, or None.

    A pixel should lie between the darkest and the lightest of the other picture's pixels around it, both ways round;
    by how much it does not is averaged over small squares. In size they may differ by three pixels.
    """
    one, two = (Image.open(io.BytesIO(base64.b64decode(png))).convert('RGBA') for png in (reference, other))
    if max(abs(a - b) for a, b in zip(one.size, two.size)) > 3:
        return f'a picture of {two.size} pixels instead of {one.size}'
    one, two = (Image.alpha_composite(Image.new('RGBA', one.size, 'white'), picture).convert('RGB')
                .filter(ImageFilter.GaussianBlur(1)) for picture in (one, two.resize(one.size)))
    beyond = np.maximum(_beyond(one, two), _beyond(two, one)).max(axis=2)
    worst = np.asarray(Image.fromarray(beyond).filter(ImageFilter.BoxBlur(AREA))).max()
    return f'another picture: somewhere it differs by {worst} of 255' if worst > TOLERANCE else None


def _beyond(picture, other):
    """Return by how much each pixel is lighter or darker than all those of the other picture around it."""
    lighter = ImageChops.subtract(picture, other.filter(ImageFilter.MaxFilter(SHIFT)))
    darker = ImageChops.subtract(other.filter(ImageFilter.MinFilter(SHIFT)), picture)
    return np.maximum(np.asarray(lighter), np.asarray(darker))


def install():
    """Let nbval compare pictures, refuse cells without execution count, and notice at once that a kernel died."""
    compare_outputs, runtest = plugin.IPyNbCell.compare_outputs, plugin.IPyNbCell.runtest
    await_reply, setup = kernel.RunningKernel.await_reply, plugin.IPyNbFile.setup

    def setup_with_its_kernel(self):
        self.config.option.nbval_kernel_name = name = notebooks.kernel(self.path)
        self.config.option.nbval_current_env = name == 'python3'
        setup(self)

    def compare_with_pictures(self, test, ref, skip_compare=None):
        if any(name in self.cell.source for name in VARIES):
            return True
        if not compare_outputs(self, test, ref, (*self.parent.skip_compare, 'image/svg+xml')):  # drawn like the pixels
            return False
        pictures, references = ([output['data']['image/png'] for output in outputs
                                 if 'image/png' in output.get('data', ())] for outputs in (test, ref))
        if len(pictures) != len(references):
            self.comparison_traceback.append(f'{len(pictures)} pictures instead of {len(references)}')
        self.comparison_traceback += filter(None, map(difference, references, pictures))
        return not self.comparison_traceback

    def run_executed_cell(self):
        if self.cell.execution_count is None:
            self.raise_cell_error('The stored cell was never executed, so there is nothing to compare: make notebooks')
        try:
            runtest(self)
        except RuntimeError as error:
            self.raise_cell_error(str(error))

    def await_reply_of_the_living(self, msg_id, timeout=None):
        end = time.monotonic() + (float('inf') if timeout is None else timeout)
        while True:
            try:
                return await_reply(self, msg_id, min(1, max(0, end - time.monotonic())))
            except Empty:
                if not self.is_alive():
                    raise RuntimeError('The kernel died') from None
                if time.monotonic() >= end:
                    raise

    plugin.IPyNbFile.setup = setup_with_its_kernel
    plugin.IPyNbCell.compare_outputs = compare_with_pictures
    plugin.IPyNbCell.runtest = run_executed_cell
    kernel.RunningKernel.await_reply = await_reply_of_the_living

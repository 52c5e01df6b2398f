"""Take one picture: render a scene, treat the result as a camera would, and look whether it shows its thing."""
import io
import os
import random
import tempfile
import time
from collections import Counter

import bpy
import numpy as np
from PIL import Image, ImageFilter

import scenes

SIZE = 256
ATTEMPTS = 12


def take(seed, samples):
    """Render the scene at hand and give its pixels, height x width x 3 from 0 to 1."""
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device = 'CYCLES', 'CPU'
    scene.cycles.samples, scene.cycles.max_bounces, scene.cycles.seed = samples, 3, seed % 2 ** 31
    scene.cycles.use_denoising, scene.cycles.denoiser = True, 'OPENIMAGEDENOISE'
    scene.cycles.denoising_prefilter, scene.cycles.denoising_quality = 'FAST', 'BALANCED'
    scene.cycles.use_adaptive_sampling = scene.cycles.use_light_tree = False  # faster at this few samples
    scene.render.threads_mode, scene.render.threads = 'FIXED', 1
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.render.image_settings.file_format, scene.render.image_settings.compression = 'PNG', 0
    scene.view_settings.view_transform, scene.view_settings.look = 'AgX', 'AgX - High Contrast'
    scene.view_settings.exposure = .8
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = os.path.join(folder, 'picture.png')
        bpy.ops.render.render(write_still=True)
        with Image.open(scene.render.filepath) as image:
            return np.asarray(image.convert('RGB'), np.float32) / 255


def photograph(pixels, r):
    """Make a picture look as if a camera had taken it: exposure, colours, blur, grain, vignette."""
    noise = np.random.default_rng(r.getrandbits(32))
    low, high = np.percentile(pixels, (1, 99))  # what a camera does by itself, more or less: contrast, white, exposure
    stretched = (pixels - low) / max(.15, high - low)
    pixels = (pixels + r.uniform(0, .5) * (stretched - pixels)).clip(0, 1)
    tint = pixels.mean((0, 1)) + .02
    pixels = pixels * (tint.mean() / tint) ** r.uniform(.2, .6)
    brightness = min(.7, max(.3, r.gauss(.54, .06)))
    gamma = np.log(brightness) / np.log(min(.95, max(.05, pixels.mean())))  # black stays black, and white white
    pixels = pixels ** min(2., max(.4, gamma))
    pixels = pixels * np.array([1 + r.gauss(0, .025), 1, 1 + r.gauss(0, .03)], np.float32)
    middle = pixels.mean()
    pixels = middle + (pixels - middle) * r.uniform(1, 1.15)
    grey = pixels.mean(2, keepdims=True)
    pixels = grey + (pixels - grey) * r.uniform(1.05, 1.35)
    image = Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8))
    if r.random() < .25:
        image = image.filter(ImageFilter.GaussianBlur(r.uniform(.3, 1)))
    pixels = np.asarray(image, np.float32) / 255
    y, x = np.mgrid[-1:1:SIZE * 1j, -1:1:SIZE * 1j]
    pixels = pixels * (1 - r.choice([0, 0, r.uniform(0, .25)]) * (x * x + y * y))[..., None]
    pixels += noise.normal(0, r.choice([.003, .006, .006, .012]), pixels.shape) * np.array([1, .8, 1.1])
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


def flaw(image):
    """Return what is wrong with a picture that shows nothing, or None."""
    pixels = np.asarray(image.convert('L'), float)
    if pixels.std() < 8:
        return 'uniform'
    return 'dark' if pixels.mean() < 18 else 'bright' if pixels.mean() > 246 else None


def draw(picture, samples):
    """Draw a picture as bytes of a JPEG, with new surroundings until it shows its thing."""
    times = Counter()
    for attempt in range(ATTEMPTS):
        start = time.process_time()
        parts = scenes.build(picture['kind'], picture['seed'], picture['split'], attempt)
        built = time.process_time()
        share, nearest = scenes.share_in_view(parts)
        checked = time.process_time()
        times.update(build=built - start, check=checked - built, attempts=1)
        if share < .12 or nearest < .12:
            continue
        r = random.Random(f'{picture["seed"]}-{attempt}-photograph')
        image = photograph(take(picture['seed'], samples), r)
        times['render'] += time.process_time() - checked
        if not flaw(image):
            data = io.BytesIO()
            image.save(data, 'JPEG', quality=r.randint(86, 90))
            return data.getvalue(), times
    raise RuntimeError(f'{picture["file"]} shows nothing after {ATTEMPTS} attempts: mend its kind or scenes.py')

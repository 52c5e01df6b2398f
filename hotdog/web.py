"""The network in a web page: its weights as a script for `engine/network.js`, and one HTML file with everything in it.
"""
import base64
import hashlib
import html
import json
from pathlib import Path

import numpy as np

from hotdog import batches, classifier

FOLDER = Path(__file__).with_name('engine')
STRIDES = (2, *24 * [1], 1)  # of the convolutions
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
STYLE = """:root { color-scheme: light dark; --color-foreground-border: gray; --color-foreground-primary: canvastext;
  --color-foreground-secondary: graytext; --color-background-secondary: canvas; --color-brand-primary: #c2410c; }
body { font: 1rem/1.5 sans-serif; margin: 1rem auto; max-width: 46rem; padding: 0 1rem; }
"""
PAGE = """<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
<script>if (!/^zh/.test(navigator.language)) document.documentElement.lang = 'en';</script>
</head>
<body>
<main><h1>{title}</h1><p>{note}</p><article id="try"></article></main>
<script>{scripts}</script>
</body>
</html>
"""


def script(arrays, class_of, classes, names=()):
    """Return the script that holds a network's weights for network.js.

    `class_of` tells for each output of which of the `classes` it is, `names` what it is called. Numbers have 16 bits;
    kernels are in the order outputs, rows, columns, inputs.
    """
    kernels = [array.reshape(array.shape[0], -1, 1, 1) if array.ndim == 2 else array for array in arrays[::2]]
    shapes = [[len(kernel), kernel.shape[2], stride, kernel.shape[1]] for kernel, stride in zip(kernels, STRIDES)]
    numbers = [part.ravel() for kernel, bias in zip(kernels, arrays[1::2])
               for part in (kernel.transpose(0, 2, 3, 1), bias)]
    data = base64.b64encode(np.concatenate(numbers).astype('<f2').tobytes()).decode()
    header = {'id': hashlib.sha256(data.encode()).hexdigest()[:12], 'classes': list(classes), 'threshold': 0.5,
              'mean': list(batches.MEAN), 'std': list(batches.STD),
              'names': list(names), 'classOf': list(class_of), 'shapes': shapes, 'data': data}
    return f'var Weights = {json.dumps(header)};\n'.replace('<', '\\u003c')  # a class may be named as a tag


def page(net, classes, title, note):
    """Return one HTML page that classifies pictures by a SqueezeNet with an output for each class, and asks no server.

    `title` and `note` are plain text.
    """
    parts = [(FOLDER / f'{name}.js').read_text() for name in ('labels', 'network', 'picture')]
    parts += [script(classifier.arrays_of(net), range(len(classes)), classes), (FOLDER / 'try.js').read_text()]
    return PAGE.format(policy=POLICY, title=html.escape(title), note=html.escape(note), scripts='\n'.join(parts),
                       style=STYLE + (FOLDER / 'try.css').read_text())

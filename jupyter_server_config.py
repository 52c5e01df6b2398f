"""Settings of `make lab`: a page that is saved unchanged stays unchanged, under every version of Python."""
import json
from pathlib import Path


def keep_metadata(model, path, contents_manager, **_):
    """Keep the metadata that a saved notebook has; Lab would write the reader's version of Python into it."""
    file = Path(contents_manager.root_dir, path)
    if model['type'] == 'notebook' and file.exists():
        model['content']['metadata'] = json.loads(file.read_text(encoding='utf-8'))['metadata']


c.ContentsManager.pre_save_hook = keep_metadata  # noqa: F821 (Jupyter defines c)

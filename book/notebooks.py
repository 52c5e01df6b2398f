"""What executing and rendering share: the pages, their notebooks, and the settings of a run."""
import ast
import os
import re
from itertools import zip_longest
from pathlib import Path

import jupytext
import nbformat

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path('_build')
CHAPTER = Path('chapter_fine_tuning')
PYTORCH = ROOT / '.venv-pytorch'  # the environment of the page `pytorch`; MXNet and PyTorch need different NumPys
os.environ['JUPYTER_PATH'] = os.pathsep.join(filter(None, [  # where its kernel is, then the reader's own
    str(PYTORCH / 'share' / 'jupyter'), os.environ.get('JUPYTER_PATH')]))
# Settings that utils.py takes from the environment: they change what the notebooks show.
SETTINGS = ('PHOTOS', 'DEMO', 'SOURCE_MODEL')
METADATA = {  # as JupyterLab writes it, so that a page saved unchanged stays unchanged
    'jupytext': {'cell_metadata_filter': '-all,.input,tags', 'notebook_metadata_filter': '-all'},
    'kernelspec': {'display_name': 'Python 3 (ipykernel)', 'language': 'python', 'name': 'python3'},
    'language_info': {'codemirror_mode': {'name': 'ipython', 'version': 3}, 'file_extension': '.py',
                      'mimetype': 'text/x-python', 'name': 'python', 'nbconvert_exporter': 'python',
                      'pygments_lexer': 'ipython3', 'version': '3.11.7'}}
LABELS = {  # of drawings, in the Chinese edition
    'epoch': '轮', 'updates': '更新次数', 'training loss': '训练损失', 'validation AUROC': '验证集AUROC',
    'test AUROC': '测试集AUROC', 'accuracy': '准确率', 'cross-entropy': '交叉熵', 'training': '训练',
    'validation': '验证', 'fine-tuning': '微调', 'from scratch': '从头训练', 'frozen features': '冻结特征',
    'source model': '源模型', 'photographs of each class': '每类的照片数', 'all layers trained': '训练所有层',
    'copied layers, of 9': '复制的层数（共9层）', 'share of the fine-tuned weights': '微调后的权重所占的份额',
    'renders': '渲染图', 'photographs': '照片', 'threshold': '阈值', 'precision': '查准率', 'recall': '查全率',
    'f1': 'F1', 'old answers kept': '保持原来回答的比例', 'linear probe': '线性探测', 'last module': '最后一个模块',
    'layer-wise rates': '逐层学习率', 'gradual unfreezing': '逐步解冻', 'probe first': '先探测后微调'}


def pages(start=Path('index.md')):
    """Return the paths of the pages that hold code, in the order of reading: a page, then those that its toc names."""
    text = start.read_text()
    toc = re.search(r'^```toc\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
    names = [line.strip() for line in toc[1].splitlines()] if toc else []
    paths = [start] if start.parent == CHAPTER and '```python .input' in text else []
    for name in names:
        if name and not name.startswith(':'):
            paths += pages(start.parent / f'{name}.md')
    return paths


def needs_pytorch(page):
    """Return whether a page or notebook runs in the environment of PyTorch."""
    return chinese(Path(page)).stem == 'pytorch'


def kernel(page):
    """Return the name of the kernel that runs a page, None when its environment is not there."""
    if not needs_pytorch(page):
        return 'python3'
    return 'pytorch' if (PYTORCH / 'share' / 'jupyter' / 'kernels' / 'pytorch').exists() else None


def read_page(page):
    """Return a page's text as a notebook without outputs, always with the same metadata and cell ids."""
    notebook = jupytext.read(page)
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f'{Path(page).stem}-{number}'
    return notebook


def code_cells(notebook):
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


def english(page):
    """Return the path of the English edition of a page, which shows the outputs of the Chinese one."""
    return page.with_stem(f'{page.stem}_en')


def chinese(page):
    """Return the path of the page whose outputs a page shows: its own, or the Chinese edition of an English page."""
    return page.with_stem(page.stem.removesuffix('_en'))


def tree(cell):
    """Return a code cell's syntax tree as text: the same for cells that differ in comments and layout only."""
    try:
        return ast.dump(ast.parse(cell.source))
    except SyntaxError:  # a magic command
        return cell.source


def difference(notebook, other):
    """Return the number of the first code cell in which two notebooks differ, else None; comments do not count."""
    pairs = zip_longest(map(tree, code_cells(notebook)), map(tree, code_cells(other)))
    return next((number for number, (one, another) in enumerate(pairs, 1) if one != another), None)


def attach_outputs(notebook, executed):
    """Attach the outputs of `executed` to the notebook's code cells; raise ValueError when that holds other code."""
    number = difference(notebook, executed)
    if number:
        raise ValueError(f'code cell {number} is not the one that was executed')
    for cell, source in zip(code_cells(notebook), code_cells(executed), strict=True):
        cell.outputs, cell.execution_count = source.outputs, source.execution_count
    return notebook


def in_chinese(drawing):
    """Return a drawing (SVG) with its labels in Chinese; what `LABELS` has not stays."""
    drawing = drawing.replace("'DejaVu Sans'", "'DejaVu Sans', 'Noto Sans CJK SC'")  # the PDF's own font
    return re.sub(r'(?<=>)[^<>]+(?=</text>)', lambda label: LABELS.get(label[0].strip(), label[0]), drawing)


def settings():
    """Return the settings of this run that are not the default, as {name: text}; PHOTOS as an absolute path.

    Raises NotADirectoryError when PHOTOS is not a folder.
    """
    chosen = {name: os.environ[name] for name in SETTINGS if os.environ.get(name)}
    if 'PHOTOS' in chosen:
        folder = Path(chosen['PHOTOS']).expanduser().resolve()
        if not folder.is_dir():
            raise NotADirectoryError(f'PHOTOS={chosen["PHOTOS"]} is not a folder: name one that holds train and test')
        chosen['PHOTOS'] = str(folder)
    return chosen

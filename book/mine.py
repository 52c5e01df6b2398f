"""From a folder of photographs to a classifier: python -m book.mine FOLDER (make mine PHOTOS=FOLDER).

Trains, executes the page `your_photographs` on the folder, and writes mine/NAME with the classifier and the report in
both languages.
"""
import os
import re
import sys

import nbconvert
import nbformat

from book import execute, notebooks

PAGE = notebooks.CHAPTER / 'your_photographs.md'
HTML = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<style>body {{ font: 1rem/1.6 sans-serif; max-width: 46rem; margin: 1rem auto; padding: 0 1rem; }}
img {{ max-width: 100%; background: white; }} table {{ border-collapse: collapse; }} td, th {{ padding: .2rem .7rem;
border-bottom: 1px solid gray; text-align: right; }} .anchor-link {{ display: none; }}</style></head>
<body>{body}</body></html>
"""


def report(notebook, language):
    """Return an executed page as one HTML file without its code: the sections that show something of the pictures."""
    title = notebook.cells[0].source.splitlines()[0].removeprefix('# ')
    last = max(i for i, cell in enumerate(notebook.cells) if cell.cell_type == 'code')
    sections = [[]]
    for cell in notebook.cells[:last + 1]:
        if cell.source.startswith('## '):
            sections.append([])
        if cell.cell_type == 'markdown':  # no space between Chinese sentences
            cell.source = re.sub('([，。；：？！])\n(?=[^*\n])', r'\1', cell.source)
        sections[-1].append(cell)
    kept = notebook.copy()
    kept.cells = [nbformat.v4.new_markdown_cell(f'# {title}')] + [
        cell for section in sections if any(cell.get('outputs') for cell in section) for cell in section]
    exporter = nbconvert.HTMLExporter(template_name='basic', exclude_input=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(kept)
    body = body.replace('$F_1$', '<i>F</i><sub>1</sub>')  # the only formula, and MathJax would be 2 MB
    return HTML.format(language=language, title=title, body=body)


def main(folder):
    """Do all of it; on bad input say in one sentence what is wrong."""
    os.environ['PHOTOS'] = folder
    try:
        os.environ.update(notebooks.settings())
        import utils  # reads PHOTOS
        data = utils.load_data()
        utils.trained(data, utils.try_gpu())
        editions = execute.read_editions(PAGE)
        execute.run(editions[PAGE], PAGE, 3600)
        target = utils.taken_away('mine', data)
        for path, notebook in editions.items():
            notebooks.attach_outputs(notebook, editions[PAGE])
            language = 'zh' if path == PAGE else 'en'
            (target / f'report{"" if language == "zh" else "_en"}.html').write_text(report(notebook, language))
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit('stopped; what was packed is kept')
    print((target / 'CARD.md').read_text())
    print(f'{target} has the classifier (open classifier.html), CARD.md, report.html and report_en.html')


if __name__ == '__main__':
    os.chdir(notebooks.ROOT)
    if len(sys.argv) != 2:
        sys.exit('type make mine PHOTOS=FOLDER, a folder that holds a folder of pictures for each class')
    main(sys.argv[1])

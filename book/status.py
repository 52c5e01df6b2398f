"""The status page: what the notebooks were executed with, as recorded when they were."""
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from book import notebooks

DATA = ('data/*.rec', 'data/*.idx', 'data/manifest.csv')  # of the demo set
WORDS = {
    'zh': {'title': '运行记录', 'intro': '本书各页的输出是这样得到的：下面的内容都在执行时记下，不是手写的。',
           'notebooks': '笔记本', 'notebook': '笔记本', 'seconds': '用时（秒）', 'finished': '完成于（协调世界时）',
           'seeds': '随机种子', 'missing': '没有记录：输出取自随书的笔记本', 'machine': '硬件与系统', 'cpu': '处理器',
           'cores': '核数', 'memory': '内存（GiB）', 'gpus': 'GPU', 'system': '系统', 'none': '无',
           'packages': '软件版本', 'settings': '设置', 'data': '数据', 'file': '文件', 'hash': 'SHA-256',
           'photos': '{}张照片（所有文件的名字与内容合成一个校验和）', 'name': '名称', 'value': '值'},
    'en': {'title': 'As executed', 'intro': 'This is how the outputs in this book were made. Everything below was '
           'recorded when the notebooks were executed; nothing is written by hand.',
           'notebooks': 'Notebooks', 'notebook': 'Notebook', 'seconds': 'Run time (s)', 'finished': 'Finished (UTC)',
           'seeds': 'Random seeds', 'missing': 'Not recorded: the outputs are those of the stored notebooks',
           'machine': 'Hardware and system', 'cpu': 'Processor', 'cores': 'Cores', 'memory': 'Memory (GiB)',
           'gpus': 'GPU', 'system': 'System', 'none': 'none', 'packages': 'Software versions', 'settings': 'Settings',
           'data': 'Data', 'file': 'File', 'hash': 'SHA-256', 'name': 'Name', 'value': 'Value',
           'photos': '{} photographs (one checksum of all their names and contents)'}}


def gpus():
    """List the names of the NVIDIA GPUs that the driver shows."""
    if not shutil.which('nvidia-smi'):
        return []
    result = subprocess.run(['nvidia-smi', '--query-gpu=name', '--format=csv,noheader'], capture_output=True, text=True)
    return result.stdout.split('\n')[:-1] if result.returncode == 0 else []


def data_hashes(chosen):
    """Hash the data that the notebooks read: {file: SHA-256}, or {count of files: SHA-256} for a folder."""
    if 'PHOTOS' not in chosen:
        files = sorted(path for pattern in DATA for path in Path('.').glob(pattern))
        return {str(path): notebooks.file_digest(path) for path in files}
    folder = Path(chosen['PHOTOS'])
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    listing = [(str(path.relative_to(folder)), notebooks.file_digest(path)) for path in files]
    return {str(len(files)): notebooks.digest(listing)}


def record(chosen, environment, notebook, seconds):
    """Describe one notebook's execution, which has just ended: a JSON text."""
    cpu = re.search(r'^model name\s*: (.*)', Path('/proc/cpuinfo').read_text(), re.MULTILINE)
    code = '\n'.join(cell.source for cell in notebooks.code_cells(notebook))
    names = re.findall(r'^ *- ([\w-]+)==', (notebooks.ROOT / 'environment.yml').read_text(), re.MULTILINE)
    settings = {name: 'photos' if name == 'PHOTOS' else value for name, value in chosen.items()}
    return json.dumps({
        'seconds': round(seconds, 1), 'finished': datetime.now(UTC).strftime('%Y-%m-%d %H:%M'),
        'seeds': sorted({int(number) for number in re.findall(r'\bseed\((\d+)\)', code)}),
        'machine': {'cpu': cpu[1] if cpu else platform.machine(), 'cores': os.cpu_count(),
                    'memory': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1),
                    'gpus': ', '.join(gpus()), 'system': platform.platform()},
        'packages': {'python': platform.python_version(), **{name: importlib.metadata.version(name) for name in names}},
        'settings': settings | environment, 'photos': 'PHOTOS' in chosen, 'data': data_hashes(chosen)},
        ensure_ascii=False, indent=1)


def table(head, rows):
    """Write a reStructuredText table whose cells are plain text, but for the files and checksums."""
    lines = ['.. list-table::', '   :header-rows: 1', '']
    for row in (head, *rows):
        lines += [f'   {"*" if column == 0 else " "} - {cell}' for column, cell in enumerate(row)]
    return '\n'.join(lines) + '\n'


def page(executed, language):
    """Write the status page of the notebooks in the folder `executed` in reStructuredText."""
    words, records, rows = WORDS[language], [], []
    for name in notebooks.pages():
        file = executed / f'{name.stem}.json'
        if file.exists():
            records.append(json.loads(file.read_text()))
            found = records[-1]
            rows.append((f'``{name.stem}``', found['seconds'], found['finished'],
                         ', '.join(map(str, found['seeds'])) or words['none']))
        else:
            rows.append((f'``{name.stem}``', words['missing'], '', ''))
    sections = {'notebooks': table([words[key] for key in ('notebook', 'seconds', 'finished', 'seeds')], rows)}
    if records:
        last, head = records[-1], (words['name'], words['value'])
        sections['machine'] = table(head, [(words[key], value or words['none'])
                                           for key, value in last['machine'].items()])
        sections['packages'] = table(head, last['packages'].items())
        sections['settings'] = table(head, [(f'``{key}``', value) for key, value in last['settings'].items()])
        files = [(words['photos'].format(key) if last['photos'] else f'``{key}``', f'``{value}``')
                 for key, value in last['data'].items()]
        if files:
            sections['data'] = table((words['file'], words['hash']), files)
    text = f'{words["title"]}\n{"=" * 40}\n\n{words["intro"]}\n'
    for name, content in sections.items():
        text += f'\n{words[name]}\n{"-" * 40}\n\n{content}'
    return text


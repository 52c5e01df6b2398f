"""Execute students' notebooks locked up by bubblewrap: `nbgrader_config.py` tells `nbgrader autograde` to do it so."""
import html
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.font_manager  # which looks for the fonts, once
import nbformat
from nbconvert.utils.pandoc import pandoc
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Integer

MEMORY_BYTES, FILE_BYTES, PROCESSES = 12 << 30, 50 << 20, 300
RUNNER = str(Path(__file__).resolve().with_name('run_notebook.py'))
HOME = '/student'  # where the kernel works, in memory alone
BOOK = '/book'  # where it finds utils.py and the data
NOBODY = 65534  # the user whom a kernel runs as when root grades: no limit on processes binds root
ENVIRONMENT = {'DNNL_MAX_CPU_ISA': 'AVX2', 'OPENBLAS_CORETYPE': 'Haswell', 'OMP_NUM_THREADS': '2',
               'ATEN_CPU_CAPABILITY': 'avx2', 'MKL_CBWR': 'AVX2',
               'OMP_WAIT_POLICY': 'PASSIVE', 'PYTHONHASHSEED': '0', 'MPLBACKEND': 'agg', 'TQDM_DISABLE': '1',
               'LANG': 'C.UTF-8', 'USER': 'student', 'NBGRADER_EXECUTION': 'autograde',
               'PATH': os.pathsep.join([str(Path(sys.executable).parent), '/usr/bin', '/bin'])}
FORMULA = re.compile(r'\$\$.+?\$\$|\$[^$\n<]+\$', re.DOTALL)
REASONS = {'zh': {'time': '运行超过了时限，已被终止；后面的单元格没有运行。',
                  'dead': '内核中途退出；后面的单元格没有运行。',
                  'output': '输出太多，已被终止；后面的单元格没有运行。'},
           'en': {'time': 'It ran too long and was stopped; the cells after it did not run.',
                  'dead': 'The kernel died; the cells after it did not run.',
                  'output': 'It put out too much and was stopped; the cells after it did not run.'}}


def language_of(name):
    """Return the language of an exercise, 'zh' or 'en', told by its name."""
    return 'en' if name.endswith('_en') else 'zh'


def command(book, isolated):
    """Return the command line, to be followed by a program's, that limits it and locks it up without network or files.

    The program sees the interpreter and the folder `book`, and writes to folders in memory only. Not isolated, it has
    the limits alone.
    """
    limits = ['prlimit', f'--as={MEMORY_BYTES}', f'--fsize={FILE_BYTES}', '--core=0']
    if not isolated:
        home = tempfile.gettempdir()
        variables = {**ENVIRONMENT, 'HOME': home, 'MPLCONFIGDIR': home, 'PYTHONPATH': str(book)}
        return [*limits, 'env', '-i', '-C', home, *(f'{name}={value}' for name, value in variables.items())]
    room = ['bwrap', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv', '--proc', '/proc',
            '--dev', '/dev', '--chdir', HOME]
    if os.getuid() == 0:  # a user namespace would know root alone
        room += ['--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try',
                 '--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID']
        limits += ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups']
    else:
        room += ['--unshare-all']
    for folder in ('/tmp', '/dev/shm', HOME):
        room += ['--perms', '1777', '--size', str(1 << 30), '--tmpfs', folder]
    for path in ('/bin', '/lib', '/lib64', '/sbin'):
        room += ['--symlink', os.readlink(path), path] if os.path.islink(path) else shown(path, path)
    for path in ('/usr', '/etc/ld.so.cache', '/etc/localtime', '/etc/fonts', '/etc/alternatives', sys.prefix,
                 os.path.realpath(sys.base_prefix), sys.base_prefix, RUNNER):
        room += shown(path, path)
    for path in Path(matplotlib.get_cachedir()).glob('fontlist-*.json'):  # searching for fonts takes seconds
        room += shown(path, f'{HOME}/matplotlib/{path.name}')
    room += [*shown(book, BOOK), '--remount-ro', '/', '--remount-ro', '/dev']
    for name, value in {**ENVIRONMENT, 'HOME': HOME, 'MPLCONFIGDIR': f'{HOME}/matplotlib', 'PYTHONPATH': BOOK}.items():
        room += ['--setenv', name, value]
    return [*room, *limits[:1], f'--nproc={PROCESSES}', *limits[1:]]


def shown(path, target):
    """Return the arguments that show a path in the room; bubblewrap alone would let none but root enter the folders."""
    folders = list(Path(target).parents)[-2::-1]
    return [argument for folder in folders for argument in ('--perms', '0755', '--dir', str(folder))] + [
        '--ro-bind-try', str(path), str(target)]


def offline(assignment, student, **_):
    """Make feedback pages work without a network: formulas become MathML, and no script is fetched.

    `student` may be `*`, all of them: nbgrader calls it after every notebook.
    """
    for path in Path('feedback').glob(f'{student}/{assignment}/*.html'):
        page, count = re.subn(r'<script[^>]*(?:src="http|x-mathjax).*?</script>', '', path.read_text(), flags=re.DOTALL)
        if not count:
            continue
        texts = re.split(r'(<div class="text_cell_render.*?</div>)', page, flags=re.DOTALL)
        found = [html.unescape(formula[0]) for text in texts[1::2] for formula in FORMULA.finditer(text)]
        drawn = pandoc('\n\n'.join(found), 'markdown', 'html', ['--mathml'])
        drawn = re.findall('<math.*?</math>', drawn, re.DOTALL)
        if len(drawn) == len(found):  # else a student's own formula is none that pandoc knows
            texts[1::2] = [FORMULA.sub(lambda _, left=drawn: left.pop(0), text) for text in texts[1::2]]
        path.write_text(''.join(texts))


class SandboxedExecute(NbGraderPreprocessor):
    """Run a notebook in the sandbox; when its kernel hangs, dies or floods us, the cells from there on fail."""

    isolated = Bool(True, help='Whether bubblewrap locks the notebook up.').tag(config=True)
    cell_seconds = Integer(180, help='How long a cell may run.').tag(config=True)
    notebook_seconds = Integer(300, help='How long a notebook may run.').tag(config=True)
    output_bytes = Integer(5_000_000, help='The size that all outputs together may have.').tag(config=True)

    def run(self, nb, book):
        """Return the report of `run_notebook.py`, or one that says that the program died."""
        limits = [str(limit) for limit in (self.cell_seconds, self.notebook_seconds, self.output_bytes)]
        with tempfile.TemporaryFile('w+') as source, tempfile.TemporaryFile('w+') as report:
            json.dump([cell.source for cell in nb.cells if cell.cell_type == 'code'], source)  # a tag may skip one
            source.seek(0)
            process = subprocess.Popen([*command(book, self.isolated), sys.executable, RUNNER, *limits], stdin=source,
                                       stdout=report, stderr=subprocess.DEVNULL, start_new_session=True)
            try:
                process.wait(self.notebook_seconds + 60)
                report.seek(0)
                return json.load(report)
            except (subprocess.TimeoutExpired, ValueError):
                return {'outputs': [], 'stopped': 'dead'}
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def preprocess(self, nb, resources):
        """Return the notebook with the outputs of its cells, and the resources; stderr is no error."""
        language = language_of(resources['nbgrader']['assignment'])
        report = self.run(nb, Path(language).resolve())
        cells = [cell for cell in nb.cells if cell.cell_type == 'code']
        for cell, outputs in zip(cells, report['outputs']):
            cell.outputs = [nbformat.from_dict(output) for output in outputs]
            for output in cell.outputs:
                if output.output_type == 'stream':
                    output.name = 'stdout'
        sentence = REASONS[language].get(report['stopped'])
        for cell in cells[max(0, len(report['outputs']) - 1):] if sentence else ():
            cell.outputs = [output for output in cell.outputs if output.output_type == 'stream'][:1] + [
                nbformat.v4.new_output('error', ename='Stopped', evalue=sentence, traceback=[sentence])]
        return nb, resources

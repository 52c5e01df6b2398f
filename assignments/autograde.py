"""Grade one notebook of one student with nbgrader, its kernel locked up by bubblewrap; tools/grade.py starts this.

The folder that it is called with is a course of its own: `job.json`, the handed-in `submission.ipynb` and a copy of the
gradebook. It leaves `autograded/`, `feedback/`, the changed gradebook and `result.json`.
"""
import ctypes
import json
import os
import resource
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import matplotlib.font_manager  # which looks for the fonts, once
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute

from assignments import generate as assignment
from book import execute
from book.notebooks import ROOT

CELL_SECONDS, NOTEBOOK_SECONDS = 180, 300
OUTPUT_BYTES = 5_000_000  # of all outputs of a notebook together
MEMORY_BYTES, FILE_BYTES, PROCESSES = 12 << 30, 200 << 20, 300
PR_SET_PDEATHSIG = 1
HOME = '/student'  # where the kernel works, in memory alone
NOBODY = 65534  # the user whom a kernel runs as when root grades: no limit on processes binds root
SENTENCES = {
    'zh': {'time': '运行超过了{}秒，已被终止；后面的单元格没有运行。',
           'dead': '内核中途退出；后面的单元格没有运行。',
           'output': '输出超过了{} MB，已被终止；后面的单元格没有运行。',
           'stopped': '没有运行：前面的单元格已使内核终止。',
           'missing': '缺少单元格{}，已补上学生版的原样。',
           'twice': '单元格{}出现多次，以最后一个为准。',
           'changed': '单元格{}被改动，已恢复原样。',
           'foreign': '这不是本题的笔记本：其中没有一个学生版的单元格。'},
    'en': {'time': 'It ran longer than {} seconds and was stopped; the cells after it did not run.',
           'dead': 'The kernel died here; the cells after it did not run.',
           'output': 'It put out more than {} MB and was stopped; the cells after it did not run.',
           'stopped': 'Not run: a cell before this one ended the kernel.',
           'missing': 'The cell {} is missing; it was put back as it is in the student version.',
           'twice': 'The cell {} occurs more than once; the last one counts.',
           'changed': 'The cell {} was changed; it was put back as it was.',
           'foreign': 'This is not the notebook of this exercise: it has no cell of the student version.'}}


class Refused(Exception):
    """A submission that cannot be graded; the message is for the student."""


def sandbox(course, isolated):
    """Give the command line that a kernel's own is appended to: limits, and a room with no network and no files.

    The room has the programs, the book's code and data to read, and folders in memory to write to.
    """
    root = os.getuid() == 0
    limits = ['prlimit', f'--as={MEMORY_BYTES}', f'--fsize={FILE_BYTES}', '--core=0',
              f'--nproc={PROCESSES + threads_of(NOBODY if root else os.getuid())}']
    if not isolated:
        home = course / 'home'
        for path in files():
            (home / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, home / path.relative_to(ROOT))
        variables = {**environment(), 'HOME': str(home), 'MPLCONFIGDIR': str(home)}
        return limits + ['env', '-i', '-C', str(home), *(f'{name}={value}' for name, value in variables.items())]
    room = ['bwrap', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv',
            '--proc', '/proc', '--dev', '/dev', '--chdir', HOME]
    for folder in ('/tmp', '/dev/shm', HOME):
        room += ['--perms', '1777', '--size', str(1 << 30), '--tmpfs', folder]
    if root:  # a user namespace would know root alone
        room += ['--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try',
                 '--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID']
        for path in (course / 'run', *(course / 'run').iterdir()):
            os.chown(path, NOBODY, NOBODY)
    else:
        room += ['--unshare-all']
    for name in ('/bin', '/lib', '/lib64', '/sbin'):
        if os.path.islink(name):
            room += ['--symlink', os.readlink(name), name]
        else:
            room += shown(name, name)
    programs = {'/usr', '/etc/ld.so.cache', '/etc/localtime', '/etc/fonts', '/etc/alternatives', sys.prefix,
                os.path.realpath(sys.base_prefix), sys.base_prefix}
    for path in sorted(programs):
        room += shown(path, path)
    for path in files():
        room += shown(path, f'{HOME}/{path.relative_to(ROOT)}')
    for path in Path(matplotlib.get_cachedir()).glob('fontlist-*.json'):  # searching for fonts takes seconds
        room += shown(path, f'{HOME}/matplotlib/{path.name}')
    room += shown(course / 'run', course / 'run', '--bind')  # the kernel's sockets
    room += ['--remount-ro', '/', '--remount-ro', '/dev']
    for name, value in environment().items():
        room += ['--setenv', name, value]
    return limits + room + (['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups'] if root else [])


def shown(path, target, option='--ro-bind-try'):
    """Give the arguments that show a path in the room; bubblewrap alone would let none but root enter the folders."""
    folders = list(Path(target).parents)[-2::-1]
    return [argument for folder in folders for argument in ('--perms', '0777', '--dir', str(folder))] + [
        option, str(path), str(target)]


def files():
    """List the files of the book that a notebook may use."""
    return [ROOT / name for name in assignment.SHARED]


def environment():
    """Give the environment of a kernel: nothing of the teacher's own."""
    return {**execute.REPRODUCIBLE, 'HOME': HOME, 'MPLCONFIGDIR': f'{HOME}/matplotlib', 'USER': 'student',
            'LANG': 'C.UTF-8', 'MPLBACKEND': 'agg', 'OMP_WAIT_POLICY': 'PASSIVE',  # leaves a busy machine its cores
            'PATH': os.pathsep.join([str(Path(sys.executable).parent), '/usr/bin', '/bin']), 'GRADING': '1'}


def threads_of(user):
    """Count the threads of a user, which the limit on processes counts as well."""
    count = 0
    for status in Path('/proc').glob('[0-9]*/status'):
        try:
            lines = dict(line.split(':', 1) for line in status.read_text().splitlines() if ':' in line)
        except OSError:  # it has ended
            continue
        count += int(lines['Threads']) if int(lines['Uid'].split()[0]) == user else 0
    return count


class LockedKernelManager(AsyncKernelManager):
    """Start kernels behind a command line of our own, and talk to them through files: they have no network."""

    def __init__(self, **options):
        course = Path.cwd()
        super().__init__(transport='ipc', ip=str(course / 'run' / 'kernel'),
                         connection_file=str(course / 'run' / 'kernel.json'), **options)
        self.isolated = json.loads((course / 'job.json').read_text())['isolated']

    def format_kernel_cmd(self, extra_arguments=None):
        """Put the sandbox before the kernel's command."""
        return sandbox(Path.cwd(), self.isolated) + super().format_kernel_cmd(extra_arguments)


class LockedExecute(Execute):
    """Run a notebook until its kernel hangs, dies or floods us; the cells after that fail with a sentence."""

    def __init__(self, *args, **options):
        super().__init__(*args, kernel_manager_class=LockedKernelManager, **options)

    def preprocess(self, nb, resources, km=None):
        """Execute the notebook; what a cell writes to stderr is no error."""
        job = json.loads(Path('job.json').read_text())
        self.sentences, self.limits = SENTENCES[job['language']], job['limits']
        self.ended, self.size, self.deadline = None, 0, time.monotonic() + self.limits['notebook']
        self.interrupt_on_timeout, self.error_on_timeout, self.shutdown_kernel = False, {}, 'immediate'
        self.timeout_func = lambda cell: max(1, min(self.limits['cell'], int(self.deadline - time.monotonic())))
        nb, resources = super().preprocess(nb, resources, km)
        for cell in nb.cells:
            for output in cell.get('outputs', []):
                if output.output_type == 'stream':
                    output.name = 'stdout'
        return nb, resources

    def preprocess_cell(self, cell, resources, index):
        """Execute a cell, or say why it was not executed."""
        if cell.cell_type != 'code':
            return cell, resources
        sentence = self.sentences['stopped'] if self.ended else None
        if not self.ended:
            seconds = self.timeout_func(cell)
            try:
                return super().preprocess_cell(cell, resources, index)
            except CellTimeoutError:
                sentence = self.sentences['time'].format(seconds)
            except DeadKernelError:
                flooded = self.size > self.limits['output']
                sentence = self.sentences['output'].format(self.limits['output'] // 10**6) if flooded \
                    else self.sentences['dead']
            self.ended = sentence
            with suppress(ProcessLookupError):
                os.killpg(self.km.provisioner.pgid, signal.SIGKILL)
        cell.outputs = [output for output in cell.outputs if output.output_type == 'stream'][:1] + [
            nbformat.v4.new_output('error', ename='Stopped', evalue=sentence, traceback=[sentence])]
        return cell, resources

    def process_message(self, msg, cell, cell_index):
        """Take a message of the kernel, unless there have been too many."""
        self.size += len(str(msg['content']))
        if self.size > self.limits['output']:
            self.task_poll_for_reply.cancel()  # nbclient takes it for a dead kernel
            return None
        return super().process_message(msg, cell, cell_index)


def rebuild(handed_in, release, sentences):
    """Put the student's solutions and own cells into a fresh student version; return it and remarks on what differed.

    The tests, the given cells and everything nbgrader needs to know are thus ours, whatever was done to the notebook.
    """
    ours = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells if 'nbgrader' in cell.metadata}
    theirs, own, remarks, last = {}, {None: []}, [], None
    for cell in handed_in.cells:
        name = cell.metadata.get('nbgrader', {})
        name = name.get('grade_id') if isinstance(name, dict) else None
        if isinstance(name, str) and name in ours:
            if name in theirs:
                remarks.append(sentences['twice'].format(name))
            theirs[name], last = cell.source, name
            own[name] = own.pop(name, [])
        elif cell.cell_type in ('code', 'markdown'):
            new = nbformat.v4.new_code_cell if cell.cell_type == 'code' else nbformat.v4.new_markdown_cell
            own.setdefault(last, []).append(new(cell.source))
    if not theirs:
        raise Refused(sentences['foreign'])
    cells = own[None]
    for name, cell in ours.items():
        if name not in theirs:
            remarks.append(sentences['missing'].format(name))
        elif cell.metadata.nbgrader.solution:
            cell.source = theirs[name]
        elif cell.source.strip() != theirs[name].strip():
            remarks.append(sentences['changed'].format(name))
        cells += [cell, *own.get(name, [])]
    release.cells = cells
    for number, cell in enumerate(cells):
        cell.id = f'cell-{number}'
    return release, list(dict.fromkeys(remarks))


def grade(job):
    """Grade the notebook of this folder; return the result."""
    student, name, sentences = job['student'], job['exercise'], SENTENCES[job['language']]
    release = nbformat.read(Path(job['release']), as_version=4)
    try:
        handed_in = nbformat.read('submission.ipynb', as_version=4)
        notebook, remarks = rebuild(handed_in, release, sentences)
    except Refused as error:
        return {'message': str(error)}
    except Exception:  # whatever nbformat makes of a file that may hold anything
        return {'message': job['unreadable']}
    path = Path('submitted', student, name, f'{name}.ipynb')
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    settings = assignment.config(Path.cwd(), job['language'])
    settings.Autograde.autograde_preprocessors = [LockedExecute if step is Execute else step for step
                                                  in Autograde.autograde_preprocessors.make_dynamic_default()]
    settings.HTMLExporter.sanitize_html = True  # the page is opened in the teacher's browser
    api = NbGraderAPI(config=settings)
    for step in (api.autograde, api.generate_feedback):
        result = step(name, student)
        if not result['success']:
            raise RuntimeError(result.get('error') or result.get('log'))
    executed = nbformat.read(Path('autograded', student, name, f'{name}.ipynb'), as_version=4)
    ends = [output.evalue for cell in executed.cells for output in cell.get('outputs', [])
            if output.output_type == 'error' and output.ename == 'Stopped']
    return {'message': ' '.join(ends[:1] + remarks)}


def main():
    """Grade, and leave the result as a file."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.chdir(sys.argv[1])
    job = json.loads(Path('job.json').read_text())
    Path('run').mkdir()
    result = grade(job)
    shutil.rmtree('run')
    Path('result.json').write_text(json.dumps(result))


if __name__ == '__main__':
    main()

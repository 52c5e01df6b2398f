"""Measure what the page 'larger' tells and write data/larger.json: python -m book.larger (about 15 minutes).

Nothing else should run meanwhile. Each section is one run, in which what is compared takes turns, so that whatever else
the machine does meets all alike; numbers of two sections, or of two runs, are not comparable. `python -m book.larger
costs` measures one section anew. MXNet and PyTorch are started as programs of their own, each in its environment.
"""
import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / 'data' / 'larger.json'
PYTHON = {'MXNet': ROOT / '.venv' / 'bin' / 'python', 'PyTorch': ROOT / '.venv-pytorch' / 'bin' / 'python'}
WORKER = {'MXNet': 'book.worker_mxnet', 'PyTorch': 'book.worker_pytorch'}
RESNET = {'MXNet': 'resnet18_v2', 'PyTorch': 'resnet18'}
SIZE = 32  # pictures of a batch in the first table
SECONDS = float(os.environ.get('SECONDS', 2))  # of one measurement there; 0 tries the program with a single step


def stretch(step):
    """Return the pictures a second of `step()`, which returns how many it had, over a few seconds."""
    start, count = time.perf_counter(), 0
    while not count or time.perf_counter() - start < SECONDS:
        count += step()
    return count / (time.perf_counter() - start)


def serve(measures):
    """Print the names of the measurements, then measure what is asked, line by line: the two sides take turns."""
    print('names', json.dumps(list(measures)), flush=True)
    for name in sys.stdin:
        print('rate', measures[name.strip()](), flush=True)


def answer(process, kind):
    """Return what follows `kind` on the next line that begins with it. Raises RuntimeError when none comes."""
    for line in process.stdout:
        if line.startswith(f'{kind} '):
            return json.loads(line[len(kind):])
    raise RuntimeError(f'{process.args} stopped without an answer')


def work(description, train, resnet):
    """Read a worker's options, let `train(options)` return rank, losses and seconds, and write them as RANK.json."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='where results and checkpoints go')
    parser.add_argument('--network', default='squeezenet1_1', choices=('squeezenet1_1', resnet))
    parser.add_argument('--batch-size', type=int, default=16, help='pictures of one worker in one step')
    parser.add_argument('--steps', type=int, default=4)
    parser.add_argument('--rate', type=float, default=0.001)
    parser.add_argument('--checkpoint', action='store_true', help='keep what is needed to go on, after every step')
    parser.add_argument('--resume', action='store_true', help='go on from the checkpoint in the folder')
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rank, losses, seconds = train(options)
    (options.folder / f'{rank}.json').write_text(json.dumps({'losses': losses, 'seconds': seconds}))


def costs(turns):
    """Return {framework: {what: {'rate', 'range'}}}: training on all cores, everything in turn."""
    programs = {('MXNet', 'float32'): 'book.larger_mxnet', ('MXNet', 'bfloat16'): 'book.larger_mxnet',
                ('PyTorch', ''): 'book.larger_pytorch'}
    running = {key: subprocess.Popen([PYTHON[key[0]], '-m', module, key[1]], cwd=ROOT, text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
               for key, module in programs.items()}
    try:
        wanted = [(key, name) for key, process in running.items() for name in answer(process, 'names')]
        rates = {item: [] for item in wanted}
        for turn in range(turns + 1):
            for key, name in wanted[::-1] if turn % 2 else wanted:
                running[key].stdin.write(f'{name}\n')
                running[key].stdin.flush()
                rates[key, name].append(answer(running[key], 'rate'))
            print(f'{turn} of {turns} turns', flush=True)
    finally:
        for process in running.values():
            process.kill()
    table = {framework: {} for framework in PYTHON}
    for (key, name), values in rates.items():  # the first turn warms up
        table[key[0]][name] = summary(values[1:])
    return table


def summary(values):
    """Return the median of some values, the smallest and the largest, with four digits."""
    one, low, high = (float(f'{f(values):.4g}') for f in (statistics.median, min, max))
    return {'rate': one, 'range': [low, high]}


def command(framework, workers, folder, *options, restarts=0):
    """Return the command that starts some workers together, or one alone."""
    worker = ['-m', WORKER[framework], str(folder), *map(str, options)]
    if workers == 1:
        return [str(PYTHON[framework]), *worker]
    if framework == 'MXNet':
        return [str(PYTHON[framework]), '-m', 'book.launch', '-n', str(workers), '-s', '1',
                str(PYTHON[framework]), *worker]
    return [str(PYTHON[framework]), '-m', 'torch.distributed.run', '--standalone', '--local-addr', '127.0.0.1',
            '--max-restarts', str(restarts), '--nproc-per-node', str(workers), *worker]


def settings():
    """Return the environment variables of workers: a thread each, which talk on this machine.

    Workers that torchrun starts again would find the addresses of the dead ones in its own store, so they get another.
    """
    return {**os.environ, 'OMP_NUM_THREADS': '1', 'GLOO_SOCKET_IFNAME': 'lo', 'MASTER_ADDR': '127.0.0.1',
            'TORCH_DISABLE_SHARE_RDZV_TCP_STORE': '1'}


def together(framework, workers, *options, apart=False):
    """Let workers train and return [{'losses', 'seconds'}], one a worker; with `apart`, none knows of the others.

    Raises RuntimeError with what they printed when one fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder, str(i)) for i in range(workers)] if apart else [Path(folder, 'all')]
        processes = [subprocess.Popen(command(framework, 1 if apart else workers, place, *options), cwd=ROOT,
                                      env=settings(), text=True, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, start_new_session=True) for place in folders]
        printed = []
        try:
            printed = [process.communicate(timeout=300)[0] for process in processes]
        finally:
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        files = [place / f'{rank}.json' for place in folders for rank in range(1 if apart else workers)]
        if not all(file.exists() for file in files):
            raise RuntimeError(f'{workers} workers of {framework} failed:\n' + '\n'.join(printed))
        return [json.loads(file.read_text()) for file in files]


def run_one(framework, folder, *options, workers=1):
    """Let workers train in a folder that stays. Raises CalledProcessError when they fail."""
    subprocess.run(command(framework, workers, folder, *options), cwd=ROOT, env=settings(), check=True,
                   stdout=subprocess.DEVNULL, timeout=300)


def mean_losses(results):
    """Return the losses of all workers' pictures, one a step: their shares are of the same size."""
    return [statistics.mean(losses) for losses in zip(*(result['losses'] for result in results))]


def largest_difference(one, two):
    """Return the largest difference of two lists."""
    return max(abs(a - b) for a, b in zip(one, two, strict=True))


def equal(_):
    """Return {framework: {workers: largest difference of four losses to those of one worker with their batches}}."""
    table = {framework: {} for framework in PYTHON}
    for framework in PYTHON:
        alone = mean_losses(together(framework, 1, '--batch-size', 32))
        for workers in (2, 4):
            losses = mean_losses(together(framework, workers, '--batch-size', 32 // workers))
            table[framework][workers] = float(f'{largest_difference(alone, losses):.1g}')
    return table


def processes(turns):
    """Return [{framework, network, workers, apart, rate, range}]: pictures a second of workers with a thread each."""
    kinds = [(framework, name[framework], workers, apart) for framework in PYTHON
             for name, counts in (({key: 'squeezenet1_1' for key in PYTHON}, (1, 2, 4)), (RESNET, (1, 2)))
             for workers in counts for apart in ((False, True) if workers > 1 else (False,))]
    rates = {kind: [] for kind in kinds}
    for turn in range(turns):
        for kind in kinds[::-1] if turn % 2 else kinds:
            framework, name, workers, apart = kind
            results = together(framework, workers, '--network', name, '--steps', 7, apart=apart)
            step = statistics.median(max(times) for times in zip(*(result['seconds'][1:] for result in results)))
            rates[kind].append(16 * workers / step)
            print(f'turn {turn + 1} of {turns}: {kind}: {rates[kind][-1]:.1f} pictures/s', flush=True)
    return [dict(zip(('framework', 'network', 'workers', 'apart'), kind)) | summary(values)
            for kind, values in rates.items()]


def kill_one(framework, folder, restarts=0, patience=60):
    """Kill worker 1 of 2 after its third step and return what the launcher does within some seconds."""
    process = subprocess.Popen(command(framework, 2, folder, '--steps', 8, '--checkpoint', restarts=restarts), cwd=ROOT,
                               env=settings(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    victim = None
    for line in process.stdout:  # two workers may write on one line
        found = re.search(r'worker 1 of 2: process (\d+)', line)
        victim = int(found[1]) if found else victim
        if 'worker 1: step 2,' in line:
            os.kill(victim, signal.SIGKILL)
            break
    start = time.perf_counter()
    try:
        rest = process.communicate(timeout=patience)[0]
        result = {'launcher': 'ended', 'exit status': process.returncode}
    except subprocess.TimeoutExpired as error:
        rest, result = (error.output or b'').decode(), {'launcher': 'waits'}
    result |= {'seconds': round(time.perf_counter() - start, 1), 'patience': patience,
               'last step of worker 0': max(map(int, re.findall(r'worker 0: step (\d+)', rest)), default=2)}
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return result


def killed(_):
    """Return {framework: what happens when a worker is killed, and how the losses go on from the checkpoint}."""
    table = {}
    for framework in PYTHON:
        whole = mean_losses(together(framework, 2, '--steps', 8))
        for restarts in (0, 1) if framework == 'PyTorch' else (0,):
            with tempfile.TemporaryDirectory() as folder:
                result = kill_one(framework, Path(folder), restarts)
                if not restarts:
                    run_one(framework, folder, '--steps', 8, '--resume', workers=2)
                results = [json.loads(Path(folder, f'{rank}.json').read_text()) for rank in (0, 1)]
                losses = mean_losses(results)
                result['steps done after going on'] = len(losses)
                result['largest difference to a run that nobody stopped'] = float(
                    f'{largest_difference(losses, whole[-len(losses):]):.1g}')
            table[framework + (', --max-restarts 1' if restarts else '')] = result
            print(framework, restarts, result, flush=True)
    return table


def machine():
    """Return {name: text} of the machine and the versions."""
    versions = {key: subprocess.run([PYTHON[key], '-c', f'import {key.lower().replace("py", "")} as x; '
                                     'print(x.__version__)'], capture_output=True, text=True, check=True).stdout.strip()
                for key in PYTHON}
    cpu = re.search(r'^model name\s*: (.*)', Path('/proc/cpuinfo').read_text(), re.MULTILINE)
    return {'date': time.strftime('%Y-%m-%d'), 'processor': cpu[1] if cpu else platform.machine(),
            'cores': len(os.sched_getaffinity(0)), **versions}


SECTIONS = {'costs': costs, 'equal': equal, 'processes': processes, 'killed': killed}


def main():
    """Measure the sections that are asked for and put them into the file, one by one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('sections', nargs='*', help=f'some of {", ".join(SECTIONS)}; all when none is named')
    parser.add_argument('--turns', type=int, default=3, help='of all that is compared (3)')
    options = parser.parse_args()
    names = options.sections or SECTIONS
    unknown = sorted(set(names) - set(SECTIONS))
    if unknown:
        parser.error(f'no such section: {", ".join(unknown)}')
    if not PYTHON['PyTorch'].exists():
        parser.error('the environment of PyTorch is missing: run make pytorch')
    for name in names:
        table = {**machine(), 'turns': options.turns, 'measured': SECTIONS[name](options.turns)}
        result = json.loads(FILE.read_text()) if FILE.exists() else {}
        FILE.write_text(json.dumps({**result, name: table}, indent=1) + '\n')


if __name__ == '__main__':
    main()

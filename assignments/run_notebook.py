"""Execute a notebook within the sandbox: the list of its code cells comes on stdin, a report leaves on stdout.

Arguments: the seconds for a cell, the seconds for the notebook, the bytes of all outputs. The report is JSON:
`{'outputs': [the list of outputs of each cell that ran], 'stopped': None, 'time', 'dead' or 'output'}`.
"""
import json
import os
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError


class Client(NotebookClient):
    """Run a notebook, but for no longer than it may, and take no more outputs than it may make."""

    def __init__(self, notebook, cell_seconds, notebook_seconds, output_bytes):
        self.ran, self.room, end = [], output_bytes, time.monotonic() + notebook_seconds
        super().__init__(notebook, allow_errors=True, record_timing=False, kernel_name='python3',
                         shutdown_kernel='immediate', on_cell_start=lambda cell, cell_index: self.ran.append(cell),
                         timeout_func=lambda cell: max(1, min(cell_seconds, int(end - time.monotonic()))))

    def process_message(self, msg, cell, cell_index):
        """Take a message of the kernel, unless there have been too many."""
        self.room -= len(str(msg['content']))
        if self.room < 0:
            self.task_poll_for_reply.cancel()  # nbclient takes it for a dead kernel
            return None
        return super().process_message(msg, cell, cell_index)


def main():
    """Execute the notebook and report, however it ends."""
    report = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what the kernel itself prints is no part of the report
    cells, stopped = [nbformat.v4.new_code_cell(source) for source in json.load(sys.stdin)], None
    client = Client(nbformat.v4.new_notebook(cells=cells), *map(int, sys.argv[1:]))
    try:
        client.execute()
    except CellTimeoutError:
        stopped = 'time'
    except DeadKernelError:
        stopped = 'output' if client.room < 0 else 'dead'
    json.dump({'outputs': [cell.outputs for cell in client.ran], 'stopped': stopped}, report)


if __name__ == '__main__':
    main()

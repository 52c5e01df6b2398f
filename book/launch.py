"""MXNet's launcher on one machine, for today's Python: python -m book.launch -n 2 -s 1 COMMAND.

`mxnet/tools/launch.py` comes with the package, but asks a thread `isAlive()`, which Python 3.9 has removed, and takes
this machine's address from a network, which may not be there.
"""
import os
import runpy
import sys
import threading

from dmlc_tracker import tracker

if __name__ == '__main__':
    threading.Thread.isAlive = threading.Thread.is_alive
    tracker.get_host_ip = lambda address=None: '127.0.0.1'  # of the scheduler
    os.environ['DMLC_NODE_HOST'] = '127.0.0.1'  # of each worker and server
    sys.argv[1:1] = ['--launcher', 'local']
    runpy.run_module('mxnet.tools.launch', run_name='__main__')

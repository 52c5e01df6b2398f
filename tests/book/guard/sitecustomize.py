"""Let no Python process that the tests start reach another machine: conftest.py names this folder in PYTHONPATH."""
import sys


def guard(event, arguments):
    """Raise RuntimeError when a socket is to be connected elsewhere, or a name to be looked up."""
    if event in ('socket.connect', 'socket.sendto'):
        host = arguments[1][0] if isinstance(arguments[1], tuple) else None
    elif event == 'socket.getaddrinfo':
        host = arguments[0]
    else:
        return
    if isinstance(host, str) and host not in ('', 'localhost', '127.0.0.1', '0.0.0.0', '::1'):
        raise RuntimeError(f'a test wants to reach {host}')


sys.addaudithook(guard)

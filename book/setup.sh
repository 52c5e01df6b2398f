#!/bin/bash
# Make .venv from requirements.lock. $1 is the stamp, written last: a .venv without it is made anew.
set -euo pipefail
fail() {
    echo "make: $1" >&2
    exit 1
}

system=$(uname -sm)
native='the page pytorch runs natively (environment_pytorch.yml), and '
[ "$system" != 'Darwin x86_64' ] || native=''  # PyTorch has no wheels for Intel Macs any more
[ "$system" = 'Linux x86_64' ] || fail "MXNet 1.9.1 runs on Linux on x86-64 only: on this machine ($system) ${native}\
the whole book runs in WSL (Windows) or in Docker (Dockerfile)"
exec 9< requirements.lock
flock 9  # a second make waits, and finds the stamp
if [ -e "$1" ]; then exit; fi
libraries='libgomp1 libquadmath0'  # mxnet needs them, and a bare Debian lacks them
if ! dpkg -s $libraries > /dev/null 2>&1 && ! ldconfig -p | grep libquadmath.so.0 > /dev/null; then  # -q breaks the pipe
    [ "$(id -u)" = 0 ] || fail "mxnet needs two system libraries, please type: sudo apt-get install $libraries"
    apt-get update -qq
    apt-get install -qq --no-install-recommends $libraries
fi
for python in python3.11 python3 ''; do
    "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null && break
done
[ "$python" ] || command -v uv > /dev/null ||
    fail 'Python 3.11 with its module venv is missing, and MXNet 1.9.1 takes no later one: install python3.11-venv (Debian 12:'\
' python3-venv) or uv, or run only the page pytorch (environment_pytorch.yml), which takes Python 3.11 to 3.14'

rm -rf .venv
finish() {
    { set +x; } 2> /dev/null
    [ -e "$1" ] || { rm -rf .venv; fail '.venv is not set up, see above; is there a network?'; }
}
trap 'finish "$1"' EXIT
if [ "$python" ]; then
    set -x
    "$python" -m venv .venv
    # pip itself first: Debian 12's cannot build one of the packages
    sed -n '/^pip==/,/[^\\]$/p' requirements.lock | .venv/bin/pip install -q --require-hashes -r /dev/stdin
    .venv/bin/pip install -q --require-hashes --no-deps -r requirements.lock
else
    set -x
    uv venv --python 3.11 .venv
    uv pip sync --python .venv/bin/python --require-hashes requirements.lock
fi
ln -s "$(.venv/bin/python -c 'import pypandoc; print(pypandoc.get_pandoc_path())')" .venv/bin/pandoc
touch "$1"

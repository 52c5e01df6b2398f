#!/bin/bash
# Make .venv from requirements.lock, or leave everything as it was and say in one sentence what is missing.
# Called by make with the name of the stamp file, which carries the lock's hash and is written last.
set -euo pipefail
stamp=$1
libraries='libgomp1 libquadmath0'  # mxnet does not import without them, and a bare Debian lacks them

fail() {
    echo "make: $1" >&2
    exit 1
}

cleanup() {
    rm -f "$log"
    if [ ! -e "$stamp" ]; then
        rm -rf .venv
        if [ -d .venv.previous ]; then mv .venv.previous .venv; fi
    fi
    rm -rf .venv.previous
}

find_python() {
    for candidate in python3.11 python3; do
        if "$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null; then
            echo "$candidate"
            return
        fi
    done
}

check_libraries() {
    .venv/bin/python -c 'import ctypes; [ctypes.CDLL(name) for name in ("libgomp.so.1", "libquadmath.so.0")]' \
        2> /dev/null && return
    command="apt-get update && apt-get install -y --no-install-recommends $libraries"
    echo "Installing the system libraries $libraries"
    if [ "$(id -u)" = 0 ]; then
        sh -c "$command" > "$log" 2>&1 && return
    elif sudo -n true 2> /dev/null; then
        sudo -n sh -c "$command" > "$log" 2>&1 && return
    fi
    fail "mxnet needs the system libraries $libraries, please type: sudo sh -c '$command'"
}

announce() {
    echo "Installing $(grep -c '^[a-z0-9].*==' requirements.lock) packages into .venv (once; one to three minutes)"
}

install() {
    [ -t 1 ] && terminal=1 || terminal=
    if ! "$@" 2>&1 | tee "$log" | awk -v terminal="$terminal" '/from -r/ && terminal {printf "\r%d packages", ++n}
                                                               END {if (n) print ""}'
    then
        reason=$(grep -iE 'error|hash' "$log" | tail -n 1 || true)
        if grep -qE "HASHES|Hash mismatch|[Ii]nvalid requirement|--hash|Couldn.t parse|Expected" "$log"; then
            fail "requirements.lock is damaged, $restore ($reason)"
        elif grep -qiE 'connection|resolve host|name resolution|timed out|network|dns error|error sending' "$log"; then
            fail "the packages cannot be downloaded, is there a network? make needs it once ($reason)"
        fi
        fail "the packages of requirements.lock cannot be installed ($reason)"
    fi
}

restore='restore it with: git checkout requirements.lock'
for pin in $(sed -n 's/^ *- \([A-Za-z0-9_.-]*==[^ ]*\).*/\1/p' build.yml | tr _ -); do
    grep -q "^$pin " requirements.lock 2> /dev/null || fail "requirements.lock lacks $pin, $restore"
done
exec 9< requirements.lock
flock 9  # a second make waits, and finds the stamp
if [ -e "$stamp" ]; then exit; fi
log=$(mktemp)
trap cleanup EXIT
trap 'exit 130' INT TERM
if ls .venv/lock-* > /dev/null 2>&1; then  # complete, of another lock: kept until the new one is there
    rm -rf .venv.previous
    mv .venv .venv.previous
fi
rm -rf .venv

python=$(find_python)
if [ -n "$python" ]; then
    "$python" -m venv .venv || fail "$python cannot make .venv"
    check_libraries
    announce
    # Debian 12's pip 23.0.1 cannot build one of the packages, so pip itself comes first
    sed -n '/^pip==/,/[^\\]$/p' requirements.lock > .venv/pip.lock
    install .venv/bin/python -m pip install --require-hashes --no-deps -r .venv/pip.lock
    install .venv/bin/python -m pip install --require-hashes --no-deps -r requirements.lock
elif command -v uv > /dev/null; then
    uv venv --quiet --python 3.11 .venv || fail 'uv cannot make .venv with Python 3.11'
    check_libraries
    announce
    install uv pip install --python .venv/bin/python --require-hashes --no-deps -r requirements.lock
else
    fail 'Python 3.11 with its venv module is missing: install python3.11-venv (Debian 12: python3-venv) or uv'
fi
broken=$(.venv/bin/python -m pip check) || fail "requirements.lock is damaged, $restore (${broken%%$'\n'*})"
touch "$stamp"

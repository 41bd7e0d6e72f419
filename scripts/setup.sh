#!/usr/bin/env bash
# Make .venv with everything Muniment and its tests need from Python; does nothing when it is up to date.
#
#   PYTHON=/path/to/python3.12 scripts/setup.sh    to choose the interpreter
#   MINIMAL=1 scripts/setup.sh                     make .venv-unit, with what the unit tests need
#
# Versions and hashes come from requirements/dev.txt, or unit.txt; where to download from is the machine's own setting.
set -euo pipefail

cd "$(dirname "$0")/.."
venv=.venv
requirements=requirements/dev.txt
if [ -n "${MINIMAL:-}" ]; then
    venv=.venv-unit
    requirements=requirements/unit.txt
fi
stamp=$venv/.muniment-setup

# A Python of 3.11 to 3.14, the machine's own first: prints its path.
find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# Runs its words as root, or fails.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

apt_install() {
    command -v apt-get >/dev/null || return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null 2>&1 ||
        { as_root apt-get -qq update >/dev/null 2>&1 &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null; }
}

make_venv() {
    local version
    rm -rf "$venv"
    if "$python" -m venv "$venv" >/dev/null 2>&1; then return; fi
    # Debian and Ubuntu ship the venv module's other half as a package of its own.
    version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    rm -rf "$venv"
    if apt_install "$version" && "$python" -m venv "$venv" >/dev/null; then return; fi
    rm -rf "$venv"
    if command -v uv >/dev/null && uv venv -q --seed --python "$python" "$venv"; then return; fi
    echo "$python cannot make a virtual environment: install $version (as root: apt-get install $version)." >&2
    exit 1
}

# uv is quicker but does not read pip's settings; where it fails, pip has the last word.
install_requirements() {
    if command -v uv >/dev/null &&
        uv pip sync -q --compile-bytecode --python "$venv/bin/python" --require-hashes "$requirements" 2>/dev/null; then
        return
    fi
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r "$requirements"
}

install_project() {
    # Its build tools are among the requirements, so nothing unpinned is fetched to build it.
    if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
    else
        uv pip install -q --python "$venv/bin/python" --no-deps --no-build-isolation -e .
    fi
}

if ! python=$(find_python); then
    if apt_install python3 python3-venv && python=$(find_python); then :; else
        echo "Muniment needs Python 3.11 to 3.14 and found none${PYTHON:+ at $PYTHON}." >&2
        echo "Install one (as root: apt-get install python3 python3-venv), or name one: make setup PYTHON=/path/to/python3" >&2
        exit 1
    fi
fi

# Where the project lies is part of the stamp: an environment that was moved or copied does not work.
now=$({
    pwd
    sed -n '/^\[build-system\]/,/^# ---/p' pyproject.toml
    cat "$requirements" "$0"
    [ -z "${PYTHON:-}" ] || "$python" -c 'import sys; print(sys.version_info[:2])'
} | sha256sum | cut -d' ' -f1)
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
    exit 0
fi

echo "Setting up $venv with $("$python" --version)"
if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || [ ! -e "$stamp" ] || [ -n "${PYTHON:-}" ]; then
    make_venv
fi
install_requirements
install_project
# As an installed package is; where Python may not write it, every start of the command line would compile it anew.
"$venv/bin/python" -m compileall -q src
echo "$now" >"$stamp"

#!/usr/bin/env bash
# Make .venv-clients with other people's clients for the tests, for Python and Node; does nothing when it is up to date.
set -euo pipefail

cd "$(dirname "$0")/.."
venv=.venv-clients
stamp=$venv/.muniment-setup
now=$({
    pwd
    cat requirements/clients.txt requirements/clients/package-lock.json "$0"
} | sha256sum | cut -d' ' -f1)
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
    exit 0
fi

echo "Setting up $venv with clients for Python and Node"
rm -rf "$venv"
.venv/bin/python -m venv "$venv"
if command -v uv >/dev/null &&
    uv pip sync -q --compile-bytecode --python "$venv/bin/python" --require-hashes requirements/clients.txt 2>/dev/null; then :; else
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/clients.txt
fi
mkdir -p "$venv/node"
cp requirements/clients/package.json requirements/clients/package-lock.json "$venv/node"
# Nothing that a package brings along is run.
(cd "$venv/node" && npm ci --silent --no-audit --no-fund --ignore-scripts)
echo "$now" >"$stamp"

#!/usr/bin/env bash
# Make .venv-ckan with a real CKAN for the tests to harvest; does nothing when it is up to date.
set -euo pipefail

cd "$(dirname "$0")/.."
venv=.venv-ckan
stamp=$venv/.muniment-setup
now=$({
    pwd
    cat requirements/ckan.txt "$0"
} | sha256sum | cut -d' ' -f1)
if [ -x "$venv/bin/ckan" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
    exit 0
fi

echo "Setting up $venv with a real CKAN"
rm -rf "$venv"
.venv/bin/python -m venv "$venv"
if command -v uv >/dev/null &&
    uv pip sync -q --compile-bytecode --python "$venv/bin/python" --require-hashes requirements/ckan.txt 2>/dev/null; then :; else
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/ckan.txt
fi
echo "$now" >"$stamp"

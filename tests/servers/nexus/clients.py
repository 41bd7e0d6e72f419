"""Runs programs that use other people's clients, in the environment that `scripts/clients.sh` makes beside ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ENVIRONMENT = Path(sys.prefix).parent / ".venv-clients"
PROGRAMS = Path(__file__).with_name("programs")


def run(program: str | Path, folder: Path, **given: str) -> Any:
    """Run a program in `folder` with `given` as JSON on its standard input; gives what it prints, parsed.

    A name is one of `programs`; a Python program may import what lies in the folder.
    """
    python = Path(program).suffix == ".py"
    command = [str(ENVIRONMENT / "bin" / "python"), "-X", "utf8"] if python else ["node"]
    assert ENVIRONMENT.is_dir(), "the clients are not installed; `make test` installs them (scripts/clients.sh)"
    done = subprocess.run(
        [*command, str(PROGRAMS / program)],
        cwd=folder,
        env={
            **os.environ,
            "NODE_PATH": str(ENVIRONMENT / "node" / "node_modules"),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(folder),
        },
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])

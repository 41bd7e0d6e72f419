"""The `console` blocks of a page, run as a reader types them."""

from __future__ import annotations

import doctest
import re
import subprocess
from itertools import pairwise
from typing import Any

CONSOLE = re.compile(r"^```console\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?P<command>.*(?:\\\n.*)*)$", re.MULTILINE)


def run_console(text: str, **how: Any) -> str | None:
    """Run each line that begins with `$ ` by bash; what went otherwise than it is printed, or None.

    `how` goes to `subprocess.run`: another folder, environment or user.
    """
    commands = list(COMMAND.finditer(text))
    ends = [*(after.start() for _, after in pairwise(commands)), len(text)]
    for match, end in zip(commands, ends, strict=True):
        done: subprocess.CompletedProcess[str] = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", match["command"]],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            **how,
        )
        if done.returncode != 0:
            return f"$ {match['command']}\nended with status {done.returncode}:\n{done.stdout}{done.stderr}"
        promised = text[match.end() + 1 : end].rstrip("\n")
        if promised and not doctest.OutputChecker().check_output(f"{promised}\n", done.stdout, doctest.ELLIPSIS):
            return f"$ {match['command']}\nshould print:\n{promised}\nbut printed:\n{done.stdout}"
    return None

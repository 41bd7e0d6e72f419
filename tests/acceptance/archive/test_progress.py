"""A bar on the terminal gives way to what is printed, and what was meant for a file goes there."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from muniment.cli.context import Context, note
from muniment.cli.output import standard_output
import muniment.cli.context as context
context._SHOW_AFTER = -1.0
sys.stdout = standard_output()
shared = Context(None, None, quiet=False)
with shared.progress() as progress:
    progress("reading", 1, 3)
    print("a result")
    progress("reading", 2, 3)
    note("a note")
    progress("reading", 3, 3)
    print("a last result")
sys.stdout.flush()
"""


NAMES = r"""
import sys
from muniment.cli.context import note
from muniment.cli.output import standard_output
sys.stdout = standard_output()
print("\x1b[31mred\x07\x9b1m\u202e.txt\tgr\u00fcn\n\rover")
note("\x1b]0;title\x07 was refused")
sys.stdout.flush()
"""


def on_a_terminal(output: int | None, program: str = PROGRAM) -> str:
    """What the program shows on a terminal, with its standard output there too or at `output`."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=theirs if output is None else output, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # so a terminal says that nobody is at its other end any more
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return shown.decode()


def rows(shown: str) -> list[str]:
    """What stands on the terminal in the end: a line that is erased is gone."""
    lines = [""]
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", shown):
        if part == "\n":
            lines.append("")
        elif part == "\x1b[2K":
            lines[-1] = ""
        elif part == "\x1b[1A":
            lines.pop()
        elif not part.startswith(("\x1b", "\r")):
            lines[-1] += part
    return [line for line in lines if line]


def test_results_and_notes_stand_on_lines_of_their_own_and_the_bar_is_gone() -> None:
    assert rows(on_a_terminal(None)) == ["a result", "muniment: a note", "a last result"]


def test_what_goes_into_a_file_goes_nowhere_else(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        shown = on_a_terminal(file.fileno())
    assert (tmp_path / "out").read_text() == "a result\na last result\n"
    assert "result" not in shown
    assert "reading" in shown


def test_what_a_terminal_would_obey_in_a_name_is_made_visible(tmp_path: Path) -> None:
    names, refusal = on_a_terminal(None, NAMES).split("muniment: ")
    assert names == "\\x1b[31mred\\x07\\x9b1m\\u202e.txt\tgr\u00fcn\r\n\\rover\r\n"
    assert refusal == "\\x1b]0;title\\x07 was refused\r\n"
    with (tmp_path / "out").open("wb") as file:
        on_a_terminal(file.fileno(), NAMES)
    assert (tmp_path / "out").read_bytes().startswith(b"\x1b[31mred\x07"), "programs get names as they are"

"""The code in the README and the pages of docs/ runs as it stands, in the order a reader meets it.

Python blocks run in one namespace per page. In `console` blocks a line that begins with `$ ` is run by bash
and must succeed; what is printed below it must be its output, where `...` stands for anything. Both run in an
empty folder that holds the few files the pages speak of. A block that cannot run here is marked `text`.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONSOLE = re.compile(r"^```console\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?P<command>.*(?:\\\n.*)*)$", re.MULTILINE)


def console_blocks(document: Document) -> Iterator[Region]:
    for match in CONSOLE.finditer(document.text):
        yield Region(match.start(), match.end(), match["text"], run_console)


def run_console(example: Example) -> str | None:
    text: str = example.parsed
    commands = list(COMMAND.finditer(text))
    ends = [*(after.start() for _, after in pairwise(commands)), len(text)]
    for match, end in zip(commands, ends, strict=True):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", match["command"]],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            return f"$ {match['command']}\nended with status {done.returncode}:\n{done.stdout}{done.stderr}"
        promised = text[match.end() + 1 : end].rstrip("\n")
        if promised and not doctest.OutputChecker().check_output(f"{promised}\n", done.stdout, doctest.ELLIPSIS):
            return f"$ {match['command']}\nshould print:\n{promised}\nbut printed:\n{done.stdout}"
    return None


def has_examples(page: Path) -> bool:
    text = page.read_text(encoding="utf-8")
    return "```python" in text or "```console" in text


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files the pages speak of, where `muniment` is on the path."""
    for name in ("car.png", "horse.png", "photos/one.jpg", "photos/two.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(f"not really {name}".encode())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("MUNIMENT_ARCHIVE", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if has_examples(page)]
)
def test_the_examples_of_a_page_run(page: Path, reader: Path) -> None:
    sybil = Sybil(parsers=[PythonCodeBlockParser(), console_blocks])
    for example in sybil.parse(page).examples():
        example.evaluate()


def test_the_readme_has_examples_in_python_and_for_the_shell() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "```python" in text
    assert "```console" in text

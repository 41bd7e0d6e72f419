"""The code in the README and the pages of docs/ runs as it stands, in the order a reader meets it.

Python blocks run in one namespace per page. In `console` blocks a line that begins with `$ ` is run by bash
and must succeed; what is printed below it must be its output, where `...` stands for anything. A `sh` block is run
by bash as a whole, and what it exports is there in the next one. All run in an empty folder that holds the few files
the pages speak of. A block that cannot run here is marked `text`; of the commands in it at least their options exist.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from typer.main import get_command

from muniment.cli.main import application
from tests.docs.running import CONSOLE, run_console

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SH = re.compile(r"^```sh\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(?:text|sh)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:sudo -u \w+ )?(?:\S*/)?muniment (?P<words>.*)$", re.MULTILINE)


def sh_blocks(document: Document) -> Iterator[Region]:
    for match in SH.finditer(document.text):
        yield Region(match.start(), match.end(), match["text"], run_script)


def run_script(example: Example) -> str | None:
    script = f"[ ! -e .exports ] || . ./.exports\n{example.parsed}\nexport -p > .exports\n"
    with Path(".script-output").open("w+") as output:  # a file, for a server that is started holds it open
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            check=False,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=150,
            stdin=subprocess.DEVNULL,
        )
        output.seek(0)
        return f"{example.parsed}\nended with status {done.returncode}:\n{output.read()}" if done.returncode else None


def console_blocks(document: Document) -> Iterator[Region]:
    for match in CONSOLE.finditer(document.text):
        yield Region(match.start(), match.end(), match["text"], lambda example: run_console(example.parsed))


def has_examples(page: Path) -> bool:
    text = page.read_text(encoding="utf-8")
    return any(f"```{kind}" in text for kind in ("python", "console", "sh"))


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the files the pages speak of, where `muniment` is on the path."""
    for name in ("car.png", "horse.png", "photos/one.jpg", "photos/two.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(f"not really {name}".encode())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("MUNIMENT_ARCHIVE", raising=False)
    (tmp_path / "units").mkdir()
    monkeypatch.setenv("UNITS", str(tmp_path / "units"))
    monkeypatch.setenv("MUNIMENT_DOCS", str(ROOT / "docs"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("PORT", str(free.getsockname()[1]))
    yield tmp_path
    for pid in tmp_path.glob("*.pid"):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(pid.read_text()), signal.SIGTERM)


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if has_examples(page)]
)
def test_the_examples_of_a_page_run(page: Path, reader: Path) -> None:
    sybil = Sybil(parsers=[PythonCodeBlockParser(), console_blocks, sh_blocks])
    for example in sybil.parse(page).examples():
        example.evaluate()


def commands() -> list[tuple[str, list[str]]]:
    """Every command of ours in a block that is not run, with the page it is on."""
    found = []
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8").replace("\\\n", " ")):
            for line in OURS.finditer(block["text"]):
                with contextlib.suppress(ValueError):  # a quotation that goes on in the next line
                    words = shlex.split(line["words"], comments=True)
                    ends = [at for at, word in enumerate(words) if word in {"|", ">", "&&", "||", "&", "…"}]
                    found.append((str(page.relative_to(ROOT)), words[: ends[0]] if ends else words))
    return found


def test_every_command_on_a_page_has_the_options_it_is_given() -> None:
    seen = commands()
    assert len(seen) > 20
    for page, words in seen:
        command: Any = get_command(application())
        with command.make_context("muniment", list(words), resilient_parsing=True) as context:
            below, left = context, [*context._protected_args, *context.args]
            while left and hasattr(below.command, "commands"):
                name, following, left = below.command.resolve_command(below, left)
                assert following is not None, f"{page}: {words}"
                below = following.make_context(name, left, parent=below, resilient_parsing=True)
                left = [*below._protected_args, *below.args]


def test_the_readme_has_examples_in_python_and_for_the_shell() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "```python" in text
    assert "```console" in text

"""What a command loads before it begins, and that its options are read as typer reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from muniment.archive import Archive
from muniment.cli import plain_options
from muniment.cli.plain_options import read_plainly

LISTING = """
import sys
from muniment.cli.main import run
status = run(sys.argv[1:])
heavy = {"pydantic", "pydantic_core", "rich", "fastapi", "sqlalchemy", "httpx", "numpy"}
print(status, len(sys.modules), *sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize("command", [["ls", "--limit", "5"], ["ls", "--json"], ["show", "a"], ["events"], ["head"]])
def test_a_command_that_lists_loads_nothing_heavy(tmp_path: Path, command: list[str]) -> None:
    place = tmp_path / "archive"
    with Archive.init(place, parity=False) as archive, archive.new("a") as transaction:
        transaction.add(b"1", "f")
    ran = subprocess.run(
        [sys.executable, "-c", LISTING, "--archive", str(place), *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=tmp_path,
    )
    status, modules, *heavy = ran.stdout.splitlines()[-1].split()
    assert status == "0", ran.stderr
    assert heavy == []
    assert int(modules) < 400


GIVEN = [
    [],
    ["--text", "é"],
    ["--text", ""],
    ["--text", "\udcff"],
    ["--number", "7"],
    ["--number", "-7"],
    ["--number", "+7"],
    ["--number", "1_0"],
    ["--number", "11"],
    ["--number", "٣"],
    ["--number", "x"],
    ["--many", "a", "--many", "b"],
    ["--kind", "two"],
    ["--kind", "three"],
    ["--flag"],
    ["--place", "/"],
]


def outcome(arguments: list[str]) -> tuple[int, str]:
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    def command(
        text: Annotated[str | None, typer.Option()] = None,
        number: Annotated[int, typer.Option(min=-9, max=10)] = 3,
        many: Annotated[list[str] | None, typer.Option()] = None,
        flag: Annotated[bool, typer.Option("--flag")] = False,
        place: Annotated[Path | None, typer.Option()] = None,
        kind: Annotated[Literal["one", "two"], typer.Option()] = "one",
    ) -> None:
        typer.echo(ascii((text, number, many, flag, place, kind)))

    ran = CliRunner().invoke(app, arguments)
    return ran.exit_code, ran.output


@pytest.mark.parametrize("arguments", GIVEN, ids=repr)
def test_options_are_read_as_typer_reads_them(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    read_plainly()
    plainly = outcome(arguments)
    monkeypatch.setattr(plain_options, "_read", lambda *_, **__: plain_options._HARD)
    assert plainly == outcome(arguments)

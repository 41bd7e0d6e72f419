"""The units for systemd are units, and the server under them may write where its doors write."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from muniment.cli.main import application, options_first

UNITS = sorted((Path(__file__).resolve().parents[2] / "docs/howto/systemd").iterdir())


def read(path: Path) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(section, {}).setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_that_exists_and_may_write_where_it_has_to(path: Path) -> None:
    unit = read(path)
    assert unit["Unit"]["Description"]
    service = unit.get("Service", {})
    for line in service.get("ExecStart", []):
        words = line.split()
        if not words[0].endswith("/muniment"):
            continue
        command = get_command(application())
        with command.make_context("muniment", options_first(words[1:]), resilient_parsing=True) as context:
            assert (context._protected_args or context.args)[0] in {"serve", "work", "audit"}
        named = dict(each.split("=", 1) for each in service["Environment"])
        writable = service["ReadWritePaths"][0].split()
        assert set(named.values()) <= set(writable), "what a door writes to lies outside of what it may write to"
        if words[1] in {"serve", "work"}:
            assert "MUNIMENT_REGISTRATION_STORES" in named, "its default lies beside the archive, which is read-only"


def test_systemd_itself_takes_them(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed here")
    # It wants every program that a unit starts to be there.
    for path in UNITS:
        text = path.read_text("utf-8").replace("/opt/muniment/bin/muniment", "/bin/true")
        (tmp_path / path.name).write_text(text, "utf-8")
    done = subprocess.run(
        [program, "verify", *map(str, tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0

"""`muniment doctor` says what is in order, what will trouble, and what fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.cli.main import run


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUNIMENT_ARCHIVE", str(tmp_path / "archive"))
    assert run(["-q", "init"]) == 0
    return tmp_path / "archive"


def signs(capsys: pytest.CaptureFixture[str], status: int = 0) -> dict[str, dict[str, str]]:
    capsys.readouterr()
    assert run(["doctor", "--json"]) == status
    found: Any = json.loads(capsys.readouterr().out)
    assert found["ok"] is (status == 0)
    return {each["what"]: each for each in found["signs"]}


def test_an_installation_in_order_is_said_to_be(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = signs(capsys)
    assert {name for name, each in found.items() if each["state"] == "warning"} - {"disk"} == {"audit"}
    assert {"program", "parity", "archive", "staging", "control database", "clock"} <= found.keys()
    assert run(["audit"]) == 0
    assert signs(capsys)["audit"]["state"] == "ok"
    assert run(["doctor"]) == 0
    assert "all is well" in capsys.readouterr().out


def test_what_fails_is_named_with_what_to_do(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.chmod(0o777)
    (archive / "control.key").touch()
    (archive / "control.key").chmod(0o644)
    found = signs(capsys, 1)
    assert "chmod o-w" in found["rights"]["said"]
    assert "chmod 600" in found["control key"]["said"]
    archive.chmod(0o755)
    (archive / "control.key").chmod(0o600)
    (archive / "control.db").write_bytes(b"no database at all" * 1000)
    assert signs(capsys, 1)["control database"]["state"] == "failed"
    monkeypatch.setenv("MUNIMENT_FORMAT_TOOL", "siegfried")
    monkeypatch.setenv("PATH", "/nowhere")
    assert signs(capsys, 1)["checks on ingest"]["state"] == "failed"
    monkeypatch.setenv("MUNIMENT_ARCHIVE", "/nowhere/at/all")
    assert signs(capsys, 1)["archive"]["state"] == "failed"
    monkeypatch.delenv("MUNIMENT_ARCHIVE")
    monkeypatch.delenv("MUNIMENT_FORMAT_TOOL")
    assert signs(capsys)["archive"]["state"] == "warning"

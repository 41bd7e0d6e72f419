"""The status a command ends with: 1 means that a check found something, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.cli.main import run
from tests.crash.scenes import AGENT

MUNIMENT = [sys.executable, "-c", "from muniment.cli.main import main; main()"]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    with Archive.init(tmp_path / "archive", agent=AGENT, workers=0) as archive, archive.new("r") as transaction:
        transaction.add(b"content" * 50_000, "file")
    return [*MUNIMENT, "--archive", str(tmp_path / "archive")]


@pytest.mark.parametrize("arguments", [["audit"], ["ls", "--json"], ["get", "r", "file"], ["repair"], ["--help"]])
def test_a_full_standard_output_is_a_failure_of_the_storage(command: list[str], arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*command, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 6
    assert done.stderr.count("\n") == 1
    assert "Standard output could not be written: No space left on device" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_failure(command: list[str]) -> None:
    process = subprocess.Popen([*command, "get", "r", "file"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    assert process.stdout.read(1) == b"c"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


def test_a_closed_standard_output_is_no_failure(command: list[str]) -> None:
    line = 'exec "$@" >&-'
    done = subprocess.run(["sh", "-c", line, "sh", *command, "audit"], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("point", ["a first file", "its parity", "its parity's place"])
def test_ctrl_c_says_what_came_of_it(command: list[str], point: str, tmp_path: Path) -> None:
    """A terminal sends the signal to every process of the command."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(os.urandom(300_000))
    where = {
        "a first file": "muniment.archive.ingest.content_writer.ContentWriter.file",
        "its parity": "muniment.archive.parity.ahead.make_own_sets",
        "its parity's place": "muniment.archive.parity.ahead.place_sets",
    }
    code = (
        "import os, signal, sys, time\n"
        "from unittest import mock\n"
        "from muniment.cli.main import main\n"
        # A run of tests in the background has it ignored, and so would all that it starts.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def stop(*_, **__):\n"
        "    os.killpg(0, signal.SIGINT)\n"
        # Whichever thread the signal comes to, the main one acts on it between two of its steps.
        "    for _ in range(2000): time.sleep(0.05)\n"
        f"with mock.patch({where[point]!r}, stop):\n"
        "    main()\n"
    )
    arguments = [sys.executable, "-c", code, *command[len(MUNIMENT) :], "add", "a", "b", "c", "--id", "s"]
    done = subprocess.run(
        arguments, cwd=tmp_path, capture_output=True, text=True, check=False, start_new_session=True, timeout=120
    )
    assert done.returncode == 130
    told = {
        "a first file": "muniment: interrupted: nothing was stored\n",
        "its parity": "muniment: interrupted: nothing was stored\n",
        "its parity's place": "muniment: interrupted: instance 1 of s is committed; `muniment repair s` makes the "
        "parity it may lack\n",
    }
    assert done.stderr == told[point]
    with Archive(Path(command[-1]), workers=0) as archive:
        assert ("s" in archive) is (point == "its parity's place")
        assert archive.leftovers() == []


def test_a_fault_of_the_program_ends_with_70(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(self: Archive) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Archive, "head", fault)
    assert run(["--archive", command[-1], "head"]) == 70
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "a fault of the program" in said


def test_a_wrong_call_ends_with_2(command: list[str]) -> None:
    environment = {**os.environ, "COLUMNS": "200"}
    for arguments in (["nothing"], ["audit", "--nothing"], ["get"]):
        done = subprocess.run([*command, *arguments], capture_output=True, env=environment, check=False)
        assert done.returncode == 2, arguments

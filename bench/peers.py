"""The others: the commands by which each program takes a folder in and checks what it holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.racing import Command, Racer

PYTHON = sys.executable
BIN = Path(PYTHON).parent
HOME = Path(__file__).resolve().parent.parent


def search_path() -> str:
    """Where programs are looked for: beside this Python first."""
    return os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])


def missing(program: str) -> str:
    """Why a program cannot race; empty when it can."""
    if shutil.which(program, path=search_path()) is None:
        return f"{program} is not installed"
    return ""


def missing_muniment() -> str:
    """Why `muniment` cannot race; empty when it can."""
    if missing("muniment"):
        return missing("muniment")
    said = subprocess.run([BIN / "muniment", "--help"], capture_output=True, check=False)
    return "" if said.returncode == 0 else "`muniment --help` fails"


def python_path() -> Mapping[str, str]:
    """The environment in which modules of this folder are found by `python -m`."""
    return {"PYTHONPATH": os.pathsep.join([str(HOME), str(HOME / "src")])}


def copying(source: Path, out: Path) -> list[Command]:
    """`cp -r`, made durable."""
    return [["cp", "-r", source, out], ["sync", "-f", out]]


def bagit_in(source: Path, out: Path, *digests: str) -> list[Command]:
    """bagit-python: copy, make a bag in place, make it durable. Its digests are by default sha256 and sha512."""
    make: list[str | Path] = [BIN / "bagit.py", "--quiet", "--processes", "2", *digests, out]
    return [["cp", "-r", source, out], make, ["sync", "-f", out]]


def ocfl_in(source: Path, out: Path) -> list[Command]:
    """ocfl-py: create an object, make it durable."""
    make: list[str | Path] = [
        BIN / "ocfl-object.py",
        "create",
        "--objdir",
        out,
        "--srcdir",
        source,
        "--id",
        "urn:bench:1",
    ]
    return [[*make, "--name", "bench", "--message", "bench", "--quiet"], ["sync", "-f", out]]


def restic_new(out: Path) -> list[Command]:
    """An empty repository of restic's."""
    return [["restic", "--no-cache", "-q", "-r", out, "init"]]


def restic_in(source: Path, out: Path) -> list[Command]:
    """restic: back a folder up."""
    return [["restic", "--no-cache", "-q", "-r", out, "backup", source]]


def borg_new(out: Path) -> list[Command]:
    """An empty repository of borg's, not encrypted."""
    return [["borg", "init", "-e", "none", out]]


def borg_in(source: Path, out: Path) -> list[Command]:
    """borg: back a folder up."""
    return [["borg", "create", f"{out}::bench", source]]


def peer_environment(home: Path) -> Mapping[str, str]:
    """What restic and borg need to run unattended and leave nothing in the user's home."""
    return {
        "RESTIC_PASSWORD": "bench",
        "BORG_BASE_DIR": str(home),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
    }


def muniment(out: Path, *words: str | Path) -> Command:
    """A command on the archive at `out`."""
    return [BIN / "muniment", "--archive", out, *words]


def muniment_racer(name: str, source: Path, out: Path, *, digest: str = "", add: tuple[str, ...] = ()) -> Racer:
    """Muniment taking a folder in as a user would; `digest` makes the archive with that one alone."""
    choice = ("--digest", digest) if digest else ()
    return Racer(
        name,
        before=[muniment(out, "init", *choice)],
        timed=[muniment(out, "add", *add, "--id", "bench", source)],
        reason=missing_muniment(),
    )

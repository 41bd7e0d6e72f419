"""From nothing: a clone, a bare virtual environment, an ordinary user, and the tutorial as it is written."""

from __future__ import annotations

import glob
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.running import CONSOLE, run_console

ROOT = Path(__file__).resolve().parents[3]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
ORDINARY = "nobody"
VERSIONS = ("3.11", "3.12", "3.13", "3.14")


def interpreters() -> Iterator[Any]:
    """A Python of each version that is on this machine: on the path, or one of pyenv's."""
    for version in VERSIONS:
        pyenv = glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python{version}"))
        found = shutil.which(f"python{version}", path="/usr/local/bin:/usr/bin") or next(iter(sorted(pyenv)), None)
        if found is not None:
            yield pytest.param(Path(found), id=version)


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder that anybody may enter; pytest's own are closed to others."""
    place = Path(tempfile.mkdtemp(prefix="muniment-first-hour-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def user(room: Path) -> dict[str, Any]:
    """Words for `subprocess.run` that make it somebody without rights, with a home and nothing else of ours."""
    home = room / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_")) or "proxy" in name}
    how: dict[str, Any] = {"env": {**kept, "HOME": str(home), "TERM": "dumb", "COLUMNS": "120", "LANG": "C.UTF-8"}}
    if os.geteuid() == 0:
        account = pwd.getpwnam(ORDINARY)
        os.chown(home, account.pw_uid, account.pw_gid)
        how.update(user=account.pw_uid, group=account.pw_gid, extra_groups=[])
    return how


def reachable(python: Path, room: Path, user: dict[str, Any]) -> Path:
    """The interpreter, copied where the user may not go to where it lies."""
    bare = {name: value for name, value in user.items() if name != "env"}
    try:
        subprocess.run([python, "-c", ""], check=True, env=user["env"], **bare)
    except PermissionError:
        prefix = python.resolve().parents[1]
        copy = room / "python"
        shutil.copytree(prefix, copy, symlinks=True, ignore=shutil.ignore_patterns("test", "tests", "__pycache__"))
        user["env"]["LD_LIBRARY_PATH"] = str(copy / "lib")
        return copy / "bin" / python.name
    return python


def called_python3(python: Path, room: Path) -> Path:
    """A folder in which the interpreter is called `python3`, as the tutorial calls it."""
    if (python.parent / "python3").resolve() == python.resolve():
        return python.parent  # another link would hide from pyenv's where its library is
    names = room / "bin"
    names.mkdir()
    (names / "python3").symlink_to(python)
    return names


@pytest.mark.nightly
@pytest.mark.parametrize("python", list(interpreters()))
def test_the_tutorial_is_done_as_written_from_a_bare_environment(
    python: Path, room: Path, user: dict[str, Any]
) -> None:
    python = reachable(python, room, user)
    clone = user["env"]["HOME"] + "/muniment-source"
    subprocess.run(["git", "clone", "-q", "--no-local", str(ROOT), clone], check=True)
    if "user" in user:
        subprocess.run(["chown", "-R", f"{user['user']}:{user['group']}", clone], check=True)
    user["env"]["PATH"] = f"{called_python3(python, room)}:/usr/bin:/bin"

    first = re.search(r"^```text\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)
    assert first is not None
    assert "pip install '.[server]'" in first[1]
    subprocess.run(["bash", "-euo", "pipefail", "-c", first[1]], cwd=clone, check=True, timeout=2400, **user)

    user["env"]["PATH"] = f"{clone}/muniment/bin:/usr/bin:/bin"
    desk = Path(user["env"]["HOME"]) / "desk"
    subprocess.run(["mkdir", str(desk)], check=True, **user)
    blocks = [match["text"] for match in CONSOLE.finditer(TUTORIAL)]
    assert len(blocks) > 8
    for block in blocks:
        assert run_console(block, cwd=desk, **user) is None
    told = subprocess.run(
        ["muniment", "doctor", "-a", "archive"], cwd=desk, capture_output=True, text=True, check=True, **user
    )
    assert f"Python {python.name.removeprefix('python')}" in told.stdout

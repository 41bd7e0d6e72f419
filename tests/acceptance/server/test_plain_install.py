"""What `pip install muniment` brings is enough for one machine; each extra is asked for by name when it is wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import httpx2
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.servers.native.running import served_by_command

HIDING = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def plainly_installed() -> set[str]:
    """The distributions that come with Muniment and without any of its extras."""
    found: set[str] = set()
    waiting: list[tuple[str, frozenset[str]]] = [("muniment", frozenset())]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue  # for another system or another Python
        found.add(canonicalize_name(name))
        for requirement in map(Requirement, needed):
            wanted = [{"extra": extra} for extra in extras or {""}]
            if requirement.marker is not None and not any(map(requirement.marker.evaluate, wanted)):
                continue
            following = (canonicalize_name(requirement.name), frozenset(requirement.extras))
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Python finds nothing that a plain installation lacks."""
    here = plainly_installed()
    hidden = {
        module
        for module, owners in packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & here
    }
    assert {"celery", "psycopg", "bagit"} <= hidden, "nothing is hidden, so this would prove nothing"
    assert not hidden & {"muniment", "fastapi", "sqlalchemy"}
    hidden.add("opentelemetry.instrumentation")  # it shares its topmost name with what FastAPI brings
    folder = tmp_path_factory.mktemp("plain")
    # Python loads a module of this name at its start, before anything else.
    (folder / "sitecustomize.py").write_text(f"HIDDEN = {hidden!r}\n{HIDING}", "utf-8")
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture
def archive(tmp_path: Path, plain: dict[str, str]) -> Path:
    muniment(plain, tmp_path / "archive", "init")
    return tmp_path / "archive"


def muniment(environment: dict[str, str], archive: Path, *words: str | Path, status: int = 0) -> str:
    command = [sys.executable, "-m", "muniment", "--archive", str(archive), *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if not status else done.stderr


def test_files_go_in_are_served_and_audited(plain: dict[str, str], archive: Path, tmp_path: Path) -> None:
    (tmp_path / "letter").write_bytes(b"Dear reader")
    muniment(plain, archive, "add", "--id", "letters", tmp_path / "letter")
    key = muniment(plain, archive, "key", "create", "keeper", "--admin").strip()
    with served_by_command(archive, key=key, PYTHONPATH=plain["PYTHONPATH"]) as server:
        headers = {"Authorization": f"Bearer {key}"}
        letter = httpx2.get(f"{server.url}archive/v1/resources/letters/instances/1/files/letter", headers=headers)
        assert letter.content == b"Dear reader"
        for door in ("v1/orgs", "api/v1/archives"):
            assert httpx2.get(server.url + door, headers=headers).status_code == 200
    assert "as it was recorded" in muniment(plain, archive, "audit")


@pytest.mark.parametrize("command", ["serve", "work"])
@pytest.mark.parametrize(
    ("setting", "value", "extra"),
    [
        ("MUNIMENT_BROKER", "redis://127.0.0.1:1", "celery"),
        ("MUNIMENT_LEDGER", "postgresql://nobody@127.0.0.1:1/none", "postgres"),
    ],
)
def test_what_needs_an_extra_says_so(
    plain: dict[str, str], archive: Path, command: str, setting: str, value: str, extra: str
) -> None:
    said = muniment({**plain, setting: value}, archive, command, status=4)
    assert f"pip install 'muniment[{extra}]'" in said


def test_traces_need_an_extra_too(plain: dict[str, str], archive: Path) -> None:
    said = muniment({**plain, "MUNIMENT_OTEL": "true"}, archive, "serve", "--port", "0", status=4)
    assert "pip install 'muniment[otel]'" in said

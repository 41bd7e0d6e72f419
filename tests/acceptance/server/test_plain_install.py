"""What `pip install muniment` brings is enough for a folder, with `[server]` for one machine; extras are asked for."""

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


def plainly_installed(*extras: str) -> set[str]:
    """The distributions that come with Muniment, and with these of its extras."""
    found: set[str] = set()
    waiting: list[tuple[str, frozenset[str]]] = [("muniment", frozenset(extras))]
    seen = set(waiting)
    while waiting:
        name, wished = waiting.pop()
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue  # for another system or another Python
        found.add(canonicalize_name(name))
        for requirement in map(Requirement, needed):
            wanted = [{"extra": extra} for extra in {"", *wished}]
            if requirement.marker is not None and not any(map(requirement.marker.evaluate, wanted)):
                continue
            following = (canonicalize_name(requirement.name), frozenset(requirement.extras))
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return found


def without_others(folder: Path, *extras: str) -> tuple[dict[str, str], set[str]]:
    """An environment in which Python finds nothing that such an installation lacks, and what that is."""
    here = plainly_installed(*extras)
    hidden = {
        module
        for module, owners in packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & here
    }
    hidden.add("opentelemetry.instrumentation")  # it shares its topmost name with what FastAPI brings
    # Python loads a module of this name at its start, before anything else.
    (folder / "sitecustomize.py").write_text(f"HIDDEN = {hidden!r}\n{HIDING}", "utf-8")
    return {**os.environ, "PYTHONPATH": str(folder)}, hidden


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Python finds nothing that an installation with `[server]` lacks."""
    environment, hidden = without_others(tmp_path_factory.mktemp("plain"), "server")
    assert {"celery", "psycopg", "bagit", "boto3"} <= hidden, "nothing is hidden, so this would prove nothing"
    assert not hidden & {"muniment", "fastapi", "sqlalchemy"}
    return environment


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Python finds nothing that an installation without extras lacks."""
    environment, hidden = without_others(tmp_path_factory.mktemp("bare"))
    assert {"alembic", "boto3", "cryptography", "fastapi", "httpx2", "sqlalchemy", "uvicorn"} <= hidden
    assert not hidden & {"muniment", "typer", "rich"}
    return environment


WITHOUT_EXTRAS = """
import sys
from pathlib import Path
from muniment import Archive
from muniment.cli.main import run

def muniment(*words, status=0):
    found = run([*words, "--archive", "archive"])
    assert found == status, (words, found)

muniment("init", "--mode", "dynamic")
muniment("add", "--id", "letters", "letter")
muniment("add", "--id", "letters", "--describe", "title=Letters")
muniment("batch", "table.csv")
with next(Path("archive").rglob("data/letter")).open("r+b") as file:
    file.write(b"Dead")
muniment("audit", status=1)
muniment("repair")
muniment("audit")
for words in ("ls", "show letters", "diff letters", "find *", "stats", "events", "reindex", "doctor"):
    muniment(*words.split())
for layout in ("bag", "instances", "ocfl"):
    muniment("export", "letters", "--layout", layout, "-o", f"{layout}.tar")
    muniment("import", f"{layout}.tar", "--id", layout)
muniment("validate", "archive")
assert run(["init", "other"]) == 0
muniment("migrate", "other")
muniment("purge", "more", "--yes", "--reason", "a test")
assert len(Archive("archive")) == 4
"""


def test_a_folder_on_one_machine_needs_no_extra(bare: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "letter").write_bytes(b"Dear reader" * 20_000)
    (tmp_path / "table.csv").write_text("id,path\nmore,letter\n")
    command = [sys.executable, "-c", WITHOUT_EXTRAS]
    done = subprocess.run(command, env=bare, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stderr


def test_what_needs_a_server_says_so_in_one_line(bare: dict[str, str], tmp_path: Path) -> None:
    muniment(bare, tmp_path / "archive", "init")
    for words in (["serve"], ["key", "list"], ["store", "ls"], ["fetch", "http://127.0.0.1:1/x"]):
        said = muniment(bare, tmp_path / "archive", *words, status=4)
        assert "pip install '.[server]'" in said
        assert said.count("\n") == 1


def test_a_store_at_s3_needs_an_extra(plain: dict[str, str], archive: Path) -> None:
    said = muniment(plain, archive, "store", "add", "cloud", "s3://bucket?endpoint=http://127.0.0.1:1", status=4)
    assert "pip install '.[s3]'" in said


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
    assert f"pip install '.[{extra}]'" in said


def test_traces_need_an_extra_too(plain: dict[str, str], archive: Path) -> None:
    said = muniment({**plain, "MUNIMENT_OTEL": "true"}, archive, "serve", "--port", "0", status=4)
    assert "pip install '.[otel]'" in said

"""The import contracts of pyproject.toml catch what they are there for, shown on a small tree of the same shape."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PARTS = tuple(sorted(path.name for path in (ROOT / "src" / "muniment").iterdir() if (path / "__init__.py").exists()))
ROOMS = tuple(
    sorted(
        path.stem
        for path in (ROOT / "src" / "muniment" / "archive").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    )
)

DOORS = ("nexus", "osf")

Lint = Callable[[dict[str, str]], subprocess.CompletedProcess[str]]


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    """A package `muniment` with these modules (dotted name: source), held against the project's contracts."""

    def run(modules: dict[str, str]) -> subprocess.CompletedProcess[str]:
        package = tmp_path / "muniment"
        for part in PARTS:
            (package / part).mkdir(parents=True)
            (package / part / "__init__.py").write_text("")
        (package / "__init__.py").write_text("def late():\n    from muniment.app.archive import Archive\n")
        (package / "__main__.py").write_text("")
        (package / "app" / "door.py").write_text("")
        for door in DOORS:
            (package / "doors" / door).mkdir()
            (package / "doors" / door / "__init__.py").write_text("")
        for room in ROOMS:
            (package / "archive" / room).mkdir(exist_ok=True)
            (package / "archive" / room / "__init__.py").write_text("")
        for name, source in modules.items():
            path = package.joinpath(*name.split(".")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(source)
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        command = Path(sys.executable).with_name("lint-imports")
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [command, "--no-logo", "--no-cache"],
            cwd=tmp_path,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )

    return run


def test_imports_downwards_are_kept(lint: Lint) -> None:
    done = lint(
        {
            "cli.ls": "from muniment.archive import Archive\n",
            "archive.ingest.more": "import muniment.archive.disk\nimport muniment.content\n",
            "doors.nexus.more": "import muniment.workflows\nimport muniment.http\nimport muniment.access\n",
            "jobs.more": "import muniment.database\n",
            "access.more": "import muniment.database\n",
            "sources.more": "import muniment.session\n",
            "server.more": "import muniment.doors.nexus\nimport muniment.doors.osf\nimport muniment.app\n",
        }
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("content.values", "import muniment.archive", id="upwards"),
        pytest.param("jobs.ledger", "import muniment.archive", id="to a sibling"),
        pytest.param("validation.rule", "import muniment.archive", id="from validation to the archive"),
        pytest.param("http.files", "import muniment.doors", id="from what HTTP interfaces share to a door"),
        pytest.param("doors.nexus.more", "import muniment.doors.osf", id="from door to door"),
        pytest.param("doors.osf.more", "import muniment.server", id="from a door to the server"),
        pytest.param("workflows.export", "import muniment.doors.nexus", id="from a workflow to a door"),
        pytest.param("database.tables", "import muniment.jobs", id="from the database to who uses it"),
        pytest.param("session.limits", "import muniment.database", id="from the session to the database"),
        pytest.param("utils.strings", "", id="a folder nobody named"),
        pytest.param("cli.ls", "from muniment.archive.ingest import x", id="into the archive past its door"),
        pytest.param("archive.disk.more", "import muniment.archive.ingest", id="upwards within the archive"),
        pytest.param("archive.cellar", "", id="a room nobody named"),
        pytest.param("archive.disk.more", "import socket", id="a socket in the archive"),
        pytest.param("layouts.bag", "from http.client import HTTPConnection", id="http in a layout"),
    ],
)
def test_a_forbidden_import_fails(lint: Lint, module: str, source: str) -> None:
    done = lint({module: f"{source}\n"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout

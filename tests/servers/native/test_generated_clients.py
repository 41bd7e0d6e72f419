"""Clients that other people's generators make of the description work, and are made without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.native.running import Running, serving
from tests.servers.nexus.clients import ENVIRONMENT, run
from tests.timing import PATIENCE

PROGRAMS = Path(__file__).with_name("programs")
NODE = ENVIRONMENT / "node" / "node_modules"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("generated") / "archive") as running:
        yield running


@pytest.fixture
def description(server: Running, tmp_path: Path) -> Path:
    place = tmp_path / "openapi.json"
    place.write_bytes(httpx.get(f"{server.url}archive/v1/openapi.json", timeout=PATIENCE).raise_for_status().content)
    return place


def quietly(*command: str | Path, folder: Path) -> str:
    """Run a generator, which must not complain; gives what it says."""
    # It formats what it made by ruff, which is in our environment.
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "warn" not in done.stdout.lower(), done.stdout
    return done.stdout


def expected(name: str) -> dict[str, Any]:
    return {
        "put": ["a/letter.txt", 10],
        "upload": [204, "6"],
        "finished": 6,
        "number": 1,
        "resource": "All",
        "files": ["a/letter.txt", "film.mkv"],
        "read": "0123456789",
        "range": [206, "234", "bytes 2-4/10"],
        "refused": [404, "urn:muniment:error:resource-not-found"],
    }


def test_the_client_of_openapi_python_client(server: Running, description: Path, tmp_path: Path) -> None:
    generator = ENVIRONMENT / "bin" / "openapi-python-client"
    made = ("--output-path", tmp_path / "made", "--meta", "none")
    quietly(generator, "generate", "--path", description, *made, "--fail-on-warning", folder=tmp_path)
    found = run(PROGRAMS / "generated.py", tmp_path, url=server.url, key=server.key)
    assert found == {**expected("letters/1911"), "revision": 1, "selected": ["person.json", "ustar"]}


def test_the_types_of_openapi_typescript(server: Running, description: Path, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(NODE)
    quietly(NODE / ".bin" / "openapi-typescript", description, "--output", tmp_path / "made.ts", folder=tmp_path)
    program = tmp_path / "generated.ts"
    program.write_bytes((PROGRAMS / "generated.ts").read_bytes())
    options = ("--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "commonjs")
    quietly(NODE / ".bin" / "tsc", program, *options, "--moduleResolution", "node10", folder=tmp_path)
    assert run(tmp_path / "generated.js", tmp_path, url=server.url, key=server.key) == expected("letters/1912")

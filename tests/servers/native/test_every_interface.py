"""Every operation of every interface does what the description says, at its edges and with whatever is made up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.native.described import all_doors

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
NATIVE = "^/archive/v1"
"""`test_schema` tries these every day."""


def tried(place: Path, *options: str) -> str:
    """What schemathesis says of a server with something behind every operation; it must find nothing."""
    with all_doors(place / "archive") as running:
        done = subprocess.run(
            [
                str(Path(sys.prefix) / "bin" / "schemathesis"),
                "run",
                f"{running.url}archive/v1/openapi.json",
                "--header",
                f"Authorization: Bearer {running.key}",
                "--checks",
                ",".join(CHECKS),
                "--continue-on-failure",
                "--no-color",
                *("--warnings", "off"),
                *("--wait-for-schema", "100"),
                *options,
            ],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert running.process is not None
        assert running.process.poll() is None, "the server ended"
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_edges_of_every_door(tmp_path: Path) -> None:
    said = tried(tmp_path, "--phases", "coverage", "--exclude-path-regex", NATIVE)
    assert "Coverage" in said
    assert " passed" in said


@pytest.mark.nightly
def test_the_edges_of_everything(tmp_path: Path) -> None:
    assert " passed" in tried(tmp_path, "--phases", "examples,coverage")


@pytest.mark.nightly
def test_five_minutes_of_whatever_is_made_up(tmp_path: Path) -> None:
    assert " passed" in tried(tmp_path, "--phases", "fuzzing", "--max-time", "300")

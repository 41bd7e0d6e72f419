"""The Distillery as an archivist has it on the command line: preview, run, log, batches, audit, settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.testing.servers.archivesspace import ArchivesSpaceServer
from muniment.testing.small_collection import describe_collection, write_scans, write_settings
from tests.servers.native.running import make_archive

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server() -> Iterator[ArchivesSpaceServer]:
    with ArchivesSpaceServer() as running:
        describe_collection(running)
        yield running
    assert running.dropped == []


@pytest.fixture
def muniment(tmp_path: Path, server: ArchivesSpaceServer) -> Command:
    make_archive(tmp_path / "A")
    for name in ("cloud", "site", "scans"):
        (tmp_path / name).mkdir()
    access = 'publisher = "iiif"\nfolder = "site"\nurl = "https://iiif.example.org"'
    settings = write_settings(
        tmp_path / "distillery.toml", server, cloud=f'address = "{tmp_path}/cloud"', access=access
    )
    environment = {
        **os.environ,
        "MUNIMENT_ARCHIVE": str(tmp_path / "A"),
        "MUNIMENT_DISTILLERY": str(settings),
        "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true",
        "MUNIMENT_SCRATCH": str(tmp_path / "scratch"),
    }

    def run(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "muniment", *map(str, words)],
            env=environment,
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_collection_goes_from_its_preview_to_its_audit(
    muniment: Command, tmp_path: Path, server: ArchivesSpaceServer
) -> None:
    write_scans(tmp_path / "scans", width=120, height=80)
    seen = json.loads(muniment("distill", "preview", "HBF", "--json").stdout)
    assert (seen["ready"], seen["problems"], seen["images"]) == (["HBF_1_05", "HBF_1_06"], [], 4)
    assert server.writes == []
    assert list((tmp_path / "cloud").iterdir()) == []
    said = muniment("distill", "run", "HBF", "--wait").stdout.splitlines()
    batch = said[-1]
    assert any("All done" in each for each in said)
    lines = json.loads(muniment("distill", "log", batch, "--json").stdout)
    assert [each["number"] for each in lines] == list(range(1, len(lines) + 1))
    assert muniment("distill", "log", batch, "--follow", "--after", 3).stdout.startswith("   4 ")
    listed = json.loads(muniment("distill", "batches", "--json").stdout)
    assert [(each["batch"], each["state"]) for each in listed] == [(batch, "done")]
    assert "everything is as the batch left it" in muniment("distill", "audit", batch).stderr
    next((tmp_path / "cloud").rglob("*.jp2")).unlink()
    found = json.loads(muniment("distill", "audit", batch, "--json", status=1).stdout)
    assert [each["where"] for each in found] == ["cloud"]


def test_what_is_in_the_way_gives_status_1_and_is_named(muniment: Command, tmp_path: Path) -> None:
    write_scans(tmp_path / "scans", width=60, height=40)
    (tmp_path / "scans/HBF/HBF_1_09").mkdir()
    said = muniment("distill", "preview", "HBF", "--to", "cloud", status=1).stdout
    assert "error: HBF_1_09: ArchivesSpace has no archival object 'HBF_001_09'" in said
    assert "2 of 3 folders are ready" in said
    muniment("distill", "run", "HBF", "--to", "cloud", "--wait", status=1)
    muniment("distill", "run", "HBF", "--to", "cloud", "--wait", "--ready")


def test_a_users_mistakes_are_said_in_a_sentence(muniment: Command, tmp_path: Path) -> None:
    assert "no folder 'HBF'" in muniment("distill", "preview", "HBF", status=1).stdout
    assert "Say where to" in muniment("distill", "run", "HBF", "--to", "moon", status=4).stderr
    assert "no collection's id" in muniment("distill", "run", "../HBF", status=4).stderr
    assert "There is no batch" in muniment("distill", "log", "nothing", status=3).stderr
    assert "There is no batch" in muniment("distill", "audit", "nothing", status=3).stderr
    (tmp_path / "distillery.toml").write_text("[distillery]\nscanz = 1\n")
    assert "there is no setting scanz" in muniment("distill", "batches", status=4).stderr
    assert "cannot be read" in muniment("distill", "settings", "import", "none.ini", status=4).stderr

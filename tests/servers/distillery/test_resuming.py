"""Killed anywhere, a batch goes on and leaves what it would have left: byte for byte and record for record."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from muniment.doors.distillery.audit import audit
from muniment.doors.distillery.requests import run_collection
from muniment.doors.distillery.settings import AccessSettings
from muniment.jobs import JobState
from tests.servers.distillery.conftest import Scene
from tests.servers.distillery.dying import STEPS

WORKER = Path(__file__).with_name("dying.py")
ROOT = Path(__file__).resolve().parents[3]
KILLED = -9

DEATHS = [
    *((f"{step} has done its work", 1, True) for step in STEPS),
    ("the package is committed", 2, True),
    ("a file is put", 3, True),
    ("ArchivesSpace is written to", 3, True),
    ("a file of the site is exchanged", 2, False),
]
"""After each step, before the ledger knows of it, and within some; every call of every point is tried by night."""


def prepared(scene: Scene) -> str:
    (scene.folder / "site").mkdir()
    scene.change(access=AccessSettings("iiif", scene.folder / "site", "https://iiif.example.org"))
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01", "02")
    return run_collection(scene.context, "HBF", ["cloud", "access"], requester="t").id


def work(scene: Scene, batch: str, point: str = "", call: int = 0, *, after: bool = False, **more: Any) -> int:
    """Work in a process of its own; its exit status."""
    given = {"folder": str(scene.folder), "url": scene.server.url, "batch": batch, **more}
    given |= {"point": point, "call": call, "after": after}
    done = subprocess.run([sys.executable, WORKER, json.dumps(given)], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode in {0, KILLED}, done.stderr.decode()
    return done.returncode


def left(scene: Scene) -> Any:
    """What a batch left, with the place of this test taken out."""
    return json.loads(json.dumps(scene.state()).replace(str(scene.folder), "/scene"))


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Scene], Any]:
    """What an uninterrupted batch leaves, found out once for each process of tests."""
    known: list[Any] = []

    def ask(scene: Scene) -> Any:
        if not known:
            with fresh(tmp_path_factory.mktemp("whole")) as whole:
                batch = prepared(whole)
                assert work(whole, batch) == 0
                assert whole.ledger.job(batch).state is JobState.DONE, whole.log(batch)
                known.append(left(whole))
        del scene
        return known[0]

    return ask


@contextmanager
def fresh(folder: Path) -> Iterator[Scene]:
    from muniment.testing.servers.archivesspace import ArchivesSpaceServer
    from tests.servers.distillery.conftest import a_scene

    with ArchivesSpaceServer() as server, a_scene(folder, server) as scene:
        yield scene


@pytest.mark.parametrize(("point", "call", "after"), DEATHS)
def test_a_batch_that_was_killed_ends_as_if_it_had_not_been(
    point: str, call: int, after: bool, scene: Scene, uninterrupted: Callable[[Scene], Any]
) -> None:
    batch = prepared(scene)
    assert work(scene, batch, point, call, after=after) == KILLED
    assert work(scene, batch) == 0
    assert scene.ledger.job(batch).state is JobState.DONE, scene.log(batch)
    assert left(scene) == uninterrupted(scene)
    assert list(audit(scene.context, batch)) == []
    numbers = [each.number for each in scene.context.batches.log(batch)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert not any((scene.folder / "scratch").rglob("*.jp2"))


def test_nothing_is_recorded_before_its_copy_was_proved(scene: Scene) -> None:
    batch = prepared(scene)
    assert work(scene, batch, "copies are remembered", 2) == KILLED
    assert scene.server.writes == []

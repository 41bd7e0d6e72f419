"""A batch that is paused begins nothing more, through a restart as well, and ends as one that never was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.doors.distillery.audit import audit
from muniment.doors.distillery.batches import Batches, Line
from muniment.doors.distillery.requests import pause_batch, resume_batch, run_collection
from muniment.doors.distillery.steps import steps
from muniment.jobs import LocalEngine, Registry
from muniment.jobs.local import Pace
from muniment.testing.servers.archivesspace import ArchivesSpaceServer
from tests.servers.distillery.conftest import Scene, a_scene
from tests.timing import eventually


def described(scene: Scene) -> None:
    for name, number in (("HBF_1_05", "01"), ("HBF_1_06", "02")):
        scene.describe(name.replace("_1_", "_001_"))
        scene.scans(name, number)


@pytest.fixture
def expected(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "whole").mkdir()
    with ArchivesSpaceServer() as server, a_scene(tmp_path / "whole", server) as whole:
        described(whole)
        whole.run("cloud")
        yield left(whole)


def left(scene: Scene) -> Any:
    found = scene.state()
    # Two folders are recorded in whatever order they are done.
    kinds = sorted(uri.split("/")[-2] for uri in found.pop("records"))
    return json.loads(json.dumps([found, kinds]).replace(str(scene.folder), "/scene"))


def engine(scene: Scene) -> LocalEngine:
    return LocalEngine(scene.ledger, Registry(steps(scene.context)), threads=1, pace=Pace(lease=20.0, sweep=0.2))


@pytest.mark.parametrize("at", ["made of 1 images", "files of HBF_001_05 sent", "is recorded at"])
def test_a_paused_batch_waits_and_ends_as_if_it_had_not_been_paused(
    at: str, scene: Scene, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    described(scene)
    batch, say = run_collection(scene.context, "HBF", ["cloud"], requester="t").id, Batches.say

    def pausing(self: Batches, job: str, text: str, **more: Any) -> Line:
        line = say(self, job, text, **more)
        if at in text and not any("Paused" in each for each in scene.log(job)):
            pause_batch(scene.context, job, by="the archivist")
        return line

    monkeypatch.setattr(Batches, "say", pausing)
    with engine(scene):
        eventually(lambda: _rests(scene, batch), told=lambda: scene.log(batch))
    before = scene.log(batch)
    assert "Paused by the archivist" in "\n".join(before)
    writes = list(scene.server.writes)
    with engine(scene) as other:
        # Another batch is done by the same workers meanwhile; of this one nothing is.
        run_collection(scene.context, "OTHER", ["cloud"], requester="t")
        eventually(lambda: all(job.ended for job in scene.ledger.jobs() if job.id != batch))
        assert scene.log(batch) == before
        assert scene.server.writes == writes
        assert scene.ledger.job(batch).paused
        resume_batch(scene.context, batch, by="the archivist")
        other.wake()
        eventually(lambda: scene.ledger.job(batch).ended, told=lambda: scene.log(batch))
    assert scene.ledger.job(batch).state == "done", scene.log(batch)
    assert sum("Paused" in each for each in scene.log(batch)) == 1
    assert sum("Told to go on" in each for each in scene.log(batch)) == 1
    assert left(scene) == expected
    assert list(audit(scene.context, batch)) == []


def _rests(scene: Scene, batch: str) -> bool:
    """Whether it is paused and nothing of it runs any more."""
    return scene.ledger.job(batch).paused and all(each.state != "running" for each in scene.ledger.steps(batch))

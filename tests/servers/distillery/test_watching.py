"""The watched folder: scans at rest are run once, those still arriving wait, and nothing runs twice at once."""

from __future__ import annotations

import os
import time

from muniment.doors.distillery.requests import batches
from muniment.doors.distillery.watching import WatchStep, schedule_watch
from muniment.jobs import Done
from tests.servers.distillery.conftest import Scene


class _Context:
    """A watch asks nothing of it."""


def watch(scene: Scene) -> object:
    done = WatchStep(scene.context).run(None, _Context())  # type: ignore[arg-type]
    assert isinstance(done, Done)
    return done.result


def age(scene: Scene, seconds: float) -> None:
    for path in (scene.settings.scans / "HBF").rglob("*.tif"):
        os.utime(path, (time.time() - seconds,) * 2)


def test_scans_at_rest_are_run_once_for_each_change(scene: Scene) -> None:
    scene.change(watched=("*",), every="60")
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    assert watch(scene) == {"asked": []}
    age(scene, 100)
    assert watch(scene) == {"asked": ["HBF"]}
    assert watch(scene) == {"asked": []}
    (job,) = batches(scene.context)
    scene.work(job.id)
    assert watch(scene) == {"asked": []}
    scene.scans("HBF_1_05", "01", seed=9)
    age(scene, 90)
    assert watch(scene) == {"asked": ["HBF"]}


def test_only_what_is_watched_is_run(scene: Scene) -> None:
    scene.change(watched=("OTHER",), every="60")
    scene.scans("HBF_1_05", "01")
    age(scene, 100)
    assert watch(scene) == {"asked": []}


def test_the_settings_say_whether_and_how_often_it_looks(scene: Scene) -> None:
    scene.change(watched=("HBF",), every="*/5 * * * *")
    schedule_watch(scene.context)
    assert [each[0] for each in scene.ledger.periods()] == ["distillery"]
    scene.change(watched=())
    schedule_watch(scene.context)
    assert scene.ledger.periods() == []

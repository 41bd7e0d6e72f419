"""The watched folder: scans at rest are run once, those still arriving wait, and nothing runs twice at once."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from muniment.database import Database
from muniment.doors.distillery.requests import batch_document, batches, run_collection
from muniment.doors.distillery.watching import WatchStep, schedule_watch
from muniment.errors.jobs import SubjectTaken
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


def test_two_looks_at_once_run_it_once(scene: Scene) -> None:
    """Two servers, or a minute that took longer than one: whoever is second finds it asked for."""
    scene.change(watched=("HBF",), every="60", watched_to=("cloud",))
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    age(scene, 100)
    _ = scene.context
    at_once = threading.Barrier(8)

    def look(_: int) -> object:
        at_once.wait()
        return watch(scene)

    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(look, range(8)))
    assert sorted(map(str, asked)) == sorted([str({"asked": ["HBF"]}), *([str({"asked": []})] * 7)])
    (job,) = batches(scene.context)
    scene.work(job.id)
    assert len([each for each in scene.log(job.id) if "files of HBF_001_05 sent" in each]) == 1


def test_two_ticks_at_once_make_one_look(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.change(watched=("HBF",), every="3600")
    schedule_watch(scene.context)
    now = Database.now
    monkeypatch.setattr(Database, "now", lambda self: now(self) + 3700)
    at_once = threading.Barrier(8)

    def tick(_: int) -> int:
        at_once.wait()
        return len(scene.ledger.tick())

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tick, range(8))) == 1


def test_a_collection_that_two_people_submit_at_once_is_one_batch_with_both_destinations(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    at_once = threading.Barrier(6)
    given = scene.context

    def submit(number: int) -> str:
        at_once.wait()
        try:
            return run_collection(given, "HBF", ["cloud", "onsite"], requester=f"reader {number}").id
        except SubjectTaken as error:
            return type(error).__name__

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(submit, range(6)))
    assert answers.count("SubjectTaken") == 5
    (job,) = batches(scene.context)
    assert batch_document(job)["to"] == ["onsite", "cloud"]


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

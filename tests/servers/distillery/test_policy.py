"""What is asked of one batch: which folders, what is kept of scans, what a bad one does; carried from form to run."""

from __future__ import annotations

import pytest

from muniment.doors.distillery.making import newest_instance
from muniment.doors.distillery.policy import BatchPolicy
from muniment.doors.distillery.preview import preview
from muniment.doors.distillery.requests import batch_document, run_collection
from muniment.errors.distillery import NotReadyToDistill
from tests.servers.distillery.conftest import Scene


@pytest.fixture
def two(scene: Scene) -> Scene:
    for number in (5, 6):
        scene.describe(f"HBF_001_{number:02}", f"Meetings {number}")
        scene.scans(f"HBF_1_{number:02}", "01")
    return scene


def policy(scene: Scene, **asked: object) -> BatchPolicy:
    return BatchPolicy.of(scene.settings, asked)


def test_a_preview_looks_at_the_folders_that_are_chosen_and_names_one_that_is_not_there(two: Scene) -> None:
    seen = preview(two.context, "HBF", ["cloud"], policy(two, folders=["HBF_1_06"]))
    assert (seen.ready, seen.problems) == (["HBF_1_06"], [])
    assert seen.document()["folders"] != []
    seen = preview(two.context, "HBF", ["cloud"], policy(two, folders="HBF_1_06\r\nHBF_1_60\n"))
    assert seen.ready == []
    assert ["HBF_1_60" in each.text and "Near it: HBF_1_06" in each.way_out for each in seen.problems] == [True]


def test_a_run_does_what_was_asked_whatever_the_settings_say_then(two: Scene) -> None:
    two.change(done=two.folder / "done")
    asked = policy(two, folders=["HBF_1_06"], normalisation="original")
    job = run_collection(two.context, "HBF", ["cloud"], requester="t", policy=asked)
    assert {name: batch_document(job)[name] for name in ("folders", "normalisation", "broken")} == {
        "folders": ["HBF_1_06"], "normalisation": "original", "broken": "strict"
    }  # fmt: skip
    two.change(normalisation="both")
    two.work(job.id)
    assert newest_instance(two.context, "HBF_001_05") is None
    made = newest_instance(two.context, "HBF_001_06")
    assert made is not None
    assert sorted(path.rpartition(".")[2] for path in made) == ["json", "tif"]
    assert (two.settings.scans / "HBF/HBF_1_06").is_dir(), "what was not asked for lies beside it, so both stay"
    assert not (two.folder / "done").exists()


def test_scans_that_were_left_out_are_not_put_away_with_the_others(two: Scene) -> None:
    two.change(done=two.folder / "done")
    (two.settings.scans / "HBF/HBF_1_07").mkdir()
    two.run(partly=True)
    assert (two.settings.scans / "HBF/HBF_1_07").is_dir()
    (two.settings.scans / "HBF/HBF_1_07").rmdir()
    two.run()
    assert (two.folder / "done/HBF/HBF_1_05").is_dir()


def test_a_bad_scan_holds_its_folder_back_or_not_as_the_batch_says(two: Scene) -> None:
    (two.settings.scans / "HBF/HBF_1_05/HBF_1_05_02.tif").write_bytes(b"II*\0 no picture")
    assert preview(two.context, "HBF", ["cloud"]).ready == ["HBF_1_06"]
    assert len(preview(two.context, "HBF", ["cloud"], policy(two, broken="lenient")).ready) == 2


@pytest.mark.parametrize(
    "asked", [{"normalisation": "png"}, {"broken": "<b>"}, {"folders": ["x"] + [str(n) for n in range(10_001)]}]
)
def test_a_policy_that_there_is_not_is_refused(scene: Scene, asked: dict[str, object]) -> None:
    with pytest.raises(NotReadyToDistill):
        policy(scene, **asked)

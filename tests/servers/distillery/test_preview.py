"""A preview names everything that is in a run's way, with its folder, and changes nothing anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.doors.distillery.preview import Preview, destinations_of, preview
from muniment.doors.distillery.settings import AccessSettings, StoreSettings
from muniment.errors.distillery import NoDestination, NotReadyToDistill
from muniment.testing.scans import CMYK
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from tests.servers.distillery.conftest import Scene


def look(scene: Scene, collection: str = "HBF", *to: str) -> Preview:
    """A preview that is shown to change nothing."""
    before, writes = _files(scene.folder), list(scene.server.writes)
    seen = preview(scene.context, collection, destinations_of(to or ("cloud",)))
    assert _files(scene.folder) == before
    assert scene.server.writes == writes
    return seen


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder beside the databases, with its time of change."""
    found = {}
    for place, names, files in os.walk(folder):
        for name in [*names, *files]:
            path = Path(place) / name
            if not any(word in str(path) for word in ("control.db", "index.db", "tapes-")):
                found[str(path)] = (path.lstat().st_size, path.lstat().st_mtime_ns)
    return found


def said(seen: Preview, folder: str = "") -> str:
    return " | ".join(f"{each.text} {each.way_out}" for each in seen.problems if each.folder == folder)


def test_a_folder_that_is_ready_is_shown_with_what_would_be_made(scene: Scene) -> None:
    scene.describe("HBF_001_05", "Annual Meetings, 1943")
    scene.scans("HBF_1_05", "01", "02", "03")
    seen = look(scene)
    assert seen.problems == []
    assert seen.title == "Papers of a Board"
    (folder,) = seen.folders
    assert (folder.component_id, folder.images, folder.title) == ("HBF_001_05", 3, "Annual Meetings, 1943")
    assert folder.key == "HBF/HBF-s01-Organizational-Records/HBF_001_05-Annual-Meetings--1943"
    assert any("make a digital object" in each for each in seen.changes)
    seen.refuse()


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "HBF\n", "a" * 80, "-rf", "HBF'; drop"])
def test_what_is_no_collections_id_is_refused(scene: Scene, name: str) -> None:
    seen = look(scene, name)
    assert "no collection's id" in said(seen)
    assert seen.ready == []


def test_a_collection_in_another_case_is_not_taken_and_its_near_miss_is_named(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    seen = look(scene, "hbf")
    assert "Near it: HBF" in said(seen)
    with pytest.raises(NotReadyToDistill):
        seen.refuse()


def test_every_problem_is_named_at_once_with_its_folder(scene: Scene) -> None:
    scene.describe("HBF_001_01")
    scene.describe("HBF_001_02")
    scene.describe("HBF_001_02")
    scene.scans("HBF_1_01", "01")
    scene.scans("HBF_1_02", "01")
    scene.scans("HBF_1_03", "01")
    scene.scans("HBF_1_04_a", "01")
    scene.scans("XYZ_1_05", "01")
    (scene.settings.scans / "HBF/HBF_1_06").mkdir()
    bad = scene.scans("HBF_1_07", "01")[0]
    bad.write_bytes(b"no TIFF at all")
    scene.describe("HBF_001_07")
    seen = look(scene)
    assert said(seen, "HBF_1_01") == ""
    assert "several" in said(seen, "HBF_1_02")
    assert "no archival object" in said(seen, "HBF_1_03")
    assert "three are needed" in said(seen, "HBF_1_04_a")
    assert "begins with 'XYZ'" in said(seen, "XYZ_1_05")
    assert "no TIFF" in said(seen, "HBF_1_06")
    assert "it is no TIFF" in said(seen, "HBF_1_07")
    assert seen.ready == ["HBF_1_01"]
    seen.refuse(partly=True)
    with pytest.raises(NotReadyToDistill, match="HBF_1_0"):
        seen.refuse()


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda place: (place / "deeper").mkdir(), "a folder in a folder"),
        (lambda place: (place / "notes.txt").write_text("x"), "no TIFF by its name"),
        (lambda place: (place / "HBF_1_05_9.TIF").write_text("x"), "no TIFF by its name"),
        (lambda place: (place / "HBF_1_05_9.tif").symlink_to("/etc/passwd"), "no plain file"),
        (lambda place: (place / "HBF_1_05_0001.tif").write_bytes(b"II*\0"), "are all number 0001"),
        (lambda place: (place / "OTHER_1_05_7.tif").write_bytes(b"II*\0"), "Name it after its folder"),
        (lambda place: (place / "HBF_1_05_it's \"-x;.tif").write_bytes(b"II*\0"), "cannot be placed"),
        (lambda place: os.mkfifo(place / "HBF_1_05_9.tif"), "no plain file"),
    ],
)
def test_odd_files_are_named(scene: Scene, spoil: Callable[[Path], object], text: str) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "1")
    spoil(scene.settings.scans / "HBF/HBF_1_05")
    assert text in said(look(scene), "HBF_1_05")


def test_two_folders_of_one_archival_object_are_named(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "1")
    scene.scans("HBF_001_05", "1")
    assert "HBF_001_05, HBF_1_05 are all HBF_001_05" in said(look(scene))


def test_two_digital_objects_are_refused_before_anything_is_sent(scene: Scene) -> None:
    objects = [scene.server.put("digital_objects", digital_object_id=f"d{each}", title="t") for each in range(2)]
    instances = [{"instance_type": "digital_object", "digital_object": {"ref": each}} for each in objects]
    scene.describe("HBF_001_05", instances=instances)
    scene.scans("HBF_1_05", "1")
    assert "2 digital objects" in said(look(scene), "HBF_1_05")


def test_a_digital_object_id_that_another_has_is_named(scene: Scene) -> None:
    taken = scene.server.put("digital_objects", digital_object_id="HBF_001_05", title="t")
    scene.describe("HBF_9_9", instances=[{"instance_type": "digital_object", "digital_object": {"ref": taken}}])
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "1")
    assert "is linked to" in said(look(scene), "HBF_1_05")


def test_a_missing_value_of_a_controlled_list_is_named(scene: Scene) -> None:
    scene.server.lists["file_version_file_format_name"] -= {"JPEG 2000"}
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "1")
    seen = look(scene)
    assert "no value 'JPEG 2000'" in said(seen)
    assert seen.ready == []


def test_a_tape_is_looked_at_and_the_value_it_needs(scene: Scene) -> None:
    with TapeDrive(scene.folder / "mnt") as drive:
        scene.change(onsite=StoreSettings(f"ltfs://{scene.folder}/mnt"))
        scene.describe("HBF_001_05")
        scene.scans("HBF_1_05", "1")
        assert "onsite before that is seen to" in said(look(scene, "HBF", "onsite"))
        tape = Cartridge(scene.folder / "tape", "AB0001")
        tape.label()
        drive.insert(tape)
        scene.server.lists["container_type"] -= {"Tape"}
        seen = look(scene, "HBF", "onsite")
        assert "no value 'Tape'" in said(seen)
        assert seen.stores[0].tape == "AB0001"
        drive.eject()


def test_a_store_that_is_not_there_is_named_and_not_made(scene: Scene) -> None:
    scene.change(cloud=StoreSettings(str(scene.folder / "unmounted")))
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "1")
    assert "no such folder" in said(look(scene))


def test_an_image_that_can_be_no_jpeg_2000_is_a_warning_or_an_error_by_the_policy(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "1", **CMYK)
    both = look(scene)
    assert [each.severity for each in both.problems] == ["warning"]
    scene.change(normalisation="jp2")
    assert not look(scene).clean
    scene.change(normalisation="original")
    assert look(scene).problems == []


def test_a_scan_that_cannot_be_read_is_left_out_where_that_is_the_policy(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "1", "2")[1].write_bytes(b"II*\0")
    assert not look(scene).clean
    scene.change(broken="lenient")
    assert look(scene).clean


def test_a_catalogue_that_refuses_the_password_is_one_problem(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "1")
    scene.server.lists.clear()
    seen = look(scene)
    assert "ArchivesSpace's list" in said(seen)


def test_access_without_a_publisher_is_named(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "1")
    scene.change(access=AccessSettings())
    assert "access is not set up" in said(look(scene, "HBF", "access"))


@pytest.mark.parametrize("to", [(), ("",), ("moon",), ("cloud,moon",)])
def test_a_destination_is_needed_and_none_other_than_there_are(to: tuple[str, ...]) -> None:
    with pytest.raises(NoDestination):
        destinations_of(to)


def test_destinations_may_be_listed_or_repeated() -> None:
    assert destinations_of(["cloud,onsite"]) == destinations_of(["cloud", "onsite", "cloud"]) == ("onsite", "cloud")

"""A batch from scans to verified copies and the catalogue; what fails is named, and what is done twice is done once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from muniment.doors.distillery.audit import audit
from muniment.doors.distillery.batches import AccessCopy
from muniment.doors.distillery.settings import AccessSettings, StoreSettings
from muniment.errors.distillery import NotReadyToDistill
from muniment.errors.jobs import SubjectTaken
from muniment.testing.scans import CMYK
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from tests.servers.distillery.conftest import Scene

FOLDER = "HBF/HBF-s01-Organizational-Records/HBF_001_05-Annual-Meetings--1943"


def keys(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".incoming" not in path.parts
    }


def components(scene: Scene) -> list[dict[str, object]]:
    return [each for uri, each in sorted(scene.server.records.items()) if "/digital_object_components/" in uri]


def test_scans_become_verified_files_and_records(scene: Scene) -> None:
    uri = scene.describe("HBF_001_05", extents=[{"number": "3"}])
    scene.scans("HBF_1_05", "01", "02", "03")
    batch = scene.run("cloud")
    stored = keys(scene.folder / "cloud")
    assert "HBF/HBF.json" in stored
    assert f"{FOLDER}/HBF_001_05.json" in stored
    assert len([each for each in stored if each.startswith(f"{FOLDER}/HBF_001_05_0001/")]) == 2
    assert {each.rpartition(".")[2] for each in stored} == {"json", "jp2", "tif"}
    assert json.loads((scene.folder / "cloud" / FOLDER / "HBF_001_05.json").read_text())["component_id"] == "HBF_001_05"
    instances = scene.server.records[uri]["instances"]
    assert [each["instance_type"] for each in instances] == ["digital_object"]
    made = scene.server.records[instances[0]["digital_object"]["ref"]]
    assert (made["digital_object_id"], made["publish"]) == ("HBF_001_05", False)
    found = components(scene)
    assert [each["label"] for each in found] == ["Image 0001", "Image 0002", "Image 0003"]
    versions = found[0]["file_versions"]
    assert isinstance(versions, list)
    assert {each["file_format_name"] for each in versions} == {"JPEG 2000", "tiff"}
    for each in versions:
        place = Path(each["file_uri"].removeprefix("file://"))
        assert place.stat().st_size == each["file_size_bytes"]
    assert scene.log(batch)[-1].endswith("finished: All done")
    assert list(audit(scene.context, batch)) == []


def test_a_log_is_numbered_without_gaps_from_its_first_line(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    batch = scene.run("cloud")
    lines = list(scene.context.batches.log(batch))
    assert [each.number for each in lines] == list(range(1, len(lines) + 1))
    assert lines[-1].last
    assert not any(each.last for each in lines[:-1])
    assert list(scene.context.batches.log(batch, after=3)) == lines[3:]


def test_a_second_run_changes_nothing(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01", "02")
    scene.run("cloud")
    before, writes = scene.state(), list(scene.server.writes)
    times = {path: path.stat().st_mtime_ns for path in (scene.folder / "cloud").rglob("*")}
    batch = scene.run("cloud")
    assert scene.state() == before
    assert scene.server.writes == writes
    assert {path: path.stat().st_mtime_ns for path in (scene.folder / "cloud").rglob("*")} == times
    assert any("has not changed" in each for each in scene.log(batch))


def test_a_scan_that_was_made_anew_becomes_an_instance_with_a_key_of_its_own(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01", "02")
    scene.run("cloud")
    before = keys(scene.folder / "cloud")
    scene.scans("HBF_1_05", "01", seed=77)
    batch = scene.run("cloud")
    new = keys(scene.folder / "cloud") - before
    assert len(new) == 2
    assert all(".v2." in each and "_0001/" in each for each in new)
    assert [each.number for each in scene.archive.history("HBF_001_05")] == [1, 2]
    assert len(components(scene)) == 2
    assert list(audit(scene.context, batch)) == []


def test_both_stores_get_the_same_files_under_the_same_keys(scene: Scene) -> None:
    (scene.folder / "shelf").mkdir()
    scene.change(onsite=StoreSettings(str(scene.folder / "shelf")))
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    scene.run("cloud", "onsite")
    assert keys(scene.folder / "cloud") == keys(scene.folder / "shelf")
    for key in keys(scene.folder / "cloud"):
        assert (scene.folder / "cloud" / key).read_bytes() == (scene.folder / "shelf" / key).read_bytes()
    versions = components(scene)[0]["file_versions"]
    assert isinstance(versions, list)
    assert len(versions) == 4


def test_two_archival_objects_on_one_tape_share_its_one_container(scene: Scene) -> None:
    with TapeDrive(scene.folder / "mnt") as drive:
        tape = Cartridge(scene.folder / "tape", "AB0001")
        tape.label()
        drive.insert(tape)
        scene.change(onsite=StoreSettings(f"ltfs://{scene.folder}/mnt"))
        uris = [scene.describe(f"HBF_001_0{each}") for each in (5, 6)]
        scene.scans("HBF_1_05", "01")
        scene.scans("HBF_1_06", "01")
        batch = scene.run("onsite")
        containers = [uri for uri in scene.server.records if "/top_containers/" in uri]
        assert len(containers) == 1
        assert scene.server.records[containers[0]]["indicator"] == "AB0001"
        for uri in uris:
            instances = scene.server.records[uri]["instances"]
            assert {"ref": containers[0]} in [
                each["sub_container"]["top_container"] for each in instances if "sub_container" in each
            ]
        version = components(scene)[0]["file_versions"]
        assert isinstance(version, list)
        assert version[0]["file_uri"].startswith("tape://AB0001/HBF/")
        assert list(audit(scene.context, batch)) == []
        drive.eject()
        assert {each.kind for each in audit(scene.context, batch)} == {"unknown"}


def test_a_corrupt_scan_keeps_its_folder_back_and_no_other(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.describe("HBF_001_06")
    scene.scans("HBF_1_06", "01")
    bad = scene.scans("HBF_1_05", "01", "02", width=900, height=900, compression="lzw")[1]
    data = bytearray(bad.read_bytes())
    data[2000:-3000] = b"\xff" * (len(data) - 5000)
    bad.write_bytes(data)
    batch = scene.run("cloud", state="failed")
    assert not any("HBF_001_05" in each for each in keys(scene.folder / "cloud"))
    assert any("HBF_001_06" in each for each in keys(scene.folder / "cloud"))
    assert any("HBF_1_05_02.tif" in each and "problem" in each for each in scene.log(batch))
    assert "failed: of 2 folders not done: HBF_1_05" in scene.log(batch)[-1]
    assert len(components(scene)) == 1


def test_a_corrupt_scan_is_left_out_where_that_is_the_policy_and_the_batch_says_so(scene: Scene) -> None:
    scene.change(broken="lenient")
    scene.describe("HBF_001_05")
    bad = scene.scans("HBF_1_05", "01", "02")[1]
    bad.write_bytes(b"II*\0")
    batch = scene.run("cloud", state="failed")
    assert len(components(scene)) == 1
    assert any("was left out" in each for each in scene.log(batch))
    assert "HBF_1_05" in scene.ledger.job(batch).reason


def test_what_is_in_the_way_is_refused_before_anything_is_made(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    scene.scans("HBF_1_09", "01")
    batch = scene.run("cloud", state="failed")
    assert list(scene.archive.resources()) == []
    assert keys(scene.folder / "cloud") == set()
    assert scene.server.writes == []
    assert "Nothing was begun" in scene.log(batch)[-1]
    assert "HBF_1_09 problem: ArchivesSpace has no archival object 'HBF_001_09'. See to it in ArchivesSpace." in (
        scene.log(batch)
    )
    scene.run("cloud", partly=True)
    assert len(components(scene)) == 1


def test_a_store_that_keeps_something_else_is_found_out_and_nothing_is_recorded_of_it(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    taken = scene.folder / "cloud" / FOLDER / "HBF_001_05.json"
    taken.parent.mkdir(parents=True)
    taken.write_text("something else")
    batch = scene.run("cloud", state="failed")
    assert taken.read_text() == "something else"
    assert components(scene) == []
    assert any("holds other content" in each for each in scene.log(batch))


def test_what_staff_wrote_stays_and_what_vanished_is_noticed(scene: Scene) -> None:
    made = scene.server.put("digital_objects", digital_object_id="theirs", title="t", publish=True)
    link = {"instance_type": "digital_object", "digital_object": {"ref": made}}
    box = scene.server.put("top_containers", indicator="1", type="box")
    holder = {"instance_type": "mixed_materials", "sub_container": {"top_container": {"ref": box}}}
    uri = scene.describe("HBF_001_05", instances=[link, holder], notes=[{"type": "odd", "content": ["by staff"]}])
    scene.scans("HBF_1_05", "01")
    batch = scene.run("cloud")
    assert scene.server.records[uri]["instances"] == [link, holder]
    assert scene.server.records[made]["digital_object_id"] == "theirs"
    assert components(scene)[0]["digital_object"] == {"ref": made}
    target = next(uri for uri in scene.server.records if "/digital_object_components/" in uri)
    versions = [dict(each) for each in scene.server.records[target]["file_versions"]]
    versions[0]["checksum"] = "0" * 64
    scene.server.edit(target, file_versions=versions)
    found = list(audit(scene.context, batch))
    assert [each.where for each in found] == ["ArchivesSpace"]
    assert "checksum" in found[0].text


def test_the_audit_finds_a_changed_a_missing_and_an_unrecorded_file(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01", "02")
    batch = scene.run("cloud")
    images = sorted((scene.folder / "cloud" / FOLDER).rglob("*.jp2"))
    data = bytearray(images[0].read_bytes())
    data[-1] ^= 1
    images[0].chmod(0o600)
    images[0].write_bytes(data)
    images[1].unlink()
    scene.server.records.pop(next(uri for uri in scene.server.records if "/digital_object_components/" in uri))
    found = list(audit(scene.context, batch))
    assert [each.where for each in found] == ["cloud", "cloud", "ArchivesSpace"]
    assert all(each.kind == "different" for each in found)


def test_a_cmyk_scan_is_kept_as_it_is(scene: Scene) -> None:
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01", **CMYK)
    scene.run("cloud")
    assert not any(each.endswith(".jp2") for each in keys(scene.folder / "cloud"))
    assert any(each.endswith(".tif") for each in keys(scene.folder / "cloud"))


@pytest.mark.parametrize(("policy", "endings"), [("original", {"json", "tif"}), ("jp2", {"json", "jp2"})])
def test_the_policy_says_what_is_kept(scene: Scene, policy: str, endings: set[str]) -> None:
    scene.settings = replace(scene.settings, normalisation=policy)  # type: ignore[arg-type]
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01", pages=2)
    scene.run("cloud")
    assert {each.rpartition(".")[2] for each in keys(scene.folder / "cloud")} == endings


def test_scans_are_put_away_when_all_of_them_are_recorded(scene: Scene) -> None:
    scene.change(done=scene.folder / "done")
    scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01")
    scene.run("cloud")
    assert not (scene.settings.scans / "HBF").exists()
    assert (scene.folder / "done/HBF/HBF_1_05/HBF_1_05_01.tif").is_file()


def test_one_batch_of_a_collection_at_a_time_and_several_collections_at_once(scene: Scene) -> None:
    from muniment.doors.distillery.requests import run_collection

    run_collection(scene.context, "HBF", ["cloud"], requester="t")
    with pytest.raises(SubjectTaken):
        run_collection(scene.context, "HBF", ["cloud"], requester="t")
    run_collection(scene.context, "OTHER", ["cloud"], requester="t")
    with pytest.raises(NotReadyToDistill):
        run_collection(scene.context, "../HBF", ["cloud"], requester="t")


def test_access_copies_are_shown_and_their_address_recorded(scene: Scene) -> None:
    (scene.folder / "site").mkdir()
    scene.change(access=AccessSettings("iiif", scene.folder / "site", "https://iiif.example.org"))
    uri = scene.describe("HBF_001_05")
    scene.scans("HBF_1_05", "01", "02", width=600, height=700)
    batch = scene.run("cloud", "access")
    made = scene.server.records[uri]["instances"][0]["digital_object"]["ref"]
    shown = {each["file_uri"]: each for each in scene.server.records[made]["file_versions"]}
    assert set(shown) == {
        "https://iiif.example.org/HBF_001_05/index.html",
        "https://iiif.example.org/HBF_001_05/thumbnail.jpg",
    }
    assert all(each["publish"] for each in shown.values())
    kept = scene.context.batches.shown(scene.archive.instance("HBF_001_05").project, "HBF_001_05")
    assert kept == AccessCopy(
        "https://iiif.example.org/HBF_001_05/index.html", "https://iiif.example.org/HBF_001_05/manifest.json"
    )
    assert list(audit(scene.context, batch)) == []
    before = scene.state()
    scene.run("cloud", "access")
    assert scene.state() == before
    (scene.folder / "site/HBF_001_05/manifest.json").write_text("{}")
    assert [each.where for each in audit(scene.context, batch)] == ["access"]


THEIRS = {"file_uri": "https://other.example.org/5", "publish": True, "caption": "by staff"}


def with_theirs(scene: Scene, existing: Literal["refuse", "keep"]) -> str:
    """An archival object whose digital object shows something else already; the digital object's address."""
    (scene.folder / "site").mkdir()
    scene.change(access=AccessSettings("iiif", scene.folder / "site", "https://iiif.example.org", existing))
    made = scene.server.put("digital_objects", digital_object_id="d", title="t", file_versions=[dict(THEIRS)])
    scene.describe("HBF_001_05", instances=[{"instance_type": "digital_object", "digital_object": {"ref": made}}])
    scene.scans("HBF_1_05", "01")
    return made


def test_a_digital_object_that_shows_something_else_is_refused_beforehand(scene: Scene) -> None:
    made = with_theirs(scene, "refuse")
    batch = scene.run("cloud", "access", state="failed")
    assert any("shows https://other.example.org/5 already" in each for each in scene.log(batch))
    assert scene.server.records[made]["file_versions"] == [THEIRS]
    assert not list((scene.folder / "cloud").rglob("*"))


def test_what_a_digital_object_showed_is_kept_unpublished_where_that_is_set(scene: Scene) -> None:
    made = with_theirs(scene, "keep")
    scene.run("cloud", "access")
    shown = {each["file_uri"]: each for each in scene.server.records[made]["file_versions"]}
    assert shown.pop(THEIRS["file_uri"]) == {**THEIRS, "publish": False}
    assert len(shown) == 2
    assert all(each["publish"] for each in shown.values())
    embedded = [each.get("xlink_show_attribute") for each in shown.values()]
    assert sorted(map(str, embedded)) == ["None", "embed"]

"""Exports, judged by programs that are not ours."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.errors.archive import InstanceNotFound, OutputExists, ResourceNotFound, WriteFailed
from muniment.errors.base import BadInput
from muniment.errors.delivery import MemberDamaged
from muniment.errors.exchange import NotVerified, UnknownLayout
from muniment.validation import validate_path
from muniment.workflows import output
from muniment.workflows.export import LAYOUTS, export, plan_package
from tests.acceptance.exchange.making import (
    ID,
    PROJECT,
    judged_by_bagit,
    judged_by_coreutils,
    judged_by_ocfl,
    new_archive,
    run,
    unpacked_by_tar,
    with_history,
)


def trees(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder with its bytes, None for a folder."""
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")}


def problems(layout: str, folder: Path) -> str:
    if layout == "ocfl":
        return judged_by_ocfl(folder)
    return judged_by_bagit(folder) + judged_by_coreutils(folder)


@pytest.mark.parametrize("id", [ID, "empty"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_and_a_tar_hold_the_same_valid_package(archive: Archive, tmp_path: Path, layout: str, id: str) -> None:
    folder, tar = tmp_path / "out", tmp_path / "out.tar"
    export(archive, id, layout, folder)
    done = export(archive, id, layout, tar)
    unpacked = unpacked_by_tar(tar, tmp_path / "unpacked")
    assert problems(layout, folder) == problems(layout, unpacked) == ""
    assert [finding.message for finding in validate_path(folder)] == []
    assert trees(folder) == trees(unpacked)
    assert done.sha256 == hashlib.sha256(tar.read_bytes()).hexdigest()
    assert done.size == sum(len(data) for data in trees(folder).values() if data is not None)
    listed = run("tar", "--list", "--file", tar).stdout.splitlines()
    assert len(listed) == (done.files or 0) + (layout == "bag" and id == "empty")


def test_each_instance_can_be_exported_as_a_bag(archive: Archive, tmp_path: Path) -> None:
    export(archive, ID, "bag", tmp_path / "first", instance=1)
    assert (tmp_path / "first/data/instance.json").read_bytes() == b"the user's own"
    assert judged_by_bagit(tmp_path / "first") == ""


def test_a_bag_of_instances_can_stop_at_an_earlier_one(archive: Archive, tmp_path: Path) -> None:
    export(archive, ID, "instances", tmp_path / "two", instance=2)
    assert len(list((tmp_path / "two/data/instances").iterdir())) == 2
    assert judged_by_bagit(tmp_path / "two") == ""


def test_an_object_is_never_exported_without_its_newest_instance(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds every instance"):
        export(archive, ID, "ocfl", tmp_path / "out", instance=1)


def test_the_bag_of_instances_has_the_structure_of_the_seed(archive: Archive, tmp_path: Path) -> None:
    export(archive, ID, "instances", tmp_path / "out")
    found = trees(tmp_path / "out")
    assert {"bagit.txt", "manifest-md5.txt", "data/resource.json"} <= found.keys()
    for instance in archive.history(ID):
        assert f"data/instances/{instance.instance}/instance.json" in found
    contents = [data for path, data in found.items() if data == b"one"]
    assert len(contents) == 1, "equal content lies in the bag once"


def test_a_worm_archive_exports_the_newest_inventory_in_the_root(tmp_path: Path) -> None:
    with with_history(new_archive(tmp_path / "worm", mode="worm"), tmp_path) as archive:
        root = archive.get(ID).root
        assert (root / "inventory.json").read_bytes() == (root / "v1/inventory.json").read_bytes()
        export(archive, ID, "ocfl", tmp_path / "out")
    assert judged_by_ocfl(tmp_path / "out") == ""


def test_nothing_is_ever_written_over(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "file.tar").write_bytes(b"mine")
    os.symlink("nowhere", tmp_path / "link")
    (tmp_path / "taken").mkdir()
    for name in ("file.tar", "link", "taken"):
        with pytest.raises(OutputExists):
            export(archive, ID, "bag", tmp_path / name)
    assert (tmp_path / "file.tar").read_bytes() == b"mine"
    assert list((tmp_path / "taken").iterdir()) == []


@pytest.mark.parametrize("name", ["out", "out.tar"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_damaged_file_fails_the_export_and_leaves_nothing(
    archive: Archive, tmp_path: Path, layout: str, name: str
) -> None:
    place = archive.get(ID).location("new/b.bin")
    place.write_bytes(b"owt")
    (tmp_path / "to").mkdir()
    with pytest.raises(MemberDamaged, match=r"b\.bin"):
        export(archive, ID, layout, tmp_path / "to" / name)
    assert list((tmp_path / "to").iterdir()) == []
    assert "exporting" not in {event.event for event in archive.events()}


@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_what_does_not_read_back_is_no_export(
    archive: Archive, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = output._refuse_unequal

    def spoilt(place: Path, target: Path, proof: tuple[str, str], size: int) -> None:
        with open(place, "r+b") as file:
            file.write(b"?")
        real(place, target, proof, size)

    monkeypatch.setattr(output, "_refuse_unequal", spoilt)
    (tmp_path / "to").mkdir()
    with pytest.raises(NotVerified):
        export(archive, ID, "bag", tmp_path / "to" / name)
    assert list((tmp_path / "to").iterdir()) == []


def test_an_export_to_a_folder_that_is_not_there_fails(archive: Archive, tmp_path: Path) -> None:
    for name in ("a", "a.tar"):
        with pytest.raises(WriteFailed):
            export(archive, ID, "bag", tmp_path / "nowhere" / name)


def test_a_missing_resource_layout_or_instance_is_named(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(ResourceNotFound):
        export(archive, "unknown", "bag", tmp_path / "out")
    with pytest.raises(InstanceNotFound):
        export(archive, ID, "bag", tmp_path / "out", instance=9)
    with pytest.raises(UnknownLayout, match="bag, instances, ocfl"):
        export(archive, ID, "zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_export_is_recorded_once_it_is_there(archive: Archive, tmp_path: Path) -> None:
    done = export(archive, ID, "bag", tmp_path / "out.tar")
    event = list(archive.events())[-1]
    assert (event.event, event.resource, event.project, event.instance) == ("exporting", ID, PROJECT, 3)
    assert event.detail["sha256"] == done.sha256


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_range_of_a_tar_is_what_the_whole_has_there(archive: Archive, layout: str) -> None:
    whole = b"".join(plan_package(archive, ID, layout).read())
    assert len(whole) == plan_package(archive, ID, layout).length
    for start in range(0, len(whole), 1777):
        resumed = plan_package(archive, ID, layout)
        assert b"".join(resumed.read(start, min(start + 999, len(whole)))) == whole[start : start + 999]
    late = plan_package(archive, ID, layout)
    half = len(whole) // 2
    assert b"".join(late.read(half)) == whole[half:], "a download taken up again by another process"


def test_the_etag_changes_with_the_resource_alone(archive: Archive) -> None:
    before = plan_package(archive, ID, "instances").etag
    assert plan_package(archive, ID, "instances").etag == before
    with archive.get(ID, "a") as more:
        more.add(b"more", "more")
    assert plan_package(archive, ID, "instances").etag != before


def test_a_tar_goes_to_the_standard_output(archive: Archive, tmp_path: Path) -> None:
    program = (
        "import sys; from muniment.archive import Archive; from muniment.workflows.export import export;"
        "export(Archive(sys.argv[1]), sys.argv[2], 'bag', '-')"
    )
    with (tmp_path / "out.tar").open("wb") as out:
        subprocess.run([sys.executable, "-c", program, archive.path, ID], stdout=out, check=True)
    assert judged_by_bagit(unpacked_by_tar(tmp_path / "out.tar", tmp_path / "unpacked")) == ""

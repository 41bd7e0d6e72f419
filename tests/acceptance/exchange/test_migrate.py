"""Resources carried to another archive, whole or merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.errors.archive import DamagedFile, ResourceNotFound
from muniment.errors.base import BadInput
from muniment.errors.exchange import ResourceDiffers
from muniment.workflows.migrate import migrate
from tests.acceptance.exchange.making import ID, PROJECT, judged_by_ocfl, new_archive, views


def test_resources_are_copied_whole(archive: Archive, other: Archive) -> None:
    done = migrate(archive, other)
    assert [(item.id, item.project, item.instances, item.copied) for item in done] == [
        ("empty", "main/main", 1, True),
        (ID, PROJECT, 3, True),
    ]
    assert views(other) == views(archive)
    assert views(other, "empty") == views(archive, "empty")
    assert judged_by_ocfl(other.get(ID).root) == ""
    for side in (archive, other):
        events = [event for event in side.events() if event.event == "migration"]
        assert [event.resource for event in events] == ["empty", ID]


def test_migrating_again_copies_nothing(archive: Archive, other: Archive) -> None:
    migrate(archive, other)
    before = [event.seq for event in other.events()]
    assert [item.copied for item in migrate(archive, other)] == [False, False]
    assert [event.seq for event in other.events()] == before


def test_some_resources_or_one_project_can_be_named(archive: Archive, tmp_path: Path) -> None:
    with new_archive(tmp_path / "named") as named, new_archive(tmp_path / "project") as project:
        migrate(archive, named, ["empty"])
        migrate(archive, project, project=PROJECT)
        assert (list(named), list(project)) == (["empty"], [ID])
    with pytest.raises(ResourceNotFound):
        migrate(archive, named, ["unknown"])


@pytest.mark.parametrize("mode", ["worm", "dynamic"])
def test_an_archive_of_other_digests_and_mode_takes_them(archive: Archive, tmp_path: Path, mode: str) -> None:
    with new_archive(tmp_path / "small", mode=mode, digests=("sha256", "md5")) as small:
        migrate(archive, small)
        assert [item["bytes"] for item in views(small)] == [item["bytes"] for item in views(archive)]
        assert [item.instance for item in small.history(ID)] == [item.instance for item in archive.history(ID)]
        assert set(small.get(ID)["new/b.bin"].digests) == {"sha256", "md5"}
        assert [item.copied for item in migrate(archive, small)] == [False, False]
        assert [finding for finding in small.audit() if finding.code != "M401"] == []


def test_merging_leaves_one_instance_that_names_where_it_came_from(archive: Archive, other: Archive) -> None:
    migrate(archive, other, [ID], merge=True)
    (merged,) = other.history(ID)
    history = archive.history(ID)
    assert {path: merged.read(path) for path in merged} == views(archive)[-1]["bytes"]
    assert merged.metadata == history[-1].metadata
    assert [origin["instance"] for origin in merged.provenance] == [instance.instance for instance in history]
    assert [origin["number"] for origin in merged.provenance] == [1, 2, 3]
    assert {origin["archive"] for origin in merged.provenance} == {archive.config.id}
    assert [origin["inventory"] for origin in merged.provenance] == [item.inventory_digest() for item in history]
    for side in (archive, other):
        assert [event.resource for event in side.events() if event.event == "information package merging"] == [ID]
    assert [item.copied for item in migrate(archive, other, [ID], merge=True)] == [False]


def test_what_was_migrated_and_then_changed_is_not_taken_for_a_copy(archive: Archive, other: Archive) -> None:
    migrate(archive, other)
    with other.get(ID, "a") as more:
        more.add(b"more", "more")
    before = views(other)
    with pytest.raises(ResourceDiffers):
        migrate(archive, other)
    with pytest.raises(ResourceDiffers):
        migrate(archive, other, merge=True)
    assert views(other) == before


def test_an_id_used_for_something_else_is_not_touched(archive: Archive, other: Archive) -> None:
    with other.new(ID, PROJECT) as mine:
        mine.add(b"mine", "mine")
    with pytest.raises(ResourceDiffers, match="not the same"):
        migrate(archive, other, [ID])
    assert list(other.get(ID)) == ["mine"]


@pytest.mark.parametrize("merge", [False, True])
def test_a_damaged_source_is_named_and_nothing_arrives(archive: Archive, other: Archive, merge: bool) -> None:
    archive.get(ID).location("new/b.bin").write_bytes(b"owt")
    with pytest.raises(DamagedFile, match=r"b\.bin"):
        migrate(archive, other, [ID], merge=merge)
    assert list(other) == []
    assert list((other.path / "staging/open").iterdir()) == []


def test_an_archive_is_not_migrated_into_itself(archive: Archive) -> None:
    with pytest.raises(BadInput, match="one archive"):
        migrate(archive, archive)

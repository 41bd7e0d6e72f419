"""What says "all" leaves nothing behind, and when each resource was last audited is remembered."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive, UsageReader
from muniment.cli.main import run
from muniment.errors.archive import DamagedRecord
from muniment.workflows.migrate import migrate
from tests.crash.scenes import AGENT, open_archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", agent=AGENT, workers=0, redundancy=0) as archive:
        for id in ("a", "b"):
            with archive.new(id) as transaction:
                transaction.add(id.encode(), "file")
        assert list(archive) == ["a", "b"]
        yield archive


def forget(archive: Archive, id: str) -> None:
    with contextlib.closing(sqlite3.connect(archive.state / "index.db")) as index, index:
        index.execute("DELETE FROM resources WHERE id = ?", (id,))
    assert id not in list(archive)


def damage(archive: Archive, id: str) -> None:
    archive.get(id).location("file").write_bytes(b"?")


def test_a_migration_of_all_takes_along_what_the_index_lost(archive: Archive, tmp_path: Path) -> None:
    forget(archive, "b")
    with Archive.init(tmp_path / "other", agent=AGENT, workers=0, redundancy=0) as other:
        assert [done.id for done in migrate(archive, other)] == ["a", "b"]
        assert list(other) == ["a", "b"]


def test_a_migration_of_all_refuses_to_leave_behind_what_cannot_be_listed(archive: Archive, tmp_path: Path) -> None:
    root = archive.get("b").root
    for folder in ("v1", "."):
        (root / folder / "inventory.json").unlink()
    archive.reindex()
    assert list(archive) == ["a"]
    with (
        Archive.init(tmp_path / "other", agent=AGENT, workers=0, redundancy=0) as other,
        pytest.raises(DamagedRecord, match="cannot be listed"),
    ):
        migrate(archive, other)


def test_a_whole_list_leaves_out_what_is_not_on_disk_any_more(archive: Archive) -> None:
    with contextlib.closing(sqlite3.connect(archive.state / "index.db")) as index, index:
        index.execute(
            "INSERT INTO resources SELECT project, 'ghost', 1, created, modified, 1, 1, '', 0 FROM resources LIMIT 1"
        )
    assert "ghost" in list(archive)
    assert [item.id for item in archive.resources(whole=True)] == ["a", "b"]


def test_an_audit_names_what_the_index_lost_and_a_repair_lists_it_again(archive: Archive) -> None:
    forget(archive, "b")
    (finding,) = (finding for finding in archive.audit() if finding.failed)
    assert (finding.code, finding.resource, finding.project) == ("M701", "b", "main/main")
    (done,) = archive.repair()
    assert done.repaired
    assert list(archive) == ["a", "b"]


def audited(archive: Archive, id: str) -> tuple[bool, bool]:
    """Whether a resource was audited, and whether it was found damaged."""
    found = archive.summary(id)
    return bool(found.audited), found.damaged


def test_an_audit_of_all_is_remembered_of_each_resource(archive: Archive) -> None:
    assert audited(archive, "a") == (False, False)
    damage(archive, "b")
    list(archive.audit())
    assert audited(archive, "a") == (True, False)
    assert audited(archive, "b") == (True, True)
    with archive.new("c") as transaction:
        transaction.add(b"later", "file")
    assert audited(archive, "c") == (False, False)


def test_an_audit_of_one_resource_is_remembered_of_it_alone(archive: Archive) -> None:
    list(archive.audit("a"))
    assert audited(archive, "a") == (True, False)
    assert audited(archive, "b") == (False, False)


def test_a_fast_audit_is_none_of_content(archive: Archive) -> None:
    list(archive.audit(fast=True))
    assert audited(archive, "a") == (False, False)


def test_what_was_audited_is_known_again_after_the_index_was_deleted(archive: Archive) -> None:
    damage(archive, "b")
    list(archive.audit())
    before = [archive.summary(id) for id in ("a", "b")]
    archive.close()
    (archive.path / "index.db").unlink()
    with open_archive(archive.path) as again:
        assert [again.summary(id) for id in ("a", "b")] == before


def test_each_damaged_resource_has_its_own_event_of_an_audit(archive: Archive) -> None:
    damage(archive, "b")
    list(archive.audit())
    whole, one = (event for event in archive.events() if event.event == "fixity check")
    assert (whole.resource, whole.outcome) == ("", "failure")
    assert (one.project, one.resource, one.instance, one.outcome) == ("main/main", "b", 1, "failure")
    assert one.detail["findings"] == {"M101": 1, "M103": 1} or one.detail["findings"] == {"M101": 1}


def test_an_audit_that_was_broken_off_remembers_what_it_found_before(archive: Archive) -> None:
    damage(archive, "b")
    bookmark = archive.state / "audit.json"
    begun = archive.audit()
    next(begun)
    begun.close()  # type: ignore[attr-defined] # a generator
    assert not bookmark.exists(), "both resources are in one group, which was not passed"
    list(archive.audit(resume=True))
    assert audited(archive, "b") == (True, True)


def test_show_tells_when_a_resource_was_audited_and_its_links(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"x")
    (folder / "inside").symlink_to("file")
    (folder / "out").symlink_to("/etc/hostname")
    assert run(["--archive", str(archive.path), "add", str(folder), "--id", "linked"]) == 0
    capsys.readouterr()
    assert run(["--archive", str(archive.path), "show", "linked"]) == 0
    said = capsys.readouterr().out
    assert "never audited" in said
    assert "folder/out -> /etc/hostname" in said or "out -> /etc/hostname" in said
    list(archive.audit("linked"))
    assert run(["--archive", str(archive.path), "show", "linked"]) == 0
    assert "audited 20" in capsys.readouterr().out


def test_the_event_of_a_check_names_the_places_of_what_it_found(archive: Archive) -> None:
    damage(archive, "b")
    list(archive.audit())
    list(archive.audit("b"))
    named = [event.detail["places"]["error"] for event in archive.events() if "places" in event.detail]
    place = archive.instance("b").root.relative_to(archive.path)
    assert named[0] == named[1]
    assert [each.startswith(f"{place}/v1/content/data/") for each in named[0]] == [True]


def test_the_event_of_a_check_names_only_the_first_places_of_many(archive: Archive) -> None:
    with archive.new("many") as made:
        for number in range(50):
            made.add(b"%d" % number, f"{number:02}.txt")
    many = archive.instance("many")
    for path in many:
        many.location(path).chmod(0o600)
        many.location(path).write_bytes(b"x")
    assert len([finding for finding in archive.audit("many") if finding.failed]) >= 50
    newest = list(archive.events())[-1]
    assert len(newest.detail["places"]["error"]) == 20
    assert newest.detail["places not named"] >= 30


def test_the_event_of_an_audit_says_how_many_bytes_were_read(archive: Archive) -> None:
    list(archive.audit(fast=True))
    assert "read" not in list(archive.events())[-1].detail
    before = UsageReader(archive).read().read_today
    list(archive.audit())
    read = list(archive.events())[-1].detail["read"]
    contents = [file for id in ("a", "b") for file in archive.get(id).root.glob("v1/content/**/*") if file.is_file()]
    assert read == sum(file.stat().st_size for file in contents)
    assert (before, UsageReader(archive).read().read_today) == (0, read)
    list(archive.audit("a"))
    assert read < UsageReader(archive).read().read_today < 2 * read

"""What goes into the archive is there, whole, under its names; what does not is nowhere."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from muniment.archive import Archive, Transaction
from muniment.archive.ingest.staging import read_record
from muniment.content.identity import new_uuid
from muniment.errors.archive import (
    FileNotInInstance,
    LeftoverNotFound,
    NotEmpty,
    PathCollides,
    PathTaken,
    ReadOnlyInstance,
    ResourceExists,
    ResourceNotFound,
    ResourceReserved,
    StaleTransaction,
    TransactionBusy,
    TransactionClosed,
)
from muniment.errors.base import BadInput
from muniment.errors.content import DigestMismatch
from tests.crash.judging import assert_bag, assert_judges_agree
from tests.crash.scenes import AGENT
from tests.unit.archive.pictures import picture

HELLO = b"hello\n"
HELLO_DIGESTS = {
    "md5": "b1946ac92492d2347c6235b4d2611184",
    "sha1": "f572d396fae9206628714fb2ce00f72e94f2258f",
    "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
}


def fail_after_adding(transaction: Transaction, *contents: bytes) -> None:
    with transaction:
        for content in contents:
            transaction.add(content, f"{content!r}")
        raise ZeroDivisionError


def test_what_was_added_is_listed_once_and_read_back_equal(archive: Archive, tmp_path: Path) -> None:
    car = tmp_path / "car.png"
    car.write_bytes(os.urandom(5000))
    with archive.new() as transaction:
        transaction.add(car)
    assert list(archive) == [transaction.id]
    instance = archive.get(transaction.id)
    assert list(instance) == ["car.png"]
    assert instance.read("car.png") == car.read_bytes()
    assert instance["car.png"].size == 5000
    assert_bag(instance, tmp_path / "bag")
    assert_judges_agree(archive)
    assert os.listdir(archive.path / "staging/open") == os.listdir(archive.path / "staging/scratch") == []


def test_the_id_of_a_new_resource_is_a_uuid_of_version_7(archive: Archive) -> None:
    with archive.new() as transaction:
        transaction.add(HELLO, "a")
    assert transaction.id[14] == "7"
    assert transaction.id[19] in "89ab"


def test_an_exception_leaves_the_resource_as_it_was(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a")
    before, events = picture(archive.path), list(archive.events())
    with pytest.raises(ZeroDivisionError):
        fail_after_adding(archive.get("r", "a"), b"1", b"2")
    assert picture(archive.path) == before
    assert list(archive.events()) == events


def test_an_exception_in_a_new_resource_leaves_nothing(archive: Archive) -> None:
    before = picture(archive.path)
    with pytest.raises(ZeroDivisionError):
        fail_after_adding(archive.new("never"), HELLO)
    assert list(archive) == []
    assert "never" not in archive
    assert picture(archive.path) == before


def test_an_instance_is_read_only(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a")
    instance = archive.get("r")
    for change in (instance.add, instance.delete, instance.replace, instance.commit):
        with pytest.raises(ReadOnlyInstance):
            change(HELLO, "b")


@pytest.mark.parametrize("mode", ["r", "a", "t"])
def test_an_unknown_id_is_a_key_error_and_makes_nothing(archive: Archive, mode: str) -> None:
    before = picture(archive.path)
    with pytest.raises(KeyError):
        archive.get("unknown", mode)  # type: ignore[call-overload] # both overloads, one after the other
    with pytest.raises(ResourceNotFound):
        archive.get("unknown", project="other/project")
    assert picture(archive.path) == before


@pytest.mark.parametrize("mode", ["a", "t"])
def test_both_modes_of_writing_give_a_transaction(archive: Archive, mode: str) -> None:
    with archive.new("r") as first:
        first.add(HELLO, "a")
    transaction = archive.get("r", mode)  # type: ignore[call-overload] # both overloads, one after the other
    transaction.add(HELLO, "b")
    assert transaction.commit().number == 2
    with pytest.raises(TransactionClosed):
        transaction.add(HELLO, "c")
    with pytest.raises(TransactionClosed):
        transaction.rollback()


def test_another_mode_is_refused(archive: Archive) -> None:
    with pytest.raises(BadInput):
        archive.get("r", "w")  # type: ignore[call-overload] # on purpose


def test_a_transaction_never_closed_is_reported_and_can_be_replayed_or_rolled_back(archive: Archive) -> None:
    for id in ("kept", "dropped"):
        transaction = archive.new(id)
        transaction.add(HELLO, "a/hello.txt")
        transaction.metadata["title"] = id
        transaction.leave()
    left = {leftover.id: leftover for leftover in archive.leftovers()}
    assert {id: leftover.files for id, leftover in left.items()} == {"kept": 1, "dropped": 1}
    instance = archive.replay(left["kept"].transaction)
    assert instance.read("a/hello.txt") == HELLO
    assert instance.metadata == {"title": "kept"}
    archive.roll_back(left["dropped"].transaction)
    assert list(archive) == ["kept"]
    assert archive.leftovers() == []
    assert list(archive.audit()) == []


def test_equal_content_is_stored_once_in_a_resource(archive: Archive) -> None:
    data = os.urandom(100_000)
    with archive.new("r") as transaction:
        transaction.add(data, "one")
        transaction.add(data, "two")
    with archive.get("r", "a") as transaction:
        transaction.add(data, "three")
    stored = [path for path, (_, content) in picture(archive.path).items() if content == data]
    assert len(stored) == 1
    assert {path: archive.get("r").read(path) for path in archive.get("r")} == dict.fromkeys(
        ("one", "three", "two"), data
    )


def test_content_of_a_transaction_rolled_back_is_not_referred_to(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a")
    rolled = archive.get("r", "a")
    rolled.add(b"only here", "b")
    other = archive.get("r", "a")
    other.add(b"only here", "c")
    rolled.rollback()
    other.commit()
    assert archive.get("r").read("c") == b"only here"
    assert list(archive.audit()) == []


@pytest.mark.parametrize("name", HELLO_DIGESTS)
@pytest.mark.parametrize("upper", [False, True])
def test_a_right_digest_is_accepted(archive: Archive, name: str, upper: bool) -> None:
    value = HELLO_DIGESTS[name].upper() if upper else HELLO_DIGESTS[name]
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a", digests=f"{name}:{value}")
    assert archive.get("r").read("a") == HELLO


@pytest.mark.parametrize("form", ["bytes", "file", "stream", "iterator"])
def test_a_wrong_digest_refuses_the_file(archive: Archive, tmp_path: Path, form: str) -> None:
    (tmp_path / "a").write_bytes(HELLO)
    source = {"bytes": HELLO, "file": tmp_path / "a", "stream": io.BytesIO(HELLO), "iterator": iter([HELLO])}[form]
    transaction = archive.new("r")
    with pytest.raises(DigestMismatch) as error:
        transaction.add(source, "a", digests={"sha256": "0" * 64})  # type: ignore[arg-type] # one of four forms
    assert HELLO_DIGESTS["sha256"] in str(error.value)
    assert list(transaction) == []
    transaction.add(b"good", "b")
    assert list(transaction.commit()) == ["b"]
    assert not any(content == HELLO for _, content in picture(archive.path).values())


def test_replacing_and_deleting_make_a_new_instance_and_leave_the_old(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a")
        transaction.add(b"beta", "b")
        transaction.add(b"gamma", "folder/c")
        transaction.add(b"delta", "folder/d")
    before = picture(archive.get("r").root / "v1")
    with archive.get("r", "a") as transaction:
        transaction.replace(b"changed", "a")
        transaction.delete("b")
        transaction.delete("folder")
    assert picture(archive.get("r").root / "v1") == before
    assert {path: archive.get("r").read(path) for path in archive.get("r")} == {"a": b"changed"}
    first = archive.get("r", instance=1)
    assert {path: first.read(path) for path in first} == {
        "a": HELLO,
        "b": b"beta",
        "folder/c": b"gamma",
        "folder/d": b"delta",
    }
    assert [instance.number for instance in archive.history("r")] == [1, 2]
    assert archive.get("r", instance="v1").number == archive.get("r", instance=first.instance).number == 1


def test_what_is_not_there_can_be_neither_replaced_nor_deleted(archive: Archive) -> None:
    transaction = archive.new("r")
    with pytest.raises(FileNotInInstance):
        transaction.replace(HELLO, "a")
    with pytest.raises(FileNotInInstance):
        transaction.delete("a")
    transaction.rollback()


def test_a_path_is_added_once_and_is_either_file_or_folder(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a/b")
        with pytest.raises(PathTaken):
            transaction.add(b"x", "a/b")
        with pytest.raises(PathCollides):
            transaction.add(b"x", "a")
        with pytest.raises(PathCollides):
            transaction.add(b"x", "a/b/c")
        transaction.replace(b"second thought", "a/b")
    assert archive.get("r").read("a/b") == b"second thought"


def test_a_file_can_become_a_folder_and_a_folder_a_file(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a")
        transaction.add(HELLO, "b/c")
    with archive.get("r", "a") as transaction:
        transaction.delete("a")
        transaction.add(b"below", "a/x")
        transaction.delete("b")
        transaction.add(b"now a file", "b")
    assert {path: archive.get("r").read(path) for path in archive.get("r")} == {"a/x": b"below", "b": b"now a file"}
    assert_judges_agree(archive)


def test_two_transactions_on_one_resource_end_in_a_conflict_not_in_a_lost_update(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a")
    first, second = archive.get("r", "a"), archive.get("r", "a")
    first.add(b"1", "first")
    second.add(b"2", "second")
    first.commit()
    with pytest.raises(StaleTransaction):
        second.commit()
    assert list(archive.get("r")) == ["a", "first"]
    assert list(archive.audit()) == []


def test_an_id_is_taken_once(archive: Archive) -> None:
    first, second = archive.new("r"), archive.new("r")
    first.add(HELLO, "a")
    second.add(b"other", "a")
    first.commit()
    with pytest.raises(ResourceExists):
        second.commit()
    with pytest.raises(ResourceExists):
        archive.new("r")
    assert archive.get("r").read("a") == HELLO


def test_nothing_done_is_no_new_instance(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a")
    with archive.get("r", "a"):
        pass
    assert archive.get("r").number == 1
    with archive.get("r", "a") as transaction:
        transaction.metadata["title"] = "Said later"
    assert archive.get("r").number == 2
    assert archive.get("r").metadata == {"title": "Said later"}


def test_a_resource_without_files_is_a_valid_one(archive: Archive) -> None:
    with archive.new("empty") as transaction:
        transaction.metadata["title"] = "Nothing yet"
    assert list(archive.get("empty")) == []
    assert_judges_agree(archive)
    assert list(archive.audit()) == []


def test_an_archive_is_made_only_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotEmpty):
        Archive.init(tmp_path)
    with pytest.raises(NotEmpty):
        Archive.init(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


def test_an_interrupt_right_after_the_commit_point_takes_the_version_out_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with archive.new("r") as transaction:
        transaction.add(HELLO, "a")
    transaction = archive.get("r", "a")
    transaction.add(b"more", "b")

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archive.context.log.__class__, "append", lambda *_: interrupted(None))
        with pytest.raises(KeyboardInterrupt):
            transaction.commit()
    assert archive.get("r").number == 1
    assert list(archive.audit()) == []


def test_what_was_added_and_left_out_again_is_in_nobodys_way(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(b"1", "a/b/c")
        transaction.delete("a")
        transaction.add(b"2", "a")
        transaction.delete("a")
        transaction.add(b"3", "a/b")
        transaction.delete("a")
        transaction.add(b"4", "a/b/c")
        transaction.add(b"5", "x")
        transaction.delete("x")
        transaction.add(b"6", "x/y/z")
    assert {path: archive.get("r").read(path) for path in archive.get("r")} == {"a/b/c": b"4", "x/y/z": b"6"}
    assert list(archive.audit()) == []
    assert_judges_agree(archive)


def test_a_resource_that_a_prepared_transaction_has_reserved_is_committed_by_nobody_else(archive: Archive) -> None:
    reserved = archive.new("r")
    reserved.add(b"first", "file")
    other = archive.new("r")
    other.add(b"second", "file")
    reserved.prepare(new_uuid(), archive.config.id)
    with pytest.raises(ResourceReserved, match=reserved.transaction):
        other.commit()
    assert "r" not in archive
    reserved.rollback()


def test_the_record_of_an_instance_says_who_made_it_and_which_folders_were_empty(
    archive: Archive, tmp_path: Path
) -> None:
    (tmp_path / "given/empty").mkdir(parents=True)
    (tmp_path / "given/file").write_bytes(b"x")
    with archive.new("r") as transaction:
        transaction.add(tmp_path / "given")
    record = archive.get("r").record
    assert record["agent"] == {"name": AGENT.name, "address": AGENT.address}
    assert record["folders"] == ["empty"]


def test_a_parked_transaction_goes_on_where_it_was(archive: Archive) -> None:
    transaction = archive.new("r")
    transaction.add(b"first", "file")
    transaction.park()
    transaction.unpark()
    transaction.add(b"second", "next")
    assert list(transaction.commit()) == ["file", "next"]


def test_where_no_transaction_is_none_is_read(tmp_path: Path) -> None:
    with pytest.raises(LeftoverNotFound):
        read_record(tmp_path)


def test_a_transaction_that_stays_open_may_be_gone_on_with_by_anybody(archive: Archive) -> None:
    transaction = archive.new("r")
    transaction.add(b"first", "file")
    transaction.area.stays_open = True
    transaction.park(lease=60)
    other = archive.resume(transaction.transaction)
    other.add(b"second", "next")
    with pytest.raises(TransactionBusy):
        transaction.unpark()
    other.park()
    transaction.unpark()
    with pytest.raises(TransactionBusy):
        other.unpark()
    transaction.add(b"third", "last")
    assert sorted(transaction.commit()) == ["file", "last", "next"]


@pytest.mark.parametrize("again", [False, True])
def test_a_transaction_that_stayed_open_is_gone_when_another_ended_it(archive: Archive, *, again: bool) -> None:
    transaction = archive.new("r")
    transaction.area.stays_open = True
    transaction.park(lease=60)
    archive.resume(transaction.transaction).rollback()
    if again:  # a folder of that name, by whomever: its lock is another one
        transaction.area.folder.mkdir()
        (transaction.area.folder / "lock").touch()
    with pytest.raises(LeftoverNotFound):
        transaction.unpark()
    assert transaction.area.held is None


def test_what_stays_open_between_two_pieces_of_work_is_closed_at_the_end(archive: Archive) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    transaction = archive.new("r")
    transaction.add(b"first", "file")
    transaction.area.stays_open = True
    transaction.park()
    assert count() == before + 2
    transaction.area.release()
    assert count() == before
    transaction.unpark()
    transaction.park()
    transaction.unpark()
    transaction.commit()
    assert count() <= before

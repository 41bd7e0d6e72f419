"""One suite for the archive in a folder and the archive behind a server: a program cannot tell them apart."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment import Archive
from muniment.errors.archive import (
    AmbiguousId,
    FileNotInInstance,
    InstanceNotFound,
    PathTaken,
    ReadOnlyInstance,
    ResourceExists,
    ResourceNotFound,
    StaleTransaction,
    TransactionClosed,
)
from muniment.errors.content import BadId, BadProject, DigestMismatch, UnknownDigest, UnsafePath

SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of b"hello"


def snapshot(tree: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in tree.rglob("*") if path.is_file()}


def put(archive: Any, id: str, **files: bytes) -> Any:
    with archive.new(id) as transaction:
        for name, data in files.items():
            transaction.add(data, name)
    return archive.get(id)


def test_it_is_an_archive(archive: Any) -> None:
    assert isinstance(archive, Archive)
    assert archive.config.mode == "preservation"


def test_a_new_resource_is_listed_once_and_reads_back(archive: Any, tmp_path: Path) -> None:
    car = tmp_path / "car.png"
    car.write_bytes(b"\x89PNG car")
    with archive.new() as transaction:
        transaction.add(str(car))
    assert list(archive) == [transaction.id]
    assert transaction.id in archive
    found = archive.get(transaction.id)
    assert list(found) == ["car.png"]
    assert found.read("car.png") == b"\x89PNG car"
    assert found["car.png"].modified


def test_an_exception_leaves_an_existing_resource_as_it_was(archive: Any, tree: Path) -> None:
    put(archive, "car", one=b"1")
    before = snapshot(tree)
    with pytest.raises(ZeroDivisionError), archive.get("car", mode="a") as transaction:  # noqa: PT012 - the seed's example
        transaction.add(b"2", "two")
        transaction.add(b"3", "three")
        raise ZeroDivisionError
    assert snapshot(tree) == before
    assert archive.get("car").head == 1


def test_an_exception_in_a_new_resource_leaves_nothing(archive: Any, tree: Path) -> None:
    before, events = snapshot(tree), [event.seq for event in archive.events()]
    with pytest.raises(ZeroDivisionError), archive.new("car") as transaction:  # noqa: PT012 - as above
        transaction.add(b"1", "one")
        raise ZeroDivisionError
    assert list(archive) == []
    assert snapshot(tree) == before
    assert [event.seq for event in archive.events()] == events


def test_what_is_read_cannot_be_changed(archive: Any) -> None:
    found = put(archive, "car", one=b"1")
    for change in (found.add, found.delete, found.replace, found.commit):
        with pytest.raises(ReadOnlyInstance):
            change()


def test_an_unknown_id_is_an_error_and_makes_nothing(archive: Any, tree: Path) -> None:
    before = snapshot(tree)
    for mode in ("r", "a", "t"):
        with pytest.raises(KeyError) as caught:
            archive.get("nobody", mode=mode)
        assert isinstance(caught.value, ResourceNotFound)
    assert "nobody" not in archive
    assert snapshot(tree) == before


@pytest.mark.parametrize("mode", ["a", "t"])
def test_both_modes_of_writing_begin_a_transaction(archive: Any, mode: Any) -> None:
    put(archive, "car", one=b"1")
    with archive.get("car", mode=mode) as transaction:
        transaction.add(b"2", "two")
    assert list(archive.get("car")) == ["one", "two"]
    assert list(archive.get("car", instance=1)) == ["one"]


def test_a_wrong_digest_refuses_the_file(archive: Any) -> None:
    with archive.new("car") as transaction:
        for wrong in (f"sha256:{'0' * 64}", f"md5:{'0' * 32}", f"sha512:{'0' * 128}"):
            with pytest.raises(DigestMismatch):
                transaction.add(b"hello", "car", digests=wrong)
        with pytest.raises(UnknownDigest):
            transaction.add(b"hello", "car", digests="crc32:00000000")
        assert list(transaction) == []
        transaction.add(b"hello", "car", digests=[f"sha256:{SHA256.upper()}", "md5:5d41402abc4b2a76b9719d911017c592"])
    assert archive.get("car").digests("car")["sha256"] == SHA256


def test_a_large_file_with_a_wrong_digest_is_refused_too(archive: Any, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(3_000_000))
    with archive.new("car") as transaction:
        with pytest.raises(DigestMismatch):
            transaction.add(big, digests="0" * 64)
        assert list(transaction) == []
        transaction.add(big)
    assert archive.get("car").read("big") == bytes(3_000_000)


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a\0b", "", "a//b", "a/", "."])
def test_paths_that_leave_the_package_are_refused(archive: Any, path: str) -> None:
    with archive.new("car") as transaction:
        with pytest.raises(UnsafePath):
            transaction.add(b"x", path)
        transaction.add(b"x", "fine")


@pytest.mark.parametrize("id", ["https://example.org/a b?c=d#e", "a/b/c", "müll/ü", "100%", "..", "ark:/1/2", "a%2Fb"])
def test_ids_of_every_form_work(archive: Any, id: str) -> None:
    put(archive, id, ordner=b"1")
    with archive.get(id, "a") as transaction:
        transaction.add(b"2", "Ordner ä/%2e%2e/file #1?.txt")
    assert list(archive) == [id]
    found = archive.get(id)
    assert found.read("Ordner ä/%2e%2e/file #1?.txt") == b"2"
    assert [item.number for item in archive.history(id)] == [1, 2]


@pytest.mark.parametrize("id", ["", "a\nb", "x" * 2000])
def test_bad_ids_are_refused(archive: Any, id: str) -> None:
    with pytest.raises(BadId):
        archive.new(id or " \n")


def test_a_bad_project_is_refused(archive: Any) -> None:
    with pytest.raises((BadProject, ValueError)):
        archive.new("a", "no project")


def test_an_id_can_be_taken_once(archive: Any) -> None:
    put(archive, "car", one=b"1")
    with pytest.raises(ResourceExists):
        archive.new("car")
    assert put_in(archive, "car", "other/place").project == "other/place"
    assert archive.projects() == ["main/main", "other/place"]
    assert archive.get("car").project == "main/main"


def put_in(archive: Any, id: str, project: str) -> Any:
    with archive.new(id, project) as transaction:
        transaction.add(b"1", "one")
    return archive.get(id, project=project)


def test_an_id_of_several_projects_needs_the_project(archive: Any) -> None:
    put_in(archive, "car", "a/one")
    put_in(archive, "car", "b/two")
    with pytest.raises(AmbiguousId):
        archive.get("car")
    assert [item.project for item in archive.resources()] == ["a/one", "b/two"]
    assert [item.project for item in archive.resources("b/two")] == ["b/two"]
    assert (archive.count(), archive.count("b/two"), archive.count("none")) == (2, 1, 0)


def test_replace_and_delete_make_a_new_instance_and_keep_the_old(archive: Any) -> None:
    put(archive, "car", one=b"1", two=b"2", three=b"3")
    with archive.get("car", "a", message="tidy") as transaction:
        transaction.replace(b"one!", "one")
        assert transaction.delete("two") == ["two"]
        with pytest.raises(FileNotInInstance):
            transaction.delete("two")
        with pytest.raises(FileNotInInstance):
            transaction.replace(b"", "nowhere")
    newest = archive.get("car")
    assert {path: newest.read(path) for path in newest} == {"one": b"one!", "three": b"3"}
    assert newest.message == "tidy"
    first = archive.get("car", instance=1)
    assert {path: first.read(path) for path in first} == {"one": b"1", "two": b"2", "three": b"3"}
    assert archive.get("car", instance=newest.instance).number == 2
    with pytest.raises(InstanceNotFound):
        archive.get("car", instance=3)


def test_a_path_can_be_added_once(archive: Any) -> None:
    with archive.new("car") as transaction:
        transaction.add(b"1", "one")
        with pytest.raises(PathTaken):
            transaction.add(b"1", "one")
        with pytest.raises(ValueError, match="name of their own"):
            transaction.add(b"1")


def test_the_second_of_two_transactions_is_stale(archive: Any) -> None:
    put(archive, "car", one=b"1")
    first, second = archive.get("car", "a"), archive.get("car", "a")
    first.add(b"2", "two")
    second.add(b"3", "three")
    first.commit()
    with pytest.raises(StaleTransaction):
        second.commit()
    assert list(archive.get("car")) == ["one", "two"]


def test_a_closed_transaction_takes_nothing_more(archive: Any) -> None:
    transaction = archive.new("car")
    transaction.add(b"1", "one")
    transaction.commit()
    for change in (transaction.commit, transaction.rollback, lambda: transaction.add(b"2", "two")):
        with pytest.raises(TransactionClosed):
            change()


def test_a_folder_comes_whole(archive: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "empty").mkdir()
    expected = {f"deep/{number:03}": bytes([number]) * number for number in range(200)}
    expected["deep/deeper/big"] = b"large" * 200_000
    for path, data in expected.items():
        (folder / path).write_bytes(data)
    (folder / "link").symlink_to("deep/001")
    seen = []
    with archive.new("car") as transaction:
        transaction.add(folder, "in", progress=lambda step, done, *_, **__: seen.append((step, done)))
    found = archive.get("car")
    assert {path.removeprefix("in/"): found.read(path) for path in found} == expected
    assert found.record["links"] == {"in/link": "deep/001"}
    assert found.record["folders"] == ["in/empty"]
    assert ("adding", 201) in seen


def test_streams_and_iterators_are_taken(archive: Any) -> None:
    with archive.new("car") as transaction:
        transaction.add(io.BytesIO(b"stream" * 400_000), "stream")
        transaction.add((bytes([number]) * 70_000 for number in range(40)), "iterator")
        transaction.add([], "empty")
    found = archive.get("car")
    assert found.read("stream") == b"stream" * 400_000
    assert found.read("iterator") == b"".join(bytes([number]) * 70_000 for number in range(40))
    assert found.read("empty") == b""


def test_a_failing_iterator_stores_nothing(archive: Any) -> None:
    def failing() -> Iterator[bytes]:
        yield bytes(2_000_000)
        raise ZeroDivisionError

    with archive.new("car") as transaction:
        with pytest.raises(ZeroDivisionError):
            transaction.add(failing(), "stream")
        assert "stream" not in transaction
        transaction.add(b"1", "one")
    assert list(archive.get("car")) == ["one"]

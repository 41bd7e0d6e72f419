"""What cannot be kept is refused with a clear error, and nothing of it is stored."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.errors.archive import (
    ArchiveInside,
    NewerFormat,
    NotAnArchive,
    NotAPlainFile,
    SourceChanged,
    SourceUnreadable,
)
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.content import BadId, BadProject, NameNotUnicode, UnsafePath
from muniment.testing import faults
from tests.crash.judging import assert_judges_agree
from tests.unit.archive.pictures import picture

NOBODY = 65534


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a/./b", "a//b", "", "a/", "a\0b", "..", "."])
def test_a_path_that_could_leave_the_package_is_refused(archive: Archive, path: str) -> None:
    before = picture(archive.path.parent)
    transaction = archive.new("r")
    with pytest.raises(UnsafePath):
        transaction.add(b"x", path)
    transaction.rollback()
    assert picture(archive.path.parent) == before


@pytest.mark.parametrize(
    ("id", "why"),
    [
        ("", "empty"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\x7fb", "control"),
        ("ä" * 513, "1026 bytes"),
        ("\udc80", "Unicode"),
    ],
)
def test_an_id_that_cannot_be_one_is_refused(archive: Archive, id: str, why: str) -> None:
    with pytest.raises(BadId, match=why):
        archive.new(id)
    with pytest.raises(BadId):
        archive.get(id)
    assert list(archive) == []


@pytest.mark.parametrize(
    "id",
    [
        "https://doi.org/10.1000/182?x=y#z",
        "urn:nbn:de:kobv:1",
        "/a/path/../like/this",
        "../../etc/passwd",
        "..",
        "muniment:main/main/x",
        "with space ",
        "ünïcödé 漢字 🎉",
        "100%25",
        "%2e%2e",
        "a" * 1024,
        "ä" * 512,
    ],
)
def test_an_iri_or_a_path_is_an_id_like_any_other(archive: Archive, id: str) -> None:
    with archive.new(id) as transaction:
        transaction.add(b"x", "a.txt")
    assert list(archive) == [id]
    assert archive.get(id).read("a.txt") == b"x"
    assert archive.reindex() == 1
    assert list(archive) == [id]
    assert list(archive.audit()) == []
    assert_judges_agree(archive)


@pytest.mark.parametrize("project", ["one", "a/b/c", "../b", "a/", "ä/b", "a/b\n"])
def test_a_project_is_two_plain_words(archive: Archive, project: str) -> None:
    with pytest.raises(BadProject):
        archive.new("r", project)


def test_a_folder_that_is_no_archive_is_named_as_such(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NotAnArchive):
            Archive(place)
    (tmp_path / "muniment.json").write_text("{not json")
    with pytest.raises(NotAnArchive):
        Archive(tmp_path)
    assert os.listdir(tmp_path) == ["muniment.json"]


@pytest.mark.parametrize(
    ("setting", "value", "error"),
    [
        ("format", "2.0", NewerFormat),
        ("format", "x", NotAnArchive),
        ("mode", "write-never", NotAnArchive),
        ("digests", None, NotAnArchive),
        ("digests", [], NotAnArchive),
        ("project", "nonsense", NotAnArchive),
    ],
)
def test_settings_that_are_not_ours_are_refused(
    archive: Archive, setting: str, value: object, error: type[MunimentError]
) -> None:
    place = archive.path / "muniment.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), setting: value}))
    with pytest.raises(error):
        Archive(archive.path)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))


@pytest.mark.parametrize("make", [make_pipe, make_device])
def test_a_pipe_or_a_device_is_refused_alone_and_in_a_folder(
    archive: Archive, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good").write_bytes(b"x")
    make(folder / "odd")
    transaction = archive.new("r")
    for source in (folder, folder / "odd"):
        with pytest.raises(NotAPlainFile):
            transaction.add(source)
    assert list(transaction) == []
    transaction.rollback()


@pytest.mark.parametrize("above", [0, 1])
def test_an_archive_is_not_kept_in_itself(archive: Archive, tmp_path: Path, above: int) -> None:
    (tmp_path / "link").symlink_to(archive.path if above == 0 else archive.path.parent)
    transaction = archive.new("r")
    with pytest.raises(ArchiveInside, match="holds the archive itself"):
        transaction.add(tmp_path / "link")
    transaction.add(archive.path / "events", "events")  # what lies in it may be kept
    transaction.rollback()


def test_links_in_a_folder_are_recorded_and_not_followed(archive: Archive, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "empty").mkdir(parents=True)
    (folder / "a").write_bytes(b"x")
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(".")
    with archive.new("r") as transaction:
        transaction.add(folder)
    instance = archive.get("r")
    assert list(instance) == ["a"]
    assert instance.record["links"] == {"loop": ".", "out": "/etc/passwd"}
    assert instance.record["folders"] == ["empty"]
    assert_judges_agree(archive)


def test_a_name_that_is_not_utf_8_is_refused(archive: Archive, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "folder")
    os.mkdir(folder)
    with open(folder + b"/caf\xe9", "wb"):
        pass
    transaction = archive.new("r")
    with pytest.raises(NameNotUnicode):
        transaction.add(tmp_path / "folder")
    with pytest.raises(NameNotUnicode):
        transaction.add(b"x", "caf\udce9")
    transaction.rollback()


def test_a_folder_is_added_whole_or_not_at_all(archive: Archive, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}").write_bytes(b"%d" % number)
    with archive.new("r") as transaction:
        transaction.add(b"before", "3")
    transaction = archive.get("r", "a")
    grown = transaction._writer.files

    def breaking(found: list[tuple[str, str, int]], *rest: object) -> object:
        (folder / "4").unlink()  # it was there when the folder was listed
        return grown(found, *rest)  # type: ignore[arg-type] # as it came

    transaction._writer.files = breaking  # type: ignore[method-assign, assignment] # to be between the two
    with pytest.raises(SourceUnreadable):
        transaction.add(folder)
    assert list(transaction) == ["3"]
    transaction.add(b"good", "good")
    instance = transaction.commit()
    assert {path: instance.read(path) for path in instance} == {"3": b"before", "good": b"good"}


def test_a_file_that_changes_while_it_is_read_is_refused(archive: Archive, tmp_path: Path) -> None:
    growing = tmp_path / "growing"
    growing.write_bytes(b"x" * 100)
    real = os.fstat
    calls = 0

    def fstat(descriptor: int) -> os.stat_result:
        nonlocal calls
        status = real(descriptor)
        if status.st_ino == growing.stat().st_ino:
            calls += 1
            if calls == 1:
                with growing.open("ab") as file:
                    file.write(b"more")
        return status

    transaction = archive.new("r")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fstat", fstat)
        with pytest.raises(SourceChanged):
            transaction.add(growing)
    assert calls
    assert list(transaction) == []
    transaction.rollback()


def test_names_of_255_bytes_and_long_paths_are_kept(archive: Archive) -> None:
    names = ["n" * 255, "ä" * 127 + "x", "%" * 255, "\n" * 255, "/".join(["d" * 200] * 10)]
    with archive.new("r") as transaction:
        for name in names:
            transaction.add(name.encode(), name)
    assert {path: archive.get("r").read(path) for path in archive.get("r")} == {name: name.encode() for name in names}
    assert list(archive.audit()) == []
    assert_judges_agree(archive)


def test_a_path_too_long_to_be_opened_again_is_refused(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(b"x", "a")
    for length in range(17, 22):  # around the longest path the system can open
        transaction = archive.get("r", "a")
        name = "/".join(["d" * 199] * length)
        try:
            transaction.add(b"deep", name)
        except BadInput:
            transaction.rollback()
            continue
        assert transaction.commit().read(name) == b"deep"
    assert len(archive.get("r")) < 6
    assert list(archive.audit()) == []


def as_nobody(task: Callable[[], list[str]], root: Path) -> list[str]:
    """Run a task as a user who owns nothing, in a process of its own; what it says."""

    def changed(_: object) -> list[str]:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return task()

    outcome = faults.run(changed, str(root))
    assert not outcome.error, outcome.trace
    return list(outcome.answer)


def refusal(change: Callable[[], object]) -> str:
    try:
        change()
    except MunimentError as error:
        return type(error).__name__
    return "nothing"


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")


def open_to_all(path: Path) -> None:
    """Let everybody pass through the folders above `path`."""
    for folder in (path, *path.parents):
        if folder.stat().st_mode & 0o001 == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)


@needs_root
def test_what_may_not_be_read_is_refused(tmp_path: Path) -> None:
    open_to_all(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    (tmp_path / "closed/inside").mkdir(parents=True)
    (tmp_path / "closed/inside/file").write_bytes(b"x")
    (tmp_path / "listable").mkdir()
    (tmp_path / "listable/file").write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"x")
    for name, mode in (("closed/inside", 0o700), ("listable", 0o744), ("secret", 0o600)):
        (tmp_path / name).chmod(mode)

    def add_all() -> list[str]:
        with Archive.init(home / "archive", workers=0, redundancy=0) as archive:
            said = []
            for name in ("closed", "listable", "secret"):
                with pytest.raises(SourceUnreadable) as error, archive.new("r") as transaction:
                    transaction.add(tmp_path / name)
                said.append(str(error.value))
            return [*said, *archive, *(finding.code for finding in archive.audit())]

    said = as_nobody(add_all, tmp_path)
    assert len(said) == 3
    for line, name in zip(said, ("closed/inside", "listable/file", "secret"), strict=True):
        assert f"{tmp_path / name} could not be read: Permission denied" in line


@needs_root
def test_an_archive_one_may_only_read_can_be_read_listed_and_audited(archive: Archive) -> None:
    with archive.new("r") as transaction:
        transaction.add(b"x", "a.txt")
    left = archive.new("left")
    left.add(b"y", "b.txt")
    left.leave()
    archive.close()
    open_to_all(archive.path)
    before = picture(archive.path)

    def look() -> list[str]:
        with Archive(archive.path, workers=0) as found:
            changes = (
                lambda: found.new("s"),
                lambda: found.get("r", "a"),
                found.recover,
                lambda: found.record_event("capture"),
            )
            there = [*found, found.get("r").read("a.txt").decode(), found.count(), len(list(found.events()))]
            failed = [finding.as_json() for finding in found.audit() if finding.failed]
            return [str(item) for item in (there, failed, *map(refusal, changes))]

    assert as_nobody(look, archive.path) == [
        "['r', 'x', 1, 2]",
        "[]",
        "WriteFailed",
        "WriteFailed",
        "nothing",
        "WriteFailed",
    ]
    assert picture(archive.path) == before

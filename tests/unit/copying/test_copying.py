"""Copying files in: what arrives, what is refused, and what is left behind."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive.copying import Copied, Copier, CopyJob, Failed, copy_and_digest
from muniment.errors.archive import DiskFull, NotAPlainFile, SourceChanged, SourceUnreadable, WriteFailed

SMALL = b"a few bytes"
BIG = bytes(range(256)) * 40_000  # 10 MB: over the size at which each digest gets a thread


def copy_one(source: Path, target: Path, known: tuple[str, ...] = ()) -> Copied | Failed:
    with Copier(("sha512", "md5")) as copier:
        [answer] = copier.copy([CopyJob("key", str(source), str(target), known=known)])
    return answer


def failed(answer: Copied | Failed) -> Failed:
    assert isinstance(answer, Failed)
    return answer


@pytest.mark.parametrize(
    "content", [b"", b"x", SMALL, bytes(copy_and_digest.WHOLE), bytes(copy_and_digest.WHOLE + 1), BIG]
)
def test_a_file_arrives_whole_with_its_digests(tmp_path: Path, content: bytes) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    os.utime(source, ns=(1, 1_234_567_890_123_456_789))
    answer = copy_one(source, target)
    assert answer == Copied(
        "key",
        len(content),
        {"sha512": hashlib.sha512(content).hexdigest(), "md5": hashlib.md5(content).hexdigest()},
        1_234_567_890_123_456_789,
        stored=True,
    )
    assert target.read_bytes() == content


@pytest.mark.parametrize("content", [SMALL, BIG])
def test_known_content_is_digested_but_not_written(tmp_path: Path, content: bytes) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    known = hashlib.sha512(content).hexdigest()
    answer = copy_one(source, target, known=("another", known))
    assert isinstance(answer, Copied)
    assert not answer.stored
    assert answer.digests == {"sha512": known, "md5": hashlib.md5(content).hexdigest()}
    assert not target.exists()


@pytest.mark.parametrize("content", [SMALL, BIG])
def test_unknown_content_of_a_known_size_is_written(tmp_path: Path, content: bytes) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    answer = copy_one(source, target, known=("another",))
    assert isinstance(answer, Copied)
    assert answer.stored
    assert target.read_bytes() == content


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    answer = failed(copy_one(tmp_path / "nothing", tmp_path / "target"))
    assert (answer.side, answer.kind, answer.number) == ("source", "missing", errno.ENOENT)
    assert isinstance(answer.error(), SourceUnreadable)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/hostname", path)])
def test_what_is_no_file_is_special_and_never_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "odd")
    answer = failed(copy_one(tmp_path / "odd", tmp_path / "target"))
    assert (answer.side, answer.kind) == ("source", "special")
    assert isinstance(answer.error(), NotAPlainFile)


@pytest.mark.parametrize("content", [SMALL, BIG])
def test_a_file_that_grows_while_it_is_read_is_changed_and_not_kept(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    readings = {name: getattr(os, name) for name in ("read", "readv")}

    def growing(name: str) -> object:
        def read(descriptor: int, what: object) -> object:
            with source.open("ab") as more:
                more.write(b"!")
            return readings[name](descriptor, what)

        return read

    for name in readings:
        monkeypatch.setattr(os, name, growing(name))
    answer = failed(copy_one(source, target))
    assert answer.kind == "changed"
    assert isinstance(answer.error(), SourceChanged)
    assert not target.exists()


def test_a_file_rewritten_in_place_with_the_same_size_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(SMALL)
    readings = {name: getattr(os, name) for name in ("read", "readv")}

    def rewriting(name: str) -> Callable[[int, object], object]:
        def read(descriptor: int, what: object) -> object:
            data = readings[name](descriptor, what)
            source.write_bytes(b"!" * len(SMALL))
            os.utime(source, ns=(1, 1))
            return data

        return read

    for name in readings:
        monkeypatch.setattr(os, name, rewriting(name))
    assert failed(copy_one(source, target)).kind == "changed"
    assert not target.exists()


def test_a_file_whose_size_is_not_what_it_gives_is_changed(tmp_path: Path) -> None:
    assert failed(copy_one(Path("/proc/self/status"), tmp_path / "target")).kind == "changed"


def test_a_target_that_exists_is_never_touched(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(SMALL)
    target.write_bytes(b"older")
    answer = failed(copy_one(source, target))
    assert (answer.side, answer.kind, answer.number, answer.path) == ("target", "write", errno.EEXIST, str(target))
    assert isinstance(answer.error(), WriteFailed)
    assert target.read_bytes() == b"older"


def test_a_target_that_is_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(SMALL)
    target.symlink_to(tmp_path / "elsewhere")
    assert failed(copy_one(source, target)).kind == "write"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("content", [SMALL, BIG])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    write = os.write
    written = 0

    def full(descriptor: int, data: bytes) -> int:
        nonlocal written
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, bytes(data[:5]))  # the kernel takes a part, then no more
        return written

    monkeypatch.setattr(os, "write", full)
    answer = failed(copy_one(source, target))
    assert (answer.side, answer.kind) == ("target", "full")
    assert isinstance(answer.error(), DiskFull)
    assert not target.exists()


def test_a_kernel_that_takes_a_little_at_a_time_still_gets_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(SMALL)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
    assert isinstance(copy_one(source, target), Copied)
    assert target.read_bytes() == SMALL


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EACCES, "denied"), (errno.EPERM, "denied"), (errno.EIO, "read"), (errno.ENOTDIR, "missing")],
)
def test_what_the_system_says_of_a_source_is_kept_apart(number: int, kind: str) -> None:
    assert copy_and_digest.copy_error_of("source", OSError(number, "why")).row == ("source", kind, number, "why")

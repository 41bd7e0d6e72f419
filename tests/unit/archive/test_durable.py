"""Making things last: which descriptor a sync asks, and that running ahead promises nothing."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.disk import durable
from muniment.archive.disk.durable import sync_tree, syncing_ahead
from muniment.errors.archive import DiskFull, WriteFailed

MANY = 400


def test_a_commit_asks_a_descriptor_from_before_its_first_byte(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = durable._syncfs
    assert real is not None

    def noted(descriptor: int) -> int:
        asked.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        return real(descriptor)

    monkeypatch.setattr(durable, "_syncfs", noted)
    with archive.new("r") as transaction:
        place = archive.path / "staging" / "open" / transaction.transaction / "lock"
        transaction.add(b"one", "a")
    # It was made under another name and moved; it is the file that was open all the while.
    assert [Path(name).name for name in asked[:1]] == [place.name]


@pytest.mark.parametrize(("number", "error"), [(errno.EIO, WriteFailed), (errno.ENOSPC, DiskFull)])
def test_what_the_disk_refused_while_running_ahead_fails_the_commit(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for count in range(MANY):
        (folder / str(count)).write_bytes(str(count).encode())
    ahead: list[int] = []

    def first(descriptor: int) -> int:
        ahead.append(descriptor)
        return -1

    def second(_: int) -> int:
        ctypes.set_errno(number)
        return -1

    monkeypatch.setattr(durable, "_SYNCFS", first)
    monkeypatch.setattr(durable, "_syncfs", second)
    transaction = archive.new("r")
    transaction.add(folder)
    with pytest.raises(error):
        transaction.commit()
    assert len(ahead) == 1
    assert "r" not in archive


def test_a_sync_says_what_the_kernel_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> int:
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr(durable, "_syncfs", refuse)
    with pytest.raises(WriteFailed):
        sync_tree(tmp_path)


def test_running_ahead_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with syncing_ahead(tmp_path):
        (tmp_path / "file").write_bytes(b"one")
    with pytest.raises(RuntimeError), syncing_ahead(tmp_path):
        raise RuntimeError
    assert len(os.listdir("/proc/self/fd")) == before

"""Uploads in pieces: each byte is digested once by who saw it come, and the file is what came, whatever broke off."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from muniment.archive import Archive, Upload, UploadRequest
from muniment.errors.archive import WriteFailed
from muniment.errors.remote import UploadNotFound, WrongUploadOffset

PIECES = [bytes([number]) * 1000 for number in range(20)]
WHOLE = b"".join(PIECES)


class Counting:
    """Counts the bytes that are read again from the disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        real = os.pread

        def pread(descriptor: int, count: int, offset: int) -> bytes:
            found = real(descriptor, count, offset)
            self.read += len(found)
            return found

        monkeypatch.setattr(os, "pread", pread)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


def send(upload: Upload, offset: int, data: bytes) -> None:
    with upload.receiving(offset, lasting=True):
        upload.write(data)


def test_what_came_before_is_not_read_again_with_every_piece(archive: Archive, counting: Counting) -> None:
    with archive.new("one") as transaction:
        upload = Upload.begin(transaction, UploadRequest("file"))
        for number, piece in enumerate(PIECES):
            send(upload, number * 1000, piece)
        entry = upload.finish(transaction)
        assert entry.digests["sha256"] == hashlib.sha256(WHOLE).hexdigest()
    assert counting.read == 0
    assert archive.instance("one").read("file") == WHOLE


def test_another_process_reads_what_it_did_not_see_once(archive: Archive, counting: Counting) -> None:
    with archive.new("one") as transaction:
        first = Upload.begin(transaction, UploadRequest("file"))
        second = Upload.open(archive, transaction.transaction, first.id)
        for number, piece in enumerate(PIECES):
            send((first, second)[number % 2], number * 1000, piece)
        assert first.finish(transaction).digests["sha256"] == hashlib.sha256(WHOLE).hexdigest()
    # Each of the two read what the other was sent.
    assert counting.read <= len(WHOLE)


def test_a_write_that_fails_leaves_no_wrong_digest(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, counting: Counting
) -> None:
    real = os.write
    with archive.new("one") as transaction:
        upload = Upload.begin(transaction, UploadRequest("file"))
        send(upload, 0, PIECES[0])

        def half(descriptor: int, data: bytes) -> int:
            if len(data) < 1000:
                raise OSError(5, "the disk failed")
            return real(descriptor, bytes(data)[:400])

        with monkeypatch.context() as failing:
            failing.setattr(os, "write", half)
            with pytest.raises(WriteFailed):
                send(upload, 1000, PIECES[1])
        assert upload.received() == 1400
        send(upload, 1400, PIECES[1][400:])
        entry = upload.finish(transaction)
        assert entry.digests["sha256"] == hashlib.sha256(PIECES[0] + PIECES[1]).hexdigest()
    assert counting.read == 1400


def test_more_digests_at_the_end_are_found_from_the_disk(archive: Archive) -> None:
    with archive.new("one") as transaction:
        upload = Upload.begin(transaction, UploadRequest("file"))
        send(upload, 0, WHOLE)
        upload.finish(transaction, {"md5": hashlib.md5(WHOLE).hexdigest()})
    assert archive.instance("one").read("file") == WHOLE


def test_a_size_is_said_once(archive: Archive) -> None:
    with archive.new("one") as transaction:
        upload = Upload.begin(transaction, UploadRequest("file"))
        other = Upload.open(archive, transaction.transaction, upload.id)
        send(upload, 0, b"abc")
        with pytest.raises(WrongUploadOffset):
            upload.announce(2)
        upload.announce(5)
        upload.announce(5)
        for each in (upload, other):
            each.reread()
            assert each.request.size == 5
            with pytest.raises(WrongUploadOffset):
                each.announce(6)
        send(upload, 3, b"de")
        upload.finish(transaction)


def test_what_was_given_to_the_transaction_can_be_asked_for_until_it_is_not_there_any_more(archive: Archive) -> None:
    with archive.new("one") as transaction:
        upload = Upload.begin(transaction, UploadRequest("file", said="words"))
        send(upload, 0, b"abc")
        assert upload.taken(transaction) is None
        entry = upload.finish(transaction, remember=True)
        other = Upload.open(archive, transaction.transaction, upload.id)
        assert other.taken(transaction) == entry
        assert (other.request.said, other.request.size) == ("words", 3)
        with pytest.raises(UploadNotFound):
            other.received()
        transaction.replace(b"another", "file")
        assert other.taken(transaction) is None
        other.discard()
        with pytest.raises(UploadNotFound):
            other.taken(transaction)


def test_an_upload_is_on_stable_storage_before_anybody_is_told(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).suffix)
        real(descriptor)

    with archive.new("one") as transaction:
        upload = Upload.begin(transaction, UploadRequest("file"))
        monkeypatch.setattr(os, "fsync", fsync)
        send(upload, 0, b"abc")
        assert synced == [".part"]
        monkeypatch.undo()
        transaction.rollback()

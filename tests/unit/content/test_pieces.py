"""Pieces: a range is proven by the parts of the file it lies in, and costs no more than these."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.archive.copying.copy_and_digest import Digesting, PieceHasher
from muniment.archive.copying.pieces import Pieces
from muniment.content import pieces as module
from muniment.content.pieces import RangeProof, learn_pieces, pieces_of_file
from muniment.errors.content import PieceMismatch

SMALL = 10
"""Bytes of a piece in these tests."""


class Counting:
    """A file in memory that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read = 0

    def open(self, offset: int) -> io.BytesIO:
        counting = self

        class File(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                found = super().read(size)
                counting.read += len(found)
                return found

        return File(self.data[offset:])


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", SMALL)


def digests_of(data: bytes) -> list[str]:
    """As `PieceHasher` shall find them."""
    return [hashlib.sha256(data[at : at + SMALL]).hexdigest() for at in range(0, len(data) or 1, SMALL)]


def prove(file: Counting, digests: Sequence[str], start: int, stop: int, step: int = 4) -> None:
    """Read a range in steps and prove it."""
    proof = RangeProof(len(file.data), digests, start, file.open)
    for at in range(start, stop, step):
        proof.update(file.data[at : min(at + step, stop)])
    proof.finish()


@given(st.binary(max_size=60), st.lists(st.integers(1, 25), max_size=10))
def test_the_pieces_do_not_depend_on_how_the_bytes_come(data: bytes, cuts: list[int]) -> None:
    hasher, at = PieceHasher(SMALL), 0
    for cut in [*cuts, len(data)]:
        hasher.update(data[at : at + cut])
        at += cut
    assert list(hasher.pieces()) == (digests_of(data) if len(data) > SMALL else [])
    assert hasher.hexdigest() == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("algorithms", [("sha512", "sha256"), ("sha256",), ("sha512",)])
@pytest.mark.parametrize("threads", [False, True])
def test_the_pieces_come_with_the_digests_of_the_whole(algorithms: tuple[str, ...], threads: bool) -> None:
    data = bytes(range(35))
    digesting = Digesting(algorithms, threads=threads, piece=SMALL)
    for at in range(0, 35, 7):
        digesting.feed(data[at : at + 7])
    assert digesting.values() == tuple(hashlib.new(name, data).hexdigest() for name in algorithms)
    assert list(digesting.pieces()) == (digests_of(data) if "sha256" in algorithms else [])


@pytest.mark.parametrize("start", range(0, 35, 3))
@pytest.mark.parametrize("count", [1, 7, 10, 21])
def test_every_range_is_proven_and_reads_its_own_pieces_alone(start: int, count: int) -> None:
    data = bytes(range(35))
    stop = min(start + count, 35)
    file = Counting(data)
    prove(file, digests_of(data), start, stop)
    first, last = start - start % SMALL, min(stop + -stop % SMALL, 35)
    assert file.read == (start - first) + (last - stop)
    for place in range(35):
        damaged = Counting(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        if first <= place < last:
            with pytest.raises(PieceMismatch):
                prove(damaged, digests_of(data), start, stop)
        else:
            prove(damaged, digests_of(data), start, stop)


def test_a_small_file_is_proven_by_its_own_digest() -> None:
    assert pieces_of_file(SMALL, "ab", None) == ("ab",)
    assert pieces_of_file(SMALL + 1, "ab", None) is None


def test_what_is_learned_once_is_known_to_others(tmp_path: Path) -> None:
    data = bytes(range(25))
    sha256 = hashlib.sha256(data).hexdigest()
    file = Counting(data)
    learn_pieces(25, sha256, book_at(tmp_path), file.open)
    other = book_at(tmp_path)
    assert list(other.known(sha256) or ()) == digests_of(data)
    learn_pieces(25, sha256, other, file.open)
    assert file.read == 25
    assert other.known("00" * 32) is None


def test_without_a_memory_the_whole_file_is_read_each_time() -> None:
    file = Counting(bytes(25))
    for _ in range(2):
        learn_pieces(25, hashlib.sha256(file.data).hexdigest(), None, file.open)
    assert file.read == 50
    with pytest.raises(PieceMismatch):
        learn_pieces(25, "00" * 32, None, file.open)


def test_of_a_damaged_file_nothing_is_learned(tmp_path: Path) -> None:
    book = book_at(tmp_path)
    with pytest.raises(PieceMismatch):
        learn_pieces(25, "00" * 32, book, Counting(bytes(25)).open)
    assert book.known("00" * 32) is None


def test_of_a_file_of_one_piece_nothing_is_kept(tmp_path: Path) -> None:
    book_at(tmp_path).keep("00" * 32, ())
    assert not list(tmp_path.iterdir())


def test_of_several_that_ask_at_once_one_reads(tmp_path: Path) -> None:
    data = bytes(range(25))
    sha256 = hashlib.sha256(data).hexdigest()
    file, book = Counting(data), book_at(tmp_path)
    threads = [threading.Thread(target=learn_pieces, args=(25, sha256, book, file.open)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read == 25


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(100)])
def test_a_damaged_memory_is_as_good_as_none_and_made_anew(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "pieces.db"
    place.write_bytes(content)
    data = bytes(range(25))
    assert book_at(tmp_path).known("00" * 32) is None
    learn_pieces(25, hashlib.sha256(data).hexdigest(), book_at(tmp_path), Counting(data).open)
    assert list(book_at(tmp_path).known(hashlib.sha256(data).hexdigest()) or ()) == digests_of(data)


def test_an_entry_that_changed_on_the_disk_is_none(tmp_path: Path) -> None:
    data = bytes(range(25))
    sha256 = hashlib.sha256(data).hexdigest()
    book_at(tmp_path).keep(sha256, digests_of(data))
    place = tmp_path / "pieces.db"
    kept = place.read_bytes()
    second = bytes.fromhex(digests_of(data)[1])
    at = kept.index(second)
    place.write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :])
    assert book_at(tmp_path).known(sha256) is None
    learn_pieces(25, sha256, book_at(tmp_path), Counting(data).open)
    assert list(book_at(tmp_path).known(sha256) or ()) == digests_of(data)


def book_at(folder: Path) -> Pieces:
    """A memory of pieces in a folder."""
    return Pieces(folder / "pieces.db", SMALL)

"""A file that is not what it was promised to be breaks the transfer before its last bytes are out."""

from __future__ import annotations

import io
import zlib
from collections.abc import Generator
from dataclasses import replace
from typing import BinaryIO

import pytest

from muniment.errors.content import NameNotUnicode, UnsafePath
from muniment.errors.delivery import MemberDamaged, MembersCollide, MemberUnreadable
from muniment.layouts.streams import Framing, Member, Plan, Slice, TarPlan, ZipPlan

from .making import Counted, member

KINDS = pytest.mark.parametrize("kind", [TarPlan, ZipPlan])
BIG = bytes(range(256)) * 4096


def _changed(data: bytes, digests: dict[str, str]) -> Member:
    return Member("f", len(data), lambda offset: io.BytesIO(data[offset:]), digests)


@KINDS
@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha384", "sha1", "md5"])
def test_a_wrong_digest_breaks_the_transfer_before_the_last_piece(kind: type[Plan], algorithm: str) -> None:
    plan = kind([_changed(BIG, {algorithm: "0" * 32})])
    sent: list[bytes] = []
    with pytest.raises(MemberDamaged, match=f"its {algorithm} digest is"):
        sent.extend(plan.read())
    assert sum(map(len, sent)) < len(BIG)


@KINDS
def test_a_short_file_breaks_the_transfer(kind: type[Plan]) -> None:
    with pytest.raises(MemberDamaged, match="it ends after 3 bytes, but 9 were promised"):
        list(kind([member("a", b"abc", promised=9)]).read())


@KINDS
@pytest.mark.parametrize("promised", [0, 2])
def test_a_file_that_has_grown_breaks_the_transfer(kind: type[Plan], promised: int) -> None:
    with pytest.raises(MemberDamaged, match=f"it goes on after the promised {promised} bytes"):
        list(kind([member("a", b"abc", promised=promised, digests=False)]).read())


@KINDS
def test_a_large_file_that_has_another_length_breaks_the_transfer_too(kind: type[Plan]) -> None:
    with pytest.raises(MemberDamaged, match=f"it ends after {len(BIG)} bytes, but {len(BIG) + 1} were promised"):
        list(kind([member("a", BIG, promised=len(BIG) + 1)]).read())
    with pytest.raises(MemberDamaged, match="it goes on after the promised"):
        list(kind([member("a", BIG, promised=len(BIG) - 1, digests=False)]).read())


@KINDS
@pytest.mark.parametrize("bad", [0, 5, 9])
def test_one_damaged_file_among_small_ones_lets_nothing_of_itself_out(kind: type[Plan], bad: int) -> None:
    members = [member(f"{number}", b"%d" % number * 3000) for number in range(10)]
    members[bad] = replace(members[bad], read=lambda size: b"!" * size)
    plan = kind(members)
    sent: list[bytes] = []
    with pytest.raises(MemberDamaged, match=f"{bad}.*its sha256 digest is"):
        sent.extend(plan.read(chunk=1))
    packed = b"".join(sent)
    assert (b"%d" % max(bad - 1, 0) * 3000 in packed) == (bad > 0)
    assert b"!!!" not in packed


@KINDS
def test_small_files_share_a_piece_and_large_ones_lie_where_they_should(kind: type[Plan]) -> None:
    names = [f"{number:02}" for number in range(40)]
    members = [member(name, BIG if name == "17" else name.encode() * 2000) for name in names]
    plan = kind(members)
    pieces = list(plan.read(chunk=65536))
    whole = b"".join(pieces)
    assert len(whole) == plan.length
    assert len(pieces) < 25
    for low, high in ((0, 9000), (700, 9000), (5000, plan.length - 5000), (70_000, 80_000)):
        assert b"".join(plan.read(low, high, prove=True)) == whole[low:high]
        assert b"".join(bytes(part.data) if isinstance(part, Framing) else b"".join(part.pieces())
                        for part in plan.segments(low, high)) == whole[low:high]  # fmt: skip


@KINDS
def test_a_range_from_the_middle_to_the_end_still_sees_a_wrong_length(kind: type[Plan]) -> None:
    plan = kind([Member("a", 1000, lambda offset: io.BytesIO(b"x" * (900 - offset)), crc32=0)])
    with pytest.raises(MemberDamaged, match="it ends after 900 bytes"):
        list(plan.read(600, plan.length))


@KINDS
def test_a_resumed_download_can_be_made_to_prove_the_file_it_begins_in(kind: type[Plan]) -> None:
    good, bad = kind([member("a", BIG)]), kind([_changed(BIG, {"sha256": "0" * 64})])
    whole = b"".join(good.read())
    assert b"".join(good.read(5000, prove=True)) == whole[5000:]
    sent: list[bytes] = []
    with pytest.raises(MemberDamaged, match="its sha256 digest is"):
        sent.extend(bad.read(5000, prove=True))
    assert sum(map(len, sent)) < len(BIG) - 5000
    # A range that ends inside the file is proven too, by the piece it lies in: here that is the file.
    assert b"".join(good.read(5000, 6000, prove=True)) == whole[5000:6000]
    with pytest.raises(MemberDamaged, match="its sha256 digest is"):
        list(bad.read(5000, 6000, prove=True))


@KINDS
def test_a_file_that_cannot_be_opened_could_not_be_read_which_is_not_damaged(kind: type[Plan]) -> None:
    def gone(offset: int) -> BinaryIO:
        raise FileNotFoundError(2, "No such file or directory", str(offset))

    with pytest.raises(MemberUnreadable, match="No such file"):
        list(kind([Member("a", 5, gone)]).read())


@pytest.mark.parametrize("data", [b"abc", BIG])
def test_a_wrong_crc_on_record_breaks_the_zip(data: bytes) -> None:
    plan = ZipPlan([Member("a", len(data), lambda _: io.BytesIO(data), crc32=1)])
    with pytest.raises(MemberDamaged, match="its CRC-32 is"):
        list(plan.read())


def test_a_zip_range_that_begins_late_reads_what_lies_before_once() -> None:
    source = Counted(b"abc" * 1000)
    plan = ZipPlan([Member("a", 3000, source.open_at)])
    end = b"".join(plan.read(plan.length - 60))
    assert source.opened == [0]
    list(plan.read(plan.length - 60))
    assert source.opened == [0]
    assert b"".join(plan.read()).endswith(end)


def test_a_zip_range_takes_a_crc_from_the_callers_book_without_reading() -> None:
    first = member("a", BIG)
    book: dict[str, int] = {}
    whole = b"".join(ZipPlan([first], book).read())
    assert book == {f"sha256:{first.digests['sha256']}": zlib.crc32(BIG)}
    source = Counted(BIG)
    plan = ZipPlan([Member("a", len(BIG), source.open_at, first.digests)], book)
    assert b"".join(plan.read(plan.length - 90)) == whole[-90:]
    assert source.opened == []


def test_finding_a_crc_by_reading_checks_the_digest_too() -> None:
    plan = ZipPlan([_changed(BIG, {"sha256": "0" * 64})])
    with pytest.raises(MemberDamaged):
        list(plan.read(plan.length - 30))


def test_whoever_reads_a_slice_himself_can_check_it() -> None:
    part = next(segment for segment in TarPlan([member("a", b"abcdef")]).segments() if isinstance(segment, Slice))
    checker = part.checker()
    checker.update(b"abc")
    with pytest.raises(MemberDamaged, match="it ends after 3 bytes"):
        checker.finish()
    checker.update(b"deF")
    with pytest.raises(MemberDamaged, match="its sha256 digest is"):
        checker.finish()
    good = part.checker()
    good.update(b"abcdef")
    good.finish()
    with pytest.raises(MemberDamaged, match="it goes on"):
        good.finish(longer=True)


@KINDS
@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a", "a/../b", "a/./b", "a//b", "a/", "a\0b", "."])
def test_a_name_that_could_leave_its_folder_is_refused_in_planning(kind: type[Plan], name: str) -> None:
    with pytest.raises(UnsafePath):
        kind([member(name)])


@KINDS
def test_a_name_that_is_not_unicode_is_refused_in_planning(kind: type[Plan]) -> None:
    with pytest.raises(NameNotUnicode):
        kind([member("a\udcff")])


@KINDS
@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b/c", "a"), ("a/b", "a/b/c/d", "a/b-c")])
def test_names_that_cannot_lie_side_by_side_are_refused(kind: type[Plan], names: tuple[str, ...]) -> None:
    with pytest.raises(MembersCollide):
        kind([member(name) for name in names])


@KINDS
def test_reading_opens_one_file_at_a_time(kind: type[Plan]) -> None:
    events: list[str] = []

    class Noted(io.BytesIO):
        def __init__(self, name: str) -> None:
            super().__init__(b"x" * 10)
            self.name = name
            events.append(f"open {name}")

        def close(self) -> None:
            if not self.closed:
                events.append(f"close {self.name}")
            super().close()

    def opener(name: str) -> Member:
        return Member(name, 10, lambda _: Noted(name))

    list(kind([opener(name) for name in "abc"]).read(chunk=1))
    assert events == ["open a", "close a", "open b", "close b", "open c", "close c"]


@KINDS
def test_a_reader_that_goes_away_closes_the_file(kind: type[Plan]) -> None:
    handle = io.BytesIO(BIG)
    pieces = kind([Member("a", len(BIG), lambda _: handle)]).read()
    assert isinstance(pieces, Generator)
    next(pieces)
    next(pieces)
    pieces.close()
    assert handle.closed


def test_framing_alone_never_opens_a_file() -> None:
    source = Counted(b"")
    parts = list(TarPlan([Member("a", 4 * 2**30, source.open_at)]).segments())
    assert [type(part) for part in parts] == [Framing, Slice, Framing]
    assert source.opened == []

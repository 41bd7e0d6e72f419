"""Every range of a planned archive is the same slice of the whole, and the length is exact."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.errors.delivery import RangeOutside
from muniment.layouts.streams import Framing, Member, Plan, Slice, TarPlan, ZipPlan

from .making import Counted, member

KINDS = pytest.mark.parametrize("kind", [TarPlan, ZipPlan])

_segment = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=120
).filter(lambda text: text not in {".", ".."})
_name = st.lists(_segment, min_size=1, max_size=4).map("/".join)
_sizes = st.sampled_from([0, 1, 511, 512, 513, 1000, 5000])


@st.composite
def members(draw: st.DrawFn) -> list[Member]:
    """Members with any names that do not collide, of sizes around the tar block."""
    found: list[Member] = []
    for name in draw(st.lists(_name, max_size=6, unique=True)):
        clash = any(name.startswith(f"{other.name}/") or other.name.startswith(f"{name}/") for other in found)
        if not clash:
            size = draw(_sizes)
            modified = draw(st.integers(-(2**35), 2**35))
            found.append(member(name, bytes([len(found) + 65]) * size, modified=modified))
    return found


@KINDS
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_range_equals_that_slice_of_the_whole(kind: type[Plan], data: st.DataObject) -> None:
    chosen = data.draw(members())
    plan = kind(chosen)
    whole = b"".join(plan.read())
    assert len(whole) == plan.length
    for _ in range(8):
        start = data.draw(st.integers(0, plan.length))
        stop = data.draw(st.integers(start, plan.length))
        # A plan of its own: what one range has learned must not be needed by another.
        assert b"".join(kind(chosen).read(start, stop, chunk=700)) == whole[start:stop]


@KINDS
def test_every_single_byte_range_of_a_small_archive(kind: type[Plan]) -> None:
    chosen = [member("a", b"12345"), member("b/é", b""), member("c", b"x" * 513)]
    whole = b"".join(kind(chosen).read())
    plan = kind(chosen)
    assert bytes(b"".join(plan.read(at, at + 1))[0] for at in range(plan.length)) == whole
    for cut in range(plan.length + 1):
        assert b"".join(plan.read(0, cut)) + b"".join(plan.read(cut)) == whole


@KINDS
def test_a_range_opens_only_the_files_it_touches(kind: type[Plan]) -> None:
    sources = {name: Counted(name.encode() * 3000) for name in "abc"}
    plan = kind([Member(name, 3000, source.open_at, crc32=0) for name, source in sources.items()])
    at = 0
    for part in plan.segments():
        if isinstance(part, Slice) and part.member.name == "b":
            break
        at += len(part.data) if isinstance(part, Framing) else part.stop - part.start
    assert [source.opened for source in sources.values()] == [[], [], []]
    assert b"".join(plan.read(at + 100, at + 200)) == b"b" * 100
    assert [source.opened for source in sources.values()] == [[], [100], []]


@KINDS
@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 10**9), (10**9, 10**9)])
def test_a_range_outside_is_refused_at_once(kind: type[Plan], start: int, stop: int) -> None:
    plan = kind([member("a", b"abc")])
    with pytest.raises(RangeOutside):
        plan.read(start, stop)


@KINDS
def test_pieces_are_about_as_large_as_asked(kind: type[Plan]) -> None:
    chosen = [member(f"small/{number:03}", b"s" * 900) for number in range(300)] + [member("z", b"z" * 900_000)]
    sizes = [len(piece) for piece in kind(chosen).read(chunk=65536)]
    assert max(sizes) <= 2 * 65536
    assert len(sizes) <= 30


@KINDS
def test_the_etag_is_equal_for_equal_members_in_any_order(kind: type[Plan]) -> None:
    one, two = member("a", b"1"), member("b", b"2")
    assert kind([one, two]).etag == kind([two, one]).etag
    assert kind([one]).etag.startswith('"')


@KINDS
@pytest.mark.parametrize(
    "other",
    [
        member("a", b"2"),
        member("b", b"1"),
        member("a", b"12"),
        member("a", b"1", modified=5),
        member("a", b"1", digests=False),
    ],
)
def test_the_etag_changes_with_name_size_digest_and_time(kind: type[Plan], other: Member) -> None:
    assert kind([other]).etag != kind([member("a", b"1")]).etag


def test_tar_and_zip_have_different_etags() -> None:
    assert TarPlan([member("a", b"1")]).etag != ZipPlan([member("a", b"1")]).etag


def test_an_empty_tar_is_two_zero_blocks() -> None:
    assert b"".join(TarPlan([]).read()) == bytes(1024)


def test_an_empty_zip_is_its_end_record() -> None:
    assert b"".join(ZipPlan([]).read()) == b"PK\5\6" + bytes(18)

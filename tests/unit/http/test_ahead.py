"""Reading ahead: all pieces in order, failures after what came before them, and never more than fits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from muniment.http.read_ahead import ReadAhead

PIECE = b"x" * (256 << 10)


def run(pieces: Iterator[bytes], most: int | None = None, pause: float = 0.0) -> list[bytes]:
    async def take() -> list[bytes]:
        with ThreadPoolExecutor(2) as readers:
            ahead = ReadAhead(pieces, readers)
            found: list[bytes] = []
            try:
                while (most is None or len(found) < most) and (piece := await ahead.next()) is not None:
                    found.append(piece)
                    await asyncio.sleep(pause)
            finally:
                await ahead.close()
            return found

    return asyncio.run(asyncio.wait_for(take(), 20))


@pytest.mark.parametrize("count", [0, 1, 7, 500])
@pytest.mark.parametrize("size", [0, 1, 300 << 10])
def test_every_piece_comes_in_its_place(count: int, size: int) -> None:
    sent = [number.to_bytes(4, "big") + bytes(size) for number in range(count)]
    assert run(iter(sent)) == sent


def test_a_piece_is_given_before_the_next_one_comes() -> None:
    got = [threading.Event() for _ in range(4)]

    def following() -> Iterator[bytes]:
        for number, event in enumerate(got):
            yield str(number).encode()
            assert event.wait(10), "it was held back"

    async def take() -> None:
        with ThreadPoolExecutor(1) as readers:
            ahead = ReadAhead(following(), readers)
            while (piece := await ahead.next()) is not None:
                got[int(piece)].set()
            await ahead.close()

    asyncio.run(asyncio.wait_for(take(), 20))
    assert all(event.is_set() for event in got)


def test_what_fails_is_said_after_what_came_before() -> None:
    def failing() -> Iterator[bytes]:
        yield b"a"
        yield b"b"
        raise OSError(5, "no")

    async def take() -> list[bytes]:
        with ThreadPoolExecutor(1) as readers:
            ahead = ReadAhead(failing(), readers)
            found = [await ahead.next(), await ahead.next()]
            with pytest.raises(OSError, match="no"):
                await ahead.next()
            await ahead.close()
            return [piece or b"" for piece in found]

    assert asyncio.run(take()) == [b"a", b"b"]


def test_no_more_is_read_than_fits_and_the_iterator_is_closed() -> None:
    read: list[int] = []
    closed = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                read.append(1)
                yield PIECE
        finally:
            closed.set()

    assert len(run(endless(), most=3, pause=0.1)) == 3
    # Two mebibytes wait, one piece may be in the making, three were taken.
    assert len(read) <= 8 + 1 + 3
    assert closed.is_set()

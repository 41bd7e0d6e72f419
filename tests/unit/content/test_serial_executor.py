"""Work in another thread: in order, whatever the size, and what fails is told."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from muniment.content.serial_executor import WORTH_IT, Data, SerialExecutor


@pytest.mark.parametrize("sizes", [[1], [WORTH_IT], [WORTH_IT, 1, WORTH_IT - 1, 3 * WORTH_IT, 2, 2], [0]])
def test_the_digest_is_that_of_everything_in_order(sizes: list[int]) -> None:
    pieces = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    hasher = hashlib.sha256()
    with ThreadPoolExecutor(3) as threads:
        executor = SerialExecutor(hasher.update, threads)
        for piece in pieces:
            executor.give(piece)
        executor.wait()
    assert hasher.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_the_giver_goes_on_while_the_work_is_done() -> None:
    going = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        went_on: list[bool] = []
        executor = SerialExecutor(lambda _: went_on.append(going.wait(10)), threads)
        executor.give(bytes(WORTH_IT))
        going.set()
        executor.wait()
    assert went_on == [True]


def test_what_fails_is_told_at_the_next_piece() -> None:
    def fail(_: Data) -> None:
        raise ValueError("no")

    with ThreadPoolExecutor(1) as threads:
        executor = SerialExecutor(fail, threads)
        executor.give(bytes(WORTH_IT))
        with pytest.raises(ValueError, match="no"):
            executor.give(b"more")

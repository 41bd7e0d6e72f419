"""The ledger's contract: what all workers together know of services' limits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.jobs import Ledger
from muniment.testing.ledger.fixtures import Clock, Fixtures


class Limiting(Fixtures):
    """Budgets of calls, and services that want to be left alone."""

    def test_a_service_that_one_worker_closed_is_closed_to_all(
        self, place: str | Path, ledger: Ledger, clock: Clock
    ) -> None:
        """Until the latest time that was said."""
        with Ledger.open(place, clock=clock) as other:
            assert other.limits.closed("s") == 0
            ledger.limits.close("s", 50)
            ledger.limits.close("s", 20)
            assert other.limits.closed("s") == pytest.approx(50)
            given, wait = other.limits.take("s", 1, 100)
            assert (given, round(wait)) == (0, 50)
            assert other.limits.closed("another") == 0
            clock.move(50)
            assert other.limits.closed("s") == 0
            assert other.limits.take("s", 1, 100) == (1, 0)

    def test_no_hour_has_more_calls_than_were_allowed(self, ledger: Ledger, clock: Clock) -> None:
        """However late within its life a block is used."""
        made: list[tuple[float, int]] = []
        for number in range(600):
            given, wait = ledger.limits.take("s", 1 + number % 7, 100)
            made.append((clock.at, given))
            assert given > 0 or wait > 0
            clock.move(wait if not given else number % 13)
        assert sum(given for _, given in made) > 200
        for at, _ in made:
            # A call of a block is made at any time until a minute after the block was given.
            assert sum(given for other, given in made if at <= other < at + 3600 + 60) <= 100

    def test_many_workers_at_once_get_no_more_than_there_is(self, place: str | Path, ledger: Ledger) -> None:
        """Each call once."""

        def take(_: int) -> int:
            with Ledger.open(place) as mine:
                return sum(mine.limits.take("s", 3, 50)[0] for _ in range(8))

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(take, range(4))) == 50
        assert ledger.limits.take("t", 3, 50) == (3, 0)

"""When a service may be called again."""

from __future__ import annotations

from datetime import datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.database import DatabaseUnavailable
from muniment.errors.sources import RateLimited
from muniment.jobs import Ledger
from muniment.session import Limits
from muniment.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_budget_is_never_exceeded_in_any_hour(clock: FakeClock) -> None:
    limits = Limits(clock, patience=3600)
    calls = []
    for number in range(250):
        limits.wait("s", 100)
        calls.append(clock.now())
        clock.sleep(number % 7)
    for first, later in zip(calls, calls[100:], strict=False):
        assert later - first >= 3600


def test_a_long_wait_is_an_error_that_says_until_when(clock: FakeClock) -> None:
    limits = Limits(clock, patience=60)
    limits.note("s", 429, {"retry-after": "61"})
    with pytest.raises(RateLimited, match=r"before 20\d\d-\d\d-\d\dT"):
        limits.wait("s", None)
    assert clock.sleeps == []
    limits.wait("another", None)


@pytest.mark.parametrize("status", [429, 503, 403])
def test_retry_after_is_kept_in_seconds_and_as_a_date(clock: FakeClock, status: int) -> None:
    for dated in (False, True):
        value = formatdate(clock.now() + 30, usegmt=True) if dated else "30"
        limits = Limits(clock)
        begun = clock.now()
        assert limits.note("s", status, {"retry-after": value})
        limits.wait("s", None)
        assert clock.now() - begun >= 29


@pytest.mark.parametrize("form", ["epoch", "seconds"])
def test_an_exhausted_window_is_waited_for_before_the_next_call(clock: FakeClock, form: str) -> None:
    limits = Limits(clock)
    begun = clock.now()
    reset = str(int(begun) + 31) if form == "epoch" else "30"
    assert not limits.note("s", 200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset})
    limits.wait("s", None)
    assert clock.now() - begun >= 29


def test_a_refusal_that_is_no_limit_is_not_taken_for_one(clock: FakeClock) -> None:
    limits = Limits(clock)
    assert not limits.note("s", 403, {"x-ratelimit-remaining": "17", "x-ratelimit-reset": "30"})
    assert not limits.note("s", 503, {})
    limits.wait("s", None)
    assert clock.sleeps == []


def test_too_many_requests_without_a_time_waits_a_minute(clock: FakeClock) -> None:
    limits = Limits(clock)
    assert limits.note("s", 429, {"retry-after": "soon"})
    limits.wait("s", None)
    assert clock.sleeps == [pytest.approx(60)]


def test_however_long_a_service_asks_to_be_left_alone_that_is_kept(clock: FakeClock) -> None:
    """Some days are for quotas by the month. What is beyond the calendar is a hundred years."""
    limits = Limits(clock)
    limits.note("s", 429, {"retry-after": str(40 * 86400)})
    with pytest.raises(RateLimited) as raised:
        limits.wait("s", None)
    assert clock.sleeps == []
    until = datetime.fromisoformat(raised.value.details["until"]).timestamp()
    assert until - clock.now() == pytest.approx(40 * 86400, abs=1)
    limits.note("s", 429, {"retry-after": "9" * 400})
    with pytest.raises(RateLimited):
        limits.wait("s", None)


def test_a_limit_is_that_of_a_credential_and_of_a_host_for_calls_without_one(clock: FakeClock) -> None:
    """What one submitter is told says nothing of another, and the name of a limit does not tell the credential."""
    limits = Limits(clock, key=b"k")
    ada = limits.name("GitHub", "api.github.com", "ghp_of_ada")
    bo = limits.name("GitHub", "api.github.com", "ghp_of_bo")
    nobody = limits.name("GitHub", "api.github.com", None)
    assert len({ada, bo, nobody, limits.name("GitHub", "git.example.org", None)}) == 4
    assert "ghp" not in ada
    assert ada == Limits(clock, key=b"k").name("GitHub", "api.github.com", "ghp_of_ada")
    assert ada != Limits(clock, key=b"other").name("GitHub", "api.github.com", "ghp_of_ada")
    limits.note(ada, 403, {"retry-after": "3600"})
    with pytest.raises(RateLimited):
        limits.wait(ada, None)
    limits.wait(bo, None)
    limits.wait(nobody, None)
    assert clock.sleeps == []


class TestTogether:
    """Several processes, as several `Limits`, over one ledger."""

    @pytest.fixture
    def ledger(self, tmp_path: Path, clock: FakeClock) -> Any:
        with Ledger.open(tmp_path / "control.db", clock=clock.now) as ledger:
            yield ledger

    @pytest.fixture
    def workers(self, ledger: Ledger, clock: FakeClock) -> list[Limits]:
        return [Limits(clock, patience=60, shared=lambda: ledger.limits) for _ in range(3)]

    def test_all_of_them_keep_one_budget(self, workers: list[Limits], clock: FakeClock) -> None:
        calls: list[float] = []
        for number in range(3000):
            try:
                workers[number * number % 3].wait("s", 1000)
            except RateLimited:
                clock.sleep(600)
            else:
                calls.append(clock.now())
                clock.sleep(number % 3)
        assert len(calls) > 1800
        for first, later in zip(calls, calls[1000:], strict=False):
            assert later - first >= 3600

    def test_calls_are_taken_in_blocks_and_one_by_one_by_who_calls_rarely(
        self, workers: list[Limits], ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []
        take = ledger.limits.take

        def counted(service: str, wanted: int, hourly: int) -> tuple[int, float]:
            asked.append(wanted)
            return take(service, wanted, hourly)

        monkeypatch.setattr(ledger.limits, "take", counted)
        for _ in range(1000):
            workers[0].wait("s", 5000)
        assert len(asked) < 30
        assert max(asked) == 50
        asked.clear()
        for _ in range(10):
            clock.sleep(120)
            workers[0].wait("s", 5000)
        assert asked[2:] == [1] * 8

    def test_what_one_was_told_the_others_keep(self, workers: list[Limits], clock: FakeClock) -> None:
        for worker in workers:
            worker.wait("s", None)
        workers[0].note("s", 429, {"retry-after": "40"})
        clock.sleep(1)
        begun = clock.now()
        workers[1].wait("s", None)
        assert clock.now() - begun >= 38.9
        workers[0].note("s", 429, {"retry-after": "4000"})
        late = Limits(clock, shared=workers[0]._shared)
        with pytest.raises(RateLimited):
            late.wait("s", None)
        late.wait("another", None)

    def test_without_the_ledger_no_budget_is_exceeded_and_calls_without_one_go_on(self, clock: FakeClock) -> None:
        def nowhere() -> Any:
            raise DatabaseUnavailable(place="x", reason="it is down")

        alone = Limits(clock, shared=nowhere)
        alone.wait("s", None)
        alone.note("s", 429, {"retry-after": "40"})
        alone.wait("s", None)
        assert sum(clock.sleeps) >= 39.9
        with pytest.raises(DatabaseUnavailable):
            alone.wait("s", 5000)

"""When a service may be called again."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from muniment.errors.sources import RateLimited
from muniment.sources.session import Limits
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


def test_a_service_cannot_close_itself_for_ever(clock: FakeClock) -> None:
    limits = Limits(clock, patience=1e9)
    limits.note("s", 429, {"retry-after": "99999999999999"})
    limits.wait("s", None)
    assert sum(clock.sleeps) <= 24 * 3600 + 1

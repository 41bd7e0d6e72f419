"""What every part of the contract stands on: a ledger, a clock in the test's hands, and short ways to move steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.jobs import Call, Claim, Json, Keyring, Ledger, State
from muniment.jobs.model import Outcome

NAMES = ("fetch", "file", "join", "after")


class Clock:
    """A clock that moves when told to."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        """Begin at `at`, in seconds since 1970 UTC."""
        self.at = at

    def __call__(self) -> float:
        """The time it stands at."""
        return self.at

    def move(self, seconds: float) -> None:
        """Move on."""
        self.at += seconds


def done(claim: Claim, result: Json = None, **more: Any) -> Outcome:
    """The outcome of a step that ended well."""
    return Outcome(claim, State.DONE, result=result, **more)


def failed(claim: Claim, reason: str = "it broke") -> Outcome:
    """The outcome of a step that failed for good."""
    return Outcome(claim, State.FAILED, reason=reason, counts="failures")


class Fixtures:
    """What every part of the contract stands on."""

    @pytest.fixture
    def clock(self) -> Clock:
        """A clock in the test's hands."""
        return Clock()

    @pytest.fixture
    def keyring(self, tmp_path: Path) -> Keyring:
        """A key file's keys."""
        return Keyring.create(tmp_path / "keys")

    @pytest.fixture
    def ledger(self, place: str | Path, clock: Clock, keyring: Keyring) -> Iterator[Ledger]:
        """An open, empty ledger."""
        with Ledger.open(place, clock=clock, keyring=keyring, migrate=True) as ledger:
            yield ledger

    @staticmethod
    def take(ledger: Ledger, count: int = 100, *, owner: str = "one", lease: float = 60.0) -> list[Claim]:
        """Claim what is ready."""
        return ledger.leases.exchange(owner, (), (count, count), NAMES, lease).claims

    def tell(self, ledger: Ledger, *outcomes: Outcome, owner: str = "one") -> list[Outcome]:
        """Record outcomes; those that were refused."""
        return ledger.leases.exchange(owner, outcomes).refused

    def fan(self, ledger: Ledger, count: int = 3, *, then: bool = True) -> tuple[str, list[Claim]]:
        """A job whose first step has spawned `count` files (and a join); its id and the claimed files."""
        job = ledger.submit("harvest", Call("fetch"), requester="ada")
        [root] = self.take(ledger)
        calls = [Call("file", {"n": number}) for number in range(count)]
        self.tell(ledger, done(root, spawn=calls, then=Call("join") if then else None))
        return job.id, self.take(ledger)

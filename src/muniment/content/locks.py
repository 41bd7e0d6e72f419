"""Locks on what a store keeps: how long what is put is locked, in which mode, and until when it then is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from muniment.content.durations import parse_duration
from muniment.errors.base import BadInput

LockMode = Literal["governance", "compliance"]
_MODES: tuple[LockMode, ...] = ("governance", "compliance")


@dataclass(frozen=True, slots=True)
class KeyLock:
    """That a key may not be removed or put anew before `until` (RFC 3339); in compliance by nobody at all."""

    mode: LockMode
    until: str

    def __str__(self) -> str:
        return f"{self.mode} until {self.until}"

    @property
    def end(self) -> datetime:
        """When it ends."""
        return datetime.fromisoformat(self.until)


@dataclass(frozen=True, slots=True)
class LockRule:
    """How long what is new is locked, in seconds from then, and how strictly."""

    mode: LockMode
    seconds: float

    def at(self, moment: float) -> KeyLock:
        """The lock on what is put at a moment (seconds since 1970 UTC); in whole seconds, as services keep it."""
        until = datetime.fromtimestamp(int(moment + self.seconds), UTC).isoformat().replace("+00:00", "Z")
        return KeyLock(self.mode, until)


def parse_lock(text: str) -> LockRule:
    """A rule such as `compliance 10y`.

    Raises:
        BadInput: It is none.
    """
    word, _, length = text.strip().partition(" ")
    mode = next((each for each in _MODES if each == word), None)
    if mode is None or not length:
        raise BadInput(reason=f"a lock is a mode and a time, such as 'governance 1y' or 'compliance 10y', not {text!r}")
    return LockRule(mode, parse_duration(length))

"""Version names: v1, v2, ... or zero-padded v01, v02, ... and the order they stand in (OCFL 1.1 §3.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from muniment.content import Finding
from muniment.validation.findings import say

_NAME = re.compile(r"v(0*)([1-9][0-9]{0,17})", re.ASCII)


class VersionName(NamedTuple):
    """A version's number and the name it has on disk; names sort by number."""

    number: int
    name: str

    @property
    def padded(self) -> bool:
        """Whether the number begins with a zero."""
        return self.name[1] == "0"


def version_name(name: object) -> VersionName | None:
    """Read a version's name; None when it is not one."""
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    return VersionName(int(match[2]), match[0]) if match else None


def check_sequence(names: Iterable[VersionName], where: str) -> Iterator[Finding]:
    """The numbers run from 1 without gaps and the names follow one convention (E009 to E013, W001)."""
    ordered = sorted(names)
    if not ordered:
        return
    if ordered[0].number != 1:
        yield say("E009", where, found=ordered[0].number)
    for before, after in pairwise(ordered):
        if after.number > before.number + 1:
            missing = f"{before.number + 1}" + (f" to {after.number - 1}" if after.number > before.number + 2 else "")
            yield say("E010", where, expected=missing)
    if any(name.padded for name in ordered):
        yield say("W001", where)
    yield from _one_convention(ordered, where)


def _one_convention(ordered: list[VersionName], where: str) -> Iterator[Finding]:
    first = ordered[0]
    for later in ordered[1:]:
        place = f"{where}/{later.name}" if where else later.name
        same_length = len(later.name) == len(first.name)
        if later.padded != first.padded:
            yield say("E011" if first.padded and same_length else "E012", place, expected=len(first.name))
            yield say("E013", place, expected=first.name)
        elif first.padded and not same_length:
            yield say("E012", place, expected=len(first.name))

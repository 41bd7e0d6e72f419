"""What packages installed beside Muniment bring: sources, stores and layouts, each by an entry point of a group."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from muniment.errors.extensions import ExtensionBroken


@cache
def brought(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group by their names in small letters. A package that is installed later is not seen."""
    return {entry.name.lower(): entry for entry in entry_points(group=group)}


def names(group: str, own: Collection[str]) -> list[str]:
    """What other packages bring, without what would stand in for something of our own."""
    return sorted(set(brought(group)) - set(own))


def load(entry: EntryPoint, what: str) -> object:
    """The object an entry point leads to; `what` it is to be is for the error.

    Raises:
        ExtensionBroken: It cannot be imported.
    """
    try:
        return entry.load()
    except Exception as error:
        raise broken(entry, what, f"importing {entry.value} ended with {type(error).__name__}: {error}") from error


def broken(entry: EntryPoint, what: str, reason: str) -> ExtensionBroken:
    """The error for what a package brings and nobody can use."""
    package = entry.dist.name if entry.dist is not None else entry.value
    return ExtensionBroken(what=what, name=entry.name, package=package, reason=reason)

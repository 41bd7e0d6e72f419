"""What a user writes, with the types their editor has to show: `make check` runs a second type checker over it."""

from __future__ import annotations

from typing import assert_type

from muniment import Archive
from muniment.content import archive as kinds


def keep(place: str) -> bytes:
    """Open, add, read back."""
    with Archive(place) as archive:
        assert_type(archive.count(), int)
        with archive.new("thing") as transaction:
            transaction.add(b"hello", "greeting")
            assert_type(transaction.id, str)
        found = archive.get("thing")
        assert_type(found.number, int)
        for event in archive.events():
            assert_type(event.seq, int)
        return found.read("greeting")


def count(archive: kinds.Archive) -> int:
    """Any kind of archive will do."""
    return archive.count()


def both() -> int:
    """A folder and a server, used alike."""
    return count(Archive("folder")) + count(Archive("https://archive.example.org/", key="mun_x"))

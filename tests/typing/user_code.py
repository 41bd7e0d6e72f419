"""What a user writes, with the types their editor has to show: `make check` runs a second type checker over it."""

from __future__ import annotations

from typing import assert_type

from muniment import Archive, Instance, Transaction
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


def fill(transaction: Transaction) -> Instance:
    """Transactions and instances in annotations, by the names they are imported by."""
    transaction.add("folder")
    return transaction.commit()


def made(archive: Archive) -> Instance:
    """As everybody writes it first."""
    with archive.new("thing") as transaction:
        fill(transaction)
    assert_type(archive.get("thing", "a"), Transaction)
    assert_type(archive.get("thing"), Instance)
    return archive.get("thing")


def begun(place: str) -> Instance:
    """A new archive, and one behind a server, given to the same function."""
    with Archive.init(place, mode="worm") as archive:
        assert_type(archive, Archive)
        made(archive)
    return made(Archive("https://archive.example.org/", key="mun_x"))

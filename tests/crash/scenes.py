"""What is interrupted in the crash tests: small archives, and one change of each kind to them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from muniment.archive import Agent, Archive

AGENT = Agent("Ada", "mailto:ada@example.org")
Change = Callable[[Archive], object]


def place_for_archives() -> str | None:
    """Memory, where there is some to write to: hundreds of small archives are made and thrown away."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder for archives, gone afterwards."""
    folder = tempfile.mkdtemp(prefix="muniment-crash-", dir=place_for_archives())
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


def open_archive(root: Path, *, parity: bool = True) -> Archive:
    """As every test here opens it: digesting in this process, so that its calls can be counted."""
    return Archive(root, agent=AGENT, workers=0, parity=parity)


def prepare(root: Path, mode: str, redundancy: int = 0) -> None:
    """An archive with two resources: `old` with one instance, `twice` with two."""
    with Archive.init(root, mode=mode, redundancy=redundancy, agent=AGENT, workers=0) as archive:
        with archive.new("old") as transaction:
            transaction.add(b"alpha\n", "a.txt")
            transaction.add(b"beta\n", "deep/b.txt")
        with archive.new("twice") as transaction:
            transaction.add(b"one\n", "1.txt")
        with archive.get("twice", "a") as transaction:
            transaction.replace(b"two\n", "1.txt")
        list(archive)  # so that there is an index, as in an archive in use


def new_resource(archive: Archive) -> None:
    with archive.new("fresh", message="the first") as transaction:
        transaction.metadata["title"] = "Fresh"
        transaction.add(b"gamma\n", "g.txt")
        transaction.add(b"gamma\n", "twin/g.txt")
        transaction.add(b"delta\n" * 4000, "d.bin")


def next_instance(archive: Archive) -> None:
    with archive.get("old", "a", message="the second") as transaction:
        transaction.add(b"alpha\n", "again/a.txt")
        transaction.replace(b"changed\n", "a.txt")
        transaction.delete("deep/b.txt")
        transaction.add(b"epsilon\n", "e.txt")
        transaction.add(b"short-lived\n", "gone.txt")
        transaction.delete("gone.txt")


def metadata_only(archive: Archive) -> None:
    with archive.get("twice", "a") as transaction:
        transaction.metadata["title"] = "Twice"


def rolled_back(archive: Archive) -> None:
    transaction = archive.get("old", "a")
    transaction.add(b"never\n", "n.txt")
    transaction.rollback()


def own_event(archive: Archive) -> None:
    archive.record_event("capture", resource="old", project="main/main")


def purge(archive: Archive) -> None:
    archive.purge("twice", "no longer needed")


@dataclass(frozen=True, slots=True)
class Scene:
    """A change, and the modes in which it can be made."""

    change: Change
    modes: tuple[str, ...] = ("preservation", "worm", "dynamic")


SCENES = {
    "new": Scene(new_resource),
    "next": Scene(next_instance),
    "metadata": Scene(metadata_only),
    "rollback": Scene(rolled_back, ("preservation",)),
    "event": Scene(own_event, ("preservation", "worm")),
    "purge": Scene(purge, ("dynamic",)),
}

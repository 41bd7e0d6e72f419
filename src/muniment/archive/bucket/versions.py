"""Which versions an object in a bucket has, also while a history of it is on its way to its places."""

from __future__ import annotations

import contextlib
from pathlib import Path

from muniment.archive.bucket.intake import Seal, SealedObject, seal_of
from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import commit_key, version_numbers
from muniment.archive.disk.durable import make_folder
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.package.inventory import NAME
from muniment.errors.stores import KeyNotFound


class Versions:
    """The versions of the objects below one archive's keys; what was once whole is noted in the state folder.

    Every method takes an object's prefix, and may raise `StoreUnreachable`, `StoreFailed` and `StoreRefused`: it could
    not be told.
    """

    def __init__(self, keys: Keys, layout: ArchiveLayout) -> None:
        self._keys = keys
        self._layout = layout

    def newest(self, place: str) -> int:
        """The number of an object's newest version, 0 where there is none.

        Of a history that is not laid out yet the seal tells: before its root is there it may lack versions.
        """
        newest = self.listed(place)
        if not newest or self._mark(place).is_dir():
            return newest
        if self.is_settled(place):
            return self.listed(place)  # again: it may have been laid out since
        seal = self.made_by(place)
        sealed = seal.at(place) if seal else None
        if sealed is None:
            return self.listed(place)
        return max(newest, sealed.head)

    def listed(self, place: str) -> int:
        """The number of the newest version that lies in its place, 0 where none does."""
        numbers = version_numbers(list(self._keys.folders(place)))
        return numbers[-1] if numbers else 0

    def is_settled(self, place: str) -> bool:
        """Whether an object was once laid out whole, so that a listing of it tells its newest version."""
        mark = self._mark(place)
        if mark.is_dir():
            return True
        if self._keys.stat(place + NAME) is None:
            return False
        make_folder(mark)
        return True

    def made_by(self, place: str) -> Seal | None:
        """The seal of the transaction that made a resource, while it is not cleared."""
        try:
            return seal_of(self._keys, self._keys.note(commit_key(place, 1)))
        except KeyNotFound:
            return None

    def staged(self, place: str, number: int) -> SealedObject | None:
        """What is still staged of the transaction that brought a version."""
        with contextlib.suppress(KeyNotFound):
            seal = seal_of(self._keys, self._keys.note(commit_key(place, number)))
            if seal is not None:
                return seal.at(place)
        seal = self.made_by(place) if number > 1 else None  # a later version of a history
        return seal.at(place) if seal else None

    def _mark(self, place: str) -> Path:
        return self._layout.root / place / "settled"

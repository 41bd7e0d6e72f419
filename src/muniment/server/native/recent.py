"""The instances read last, kept because they never change and reading the records of a large one takes long."""

from __future__ import annotations

import threading

from muniment.archive import Archive, Instance, newest_number, number_in

_MOST = 32
"""Instances that are kept."""
_MOST_BYTES = 48 << 20
"""Bytes of their inventories on disk; in memory they take about six times as much. The last one is always kept."""

_Key = tuple[str, str, int]
_Standing = tuple[int, ...]


class RecentInstances:
    """The instances read last, by project, resource and number. Thread-safe."""

    def __init__(self, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._known: dict[_Key, tuple[_Standing, Instance]] = {}
        self._lock = threading.Lock()

    def known(self, id: str, number: int, project: str) -> Instance | None:
        """An instance that was read lately, as it was then."""
        found = self._known.get((project, id, number))
        return found[1] if found else None

    def asked(self, archive: Archive, id: str, wanted: str, project: str) -> Instance:
        """An instance as an address names it: 'newest', or as `Archive.instance` takes it.

        Raises:
            MunimentError: As `Archive.instance`.
        """
        number = newest_number(archive, project, id) if wanted == "newest" else number_in(wanted)
        if number is None:
            return archive.instance(id, wanted, project=project)
        return self.get(archive, id, number, project)

    def get(self, archive: Archive, id: str, number: int, project: str) -> Instance:
        """An instance by its number; purged or repaired since, it is read again.

        Raises:
            MunimentError: As `Archive.instance`.
        """
        key = (project, id, number)
        known = self._known.get(key)
        if known is not None and known[0] and known[0] == known[1].standing():
            return known[1]
        found = archive.instance(id, number, project=project)
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = (found.standing(), found)
            while len(self._known) > self._most or (len(self._known) > 1 and self._held() > self._most_bytes):
                del self._known[next(iter(self._known))]
        return found

    def _held(self) -> int:
        return sum(sum(standing[2:]) for standing, _ in self._known.values())

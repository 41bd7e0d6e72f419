"""Entries by path in a quarter of the memory: a transaction holds those of a resource that has 100,000."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import cast

from muniment.content import Entry, LogicalPath

_NUMBER = 8
_UNKNOWN = (1 << 64) - 1


class PackedEntries(MutableMapping[str, Entry]):
    """Path to entry. An entry is put together when it is asked for, and is not the object that was put in.

    Each is kept as bytes: its size, its digests one after the other, and its time of change. What has other digests
    than the first one that came is kept as it is.
    """

    def __init__(self) -> None:
        self._rows: dict[str, bytes | Entry] = {}
        self._algorithms: tuple[str, ...] = ()
        self._bounds: tuple[tuple[int, int], ...] = ()
        self._end = _NUMBER

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        """Their paths, in the order in which they came."""
        return iter(self._rows)

    def __contains__(self, path: object) -> bool:
        """Whether there is one with that path."""
        return path in self._rows

    def __getitem__(self, path: str) -> Entry:
        """The entry at a path.

        Raises:
            KeyError: There is none.
        """
        row = self._rows[path]
        if isinstance(row, Entry):
            return row
        places = zip(self._algorithms, self._bounds, strict=True)
        digests = {name: row[begin:end].hex() for name, (begin, end) in places}
        modified = row[self._end :].decode("utf-8") or None
        return Entry(cast("LogicalPath", path), _size_of(row), digests, modified)

    def __setitem__(self, path: str, entry: Entry) -> None:
        """Keep an entry."""
        if not self._algorithms:
            self._begin(entry.digests)
        fits = path == entry.path and tuple(entry.digests) == self._algorithms
        packed = bytes.fromhex("".join(entry.digests.values())) if fits else b""
        if not packed or len(packed) != self._end - _NUMBER:
            self._rows[path] = entry
            return
        size = _UNKNOWN if entry.size is None else entry.size
        self._rows[path] = size.to_bytes(_NUMBER, "big") + packed + (entry.modified or "").encode("utf-8")

    def __delitem__(self, path: str) -> None:
        """Forget the entry at a path.

        Raises:
            KeyError: There is none.
        """
        del self._rows[path]

    def sizes(self) -> Iterator[int | None]:
        """The size of each."""
        for row in self._rows.values():
            yield row.size if isinstance(row, Entry) else _size_of(row)

    def by(self, algorithm: str) -> Iterator[tuple[str, int | None, str]]:
        """Path, size and one digest of each, sorted by path."""
        begin, end = dict(zip(self._algorithms, self._bounds, strict=True)).get(algorithm, (0, 0))
        rows = self._rows
        for path in sorted(rows):
            row = rows[path]
            if isinstance(row, Entry):
                yield path, row.size, row.digests[algorithm]
            else:
                yield path, _size_of(row), row[begin:end].hex()

    def digests(self, algorithm: str) -> Iterator[tuple[str, str]]:
        """Path and one digest of each, sorted by path."""
        begin, end = dict(zip(self._algorithms, self._bounds, strict=True)).get(algorithm, (0, 0))
        rows = self._rows
        for path in sorted(rows):
            row = rows[path]
            yield path, row.digests[algorithm] if isinstance(row, Entry) else row[begin:end].hex()

    def described(self) -> Iterator[tuple[str, int | None, str | None]]:
        """Path, size and time of change of each, sorted by path."""
        rows, end = self._rows, self._end
        for path in sorted(rows):
            row = rows[path]
            if isinstance(row, Entry):
                yield path, row.size, row.modified
            else:
                yield path, _size_of(row), row[end:].decode("utf-8") or None

    def _begin(self, digests: Mapping[str, str]) -> None:
        bounds = []
        for value in digests.values():
            bounds.append((self._end, self._end + len(value) // 2))
            self._end += len(value) // 2
        self._algorithms, self._bounds = tuple(digests), tuple(bounds)


def _size_of(row: bytes) -> int | None:
    size = int.from_bytes(row[:_NUMBER], "big")
    return None if size == _UNKNOWN else size

"""Keys as files in folders within folders, so that a listing opens only the folders it gives something back of."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote

from muniment.errors.stores import StoreFailed

_LONGEST = 240
_LONG = "%~"
"""Begins the name of a segment that is no name itself; nothing quoted begins so."""
_FOLDER = "%2F"
"""Ends the names of folders: a key and keys below it may be there at once, and no quoted segment ends so."""
_TRIES = 1000


class KeyTree:
    """Keys below one folder of this machine, safe to use from many threads and processes.

    A folder without a key in it is there to nobody: whoever removes its last key removes it, and whoever puts one
    makes it again.
    """

    def __init__(self, folder: Path) -> None:
        self._root, self._names = str(folder / "keys"), str(folder / "names")
        self._fresh = folder / "fresh"
        for each in (self._root, self._names, self._fresh):
            os.makedirs(each, exist_ok=True)

    def place(self, key: str) -> str:
        """The file of a key, whether it is there or not."""
        return f"{self._root}/{_path(key)}"

    def fresh(self, source: bytes | Path) -> str:
        """A new file with these bytes, which is no key yet.

        Raises:
            FileNotFoundError: There is no source.
        """
        data = source if isinstance(source, bytes) else source.read_bytes()
        name = f"{self._fresh}/{secrets.token_hex(8)}"
        with open(name, "xb") as file:
            file.write(data)
        return name

    def put(self, fresh: str, key: str) -> None:
        """Let a fresh file be the key's, whatever was there."""
        self._enter(os.replace, fresh, key)

    def put_once(self, fresh: str, key: str) -> None:
        """Let a fresh file be the key's.

        Raises:
            FileExistsError: The key is there.
        """
        self._enter(os.link, fresh, key)

    def remove(self, key: str) -> None:
        """Remove a key; if it is not there, nothing."""
        place = self.place(key)
        try:
            os.unlink(place)
            while (place := os.path.dirname(place)) != self._root:
                os.rmdir(place)
        except OSError:  # it was gone, or somebody has a key there
            return

    def within(self, prefix: str = "", after: str = "") -> Iterator[str]:
        """Keys that begin with `prefix` and come after `after`, in their order."""
        before, slash, begins = prefix.rpartition("/")
        yield from self._walk(os.path.dirname(self.place(prefix)), before + slash, begins, after)

    def folders(self, prefix: str) -> list[str]:
        """The first segments behind `prefix`, of keys that go on behind them."""
        folder, begins = os.path.dirname(self.place(prefix)), prefix.rpartition("/")[2]
        return [
            segment.removeprefix(begins).removesuffix("/")
            for segment, name in self._segments(folder)
            if segment.startswith(begins)
            and segment.endswith("/")
            and any(True for _ in self._walk(f"{folder}/{name}", "", "", ""))
        ]

    # --- inside

    def _enter(self, how: Callable[[str, str], None], fresh: str, key: str) -> None:
        self._tell_long(key)
        place = self.place(key)
        for _ in range(_TRIES):  # as often as somebody removes the folder's last key this very moment
            try:
                how(fresh, place)
            except FileNotFoundError:
                with contextlib.suppress(FileNotFoundError, FileExistsError):  # it was removed while it was made
                    os.makedirs(os.path.dirname(place), exist_ok=True)
            else:
                return
        raise StoreFailed(store=self._root, reason=f"there is no folder for {key!r}")

    def _tell_long(self, key: str) -> None:
        for segment in key.split("/"):
            name = _name(segment)
            if name.startswith(_LONG) and not os.path.exists(told := f"{self._names}/{name}"):
                os.replace(self.fresh(segment.encode()), told)

    def _walk(self, folder: str, before: str, begins: str, after: str) -> Iterator[str]:
        for segment, name in self._segments(folder):
            key = before + segment
            if not segment.startswith(begins):
                continue
            if not segment.endswith("/"):
                if key > after:
                    yield key
            elif key > after or after.startswith(key):
                yield from self._walk(f"{folder}/{name}", key, "", after)

    def _segments(self, folder: str) -> list[tuple[str, str]]:
        """What lies in a folder, in the order of keys: segments, a folder's with its slash, and their names."""
        try:
            found = os.listdir(folder)
        except FileNotFoundError:
            return []
        return sorted((self._long(name) if name.startswith(_LONG) else _segment(name), name) for name in found)

    def _long(self, name: str) -> str:
        told = Path(self._names, name.removesuffix(_FOLDER)).read_text("utf-8")
        return f"{told}/" if name.endswith(_FOLDER) else told


@lru_cache(1 << 16)  # the same few are asked for again and again
def _path(key: str) -> str:
    *folders, last = key.split("/")
    return "/".join([*(_name(each) + _FOLDER for each in folders), _name(last)])


@lru_cache(1 << 16)
def _name(segment: str) -> str:
    """The name of a segment: a filesystem takes 255 bytes, a store 1,024 a key."""
    name = quote(segment, safe="")
    return name if len(name) <= _LONGEST else _LONG + hashlib.sha256(segment.encode()).hexdigest()


@lru_cache(1 << 16)
def _segment(name: str) -> str:
    return unquote(name)

"""Reading ahead: whoever opens one small file after the other gets many with each request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence

from muniment.content import Entry
from muniment.errors.base import MunimentError
from muniment.remote.connection import Broken, Server

SMALL = 256 << 10
"""Files up to this size are read ahead."""
_MOST_FILES = 500
_MOST_BYTES = 4 << 20


class Ahead:
    """The small files of one instance, in the order of their paths, each handed out once."""

    def __init__(self, server: Server, place: str, query: Mapping[str, str]) -> None:
        self._server = server
        self._place = place
        self._query = query
        self._order: Sequence[str] = ()
        self._positions: dict[str, int] = {}
        self._held: dict[str, bytes] = {}
        self._next = -1
        self._alone_until = 0
        self._lock = threading.Lock()

    def take(self, path: str, entries: Callable[[], Mapping[str, Entry]]) -> bytes | None:
        """The bytes of a file, if it comes in the order of the paths and can be had this way.

        Its digest was compared by the server; whoever wants to be sure compares it again.
        """
        with self._lock:
            if path in self._held:
                self._next = self._positions[path] + 1
                return self._held.pop(path)
            if not self._positions:
                self._order = list(entries())
                self._positions = {name: number for number, name in enumerate(self._order)}
            position = self._positions[path]
            in_order = position == self._next
            self._next = position + 1
            if in_order and position >= self._alone_until:
                run = self._run_from(position, entries())
                self._held = self._fetch(run)
                if not self._held:
                    # Else each of them would ask for the rest of the run again, and get nothing again.
                    self._alone_until = self._positions[run[-1]] + 1
            return self._held.pop(path, None)

    def _run_from(self, position: int, entries: Mapping[str, Entry]) -> list[str]:
        run: list[str] = []
        size = 0
        for path in self._order[position : position + _MOST_FILES]:
            length = entries[path].size or 0
            if length > SMALL:
                continue
            size += length
            if run and size > _MOST_BYTES:
                break
            run.append(path)
        return run

    def _fetch(self, paths: list[str]) -> dict[str, bytes]:
        body = json.dumps({"paths": paths}).encode("utf-8")
        headers = {"Content-Type": "application/json"}
        place = f"{self._place}/read"
        # When one of them is damaged, or the line breaks, each is asked for alone and says for itself what is wrong.
        try:
            connection, answer = self._server.open("POST", place, self._query, headers=headers, body=body)
        except (MunimentError, *Broken):
            return {}
        try:
            data = answer.read()
        except Broken:
            connection.close()
            return {}
        self._server.give_back(connection, answer)
        return _parted(data)


def _parted(data: bytes) -> dict[str, bytes]:
    """The files of an answer by path; nothing where it is not what it should be."""
    end = data.find(b"\n")
    found: dict[str, bytes] = {}
    position = end + 1
    try:
        for record in json.loads(data[: max(end, 0)]):
            found[record["path"]] = data[position : position + record["size"]]
            position += record["size"]
    except (ValueError, KeyError, TypeError):
        return {}
    return found if position == len(data) else {}

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
_MOST_FILES = 250
_MOST_BYTES = 2 << 20


class ReadAhead:
    """The small files of one instance, in the order of their paths, each handed out once.

    They come in runs. When half of a run was handed out, a thread asks for the next one.
    """

    def __init__(self, server: Server, place: str, query: Mapping[str, str]) -> None:
        self._server = server
        self._place = place
        self._query = query
        self._order: Sequence[str] = ()
        self._positions: dict[str, int] = {}
        self._run = _Run()
        self._coming: _Run | None = None
        self._next = -1
        self._alone_until = 0
        self._lock = threading.Lock()

    def take(self, path: str, entries: Callable[[], Mapping[str, Entry]]) -> bytes | None:
        """The bytes of a file, if it comes in the order of the paths and can be had this way.

        Its digest was compared by the server; whoever wants to be sure compares it again.
        """
        with self._lock:
            if not self._positions:
                self._order = list(entries())
                self._positions = {name: number for number, name in enumerate(self._order)}
            position = self._positions[path]
            in_order = position == self._next
            self._next = position + 1
            if path not in self._run.held:
                self._go_on(path, position, entries(), in_order=in_order)
            data = self._run.held.pop(path, None)
            if data is not None and self._coming is None and 2 * len(self._run.held) <= len(self._run.paths):
                self._begin(entries())
            return data

    def _go_on(self, path: str, position: int, entries: Mapping[str, Entry], *, in_order: bool) -> None:
        """Have the run that a file is in, if it is in one."""
        coming, self._coming = self._coming, None
        if coming is not None and path in coming.paths:
            self._run = coming
        elif in_order and position >= self._alone_until:
            self._run = _Run(self._run_from(position, entries))
            self._fetch(self._run)
        else:
            return
        self._run.wait()
        if self._run.paths and not self._run.held:
            # Else each of them would ask for the rest of the run again, and get nothing again.
            self._alone_until = self._positions[self._run.paths[-1]] + 1

    def _begin(self, entries: Mapping[str, Entry]) -> None:
        paths = self._run_from(self._positions[self._run.paths[-1]] + 1, entries)
        if paths:
            self._coming = _Run(paths)
            self._coming.begin(self._fetch)

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

    def _fetch(self, run: _Run) -> None:
        body = json.dumps({"paths": run.paths}).encode("utf-8")
        headers = {"Content-Type": "application/json"}
        place = f"{self._place}/read"
        # When one of them is damaged, or the line breaks, each is asked for alone and says for itself what is wrong.
        try:
            connection, answer = self._server.open("POST", place, self._query, headers=headers, body=body)
        except (MunimentError, *Broken):
            return
        try:
            data = answer.read()
        except Broken:
            connection.close()
            return
        self._server.give_back(connection, answer)
        run.held = _parted(data)


class _Run:
    """Files that are asked for together, and those of them that came and were not handed out."""

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self.paths = paths
        self.held: dict[str, bytes] = {}
        self._thread: threading.Thread | None = None

    def begin(self, fetch: Callable[[_Run], None]) -> None:
        """Fetch it in a thread, which ends with the process if nobody waits for it."""
        self._thread = threading.Thread(target=fetch, args=(self,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until it came, or did not."""
        if self._thread is not None:
            self._thread.join()


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

"""Paths that stay apart where a service lets two files have one name."""

from __future__ import annotations

from muniment.content import LogicalPath
from muniment.sources.protocol import Failure, safe_path, segment


class Names:
    """The paths given out so far, by what each of them is for."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._taken: set[str] = set()

    def path(self, raw: str, id: str) -> LogicalPath | Failure:
        """`raw` as a path; if it was given out before, with the file's `id` before its ending."""
        path = safe_path(raw, self._service)
        if isinstance(path, Failure):
            return path
        if path in self._taken:
            folder, slash, name = path.rpartition("/")
            stem, dot, ending = name.rpartition(".") if "." in name[1:] else (name, "", "")
            path = LogicalPath.parse(f"{folder}{slash}{stem} ({segment(id)}){dot}{ending}")
        self._taken.add(path)
        return path

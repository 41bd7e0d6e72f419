"""`Archive`, as users import it: a folder opens the archive in it, a URL the one behind a server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from muniment.archive import Agent, Event
from muniment.archive import Archive as LocalArchive

if TYPE_CHECKING:
    from muniment.remote import RemoteArchive


Start = str | float | datetime | None
_LOOK_EVERY = 0.2


def is_url(place: object) -> bool:
    """Whether a place is the address of a server."""
    return isinstance(place, str) and place.lower().startswith(("http://", "https://"))


def remote_archive(url: str, **opening: Any) -> RemoteArchive:
    """An archive behind a server; its client is loaded only now.

    Raises:
        MunimentError: As `RemoteArchive`.
    """
    from muniment.remote import RemoteArchive  # noqa: PLC0415 - who opens folders need not load an HTTP client

    return RemoteArchive(url, **opening)


class _Door(type):
    """Opens what the place says, and counts both kinds as archives."""

    def __call__(cls, place: str | os.PathLike[str], **opening: Any) -> Any:
        if isinstance(place, str) and is_url(place):
            return remote_archive(place, **opening)
        return super().__call__(place, **opening)

    def __instancecheck__(cls, thing: object) -> bool:
        return isinstance(thing, LocalArchive) or getattr(thing, "behind_a_server", False) is True


class Archive(LocalArchive, metaclass=_Door):
    """A digital archive: `Archive('/srv/archive')`, or `Archive('https://archive.example.org/', key=…)`."""

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        key: str | None = None,
        state: str | os.PathLike[str] | None = None,
        agent: Agent | None = None,
        workers: int | None = None,
        parity: bool = True,
    ) -> None:
        """Open the archive at `place`; `key` is for a server, the others are as for an archive's folder.

        Raises:
            NotAnArchive, NewerFormat: There is no archive in that folder that this Muniment can open.
            ServerUnreachable, NotAnArchiveServer: There is none at that address.
        """
        del key  # a folder asks for none
        super().__init__(place, state=state, agent=agent, workers=workers, parity=parity)

    def events(self, start: Start = None, *, live: bool = False) -> Iterator[Event]:
        """The log, oldest event first: those strictly after `start`. With `live` it goes on as events come.

        Raises:
            BadTime: `start` is no event's number, ISO 8601 time or Unix time.
            DamagedRecord: A line of the log is not an event.
        """
        return self._live(start) if live else super().events(start)

    def _live(self, start: Start) -> Iterator[Event]:
        while True:
            for event in super().events(start):
                start = event.seq
                yield event
            time.sleep(_LOOK_EVERY)

"""What workers and foreman are given to work with: the archive, the stores, the session, the ledger, and the rules."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment.content.archive import Archive
from muniment.doors.osf.callbacks import Address
from muniment.sources import Session
from muniment.stores import Store
from muniment.workflows.fetch.context import FetchContext
from muniment.workflows.fetch.context import Policy as FetchPolicy
from muniment.workflows.signing import Signer

if TYPE_CHECKING:
    from muniment.jobs import Ledger  # a database library comes with it

KIND = "osf"
"""The kind of the jobs that register containers; their key is the outermost container's id."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Which files of a registration get parity, and how much, in percent."""

    make: bool = True
    from_size: int = 102_400
    every_size: bool = False
    redundancy: int = 5


@dataclass(frozen=True, slots=True)
class Policy(FetchPolicy):
    """The rules of the house: how services are fetched, and what becomes of them."""

    project: str = "osf/registrations"
    parity: Parity = field(default_factory=Parity)
    callback_failures: int = 16
    """How often a callback is tried."""


class RegistrationContext:
    """One process's means. Everything in it is opened on first use: a process that was forked opens its own.

    `open_archive` opens the archive (a folder or one behind a server), `open_ledger` the ledger, `open_session` the
    session with its guard; `stores` are where registrations go, the first is the one that answers questions.
    """

    def __init__(
        self,
        open_archive: Callable[[], Archive],
        open_ledger: Callable[[], Ledger],
        open_session: Callable[[], Session],
        open_stores: Callable[[], Sequence[Store]],
        *,
        scratch: Path,
        policy: Policy | None = None,
        callbacks: Sequence[Address] = (),
        signer: Signer | None = None,
        open_callback_session: Callable[[], Session] | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.callbacks = tuple(callbacks)
        self.signer = signer
        self._makers: dict[str, Callable[[], object]] = {
            "archive": open_archive,
            "ledger": open_ledger,
            "session": open_session,
            "stores": open_stores,
            "callback_session": open_callback_session or open_session,
        }
        self._made: dict[tuple[int, str], object] = {}
        self._lock = threading.Lock()
        self._scratch = scratch

    @property
    def archive(self) -> Archive:
        """The archive, in a folder or behind a server."""
        archive: Archive = self._get("archive")
        return archive

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        ledger: Ledger = self._get("ledger")
        return ledger

    @property
    def session(self) -> Session:
        """The session for services."""
        session: Session = self._get("session")
        return session

    @property
    def callback_session(self) -> Session:
        """The session for callbacks: it tries once, for the ledger tries again."""
        session: Session = self._get("callback_session")
        return session

    @property
    def stores(self) -> Sequence[Store]:
        """Where registrations go."""
        stores: Sequence[Store] = self._get("stores")
        return stores

    @property
    def fetching(self) -> FetchContext:
        """What fetching services works with."""
        return FetchContext(lambda: self.archive, lambda: self.ledger, lambda: self.session, self.scratch, self.policy)

    def scratch(self, *names: str) -> Path:
        """A folder on this machine for what is on its way."""
        folder = self._scratch.joinpath(*(name.replace("/", "_") for name in names))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def close(self) -> None:
        """Close what this process has opened."""
        with self._lock:
            mine = [made for (pid, _), made in self._made.items() if pid == os.getpid()]
            self._made = {}
        for made in mine:
            if hasattr(made, "close"):
                made.close()

    def _get(self, name: str) -> Any:
        with self._lock:
            key = (os.getpid(), name)
            if key not in self._made:
                self._made[key] = self._makers[name]()
            return self._made[key]

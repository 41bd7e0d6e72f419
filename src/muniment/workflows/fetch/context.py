"""What the steps of a fetch share: the archive, the ledger, the session, and the policy of the house."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.content.archive import Archive
from muniment.sources import Session

if TYPE_CHECKING:
    from muniment.jobs import Ledger  # a database library comes with it


@dataclass(frozen=True, slots=True)
class Policy:
    """How services are fetched. Sizes in bytes, times in seconds."""

    max_file_size: int | None = None
    hourly_calls: Mapping[str, int] = field(default_factory=dict)
    """Calls an hour by the name of the service."""
    rclone: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What rclone is run with."""
    streams: int = 8
    """Files fetched at once from one source."""
    lease: float = 7 * 86400.0
    """How long what has come is kept after the last thing that was done for it."""
    patience: int = 4
    """How often a file that does not come is tried before it counts as one that cannot be had."""
    silence: float = 1800.0
    """How long a service may make no progress before that counts as a failed attempt."""
    attempt: float = 86400.0
    """How long one service is fetched at a stretch; then others go first, and it goes on after them."""


class FetchContext:
    """One process's means. What `open_…` gives is opened by whoever lends it, on first use and in each process."""

    def __init__(
        self,
        open_archive: Callable[[], Archive],
        open_ledger: Callable[[], Ledger],
        open_session: Callable[[], Session],
        scratch: Callable[..., Path],
        policy: Policy,
    ) -> None:
        self.scratch = scratch
        self.policy = policy
        self._archive = open_archive
        self._ledger = open_ledger
        self._session = open_session

    @property
    def archive(self) -> Archive:
        """The archive, in a folder or behind a server."""
        return self._archive()

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self._ledger()

    @property
    def session(self) -> Session:
        """The session for services."""
        return self._session()

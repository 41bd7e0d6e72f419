"""What the steps of a harvest work with: the archive, the ledger, the portals, and a session for each portal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.catalogues.ckan import CkanPortal
from muniment.doors.ckan.link import LinkChecker
from muniment.doors.ckan.portals import Portal, Portals, PortalSettings
from muniment.doors.ckan.records import Links
from muniment.doors.ckan.slots import Slots
from muniment.session import Account, Session
from muniment.workflows.signing import Signer

if TYPE_CHECKING:
    from muniment.content.archive import Archive
    from muniment.jobs import Keyring, Ledger  # a database library comes with it

OpenSession = Callable[[PortalSettings], Session]


class CkanContext:
    """One process's way to everything. `open_session` makes a session with a portal's user agent, time and TLS."""

    def __init__(
        self,
        archive: Callable[[], Archive],
        ledger: Callable[[], Ledger],
        keyring: Callable[[], Keyring],
        open_session: OpenSession,
        *,
        scratch: Callable[..., Path],
        public_url: str = "",
        signer: Signer | None = None,
    ) -> None:
        self.signer = signer
        self.public_url = public_url.rstrip("/")
        self.scratch = scratch
        self._archive = archive
        self._ledger = ledger
        self._keyring = keyring
        self._open_session = open_session
        self._sessions: dict[tuple[str, float, bool, str], Session] = {}
        self._lock = threading.Lock()

    @property
    def archive(self) -> Archive:
        """The archive."""
        return self._archive()

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self._ledger()

    @property
    def portals(self) -> Portals:
        """The portals."""
        return Portals(self._ledger(), self._keyring())

    @property
    def links(self) -> Links:
        """What is known of links."""
        return Links(self._ledger())

    @property
    def slots(self) -> Slots:
        """The turns of hosts and datasets."""
        return Slots(self._ledger())

    def now(self) -> float:
        """The ledger's time, in seconds since 1970 UTC."""
        return self._ledger().database.now()

    def session(self, settings: PortalSettings) -> Session:
        """The session for a portal's settings, the same for equal ones."""
        key = (settings.user_agent, settings.timeout, settings.verify_https, settings.proxy)
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = self._open_session(settings)
            return self._sessions[key]

    def client(self, portal: Portal) -> CkanPortal:
        """The portal's Action API, with its token."""
        token = self.portals.token(portal.name)
        return CkanPortal(
            self.session(portal.settings), portal.name, portal.url, token=token, header=portal.settings.token_header
        )

    def upload_account(self, portal: Portal) -> Account:
        """Who asks for a file that was uploaded to the portal: the token goes to its own origin and nowhere else."""
        token = self.portals.token(portal.name)
        headers = {portal.settings.token_header: token} if token else {}
        secrets = (token,) if token else ()
        return Account(f"the portal {portal.name}", (portal.url,), headers=headers, secrets=secrets)

    def checker(self, portal: Portal, step: str, watch: Callable[[int], None] = lambda _: None) -> LinkChecker:
        """A checker whose temporary files are a step's own; `watch` is told how many bytes of a file have come."""
        return LinkChecker(self.session(portal.settings), portal.settings, self.scratch("ckan", step), watch)

    def cache_url_root(self, portal: Portal) -> str:
        """The address below which the portal's readers find copies; nothing where none is set."""
        return (portal.settings.cache_url_root or self.public_url).rstrip("/")

    def close(self) -> None:
        """End the sessions."""
        with self._lock:
            sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            session.close()

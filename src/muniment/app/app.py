"""The application: opens archives as the settings say, and knows who may do what with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muniment.app.opener import ArchiveOpener
from muniment.app.realm_keys import fetch_keys
from muniment.archive import Archive as LocalArchive
from muniment.settings import Settings

if TYPE_CHECKING:
    from muniment.access import Authority


class App(ArchiveOpener):
    """What the doors (command line, server) are given to work with."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        super().__init__(self.settings)

    def authority(self, archive: LocalArchive) -> Authority:
        """Who may do what with an archive: the keys, rules and realms of its `control.db`.

        Raises:
            BadProxy: The reverse proxy cannot be trusted as it is set.
            AccessUnavailable: The database cannot be reached.
        """
        from muniment.access import Authority, TrustedProxy  # noqa: PLC0415 - needs a database library

        settings = self.settings
        proxy = None
        if settings.proxy_users is not None:
            trusted = [word.strip() for word in settings.serve_trusted_proxies.split(",") if word.strip()]
            proxy = TrustedProxy(trusted, settings.proxy_users, header=settings.proxy_header)
        return Authority.open(archive.state / "control.db", proxy=proxy, fetch=fetch_keys)

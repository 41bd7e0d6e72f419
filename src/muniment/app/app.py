"""The application: opens archives as the settings say, and knows who may do what with them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.app.opener import ArchiveOpener
from muniment.app.realm_keys import exchange_code, fetch_keys
from muniment.errors.archive import NotAnArchive
from muniment.errors.base import BadInput, BadSetting
from muniment.settings import Settings

if TYPE_CHECKING:
    from muniment.access import Authority
    from muniment.access.sign_in import CodeFlow
    from muniment.archive import Archive as LocalArchive
    from muniment.archive import ContentIndex
    from muniment.database import Database
    from muniment.session import Session


class App(ArchiveOpener):
    """What the doors (command line, server) are given to work with."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings or Settings())
        self._databases: dict[int, Database] = {}
        self._lock = threading.Lock()

    # --- the control database

    @property
    def state(self) -> Path:
        """The folder of the control database and the key file.

        Raises:
            BadInput: There is none: the archive is behind a server, and nothing else was named.
            NotAnArchive: There is no such folder.
        """
        if self.settings.state is not None:
            return self.settings.state
        if self.remote or self.in_bucket:
            where = "in a bucket" if self.in_bucket else "behind a server"
            raise BadInput(
                reason=f"with an archive {where}, name the ledger (MUNIMENT_LEDGER) and the key file "
                "(MUNIMENT_SECRETS_FILE), or a folder for both (MUNIMENT_STATE)"
            )
        place = self.place()
        if not place.is_dir():
            raise NotAnArchive(path=place, reason="there is no such folder")
        return place

    def database_place(self) -> str | Path:
        """Where the control database is.

        Raises:
            BadInput: None is named.
            NotAnArchive: There is no folder to keep it in.
        """
        named = self.settings.ledger
        if named is None:
            return self.state / "control.db"
        return named if "://" in named else Path(named)

    def database(self, *, migrate: bool | None = None) -> Database:
        """The control database, opened on first use; `close` closes it. A process that was forked opens its own.

        Raises:
            BadInput, NotAnArchive: None is named.
            DatabaseNotThere, DatabaseBehind, DatabaseNewer, DatabaseUnavailable: As `Database.open`.
        """
        from muniment.database import Database  # noqa: PLC0415 - a database library comes with it

        with self._lock:
            known = self._databases.get(os.getpid())
            if known is None:
                known = self._databases[os.getpid()] = Database.open(self.database_place(), migrate=migrate)
            return known

    def close(self) -> None:
        """Give up the control database; it is opened again when it is needed."""
        with self._lock:
            known = self._databases.pop(os.getpid(), None)
        if known is not None:
            known.close()

    def contents(self, archive: LocalArchive) -> ContentIndex:
        """The index of titles, file names and digests of an archive opened here; whoever asked closes it."""
        from muniment.archive import ContentIndex  # noqa: PLC0415 - only a server shows pages

        return ContentIndex(archive)

    def session(self) -> Session:
        """A session for what users name by address: no private addresses, unless the settings allow them."""
        from muniment.session import Guard, Session  # noqa: PLC0415 - only a few commands fetch

        return Session(Guard(allow_private_addresses=self.settings.allow_private_addresses), timeout=60.0, attempts=5)

    # --- rights

    def authority(self) -> Authority:
        """Who may do what with the archive: the keys, rules and realms of the control database.

        Raises:
            BadProxy: The reverse proxy cannot be trusted as it is set.
            MunimentError: As `database`.
        """
        from muniment.access import AccessStore, Authority, TrustedProxy  # noqa: PLC0415 - as above

        settings = self.settings
        proxy = None
        if settings.proxy_users is not None:
            trusted = [word.strip() for word in settings.serve_trusted_proxies.split(",") if word.strip()]
            proxy = TrustedProxy(trusted, settings.proxy_users, header=settings.proxy_header)
        return Authority(AccessStore(self.database()), proxy=proxy, fetch=fetch_keys)

    def sign_in(self, authority: Authority) -> CodeFlow:
        """The way by which people sign in at OIDC realms in a browser.

        Raises:
            BadSetting: The clients are not a list of realm=client.
        """
        from muniment.access.sign_in import CodeFlow, clients_of  # noqa: PLC0415 - only a server shows pages

        given = self.settings.sign_in_clients
        try:
            clients = clients_of(given.get_secret_value() if given else "")
        except ValueError as error:
            raise BadSetting(reason=f"MUNIMENT_SIGN_IN_CLIENTS: {error}") from None
        return CodeFlow(authority, clients, fetch_keys, exchange_code)

"""The application: opens archives as the settings say, and knows who may do what with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment.app.door import Archive, is_url, remote_archive
from muniment.app.fetching import fetch_keys
from muniment.archive import Agent
from muniment.archive import Archive as LocalArchive
from muniment.errors.base import BadInput
from muniment.settings import Settings

if TYPE_CHECKING:
    from muniment.access import Authority


class App:
    """What the doors (command line, server) are given to work with."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    @property
    def remote(self) -> bool:
        """Whether the archive the settings name is behind a server."""
        return is_url(self.settings.archive)

    def archive(self, *, parity: bool = True) -> Any:
        """Open the archive the settings name; the caller closes it.

        Raises:
            BadInput: No archive is named, or the file with its key cannot be read.
            NotAnArchive, NewerFormat: It cannot be opened.
            ServerUnreachable, NotAnArchiveServer: It is behind a server that does not answer as one.
        """
        if self.remote:
            return self.open(str(self.settings.archive))
        settings = self.settings
        return Archive(self.place(), state=settings.state, agent=self._agent(), workers=settings.workers, parity=parity)

    def open(self, place: str) -> Any:
        """Open another archive than the settings name, a folder or a URL, with the same key and agent.

        Raises:
            MunimentError: As `archive`.
        """
        if not is_url(place):
            return Archive(place, agent=self._agent(), workers=self.settings.workers)
        try:
            key = self.settings.secret()
        except (OSError, IndexError, UnicodeDecodeError) as error:
            raise BadInput(reason=f"the file with the key cannot be read: {error}") from error
        return remote_archive(place, key=key)

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

    def place(self) -> Path:
        """The folder of the archive the settings name.

        Raises:
            BadInput: No archive is named, or it is behind a server.
        """
        if not self.settings.archive:
            raise BadInput(reason="no archive is named: give --archive DIR, or set MUNIMENT_ARCHIVE")
        if self.remote:
            raise BadInput(reason=f"{self.settings.archive} is a server's address; this needs the archive's folder")
        return Path(self.settings.archive)

    def _agent(self) -> Agent:
        known = Agent.of_this_process()
        return Agent(self.settings.agent_name or known.name, self.settings.agent_address or known.address)

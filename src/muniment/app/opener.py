"""Opens archives, local and remote: all that most commands need of the application, and quick to import."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.app.archive import FolderArchive, folder, is_url, remote_archive
from muniment.archive import Agent
from muniment.content.archive import Archive
from muniment.errors.base import BadInput
from muniment.settings import Settings

if TYPE_CHECKING:
    from muniment.remote.fetches import RemoteFetches
    from muniment.remote.operations import RemoteOperations


class ArchiveOpener:
    """Opens the archive the settings name, and others beside it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def remote(self) -> bool:
        """Whether the archive the settings name is behind a server."""
        return is_url(self.settings.archive)

    def archive(self, *, parity: bool = True) -> Archive:
        """Open the archive the settings name; the caller closes it.

        Raises:
            BadInput: No archive is named, or the file with its key cannot be read.
            NotAnArchive, NewerFormat: It cannot be opened.
            ServerUnreachable, NotAnArchiveServer: It is behind a server that does not answer as one.
        """
        if self.remote:
            return self.open(str(self.settings.archive))
        return self.folder_archive(parity=parity)

    def folder_archive(self, *, parity: bool = True) -> FolderArchive:
        """Open the archive the settings name, in its folder on this machine; the caller closes it.

        Raises:
            BadInput: No archive is named, or it is behind a server.
            NotAnArchive, NewerFormat: It cannot be opened.
        """
        settings = self.settings
        return FolderArchive(
            self.place(), state=settings.state, agent=self.agent(), workers=settings.digest_processes, parity=parity
        )

    def open(self, place: str) -> Archive:
        """Open another archive than the settings name, a folder or a URL, with the same key and agent.

        Raises:
            MunimentError: As `archive`.
        """
        if not is_url(place):
            return FolderArchive(folder(place), agent=self.agent(), workers=self.settings.digest_processes)
        return remote_archive(place, key=self._key())

    def operations(self) -> RemoteOperations:
        """Operations of the server that the settings name; the caller closes it.

        Raises:
            BadInput: Its address is none, or the file with its key cannot be read.
        """
        from muniment.remote.operations import RemoteOperations  # noqa: PLC0415 - few commands need it

        return RemoteOperations(str(self.settings.archive), key=self._key())

    def remote_fetches(self) -> contextlib.closing[RemoteFetches]:
        """The fetches of the server that the settings name, for a `with`.

        Raises:
            BadInput: Its address is none, or the file with its key cannot be read.
        """
        from muniment.remote.fetches import RemoteFetches  # noqa: PLC0415 - few commands need it

        return contextlib.closing(RemoteFetches(str(self.settings.archive), key=self._key()))

    def _key(self) -> str | None:
        """The key for a server.

        Raises:
            BadInput: The file with it cannot be read.
        """
        try:
            return self.settings.secret()
        except IndexError:
            raise BadInput(reason="the file with the key is empty") from None
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(reason=f"the file with the key cannot be read: {error}") from error

    def place(self) -> Path:
        """The folder of the archive the settings name.

        Raises:
            BadInput: No archive is named, or it is behind a server.
        """
        if not self.settings.archive:
            raise BadInput(reason="no archive is named: give --archive DIR, or set MUNIMENT_ARCHIVE")
        if self.remote:
            raise BadInput(reason=f"{self.settings.archive} is a server's address; this needs the archive's folder")
        return Path(folder(self.settings.archive))

    def agent(self) -> Agent:
        """Who acts: as the settings say, and else who this process runs as."""
        known = Agent.of_this_process()
        return Agent(self.settings.agent_name or known.name, self.settings.agent_address or known.address)

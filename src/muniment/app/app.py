"""The application: opens archives as the settings say."""

from __future__ import annotations

from pathlib import Path

from muniment.archive import Agent, Archive
from muniment.errors.base import BadInput
from muniment.settings import Settings


class App:
    """What the doors (command line, server) are given to work with."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    def archive(self, *, parity: bool = True) -> Archive:
        """Open the archive the settings name; the caller closes it.

        Raises:
            BadInput: No archive is named.
            NotAnArchive, NewerFormat: It cannot be opened.
        """
        settings = self.settings
        return Archive(self.place(), state=settings.state, agent=self._agent(), workers=settings.workers, parity=parity)

    def place(self) -> Path:
        """The folder of the archive the settings name.

        Raises:
            BadInput: No archive is named.
        """
        if not self.settings.archive:
            raise BadInput(reason="no archive is named: give --archive DIR, or set MUNIMENT_ARCHIVE")
        return Path(self.settings.archive)

    def _agent(self) -> Agent:
        known = Agent.of_this_process()
        return Agent(self.settings.agent_name or known.name, self.settings.agent_address or known.address)

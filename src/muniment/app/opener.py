"""Opens archives, local and remote: all that most commands need of the application, and quick to import."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from muniment.app.archive import FolderArchive, PackageArchive, folder, is_bucket, is_url, remote_archive
from muniment.archive import Agent
from muniment.content.archive import Archive
from muniment.content.checks import IngestChecks
from muniment.content.requests import Prices, parse_prices
from muniment.errors.archive import NotInBucket
from muniment.errors.base import BadInput, BadSetting
from muniment.settings import Settings

if TYPE_CHECKING:
    from muniment.app.bucket import BucketArchive
    from muniment.remote.fetches import RemoteFetches
    from muniment.remote.operations import RemoteOperations

Opened = TypeVar("Opened", bound=PackageArchive)


class ArchiveOpener:
    """Opens the archive the settings name, and others beside it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def remote(self) -> bool:
        """Whether the archive the settings name is behind a server."""
        return is_url(self.settings.archive)

    @property
    def in_bucket(self) -> bool:
        """Whether the only home of the archive the settings name is a bucket."""
        return is_bucket(self.settings.archive)

    def archive(self, *, parity: bool = True) -> Archive:
        """Open the archive the settings name; the caller closes it.

        Raises:
            BadInput: No archive is named, or the file with its key cannot be read.
            NotAnArchive, NewerFormat: It cannot be opened.
            ServerUnreachable, NotAnArchiveServer: It is behind a server that does not answer as one.
        """
        return self.open(str(self.settings.archive)) if self.remote else self.local_archive(parity=parity)

    def local_archive(self, *, parity: bool = True) -> PackageArchive:
        """Open the archive the settings name, in its folder or bucket, with no server between; the caller closes it.

        Raises:
            BadInput: No archive is named, or it is behind a server.
            NotAnArchive, NewerFormat: It cannot be opened.
            StoreUnreachable, StoreFailed, StoreRefused: Its bucket cannot be had.
        """
        if not self.in_bucket:
            return self.folder_archive(parity=parity)
        return self._controlled(self.open_bucket(str(self.settings.archive)))

    def bucket_prices(self) -> Prices:
        """What the service of the bucket asks for requests, as the settings say; none where they do not.

        Raises:
            BadInput: They are no prices.
        """
        given = self.settings.bucket_prices
        return parse_prices(given) if given else Prices()

    def open_bucket(self, place: str) -> BucketArchive:
        """Open an archive in a bucket as the settings say; the caller closes it.

        Raises:
            NotAnArchive, NewerFormat: It cannot be opened.
            StoreUnreachable, StoreFailed, StoreRefused: The bucket cannot be had.
        """
        from muniment.app.bucket import open_bucket  # noqa: PLC0415 - an S3 client

        settings = self.settings
        return open_bucket(
            place,
            state=settings.state,
            agent=self.agent(),
            workers=settings.digest_processes,
            checks=self.checks,
        )

    def _controlled(self, opened: Opened) -> Opened:
        """An archive that heeds the retentions and policies of the control database that the settings name."""
        named = self.settings.ledger
        if named is not None:
            opened.control = named if "://" in named else Path(named)
        return opened

    def folder_archive(self, *, parity: bool = True) -> FolderArchive:
        """Open the archive the settings name, in its folder on this machine; the caller closes it.

        Raises:
            BadInput: No archive is named, or it is behind a server.
            NotAnArchive, NewerFormat: It cannot be opened.
        """
        settings = self.settings
        opened = FolderArchive(
            self.place(),
            state=settings.state,
            agent=self.agent(),
            workers=settings.digest_processes,
            parity=parity,
            checks=self.checks,
        )
        return self._controlled(opened)

    def open(self, place: str) -> Archive:
        """Open another archive than the settings name, a folder or a URL, with the same key and agent.

        Raises:
            MunimentError: As `archive`.
        """
        if is_bucket(place):
            return self.open_bucket(place)
        if not is_url(place):
            workers = self.settings.digest_processes
            return FolderArchive(folder(place), agent=self.agent(), workers=workers, checks=self.checks)
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

    @cached_property
    def checks(self) -> IngestChecks | None:
        """What every instance passes before it is committed, as the settings say; None where that is nothing.

        Raises:
            BadSetting, BadFormatPolicy: A setting cannot be used.
        """
        settings = self.settings
        if settings.format_policy is not None and settings.format_tool == "none":
            raise BadSetting(reason="a format policy (MUNIMENT_FORMAT_POLICY) needs a MUNIMENT_FORMAT_TOOL")
        if settings.virus_scanner is None and settings.format_tool == "none":
            return None
        from muniment.workflows.checks.clamd import Clamd  # noqa: PLC0415 - few archives need it
        from muniment.workflows.checks.identifying import Fido, Siegfried  # noqa: PLC0415 - as above
        from muniment.workflows.checks.ingest import Checks, Scanner  # noqa: PLC0415 - as above
        from muniment.workflows.checks.policy import FormatPolicy  # noqa: PLC0415 - as above

        scanner = None
        if settings.virus_scanner is not None:
            clamd = Clamd(settings.virus_scanner, largest=settings.virus_largest, patience=settings.virus_patience)
            scanner = Scanner(clamd, refuse_unscanned=settings.virus_unscanned == "refuse")
        tools = {"fido": Fido, "siegfried": Siegfried}
        tool = tools[settings.format_tool]() if settings.format_tool in tools else None
        policy = FormatPolicy.read(settings.format_policy) if settings.format_policy is not None else None
        return Checks(scanner=scanner, tool=tool, policy=policy)

    @property
    def has_control(self) -> bool:
        """Whether there is a control database, with keys, stores and what is owed."""
        settings = self.settings
        if settings.ledger is not None:
            return "://" in settings.ledger or Path(settings.ledger).exists()
        if settings.state is not None:
            return not self.remote and (settings.state / "control.db").exists()
        return not self.remote and not self.in_bucket and (self.place() / "control.db").exists()

    def place(self) -> Path:
        """The folder of the archive the settings name.

        Raises:
            BadInput: No archive is named, or it is behind a server.
        """
        if not self.settings.archive:
            raise BadInput(
                reason="no archive is named: give --archive DIR, or set MUNIMENT_ARCHIVE; `muniment init DIR` makes one"
            )
        if self.remote:
            raise BadInput(reason=f"{self.settings.archive} is a server's address; this needs the archive's folder")
        if self.in_bucket:
            raise NotInBucket(what="work that needs the archive's folder")
        return Path(folder(self.settings.archive))

    def agent(self) -> Agent:
        """Who acts: as the settings say, and else who this process runs as."""
        known = Agent.of_this_process()
        return Agent(self.settings.agent_name or known.name, self.settings.agent_address or known.address)

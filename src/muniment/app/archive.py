"""`Archive`, as users import it: a folder opens the archive in it, a URL the one behind a server or in a bucket."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast, final

from muniment.archive import Agent, Event
from muniment.archive import Archive as LocalArchive
from muniment.content import Finding, Hashers, Progress, quiet
from muniment.content.archive import Archive as AnyArchive
from muniment.content.archive import PackageForm
from muniment.content.checks import IngestChecks
from muniment.content.config import DEFAULT_DIGESTS, DEFAULT_PROJECT, DEFAULT_REDUNDANCY, Mode
from muniment.errors.base import BadInput

if TYPE_CHECKING:
    import ssl

    from muniment.remote import RemoteArchive


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(place: object) -> bool:
    """Whether a place is the address of a server."""
    return isinstance(place, str) and place.lower().startswith(("http://", "https://"))


NO_LOCK = "only an archive in a bucket locks its keys: give no lock, or an address such as s3://bucket/prefix"


def is_bucket(place: object) -> bool:
    """Whether a place is the address of a bucket."""
    return isinstance(place, str) and place.lower().startswith("s3://")


def folder(place: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """A place that is a folder. `s3://bucket` is none: as a path it would be a folder called `s3:` in this one.

    Raises:
        BadInput: It is an address.
    """
    if isinstance(place, str) and (scheme := _SCHEME.match(place)):
        raise BadInput(
            reason=f"an archive cannot be at an address that begins with {scheme[0]}: "
            "give a folder, the http or https address of a server, or s3://bucket/prefix"
        )
    return place


def remote_archive(url: str, *, key: str | None = None, tls: ssl.SSLContext | None = None) -> RemoteArchive:
    """An archive behind a server; its client is loaded only now.

    Raises:
        MunimentError: As `RemoteArchive`.
    """
    from muniment.app.served import ServedArchive  # noqa: PLC0415 - who opens folders need not load an HTTP client

    return ServedArchive(url, key=key, tls=tls)


class PackageArchive(LocalArchive):
    """An archive that is opened here, with what needs more than it knows of itself: packages out and in, retention."""

    control: str | Path | None = None
    """The control database with retentions and policies; by default `control.db` in the state, where there is one."""

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from muniment.content.notebook import archive_html  # noqa: PLC0415 - few programs need it

        return archive_html(self)

    def export(
        self,
        id: str,
        layout: str,
        write: Callable[[bytes], object],
        *,
        project: str | None = None,
        instance: str | int | None = None,
        form: PackageForm = "tar",
        progress: Progress = quiet,
    ) -> tuple[int, str]:
        """Hand the tar or zip of a resource to `write`, piece by piece; its length in bytes and its sha256.

        Raises:
            UnknownLayout, BadInput: There is no such layout, or it cannot leave instances out.
            ResourceNotFound, InstanceNotFound, AmbiguousId: As `get`.
            MemberDamaged, MemberUnreadable: It ended early, because a file is damaged or cannot be had.
        """
        from muniment.workflows.export import plan_package  # noqa: PLC0415 - few commands need it

        plan = plan_package(self, id, layout, project=project, instance=instance, form=form)
        hashers = Hashers(["sha256"])
        for piece in plan.read():
            hashers.update(piece)
            write(piece)
            progress("packing", hashers.size, plan.length, size=hashers.size)
        return hashers.size, hashers.values()["sha256"]

    def premis(
        self, id: str, write: Callable[[bytes], object], *, project: str | None = None, mets: bool = False
    ) -> tuple[int, str]:
        """Hand PREMIS 3 XML of a resource to `write`, piece by piece; its length in bytes and its sha256.

        The access rules are not in it: they are no part of the archive's folder.

        Raises:
            ResourceNotFound, AmbiguousId: There is no such resource.
            DamagedRecord, ReadFailed: It ended early, because a record cannot be had.
        """
        from muniment.workflows.reports.write import write_premis  # noqa: PLC0415 - few commands need it

        return write_premis(self, id, write, project=project, mets=mets)

    def import_package(
        self,
        source: Iterable[bytes],
        *,
        id: str | None = None,
        project: str | None = None,
        staged: bool = False,
        name: str = "",
        notice: Callable[[Finding], None] | None = None,
        progress: Progress = quiet,
    ) -> list[str]:
        """Import the tar or zip of a package as new resources and return their ids. Warnings about it go to `notice`.

        `name` is what the package is called in them and in the log. With `staged`, what an OCFL object holds staged
        (extension 0005) becomes its newest instance.

        Raises:
            PackageRefused: It is damaged, not valid, or could do harm; nothing was taken in.
            ResourceExists, ResourcePurged: An id is taken; nothing was taken in.
            BadInput: It is empty, or one id was given for several resources.
            DiskFull, WriteFailed: The storage refused; nothing was taken in.
        """
        from muniment.archive import receiving  # noqa: PLC0415 - as in `export`
        from muniment.workflows import imports  # noqa: PLC0415 - as in `export`

        size = 0
        with receiving(self, ".tar") as file:
            for piece in source:
                file.write(piece)
                size += len(piece)
                progress("receiving", size, None, size=size)
            if not size:
                raise BadInput(reason="the package is empty")
            return imports.import_package(
                self,
                file.path,
                id=id,
                project=project,
                staged=staged,
                called=name or imports.UNNAMED,
                notice=notice or imports.ignore,
                progress=progress,
            )

    def validate(self, id: str | None = None, project: str | None = None) -> Iterator[Finding]:
        """Judge all resources, or one, by the rules of OCFL; what lies in no folder here is brought here for it.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            MemberDamaged, MemberUnreadable: It cannot be given out.
        """
        from muniment.workflows.validate import validate_given_out  # noqa: PLC0415 - as in `export`

        return validate_given_out(self, id, project)

    def purge(self, id: str, reason: str, project: str | None = None) -> Event:
        """Remove a resource for ever; only in dynamic mode, and as retention and policy allow.

        Raises:
            NotAllowedInMode, ReasonNeeded, ResourceNotFound: It was not done.
            StillRetained: It is under retention.
            ApprovalNeeded: Its policy wants two people, and this was the first.
        """
        place = self.control or self.state / "control.db"
        if isinstance(place, Path) and not place.exists():
            return super().purge(id, reason, project)
        from muniment.database import Database  # noqa: PLC0415 - a database library
        from muniment.workflows.copies.retention import Retentions, permit_purge  # noqa: PLC0415 - as above

        self.config.refuse_unless(Mode.DYNAMIC, "purging")
        with Database.open(place) as database:
            permitted = permit_purge(database, self, id, project, reason)
            event = super().purge(id, permitted, project)
            Retentions(database).forget(event.project, event.resource)
            return event


class FolderArchive(PackageArchive):
    """The archive in a folder, with what needs more than it knows of itself."""

    def validate(self, id: str | None = None, project: str | None = None) -> Iterator[Finding]:
        """Judge the archive's storage root, or the OCFL object of one resource, by the rules of OCFL alone.

        It says what any validator of others would have to say; whether the bytes are those that came in, `audit` says.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        from muniment.validation import validate_path  # noqa: PLC0415 - as in `export`

        return validate_path(self.path / "objects" if id is None else self.get(id, project=project).root)


@final
class Archive(AnyArchive):
    """A digital archive: `Archive('/srv/archive')`, or `Archive('https://archive.example.org/', key=…)`."""

    def __new__(
        cls,
        place: str | os.PathLike[str],
        *,
        key: str | None = None,
        tls: ssl.SSLContext | None = None,
        state: str | os.PathLike[str] | None = None,
        agent: Agent | None = None,
        workers: int | None = None,
        parity: bool = True,
        checks: IngestChecks | None = None,
    ) -> Archive:
        """Open the archive at `place`: a folder, a server's address, or `s3://bucket/prefix?endpoint=…`.

        For a server, `key` is an API key or an OIDC token, and `tls` says whose certificates are believed. For a
        folder, `state` is where index and ledger lie if not beside the files; `agent` is who acts, by default
        this process's user; `workers` the processes that digest, by default one for each core.
        Without `parity` a commit leaves that out, for `protect` or `repair` to make up for. `checks` is what every
        instance passes before it is committed.

        Raises:
            BadInput: It is a server's address, and something was given that is for folders.
            NotAnArchive, NewerFormat: There is no archive in that folder that this Muniment can open.
            ServerUnreachable, NotAnArchiveServer: There is none at that address.
            Unauthenticated, Forbidden: The key does not let in.
        """
        if isinstance(place, str) and is_url(place):
            if (state, agent, workers, checks) != (None,) * 4 or not parity:
                what = "state, agent, workers, parity and checks"
                raise BadInput(reason=f"{what} are the server's affair; give key and tls only")
            return cast("Archive", remote_archive(place, key=key, tls=tls))
        if isinstance(place, str) and is_bucket(place):
            from muniment.app.bucket import open_bucket  # noqa: PLC0415 - an S3 client

            return cast("Archive", open_bucket(place, state=state, agent=agent, workers=workers, checks=checks))
        return cast(
            "Archive",
            FolderArchive(folder(place), state=state, agent=agent, workers=workers, parity=parity, checks=checks),
        )

    @classmethod
    def init(
        cls,
        path: str | os.PathLike[str],
        *,
        mode: str = Mode.PRESERVATION,
        digests: tuple[str, ...] = DEFAULT_DIGESTS,
        redundancy: int = DEFAULT_REDUNDANCY,
        project: str = DEFAULT_PROJECT,
        lock: str = "",
        state: str | os.PathLike[str] | None = None,
        agent: Agent | None = None,
        workers: int | None = None,
        parity: bool = True,
    ) -> Archive:
        """Make a new archive in a new or empty folder and open it.

        `redundancy` is the parity in percent, 0 for none; `project` is where resources go that name none. `lock` is
        how each key of an archive in a bucket is locked in worm mode, as `compliance 10y`.

        Raises:
            NotEmpty: There is something at `path` already.
            BadInput: A setting is not one Muniment knows, or `path` is a server's address.
            DiskFull, WriteFailed: The storage refused.
        """
        if is_url(path):
            raise BadInput(reason=f"{path} is a server's address; an archive is made in a folder of this machine")
        if isinstance(path, str) and is_bucket(path):
            from muniment.app.bucket import BucketArchive, keys_at, state_of_buckets  # noqa: PLC0415 - an S3 client

            where = state_of_buckets(state)
            in_bucket = BucketArchive.make(
                keys_at(path),
                where,
                mode=mode,
                digests=digests,
                project=project,
                lock=lock,
                agent=agent,
                workers=workers,
            )
            return cast("Archive", in_bucket)
        if lock:
            raise BadInput(reason=NO_LOCK)
        made = FolderArchive.init(
            folder(path),
            mode=mode,
            digests=digests,
            redundancy=redundancy,
            project=project,
            state=state,
            agent=agent,
            workers=workers,
            parity=parity,
        )
        return cast("Archive", made)

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        """Both kinds are archives, though neither is made from this class, which only opens them."""
        return AnyArchive in other.__mro__

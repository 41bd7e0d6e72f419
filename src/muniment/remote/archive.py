"""The archive behind a server: the same surface as the archive in a folder, over its native interface."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, Self, overload

from muniment.content import Finding, Progress, quiet
from muniment.content.archive import Archive, Leftover, PackageForm, Repair, Start, Summary
from muniment.content.config import ArchiveConfig
from muniment.content.events import Event, Head, refuse_own_type
from muniment.content.identity import check_id
from muniment.content.times import parse_start
from muniment.errors.archive import AmbiguousId, InstanceNotFound, ResourceNotFound
from muniment.errors.base import BadInput, MissingThing
from muniment.remote.connection import LONG, Server, not_a_server, segment
from muniment.remote.instance import RemoteInstance
from muniment.remote.packages import fetch_document, fetch_package, send_package
from muniment.remote.records import config_of, event_of, finding_of, leftover_of, repair_of, summary_of
from muniment.remote.streams import live_events, rows_of
from muniment.remote.transaction import RemoteTransaction

_PAGE = 1000


class RemoteArchive(Archive):
    """A digital archive behind a server. Any number of threads may use it."""

    def __init__(self, url: str, *, key: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        """Greet the server at `url`; `key` is an API key or an OIDC token.

        Raises:
            BadInput: The address is none, or holds credentials.
            ServerUnreachable, NotAnArchiveServer: There is no archive's server there.
            Unauthenticated, Forbidden: The key does not let in.
        """
        self._server = Server(url, key, tls=tls)
        try:
            self._info = self._server.ask("GET", "").json()
            self._config = config_of(self._info)
        except (ValueError, KeyError, TypeError) as error:
            raise not_a_server(self._server.url, error) from error

    def __enter__(self) -> Self:
        """Use the archive in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the connections."""
        self.close()

    def __repr__(self) -> str:
        """Where it is and in what mode."""
        return f"<Archive {self._server.url} ({self.config.mode})>"

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from muniment.content.notebook import archive_html  # noqa: PLC0415 - few programs need it

        return archive_html(self)

    def __iter__(self) -> Iterator[str]:
        """The ids of all resources, sorted."""
        return (item.id for item in self.resources())

    def __len__(self) -> int:
        """How many resources there are, of those one may read."""
        return self.count()

    def __bool__(self) -> bool:
        """True, also of an archive with nothing in it."""
        return True

    def __getitem__(self, id: str) -> RemoteInstance:
        """The newest instance of a resource.

        Raises:
            ResourceNotFound, ResourcePurged, AmbiguousId: As `get`.
        """
        return self.instance(id)

    def __contains__(self, resource: object) -> bool:
        """Whether there is a resource with this id."""
        return isinstance(resource, str) and self.exists(resource)

    @property
    def path(self) -> str:
        """The server's address."""
        return self._server.url

    @property
    def config(self) -> ArchiveConfig:
        """The archive's settings, as they were when the server was greeted."""
        return self._config

    @property
    def recovered(self) -> list[Event]:
        """Nothing: a server's archive is recovered by its server."""
        return []

    def close(self) -> None:
        """End the connections."""
        self._server.close()

    # ------------------------------------------------------------------------------------------ reading

    def instance(self, id: str, instance: str | int | None = None, *, project: str | None = None) -> RemoteInstance:
        """A resource's newest instance, or an earlier one by number, as 'v1', or by its identifier.

        Raises:
            ResourceNotFound, ResourcePurged: There is no such resource.
            InstanceNotFound: It has no such instance.
            AmbiguousId: Several projects use the id and none was named.
        """
        wanted = "newest" if instance is None else str(instance)
        place = f"{_resource(id)}/instances/{segment(wanted)}"
        return RemoteInstance(self._server, self._server.ask("GET", place, {"project": project}).json())

    def exists(self, id: str, project: str | None = None) -> bool:
        """Whether there is such a resource."""
        try:
            self.instance(id, project=project)
        except AmbiguousId:
            return True
        except (ResourceNotFound, InstanceNotFound, BadInput):
            return False
        return True

    def history(self, id: str, project: str | None = None) -> list[RemoteInstance]:
        """Every instance of a resource, the oldest first.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        found = self._server.ask("GET", f"{_resource(id)}/instances", {"project": project}).json()
        return [RemoteInstance(self._server, record) for record in found["instances"]]

    def resources(
        self,
        project: str | None = None,
        *,
        after: str | tuple[str, str] = "",
        limit: int | None = None,
        skip: int = 0,
        whole: bool = False,
    ) -> Iterator[Summary]:
        """Resources in the order of their ids, with what a list shows of each, a page at a time.

        `after` is the last id of the page before (with its project, if ids repeat across projects);
        `skip` is how many of those that follow are passed over. With `whole` the server compares its index
        with the objects on its disk first.
        """
        start = (after, None) if isinstance(after, str) else after
        return islice(self._pages(project, start, None if limit is None else skip + limit, whole=whole), skip, None)

    def _pages(
        self, project: str | None, place: tuple[str, str | None], left: int | None, *, whole: bool
    ) -> Iterator[Summary]:
        while left is None or left > 0:
            query = {
                "project": project or None,
                "after": place[0] or None,
                "after_project": place[1],
                "limit": min(left or _PAGE, _PAGE),
                "whole": "true" if whole else None,
            }
            whole = False  # once for all pages
            page = self._server.ask("GET", "/resources", query).json()
            for record in page["resources"]:
                yield summary_of(record)
            if page["next"] is None:
                return
            place = (page["next"], page["next_project"])
            left = None if left is None else left - len(page["resources"])

    def summary(self, id: str, project: str | None = None) -> Summary:
        """One resource as a list shows it, with when it was last audited.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        return summary_of(self._server.ask("GET", f"{_resource(id)}/summary", {"project": project}).json())

    def projects(self) -> list[str]:
        """Every project that holds a resource, of those one may read."""
        return list(self._server.ask("GET", "/projects").json()["projects"])

    def count(self, project: str | None = None) -> int:
        """How many resources there are, in one project or in all, of those one may read."""
        if project is not None:
            return sum(1 for _ in self.resources(project))
        known = self._server.ask("GET", "").json()["resources"]
        return int(known) if known is not None else sum(1 for _ in self.resources())

    def events(self, start: Start = None, *, live: bool = False) -> Iterator[Event]:
        """The log, oldest event first: those strictly after `start`. With `live` it goes on as events come.

        `start` is an event's number, an ISO 8601 time, or a Unix time (whole numbers below
        1,000,000,000 are event numbers). A live stream that is cut is taken up again, none lost, none twice.

        Raises:
            BadTime: `start` is none of these.
        """
        at = str(parse_start(start))
        return live_events(self._server, at) if live else self._events(at)

    def _events(self, at: str) -> Iterator[Event]:
        while True:
            page = self._server.ask("GET", "/events", {"start": at, "limit": 1000}).json()
            for record in page["events"]:
                yield event_of(record)
            if at == page["next"] or not page["events"]:
                return
            at = page["next"]

    def head(self) -> Head:
        """How far the log reaches now. Noted down elsewhere, it tells later whether anything before it was changed."""
        found = self._server.ask("GET", "/events/head").json()
        return Head(found["seq"], found["hash"])

    def record_event(
        self,
        event: str,
        *,
        resource: str = "",
        project: str = "",
        instance: int = 0,
        outcome: Literal["success", "failure"] = "success",
        detail: Mapping[str, object] | None = None,
    ) -> Event:
        """Write an event of one's own into the log, about a resource or about none; `event` is a PREMIS event type.

        Raises:
            BadInput: It is of a type that the archive itself writes.
            ResourceNotFound, AmbiguousId: There is no such resource.
            DiskFull, WriteFailed: The server's storage refused.
        """
        refuse_own_type(event)
        given = {
            "event": event,
            "resource": resource,
            "project": project or None,
            "instance": instance,
            "outcome": outcome,
            "detail": dict(detail or {}),
        }
        once = {"Idempotency-Key": secrets.token_hex(16)}
        return event_of(self._server.ask("POST", "/events", given=given, headers=once).json())

    # ------------------------------------------------------------------------------------------ writing

    def new(self, id: str | None = None, project: str | None = None, *, message: str = "") -> RemoteTransaction:
        """Begin a new resource; its id is a UUIDv7 unless one is given.

        Raises:
            BadId, BadProject: They cannot be used.
            ResourceExists, ResourcePurged: The id is taken.
        """
        given = {"id": id, "project": project, "on": "new", "message": message}
        return RemoteTransaction(self._server, self._server.ask("POST", "/transactions", given=given).json())

    @overload
    def get(
        self, id: str, mode: Literal["r"] = "r", instance: str | int | None = None, *, project: str | None = None
    ) -> RemoteInstance: ...

    @overload
    def get(
        self, id: str, mode: Literal["a", "t"], instance: None = None, *, project: str | None = None, message: str = ""
    ) -> RemoteTransaction: ...

    def get(
        self,
        id: str,
        mode: Literal["r", "a", "t"] = "r",
        instance: str | int | None = None,
        *,
        project: str | None = None,
        message: str = "",
    ) -> RemoteInstance | RemoteTransaction:
        """A resource's newest instance, an earlier one, or a transaction for the next one.

        Raises:
            ResourceNotFound, ResourcePurged: There is no such resource; nothing is made.
            InstanceNotFound: It has no such instance.
            AmbiguousId: Several projects use the id and none was named.
        """
        if mode not in {"r", "a", "t"}:
            raise BadInput(reason=f"the mode {mode!r} is none of 'r', 'a' and 't'")
        if mode == "r":
            return self.instance(id, instance, project=project)
        given = {"id": id, "project": project, "on": "existing", "message": message}
        return RemoteTransaction(self._server, self._server.ask("POST", "/transactions", given=given).json())

    def resume(self, transaction: str) -> RemoteTransaction:
        """Go on with a transaction that was left, from here or elsewhere.

        Raises:
            LeftoverNotFound: There is none such, or it expired.
            TransactionForbidden: Somebody else began it.
        """
        return RemoteTransaction(self._server, self._server.ask("GET", f"/transactions/{segment(transaction)}").json())

    def purge(self, id: str, reason: str, project: str | None = None) -> Event:
        """Remove a resource for ever; only in dynamic mode.

        Raises:
            NotAllowedInMode, ReasonNeeded, ResourceNotFound: It was not done.
        """
        reply = self._server.ask("DELETE", _resource(id), {"project": project}, given={"reason": reason}, again=False)
        return event_of(reply.json())

    # -------------------------------------------------------------------------------------- unfinished

    def leftovers(self) -> list[Leftover]:
        """Transactions that were never closed and that nobody holds."""
        found = self._server.ask("GET", "/transactions").json()["transactions"]
        return [leftover_of(record) for record in found]

    def replay(self, transaction: str) -> RemoteInstance:
        """Commit a transaction that was left behind, with the files it had stored by then.

        Raises:
            LeftoverNotFound, LeftoverIncomplete: It cannot be done.
        """
        place = f"/transactions/{segment(transaction)}/replay"
        return RemoteInstance(self._server, self._server.ask("POST", place, patience=LONG, again=False).json())

    def roll_back(self, transaction: str) -> None:
        """Remove a transaction that was left behind.

        Raises:
            LeftoverNotFound: There is none such.
        """
        self._server.ask("DELETE", f"/transactions/{segment(transaction)}", again=False)

    def recover(self) -> list[Event]:
        """Finish what a crash left; the server does the same by itself now and then."""
        found = self._server.ask("POST", "/recover", patience=LONG).json()["events"]
        return [event_of(record) for record in found]

    def decide(self, group: str, parts: Sequence[Mapping[str, str]]) -> None:
        """Record that all prepared transactions of a group are to be committed.

        Raises:
            DiskFull, WriteFailed: The server's storage refused: nothing is decided.
        """
        self._server.ask("PUT", f"/groups/{segment(group)}", given={"parts": [dict(part) for part in parts]})

    def decision(self, group: str) -> dict[str, Any] | None:
        """What was decided here about a group, or None."""
        try:
            return dict(self._server.ask("GET", f"/groups/{segment(group)}").json())
        except MissingThing:
            return None

    def forget(self, group: str) -> None:
        """Remove a decision all of whose parts are committed."""
        self._server.ask("DELETE", f"/groups/{segment(group)}")

    # ---------------------------------------------------------------------------------------- checking

    def audit(
        self,
        id: str | None = None,
        *,
        project: str | None = None,
        fast: bool = False,
        every_digest: bool = False,
        resume: bool = False,
        since: Head | None = None,
        progress: Progress = quiet,
    ) -> Iterator[Finding]:
        """Let the server check that everything recorded is there and right; findings come as it finds them.

        It records in its log that this was done, and does not tell `progress`. With `resume` it goes on
        where its last audit of everything was broken off. With `since` it also proves that no event up to that
        head was changed.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            TransferCut: The audit was broken off before its end.
        """
        del progress
        self._refuse_unknown(id, project)
        given = {"id": id, "project": project, "fast": fast, "every_digest": every_digest, "resume": resume}
        given |= {"since": str(since)} if since else {}
        return (finding_of(row["finding"]) for row in rows_of(self._server, "/audit", given, "the findings"))

    def repair(
        self, id: str | None = None, *, project: str | None = None, progress: Progress = quiet
    ) -> Iterator[Repair]:
        """Let the server repair what an audit finds; says of each place what was done. `progress` is not told.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            TransferCut: It was broken off before its end.
        """
        del progress
        self._refuse_unknown(id, project)
        given = {"id": id, "project": project}
        return (repair_of(row["repair"]) for row in rows_of(self._server, "/repair", given, "the repairs"))

    def protect(self, id: str, project: str | None = None, *, progress: Progress = quiet) -> int:
        """Let the server make the parity a resource's instances lack; how many sets were made. `progress` is not told.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            ParityNotMade, ParityToolFailed: It could not be made.
            DiskFull, WriteFailed: The server's storage refused.
        """
        del progress
        reply = self._server.ask("POST", f"{_resource(id)}/parity", {"project": project}, patience=LONG)
        return int(reply.json()["count"])

    def reindex(self, progress: Progress = quiet) -> int:  # noqa: ARG002 - a server does not tell
        """Let the server build its index anew, which does not tell `progress`; returns how many resources there are."""
        return int(self._server.ask("POST", "/reindex", patience=LONG).json()["count"])

    # ---------------------------------------------------------------------------------------- packages

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
        """Hand the tar or zip of a resource to `write`, piece by piece; its length and sha256. A cut is taken up again.

        Raises:
            UnknownLayout, BadInput: There is no such layout, or it cannot leave instances out.
            ResourceNotFound, InstanceNotFound, AmbiguousId: As `get`.
            TransferCut: It was cut too often, or a file is damaged at the server.
        """
        query = {"layout": layout, "project": project, "instance": instance, "form": form}
        return fetch_package(self._server, f"{_resource(id)}/export", query, write, progress)

    def premis(
        self, id: str, write: Callable[[bytes], object], *, project: str | None = None, mets: bool = False
    ) -> tuple[int, str]:
        """Hand PREMIS 3 XML of a resource to `write`, piece by piece; its length in bytes and its sha256.

        Raises:
            ResourceNotFound, AmbiguousId: There is no such resource.
            Forbidden: The key may not see the events of its project.
            TransferCut: It ended early, because it was cut or a record at the server is damaged.
        """
        query = {"project": project, "mets": "true" if mets else None}
        return fetch_document(self._server, f"{_resource(id)}/premis", query, write, f"the PREMIS of {id}")

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
            ServerUnreachable, TransferCut: It did not get through.
        """
        key = {"Idempotency-Key": secrets.token_hex(16)}
        asked = {"id": id, "project": project, "staged": "true" if staged else None, "name": name or None}
        answer = send_package(self._server, asked, source, key, progress)
        if notice is not None:
            for record in answer["notices"]:
                notice(finding_of(record))
        return [str(name) for name in answer["ids"]]

    def _refuse_unknown(self, id: str | None, project: str | None) -> None:
        """Say at once, and not with the first finding, that there is no such resource."""
        if id is not None:
            self.instance(id, project=project)


def _resource(id: str) -> str:
    return f"/resources/{segment(check_id(id))}"

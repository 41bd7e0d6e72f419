"""The policies in force: each is set by an event in the log, which is what counts; a table makes them quick to find."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from sqlalchemy import Connection, delete, insert, select

from muniment.content.archive import Archive
from muniment.database import Database
from muniment.database.tables import policies
from muniment.errors.access import IncorrectRev
from muniment.errors.base import MunimentError
from muniment.workflows.copies.policy import EVERY_PROJECT, Policy, parse_policy

EVENT = "policy assignment"
"""The PREMIS type of the event by which a policy is set."""
_NONE = Policy(EVERY_PROJECT, "")


@dataclass(frozen=True, slots=True)
class PolicyRevision:
    """A policy as it was set once: by which event of the log, when (RFC 3339) and by whom."""

    number: int
    project: str
    text: str
    at: str
    agent: str


class Policies:
    """The policies of one archive."""

    _setting: ClassVar = threading.Lock()
    """Of two requests of one server that name the same revision, the second must see what the first one set."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, archive: Archive, project: str, text: str, *, expected: int | None = None) -> Policy:
        """Let a policy be in force for a project, or with `*` for all that have none of their own.

        With `expected`, only if that is still the number of its newest revision (0: there is none).

        Raises:
            BadPolicy, BadProject: It cannot be used; the former one stays.
            IncorrectRev: Somebody set another in between.
            DiskFull, WriteFailed: The storage refused.
        """
        policy = parse_policy(project, text)
        with self._setting:
            before = self._newest(project)
            if expected is not None and expected != before:
                raise IncorrectRev(provided=expected, expected=before)
            about = {"project": project, "text": text, "before": before}
            event = archive.record_event(EVENT, detail={"policy": about})
            self._keep(project, text, event.seq)
        return policy

    def revisions(self, archive: Archive, project: str, most: int = 20) -> list[PolicyRevision]:
        """The newest revisions of a policy, the newest first: each names the event before it."""
        found: list[PolicyRevision] = []
        number = self._newest(project)
        while number and len(found) < most:
            event = next(islice(archive.events(number - 1), 1), None)
            given = event.detail.get("policy") if event is not None and event.seq == number else None
            if event is None or not isinstance(given, dict) or given.get("project") != project:
                break  # a log that was restored to an older state
            found.append(PolicyRevision(number, project, str(given.get("text")), event.timestamp, event.agent))
            before = given.get("before", 0)
            number = before if isinstance(before, int) and 0 < before < number else 0
        return found

    def _newest(self, project: str) -> int:
        query = select(policies.c.event).where(policies.c.project == project)
        found = self._database.read(lambda connection: connection.scalar(query))
        return int(found or 0)

    def of(self, project: str) -> Policy:
        """What is in force for a project: its own, or that of all, or one that asks for nothing.

        Raises:
            BadPolicy: What was set is not understood any more.
        """
        query = select(policies.c.project, policies.c.text).where(policies.c.project.in_((project, EVERY_PROJECT)))
        rows = self._database.read(lambda connection: connection.execute(query).all())
        found = {str(name): str(text) for name, text in rows}
        for name in (project, EVERY_PROJECT):
            if name in found:
                return parse_policy(name, found[name])
        return _NONE

    def all(self) -> list[Policy]:
        """Every policy that is in force."""
        query = select(policies.c.project, policies.c.text).order_by(policies.c.project)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [parse_policy(str(name), str(text)) for name, text in rows]

    def rebuild(self, archive: Archive) -> int:
        """Read from the log which policies are in force; how many."""
        self._database.write(lambda connection: connection.execute(delete(policies)))
        for event in archive.events():
            given = event.detail.get("policy") if event.event == EVENT else None
            if isinstance(given, dict):
                try:
                    parse_policy(str(given.get("project")), str(given.get("text")))
                except MunimentError:
                    continue  # not one of ours, or of a time that knew other words
                self._keep(str(given["project"]), str(given["text"]), event.seq)
        return len(self.all())

    def _keep(self, project: str, text: str, event: int) -> None:
        def work(connection: Connection) -> None:
            connection.execute(delete(policies).where(policies.c.project == project))
            connection.execute(insert(policies), {"project": project, "text": text, "event": event})

        self._database.write(work)

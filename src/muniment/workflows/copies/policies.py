"""The policies in force: each is set by an event in the log, which is what counts; a table makes them quick to find."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from muniment.content.archive import Archive
from muniment.database import Database
from muniment.database.tables import policies
from muniment.errors.base import MunimentError
from muniment.workflows.copies.policy import EVERY_PROJECT, Policy, parse_policy

EVENT = "policy assignment"
"""The PREMIS type of the event by which a policy is set."""
_NONE = Policy(EVERY_PROJECT, "")


class Policies:
    """The policies of one archive."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, archive: Archive, project: str, text: str) -> Policy:
        """Let a policy be in force for a project, or with `*` for all that have none of their own.

        Raises:
            BadPolicy, BadProject: It cannot be used; the former one stays.
            DiskFull, WriteFailed: The storage refused.
        """
        policy = parse_policy(project, text)
        event = archive.record_event(EVENT, detail={"policy": {"project": project, "text": text}})
        self._keep(project, text, event.seq)
        return policy

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

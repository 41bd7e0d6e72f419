"""Reports as they were last computed: one document for each project and one for the whole, with its time.

They lie in the table `reports` of the control database, so that who asks is answered at once. They are repetitions
of what archive, stores and rules say, and can be computed again at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select

from muniment.database import Database
from muniment.database.tables import reports

ReportKind = Literal["ndsa", "formats"]
REPORT_KINDS: tuple[ReportKind, ...] = ("ndsa", "formats")
WHOLE = ""
"""In place of a project: the whole archive."""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report of one project, or of the whole archive ('' as project); `made_at` is seconds since 1970 UTC."""

    kind: ReportKind
    project: str
    made_at: float
    document: Mapping[str, Any]

    @property
    def made(self) -> str:
        """When it was computed, in RFC 3339."""
        return datetime.fromtimestamp(int(self.made_at), UTC).isoformat().replace("+00:00", "Z")


class StoredReports:
    """The reports in one control database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, kind: ReportKind, project: str = WHOLE) -> StoredReport | None:
        """The report of a project, or of the whole archive, as it was last computed; None where it never was.

        Raises:
            DatabaseUnavailable: It cannot be known.
        """
        query = select(reports).where(reports.c.kind == kind, reports.c.project == project)
        row = self._database.read(lambda connection: connection.execute(query).mappings().first())
        return None if row is None else StoredReport(kind, project, row["made_at"], json.loads(row["document"]))

    def projects(self, kind: ReportKind) -> list[str]:
        """The projects of which there is a report.

        Raises:
            DatabaseUnavailable: It cannot be known.
        """
        query = select(reports.c.project).where(reports.c.kind == kind, reports.c.project != WHOLE)
        rows = self._database.read(lambda connection: connection.scalars(query.order_by(reports.c.project)).all())
        return [str(row) for row in rows]

    def put(self, kind: ReportKind, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep reports that were computed together, by project, in place of all of this kind from before.

        Raises:
            DatabaseUnavailable: Those from before are still there.
        """
        at = self._database.now()
        rows = [
            {"kind": kind, "project": project, "made_at": at, "document": json.dumps(document, ensure_ascii=False)}
            for project, document in documents.items()
        ]

        def work(connection: Connection) -> None:
            connection.execute(delete(reports).where(reports.c.kind == kind))
            if rows:
                connection.execute(insert(reports), rows)

        self._database.write(work)

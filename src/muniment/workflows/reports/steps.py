"""Computing the reports that take long, and keeping them: as a step of the ledger, each night and when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.access.permissions import Rules
from muniment.errors.base import BadInput
from muniment.jobs import Again, Call, Deadlines, Done, Period
from muniment.workflows.checks.policy import FormatPolicy
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.status import protections
from muniment.workflows.reports.formats import report_formats_by_project
from muniment.workflows.reports.ndsa.answers import Answers
from muniment.workflows.reports.ndsa.criteria import answerable
from muniment.workflows.reports.ndsa.facts import gather
from muniment.workflows.reports.ndsa.report import LEVELS, AreaResult, judge
from muniment.workflows.reports.stored import REPORT_KINDS, ReportKind, StoredReports

if TYPE_CHECKING:
    from muniment.jobs import Context, Job, Json, Ledger

STEP = "reports.compute"
KIND = "report"
PERIOD = "reports"
RULE = "15 3 * * *"
"""Each night at 3:15 UTC, after what is due was verified."""
_DEADLINES = Deadlines(ours=True)
_ELSEWHERE = 3600.0


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """Files that reports are judged by: the format policy, and what is attested for the NDSA Levels."""

    format_policy: Path | None = None
    answers: Path | None = None

    def read_policy(self) -> FormatPolicy | None:
        """The format policy, if there is one.

        Raises:
            BadFormatPolicy: It cannot be used.
        """
        return None if self.format_policy is None else FormatPolicy.read(self.format_policy)

    def read_answers(self) -> Answers:
        """What is attested.

        Raises:
            BadAnswers: It cannot be used.
        """
        if self.answers is None:
            return Answers()
        return Answers.read(self.answers, answerable(), datetime.now(UTC).date())


class ReportWriter:
    """Computes reports of one archive and keeps them."""

    def __init__(self, service: CopyService, rules: Callable[[], Rules], settings: ReportSettings) -> None:
        self._service = service
        self._rules = rules
        self._settings = settings

    @property
    def stored(self) -> StoredReports:
        """The reports that are kept."""
        return StoredReports(self._service.table.database)

    def ndsa(self, *, keep: bool = True) -> dict[str, list[AreaResult]]:
        """Judge each project, by its name, and under '' the whole archive, and keep what was found if that is wanted.

        Raises:
            BadAnswers, BadFormatPolicy: What is judged by cannot be used.
            ReadFailed, DatabaseUnavailable: The facts cannot be had.
        """
        answers, service = self._settings.read_answers(), self._service
        formats = self._settings.read_policy()
        service.plan()
        facts = gather(
            service.archive,
            stores=service.registry.all(),
            protections=protections(service),
            policies=len(service.policies.all()),
            rules=self._rules(),
            formats=formats,
            now=service.table.now(),
        )
        found = {project: judge(each, answers) for project, each in facts.items()}
        if keep:
            documents = {
                project: {"levels": LEVELS, "resources": facts[project].resources, "areas": _plain(areas)}
                for project, areas in found.items()
            }
            self.stored.put("ndsa", documents)
        return found

    def formats(self) -> None:
        """Count the formats of each project and of the whole archive, and keep that.

        Raises:
            BadFormatPolicy: It cannot be used.
            DamagedRecord, ReadFailed: A resource cannot be read.
        """
        found = report_formats_by_project(self._service.archive, self._settings.read_policy() or FormatPolicy())
        self.stored.put("formats", {project: each.as_json() for project, each in found.items()})

    def write(self, kind: ReportKind) -> None:
        """Compute one kind and keep it.

        Raises:
            MunimentError: As `ndsa` and `formats`.
        """
        if kind == "ndsa":
            self.ndsa()
        else:
            self.formats()


def _plain(areas: list[AreaResult]) -> list[dict[str, object]]:
    return [area.as_json() for area in areas]


@dataclass(frozen=True, slots=True)
class ReportStep:
    """The step that computes reports: all of them, or the one that is named. Twice is as once, but newer."""

    writer: Callable[[], ReportWriter]
    now: Callable[[], float]
    name: str = STEP
    deadlines: Deadlines = _DEADLINES

    def run(self, given: Json, context: Context) -> Done | Again:
        """Compute them."""
        wanted = given.get("kind") if isinstance(given, Mapping) else None
        try:
            writer = self.writer()
        except BadInput as error:  # the archive's folder is elsewhere: a worker there does it
            return Again(self.now() + _ELSEWHERE, error.message)
        done: list[Json] = []
        for kind in REPORT_KINDS:
            if wanted in (None, kind):
                context.check()
                writer.write(kind)
                done.append(kind)
        return Done({"reports": done})


def submit_report(ledger: Ledger, kind: ReportKind, requester: str) -> Job:
    """Ask for a report to be computed; the job that does it, which may have been asked for before.

    Raises:
        DatabaseUnavailable: Nothing was asked.
    """
    return ledger.submit_once(KIND, Call(STEP, {"kind": kind}), kind, requester=requester)


def schedule_reports(ledger: Ledger, rule: str = RULE) -> None:
    """Compute all of them again and again; 'never' ends that.

    Raises:
        BadPeriod: The rule is none.
    """
    if rule == "never":
        ledger.unschedule(PERIOD)
    else:
        ledger.schedule(Period(PERIOD, rule, KIND, Call(STEP), "archive"))

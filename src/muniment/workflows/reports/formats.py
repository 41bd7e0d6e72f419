"""Which formats an archive holds, and what the format policy says of each: the report on obsolescence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from muniment.archive import Archive, Instance
from muniment.content.checks import Format
from muniment.workflows.checks.policy import FormatPolicy, Rule, Status

_SHOWN = 20


@dataclass(slots=True)
class FormatCount:
    """One format, or the few that some files may have: how many files and bytes of how many resources."""

    formats: tuple[Format, ...]
    rule: Rule
    files: int = 0
    bytes: int = 0
    resources: int = 0
    examples: list[str] = field(default_factory=list)
    """Resources that hold it, the first twenty."""

    @property
    def puid(self) -> str:
        """Its PRONOM identifier; several with `or` between, empty where none was recognised."""
        return " or ".join(each.puid for each in self.formats)

    @property
    def name(self) -> str:
        """Its name and version."""
        return " or ".join(f"{each.name} {each.version}".strip() for each in self.formats) or "not recognised"

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "puid": self.puid,
            "name": self.name,
            "status": str(self.rule.status),
            "reason": self.rule.reason,
            "instead": self.rule.instead,
            "files": self.files,
            "bytes": self.bytes,
            "resources": self.resources,
            "examples": self.examples,
        }


@dataclass(slots=True)
class FormatReport:
    """What the newest instance of every resource holds."""

    counts: list[FormatCount]
    unidentified: int = 0
    """Files of instances whose formats nobody looked at."""
    tools: dict[str, int] = field(default_factory=dict)
    """How many resources were identified with which program and signatures."""

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        found = [count.as_json() for count in self.counts]
        return {"formats": found, "not identified": self.unidentified, "tools": self.tools}


def report_formats(archive: Archive, policy: FormatPolicy, project: str | None = None) -> FormatReport:
    """Count the formats of every resource's newest instance; those at risk come first, then those with most files.

    Raises:
        DamagedRecord, ReadFailed: A resource cannot be read.
    """
    counting = _Counting(policy)
    for item in archive.resources(project):
        counting.add(archive.instance(item.id, project=item.project))
    return counting.report()


def report_formats_by_project(archive: Archive, policy: FormatPolicy) -> dict[str, FormatReport]:
    """The same for each project, by its name, and under '' for the whole archive, in one pass.

    Raises:
        DamagedRecord, ReadFailed: A resource cannot be read.
    """
    found = {"": _Counting(policy)}
    for item in archive.resources():
        instance = archive.instance(item.id, project=item.project)
        for project in ("", item.project):
            found.setdefault(project, _Counting(policy)).add(instance)
    return {project: counting.report() for project, counting in found.items()}


class _Counting:
    """Formats that are being counted."""

    def __init__(self, policy: FormatPolicy) -> None:
        self._policy = policy
        self._counts: dict[tuple[str, ...], FormatCount] = {}
        self._report = FormatReport([])

    def add(self, instance: Instance) -> None:
        """Count those of one instance."""
        formats, report = dict(instance.formats()), self._report
        said = instance.record.get("checks", {}).get("format identification")
        if said:
            tool = f"{said.get('tool')}, {said.get('signatures')}"
            report.tools[tool] = report.tools.get(tool, 0) + 1
        seen: set[tuple[str, ...]] = set()
        for entry in instance.files():
            if entry.path not in formats:
                report.unidentified += 1
                continue
            found = formats[entry.path]
            key = tuple(each.puid for each in found)
            count = self._counts.get(key)
            if count is None:
                count = self._counts[key] = FormatCount(found, self._policy.of(found))
            count.files += 1
            count.bytes += entry.size or 0
            if key not in seen:
                seen.add(key)
                count.resources += 1
                if len(count.examples) < _SHOWN:
                    count.examples.append(f"{instance.project}/{instance.id}")

    def report(self) -> FormatReport:
        """What was counted."""
        self._report.counts = sorted(self._counts.values(), key=_order)
        return self._report


def at_risk(counts: Sequence[FormatCount]) -> list[FormatCount]:
    """Those of which the policy says more than that they are accepted."""
    return [count for count in counts if count.rule.status is not Status.ACCEPTED]


def _order(count: FormatCount) -> tuple[int, int, str]:
    return -count.rule.status, -count.files, count.puid

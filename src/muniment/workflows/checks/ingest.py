"""What every instance passes on its way in, as the settings say: a virus scan, identification, the format policy."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from muniment.content.checks import CheckedFile, CheckEvent, CheckReport, Format
from muniment.content.times import now
from muniment.errors.archive import ReadFailed
from muniment.errors.checks import FileNotScanned, FormatRefused, InfectedFiles
from muniment.workflows.checks.clamd import Clamd, Verdict
from muniment.workflows.checks.identifying import FormatTool
from muniment.workflows.checks.policy import FormatPolicy, Rule, Status

VIRUS_CHECK = "virus check"
IDENTIFICATION = "format identification"
_MOST_NAMED = 100
"""Paths that an event or a record names; of more it says how many there are."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """A virus scanner, and whether what it cannot scan is refused."""

    clamd: Clamd
    refuse_unscanned: bool = False


class Checks:
    """The checks that are asked for. Several threads may use them; identification is done one instance at a time."""

    def __init__(
        self,
        *,
        scanner: Scanner | None = None,
        tool: FormatTool | None = None,
        policy: FormatPolicy | None = None,
    ) -> None:
        """Check with what is given; a policy needs a `tool` that tells formats."""
        self._scanner = scanner
        self._tool = tool
        self._policy = policy
        self._lock = threading.Lock()

    def examine(self, files: Iterable[CheckedFile], before: Mapping[str, Any]) -> CheckReport:
        """Look at every file; as `muniment.content.checks.IngestChecks` says.

        Raises:
            InfectedFiles, FileNotScanned, FormatRefused: The instance must not be committed.
            ScannerUnavailable, FormatToolFailed: It could not be told; committing may be tried again.
            ReadFailed: The storage did not give a file.
        """
        listed = list(files)
        report = CheckReport()
        if self._scanner is not None:
            self._scan(self._scanner, listed, report)
        if self._tool is not None:
            with self._lock:
                self._identify(self._tool, listed, before.get(IDENTIFICATION, {}), report)
        return report

    def close(self) -> None:
        """End the programs that were started."""
        if self._tool is not None:
            with self._lock:
                self._tool.close()

    def _scan(self, scanner: Scanner, files: Sequence[CheckedFile], report: CheckReport) -> None:
        fresh = [file for file in files if file.fresh]
        said: dict[str, Any] = {"scanner": scanner.clamd.version(), "when": now(), "scanned": 0}
        infected: dict[str, str] = {}
        left_out: dict[str, str] = {}
        for file in fresh:
            try:
                found = scanner.clamd.scan(file.location, file.size)
            except OSError as error:
                raise ReadFailed(path=file.location, reason=error.strerror) from error
            if found.verdict is Verdict.CLEAN:
                said["scanned"] += 1
            elif found.verdict is Verdict.INFECTED:
                infected[file.path] = found.reason
            else:
                left_out[file.path] = found.reason
        if infected:
            names = "; ".join(f"{path} ({name})" for path, name in list(infected.items())[:3])
            count = f"{len(infected)} file{'s are' if len(infected) > 1 else ' is'}"
            raise InfectedFiles(count=count, names=names, infected=infected, scanner=said["scanner"])
        if left_out and scanner.refuse_unscanned:
            path, reason = next(iter(left_out.items()))
            raise FileNotScanned(path=path, reason=reason)
        said["not scanned"] = len(left_out)
        held = len(files) - len(fresh)
        if held:
            said["held before"] = held
        report.record[VIRUS_CHECK] = dict(said)
        detail = {**said, "paths not scanned": _some(left_out)} if left_out else said
        # A file that was not scanned is none that was found clean: the check as a whole did not succeed.
        report.events.append(CheckEvent(VIRUS_CHECK, "failure" if left_out else "success", detail))

    def _identify(
        self, tool: FormatTool, files: Sequence[CheckedFile], before: Mapping[str, Any], report: CheckReport
    ) -> None:
        tool.start()
        same = (before.get("tool"), before.get("signatures")) == (tool.tool, tool.signatures)
        formats: dict[str, tuple[Format, ...]] = {}
        failed: dict[str, str] = {}
        asked = [file for file in files if not (same and file.formats is not None)]
        formats |= {file.path: file.formats for file in files if same and file.formats is not None}
        for file, (found, why) in tool.identify(asked):
            formats[file.path] = found
            if why:
                failed[file.path] = why
        report.formats = formats
        # What is told by its extension alone may be one of several.
        counts = Counter(" or ".join(each.puid for each in found) for found in formats.values() if found)
        said = {
            "tool": tool.tool,
            "signatures": tool.signatures,
            "when": now(),
            "formats": dict(sorted(counts.items())),
            "unknown": sum(not found for found in formats.values()),
        }
        report.record[IDENTIFICATION] = dict(said)
        detail: dict[str, object] = {**said, "identified": len(asked)}
        if failed:
            detail["paths not identified"] = _some(failed)
        if self._policy is not None:
            detail["policy"] = report.record["format policy"] = self._judge(self._policy, formats)
        report.events.append(CheckEvent(IDENTIFICATION, "failure" if failed else "success", detail))

    @staticmethod
    def _judge(policy: FormatPolicy, formats: Mapping[str, Sequence[Format]]) -> dict[str, object]:
        """How many files are accepted and at risk.

        Raises:
            FormatRefused: One is refused.
        """
        counts = Counter({str(Status.ACCEPTED): 0, str(Status.AT_RISK): 0})
        for path, found in formats.items():
            rule = policy.of(found)
            if rule.status is Status.REFUSED:
                raise FormatRefused(path=path, format=_named(found), reason=_said(rule))
            counts[str(rule.status)] += 1
        return {"name": policy.name, **counts} if policy.name else dict(counts)


def _some(paths: Mapping[str, str]) -> dict[str, str]:
    return dict(list(paths.items())[:_MOST_NAMED])


def _named(formats: Sequence[Format]) -> str:
    return (
        " or ".join(f"{each.puid} ({each.name} {each.version})".replace(" )", ")") for each in formats) or "not known"
    )


def _said(rule: Rule) -> str:
    said = (rule.reason.rstrip("."), f"give it as {rule.instead}" if rule.instead else "")
    return ", ".join(filter(None, said)) or "the policy gives no reason"

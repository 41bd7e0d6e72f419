"""What a finding is: a code, a place, what was expected there and what was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is; only `error` and `unknown` make a check fail."""

    ERROR = "error"
    """Something is damaged, missing or against its specification."""
    UNKNOWN = "unknown"
    """The check could not be made (unreadable, no permission): not the same as damaged."""
    DEVIATION = "deviation"
    """Against a MUST of the declared version, though nothing is lost by it: only strict validation fails."""
    WARNING = "warning"
    """Allowed, but against a recommendation or at risk elsewhere."""
    NOTE = "note"
    """Worth knowing; nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table of findings.

    `template` is a sentence with the placeholders {where}, {expected} and {found};
    `arises` says when it is raised, for the reference page.
    """

    code: str
    severity: Severity
    template: str
    arises: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check. `where` names the place; `project`, `resource` and `instance` what it belongs to."""

    kind: Kind
    where: str
    expected: str = ""
    found: str = ""
    resource: str = ""
    instance: str = ""
    project: str = ""

    @property
    def code(self) -> str:
        """The stable code, as `M101` or `E092`."""
        return self.kind.code

    @property
    def severity(self) -> Severity:
        """How bad it is, from the table."""
        return self.kind.severity

    @property
    def failed(self) -> bool:
        """Whether a check with this finding has not been passed."""
        return self.severity in {Severity.ERROR, Severity.UNKNOWN}

    @property
    def message(self) -> str:
        """The sentence of the table with this finding's particulars."""
        return self.kind.template.format(where=self.where, expected=self.expected, found=self.found)

    def as_json(self) -> dict[str, str]:
        """Plain data for `--json`, the API and the log."""
        record = {name: value for name, value in asdict(self).items() if name != "kind"}
        return {"code": self.code, "severity": str(self.severity), "message": self.message, **record}

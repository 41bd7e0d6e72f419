"""The format policy: which formats are accepted, which are at risk, and which are refused."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Self

from muniment.content.checks import Format
from muniment.errors.checks import BadFormatPolicy


class Status(IntEnum):
    """What the policy says of a format, the best first."""

    ACCEPTED = 0
    AT_RISK = 1
    REFUSED = 2

    def __str__(self) -> str:
        """As the policy's file writes it."""
        return self.name.lower().replace("_", " ")

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read what `str` writes.

        Raises:
            ValueError: It is none of them.
        """
        for each in cls:
            if text == str(each):
                return each
        message = f"{text!r} is none of {', '.join(map(str, cls))}"
        raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one format: why, and which format to have instead."""

    status: Status
    reason: str = ""
    instead: str = ""


@dataclass(frozen=True, slots=True)
class FormatPolicy:
    """Rules by PRONOM identifier, for all other formats, and for files whose format is not known."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    other: Rule = Rule(Status.ACCEPTED)
    unknown: Rule = Rule(Status.AT_RISK, "its format is not known")
    name: str = ""

    def of(self, formats: Iterable[Format]) -> Rule:
        """What holds for a file that may have these formats: the worst of what is said of them."""
        found = [self.rules.get(each.puid, self.other) for each in formats if each.puid]
        return max(found, key=lambda rule: rule.status) if found else self.unknown

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a policy from a TOML file.

        Raises:
            BadFormatPolicy: It cannot be read, or says something that no policy says.
        """
        try:
            return cls._of(tomllib.loads(path.read_text("utf-8")))
        except OSError as error:
            raise BadFormatPolicy(path=path, reason=error.strerror or str(error)) from error
        except (ValueError, TypeError) as error:
            raise BadFormatPolicy(path=path, reason=str(error)) from error

    @classmethod
    def _of(cls, said: dict[str, object]) -> Self:
        unknown = said.keys() - {"name", "other", "unknown", "formats"}
        if unknown:
            message = f"nothing is called {min(unknown)!r} in a format policy"
            raise ValueError(message)
        formats = said.get("formats", {})
        if not isinstance(formats, dict):
            message = "formats is a table of PRONOM identifiers"
            raise TypeError(message)
        return cls(
            rules={puid: _rule(each) for puid, each in formats.items()},
            other=_rule(said.get("other", "accepted")),
            unknown=_rule(said.get("unknown", {"status": "at risk", "reason": "its format is not known"})),
            name=str(said.get("name", "")),
        )


def _rule(said: object) -> Rule:
    if isinstance(said, str):
        return Rule(Status.parse(said))
    if not isinstance(said, dict) or said.keys() - {"status", "reason", "instead"}:
        message = f"a rule is a status, or a table of status, reason and instead; not {said!r}"
        raise ValueError(message)
    return Rule(Status.parse(said.get("status")), str(said.get("reason", "")), str(said.get("instead", "")))

"""Checks on ingest: what looks at an instance before it is committed, and what it may say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Format:
    """A format as PRONOM knows it; without a `puid` it is none that was recognised.

    `basis` is what it was told by: the signature, the container's content, or only the extension.
    """

    puid: str = ""
    name: str = ""
    version: str = ""
    mime: str = ""
    basis: str = ""

    def as_json(self) -> dict[str, str]:
        """Plain data, without what is not known."""
        return {key: value for key, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One file of an instance to be: `location` is where its bytes lie now, to be read and never changed.

    `fresh` says that the content came in now; other content the resource holds already. `formats` are
    those recorded for this content before, None where none are.
    """

    path: str
    size: int
    location: str
    fresh: bool
    formats: tuple[Format, ...] | None = None


@dataclass(frozen=True, slots=True)
class CheckEvent:
    """An event to be written with the instance's ingestion; `event` is a PREMIS event type."""

    event: str
    outcome: Literal["success", "failure"]
    detail: Mapping[str, object]


@dataclass(slots=True)
class CheckReport:
    """What was found: events for the log, a summary for the instance's record, and formats by path."""

    events: list[CheckEvent] = field(default_factory=list)
    record: dict[str, object] = field(default_factory=dict)
    formats: dict[str, tuple[Format, ...]] | None = None


class IngestChecks(Protocol):
    """What every instance passes before it is committed, whichever way it came."""

    def examine(self, files: Iterable[CheckedFile], before: Mapping[str, object]) -> CheckReport:
        """Look at every file; `before` is what the instance before recorded of its checks.

        Raises:
            InfectedFiles, FileNotScanned, FormatRefused: The instance must not be committed.
            ScannerUnavailable, FormatToolFailed: It could not be told; committing may be tried again.
        """

    def close(self) -> None:
        """End what runs for the checks; it is started again when it is needed."""

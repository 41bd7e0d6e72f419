"""An archive's settings, `muniment.json`: written once, read at every opening, never weakened."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from muniment.archive.disk.layout import LAYOUT, SETTINGS
from muniment.content.identity import check_project, new_uuid
from muniment.content.times import now
from muniment.errors.archive import NewerFormat, NotAllowedInMode, NotAnArchive
from muniment.errors.base import BadInput

FORMAT = "1.0"
"""The version of the disk format this code reads and writes (docs/format.md)."""

DEFAULT_DIGESTS = ("sha512", "sha256")
DEFAULT_PROJECT = "main/main"
DEFAULT_REDUNDANCY = 5


class Mode(StrEnum):
    """What may be done to what has been stored."""

    DYNAMIC = "dynamic"
    """Resources may be purged."""
    PRESERVATION = "preservation"
    """Nothing is ever changed or deleted; instances are added."""
    WORM = "worm"
    """As preservation, and no published file is ever opened for writing, renamed over or unlinked."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one archive.

    `digests[0]` is the OCFL and bag digest; the others are recorded beside it. `redundancy` is the
    parity in percent, 0 for none. `project` is where resources go that name no project.
    """

    id: str
    created: str
    mode: Mode = Mode.PRESERVATION
    digests: tuple[str, ...] = DEFAULT_DIGESTS
    redundancy: int = DEFAULT_REDUNDANCY
    project: str = DEFAULT_PROJECT
    format: str = FORMAT
    layout: str = LAYOUT

    @classmethod
    def new(cls, *, mode: str, digests: tuple[str, ...], redundancy: int, project: str) -> Self:
        """Settings for a new archive.

        Raises:
            BadInput: The mode, a digest or the redundancy is not one Muniment knows.
            BadProject: The default project is not a project.
        """
        if mode not in set(Mode):
            raise BadInput(reason=f"the mode {mode!r} is none of {', '.join(Mode)}")
        if not digests or digests[0] not in {"sha512", "sha256"} or len(set(digests)) != len(digests):
            raise BadInput(reason="the first digest must be sha512 or sha256, and none may be named twice")
        if "sha256" not in digests:
            raise BadInput(reason="sha256 must be among the digests: it names parity sets and files sent out")
        unknown = set(digests) - {"sha512", "sha256", "sha1", "md5"}
        if unknown:
            raise BadInput(reason=f"the digest {min(unknown)!r} is none of sha512, sha256, sha1, md5")
        if not 0 <= redundancy <= 100:  # noqa: PLR2004 - percent
            raise BadInput(reason=f"the parity redundancy {redundancy} is not between 0 and 100 percent")
        return cls(
            id=new_uuid(),
            created=now(),
            mode=Mode(mode),
            digests=digests,
            redundancy=redundancy,
            project=check_project(project),
        )

    @classmethod
    def read(cls, root: Path) -> Self:
        """Read the settings of the archive at `root`.

        Raises:
            NotAnArchive: There is none, or its settings cannot be read.
            NewerFormat: It was made by a later Muniment.
        """
        path = root / SETTINGS
        try:
            record = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise NotAnArchive(path=root, reason=f"it holds no {SETTINGS}") from None
        except OSError as error:
            raise NotAnArchive(path=root, reason=f"{SETTINGS} cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise NotAnArchive(path=root, reason=f"{SETTINGS} is not JSON ({error})") from error
        return cls._from_record(root, record)

    @classmethod
    def _from_record(cls, root: Path, record: Any) -> Self:
        try:
            found = str(record["format"])
            major = int(found.split(".", maxsplit=1)[0])
            if major > int(FORMAT.split(".", maxsplit=1)[0]):
                raise NewerFormat(path=root, found=found, known=FORMAT)
            return cls(
                id=str(record["id"]),
                created=str(record["created"]),
                mode=Mode(record["mode"]),
                digests=_known_digests(record["digests"]),
                redundancy=int(record["redundancy"]),
                project=check_project(record["project"]),
                format=found,
                layout=str(record["layout"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, NewerFormat):
                raise
            raise NotAnArchive(path=root, reason=f"{SETTINGS} has no usable setting {error}") from error

    def as_bytes(self) -> bytes:
        """The file's content."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode("utf-8")

    def refuse_unless(self, mode: Mode, action: str) -> None:
        """Allow `action` in one mode only.

        Raises:
            NotAllowedInMode: The archive is in another mode.
        """
        if self.mode is not mode:
            raise NotAllowedInMode(mode=self.mode, action=action)


def _known_digests(names: list[str]) -> tuple[str, ...]:
    found = tuple(str(name) for name in names)
    if "sha256" not in found:
        raise KeyError("digests")
    return found

"""An archive's settings, `muniment.json`: written once, read at every opening, never weakened."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from muniment.archive.disk.layout import LAYOUT, SETTINGS
from muniment.archive.disk.root_files import RootFiles
from muniment.content.config import ArchiveConfig, Mode
from muniment.content.identity import check_project, new_uuid
from muniment.content.locks import parse_lock
from muniment.content.regular import read_regular
from muniment.content.times import now
from muniment.errors.archive import NewerFormat, NotAnArchive
from muniment.errors.base import BadInput

FORMAT = "1.0"
"""The version of the disk format this code reads and writes (docs/format.md)."""

_IN_AN_EMPTY_STORAGE_ROOT = 3
"""Its declaration, its layout and the extensions; whatever is more are objects."""


def new_config(*, mode: str, digests: tuple[str, ...], redundancy: int, project: str, lock: str = "") -> ArchiveConfig:
    """Settings for a new archive.

    Raises:
        BadInput: The mode, a digest, the redundancy or the lock is not one Muniment knows.
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
    if lock:
        parse_lock(lock)
    return ArchiveConfig(
        id=new_uuid(),
        created=now(),
        mode=Mode(mode),
        digests=digests,
        redundancy=redundancy,
        project=check_project(project),
        format=FORMAT,
        layout=LAYOUT,
        lock=lock,
    )


def read_config(root: Path) -> ArchiveConfig:
    """Read the settings of the archive at `root`; where they are damaged or lost, from the record of them.

    Raises:
        NotAnArchive: There is none, or its settings cannot be read.
        NewerFormat: It was made by a later Muniment.
    """
    try:
        return _read_settings(root)
    except NotAnArchive:
        found = RootFiles.read(root)
        if found is None or SETTINGS not in found.contents or not _is_in_use(root):
            raise
        return _from_record(root, json.loads(found.contents[SETTINGS]))


def _read_settings(root: Path) -> ArchiveConfig:
    try:
        record = json.loads(read_regular(root / SETTINGS))
    except (FileNotFoundError, NotADirectoryError):
        raise NotAnArchive(path=root, reason=f"it holds no {SETTINGS}") from None
    except OSError as error:
        raise NotAnArchive(path=root, reason=f"{SETTINGS} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise NotAnArchive(path=root, reason=f"{SETTINGS} is not JSON ({error})") from error
    return _from_record(root, record)


def parse_config(data: bytes, place: str) -> ArchiveConfig:
    """Settings from the content of `muniment.json`; `place` is for the error's words.

    Raises:
        NotAnArchive: They cannot be read.
        NewerFormat: It was made by a later Muniment.
    """
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotAnArchive(path=place, reason=f"{SETTINGS} is not JSON ({error})") from error
    return _from_record(place, record)


def _from_record(root: Path | str, record: Any) -> ArchiveConfig:
    try:
        found = str(record["format"])
        major = int(found.split(".", maxsplit=1)[0])
        if major > int(FORMAT.split(".", maxsplit=1)[0]):
            raise NewerFormat(path=root, found=found, known=FORMAT)
        return ArchiveConfig(
            id=str(record["id"]),
            created=str(record["created"]),
            mode=Mode(record["mode"]),
            digests=_known_digests(record["digests"]),
            redundancy=int(record["redundancy"]),
            project=check_project(record["project"]),
            format=found,
            layout=str(record["layout"]),
            lock=_known_lock(record.get("lock", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, NewerFormat):
            raise
        raise NotAnArchive(path=root, reason=f"{SETTINGS} has no usable setting {error}") from error


def config_bytes(config: ArchiveConfig) -> bytes:
    """The content of `muniment.json`."""
    told = {name: value for name, value in asdict(config).items() if name != "lock" or value}
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _is_in_use(root: Path) -> bool:
    """Whether more than its making has happened in the archive: of one whose making was cut off settings come last."""
    with contextlib.suppress(OSError):
        return len(os.listdir(root / "objects")) > _IN_AN_EMPTY_STORAGE_ROOT
    return False


def _known_lock(text: str) -> str:
    try:
        if text:
            parse_lock(text)
    except BadInput:
        raise KeyError("lock") from None
    return text


def _known_digests(names: list[str]) -> tuple[str, ...]:
    found = tuple(str(name) for name in names)
    if "sha256" not in found:
        raise KeyError("digests")
    return found

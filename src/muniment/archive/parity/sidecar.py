"""The sidecar of a parity set: the digests of its files, so that a set is audited without par2.

`<name>.par2.json` is one JSON object: file name → md5, sha256, size in bytes, lastModified (RFC 3339, UTC);
and `sha256`, the digest of its own bytes as they would be without that key, so that it vouches for itself.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from muniment.archive.disk import durable
from muniment.content.digests import Hashers
from muniment.content.regular import open_regular

_PIECE = 1 << 20
_OWN = "sha256"
_LARGEST_SIDECAR = 1 << 20

Fault = Literal["missing", "damaged", "unreadable", "unrecorded"]


@dataclass(frozen=True, slots=True)
class ParityFile:
    """One file of a set: where it is, its size in bytes and its digests by algorithm."""

    path: Path
    size: int
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SetFault:
    """Something wrong with a parity set, in the words of a finding."""

    fault: Fault
    path: Path
    expected: str = ""
    found: str = ""


def sidecar_path(folder: Path, name: str) -> Path:
    """Where the sidecar of the set `name` lies."""
    return folder / f"{name}.par2.json"


def read_digests(path: Path) -> ParityFile:
    """Size, md5 and sha256 of one file, in one pass.

    Raises:
        OSError: It cannot be read.
    """
    hashers = Hashers(("md5", "sha256"))
    with open_regular(path) as stream:
        while data := stream.read(_PIECE):
            hashers.update(data)
    return ParityFile(path, hashers.size, hashers.values())


def write_sidecar(folder: Path, name: str, files: list[ParityFile]) -> Path:
    """Record `files` in the sidecar of the set `name`.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    record = {
        file.path.name: {
            "lastModified": _modified(file.path),
            "md5": file.digests["md5"],
            "sha256": file.digests["sha256"],
            "size": file.size,
        }
        for file in files
    }
    path = sidecar_path(folder, name)
    durable.write_file(path, _vouched(record))
    return path


def _vouched(record: Mapping[str, object]) -> bytes:
    """A sidecar's bytes."""
    return _json({**record, _OWN: hashlib.sha256(_json(record)).hexdigest()})


def _json(record: Mapping[str, object]) -> bytes:
    return (json.dumps(record, indent=1, sort_keys=True) + "\n").encode()


def _modified(path: Path) -> str:
    moment = dt.datetime.fromtimestamp(int(path.stat().st_mtime), dt.UTC)
    return moment.isoformat().replace("+00:00", "Z")


def check_set(folder: Path, name: str) -> list[SetFault]:
    """Everything that is wrong with the set `name` in `folder`; an empty list when all is as recorded.

    The files are read and compared with the sidecar by size and sha256. A sidecar that is itself missing
    or damaged is a fault; the set may still repair its data, and is best made anew from the intact original.
    """
    path = sidecar_path(folder, name)
    try:
        record = _parse(path)
    except FileNotFoundError:
        return [SetFault("missing", path, "a sidecar")]
    except OSError as error:
        return [SetFault("unreadable", path, "a sidecar", error.strerror or str(error))]
    except ValueError as error:
        return [SetFault("damaged", path, "a sidecar", str(error))]
    faults: list[SetFault] = []
    for file, facts in sorted(record.items()):
        faults.extend(_check_file(folder / file, facts))
    faults.extend(SetFault("unrecorded", other) for other in set_files(folder, name) if other.name not in record)
    return faults


def set_files(folder: Path, name: str) -> list[Path]:
    """The files in `folder` that bear the name of the set, its sidecar left out, in the order of their names."""
    kinds = (".par2", ".index", ".index.copy")
    try:
        present = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        folder / file
        for file in present
        if file in {name + kind for kind in kinds} or (file.startswith(f"{name}.vol") and file.endswith(".par2"))
    ]


def _parse(path: Path) -> dict[str, tuple[int, str]]:
    with open_regular(path) as stream:
        text = stream.read(_LARGEST_SIDECAR)
    try:
        record = json.loads(text)
    except RecursionError:
        record = None
    if not isinstance(record, dict) or len(record) < 2:  # noqa: PLR2004 - a file and its own digest
        message = "not a JSON object with files"
        raise ValueError(message)
    record.pop(_OWN, None)
    if _vouched(record) != text:
        message = "not as it was written"
        raise ValueError(message)
    facts: dict[str, tuple[int, str]] = {}
    for file, entry in record.items():
        size = entry.get("size") if isinstance(entry, dict) else None
        sha256 = entry.get("sha256") if isinstance(entry, dict) else None
        if "/" in file or "\0" in file or not isinstance(size, int) or not isinstance(sha256, str):
            message = f"no size and sha256 for {file!r}"
            raise ValueError(message)
        facts[file] = (size, sha256)
    return facts


def _check_file(path: Path, facts: tuple[int, str]) -> list[SetFault]:
    size, sha256 = facts
    try:
        found = read_digests(path)
    except FileNotFoundError:
        return [SetFault("missing", path, f"sha256:{sha256}")]
    except OSError as error:
        return [SetFault("unreadable", path, f"sha256:{sha256}", error.strerror or str(error))]
    if found.size != size:
        return [SetFault("damaged", path, f"{size} bytes", f"{found.size} bytes")]
    if found.digests["sha256"] != sha256:
        return [SetFault("damaged", path, f"sha256:{sha256}", f"sha256:{found.digests['sha256']}")]
    return []

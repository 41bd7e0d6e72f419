"""The control database backed up into the archive itself, sealed, and restored from there."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from muniment.content.archive import Archive
from muniment.content.instance import Instance
from muniment.content.times import now
from muniment.database import Database
from muniment.errors.base import MunimentError
from muniment.errors.database import BadControlBackup
from muniment.jobs import Context as StepContext
from muniment.jobs import Deadlines, Done, Json, Keyring

PROJECT = "muniment/control"
ID = "control-database"
"""The resource; each backup is an instance of it."""
FILE = "control.jsonl"
FORMAT = "muniment control backup 1"
STEP = "control.backup"
PERIOD = "control backup"

_DEADLINES = Deadlines(ours=True)
_LONGEST_LINE = 64 << 20
_BOUND = "control backup"


def back_up(archive: Archive, database: Database, keyring: Keyring, scratch: Path) -> Instance:
    """Put all that the control database holds into the archive, as one more instance, and read it back.

    Everything is sealed with the first key of the key file, which is not part of it: the archive may be public,
    and its copies lie with others. `scratch` is a folder for what is on its way.

    Raises:
        DatabaseUnavailable: The database cannot be read.
        StaleTransaction: Another backup was made at the same time.
        DiskFull, WriteFailed, ServerUnreachable: It was not stored.
        BadControlBackup: It does not read back.
    """
    head = archive.head()
    with _scratch_file(scratch) as place:
        with place.open("wb") as file:
            revision, rows = _write(database, keyring, archive.config.id, file)
        message = "Backup of the control database"
        known = archive.exists(ID, PROJECT)
        transaction = (
            archive.get(ID, "a", project=PROJECT, message=message)
            if known
            else archive.new(ID, PROJECT, message=message)
        )
        with transaction:
            if FILE in transaction:
                transaction.replace(place, FILE)
            else:
                transaction.add(place, FILE)
            # Who has this instance, or a copy of it, can tell later whether anything before it was changed.
            transaction.metadata.update(
                {
                    "title": "Control database",
                    "creator": "Muniment",
                    "log": {"seq": head.seq, "hash": head.hash},
                    "schema": revision,
                    "rows": rows,
                    "sealed with": keyring.first,
                }
            )
            made = transaction.commit()
    if sum(len(batch) for _, batch in _read(made, keyring)[1]()) != rows:
        raise BadControlBackup(reason="it does not hold what was written")
    return made


def restore(
    archive: Archive, target: Database, keyring: Keyring, instance: str | int | None = None
) -> tuple[Instance, int]:
    """Put a backup, by default the newest, into an empty control database; which it was, and how many rows it had.

    Work that was under way when it was made is taken up again; what was finished since is done once more.

    Raises:
        ResourceNotFound, InstanceNotFound: There is no such backup.
        BadControlBackup: It is damaged, of another archive, or sealed with a key that is not in the key file.
        DatabaseNotEmpty, DatabaseNewer: It cannot go there.
        DatabaseUnavailable, DatabaseBroken: It failed; nothing was put there.
    """
    from muniment.database.transfer import load  # noqa: PLC0415 - a database library

    found = archive.instance(ID, instance, project=PROJECT)
    header, batches = _read(found, keyring)
    if header["archive"] != archive.config.id:
        raise BadControlBackup(reason=f"it is of the archive {header['archive']}, and this is {archive.config.id}")
    return found, load(target, str(header["schema"]), batches)


@dataclass(frozen=True, slots=True)
class ControlBackupStep:
    """The step of the periodic job. Run twice, it makes two instances that say the same."""

    archive: Callable[[], Archive]
    database: Callable[[], Database]
    keyring: Callable[[], Keyring]
    scratch: Callable[[str], Path]
    name: str = STEP
    failures: int = 5
    deadlines: Deadlines = _DEADLINES

    def run(self, given: Json, context: StepContext) -> Done:  # noqa: ARG002 - as every step is run
        """Make one backup."""
        made = back_up(self.archive(), self.database(), self.keyring(), self.scratch("control backup"))
        return Done({"instance": made.number, "rows": made.metadata["rows"]})


def _write(database: Database, keyring: Keyring, archive: str, file: BinaryIO) -> tuple[str, int]:
    """Write the sealed lines; the schema's revision and how many rows there are."""
    from muniment.database.transfer import dump  # noqa: PLC0415 - a database library

    count = lines = 0

    def seal(value: Json) -> None:
        nonlocal lines
        sealed = keyring.seal(_BOUND, str(lines), value)
        line = {"key": keyring.first, "sealed": base64.b64encode(sealed).decode("ascii")}
        file.write(json.dumps(line).encode("ascii") + b"\n")
        lines += 1

    def take(table: str, rows: list[dict[str, Any]]) -> None:
        nonlocal count
        seal({"table": table, "rows": rows})
        count += len(rows)

    revision = dump(database, take)
    # At the end, so that a file that was cut is none: the schema is known once everything was read.
    seal({"format": FORMAT, "archive": archive, "schema": revision, "made": now(), "lines": lines, "rows": count})
    return revision, count


def _read(
    instance: Instance, keyring: Keyring
) -> tuple[dict[str, object], Callable[[], Iterator[tuple[str, list[dict[str, object]]]]]]:
    """What the last line of a backup says, after a look at all of them; and its batches, to be read again."""
    last: object = None
    count = 0
    for last in _lines(instance, keyring):  # noqa: B007 - the last one is what is looked for
        count += 1
    if not isinstance(last, dict) or last.get("format") != FORMAT or last.get("lines") != count - 1:
        raise BadControlBackup(reason="it has no end, or one of another kind")

    def batches() -> Iterator[tuple[str, list[dict[str, object]]]]:
        for each in _lines(instance, keyring):
            if "table" in each:
                yield each["table"], each["rows"]

    return last, batches


def _lines(instance: Instance, keyring: Keyring) -> Iterator[Any]:
    """Its lines, unsealed; each can be read at its own place only."""
    try:
        with instance.open(FILE) as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                record = json.loads(line)
                yield keyring.unseal(_BOUND, str(number), record["key"], base64.b64decode(record["sealed"]))
                number += 1
    except MunimentError as error:
        raise BadControlBackup(reason=str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadControlBackup(reason=f"a line of it cannot be read ({error})") from error


@contextmanager
def _scratch_file(scratch: Path) -> Iterator[Path]:
    place = scratch / f"control-{secrets.token_hex(8)}"
    place.touch(mode=0o600)
    try:
        yield place
    finally:
        place.unlink(missing_ok=True)

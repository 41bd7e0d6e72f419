"""Many resources from one table: each id with its files and what is said about it, and a report of how it went."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from muniment.content import Progress, quiet
from muniment.content.archive import Archive
from muniment.content.exclusions import Exclusions
from muniment.content.identity import check_id, check_project
from muniment.content.times import now
from muniment.errors.base import BadInput, MunimentError
from muniment.workflows.preview import preview

STORED, UNCHANGED, FAILED = "stored", "unchanged", "failed"
_COLUMNS = ("id", "path", "into", "project", "message")


@dataclass(slots=True)
class BatchRequest:
    """One resource of a table: what several rows with its id say together."""

    id: str
    row: int
    project: str | None = None
    message: str = ""
    places: list[tuple[str, str | None]] = field(default_factory=list)
    metadata: dict[str, object] = field(default_factory=dict)

    def key(self) -> str:
        """What tells that the table says the same of it as before."""
        said = [self.id, self.project, self.message, self.places, self.metadata]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Done:
    """A line of the report."""

    id: str
    status: str
    instance: int
    files: int
    at: str
    reason: str
    said: str


def read_table(path: Path) -> list[BatchRequest]:
    """The resources of a table (CSV, UTF-8, names of columns in its first line), in the order of their first rows.

    `id` and `path` must be there; several rows with one id are one resource. `into` is a folder in the package,
    `project` and `message` are as `add` has them, and every other column is said about the resource where it is not
    empty. Paths are relative to the table's folder.

    Raises:
        BadInput: It cannot be read, a column lacks, or a row says what cannot be.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(reason=f"the table {path} cannot be read: {error}") from error
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found: dict[str, BatchRequest] = {}
    try:
        if lacking := {"id", "path"} - set(rows.fieldnames or ()):
            raise BadInput(reason=f"the table {path} has no column {' and no column '.join(sorted(lacking))}")
        for row in rows:
            _take(found, row, rows.line_num, path)
    except csv.Error as error:
        raise BadInput(reason=f"{path}, line {rows.line_num}: {error}") from error
    return list(found.values())


def _take(found: dict[str, BatchRequest], row: dict[str, str | None], line: int, path: Path) -> None:
    where = f"{path}, line {line}"
    if None in row or None in row.values():
        raise BadInput(reason=f"{where}: it has more or fewer cells than the first line has names")
    cells = {name: (value or "").strip() for name, value in row.items()}
    if not cells["id"]:
        raise BadInput(reason=f"{where}: it has no id")
    try:
        wish = found.setdefault(check_id(cells["id"]), BatchRequest(cells["id"], line))
        project = check_project(cells["project"]) if cells.get("project") else None
    except BadInput as error:
        raise BadInput(reason=f"{where}: {error}") from error
    if project and wish.project not in {None, project}:
        raise BadInput(
            reason=f"{where}: {wish.id} is in project {wish.project} by an earlier row, and in {project} here"
        )
    wish.project = project or wish.project
    wish.message = wish.message or cells.get("message", "")
    if cells["path"]:
        place = path.parent / cells["path"]
        into = cells.get("into") or None
        is_file = not place.is_dir()
        wish.places.append((str(place), f"{into}/{place.name}" if into and is_file else into))
    for name, value in cells.items():
        if name not in _COLUMNS and value:
            wish.metadata[name] = value


def run_table(
    archive: Archive,
    wishes: list[BatchRequest],
    report: Path,
    exclude: Exclusions | None = None,
    progress: Progress = quiet,
) -> Iterator[Done]:
    """Add each resource, or an instance to it where what is there differs; what failed is told and does not stop it.

    `report` is a CSV file that gets a line for each, synced before the next begins. What it says was stored is passed
    over the next time, as long as the table says the same of it.

    Raises:
        BadInput: The report is none of ours.
    """
    before = _read_report(report)
    with _opened(report) as file:
        writer = csv.writer(file)
        if not before and not file.tell():
            writer.writerow([each.name for each in fields(Done)])
        for count, wish in enumerate(wishes, 1):
            old = before.get(wish.id)
            if old is not None and old.said == wish.key() and old.status != FAILED:
                continue
            done = _add(archive, wish, exclude)
            writer.writerow(asdict(done).values())
            file.flush()
            os.fsync(file.fileno())
            progress("adding", count, len(wishes))
            yield done


def _add(archive: Archive, wish: BatchRequest, exclude: Exclusions | None) -> Done:
    """Add one resource."""

    def told(status: str, instance: int = 0, files: int = 0, reason: str = "") -> Done:
        return Done(wish.id, status, instance, files, now(), reason, wish.key())

    try:
        base = archive.instance(wish.id, project=wish.project) if archive.exists(wish.id, wish.project) else None
        if base is not None:
            # Killed after a commit and before its line, the next run would add the same once more.
            metadata = {**base.metadata, **wish.metadata}
            seen = preview(wish.places, base, archive.config.digests[0], metadata=metadata, exclude=exclude)
            if not seen.changes:
                return told(UNCHANGED, base.number, len(base))
        elif not wish.places:
            raise BadInput(reason="no row names a file of it, and there is no such resource yet")
        transaction = (
            archive.get(wish.id, "a", project=wish.project, message=wish.message)
            if base is not None
            else archive.new(wish.id, wish.project, message=wish.message)
        )
        with transaction:
            transaction.metadata.update(wish.metadata)
            for place, name in wish.places:
                transaction.add(place, name, exclude=exclude)
            instance = transaction.commit()
        return told(STORED, instance.number, len(instance))
    except MunimentError as error:
        if error.outage:
            raise
        return told(FAILED, reason=error.message)


def _read_report(path: Path) -> dict[str, Done]:
    """What a report says of each id last; a line that was cut off by a crash says nothing.

    Raises:
        BadInput: It is some other file.
    """
    names = [each.name for each in fields(Done)]
    found: dict[str, Done] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            if next(rows, names) != names:
                raise BadInput(reason=f"{path} is no report of a table; name another with --report")
            for row in rows:
                with contextlib.suppress(ValueError, TypeError):
                    done = Done(row[0], row[1], int(row[2]), int(row[3]), *row[4:])
                    found[done.id] = done
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error, IndexError) as error:
        raise BadInput(reason=f"the report {path} cannot be read: {error}") from error
    return found


def _opened(path: Path) -> io.TextIOWrapper:
    """The report, to write at its end, on a line of its own.

    Raises:
        BadInput: It cannot be written.
    """
    try:
        torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        file = path.open("a", encoding="utf-8", newline="")
        if torn:
            file.write("\r\n")
    except OSError as error:
        raise BadInput(reason=f"the report {path} cannot be written: {error.strerror}") from error
    return file

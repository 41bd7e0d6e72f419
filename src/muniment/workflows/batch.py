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
from typing import Self

from muniment.archive import commit_several
from muniment.content import Progress, quiet
from muniment.content.archive import Archive
from muniment.content.exclusions import Exclusions
from muniment.content.identity import check_id, check_project
from muniment.content.times import now
from muniment.content.transaction import Transaction
from muniment.errors.base import BadInput, MunimentError
from muniment.workflows.preview import preview

STORED, UNCHANGED, FAILED = "stored", "unchanged", "failed"
_AT_ONCE, _BYTES_AT_ONCE = 100, 32 << 20
"""Resources that are committed at once, or bytes of them."""
_RECORDS = 1 << 10
"""Bytes that a file costs besides its own."""
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

    `report` is a CSV file that gets a line for each. What it says was stored is passed over the next time, as long as
    the table says the same of it. Small resources are committed and told of several at once.

    Raises:
        BadInput: The report is none of ours.
    """
    before = _read_report(report)
    with _opened(report) as file, _Table(archive, exclude) as table:
        writer = csv.writer(file)
        if not before and not file.tell():
            writer.writerow([each.name for each in fields(Done)])
        for count, wish in enumerate(wishes, 1):
            old = before.get(wish.id)
            if old is None or old.said != wish.key() or old.status == FAILED:
                table.take(wish)
            if not (table.is_full or count == len(wishes)):
                continue
            told, failure = table.commit()
            writer.writerows(asdict(done).values() for done in told)
            file.flush()
            os.fsync(file.fileno())
            progress("adding", count, len(wishes))
            yield from told
            if failure is not None:
                raise failure


class _Table:
    """The resources of a table that are added but not committed yet."""

    def __init__(self, archive: Archive, exclude: Exclusions | None) -> None:
        self._archive = archive
        self._exclude = exclude
        self._told: list[tuple[int, Done]] = []
        self._open: list[tuple[BatchRequest, Transaction]] = []
        self._bytes = 0
        self._failure: MunimentError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _wish, transaction in self._open:
            with contextlib.suppress(MunimentError):
                transaction.rollback()

    @property
    def is_full(self) -> bool:
        """Whether what there is should be committed before more is added."""
        return len(self._open) >= _AT_ONCE or self._bytes >= _BYTES_AT_ONCE or self._failure is not None

    def take(self, wish: BatchRequest) -> None:
        """Add the files of one resource."""
        try:
            base = self._archive.instance(wish.id, project=wish.project) if self._there(wish) else None
            if base is not None:
                # Killed after a commit and before its line, the next run would add the same once more.
                metadata = {**base.metadata, **wish.metadata}
                first = self._archive.config.digests[0]
                if not preview(wish.places, base, first, metadata=metadata, exclude=self._exclude).changes:
                    self._tell(wish, UNCHANGED, base.number, len(base))
                    return
            elif not wish.places:
                raise BadInput(reason="no row names a file of it, and there is no such resource yet")
            transaction = (
                self._archive.get(wish.id, "a", project=wish.project, message=wish.message)
                if base is not None
                else self._archive.new(wish.id, wish.project, message=wish.message)
            )
            self._open.append((wish, transaction))
            transaction.metadata.update(wish.metadata)
            for place, name in wish.places:
                added = transaction.add(place, name, exclude=self._exclude)
                self._bytes += sum((entry.size or 0) + _RECORDS for entry in added)
        except MunimentError as error:
            if self._open and self._open[-1][0] is wish:
                with contextlib.suppress(MunimentError):
                    self._open.pop()[1].rollback()
            self._fail(wish, error)

    def commit(self) -> tuple[list[Done], MunimentError | None]:
        """Commit what is added; what became of all since the last time, and why nothing more is to be tried."""
        waiting, self._open, self._bytes = self._open, [], 0
        for (wish, transaction), done in zip(waiting, commit_several([each for _, each in waiting]), strict=True):
            if isinstance(done, MunimentError):
                with contextlib.suppress(MunimentError):
                    transaction.rollback()  # where a check could not tell, it is open yet
                self._fail(wish, done)
            else:
                self._tell(wish, STORED, done.number, len(done))
        told, self._told = sorted(self._told, key=lambda line: line[0]), []
        return [done for _, done in told], self._failure

    def _there(self, wish: BatchRequest) -> bool:
        return self._archive.exists(wish.id, wish.project)

    def _tell(self, wish: BatchRequest, status: str, instance: int = 0, files: int = 0, reason: str = "") -> None:
        self._told.append((wish.row, Done(wish.id, status, instance, files, now(), reason, wish.key())))

    def _fail(self, wish: BatchRequest, error: MunimentError) -> None:
        if error.outage:
            self._failure = error
        else:
            self._tell(wish, FAILED, reason=error.message)


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

"""The ladder of repairs: parity first, then the bytes of another copy, then another look; what stays damaged is named.

Each rung leaves what it cannot repair as it was, and nothing counts as repaired before it was verified again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from muniment.archive import CopyRepair, RestoredFiles
from muniment.content.archive import Repair
from muniment.errors.archive import ResourceNotFound, ResourcePurged
from muniment.errors.base import MunimentError
from muniment.stores import Store
from muniment.workflows.copies.record import CopyRecord, read_record
from muniment.workflows.copies.registry import ARCHIVE
from muniment.workflows.copies.restoring import Restored, content_paths, restore_bag
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.table import CopyRow
from muniment.workflows.copies.verification import verify_copy


@dataclass(slots=True)
class Repaired:
    """What came of a repair: places that were repaired, with how, and those that were not, with why."""

    repaired: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def note(self, done: Repair) -> None:
        """Take in what the archive says of one of its places."""
        if done.repaired:
            self.repaired.setdefault(done.where, done.how)
            self.left.pop(done.where, None)
        else:
            self.left[done.where] = done.how

    def add(self, other: Repaired) -> None:
        """Take in what came of another."""
        self.repaired |= other.repaired
        self.left |= other.left


def repair_all(service: CopyService, resource: str | None = None) -> Repaired:
    """Repair everything that is noted as damaged: the archive's own resources first, then copies of them."""
    done = Repaired()
    rows = list(service.table.each(state="damaged"))
    if resource is not None:
        rows = [row for row in rows if row.resource == resource]
    for row in sorted(rows, key=lambda row: row.store != ARCHIVE):
        done.add(
            repair_resource(service, row.project, row.resource)
            if row.store == ARCHIVE
            else repair_copy_of(service, row)
        )
    return done


def repair_resource(service: CopyService, project: str, resource: str) -> Repaired:
    """Repair a resource of the archive: from parity, and what that leaves from copies, of whichever store has them.

    Raises:
        DiskFull, WriteFailed: The storage refused; what was repaired so far stays so.
    """
    done = Repaired()
    _from_parity(service, project, resource, done)
    if done.left:
        for row in service.table.of(project, resource):
            if row.state == "made" and row.store != ARCHIVE and row.number:
                _from_copy(service, row, done)
        done.left = {}
        _from_parity(service, project, resource, done)  # the root's records and lost parity, now that the rest is there
    own = next((row for row in service.table.of(project, resource) if row.store == ARCHIVE), None)
    if own is not None:
        try:
            after = verify_copy(service, None, own)
        except (ResourceNotFound, ResourcePurged) as error:
            after = service.table.change(own, state="damaged", reason=error.message)
        if after.state == "damaged" and not done.left:
            done.left[f"{project} {resource}"] = after.reason
    return done


def _from_parity(service: CopyService, project: str, resource: str, done: Repaired) -> None:
    try:
        for each in service.archive.repair(resource, project=project):
            done.note(each)
    except ResourceNotFound as error:
        done.left[f"{project} {resource}"] = error.message


def _from_copy(service: CopyService, row: CopyRow, done: Repaired) -> None:
    """Put back what of one instance is not as it was recorded, from one copy of it."""
    try:
        store = service.registry.open(row.store)
        record = read_record(store, row)
        with _files_of(store, record, service.scratch) as (wanted, fetch):
            rescue = CopyRepair(service.archive)
            names = rescue.wrong(row.project, row.resource, wanted)
            if not names:
                return
            said = rescue.put_back(row.project, row.resource, names, fetch, row.store)
    except MunimentError as error:
        done.left[f"copy in {row.store}, instance {row.number} of {row.resource}"] = error.message
        return
    for name, reason in said.items():
        if not reason:
            done.repaired[f"{record.object}/{name}"] = f"taken from the copy in {row.store}"


class _files_of:  # noqa: N801 - used as a function, in a `with` block
    """The files of an instance's folder by their paths in the object, their digests, and a way to their bytes."""

    def __init__(self, store: Store, record: CopyRecord, scratch: Path) -> None:
        self._store = store
        self._record = record
        self._scratch = scratch
        self._work: Path | None = None

    def __enter__(self) -> tuple[Mapping[str, Mapping[str, str]], Callable[[str], BinaryIO]]:
        record = self._record
        if record.layout != "bag":
            start = len(record.files[0].key.partition(f"{record.object}/")[0]) + len(record.object) + 1
            files = {file.key[start:]: file for file in record.files if "/" in file.key[start:]}
            wanted = {name: {"sha256": file.sha256} for name, file in files.items()}
            return wanted, lambda name: self._store.open(files[name].key)
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix="repair-", dir=self._scratch))
        restored = RestoredFiles(self._work / "object", self._work / "files")
        restore_bag(self._store, record, restored, Restored(self._work), self._work)
        content = content_paths(json.loads(record.inventory), record.number)
        wanted = {path: {record.algorithm: digest} for pairs in content.values() for path, digest in pairs}
        wanted[f"v{record.number}/inventory.json"] = {record.algorithm: record.inventory_digest}
        return wanted, partial(_opened, self._work / "object")

    def __exit__(self, *_: object) -> None:
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)


def _opened(root: Path, name: str) -> BinaryIO:
    return (root / name).open("rb")


def repair_copy_of(service: CopyService, row: CopyRow) -> Repaired:
    """Repair a damaged copy: put it again from the archive, whose own bytes are repaired first where that is needed."""
    done = Repaired()
    where = f"copy in {row.store}, instance {row.number} of {row.resource}"
    rule = service.rule_of(row)
    if rule is None:
        done.left[where] = f"no policy asks for it any more; it is damaged: {row.reason}"
        return done
    for attempt in _attempts(service, row, done):
        try:
            store = service.registry.open(row.store)
            after = service.make(store, row, rule)
        except MunimentError as error:
            done.left[where] = error.message
            if not attempt:
                service.table.change(row, reason=error.message)
        else:
            service.table.put(after)
            done.left.pop(where, None)
            done.repaired[where] = "put again from the archive and read back"
            return done
    return done


def _attempts(service: CopyService, row: CopyRow, done: Repaired) -> Iterator[bool]:
    """A first attempt, and a last one after the archive's own bytes were looked after."""
    yield True
    done.add(repair_resource(service, row.project, row.resource))
    yield False

"""Right bytes in the place of damaged ones: one transaction, which recovery finishes or undoes after a crash.

```
staging/open/<transaction>/
  lock  transaction.json   as every transaction has; its kind is `repair`
  fresh-1  fresh-2 …       the right bytes, each compared with what is recorded of it
  repair.json              what goes where; written and synced once all bytes are there
```

From the moment `repair.json` is on stable storage the repair is decided. What was damaged then gets a
second name in quarantine, and one rename gives the right bytes the place: there is no moment at which
neither is there. Killed before it, nothing has happened; killed after it, recovery goes on with whatever
is not in its place yet.

In worm mode nothing that was published is renamed over. The right bytes then stand beside, at the same
path below `repaired/<number>/`, where readers look for them (`muniment.archive.disk.repaired`).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import link, make_folder, rename, sync_folder, sync_tree, write_file
from muniment.archive.disk.locks import exclusive
from muniment.archive.disk.repaired import free_place, repaired_copies
from muniment.archive.ingest.staging import REPAIR, StagingArea, TransactionRecord
from muniment.archive.package.objects import head_of
from muniment.content import Hashers
from muniment.content.config import Mode
from muniment.content.events import Event
from muniment.content.identity import new_uuid
from muniment.content.regular import open_regular, read_regular
from muniment.content.times import now
from muniment.errors.archive import ReadFailed
from muniment.errors.base import StorageError
from muniment.errors.parity import CannotRepair

_PLAN = "repair.json"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a repair is about: the object, and of which resource and instance an event shall speak.

    Without an object it is about the archive's own files, and there is no resource.
    """

    root: Path | None = None
    project: str = ""
    resource: str = ""
    instance: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """One file: its place below the archive's root, the sha256 it gets, and the names of new and old bytes.

    Without new bytes what lies there is only set aside. With a `head` the step is right only as long as
    that is the object's newest version: its root inventory follows it.
    """

    place: str
    sha256: str
    fresh: str
    kept: str
    head: int = 0


class RepairTransaction:
    """A repair that is being prepared: bytes are made in `folder`, named by `put`, and placed by `commit`."""

    def __init__(self, context: ArchiveContext, subject: Subject, area: StagingArea) -> None:
        self.folder = area.folder
        self._context = context
        self._subject = subject
        self._area = area
        self._steps: list[_Step] = []

    @classmethod
    def begin(cls, context: ArchiveContext, subject: Subject, note: str) -> Self:
        """Begin one; `note` says in the event how the bytes came to be.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        record = TransactionRecord(
            new_uuid(),
            subject.project,
            subject.resource,
            subject.instance or 1,
            now(),
            context.agent.name,
            context.agent.address,
            note,
            REPAIR,
            context.log.head().seq,
        )
        return cls(context, subject, StagingArea.begin(context.layout, record))

    def __enter__(self) -> Self:
        """Use it in a `with` block: what was not committed is gone at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Undo it, unless it was committed."""
        with contextlib.suppress(StorageError):
            if self.folder.is_dir() and not (self.folder / _PLAN).exists():
                self._area.discard()
        self._area.release()

    @property
    def empty(self) -> bool:
        """Whether nothing is to be replaced so far."""
        return not self._steps

    def put(self, place: Path, fresh: Path, digests: Mapping[str, str], *, head: int = 0, beside: bool = False) -> None:
        """Let the bytes at `fresh` (in `folder`) take `place`, if they have all of the recorded `digests`.

        With `head`, only as long as that is the object's newest version. `beside` says that in worm mode
        they are for `repaired/` even where nothing lies at `place`: files that readers look for together.

        Raises:
            CannotRepair: They have not.
            ReadFailed: They cannot be read back.
        """
        try:
            found = _digests(fresh, {"sha256", *digests})
        except OSError as error:
            raise ReadFailed(path=fresh, reason=error.strerror or str(error)) from error
        for algorithm, value in digests.items():
            if found.get(algorithm) != value:
                reason = f"what came out has the {algorithm} {found.get(algorithm)}, recorded is {value}"
                raise CannotRepair(path=place, reason=reason)
        if self._context.config.mode is Mode.WORM and (beside or os.path.lexists(place)):
            if any(_sha256(copy) == found["sha256"] for copy in repaired_copies(place, self._context.layout.root)):
                return  # by an earlier repair
            place = free_place(place, self._context.layout.root)
        name = f"fresh-{len(self._steps) + 1}"
        rename(fresh, self.folder / name)
        self._note(place, found["sha256"], name, head)

    def write(self, place: Path, data: bytes, *, head: int = 0, beside: bool = False) -> None:
        """Let a record that was verified already take `place`.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        made = self.folder / "made"
        write_file(made, data)
        self.put(place, made, {}, head=head, beside=beside)

    def set_aside(self, place: Path) -> None:
        """Move what lies at `place` to quarantine; in worm mode it stays."""
        if self._context.config.mode is not Mode.WORM:
            self._note(place, "", "")

    def commit(self) -> None:
        """Put everything in its place, and record it.

        Raises:
            DiskFull, WriteFailed: The storage refused; recovery goes on with it.
        """
        if not self._steps:
            return
        root = self._subject.root
        plan = {
            "object": _relative(self._context, root) if root else "",
            "instance": self._subject.instance,
            "steps": [asdict(step) for step in self._steps],
        }
        sync_tree(self.folder, since=self._area.held)
        write_file(self.folder / _PLAN, json.dumps(plan, ensure_ascii=False).encode("utf-8"), sync=True)
        sync_folder(self.folder)
        sync_folder(self.folder.parent)
        finish_repair(self._context, self._area)

    def _note(self, place: Path, sha256: str, fresh: str, head: int = 0) -> None:
        number = len(self._steps) + 1
        kept = f"damaged-{self._area.record.transaction}-{number}-{place.name}"
        kept = kept.encode("utf-8")[:200].decode("utf-8", "ignore")
        self._steps.append(_Step(_relative(self._context, place), sha256, fresh, kept, head))


def finish_repair(context: ArchiveContext, area: StagingArea) -> list[Event]:
    """Do what of a repair is not done yet; one without its plan had not begun, and is dropped.

    Raises:
        DiskFull, WriteFailed: The storage refused; running it again goes on.
    """
    plan = _read_plan(area)
    if plan is None:
        area.discard()
        return []
    events: list[Event] = []
    root = context.layout.root / plan["object"] if plan["object"] else None
    with exclusive(context.object_lock(root) if root else context.layout.locks / "root-files"):
        if root is None or root.is_dir():  # else it was purged meanwhile
            events = _place_all(context, area, plan)
    with contextlib.suppress(StorageError):
        area.discard()
    return events


def _place_all(context: ArchiveContext, area: StagingArea, plan: Mapping[str, Any]) -> list[Event]:
    record = area.record
    head = head_of(context.layout.root / plan["object"]) if plan["object"] else 0
    steps = [step for step in (_Step(**each) for each in plan["steps"]) if step.head in {0, head}]
    placed = [step for step in steps if _place(context, area, step)]
    for folder in _touched(context, placed):
        sync_folder(folder)
    if not placed or context.log.mentions(record.transaction, record.log):
        return []
    draft = Event(
        "repair",
        f"{record.agent_name} <{record.agent_address}>",
        record.project,
        record.id,
        plan["instance"],
        detail=_detail(context, record, placed),
        transaction=record.transaction,
    )
    return context.log.append([draft])


def _detail(context: ArchiveContext, record: TransactionRecord, placed: Sequence[_Step]) -> dict[str, object]:
    quarantine = [step.kept for step in placed if os.path.lexists(context.layout.quarantine / step.kept)]
    detail: dict[str, object] = {"note": record.message, "paths": [step.place for step in placed]}
    return {**detail, "quarantine": quarantine} if quarantine else detail


def _place(context: ArchiveContext, area: StagingArea, step: _Step) -> bool:
    """Take one step; whether the place is now as it should be."""
    target = context.layout.root / step.place
    if not step.fresh:
        if os.path.lexists(target):
            make_folder(context.layout.quarantine)
            rename(target, context.layout.quarantine / step.kept)
        return True
    if _sha256(target) == step.sha256:
        return True  # by this repair before it was interrupted, or by another
    fresh = area.folder / step.fresh
    if _sha256(fresh) != step.sha256:
        return False
    make_folder(target.parent)
    if os.path.lexists(target):
        _keep(context, target, step.kept)
    rename(fresh, target)
    return True


def _keep(context: ArchiveContext, damaged: Path, name: str) -> None:
    """Give what is damaged a name in quarantine, beside its own."""
    make_folder(context.layout.quarantine)
    kept = context.layout.quarantine / name
    try:
        link(damaged, kept)
    except FileExistsError:
        pass  # kept already, before this repair was interrupted
    except StorageError:
        # A folder in a file's place, or a filesystem without further names: moved, and if the process
        # ends before the next rename, recovery does that.
        rename(damaged, kept)
    sync_folder(context.layout.quarantine)


def _touched(context: ArchiveContext, steps: Sequence[_Step]) -> list[Path]:
    """The folders whose names changed, with those above them that may be new, the deepest first."""
    folders: set[Path] = set()
    for step in steps:
        folder = (context.layout.root / step.place).parent
        while folder != context.layout.root.parent and folder not in folders:
            folders.add(folder)
            folder = folder.parent
    return sorted((folder for folder in folders if folder.is_dir()), reverse=True)


def _read_plan(area: StagingArea) -> dict[str, Any] | None:
    try:
        plan = json.loads(read_regular(area.folder / _PLAN))
        [_Step(**step) for step in plan["steps"]]
        return {"object": str(plan["object"]), "instance": int(plan["instance"]), "steps": plan["steps"]}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _relative(context: ArchiveContext, path: Path) -> str:
    return str(path.relative_to(context.layout.root))


def _sha256(path: Path) -> str:
    try:
        return _digests(path, {"sha256"})["sha256"]
    except OSError:
        return ""


def _digests(path: Path, algorithms: set[str]) -> dict[str, str]:
    hashers = Hashers(sorted(algorithms))
    with open_regular(path) as file:
        while data := file.read(1 << 20):
            hashers.update(data)
    return hashers.values()

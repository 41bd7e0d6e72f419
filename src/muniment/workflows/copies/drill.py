"""The restore drill: a random instance from a store to a temporary place, judged by programs that are not ours."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from muniment.errors.base import MunimentError
from muniment.errors.copies import DrillFailed
from muniment.stores import Store
from muniment.workflows.copies.record import CopyRecord
from muniment.workflows.copies.restoring import fetch_tar, records_of, restore_resource
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.table import CopyRow

EVENT = "validation"
"""The PREMIS type of the event that records a drill."""
_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Drill:
    """What came of one: which copy was restored, who judged it, and the reason if it did not pass."""

    store: str
    layout: str
    project: str
    resource: str
    number: int
    judges: tuple[str, ...]
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether every judge was content."""
        return not self.reason


def drill(service: CopyService, name: str, chance: random.Random | None = None) -> Drill | None:
    """Restore a random instance that a store should have, and have it judged; None where it has none.

    The archive's folder is not looked at. An event says what came of it.

    Raises:
        StoreUnknown, StoreUnreachable, StoreRefused: The store cannot be used.
    """
    row = _chosen(service, name, chance or random.SystemRandom())
    if row is None:
        return None
    store = service.registry.open(name)
    judges: tuple[str, ...] = ()
    reason = ""
    try:
        with _workplace(service.scratch) as work:
            judges = _judge(name, _bag_of(store, row, work))
    except (DrillFailed, MunimentError) as error:
        reason = error.message
    done = Drill(name, row.layout, row.project, row.resource, row.number, judges, reason)
    service.archive.record_event(
        EVENT,
        resource=row.resource,
        project=row.project,
        instance=row.number,
        outcome="success" if done.passed else "failure",
        detail={"drill": {"store": name, "layout": row.layout, "judges": list(judges), "reason": reason}},
    )
    return done


def _chosen(service: CopyService, name: str, chance: random.Random) -> CopyRow | None:
    """One of all made copies, each as likely as the others, without holding them all."""
    found = None
    for count, row in enumerate(service.table.each(store=name, state="made"), 1):
        if chance.randrange(count) == 0:
            found = row
    return found


def _bag_of(store: Store, row: CopyRow, work: Path) -> Path:
    """The bag of an instance as a folder in `work`."""
    records = [each for each in records_of(store, row.project, row.resource) if isinstance(each, CopyRecord)]
    record = next((each for each in records if each.number == row.number), None)
    if record is None:
        raise DrillFailed(store=row.store, reason=f"there is no record of instance {row.number} of {row.resource!r}")
    if record.layout == "bag":
        with tarfile.open(fetch_tar(store, record, work)) as opened:
            opened.extractall(work / "bag", filter="data")
        return next((work / "bag").iterdir())
    done = restore_resource(store, work / "object", row.resource, row.project, work, lambda _: None)
    if done.lacking:
        what, reason = next(iter(done.lacking.items()))
        raise DrillFailed(store=row.store, reason=f"{what}: {reason}")
    inventory = json.loads((done.target / f"v{row.number}" / "inventory.json").read_bytes())
    for digest, paths in inventory["versions"][f"v{row.number}"]["state"].items():
        for path in paths:
            target = work / "bag" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(done.target / inventory["manifest"][digest][0], target)
    (work / "bag" / "data").mkdir(exist_ok=True)
    return work / "bag"


def _judge(name: str, bag: Path) -> tuple[str, ...]:
    """Who judged a bag and found nothing.

    Raises:
        DrillFailed: A judge was not content, or there is none on this machine.
    """
    judges = []
    for algorithm in ("sha512", "sha256"):
        if (bag / f"manifest-{algorithm}.txt").is_file() and (program := shutil.which(f"{algorithm}sum")):
            for manifest in (f"manifest-{algorithm}.txt", f"tagmanifest-{algorithm}.txt"):
                if (bag / manifest).stat().st_size:
                    _ask(name, [program, "--check", "--strict", "--quiet", manifest], bag)
            judges.append(f"{algorithm}sum")
            break
    if importlib.util.find_spec("bagit") is not None:
        _ask(name, [sys.executable, "-m", "bagit", "--validate", "--quiet", str(bag)], bag)
        judges.append("bagit.py")
    if not judges:
        raise DrillFailed(store=name, reason="neither sha512sum nor bagit.py is on this machine to judge it")
    return tuple(judges)


def _ask(name: str, command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())[:500]
        raise DrillFailed(store=name, reason=f"{Path(command[0]).name}: {said}")


@contextlib.contextmanager
def _workplace(scratch: Path) -> Iterator[Path]:
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="drill-", dir=scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

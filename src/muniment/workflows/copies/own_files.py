"""Repair of what is no resource: the archive's log and own files, from stores too, and what stores have of them."""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial

from muniment.archive import LogRepair, repair_own_files
from muniment.errors.base import MunimentError
from muniment.workflows.copies.ladder import Repaired
from muniment.workflows.copies.log_segments import LinesOf, log_lines_of
from muniment.workflows.copies.registry import ARCHIVE, StoreRecord
from muniment.workflows.copies.root_files import repair_root_files
from muniment.workflows.copies.root_verification import note_read
from muniment.workflows.copies.seals import broken_seals
from muniment.workflows.copies.service import CopyService


def log_in(name: str) -> str:
    """What cannot be had where a store cannot be used."""
    return f"the log in {name}"


def repair_log_and_files(service: CopyService) -> Repaired:
    """Repair the archive's log and own files: from what the archive has itself, and the log from stores as well.

    A line of the log is taken from a store where the chain of hashes proves it, or, behind the log's end, where this
    archive noted that it put it there.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    log, taken, left = LogRepair(service.archive), dict[str, str](), dict[str, str]()
    stores = sorted(service.registry.all(), key=lambda known: -known.logged)

    def take(known: StoreRecord, work: Callable[[LinesOf], list[int]]) -> None:
        try:
            numbers = work(log_lines_of(service.registry.open(known.name)))
        except MunimentError as error:
            left[log_in(known.name)] = error.message
            return
        if numbers:
            taken[f"events {numbers[0]} to {numbers[-1]}"] = f"taken from the copy in {known.name}"

    if stores and service.archive.head().seq < stores[0].logged:
        furthest = stores[0]  # another one would leave out what this one alone has
        take(furthest, lambda lines_of: log.put_back_end(lines_of, furthest.logged, furthest.name))
    done = _from_archive(service)
    for known in stores:
        if known.logged and log.lacking():
            take(known, partial(log.put_back, source=known.name))
    if taken:
        before, done = done, _from_archive(service)
        done.repaired = {**before.repaired, **done.repaired, **taken}
    for what in log.lacking():
        done.left.setdefault(what, "no copy has what the chain of hashes wants there")
    note_read(service, ARCHIVE, damaged=bool(done.left))
    done.left |= left
    return done


def _from_archive(service: CopyService) -> Repaired:
    done = Repaired()
    for each in repair_own_files(service.archive):
        done.note(each)
    return done


def repair_stores(service: CopyService, names: Container[str] | None = None) -> Repaired:
    """Read back what each store has beside copies (settings, tombstones, the log), and put anew what is damaged.

    Of all stores, or of those in `names`. Tapes are left out.
    """
    done = Repaired()
    for known in service.registry.all():
        if not known.logged or known.address.startswith("ltfs://") or (names is not None and known.name not in names):
            continue
        try:
            store = service.registry.open(known.name)
            found = repair_root_files(service.archive, store, known.name, known.logged)
            broken = broken_seals(service.archive, store)
        except MunimentError as error:
            done.left[log_in(known.name)] = error.message
            continue
        done.left |= {f"{key} in {known.name}": why for key, why in broken.items()}
        note_read(service, known.name, damaged=bool(broken) or any(found.values()))
        for key, reason in found.items():
            where = f"{key} in {known.name}"
            if reason:
                done.left[where] = reason
            else:
                done.repaired[where] = "put again from the archive and read back"
    return done

"""Repair of what is not an object: the archive's own files from their record, tombstones from the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.root_files import PLACES, ROOT_FILES, RootFiles
from muniment.archive.fixity.audit.log import LoggedDigests
from muniment.archive.fixity.audit.root_files import check_root_files, check_tombstones
from muniment.archive.fixity.repair.damaged_object import attempt
from muniment.archive.ingest.purge import finish_from_tombstones, rebuilt_tombstone
from muniment.archive.ingest.repair_transaction import RepairTransaction, Subject
from muniment.content import Finding
from muniment.content.archive import Repair
from muniment.content.regular import read_regular
from muniment.errors.archive import ReadFailed
from muniment.errors.parity import CannotRepair

_FROM_RECORD = "written anew from the record of the archive's own files"
_RECORD_ITSELF = "the record was written anew from its other copy"
_RECORD_AS_IT_IS = "the record was lost in both copies, and made anew of the files as they are now"
_FROM_EVENT = "written anew from the event of the purge"
_PURGE_FINISHED = "the purge it tells of was finished"


def is_root_file(place: str) -> bool:
    """Whether a finding's place is one of the archive's own files, their record, or a tombstone."""
    return place in {*PLACES, *ROOT_FILES} or place.startswith("tombstones/")


def repair_root_files(context: ArchiveContext, findings: list[Finding], logged: LoggedDigests) -> Iterator[Repair]:
    """Repair what `findings` name, look again, and say what became of each.

    Raises:
        DiskFull: There is no room.
    """
    if not findings:
        return
    said = {place: _repair(context, place, logged) for place in dict.fromkeys(finding.where for finding in findings)}
    found = [*check_root_files(context), *check_tombstones(context, logged)]
    copies = {finding.where: finding.found for finding in found if finding.code == "M107"}
    left = {finding.where: finding for finding in found if finding.failed}
    for place, how in said.items():
        if place not in left:
            yield Repair(place, repaired=True, how=how)
    for place, finding in left.items():
        how = said.get(place, finding.message)
        if place in copies:
            how = f"worm mode leaves it as it is; its repaired bytes stand in {copies[place]}"
        yield Repair(place, repaired=False, how=how, resource=finding.resource)


def _repair(context: ArchiveContext, place: str, logged: LoggedDigests) -> str:
    if place.startswith("tombstones/"):
        return attempt(lambda: _repair_tombstone(context, place, logged))
    return attempt(lambda: _repair_file(context, place))


def _repair_file(context: ArchiveContext, place: str) -> str:
    root = context.layout.root
    record = RootFiles.read(root)
    how = _FROM_RECORD if place in ROOT_FILES else _RECORD_ITSELF
    if record is None:
        if place not in PLACES:
            raise CannotRepair(path=place, reason="the record of the archive's own files is lost in both copies")
        record, how = RootFiles(dict(_as_they_are(context))), _RECORD_AS_IT_IS
    content = record.as_bytes() if place in PLACES else record.contents[place]
    with RepairTransaction.begin(context, Subject(), how) as new:
        new.write(root / place, content)
        new.commit()
    return how


def _as_they_are(context: ArchiveContext) -> Iterable[tuple[str, bytes]]:
    for place in ROOT_FILES:
        try:
            data = read_regular(context.layout.root / place)
            data.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ReadFailed(path=place, reason=str(error)) from error
        yield place, data


def _repair_tombstone(context: ArchiveContext, place: str, logged: LoggedDigests) -> str:
    path = context.layout.root / place
    for event in logged.purges:
        if context.layout.tombstone(event.project, event.resource) == path:
            data = rebuilt_tombstone(event)
            if not data:
                raise CannotRepair(path=place, reason="the event of the purge does not tell all of it")
            with RepairTransaction.begin(context, Subject(None, event.project, event.resource), _FROM_EVENT) as new:
                new.write(path, data)
                new.commit()
            return _FROM_EVENT
    told = finish_from_tombstones(context)
    if any(context.layout.tombstone(event.project, event.resource) == path for event in told):
        logged.catch_up(context.log)
        return _PURGE_FINISHED
    raise CannotRepair(path=place, reason="no event tells of it")

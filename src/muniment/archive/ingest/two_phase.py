"""Transactions over several archives: prepared in each, decided in one, committed in all.

A prepared transaction is sealed and durable, its resource is reserved, and it waits for a decision.
The decision is a record in the first archive, `staging/groups/<group>.json`: once it is there, every
part is committed, now or by a replay; while it is not, every part may be rolled back.
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, remove_tree, replace_file, sync_folder, write_file, writing
from muniment.archive.disk.layout import object_digest
from muniment.archive.disk.locks import exclusive
from muniment.archive.ingest.staging import StagingArea, TransactionRecord, read_record
from muniment.archive.package.objects import head_of
from muniment.content.identity import to_uri
from muniment.content.regular import read_regular
from muniment.content.transaction import names_part
from muniment.errors.archive import (
    DamagedRecord,
    LeftoverNotFound,
    ReadFailed,
    ResourceExists,
    ResourceReserved,
    StaleTransaction,
    TransactionForbidden,
)
from muniment.errors.base import BadInput


def reserve(context: ArchiveContext, area: StagingArea) -> None:
    """Keep everybody else from committing to the resource until this transaction is closed.

    Raises:
        ResourceReserved: Another prepared transaction has it.
        StaleTransaction, ResourceExists: Somebody committed to it meanwhile.
        DiskFull, WriteFailed: The storage refused.
    """
    if context.home is not None:
        return  # it is reserved there when all of it is
    record = area.record
    root = context.layout.object(record.project, record.id)
    with exclusive(context.object_lock(root)):
        head = head_of(root)
        if head != record.base and record.base:
            raise StaleTransaction(id=record.id, base=record.base, head=head)
        if head != record.base:
            raise ResourceExists(id=record.id, project=record.project)
        refuse_reserved(context, record)
        mark = _mark(context, record)
        make_folder(mark.parent)
        write_file(mark, record.transaction.encode("ascii"), sync=True)
        sync_folder(mark.parent)


def refuse_reserved(context: ArchiveContext, record: TransactionRecord) -> None:
    """Let a commit through unless another prepared transaction has the resource; holds the object's lock.

    Raises:
        ResourceReserved: Another has it.
    """
    mark = _mark(context, record)
    holder = _holder(mark)
    if holder in {None, record.transaction}:
        return
    if holder and (context.layout.transactions / holder).is_dir():
        raise ResourceReserved(id=record.id, transaction=holder)
    # Whoever reserved it is gone: closed, and killed before this mark was removed. What is no mark reserves nothing.
    remove_tree(mark)


def unreserve(context: ArchiveContext, record: TransactionRecord) -> None:
    """Let go of a reservation, if this transaction has one.

    Raises:
        WriteFailed: The storage refused; the next commit to the resource removes it.
    """
    if context.home is not None:
        return  # it went with the transaction
    mark = _mark(context, record)
    if _holder(mark) == record.transaction:
        with writing(mark):
            mark.unlink(missing_ok=True)


def _holder(mark: Path) -> str | None:
    """The transaction that a mark names, '' where it names none, None where there is no mark."""
    try:
        holder = read_regular(mark).decode("ascii")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        if error.errno == errno.EINVAL:  # it is no file
            return ""
        raise ReadFailed(path=mark, reason=error.strerror or str(error)) from error
    return holder if re.fullmatch(r"[0-9a-f-]{36}", holder) else ""


def decide(context: ArchiveContext, group: str, parts: Iterable[Mapping[str, str]]) -> None:
    """Record for ever that every part of a group is to be committed.

    Raises:
        TransactionForbidden: A part here, or what was decided already, is somebody else's.
        DiskFull, WriteFailed: The storage refused: nothing is decided.
    """
    parts = list(parts)
    _refuse_of_another(context, group, parts)
    record = {"group": group, "decision": "commit", "agent": str(context.agent), "parts": parts}
    if context.home is not None:
        context.home.decide(group, record)
        return
    folder = context.layout.staging / "groups"
    make_folder(folder)
    make_folder(context.layout.scratch)
    data = (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8")
    replace_file(_group(context, group), data, scratch=context.layout.scratch)
    sync_folder(folder)
    sync_folder(folder.parent)  # of the first decision the folder itself is new


def decision(context: ArchiveContext, group: str) -> dict[str, object] | None:
    """What was decided about a group in this archive, or None when nothing was.

    Raises:
        DamagedRecord: The record cannot be read.
    """
    if context.home is not None:
        return context.home.decision(group)
    path = _group(context, group)
    try:
        found = json.loads(read_regular(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedRecord(path=path, reason=str(error)) from error
    parts = found.get("parts") if isinstance(found, dict) else None
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise DamagedRecord(path=path, reason="it is no decision about parts of a group")
    return dict(found)


def is_decided(context: ArchiveContext, group: str, transaction: str) -> bool:
    """Whether it was decided here that this transaction of a group is to be committed.

    Raises:
        DamagedRecord: The record cannot be read.
    """
    return names_part(decision(context, group), transaction)


def forget(context: ArchiveContext, group: str) -> None:
    """Remove a decision all of whose parts are committed.

    Raises:
        WriteFailed: The storage refused.
    """
    if context.home is not None:
        context.home.forget(group)
        return
    path = _group(context, group)
    with writing(path):
        path.unlink(missing_ok=True)


def _refuse_of_another(context: ArchiveContext, group: str, parts: Iterable[Mapping[str, str]]) -> None:
    """Refuse to decide about what others began: it would be committed in their name."""
    known = decision(context, group)
    if known and known.get("agent", str(context.agent)) != str(context.agent):
        raise TransactionForbidden(transaction=group, agent=known["agent"])
    for part in parts:
        if part.get("archive") != context.config.id:
            continue
        with contextlib.suppress(LeftoverNotFound):
            record = read_record(context.layout.transactions / Path(part.get("transaction", "")).name)
            if record.agent != context.agent:
                raise TransactionForbidden(transaction=record.transaction, agent=record.agent)


def _mark(context: ArchiveContext, record: TransactionRecord) -> Path:
    return context.layout.staging / "reserved" / object_digest(to_uri(record.project, record.id))


def _group(context: ArchiveContext, group: str) -> Path:
    if not re.fullmatch(r"[0-9a-f-]{36}", group):
        raise BadInput(reason=f"{group!r} does not name a group of transactions")
    return context.layout.staging / "groups" / f"{group}.json"

"""Transactions that wait for a decision about several: who has reserved what, and what was decided, in the bucket.

```
intake/reserved/<object>/v<N>/<k>   put once: the transaction that has version N; a void one is followed by the next
intake/<transaction>/decided        put once: that it is committed, or was rolled back (which stays for ever)
intake/groups/<group>.json          put once, in the archive that keeps it: what was decided about a group
```

Whoever reserves puts the reservation and then looks for seals; whoever commits puts the seal and then looks for
reservations: of two that meet, at least one sees the other. A reservation is lifted by what its transaction came to,
never by its age.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from muniment.archive.bucket.intake import GROUPS, RESERVED, Intake, Seal
from muniment.archive.bucket.keys import Keys
from muniment.archive.disk.layout import object_digest
from muniment.content.identity import to_uri
from muniment.content.transaction import names_part
from muniment.errors.archive import DamagedRecord, ResourceReserved, TransactionClosed, TransactionForbidden
from muniment.errors.base import BadInput
from muniment.errors.stores import KeyNotFound, StoreUnreachable

_TRIES = 50
COMMIT, BACK = "commit", "rolled back"
Version = tuple[str, str, int]
"""Project, resource and number."""


def reserve(keys: Keys, transaction: str, versions: Iterable[Version], others: Callable[[], Iterable[str]]) -> None:
    """Have versions for a transaction that is not sealed yet, and nobody else on the way to any of them.

    `others` gives the transactions that may still come to something.

    Raises:
        ResourceReserved: Somebody else has one, or is sealed already.
        StoreUnreachable, StoreFailed, StoreRefused: It was not done, or nobody can tell.
    """
    wanted = list(versions)
    for version in sorted(wanted):
        _reserve_one(keys, transaction, version)
    for other in others():
        seal = _seal(keys, other) if other != transaction else None
        for each in seal.objects if seal is not None else ():
            if (each.project, each.id, each.number) in wanted and _standing(keys, other) == "sealed":
                raise ResourceReserved(id=each.id, transaction=other)


def holder(keys: Keys, version: Version) -> tuple[str, str]:
    """The transaction that has a version reserved and what it is by now, `open` or `sealed`; '' where none has.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    found = _last(keys, version)
    if not found[1]:
        return "", ""
    standing = _standing(keys, found[1])
    return ("", "") if standing == "void" else (found[1], standing)


def refuse_prepared(keys: Keys, version: Version) -> None:
    """Refuse to begin sending what could not be committed now.

    Raises:
        ResourceReserved: A prepared transaction has the version.
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    other, standing = holder(keys, version)
    if standing == "sealed":
        raise ResourceReserved(id=version[1], transaction=other)


def refuse_reserved(keys: Keys, transaction: str, versions: Iterable[Version], by: str) -> None:
    """Let a sealed transaction go on to commit, unless another that is prepared has one of its versions.

    Who has reserved and not sealed yet is passed: it finds that out when it tries.

    Raises:
        ResourceReserved: Another has it.
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    for version in versions:
        other, standing = holder(keys, version)
        if standing == "open" and other != transaction:
            Intake(keys, other).kill(by)
            other, standing = holder(keys, version)
        if other not in {"", transaction}:
            raise ResourceReserved(id=version[1], transaction=other)


def release(keys: Keys, versions: Iterable[Version]) -> None:
    """Remove reservations of versions that stand: nobody asks for them any more.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
    """
    for version in versions:
        keys.remove([each.key for each in keys.list(_place(version))])


def settle(keys: Keys, transaction: str, verdict: str) -> str:
    """Decide once whether a prepared transaction is committed or rolled back; what was decided, whoever did.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: Nobody can tell.
    """
    place = Intake(keys, transaction).decided
    if keys.put_once(place, json.dumps({"decision": verdict, "transaction": transaction}).encode()):
        return verdict
    return decided(keys, transaction) or verdict


def decided(keys: Keys, transaction: str) -> str:
    """What was decided about a prepared transaction, '' where nothing was.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    record = _read(keys, Intake(keys, transaction).decided)
    return "" if record is None else str(record.get("decision", ""))


def decide(keys: Keys, group: str, record: Mapping[str, Any]) -> None:
    """Record for ever that every part of a group is to be committed.

    Raises:
        TransactionForbidden: It was decided by somebody else.
        TransactionClosed: It was rolled back.
        StoreUnreachable: Nobody can tell.
    """
    if keys.put_once(_group(group), (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8")):
        return
    known = decision(keys, group) or {}
    if known.get("decision") == BACK:
        raise TransactionClosed(id=group, how=BACK)
    if known.get("agent") != record.get("agent"):
        raise TransactionForbidden(transaction=group, agent=known.get("agent", ""))


def decision(keys: Keys, group: str) -> dict[str, Any] | None:
    """What was decided about a group, or None when nothing was.

    Raises:
        DamagedRecord: The record cannot be read.
    """
    found = _read(keys, _group(group))
    if found is not None and not isinstance(found.get("parts"), list):
        raise DamagedRecord(path=_group(group), reason="it is no decision about parts of a group")
    return found


def forget(keys: Keys, group: str) -> None:
    """Remove a decision all of whose parts are committed.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It was not done.
    """
    known = decision(keys, group)
    if known is not None and known.get("decision") == COMMIT:
        keys.remove([_group(group)])


def give_up(keys: Keys, seal: Seal, archive: str) -> None:
    """Decide that a prepared transaction is never committed; where its group is decided here, that this is not either.

    Raises:
        TransactionClosed: It was decided that it be committed.
        StoreUnreachable, StoreFailed, StoreRefused: Nobody can tell.
    """
    if seal.decided_at == archive:
        record = {"group": seal.group, "decision": BACK, "parts": []}
        if not keys.put_once(_group(seal.group), json.dumps(record).encode()):
            known = decision(keys, seal.group)
            if names_part(known, seal.transaction):
                raise TransactionClosed(id=seal.objects[0].id, how="decided to be committed, with its group")
    if settle(keys, seal.transaction, BACK) != BACK:
        raise TransactionClosed(id=seal.objects[0].id, how="committed")


def verdict_of(keys: Keys, seal: Seal, archive: str) -> str:
    """What a prepared transaction came to, by its own record or by its group's where that is here; '' where open.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    known = decided(keys, seal.transaction)
    if known or seal.decided_at != archive:
        return known
    with contextlib.suppress(DamagedRecord):
        record = decision(keys, seal.group)
        if record is not None:
            return settle(keys, seal.transaction, COMMIT if names_part(record, seal.transaction) else BACK)
    return ""


def _reserve_one(keys: Keys, transaction: str, version: Version) -> None:
    for _ in range(_TRIES):
        count, last = _last(keys, version)
        if last == transaction:
            return
        if last and _standing(keys, last) != "void":
            raise ResourceReserved(id=version[1], transaction=last)
        if keys.put_once(f"{_place(version)}{count + 1}", transaction.encode("ascii")):
            return
    raise StoreUnreachable(store=str(keys), reason=f"others were first {_TRIES} times in a row")


def _last(keys: Keys, version: Version) -> tuple[int, str]:
    """The count and the transaction of the newest reservation of a version, 0 and '' where there is none."""
    place = _place(version)
    counts = [int(each.key.removeprefix(place)) for each in keys.list(place)]
    if not counts:
        return 0, ""
    with contextlib.suppress(KeyNotFound), keys.open(f"{place}{max(counts)}") as stream:
        return max(counts), stream.read().decode("ascii", "replace")
    return max(counts), ""


def _standing(keys: Keys, transaction: str) -> str:
    """Whether a transaction is `open`, `sealed`, or `void`: killed or rolled back, for ever."""
    if decided(keys, transaction) == BACK:
        return "void"
    try:
        return "void" if Intake(keys, transaction).read_end() is None else "sealed"
    except KeyNotFound:
        return "open"
    except DamagedRecord:
        return "sealed"


def _seal(keys: Keys, transaction: str) -> Seal | None:
    intake = Intake(keys, transaction)
    with contextlib.suppress(KeyNotFound, DamagedRecord):
        seal = intake.read_end()
        if seal is not None and keys.stat(intake.quarantined) is None:
            return seal
    return None


def _read(keys: Keys, key: str) -> dict[str, Any] | None:
    try:
        with keys.open(key) as stream:
            found = json.loads(stream.read())
    except KeyNotFound:
        return None
    except (ValueError, RecursionError) as error:
        raise DamagedRecord(path=key, reason=str(error)) from error
    return dict(found) if isinstance(found, dict) else {}


def _place(version: Version) -> str:
    project, resource, number = version
    return f"{RESERVED}{object_digest(to_uri(project, resource))}/v{number}/"


def _group(group: str) -> str:
    if not re.fullmatch(r"[0-9a-f-]{36}", group):
        raise BadInput(reason=f"{group!r} does not name a group of transactions")
    return f"{GROUPS}{group}.json"

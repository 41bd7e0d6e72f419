"""Finishing in a bucket what a machine left there that ended in the middle: by anybody, beside living writers.

A sealed transaction is committed and laid out; one that was never sealed is killed when nothing of it changed for
days by the store's clock. What is decided is decided by a put that happens once; ages only say when it is tried.
"""

from __future__ import annotations

import contextlib
import json
import time
from datetime import datetime

from muniment.archive.bucket.groups import BACK, COMMIT, decided
from muniment.archive.bucket.home import BucketHome
from muniment.archive.bucket.intake import Intake, Seal
from muniment.archive.bucket.log import BucketLog
from muniment.content.archive import Leftover
from muniment.content.events import Event
from muniment.content.times import now
from muniment.errors.archive import DamagedRecord, ResourceReserved
from muniment.errors.stores import ChangeRefused, KeyNotFound

ABANDONED = 7 * 86_400.0
"""Seconds without a change after which an upload that was never sealed is killed."""


def recover(home: BucketHome, log: BucketLog, by: str, *, abandoned: float = ABANDONED) -> list[Event]:
    """Finish everything that was sealed, and kill what was abandoned; the events that say what was done.

    Any number of openings may do this at once.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: Not all was done; the next opening goes on.
    """
    done: list[Event] = []
    for transaction in home.killed.standing():
        # What the bucket does not let go of (it locks everything, or nobody may delete) stays, and is tried again.
        with contextlib.suppress(ChangeRefused):
            done += _settle(home, log, Intake(home.keys, transaction), by, abandoned)
    return done


def _settle(home: BucketHome, log: BucketLog, intake: Intake, by: str, abandoned: float) -> list[Event]:
    try:
        seal = intake.read_end()
    except KeyNotFound:
        if home.keys.stat(intake.decided) is not None:
            intake.clear_to_mark()  # it was rolled back: the mark stays
            home.killed.note(intake.transaction)
            return []
        if not _is_abandoned(intake, abandoned) or not intake.kill(by):
            return []
        detail = {"note": "an upload that was never sealed was rolled back", "of": intake.transaction}
        told = log.append([Event("recovery", "muniment", detail=detail)])
        intake.clear(keep_end=True)
        return told
    except DamagedRecord:
        return []  # an audit names it
    if seal is None:
        intake.clear(keep_end=True)  # the mark stays, so that a writer that wakes up can never seal it
        home.killed.note(intake.transaction)
    elif home.keys.stat(intake.quarantined) is None:
        verdict = home.verdict(seal) if seal.group else COMMIT
        if verdict == BACK:
            intake.clear_to_mark()
        elif verdict == COMMIT:
            with contextlib.suppress(ResourceReserved):  # it waits for what is decided about another
                return _finish(home, log, intake, seal)
    return []


def leftovers(home: BucketHome) -> list[Leftover]:
    """The uploads in the bucket that were neither sealed nor killed, whoever makes them, and parts of groups that wait.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    found = []
    for transaction in home.killed.standing():
        intake = Intake(home.keys, transaction)
        seal = None
        with contextlib.suppress(KeyNotFound, DamagedRecord):
            seal = intake.read_end()
            if seal is None or not seal.group or decided(home.keys, transaction):
                continue
        with contextlib.suppress(KeyNotFound, ValueError, KeyError), home.keys.open(intake.begin) as stream:
            record = json.loads(stream.read())
            what = (seal.objects[0].project, seal.objects[0].id, seal.objects[0].number - 1) if seal else ("", "", 0)
            files = sum(len(each.files) for each in seal.objects) if seal else 0
            waits = (seal.group, seal.decided_at) if seal else ("", "")
            found.append(Leftover(transaction, *what, str(record["began"]), files, str(record["by"]), *waits))
    return found


def _finish(home: BucketHome, log: BucketLog, intake: Intake, seal: Seal) -> list[Event]:
    committed = [home.is_committed(each.project, each.id, each.number, seal.transaction) for each in seal.objects]
    if not all(committed):
        try:
            lost = home.commit(seal, lambda count: home.staged_inventory(intake, count))
        except KeyNotFound:
            intake.clear()  # another was first, and it was being cleared
            return []
        if lost is not None:
            taken = seal.objects[lost]
            return _set_aside(home, log, intake, seal, f"instance {taken.number} of {taken.id!r} is another's")
    elif not all(home.is_as_sealed(each) for each in seal.objects):
        return _set_aside(home, log, intake, seal, "the bucket holds another inventory than was sealed")
    home.finish(seal)
    if all(committed):
        return []
    return log.append([_event(seal, "recovery", "a complete instance was committed")])


def _set_aside(home: BucketHome, log: BucketLog, intake: Intake, seal: Seal, reason: str) -> list[Event]:
    """Mark what was sealed and cannot be committed; its bytes stay until a person says."""
    mark = json.dumps({"quarantined": now(), "reason": reason, "transaction": seal.transaction}).encode("utf-8")
    if not home.keys.put_once(intake.quarantined, mark):
        return []
    return log.append([_event(seal, "quarantine", reason)])


def _event(seal: Seal, kind: str, note: str) -> Event:
    first = seal.objects[0]
    detail = {"note": note, "of": seal.transaction}
    return Event(kind, "muniment", first.project, first.id, first.head, detail=detail)


def _is_abandoned(intake: Intake, seconds: float) -> bool:
    changed = intake.changed()
    return bool(changed) and time.time() - datetime.fromisoformat(changed).timestamp() > seconds

"""Marks of transactions that came to nothing stay in a bucket for ever, and cost next to nothing."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import pytest

from muniment.archive.bucket import home, recovery
from muniment.archive.bucket.killed import KilledTransactions
from muniment.archive.bucket.publication import others_committed
from muniment.errors.archive import TransactionRolledBack
from muniment.errors.stores import StoreUnreachable
from muniment.testing.keys import FolderKeys, Killed, Request
from tests.crash.buckets import make_new, opened, prepare

pytestmark = pytest.mark.usefixtures("unsynced")

WEEK = 7 * 86_400.0


def leave_marks(keys: FolderKeys, count: int) -> None:
    """What is left of transactions that were killed, and of parts of groups that were given up."""
    for number in range(count):
        keys.put_once(f"intake/00-killed-{number}/end", json.dumps({"killed": "long ago", "by": "Bob"}).encode())
        keys.put_once(f"intake/00-given-up-{number}/decided", json.dumps({"decision": "rolled back"}).encode())


def test_a_machine_asks_for_what_came_to_nothing_once_a_week_however_much_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, "preservation")
    now = time.time()
    monkeypatch.setattr(home, "KilledTransactions", partial(KilledTransactions, clock=lambda: now))

    def opening() -> int:
        keys = FolderKeys(tmp_path / "bucket")
        with opened(keys, tmp_path / "state") as archive:
            assert archive.leftovers() == []
        return len(keys.requests)

    few = opening()
    leave_marks(keys := FolderKeys(tmp_path / "bucket"), 20)
    assert opening() > few + 2 * 20
    assert opening() == few
    keys.put("intake/00-killed-3/pack/1", b"from a writer that woke up")
    assert opening() == few
    now += WEEK
    assert opening() > few + 2 * 20
    assert keys.stat("intake/00-killed-3/pack/1") is None
    assert keys.stat("intake/00-killed-3/end"), "the mark itself stays"
    assert opening() == few
    assert len(list((tmp_path / "state").glob("*/intake/*"))) == 1, "of weeks gone by nothing is kept"


def test_marks_hide_nobody_who_has_something_to_tell(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    leave_marks(FolderKeys(tmp_path / "bucket"), 40)
    keys = FolderKeys(tmp_path / "bucket")

    def die(_: int, request: Request, when: str) -> None:
        if (when, request.kind) == ("before", "put once") and request.key.startswith("events/"):
            raise Killed

    with opened(FolderKeys(tmp_path / "bucket"), tmp_path / "other") as other:
        with opened(keys, tmp_path / "state") as archive:
            keys.fault = die
            with pytest.raises(Killed):
                make_new(archive)
            keys.fault = None
        assert [seal.objects[0].id for seal in others_committed(other.home, "mine")] == ["two"]


@pytest.mark.parametrize("cut_off", [False, True], ids=["when it seals", "when it is cut off"])
def test_a_writer_that_was_killed_while_it_uploaded_takes_what_it_brought_with_it(
    tmp_path: Path, cut_off: bool
) -> None:
    prepare(tmp_path, "preservation")
    keys = FolderKeys(tmp_path / "bucket")

    def be_late(_: int, request: Request, when: str) -> None:
        if (request.kind, when) != ("put", "before") or not request.key.startswith("intake/"):
            return
        if request.key.endswith("/pack/1"):
            with opened(FolderKeys(tmp_path / "bucket"), tmp_path / "other") as other:
                recovery.recover(other.home, other.home.log, "early", abandoned=-1.0)
        elif cut_off and request.key.endswith("/inventory.json"):
            raise StoreUnreachable(store=str(keys), reason="cut")

    with opened(keys, tmp_path / "state") as archive:
        new = archive.new("two")
        new.add(b"late\n", "late.txt")
        keys.fault = be_late
        with pytest.raises(StoreUnreachable if cut_off else TransactionRolledBack):
            new.commit()
        keys.fault = None
    assert [each.key.split("/")[2] for each in keys.list("intake/")] == ["end"]

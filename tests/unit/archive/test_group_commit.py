"""Threads that append to the log at once share a flush, and each is told what became of its own events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.context import ArchiveContext
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.eventlog import log as event_log
from muniment.archive.eventlog.group_commit import GroupCommit
from muniment.archive.eventlog.log import EventLog
from muniment.content.events import Event
from muniment.errors.archive import DiskFull, WriteFailed
from tests.timing import PATIENCE, eventually

Drafts = list[Event]


def draft(name: str) -> Event:
    return Event("ingestion", "somebody", resource=name)


class Held:
    """An append whose first call waits until all others stand behind it; what it was given is noted."""

    def __init__(self, append: Callable[[Drafts], Drafts] = list) -> None:
        self.groups: list[list[str]] = []
        self.go = threading.Event()
        self._append = append

    def __call__(self, drafts: Drafts) -> Drafts:
        self.groups.append([each.resource for each in drafts])
        if len(self.groups) == 1:
            assert self.go.wait(60)
            return drafts
        return self._append(drafts)


def _wait_for(together: GroupCommit, count: int) -> bool:
    return len(together._waiting) == count


def all_at_once(held: Held, together: GroupCommit, *asked: Drafts) -> list[Future[Drafts]]:
    """One thread appends, and while it does, one after the other asks for its drafts."""
    with ThreadPoolExecutor(len(asked) + 1) as pool:
        first = pool.submit(together.append, [draft("first")])
        eventually(lambda: bool(held.groups), every=0.001)
        found = []
        for count, each in enumerate(asked, 1):
            found.append(pool.submit(together.append, each))
            eventually(partial(_wait_for, together, count), every=0.001)
        held.go.set()
        assert [event.resource for event in first.result(60)] == ["first"]
    return found


def names(events: Drafts) -> list[str]:
    return [event.resource for event in events]


def test_those_who_wait_are_stored_together_and_each_gets_its_own() -> None:
    held = Held()
    together = GroupCommit(held)
    one, two, none = all_at_once(held, together, [draft("a"), draft("b")], [draft("c")], [])
    assert held.groups == [["first"], ["a", "b", "c"]]
    assert (names(one.result()), names(two.result()), none.result()) == (["a", "b"], ["c"], [])


def test_what_the_storage_refuses_is_refused_to_all_of_them_and_not_tried_again() -> None:
    def full(_: Drafts) -> Drafts:
        raise DiskFull(path="x")

    held = Held(full)
    for each in all_at_once(held, GroupCommit(held), [draft("a")], [draft("b")]):
        with pytest.raises(DiskFull):
            each.result()
    assert held.groups == [["first"], ["a", "b"]]


def test_what_cannot_be_written_is_refused_to_whom_it_belongs_alone() -> None:
    def write(drafts: Drafts) -> Drafts:
        if any(each.resource == "bad" for each in drafts):
            raise TypeError
        return drafts

    held = Held(write)
    good, bad, other = all_at_once(held, GroupCommit(held), [draft("a")], [draft("bad")], [draft("b")])
    assert (names(good.result()), names(other.result())) == (["a"], ["b"])
    with pytest.raises(TypeError):
        bad.result()
    assert sorted(held.groups) == sorted([["first"], ["a", "bad", "b"], ["a"], ["bad"], ["b"]])


def test_an_interruption_leaves_nobody_waiting() -> None:
    def stop(_: Drafts) -> Drafts:
        raise KeyboardInterrupt

    held = Held(stop)
    together = GroupCommit(held)
    interrupted, told = all_at_once(held, together, [draft("a")], [draft("b")])
    failures = {type(each.exception()) for each in (interrupted, told)}
    assert failures == {KeyboardInterrupt, WriteFailed}
    held._append = list
    assert names(together.append([draft("later")])) == ["later"]


def test_alone_nothing_is_shared() -> None:
    held = Held()
    held.go.set()
    together = GroupCommit(held)
    together.append([draft("a")])
    together.append([draft("b")])
    assert held.groups == [["a"], ["b"]]


@pytest.mark.parametrize("worm", [False, True])
def test_what_many_threads_append_is_one_whole_chain(tmp_path: Path, *, worm: bool) -> None:
    with Archive.init(tmp_path / "archive", mode="worm" if worm else "preservation", redundancy=0, workers=0):
        pass
    log = EventLog(ArchiveLayout(tmp_path / "archive", tmp_path / "archive"), worm=worm)
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda number: log.append([draft(f"{number}"), draft(f"{number}")]), range(40)))
    events = list(log.read())[1:]
    assert sorted(event.seq for each in stored for event in each) == [event.seq for event in events]
    assert {each[0].seq + 1 == each[1].seq and each[0].resource == each[1].resource for each in stored} == {True}
    with Archive(tmp_path / "archive", workers=0) as archive:
        # What the events speak of is not there; the log itself is whole.
        assert {finding.code for finding in archive.audit()} == {"M304"}


def test_commits_of_several_threads_share_flushes_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appended: list[int] = []
    together = threading.Barrier(8, timeout=PATIENCE)
    real, real_append = event_log._append, EventLog.append

    def slowly(path: Path, data: bytes) -> int:
        appended.append(data.count(b"\n"))
        if len(appended) == 1:
            eventually(partial(_wait_for, archive.context.log._group, 8 - appended[0]), every=0.001)
        return real(path, data)

    def at_once(log: EventLog, drafts: Iterable[Event]) -> Drafts:
        # Whoever has not come as far when the first one writes might wait for what that one holds.
        events = list(drafts)
        if events[0].event == "ingestion":
            together.wait()
        return real_append(log, events)

    with Archive.init(tmp_path / "archive", redundancy=0, workers=0) as archive:
        monkeypatch.setattr(event_log, "_append", slowly)
        monkeypatch.setattr(EventLog, "append", at_once)
        monkeypatch.setattr(ArchiveContext, "object_lock", lambda self, root: self.layout.locks / root.name)

        def add(number: int) -> None:
            with archive.new(f"{number}") as transaction:
                transaction.add(b"%d" % number, "f")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, range(8)))
        assert sum(appended) == 8
        assert len(appended) == 2
        assert not list(archive.audit())


def test_what_is_settled_is_known_while_more_is_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Archive.init(tmp_path / "archive", redundancy=0, workers=0) as archive:
        log = archive.context.log
        before, seen = log.settled_head(), []
        real = event_log._append

        def look(path: Path, data: bytes) -> int:
            size = real(path, data)
            # Its line is there, and in time to come it may be taken back.
            seen.append((log.head(), log.settled_head()))
            return size

        monkeypatch.setattr(event_log, "_append", look)
        (event,) = log.append([draft("x")])
        ((written, settled),) = seen
        assert settled == before
        assert written == log.head() == log.settled_head()
        assert written.seq == event.seq

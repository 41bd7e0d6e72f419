"""Transactions over several archives, one of them or all in a bucket: to all or to none, whoever is killed when."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment import Archive
from muniment.app.bucket import BucketArchive
from muniment.content.identity import new_uuid
from muniment.errors.archive import (
    CommitUncertain,
    ResourceReserved,
    StaleTransaction,
    TransactionClosed,
    TransactionRolledBack,
)
from muniment.errors.base import MunimentError
from muniment.errors.stores import StoreUnreachable
from muniment.testing.keys import FolderKeys, Killed, Request
from muniment.workflows.two_phase import resolve, two_phase_commit
from tests.crash.buckets import AGENT, opened, prepare, refuse_lost_bytes, refuse_strangers

pytestmark = pytest.mark.usefixtures("unsynced")

FAULTS = tuple(itertools.product((Killed, StoreUnreachable), ("before", "after")))
STRUCK = pytest.mark.parametrize(
    ("every", "faults"),
    [
        pytest.param(9, ((Killed, "after"), (StoreUnreachable, "before")), id="some"),
        *(
            pytest.param(1, ((error, moment),), id=f"each {error.__name__} {moment}", marks=pytest.mark.nightly)
            for error, moment in FAULTS
        ),
    ],
)


class Pair:
    """Two archives, both in buckets or the second in a folder; each opened by who asks for them."""

    def __init__(self, folder: Path, kind: str, of: Path | None = None) -> None:
        """They are made, or a copy `of` others."""
        self.folder, self.kind = folder, kind
        if of is not None:
            shutil.copytree(of, folder)
            return
        prepare(folder / "first", "preservation")
        if kind == "buckets":
            prepare(folder / "second", "preservation")
        else:
            with Archive.init(folder / "second", agent=AGENT, workers=0) as archive, archive.new("one") as transaction:
                transaction.add(b"first\n", "a.txt")

    def again(self, folder: Path) -> Pair:
        """A copy of both in another folder."""
        return Pair(folder, self.kind, self.folder)

    @contextlib.contextmanager
    def opened(self, machine: str, keys: FolderKeys | None = None) -> Iterator[tuple[BucketArchive, BucketArchive]]:
        """Both, by one machine; `keys` are those of the first."""
        with contextlib.ExitStack() as stack:
            first = opened(keys or FolderKeys(self.folder / "first/bucket"), self.folder / machine / "first")
            stack.callback(first.close)
            if self.kind == "buckets":
                second = opened(FolderKeys(self.folder / "second/bucket"), self.folder / machine / "second")
            else:
                second = Archive(self.folder / "second", agent=AGENT, workers=0)  # type: ignore[assignment] # as one
            stack.callback(second.close)
            yield first, second


def change(first: BucketArchive, second: BucketArchive) -> None:
    """The next instance of a resource here, and a new resource there."""
    with two_phase_commit((first, first.get("one", "a")), (second, second.new("two"))) as (here, there):
        here.add(b"here\n", "here.txt")
        there.add(b"there\n", "there.txt")


def judge(pair: Pair, keys: FolderKeys, heard: str, struck: str) -> None:
    """What other machines make of a group that was struck somewhere, and what its writer was told, fit."""
    with pair.opened("other") as both:
        resolve(*both)
        for archive in both:
            archive.recover()
    refuse_lost_bytes(keys)
    refuse_strangers(keys)
    # And the writer's machine finds what it had begun finished.
    with pair.opened("writer") as both:
        resolve(*both)
    with pair.opened("judge") as (first, second):
        new = first.get("one").number == 3
        assert second.exists("two") == new, (struck, heard)
        assert heard != "done" or new
        for archive in (first, second):
            assert [finding.as_json() for finding in archive.audit() if finding.failed] == []
            for left in archive.leftovers():  # what was never sealed is listed, for as long as it may be at work
                assert (heard, left.group) == ("nothing", "")
                archive.roll_back(left.transaction)
            assert archive.leftovers() == []
        with first.get("one", "a") as transaction:  # nothing stays reserved
            transaction.add(b"after\n", "after.txt")


@pytest.mark.parametrize("kind", ["buckets", "a folder too"])
@STRUCK
def test_killed_at_any_request_a_group_is_committed_whole_or_not_at_all(
    tmp_path: Path,
    kind: str,
    every: int,
    faults: tuple[tuple[type[BaseException], str], ...],
    record_property: Callable[[str, object], None],
) -> None:
    prepared_pair = Pair(tmp_path / "prepared", kind)

    def strike(at: int, error: type[BaseException], moment: str) -> bool:
        """Whether it came so far."""
        pair = prepared_pair.again(tmp_path / f"{at}-{error.__name__}-{moment}")
        keys = FolderKeys(pair.folder / "first/bucket")
        struck = False

        def fault(number: int, request: Request, when: str) -> None:
            nonlocal struck
            if number == at and when == moment:
                struck = True
                raise error(**({} if error is Killed else {"store": str(keys), "reason": str(request)}))

        heard = "nothing"
        with pair.opened("writer", keys) as (first, second):
            begun = len(keys.requests)
            at += begun
            keys.fault = fault
            try:
                change(first, second)
                heard = "done"
            except Killed:
                pass  # nobody heard anything
            except MunimentError:
                heard = "failed"
            finally:
                keys.fault = None
        judge(pair, keys, heard, f"{at - begun} {error.__name__} {moment}")
        shutil.rmtree(pair.folder)
        return struck

    whole = prepared_pair.again(tmp_path / "whole")
    keys = FolderKeys(whole.folder / "first/bucket")
    with whole.opened("writer", keys) as (first, second):
        begun = len(keys.requests)
        change(first, second)
        count = len(keys.requests) - begun
    ends = [[strike(at, *fault) for fault in faults] for at in range(1, count + 1, every)]
    record_property("struck", sum(map(sum, ends)))
    assert all(all(each) for each in ends)


def prepared(archive: BucketArchive, group: str) -> str:
    """The transaction of a prepared next instance of `one`, left to itself."""
    transaction = archive.get("one", "a", message="prepared")
    transaction.add(b"prepared\n", "prepared.txt")
    transaction.prepare(group, archive.config.id)
    transaction.leave()
    return transaction.transaction


def test_what_is_reserved_is_nobody_else_s_until_its_group_is_decided(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    keys, group = FolderKeys(tmp_path / "bucket"), new_uuid()
    with opened(keys, tmp_path / "one") as archive, opened(FolderKeys(keys.folder), tmp_path / "two") as other:
        name = prepared(archive, group)
        late = other.get("one", "a")
        late.add(b"late\n", "late.txt")
        with pytest.raises(ResourceReserved):
            late.commit()
        again = other.get("one", "a")
        again.add(b"again\n", "again.txt")
        with pytest.raises(ResourceReserved):
            again.prepare(new_uuid(), other.config.id)
        again.rollback()
        assert other.recover() == []
        [left] = other.leftovers()
        assert (left.transaction, left.group, left.decided_at) == (name, group, other.config.id)
        other.decide(group, [{"archive": other.config.id, "transaction": name}])
        with pytest.raises(TransactionClosed):
            other.roll_back(name)
        [event] = other.recover()
        assert event.event == "recovery"
        assert other.get("one").read("prepared.txt") == b"prepared\n"
        other.forget(group)
        assert other.decision(group) is None
    with opened(keys, tmp_path / "one") as archive:
        assert archive.leftovers() == []
        assert archive.get("one").number == 3
        assert {each.key.split("/")[2] for each in keys.list("intake/")} == {"end"}, "the mark of who was refused"


def test_what_was_rolled_back_reserves_nothing_and_is_never_committed(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    keys, group = FolderKeys(tmp_path / "bucket"), new_uuid()
    with opened(keys, tmp_path / "one") as archive, opened(FolderKeys(keys.folder), tmp_path / "two") as other:
        name = prepared(archive, group)
        other.roll_back(name)
        with pytest.raises(TransactionClosed):
            archive.decide(group, [{"archive": archive.config.id, "transaction": name}])
        with pytest.raises(TransactionRolledBack):
            archive.replay(name)
        second = prepared(other, new_uuid())
        other.replay(second)
        assert archive.get("one").read("prepared.txt") == b"prepared\n"
        assert [finding.as_json() for finding in archive.audit() if finding.failed] == []


def test_a_writer_and_a_group_that_meet_never_both_have_a_version(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    place = tmp_path / "bucket"

    def alone(turn: int) -> str:
        with opened(FolderKeys(place), tmp_path / f"alone-{turn}") as archive:
            transaction = archive.get("one", "a", message=f"alone {turn}")
            transaction.add(b"alone\n", f"alone-{turn}.txt")
            try:
                transaction.commit()
            except (ResourceReserved, StaleTransaction):
                return "refused"
            except CommitUncertain:
                return "uncertain"
            return "done"

    def together(turn: int) -> str:
        with opened(FolderKeys(place), tmp_path / f"together-{turn}") as archive:
            begun = archive.get("one", "a", message=f"together {turn}"), archive.new(f"other {turn}")
            try:
                with two_phase_commit((archive, begun[0]), (archive, begun[1])) as parts:
                    for part in parts:
                        part.add(b"together\n", f"together-{turn}.txt")
            except (ResourceReserved, StaleTransaction, TransactionRolledBack):
                return "refused"
            return "done"

    told: dict[str, str] = {}
    with ThreadPoolExecutor(2) as pool:
        for turn in range(6):
            both = pool.submit(alone, turn), pool.submit(together, turn)
            told |= {f"alone {turn}": both[0].result(), f"together {turn}": both[1].result()}
    with opened(FolderKeys(place), tmp_path / "judge") as archive:
        resolve(archive)
        archive.recover()
        there = [found.message for found in archive.history("one")]
        assert len(set(there)) == len(there)
        assert {each for each, how in told.items() if how == "done"} <= set(there)
        assert not {each for each, how in told.items() if how == "refused"} & set(there)
        assert {f"other {turn}" for turn in range(6) if told[f"together {turn}"] == "done"} == set(archive) - {"one"}
        assert [finding.as_json() for finding in archive.audit() if finding.failed] == []
    assert "done" in told.values()

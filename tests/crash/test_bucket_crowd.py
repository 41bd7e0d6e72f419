"""Many writers of one bucket with recoverers that are killed among them: nothing lost, nothing torn, nothing twice."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.app.bucket import BucketArchive
from muniment.archive.bucket import recovery
from muniment.archive.bucket.killed import KilledTransactions
from muniment.errors.archive import CommitUncertain, TransactionRolledBack
from muniment.errors.base import MunimentError
from muniment.errors.stores import StoreUnreachable
from muniment.testing.keys import Fault, FolderKeys, Killed, Request
from tests.crash.buckets import content_of, judge_raw, opened, prepare, refuse_lost_bytes, refuse_strangers
from tests.crash.judging import assert_whole

pytestmark = pytest.mark.usefixtures("unsynced")


class Crowd:
    """Machines that write to a few resources of one bucket; what each was told of its commits, by message."""

    def __init__(self, folder: Path, resources: int) -> None:
        self.folder = folder
        self.resources = [f"r{number}" for number in range(resources)]
        self.told: dict[str, str] = {}
        self._turns = itertools.count()
        self.ended = threading.Event()

    def write(self, number: int, commits: int) -> None:
        """Commit so often, now and then struck by a fault.

        A machine that died begins anew with what it has of its state, and now and then with nothing.
        """
        dice = random.Random(number)
        left, state = commits, self.folder / f"machine-{number}"
        while left:
            if dice.random() < 0.1:
                state = self.folder / f"machine-{number}-{next(self._turns)}"
            keys = FolderKeys(self.folder / "bucket")
            try:
                with opened(keys, state) as archive:
                    while left:
                        left -= 1
                        keys.fault = _strike(len(keys.requests) + dice.randint(1, 40), dice) if left % 4 == 0 else None
                        self.told[f"{number}/{left}"] = _told(archive, dice.choice(self.resources), number, left)
            except Killed:
                self.told.setdefault(f"{number}/{left}", "killed")
            except MunimentError:
                continue  # it could not even open

    def recover(self, number: int) -> None:
        """Recover again and again, each time killed somewhere, as long as others write.

        Now and then for a machine whose clock says that whatever was not sealed by now is abandoned: it kills the
        uploads of the living.
        """
        dice = random.Random(1000 + number)
        while not self.ended.is_set():
            keys = FolderKeys(self.folder / "bucket")
            keys.fault = _strike(dice.randint(1, 60), dice)
            with (
                contextlib.suppress(Killed, MunimentError),
                opened(keys, self.folder / f"recoverer-{number}") as archive,
            ):
                if dice.random() < 0.2:
                    recovery.recover(archive.home, archive.home.log, "early", abandoned=-1.0)


def _told(archive: BucketArchive, id: str, number: int, turn: int) -> str:
    """Make a resource or its next instance, in which a writer's file is put anew; what the writer is told."""
    message = f"{number}/{turn}"
    try:
        begun = archive.get(id, "a", message=message) if archive.exists(id) else archive.new(id, message=message)
        with begun as transaction:
            transaction.add(f"{message}\n".encode(), f"{number}.txt")
    except CommitUncertain:
        return "uncertain"
    except TransactionRolledBack:
        return "rolled back"
    except MunimentError:
        return "refused"
    return "done"


def _strike(at: int, dice: random.Random) -> Fault:
    error = dice.choice((Killed, StoreUnreachable))
    moment = dice.choice(("before", "after"))

    def fault(number: int, request: Request, when: str) -> None:
        if number == at and when == moment:
            raise error(**({} if error is Killed else {"store": "s3://bucket/archive", "reason": f"cut at {request}"}))

    return fault


@pytest.mark.parametrize(
    ("writers", "commits"),
    [
        pytest.param(3, 8, id="3 writers"),
        pytest.param(2, 200, id="2 writers, 200 each", marks=pytest.mark.nightly),
        pytest.param(16, 200, id="16 writers, 200 each", marks=pytest.mark.nightly),
    ],
)
def test_of_a_crowd_with_recoverers_that_are_killed_nothing_is_lost_torn_or_doubled(
    tmp_path: Path, writers: int, commits: int, record_property: Callable[[str, object], None]
) -> None:
    prepare(tmp_path, "preservation")
    crowd = Crowd(tmp_path, 1 + writers * commits // 100)
    with ThreadPoolExecutor(writers + 2) as pool:
        recovering = [pool.submit(crowd.recover, number) for number in range(2)]
        try:
            for done in [pool.submit(crowd.write, number, commits) for number in range(writers)]:
                done.result()
        finally:
            crowd.ended.set()
        for each in recovering:
            each.result()
    for how, count in Counter(crowd.told.values()).items():
        record_property(how, count)
    keys = FolderKeys(tmp_path / "bucket")
    refuse_lost_bytes(keys)
    refuse_strangers(keys)
    with opened(keys, tmp_path / "judge") as archive:
        recovery.recover(archive.home, archive.home.log, "judge", abandoned=-1.0)
        histories = {id: list(archive.history(id)) for id in archive if id != "one"}
        messages = Counter(found.message for history in histories.values() for found in history)
        assert max(messages.values()) == 1, "nothing is there twice"
        there = set(messages)
        assert {each for each, told in crowd.told.items() if told == "done"} <= there, "nothing that was done is lost"
        refused = {each for each, told in crowd.told.items() if told in {"refused", "rolled back"}}
        assert not refused & there, "nor there after all"
        for found in itertools.chain(*histories.values()):
            number, _, _ = found.message.partition("/")
            assert found.read(f"{number}.txt") == f"{found.message}\n".encode(), "nothing is torn"
        told: dict[str, list[int]] = {}
        for event in archive.events():
            if event.event == "ingestion":
                told.setdefault(event.resource, []).append(event.instance)
        del told["one"]
        # In any order: each machine tells of its own when it gets to it.
        assert {id: sorted(each) for id, each in told.items()} == {
            id: [each.number for each in history] for id, history in histories.items()
        }, "one event each"
        assert [finding.as_json() for finding in archive.audit() if finding.failed] == []
        archive.mirror(tmp_path / "mirror")
        assert_whole(tmp_path / "mirror", content_of(archive))
    judge_raw(keys, tmp_path / "raw")


def test_who_is_beaten_twice_tells_of_what_others_committed_as_well_and_each_is_told_of_once(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    place = tmp_path / "bucket"

    def make(archive: BucketArchive, id: str) -> None:
        with archive.new(id) as transaction:
            transaction.add(id.encode(), "a.txt")

    def die_after(id: str, last: str) -> None:
        keys = FolderKeys(place)

        def fault(_: int, request: Request, when: str) -> None:
            if when == "after" and request.kind == "put once" and request.key.endswith(last):
                raise Killed

        with opened(keys, tmp_path / id) as archive:
            keys.fault = fault
            with pytest.raises(Killed):
                make(archive, id)
            keys.fault = None

    keys = FolderKeys(place)
    beaten = 0

    def beat(_: int, request: Request, when: str) -> None:
        nonlocal beaten
        if (request.kind, when) == ("put once", "before") and request.key.startswith("events/") and beaten < 2:
            beaten += 1
            quick.record_event("capture")

    with (
        opened(FolderKeys(place), tmp_path / "quick") as quick,
        opened(keys, tmp_path / "beaten") as archive,
        opened(FolderKeys(place), tmp_path / "late") as late,
    ):
        die_after("sealed", "/end")
        # A machine that opens finishes what it finds; the second dies before it comes so far.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(KilledTransactions, "standing", lambda _: [])
            die_after("committed", "/v1/inventory.json")
        keys.fault = beat
        make(archive, "beaten")
        newest = [each.key for each in keys.list("events/")][-1]
        lines = [json.loads(line) for line in keys.open(newest).read().splitlines()]
        assert [(each["event"], each["resource"]) for each in lines] == [
            ("ingestion", "beaten"),
            ("ingestion", "committed"),
        ]
        late.recover()
        told = [event.resource for event in late.events() if event.event == "ingestion"]
        assert sorted(told) == ["beaten", "committed", "one", "one", "sealed"]
        assert [finding.as_json() for finding in late.audit() if finding.failed] == []


def test_an_instance_that_is_told_of_after_the_next_one_is_mirrored_as_well(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    keys = FolderKeys(tmp_path / "bucket")

    def die(_: int, request: Request, when: str) -> None:
        if when == "before" and request.kind == "put once" and request.key.startswith("events/"):
            raise Killed

    with opened(FolderKeys(keys.folder), tmp_path / "next") as archive:
        with opened(keys, tmp_path / "slow") as slow:
            begun = slow.get("one", "a", message="third")
            begun.add(b"third\n", "c.txt")
            keys.fault = die
            with pytest.raises(Killed):
                begun.commit()
            keys.fault = None
        with archive.get("one", "a", message="fourth") as transaction:
            transaction.add(b"fourth\n", "d.txt")
        archive.recover()
        told = [event.instance for event in archive.events() if event.event == "ingestion"]
        assert told == [1, 2, 4, 3]
        archive.mirror(tmp_path / "mirror")
        assert_whole(tmp_path / "mirror", content_of(archive))

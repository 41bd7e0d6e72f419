"""Many writers of one bucket with recoverers that are killed among them: nothing lost, nothing torn, nothing twice."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.archive.bucket import recovery
from muniment.errors.archive import CommitUncertain
from muniment.errors.base import MunimentError
from muniment.errors.stores import StoreUnreachable
from muniment.testing.keys import Fault, FolderKeys, Killed, Request
from tests.crash.buckets import content_of, judge_raw, opened, prepare, refuse_lost_bytes, refuse_strangers
from tests.crash.judging import assert_whole


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is durable here is the bucket."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr("muniment.archive.disk.durable._syncfs", lambda _: 0)


class Crowd:
    """Machines that write to one bucket; what each was told of its commits, by message."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: dict[str, str] = {}
        self._turns = itertools.count()
        self.ended = threading.Event()

    def write(self, number: int, commits: int) -> None:
        """Commit so often, now and then struck by a fault; a machine that died begins anew."""
        dice = random.Random(number)
        left = commits
        while left:
            keys = FolderKeys(self.folder / "bucket")
            try:
                with opened(keys, self.folder / f"machine-{number}-{next(self._turns)}") as archive:
                    while left:
                        left -= 1
                        keys.fault = _strike(len(keys.requests) + dice.randint(1, 40), dice) if left % 4 == 0 else None
                        message = f"{number}/{left}"
                        try:
                            with archive.get("one", "a", message=message) as transaction:
                                transaction.add(f"{message}\n".encode(), f"{number}-{left}.txt")
                        except CommitUncertain:
                            self.told[message] = "uncertain"
                        except MunimentError:
                            self.told[message] = "refused"
                        else:
                            self.told[message] = "done"
            except Killed:
                self.told.setdefault(f"{number}/{left}", "killed")
            except MunimentError:
                continue  # it could not even open

    def recover(self, number: int) -> None:
        """Recover again and again, each time killed somewhere, as long as others write."""
        dice = random.Random(1000 + number)
        while not self.ended.is_set():
            keys = FolderKeys(self.folder / "bucket")
            keys.fault = _strike(dice.randint(1, 60), dice)
            with contextlib.suppress(Killed, MunimentError):
                opened(keys, self.folder / f"recoverer-{number}").close()


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
    tmp_path: Path, writers: int, commits: int
) -> None:
    prepare(tmp_path, "preservation")
    crowd = Crowd(tmp_path)
    with ThreadPoolExecutor(writers + 2) as pool:
        recovering = [pool.submit(crowd.recover, number) for number in range(2)]
        try:
            for done in [pool.submit(crowd.write, number, commits) for number in range(writers)]:
                done.result()
        finally:
            crowd.ended.set()
        for each in recovering:
            each.result()
    keys = FolderKeys(tmp_path / "bucket")
    refuse_lost_bytes(keys)
    refuse_strangers(keys)
    with opened(keys, tmp_path / "judge") as archive:
        recovery.recover(archive.home, archive.home.log, "judge", abandoned=-1.0)
        messages = Counter(found.message for found in archive.history("one"))
        assert max(messages.values()) == 1, "nothing is there twice"
        there = set(messages)
        assert {each for each, told in crowd.told.items() if told == "done"} <= there, "nothing that was done is lost"
        assert not {each for each, told in crowd.told.items() if told == "refused"} & there, "nor there after all"
        for found in archive.history("one")[2:]:
            number, _, turn = found.message.partition("/")
            assert found.read(f"{number}-{turn}.txt") == f"{found.message}\n".encode(), "nothing is torn"
        told = [event.instance for event in archive.events() if event.event == "ingestion"]
        assert told == list(range(1, len(there) + 1)), "each has one event"
        assert [finding.as_json() for finding in archive.audit() if finding.failed] == []
        archive.mirror(tmp_path / "mirror")
        assert_whole(tmp_path / "mirror", content_of(archive))
    judge_raw(keys, tmp_path / "raw")

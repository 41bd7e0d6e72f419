"""An archive in a bucket, killed or cut off at every request: wholly old or wholly new, and finished by anybody."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.app.bucket import BucketArchive
from muniment.archive.bucket import recovery
from muniment.archive.bucket.intake import RESERVED
from muniment.errors.archive import CommitUncertain, Unfinished
from muniment.errors.base import MunimentError
from muniment.errors.stores import ConditionsIgnored, StoredWrong, StoreUnreachable
from muniment.testing.keys import FolderKeys, Killed, Request, requests_as_text
from tests.crash.buckets import (
    CHANGES,
    Change,
    content_of,
    judge_raw,
    keys_in,
    opened,
    prepare,
    refuse_lost_bytes,
    refuse_strangers,
    refuse_unlocked,
)
from tests.crash.judging import State, assert_whole

pytestmark = pytest.mark.usefixtures("unsynced")

EVERY = pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.nightly)], ids=["some", "each"])
Note = Callable[[str, object], None]
"""Notes a number for the report of a run."""
KINDS = ("killed before", "killed after", "not sent", "answer lost")
STRUCK = pytest.mark.parametrize(
    ("every", "kinds"),
    [
        pytest.param(11, KINDS, id="some"),
        *(pytest.param(1, (kind,), id=f"each {kind}", marks=pytest.mark.nightly) for kind in KINDS),
    ],
)


def strike(at: int, kind: str, *, lasting: bool = False) -> object:
    """A fault at a request: the process ends, or the network does, for this one request or from there on."""
    error = Killed if kind.startswith("killed") else StoreUnreachable
    moment = "before" if kind in {"killed before", "not sent"} else "after"

    def fault(number: int, request: Request, when: str) -> None:
        if (number == at and when == moment) or (lasting and number > at and when == "before"):
            details = {} if error is Killed else {"store": "s3://bucket/archive", "reason": f"cut at {request}"}
            raise error(**details) if details else error

    return fault


class Stage:
    """A prepared archive, one change to it, and the states before and after."""

    def __init__(self, folder: Path, mode: str, change: Change) -> None:
        self.folder, self._change, self._count, self._mode = folder, change, 0, mode
        prepare(folder / "prepared", mode)
        keys, state = self.fresh()
        with opened(keys, state) as archive:
            self.before: State = content_of(archive)
        keys, state = self.fresh()
        with opened(keys, state) as archive:
            begun = len(keys.requests)
            change(archive)
            self.requests = keys.requests[begun:]
            self.begun = begun
            self.after: State = content_of(archive)

    def fresh(self) -> tuple[FolderKeys, Path]:
        """A copy of what was prepared."""
        self._count += 1
        place = self.folder / f"struck-{self._count}"
        shutil.copytree(self.folder / "prepared", place)
        return keys_in(place, self._mode), place / "state"

    def strike(self, at: int, kind: str, *, lasting: bool = False) -> tuple[FolderKeys, Path, str]:
        """Make the change with a fault at its request `at`; the keys, the state folder, and what the caller heard."""
        keys, state = self.fresh()
        archive = opened(keys, state)
        keys.fault = strike(len(keys.requests) + at, kind, lasting=lasting)  # type: ignore[assignment]
        heard = "done"
        try:
            self._change(archive)
        except Killed:
            heard = "nothing"
        except (CommitUncertain, Unfinished):
            heard = "uncertain"
        except MunimentError:
            heard = "failed"
        finally:
            keys.fault = None
            archive.close()
        return keys, state, heard

    def judge(self, keys: FolderKeys, heard: str, *, whole: bool, recoverer: str = "other") -> str:
        """What a machine that knew nothing finds: `old` or `new`."""
        refuse_lost_bytes(keys)
        if heard != "purge":
            refuse_strangers(keys)
        state = keys.folder.parent / recoverer
        with opened(keys, state) as archive:
            found = content_of(archive)
            assert found in (self.before, self.after), "neither old nor new"
            assert heard in {"nothing", "uncertain"} or found == (self.after if heard == "done" else self.before), heard
            assert recovery.recover(archive.home, archive._home_log, "judge", abandoned=-1.0) is not None
            assert [finding.as_json() for finding in archive.audit() if finding.failed] == []
            archive.mirror(keys.folder.parent / "mirror")
        if self._mode == "worm":
            refuse_unlocked(keys)
        left = {each.key.split("/")[2] for each in keys.list("intake/") if not each.key.startswith(RESERVED)}
        assert left <= {"end"}, "only marks of killed transactions stay"
        if whole:
            assert_whole(keys.folder.parent / "mirror", found)
            judged = None if self._mode == "worm" else keys.folder.parent / "mirror"  # there a root is told otherwise
            judge_raw(keys, keys.folder.parent / "raw", judged)
        shutil.rmtree(keys.folder.parent)
        return "new" if found == self.after else "old"


@pytest.fixture(params=CHANGES)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    mode, change = CHANGES[request.param]
    return Stage(tmp_path, mode, change)


@STRUCK
def test_struck_at_any_request_a_bucket_is_wholly_old_or_new_and_finished_by_another(
    stage: Stage, every: int, kinds: tuple[str, ...], record_property: Note
) -> None:
    assert len(stage.requests) > 5, requests_as_text(stage.requests)
    ends: Counter[str] = Counter()
    for at in range(1, len(stage.requests) + 1):
        for kind in kinds:
            if (at + KINDS.index(kind)) % every and at not in {1, len(stage.requests)}:
                continue
            keys, _, heard = stage.strike(at, kind)
            end = stage.judge(keys, heard, whole=every == 1 or at % (every * 2) == 0)
            ends[end] += 1
    for end, count in ends.items():
        record_property(end, count)
    assert set(ends) == {"old", "new"}


@EVERY
def test_cut_off_for_good_at_any_request_nobody_is_told_that_it_failed_when_it_did_not(
    stage: Stage, every: int, record_property: Note
) -> None:
    ends: Counter[str] = Counter()
    for at in range(1, len(stage.requests) + 1, every):
        keys, _, heard = stage.strike(at, "not sent", lasting=True)
        ends[stage.judge(keys, heard, whole=every == 1)] += 1
    for end, count in ends.items():
        record_property(end, count)


@pytest.mark.parametrize(
    ("name", "every", "step"),
    [
        pytest.param("next", 11, 33, id="some"),
        pytest.param("next", 1, 3, id="each", marks=pytest.mark.nightly),
        pytest.param("histories", 4, 7, id="histories", marks=pytest.mark.nightly),
        pytest.param("new-worm", 4, 5, id="worm", marks=pytest.mark.nightly),
    ],
)
def test_the_recoverer_may_be_struck_too(
    tmp_path: Path, name: str, every: int, step: int, record_property: Note
) -> None:
    stage = Stage(tmp_path, *CHANGES[name])
    ends: Counter[str] = Counter()
    for at in range(1, len(stage.requests) + 1, every):
        for again in itertools.count(1, step):
            keys, _, heard = stage.strike(at, "killed after")
            keys.fault = strike(len(keys.requests) + again, "killed after")  # type: ignore[assignment]
            ended = False
            with contextlib.suppress(Killed):
                opened(keys, keys.folder.parent / "dying").close()
                ended = True
            keys.fault = None
            ends[stage.judge(keys, heard, whole=every < 11 or again == 1)] += 1
            if ended:
                break
    for end, count in ends.items():
        record_property(end, count)


def test_of_many_writers_each_number_is_one_transaction_s_and_each_has_one_event(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    writers, rounds = 4, 6

    def write(number: int) -> int:
        won = 0
        keys = FolderKeys(tmp_path / "bucket")
        with opened(keys, tmp_path / f"machine-{number}") as archive:
            for turn in range(rounds):
                try:
                    with archive.get("one", "a", message=f"{number}/{turn}") as transaction:
                        transaction.add(f"{number} {turn}\n".encode(), f"{number}-{turn}.txt")
                except MunimentError:
                    continue
                won += 1
        return won

    with ThreadPoolExecutor(writers) as pool:
        won = sum(pool.map(write, range(writers)))
    keys = FolderKeys(tmp_path / "bucket")
    with opened(keys, tmp_path / "judge") as archive:
        assert archive.get("one").head == 2 + won
        messages = [found.message for found in archive.history("one")]
        assert len(set(messages)) == len(messages)
        told = [event.instance for event in archive.events() if event.event == "ingestion"]
        assert sorted(told) == list(range(1, 3 + won))
        assert [finding.as_json() for finding in archive.audit()] == []
        archive.mirror(tmp_path / "mirror")
    assert won >= rounds, "somebody is always first"
    assert_whole(tmp_path / "mirror", {"one": [(dict(_files(tmp_path, n)), {}, m) for n, m in enumerate(messages, 1)]})


def _files(folder: Path, number: int) -> dict[str, bytes]:
    with opened(FolderKeys(folder / "bucket"), folder / "judge") as archive:
        found = archive.get("one", instance=number)
        return {path: found.read(path) for path in found}


@pytest.mark.parametrize("files", [1, 20, 300])
def test_a_commit_of_small_files_costs_eighteen_writes_and_one_for_each(tmp_path: Path, files: int) -> None:
    prepare(tmp_path, "preservation")
    keys = FolderKeys(tmp_path / "bucket")
    with opened(keys, tmp_path / "state") as archive:
        begun = len(keys.requests)
        with archive.new("two") as transaction:
            for number in range(files):
                transaction.add(f"{number}\n".encode(), f"{number}.txt")
        kinds = Counter(request.kind for request in keys.requests[begun:])
    assert kinds["put"] + kinds["put once"] == 18 + files, requests_as_text(keys.requests[begun:])
    assert kinds["put once"] == 3, "the seal, the commit and the event"
    assert kinds["list"] <= 9
    assert kinds["get"] + kinds["head"] <= 4, "one of them looks, before the seal, whether the archive is still there"
    assert kinds["copy"] == 0


def test_a_store_that_ignores_conditions_is_never_written_to(tmp_path: Path) -> None:
    with pytest.raises(ConditionsIgnored):
        BucketArchive.make(FolderKeys(tmp_path / "new", ignores_conditions=True), tmp_path / "state")
    assert [each.key for each in FolderKeys(tmp_path / "new").list() if each.key == "muniment.json"] == []
    prepare(tmp_path, "dynamic")
    keys = FolderKeys(tmp_path / "bucket", ignores_conditions=True)
    before = {each.key: keys.open(each.key).read() for each in keys.list()}
    with opened(keys, tmp_path / "other") as archive:
        assert isinstance(archive.read_only, ConditionsIgnored)
        assert archive.get("one").read("a.txt") == b"first\n"
        assert [finding.as_json() for finding in archive.audit()] == []
        for attempt in (
            lambda: archive.new("two"),
            lambda: archive.get("one", "a"),
            lambda: archive.purge("one", "why not"),
            lambda: archive.record_event("capture"),
            archive.recover,
        ):
            with pytest.raises(ConditionsIgnored):
                attempt()
    assert {each.key: keys.open(each.key).read() for each in keys.list()} == before


def test_a_store_that_keeps_other_bytes_than_were_committed_is_named_at_once(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    keys = FolderKeys(tmp_path / "bucket")
    with opened(keys, tmp_path / "state") as archive:
        transaction = archive.get("one", "a")
        transaction.add(b"third\n", "c.txt")

        def alter(_: int, request: Request, when: str) -> None:
            if when == "after" and request.kind == "put once" and request.key.endswith("v3/inventory.json"):
                place = Path(keys.tree.place(request.key))
                place.write_bytes(place.read_bytes().replace(b'"v3"', b'"v9"', 1))

        keys.fault = alter
        with pytest.raises(StoredWrong, match=r"v3/inventory\.json"):
            transaction.commit()
        keys.fault = None
        found = [finding.where for finding in archive.audit() if finding.failed]
    assert any(where.endswith("v3/inventory.json") for where in found)


def test_an_upload_that_was_never_sealed_is_listed_and_in_time_rolled_back(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    keys = FolderKeys(tmp_path / "bucket")
    keys.put("intake/01-somebody/begin", b'{"began":"2026-01-01T00:00:00Z","by":"Bob <mailto:bob@example.org>"}')
    keys.put("intake/01-somebody/pack/1", b"bytes")
    with opened(keys, tmp_path / "state") as archive:
        [left] = archive.leftovers()
        assert (left.transaction, left.started) == ("01-somebody", "2026-01-01T00:00:00Z")
        assert archive.recover() == [], "it may be at work"
        old = time.time() - recovery.ABANDONED - 60
        for name in ("begin", "pack/1"):
            os.utime(keys.tree.place(f"intake/01-somebody/{name}"), (old, old))
        [event] = archive.recover()
        assert event.detail["of"] == "01-somebody"
        assert [each.key for each in keys.list("intake/")] == ["intake/01-somebody/end"]
        assert archive.leftovers() == []
        assert archive.recover() == []
        assert not keys.put_once("intake/01-somebody/end", b'{"sealed":"late"}'), "a sleeper can never seal it"

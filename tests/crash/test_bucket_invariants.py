"""What is true of a bucket after every single request, whoever was killed before it: each invariant by its name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from muniment.app.bucket import BucketArchive
from muniment.archive.bucket import recovery
from muniment.archive.bucket.layout import object_place
from muniment.archive.eventlog.lines import event_of, line_hash
from muniment.archive.eventlog.log import FIRST
from muniment.testing.keys import FolderKeys, Killed, Request
from tests.crash.buckets import (
    LARGE,
    Change,
    make_histories,
    make_history,
    make_next,
    opened,
    prepare,
    refuse_unlocked,
)

pytestmark = pytest.mark.usefixtures("unsynced")


@dataclass
class Moment:
    """The keys of the bucket after one request, each with what says which bytes it holds."""

    request: Request
    keys: dict[str, str]


@dataclass
class Trace:
    """A bucket after each request of a course of changes, kills and recoveries, and the bytes of what was small."""

    keys: FolderKeys
    moments: list[Moment] = field(default_factory=list)
    bytes: dict[str, bytes] = field(default_factory=dict)
    known: dict[tuple[int, int, int], str] = field(default_factory=dict)

    def note(self, _: int, request: Request, when: str) -> None:
        """Look at the bucket after a request that changed something."""
        if when == "after" and request.kind not in {"get", "head", "list"}:
            tree = self.keys.tree
            self.moments.append(Moment(request, {key: self._digest(Path(tree.place(key))) for key in tree.within()}))

    def record(self, moment: Moment, key: str) -> dict[str, Any]:
        """A record as it was at a moment."""
        return dict(json.loads(self.bytes[moment.keys[key]]))

    def inventories(self, moment: Moment) -> Iterator[tuple[str, dict[str, Any]]]:
        """The committed inventories of a moment, each with its object's prefix."""
        for key in moment.keys:
            place, _, rest = key.partition("/v")
            if key.startswith("objects/") and rest.endswith("/inventory.json") and rest.count("/") == 1:
                yield f"{place}/", self.record(moment, key)

    def seals(self, moment: Moment) -> Iterator[dict[str, Any]]:
        """The seals of a moment."""
        for key in moment.keys:
            if key.startswith("intake/") and key.endswith("/end") and "killed" not in self.record(moment, key):
                yield self.record(moment, key)

    def _digest(self, path: Path) -> str:
        found = path.stat()
        name = found.st_ino, found.st_mtime_ns, found.st_size
        if name not in self.known:
            data = path.read_bytes()
            self.known[name] = hashlib.sha256(data).hexdigest()
            if len(data) < 1 << 20:
                self.bytes[self.known[name]] = data
        return self.known[name]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trace]:
    """Changes by one machine, killed at several points, and what another makes of it."""
    folder = tmp_path_factory.mktemp("bucket")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        patched.setattr("muniment.archive.disk.durable._syncfs", lambda _: 0)
        prepare(folder, "preservation")
        found = Trace(FolderKeys(folder / "bucket"))
        found.keys.put("intake/01-somebody/begin", b"{}")  # who went away, and is rolled back
        for count, (change, last) in enumerate(
            (
                (_next("a"), ""),
                (_next("b"), "/begin"),
                (_next("c"), "/end"),
                (_next("d"), "v5/inventory.json"),
                (make_histories, "/v1/inventory.json"),
                (_next("e"), "/e.bin"),
            )
        ):
            _strike(found, folder / f"machine-{count}", change, last)
            with opened(found.keys, folder / "other") as archive:
                recovery.recover(archive.home, archive.home.log, "other", abandoned=-1.0)
        found.keys.fault = None
        yield found


def _next(name: str) -> Change:
    def change(archive: BucketArchive) -> None:
        with archive.get("one", "a", message=name) as transaction:
            transaction.add(name.encode(), f"{name}.txt")
            transaction.add(LARGE + name.encode(), f"{name}.bin")

    return change


def _strike(trace: Trace, state: Path, change: Change, last: str) -> None:
    """Change something, and be killed after a key that ends so is put."""

    def fault(number: int, request: Request, when: str) -> None:
        trace.note(number, request, when)
        if last and when == "after" and request.kind.startswith("put") and request.key.endswith(last):
            trace.keys.fault = trace.note
            raise Killed

    with opened(trace.keys, state) as archive:
        trace.keys.fault = fault
        with contextlib.suppress(Killed):
            change(archive)
        trace.keys.fault = trace.note


def test_1_no_key_lies_under_objects_that_no_committed_inventory_names(trace: Trace) -> None:
    for moment in trace.moments:
        named = {"objects/0=ocfl_1.1", "objects/ocfl_layout.json"}
        for place, inventory in trace.inventories(moment):
            records = {f"{place}{folder}inventory.json" for folder in ("", f"{inventory['head']}/")}
            named |= records | {f"{each}.sha512" for each in records} | {f"{place}0=ocfl_object_1.1"}
            named |= {place + path for paths in inventory["manifest"].values() for path in paths}
        found = {key for key in moment.keys if key.startswith("objects/") and not key.startswith("objects/extensions/")}
        assert found <= named, moment.request


def test_2_what_a_committed_inventory_names_can_be_read_at_every_moment(trace: Trace) -> None:
    for moment in trace.moments:
        staged = {
            f"{_place(each)}{path}": at[0]
            for seal in trace.seals(moment)
            for each in seal["objects"]
            for path, at in each["files"].items()
        }
        for place, inventory in trace.inventories(moment):
            for paths in inventory["manifest"].values():
                for path in paths:
                    assert place + path in moment.keys or staged.get(place + path) in moment.keys, moment.request


def test_3_what_is_put_once_never_changes(trace: Trace) -> None:
    first: dict[str, str] = {}
    for moment in trace.moments:
        if moment.request.kind == "put once" and moment.request.key in moment.keys:
            first.setdefault(moment.request.key, moment.keys[moment.request.key])
        for key, digest in first.items():
            assert moment.keys.get(key, digest) == digest, (moment.request, key)
            assert key in moment.keys or key.startswith("intake/"), "only what is on its way in goes"


def test_4_each_transaction_is_sealed_or_killed_and_each_version_is_one_transaction_s(trace: Trace) -> None:
    ends: dict[str, set[str]] = {}
    sealed: dict[tuple[str, int], set[str]] = {}
    for moment in trace.moments:
        for key, digest in moment.keys.items():
            if key.startswith("intake/") and key.endswith("/end"):
                ends.setdefault(key, set()).add(digest)
        for seal in trace.seals(moment):
            for each in seal["objects"]:
                if f"{_place(each)}v{each['number']}/inventory.json" in moment.keys:
                    sealed.setdefault((_place(each), each["number"]), set()).add(seal["transaction"])
    assert {len(found) for found in ends.values()} == {1}
    assert {len(found) for found in sealed.values()} == {1}


def test_5_the_intake_goes_when_all_lies_in_its_place_and_its_end_goes_last(trace: Trace) -> None:
    looked = 0
    for before, after in zip(trace.moments, trace.moments[1:], strict=False):
        if after.request.kind != "delete" or not after.request.key.startswith("intake/"):
            continue
        transaction = after.request.key.split("/")[1]
        seal = next((each for each in trace.seals(before) if each["transaction"] == transaction), None)
        if seal is None or after.request.key not in before.keys:
            continue
        looked += 1
        for each in seal["objects"]:
            assert {_place(each) + path for path in each["files"]} <= set(before.keys), after.request
        if after.request.key.endswith("/end"):
            assert not [key for key in after.keys if key.startswith(f"intake/{transaction}/")], after.request
    assert looked


def test_6_each_version_has_one_event_and_the_chain_has_no_gap(trace: Trace) -> None:
    seq, previous = 0, FIRST
    told: Counter[tuple[str, int]] = Counter()
    for each in trace.keys.list("events/"):
        for line in trace.keys.open(each.key).read().splitlines(keepends=True):
            found = event_of(line)
            assert found is not None
            assert (found[1].seq, found[1].previous) == (seq + 1, previous)
            seq, previous = found[1].seq, line_hash(found[0])
            if found[1].event == "ingestion":
                told[found[1].resource, found[1].instance] += 1
    there = {(place, inventory["head"]) for place, inventory in trace.inventories(trace.moments[-1])}
    assert set(told.values()) == {1}
    assert len(told) == len(there)


def test_7_two_that_finish_one_transaction_give_what_one_gives(tmp_path: Path) -> None:
    prepare(tmp_path, "preservation")
    trace = Trace(FolderKeys(tmp_path / "bucket"))
    _strike(trace, tmp_path / "dying", make_history, "/end")
    trace.keys.fault = None
    shutil.copytree(tmp_path / "bucket", tmp_path / "again", symlinks=True)
    opened(FolderKeys(tmp_path / "bucket"), tmp_path / "alone").close()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: opened(FolderKeys(tmp_path / "again"), tmp_path / name).close(), ("one", "other")))

    def lying(name: str) -> dict[str, bytes]:
        keys = FolderKeys(tmp_path / name)
        return {each.key: keys.open(each.key).read() for each in keys.list() if not each.key.startswith("events/")}

    assert lying("again") == lying("bucket")
    with opened(FolderKeys(tmp_path / "again"), tmp_path / "judge") as archive:
        told = [event.instance for event in archive.events() if event.event == "ingestion" and event.resource == "two"]
    assert told == [1, 2, 3]


def test_8_an_inventory_holds_all_that_came_before_it(trace: Trace) -> None:
    states: dict[tuple[str, str], dict[str, str]] = {}
    for place, inventory in sorted(
        trace.inventories(trace.moments[-1]), key=lambda one: (one[0], len(one[1]["versions"]))
    ):
        assert list(inventory["versions"]) == [f"v{number}" for number in range(1, len(inventory["versions"]) + 1)]
        for version, held in inventory["versions"].items():
            state = {path: digest for digest, paths in held["state"].items() for path in paths}
            assert states.setdefault((place, version), state) == state


def test_9_in_worm_mode_every_key_has_one_version_and_a_lock_that_was_read_back(tmp_path: Path) -> None:
    prepare(tmp_path, "worm")
    keys = FolderKeys(tmp_path / "bucket", versioned=True)
    with opened(keys, tmp_path / "state") as archive:
        make_next(archive)
        make_history(archive)
    refuse_unlocked(keys)


def test_the_course_that_is_looked_at_holds_kills_before_and_after_every_decision(trace: Trace) -> None:
    last = trace.moments[-1]
    sealed = {seal["transaction"] for moment in trace.moments for seal in trace.seals(moment)}
    assert len(sealed) == 5
    assert sum("killed" in trace.record(last, key) for key in last.keys if key.endswith("/end")) == 2
    assert {inventory["id"].rpartition("/")[2] for _, inventory in trace.inventories(last)} == {"one", "two", "three"}


def _place(each: dict[str, Any]) -> str:
    return object_place(each["project"], each["id"])


def test_what_is_kept_of_records_on_a_machine_is_stored_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut would else leave a torn copy, which is never asked for again and makes the resource damaged."""
    prepare(tmp_path, "dynamic")
    stored, torn = set(), []
    fsync, replace = os.fsync, os.replace

    def note(descriptor: int) -> None:
        fsync(descriptor)
        stored.add(os.fstat(descriptor).st_ino)

    def check(source: Path, target: Path) -> None:
        bucket = tmp_path / "bucket"
        if bucket not in Path(target).parents and os.stat(source).st_ino not in stored:
            torn.append(str(target))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", check)
    keys = FolderKeys(tmp_path / "bucket")
    with opened(keys, tmp_path / "state") as archive:
        make_next(archive)
    with opened(keys, tmp_path / "another") as archive:
        assert archive.get("one").read("c.txt") == b"third\n"
        assert [finding for finding in archive.audit() if finding.failed] == []
    assert stored
    assert torn == []

"""What must be true of an archive after anything: read by itself, and by programs that are not ours."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import bagit
import ocfl
import pytest

from muniment.archive import Archive, Instance
from muniment.archive.ingest import recovery
from muniment.archive.package.inventory import NAME
from tests.crash.scenes import open_archive

State = dict[str, list[tuple[dict[str, bytes], dict[str, Any], str]]]
"""Id to (files, metadata, message) of each instance."""

for judge in ("bagit", "root"):
    logging.getLogger(judge).setLevel(logging.CRITICAL)


def state_of(archive: Archive) -> State:
    """Everything an archive holds, every byte of it read and checked."""
    return {id: [_content(instance) for instance in archive.history(id)] for id in archive}


def _content(instance: Instance) -> tuple[dict[str, bytes], dict[str, Any], str]:
    return {path: instance.read(path) for path in instance}, dict(instance.metadata), instance.message


def copy_archive(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, symlinks=True)
    return target


def assert_whole(root: Path, *states: State, allowed: frozenset[str] = frozenset()) -> State:
    """Open the archive (which recovers it) and judge it; every resource must be as in one of `states`.

    `allowed` are codes of findings an audit may have besides what recovery itself reports.
    """
    with open_archive(root) as archive:
        found = state_of(archive)
        for id in {id for state in (*states, found) for id in state}:
            assert any(found.get(id) == state.get(id) for state in states), (
                f"{id} is neither old nor new: {found.get(id)}"
            )
        _assert_audit(archive, allowed | {"M501", "M502"})
        _assert_events(archive, found)
        assert archive.reindex() == len(found)
        assert list(archive) == sorted(found)
        for leftover in archive.leftovers():
            archive.roll_back(leftover.transaction)
        _assert_nothing_staged(archive)
        _assert_audit(archive, allowed | {"M502"})
        assert archive.recover() == [], "what was recovered once is recovered again"
        assert_judges_agree(archive)
    return found


def assert_usable(root: Path, state: State) -> None:
    """The archive takes the next instance of each of its resources, and a new one."""
    with open_archive(root) as archive:
        for id in state:
            with archive.get(id, "a") as transaction:
                transaction.add(b"afterwards\n", "after.txt")
            assert archive.get(id).read("after.txt") == b"afterwards\n"
        with archive.new("later") as transaction:
            transaction.add(b"later\n", "later.txt")
        assert set(archive) == {*state, "later"}
        assert [finding for finding in archive.audit() if finding.failed] == []


def _assert_audit(archive: Archive, allowed: frozenset[str]) -> None:
    strange = [finding.as_json() for finding in archive.audit() if finding.code not in allowed]
    assert strange == []


def _assert_events(archive: Archive, state: State) -> None:
    told: dict[tuple[str, int], int] = {}
    for event in archive.events():
        if event.event == "ingestion" and event.outcome == "success":
            told[event.resource, event.instance] = told.get((event.resource, event.instance), 0) + 1
        elif event.event == "deletion":
            told = {key: count for key, count in told.items() if key[0] != event.resource}
    there = {(id, number): 1 for id, instances in state.items() for number in range(1, len(instances) + 1)}
    assert told == there, "each instance has one event, and each event its instance"


def _assert_nothing_staged(archive: Archive) -> None:
    layout = archive.context.layout
    assert os.listdir(layout.transactions) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "_OLD_SCRATCH", -1.0)
        archive.recover()
    assert os.listdir(layout.scratch) == []


def assert_judges_agree(archive: Archive) -> None:
    """ocfl-py accepts the storage root (as exported, in worm mode), and bagit every instance."""
    root = archive.path / "objects"
    judged = archive.path.parent / f"{archive.path.name}-judged"
    judged.mkdir()
    try:
        if archive.config.mode == "worm":
            root = _with_fresh_roots(archive, judged / "objects")
        assert_ocfl(root)
        for id in archive:
            for instance in archive.history(id):
                assert_bag(instance, judged / "bag")
    finally:
        shutil.rmtree(judged)


def _with_fresh_roots(archive: Archive, target: Path) -> Path:
    """The storage root as an export writes it: each object's root inventory is that of its newest version."""
    shutil.copytree(archive.path / "objects", target)
    for id in archive:
        newest = archive.get(id)
        for name in (NAME, f"{NAME}.{archive.config.digests[0]}"):
            place = target / newest.root.relative_to(archive.path / "objects")
            shutil.copyfile(place / f"v{newest.head}" / name, place / name)
    return target


def assert_ocfl(root: Path) -> None:
    log = _Kept()
    logger = logging.getLogger("ocfl")
    logger.addHandler(log)
    try:
        passed = ocfl.StorageRoot(root=str(root)).validate(log_warnings=True)
    finally:
        logger.removeHandler(log)
    assert passed, log.lines


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def assert_bag(instance: Instance, place: Path) -> None:
    """The logical state of an instance, laid out in `place` by hard links, is a valid bag."""
    (place / "data").mkdir(parents=True)
    inventory = instance._inventory
    for path, digest in inventory.logical(instance.number).items():
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(instance.root / inventory.content_path(digest))
    try:
        bagit.Bag(str(place)).validate()
    finally:
        shutil.rmtree(place)

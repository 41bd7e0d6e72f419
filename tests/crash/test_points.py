"""A crash, a full or a failing disk at every call that changes the disk: wholly old or wholly new, never between."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.testing import faults
from muniment.testing.faults import Fault, Outcome
from tests.crash.judging import State, assert_usable, assert_whole, copy_archive, state_of
from tests.crash.scenes import SCENES, Scene, open_archive, prepare, workshop

ERRORS = pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full", "failing"])
EVERY = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.nightly)], ids=["some", "each"])
CASES = [(name, mode) for name, scene in SCENES.items() for mode in scene.modes]
_TELLING = ("rename", "replace", "fsync", "syncfs", "rmdir", "ftruncate")
"""Calls that are struck in every run; of the many alike that only write to staging, every third with each error."""
USED_EVERY = 7
"""At every so many points the archive is also written to afterwards."""


class Stage:
    """A prepared archive, one change to it, and the states before and after the change."""

    def __init__(self, folder: Path, scene: Scene, mode: str) -> None:
        self.scene = scene
        self._folder = folder
        self._prepared = folder / "prepared"
        self._count = 0
        prepare(self._prepared, mode)
        with open_archive(self._prepared) as archive:
            self.before: State = state_of(archive)
        clean = copy_archive(self._prepared, folder / "clean")
        self.clean = self._run(clean, Fault())
        assert not self.clean.error, self.clean.trace
        with open_archive(clean) as archive:
            self.after: State = state_of(archive)

    def strike(self, fault: Fault) -> tuple[Path, Outcome]:
        """Make the change on a fresh copy, with a fault on the way."""
        self._count += 1
        root = copy_archive(self._prepared, self._folder / f"struck-{self._count}")
        return root, self._run(root, fault)

    def points(self, strike: faults.Strike, number: int = 0, *, every: int = 1) -> Iterator[Fault]:
        """A fault at every call, or at each so many of those whose failing the mode does not decide."""
        seen = 0
        for at, call in enumerate(self.clean.calls, 1):
            fault = Fault(at, strike, number)
            if fault.applies_to(call):
                if seen % every == 0 or call.startswith(_TELLING):
                    yield fault
                seen += 1
        assert seen, f"none of these calls can be struck so: {self.clean.calls}"

    def decided(self, at: int) -> bool:
        """Whether by then a version was sealed or a tombstone written, so that recovery may finish the work."""
        return any(call.startswith("replace tombstones/") or "seal.json" in call for call in self.clean.calls[: at - 1])

    def purged(self, at: int) -> bool:
        """Whether by then a tombstone was written: a purge that stops later is completed by recovery."""
        return any(call.startswith("fsync tombstones/") for call in self.clean.calls[: at - 1])

    def _run(self, root: Path, fault: Fault) -> Outcome:
        def task(counting: faults.Counting) -> None:
            with open_archive(root) as archive, counting():
                self.scene.change(archive)

        return faults.run(task, str(root), fault)


@pytest.fixture(params=CASES, ids="-".join)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    name, mode = request.param
    with workshop() as folder:
        yield Stage(folder, SCENES[name], mode)


def judge(stage: Stage, root: Path, fault: Fault, outcome: Outcome, *states: State) -> None:
    where = f"{fault} at {stage.clean.calls[fault.at - 1]}; {outcome.trace}"
    try:
        found = assert_whole(root, *states)
        if fault.at % USED_EVERY == 0:
            assert_usable(root, found)
    except Exception as error:
        raise AssertionError(where) from error


def test_a_commit_is_seen_as_the_calls_it_makes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SCENES["new"], "preservation")
    names = {call.partition(" ")[0] for call in stage.clean.calls}
    assert {"mkdir", "open", "write", "fsync", "syncfs", "rename", "unlink", "rmdir"} <= names
    assert len(stage.clean.calls) > 50


def test_killed_anywhere_the_archive_is_old_or_new(stage: Stage) -> None:
    for fault in stage.points("kill"):
        root, outcome = stage.strike(fault)
        assert outcome.killed, f"{fault}: the call was not made again"
        judge(stage, root, fault, outcome, stage.before, stage.after)


@EVERY
def test_killed_in_the_middle_of_a_write_the_archive_is_old_or_new(stage: Stage, every: int) -> None:
    for fault in stage.points("torn", every=every):
        root, outcome = stage.strike(fault)
        assert outcome.killed
        judge(stage, root, fault, outcome, stage.before, stage.after)


@ERRORS
@EVERY
def test_one_refusal_undoes_everything_or_nothing(stage: Stage, number: int, every: int) -> None:
    for fault in stage.points("once", number, every=every):
        root, outcome = stage.strike(fault)
        assert not outcome.error or outcome.expected_error, outcome.trace
        # Who was told of an error finds the resource as it was; who was not, finds it changed.
        old = outcome.error and not stage.purged(fault.at)
        judge(stage, root, fault, outcome, stage.before if old else stage.after)


@ERRORS
@EVERY
def test_a_disk_that_refuses_from_now_on_leaves_old_or_new(stage: Stage, number: int, every: int) -> None:
    for fault in stage.points("onwards", number, every=every):
        root, outcome = stage.strike(fault)
        assert not outcome.error or outcome.expected_error, outcome.trace
        # A version that is complete and could not be taken back, recovery publishes; an earlier one never.
        states = [stage.before, stage.after] if stage.decided(fault.at) else [stage.before]
        judge(stage, root, fault, outcome, *states)

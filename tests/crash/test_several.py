"""Transactions committed at once: stopped at any call, each resource is wholly old or new, and told of rightly."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive, Instance, commit_several
from muniment.errors.archive import ResourceExists
from muniment.testing import faults
from muniment.testing.faults import Fault, Strike
from tests.crash.judging import State, assert_usable, assert_whole, copy_archive, state_of
from tests.crash.scenes import open_archive, prepare, workshop

ERRORS = pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full", "failing"])
IDS = ("fresh", "fresher", "old")


def commit_three(archive: Archive) -> list[str]:
    """Two new resources and a further instance of one, at once; the ids of those that were committed."""
    first, second, third = archive.new("fresh"), archive.new("fresher"), archive.get("old", "a")
    first.add(b"gamma\n", "g.txt")
    second.add(b"delta\n", "d.txt")
    third.replace(b"changed\n", "a.txt")
    done = commit_several([first, second, third])
    return [id for id, each in zip(IDS, done, strict=True) if isinstance(each, Instance)]


class Stage:
    """A prepared archive, and its states before and after the three."""

    def __init__(self, folder: Path, mode: str) -> None:
        self._folder = folder
        self._count = 0
        prepare(folder / "prepared", mode)
        with open_archive(folder / "prepared") as archive:
            self.before: State = state_of(archive)
        root, clean = self.strike(Fault())
        assert clean.answer == list(IDS), clean.trace
        self.calls = clean.calls
        with open_archive(root) as archive:
            self.after: State = state_of(archive)

    def strike(self, fault: Fault) -> tuple[Path, faults.Outcome]:
        self._count += 1
        root = copy_archive(self._folder / "prepared", self._folder / f"struck-{self._count}")

        def task(counting: faults.Counting) -> list[str]:
            with open_archive(root) as archive, counting():
                return commit_three(archive)

        return root, faults.run(task, str(root), fault)

    def points(self, strike: Strike, number: int, every: int) -> Iterator[Fault]:
        """From the flush that all share to the log's everywhere; before and after, at each so many calls."""
        flush = next(at for at, call in enumerate(self.calls, 1) if call.startswith("syncfs"))
        last = max(at for at, call in enumerate(self.calls, 1) if "events/" in call)
        for at, call in enumerate(self.calls, 1):
            fault = Fault(at, strike, number)
            if fault.applies_to(call) and (flush <= at <= last or at % every == 0):
                yield fault


@pytest.fixture(params=["preservation", pytest.param("worm", marks=pytest.mark.nightly)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with workshop() as folder:
        yield Stage(folder, request.param)


EVERY = pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.nightly)], ids=["some", "each"])


def test_several_share_the_flush_of_their_files_and_that_of_the_log(tmp_path: Path) -> None:
    calls = [call.partition(" ")[0] for call in Stage(tmp_path, "preservation").calls]
    assert calls.count("syncfs") == 1
    # Of the log, of each folder a version was renamed into, and what follows of the resource that was there.
    assert sum(name == "fsync" for name in calls) <= 1 + len(IDS) + 3


@EVERY
def test_killed_anywhere_each_resource_is_old_or_new(stage: Stage, every: int) -> None:
    for fault in stage.points("kill", 0, every):
        root, outcome = stage.strike(fault)
        assert outcome.killed
        found = assert_whole(root, stage.before, stage.after)
        if fault.at % (7 * every) == 0:
            assert_usable(root, found)


@ERRORS
@EVERY
def test_who_is_told_of_an_error_finds_the_resource_as_it_was(stage: Stage, number: int, every: int) -> None:
    for fault in stage.points("once", number, every):
        root, outcome = stage.strike(fault)
        assert not outcome.error or outcome.expected_error, outcome.trace
        expected = {**stage.before, **{id: stage.after[id] for id in outcome.answer or ()}}
        assert_whole(root, expected)


def test_one_that_comes_too_late_keeps_none_from_being_committed(tmp_path: Path) -> None:
    prepare(tmp_path / "archive", "preservation")
    with open_archive(tmp_path / "archive") as archive:
        early, late, unchanged = archive.new("one"), archive.new("one"), archive.get("twice", "a")
        early.add(b"1", "f")
        late.add(b"2", "f")
        done = commit_several([early, late, unchanged])
        assert [type(each) for each in done] == [Instance, ResourceExists, Instance]
        assert archive.get("one").read("f") == b"1"
        assert len(archive.history("twice")) == 2
        assert archive.leftovers() == []

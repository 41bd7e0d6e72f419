"""Crashes while parity is made or files are repaired: nothing is lost, and doing it again completes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.testing import faults
from muniment.testing.faults import Fault
from tests.crash.judging import assert_whole, copy_archive, state_of
from tests.crash.scenes import new_resource, next_instance, open_archive, prepare, workshop


def damage(root: Path) -> None:
    for name in ("a.txt", "deep/b.txt"):
        (path,) = (root / "objects").rglob(name)
        path.write_bytes(b"!" + path.read_bytes()[1:])


def repair(archive: Archive) -> None:
    list(archive.repair())


def spoil_nothing(_: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("spoil", "change"),
    [(spoil_nothing, new_resource), (spoil_nothing, next_instance), (damage, repair)],
    ids=["new", "next", "repair"],
)
@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.nightly)], ids=["some", "each"])
def test_killed_while_parity_is_made_or_used_everything_can_be_completed(
    spoil: Callable[[Path], None], change: Callable[[Archive], object], every: int
) -> None:
    def strike(root: Path, fault: Fault) -> faults.Outcome:
        def task(counting: faults.Counting) -> None:
            with open_archive(root) as archive, counting():
                change(archive)

        return faults.run(task, str(root), fault)

    with workshop() as folder:
        prepare(folder / "prepared", "preservation", redundancy=5)
        with open_archive(folder / "prepared") as archive:
            before = state_of(archive)
        spoil(folder / "prepared")
        clean = strike(copy_archive(folder / "prepared", folder / "clean"), Fault())
        assert not clean.error, clean.trace
        with open_archive(folder / "clean") as archive:
            after = state_of(archive)
            # What was damaged may be named once more: what was set aside is in quarantine.
            assert {finding.code for finding in archive.audit()} <= {"M502"}
        assert len(clean.calls) > 2 * every, clean.calls
        for at in range(1, len(clean.calls) + 1, every):
            root = copy_archive(folder / "prepared", folder / f"struck-{at}")
            assert strike(root, Fault(at)).killed
            try:
                with open_archive(root) as archive:
                    repaired = list(archive.repair())
                assert all(repair.repaired for repair in repaired), repaired
                assert_whole(root, before, after)
            except Exception as error:
                raise AssertionError(f"killed at {clean.calls[at - 1]}") from error

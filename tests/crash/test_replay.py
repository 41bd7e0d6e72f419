"""A transaction that a crash left open can be replayed, wherever on its way to the commit it was."""

from __future__ import annotations

from muniment.errors.archive import LeftoverIncomplete
from muniment.testing import faults
from muniment.testing.faults import Fault
from tests.crash.judging import assert_whole, copy_archive, state_of
from tests.crash.scenes import SCENES, open_archive, prepare, workshop

EVERY = 2


def test_killed_anywhere_what_was_left_open_can_be_replayed() -> None:
    change = SCENES["next"].change
    with workshop() as folder:
        prepare(folder / "prepared", "preservation")

        def strike(at: int) -> faults.Outcome:
            root = copy_archive(folder / "prepared", folder / f"struck-{at}")

            def task(counting: faults.Counting) -> None:
                with open_archive(root) as archive, counting():
                    change(archive)

            return faults.run(task, str(root), Fault(at))

        clean = strike(0)
        assert not clean.error, clean.trace
        with open_archive(folder / "struck-0") as archive:
            (*_, wanted) = state_of(archive)["old"]
        replayed = sealed = 0
        # Once tag files are written, everything the user did is in the journal.
        sealing = next(at for at, call in enumerate(clean.calls, 1) if call.endswith("bag-info.txt"))
        for at in range(1, len(clean.calls) + 1, EVERY):
            assert strike(at).killed
            root = folder / f"struck-{at}"
            with open_archive(root) as archive:
                for left in archive.leftovers():
                    try:
                        archive.replay(left.transaction)
                    except LeftoverIncomplete:
                        assert at < sealing, clean.calls[at - 1]
                        archive.roll_back(left.transaction)
                        continue
                    replayed += 1
                    (*_, found) = state_of(archive)["old"]
                    if at >= sealing:
                        assert found == wanted, clean.calls[at - 1]
                        sealed += 1
                state = state_of(archive)
            assert_whole(root, state)
        assert replayed > sealed > 0

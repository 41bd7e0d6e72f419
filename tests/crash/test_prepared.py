"""A transaction that was prepared together with others is never lost: it may have been decided that it be committed."""

from __future__ import annotations

import errno
from pathlib import Path

from muniment.content.identity import new_uuid
from muniment.testing import faults
from muniment.testing.faults import Fault
from tests.crash.judging import copy_archive
from tests.crash.scenes import open_archive, prepare, workshop

GROUP = new_uuid()


def test_refused_at_any_call_of_its_commit_it_waits_for_a_replay_or_is_there() -> None:
    with workshop() as folder:
        prepare(folder / "prepared", "preservation")

        def strike(root: Path, fault: Fault) -> faults.Outcome:
            def task(counting: faults.Counting) -> None:
                with open_archive(root) as archive:
                    transaction = archive.get("old", "a")
                    transaction.add(b"more", "more.txt")
                    transaction.prepare(GROUP, "another archive")
                    with counting():
                        transaction.commit()

            return faults.run(task, str(root), fault)

        clean = strike(copy_archive(folder / "prepared", folder / "clean"), Fault())
        assert not clean.error, clean.trace
        waited = 0
        for at in range(1, len(clean.calls) + 1):
            root = copy_archive(folder / "prepared", folder / f"struck-{at}")
            outcome = strike(root, Fault(at, "once", errno.EIO))
            with open_archive(root) as archive:
                if archive.get("old").number == 1:
                    assert outcome.error
                    (left,) = archive.leftovers()
                    archive.replay(left.transaction)
                    waited += 1
                assert archive.get("old").read("more.txt") == b"more"
                assert archive.leftovers() == [], clean.calls[at - 1]
                assert [finding.as_json() for finding in archive.audit()] == [], clean.calls[at - 1]
        assert waited

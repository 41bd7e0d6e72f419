"""A store that hangs is an outage: the steps of copies wait for it, and no job fails of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from muniment.jobs import Call, Ledger, LocalEngine, Registry
from muniment.jobs.local import Pace
from muniment.workflows.copies.steps import DRILL, PLAN, REPLICATE, VERIFY, CopyContext, steps
from tests.timing import PATIENCE, eventually

PACE = Pace(lease=30.0, poll=0.05, pulse=0.05, sweep=0.1, grace=0.1)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What ends all that hangs, at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("name", [PLAN, REPLICATE, VERIFY, DRILL])
def test_a_store_that_hangs_is_waited_out(name: str, tmp_path: Path, release: threading.Event) -> None:
    def hang() -> Any:
        release.wait(PATIENCE)
        raise AssertionError(name)

    with Ledger.open(tmp_path / "control.db") as ledger:
        known = steps(CopyContext(hang, lambda: ledger))
        for step in known:
            if hasattr(step, "deadlines"):
                step.deadlines = replace(step.deadlines, silence=0.1)
        with LocalEngine(ledger, Registry(known), threads=1, reserve=0, pace=PACE):
            job = ledger.submit("copies", Call(name, {"store": "one"}), requester="ada")
            eventually(ledger.control.outages)
            assert [step.failures for step in ledger.steps(job.id)] == [0]
            assert not ledger.job(job.id).ended

"""A process of a Celery worker opens the ledger when it can be reached, and not once and never again."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from muniment.errors.database import DatabaseUnavailable
from muniment.jobs import Ledger, Registry
from muniment.jobs.celery import CeleryEngine
from muniment.jobs.local import Pace


def test_a_process_that_begins_while_the_ledger_is_away_waits_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    def open_ledger() -> Ledger:
        tries.append(len(tries))
        if len(tries) < 3:
            raise DatabaseUnavailable(place="the ledger", reason="it is restarted")
        return Ledger.open(tmp_path / "control.db")

    engine = CeleryEngine("memory://", open_ledger, Registry([]), pace=Pace(poll=0.001))
    with caplog.at_level(logging.WARNING):
        here = engine._opened(threading.Event())
    assert here is not None
    assert len(tries) == 3
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "cannot be reached" in line]) == 1, "one line for an outage"
    assert len([line for line in said if line.startswith("over after")]) == 1, "and one for its end"
    engine.close()


def test_a_worker_that_is_to_stop_waits_for_no_ledger(tmp_path: Path) -> None:
    def open_ledger() -> Ledger:
        raise DatabaseUnavailable(place="the ledger", reason="it is gone")

    stop = threading.Event()
    stop.set()
    assert CeleryEngine("memory://", open_ledger, Registry([]))._opened(stop) is None

"""What Celery makes of a lost connection, as the engine sets it up: no broker is needed to see it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from celery.worker import consumer as celery_consumer

from muniment.jobs import CeleryEngine, Ledger, Registry

_WITHOUT_PARTS = type("Blueprint", (celery_consumer.Consumer.Blueprint,), {"default_steps": ()})
_ALONE = type("Alone", (celery_consumer.Consumer,), {"Blueprint": _WITHOUT_PARTS})
"""Celery's consumer without the parts that need a worker around them."""


def _no_ledger() -> Ledger:
    raise AssertionError("nothing is done here")


@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")  # of what Celery 6 will do
def test_behind_a_lost_connection_a_worker_takes_as_many_messages_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a step of days, in the middle of which the broker went, keeps its worker's other processes idle."""
    engine = CeleryEngine("amqp://127.0.0.1:1//", _no_ledger, Registry(()))
    worker = _ALONE(
        on_task_request=lambda _: None,
        app=engine.app,
        pool=SimpleNamespace(num_processes=2, is_green=False),
        initial_prefetch_count=2,
    )
    worker.connection = engine.app.connection_for_read()  # not connected
    under_way = [1, 2]  # it is only counted
    monkeypatch.setattr(celery_consumer.consumer, "active_requests", under_way)
    worker.on_connection_error_after_connected(ConnectionResetError("the broker went"))
    assert worker.initial_prefetch_count == 2
    engine.close()

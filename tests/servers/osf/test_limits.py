"""What a service says of its limits, and the budget it was given, hold for all workers together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors.base import BadInput
from muniment.jobs import State
from muniment.testing.servers.web import WebServer
from tests.servers.osf.house import House, container, http
from tests.timing import eventually


@pytest.fixture
def site() -> Iterator[WebServer]:
    with WebServer(style="json") as server:
        server.files = {f"d/{number}": b"%d" % number for number in range(20)}
        yield server


def until_waiting(house: House, job: str) -> str:
    """Why the step that fetches waits."""

    def reasons() -> list[str]:
        waiting = house.ledger.steps(job, state=State.READY)
        return [str(step.reason) for step in waiting if step.name == "osf.service" and step.reason]

    return eventually(reasons, told=lambda: list(house.ledger.steps(job)))[0]


def test_a_service_that_is_busy_for_one_worker_is_not_asked_by_another(tmp_path: Path, site: WebServer) -> None:
    with House(tmp_path, work=False) as registration_context:
        with House(tmp_path):
            site.fail("/d/$", status=429, headers={"Retry-After": "3000"})
            first = registration_context.submit(container("one", [http(site, "d/")]))
            assert "before" in until_waiting(registration_context, first.job)
        asked = len(site.requests)
        with House(tmp_path):
            second = registration_context.submit(container("two", [http(site, "d/")]))
            assert "before" in until_waiting(registration_context, second.job)
        assert len(site.requests) == asked == 1


def test_a_budget_is_kept_by_all_workers_together(tmp_path: Path, site: WebServer) -> None:
    with House(tmp_path, work=False) as registration_context:
        for id in ("one", "two"):
            with House(tmp_path, hourly_calls="http=15"):
                job = registration_context.submit(container(id, [http(site, "d/")])).job
                assert "before" in until_waiting(registration_context, job)
        assert len(site.requests) == 15


@pytest.mark.parametrize("word", ["github", "github=many", "github=0", "github=-5"])
def test_a_budget_that_is_none_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(BadInput, match="MUNIMENT_HOURLY_CALLS"):
        House(tmp_path, hourly_calls=word)

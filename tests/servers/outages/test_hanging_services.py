"""Services that hang hold up nobody but who asked them, whichever engine does the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.jobs import JobState
from muniment.testing.servers.web import WebServer
from tests.servers.osf.house import Sink, container, http
from tests.servers.osf.test_hanging import hosts
from tests.servers.outages.rig import Rig
from tests.timing import eventually


@pytest.mark.parametrize(
    "setup",
    ["postgresql", "redis", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("embedded", "rabbitmq"))],
)
def test_beside_four_hanging_hosts_a_healthy_container_ends_before_any_of_them_is_given_up(
    setup: str, tmp_path: Path
) -> None:
    """On two workers that do two steps at once each, all of which the hanging ones have taken before it comes."""
    with (
        WebServer(style="json") as site,
        hosts(4) as hanging,
        Sink() as sink,
        Rig(setup, tmp_path / "rig", sink) as rig,
    ):
        site.files = {f"d/{number}": b"x" * 100 for number in range(5)}
        for number, host in enumerate(hanging):
            rig.submit(container(f"h{number}", [http(host, "d/")]))
        stuck = [job.id for job in rig.ledger.jobs()]

        def taken() -> bool:
            return sum(len(rig.ledger.progress(job).running) for job in stuck) >= 2

        eventually(taken, told=rig.said)
        rig.submit(container("healthy", [http(site, "d/")]))
        eventually(lambda: sink.of("healthy"), told=rig.ledger.control.operations)
        assert [payload["status"] for payload in sink.of("healthy")] == ["success"]
        for job in stuck:
            assert rig.ledger.job(job).state is JobState.RUNNING
            assert {step.failures for step in rig.ledger.steps(job)} == {0}
            assert {step.attempt for step in rig.ledger.steps(job)} <= {0, 1}
        assert len(sink.payloads()) == 1
        rig.checked(["healthy"])

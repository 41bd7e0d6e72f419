"""Services that hang hold up nobody but who asked them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.jobs import JobState, LocalEngine
from muniment.jobs.local import Pace
from muniment.testing.servers.web import WebServer
from tests.servers.osf.house import House, container, http
from tests.timing import eventually


class Hanging:
    """A host that takes connections and says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def hosts(count: int) -> Iterator[list[Hanging]]:
    made = [Hanging() for _ in range(count)]
    try:
        yield made
    finally:
        for host in made:
            host.close()


def worker(house: House) -> LocalEngine:
    """A worker with two threads, one of which is kept for what somebody waits for."""
    services = BackgroundServices(App(house.settings))
    pace = Pace(poll=0.1, pulse=0.1, quiet=1.0)
    return LocalEngine(services.ledger(), services.registry(), threads=2, pace=pace)


def test_beside_four_hanging_hosts_a_healthy_container_ends_before_any_of_them_is_given_up(tmp_path: Path) -> None:
    """On two workers, with one thread each for it: it waits for no deadline of theirs."""
    with House(tmp_path, work=False) as house, hosts(4) as hanging, WebServer(style="json") as site:
        site.files = {f"d/{number}": b"x" * 100 for number in range(5)}
        engines = [worker(house), worker(house)]
        for engine in engines:
            engine.start()
        try:
            stuck = [house.submit(container(f"h{n}", [http(host, "d/")])).job for n, host in enumerate(hanging)]
            eventually(lambda: sum(len(house.ledger.progress(job).running) for job in stuck) >= 2)
            healthy = house.submit(container("healthy", [http(site, "d/")])).job
            eventually(lambda: house.ledger.job(healthy).ended)
            assert house.ledger.job(healthy).state is JobState.DONE
            for job in stuck:
                assert not house.ledger.job(job).ended
                assert {step.failures for step in house.ledger.steps(job)} == {0}
                assert {step.attempt for step in house.ledger.steps(job)} <= {0, 1}
                house.ledger.cancel(job)
        finally:
            for engine in engines:
                engine.stop(1)

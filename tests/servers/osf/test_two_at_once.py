"""Two workers at one service: one whose lease ran out, and the one that took over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from muniment.jobs import JobState
from muniment.testing.servers.loopback import Reply, Request
from muniment.testing.servers.web import WebServer
from muniment.workflows.fetch.transactions import TransactionLease
from tests.servers.osf.house import PROJECT, House, Sink, container, http


class Contended(WebServer):
    """Before it gives a file, another worker has stored one at its place."""

    house: Any = None

    def answer(self, request: Request) -> Reply:
        if not request.path.endswith("/"):
            (job,) = self.house.ledger.jobs()
            (step,) = self.house.ledger.steps(job.id, name="osf.service")
            lease = TransactionLease(self.house.archive, "one", step.given["transaction"], 60.0, lambda: None)
            with lease.taken() as transaction:
                path = f"http{request.path}"
                if path not in {each.path for each in transaction.files()}:
                    transaction.add(b"what the other had of it", path)
        return super().answer(request)


def test_what_another_worker_stored_meanwhile_is_no_failure_of_the_file(tmp_path: Path) -> None:
    with Sink() as sink, Contended(style="json") as site:
        site.files = {"d/small": b"s" * 100, "d/large": b"l" * (2 << 20)}
        with House(tmp_path, callback_addresses=sink.url) as house:
            site.house = house
            assert house.finish(container("one", [http(site, "d/")])).state is JobState.DONE
            (told,) = sink.payloads()
            assert (told["status"], told["failures"]) == ("success", [])
            found = house.archive.get("one", project=PROJECT)
            for name, data in site.files.items():
                with found.open(f"http/{name}") as stream:
                    assert stream.read() == data

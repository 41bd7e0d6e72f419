"""Hosts that hang hold up nobody else's links, and a download that is cancelled is no result of its link."""

from __future__ import annotations

from muniment.doors.ckan.harvest import steps, sweep
from muniment.doors.ckan.statuses import Status
from muniment.jobs import JobState, LocalEngine, Registry
from muniment.jobs.local import Pace
from muniment.testing.servers.loopback import Fault
from tests.servers.ckan.conftest import Harvester
from tests.timing import PATIENCE, eventually

PACE = Pace(lease=20.0, poll=0.05, pulse=0.05, sweep=0.2, quiet=0.2)


def harvest(harvester: Harvester, **scope: object) -> tuple[LocalEngine, str]:
    """Begin with two threads, neither of which is kept for anything; the engine and the job."""
    engine = LocalEngine(harvester.ledger, Registry(steps(harvester.given)), threads=2, reserve=0, pace=PACE)
    job = sweep(harvester.given, harvester.given.portals.get("p"), **scope)  # type: ignore[arg-type]
    engine.start()
    return engine, job


def links(harvester: Harvester, *hosts: str) -> None:
    origin = harvester.origin
    for number, host in enumerate(hosts):
        address = origin.put(f"/{host}/x.csv", b"a,b\n1,2\n" * 5000, etag=f'"{number}"')
        url = address.replace(f"127.0.0.1:{origin.port}", f"{host}.example:{origin.port}")
        harvester.portal_server.add(f"d{number}", "org", {"id": host, "url": url})


def test_more_hanging_hosts_than_threads_hold_up_no_other(harvester: Harvester) -> None:
    harvester.portal(write_back=False, timeout=PATIENCE, total_time=PATIENCE)
    links(harvester, *(f"hang-{number}" for number in range(6)), "good")
    harvester.origin.faults.append(Fault("^/hang-", times=10**9, delay=PATIENCE))
    engine, job = harvest(harvester)
    try:
        eventually(lambda: (harvester.given.links.find("p", "good") or {}).get("status") == Status.ARCHIVED)
        assert not harvester.ledger.job(job).ended
        found = [harvester.given.links.find("p", f"hang-{number}") for number in range(6)]
        assert {row["status"] for row in found if row is not None} == {None}
        harvester.ledger.cancel(job)
    finally:
        engine.stop(1)


def test_a_download_that_is_cancelled_is_no_result_of_its_link(harvester: Harvester) -> None:
    harvester.portal(write_back=False, timeout=PATIENCE, total_time=PATIENCE)
    links(harvester, "slow")
    harvester.origin.faults.append(Fault("^/slow", times=10**9, trickle=0.05))
    engine, job = harvest(harvester)
    try:
        eventually(lambda: any(step.size for step in harvester.ledger.progress(job).running))
        harvester.ledger.cancel(job)
        eventually(lambda: harvester.ledger.job(job).ended)
    finally:
        engine.stop(5)
    assert harvester.ledger.job(job).state is JobState.CANCELLED
    row = harvester.given.links.find("p", "slow")
    assert row is not None
    assert row["status"] is None

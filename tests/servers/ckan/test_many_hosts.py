"""A large portal over many hosts, some of them dead, slow or dripping: none holds up the others, memory stays flat."""

from __future__ import annotations

import gc
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from muniment.doors.ckan.statuses import Status
from muniment.testing.servers.loopback import Fault
from tests.servers.ckan.conftest import Harvester

BAD = ("dead", "slow", "drip")


def fill(harvester: Harvester, links: int, hosts: int) -> None:
    """A portal of `links` over `hosts`, of which three are bad; five links a dataset, each at another host."""
    names = [*BAD, *(f"good-{number}" for number in range(hosts - len(BAD)))]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()[1]
    origin = harvester.origin
    for dataset in range(links // 5):
        resources = []
        for number in range(dataset * 5, dataset * 5 + 5):
            host = names[number % hosts]
            address = origin.put(f"/{host}/{number}.csv", f"a,b\n{number},2\n".encode() * 20, etag=f'"{number}"')
            port = nobody if host == "dead" else origin.port
            resources.append(
                {"id": f"{host}-{number}", "url": address.replace(f"127.0.0.1:{origin.port}", f"{host}.example:{port}")}
            )
        harvester.portal_server.add(f"d{dataset:05}", f"org-{dataset % 7}", *resources)
    origin.faults += [
        Fault("^/slow/", times=10**9, delay=0.5),
        Fault("^/drip/", times=10**9, trickle=0.1),
    ]


def rows_of(harvester: Harvester, *hosts: str) -> list[dict[str, Any]]:
    rows = harvester.given.links.all("p")
    return [dict(row) for row in rows if any(str(row["resource"]).startswith(host) for host in hosts)]


def test_hosts_that_are_dead_slow_or_dripping_hold_up_no_other(
    harvester: Harvester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.doors.ckan.slots._SLOW", 0.3)
    monkeypatch.setattr("muniment.doors.ckan.slots._FIRST_CLOSED", 3.0)
    harvester.portal(write_back=False, host_connections=2, timeout=1.0, total_time=1.5)
    fill(harvester, 150, 10)
    harvester.harvest()
    good, slow = rows_of(harvester, "good"), rows_of(harvester, "slow")
    assert len(good) == 105
    assert {row["status"] for row in good + slow} == {Status.ARCHIVED}
    assert {row["status"] for row in rows_of(harvester, "dead", "drip")} == {Status.DOWNLOAD_ERROR}
    asked = [request for request in harvester.origin.requests if request.path.startswith("/drip/")]
    assert len(asked) < 15 * 3, "a host that never ends its answers is not asked for each of its links"
    assert max(map(updated, good)) < max(map(updated, slow)), "nobody waited for the slow one"


def test_a_dead_server_on_another_port_of_a_host_is_not_the_host(
    harvester: Harvester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.doors.ckan.slots._FIRST_CLOSED", 1.0)
    harvester.portal(write_back=False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()[1]
    dead = [{"id": f"dead-{number}", "url": f"http://127.0.0.1:{nobody}/{number}.csv"} for number in range(5)]
    harvester.portal_server.add("a", "org", *dead)
    harvester.harvest(dataset="a")
    harvester.portal_server.add("b", "org", {"id": "alive", "url": harvester.origin.put("/alive.csv")})
    harvester.harvest(dataset="b")
    assert harvester.status("alive") is Status.ARCHIVED


def test_a_sweep_of_a_portal_that_did_not_change_reads_no_body_and_makes_few_steps(harvester: Harvester) -> None:
    harvester.portal(write_back=False)
    for number in range(100):
        url = harvester.origin.put(f"/{number}.csv", f"a,b\n{number},2\n".encode(), etag=f'"{number}"')
        harvester.portal_server.add(f"d{number:03}", "org", {"id": f"r{number:03}", "url": url})
    harvester.harvest()
    asked_before, asked_portal = len(harvester.origin.requests), len(harvester.portal_server.requests)
    harvester.harvest()
    again = harvester.origin.requests[asked_before:]
    assert len(again) == 100
    assert all(request.headers.get("if-none-match") for request in again)
    assert {row["status"] for row in rows_of(harvester, "r")} == {Status.UNCHANGED}
    assert len(harvester.portal_server.requests) - asked_portal < 5, "no dataset is asked for again"
    job = harvester.ledger.jobs(kind="ckan-sweep", limit=1)[0]
    assert len(list(harvester.ledger.steps(job.id))) < 10


def test_what_changed_in_a_portal_that_was_swept_is_found_among_what_did_not(harvester: Harvester) -> None:
    harvester.portal(token=None)
    for number in range(20):
        url = harvester.origin.put(f"/{number}.csv", f"a,b\n{number},2\n".encode(), etag=f'"{number}"')
        harvester.portal_server.add(f"d{number:03}", "org", {"id": f"r{number:03}", "url": url})
    harvester.harvest()
    harvester.origin.put("/3.csv", b"a,b\n3,3\n", etag='"new"')
    harvester.origin.files["/5.csv"].status = 404
    harvester.portal_server.datasets["d007"]["title"] = "Another"
    harvester.portal_server.touch("d007")
    harvester.harvest()
    assert harvester.status("r003") is Status.ARCHIVED
    assert harvester.archive.get("r003", project="ckan/p").head == 2
    assert harvester.status("r005") is Status.DOWNLOAD_ERROR
    assert harvester.archive.get("dataset/d007", project="ckan/p").head == 2
    assert harvester.status("r000") is Status.UNCHANGED
    harvester.origin.files["/5.csv"].status = 200
    harvester.harvest()
    assert not harvester.row("r005")["is_broken"]
    assert harvester.row("r005")["failure_count"] == 0


def test_what_is_fresh_by_its_own_headers_is_not_asked_and_needs_no_step(harvester: Harvester) -> None:
    harvester.portal(write_back=False)
    for number in range(5):
        url = harvester.origin.put(f"/{number}.csv", headers={"Cache-Control": "max-age=3600"})
        harvester.portal_server.add(f"d{number}", "org", {"id": f"r{number}", "url": url})
    harvester.harvest()
    before = len(harvester.origin.requests)
    assert harvester.harvest() == {}
    assert len(harvester.origin.requests) == before
    assert harvester.status("r0") is Status.UNCHANGED
    harvester.clock.ahead = 3700
    harvester.harvest()
    assert len(harvester.origin.requests) == before + 5


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_ten_thousand_links_over_fifty_hosts_take_no_more_memory_than_a_thousand(harvester: Harvester) -> None:
    harvester.portal(write_back=False, host_connections=2, timeout=2.0, total_time=4.0)
    fill(harvester, 10_000, 50)
    began = time.monotonic()
    harvester.harvest(wait=3000)
    first, peak = time.monotonic() - began, resident()
    good = rows_of(harvester, "good")
    assert len(good) == 9_400
    assert {row["status"] for row in good} == {Status.ARCHIVED}
    harvester.origin.faults.clear()
    asked = len(harvester.origin.requests)
    began = time.monotonic()
    harvester.harvest(wait=3000)
    second = time.monotonic() - began
    bodies = [request for request in harvester.origin.requests[asked:] if "good" in request.path]
    assert all(request.headers.get("if-none-match") for request in bodies)
    gc.collect()
    print(f"10,000 links: {first:.0f} s, again {second:.0f} s ({second / first:.2f}); {peak} and {resident()} MB")
    assert resident() - peak < 100


def updated(row: dict[str, Any]) -> float:
    return float(row["updated"])


def resident() -> int:
    """This process's memory in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))

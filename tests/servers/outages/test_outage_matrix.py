"""Whatever fails of the archive's own means, and however long: no container fails, and each is told of once."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors.base import MunimentError
from tests.servers.osf.house import Sink, container, http
from tests.servers.osf.test_killed import SlowSite
from tests.servers.outages.rig import SETUPS, Rig
from tests.timing import PATIENCE, eventually

OUTAGES = ("archive server", "store", "ledger", "broker", "room")
LENGTHS = {"10 s": 10.0, "2 min": 120.0, "2 h": 7200.0}
BY_THE_CLOCK = 600.0
"""What lasts longer is passed by moving the clock."""
ALWAYS = {
    ("archive server", "2 h", "embedded"),
    ("store", "10 s", "redis"),
    ("ledger", "2 h", "postgresql"),
    ("room", "10 s", "embedded"),
}
"""What `make test` does; the rest is for the night."""
BEGAN = re.compile(r"outage: ([^\s:]+)")
OVER = re.compile(r"over, since what waited for it goes on: ([^\s:]+)")
PROCESSES = 8
"""The server, two workers, and the processes of each; some have a thread that dispatches or beats as well."""


def matrix() -> Iterator[object]:
    for what, length, setup in itertools.product(OUTAGES, LENGTHS, SETUPS):
        if what == "broker" and setup in {"embedded", "postgresql"}:
            continue
        marks = () if (what, length, setup) in ALWAYS else pytest.mark.nightly
        yield pytest.param(what, length, setup, marks=marks, id=f"{what}-{length}-{setup}")


@pytest.mark.parametrize(("what", "length", "setup"), list(matrix()))
def test_an_outage_fails_no_container_and_each_is_told_of_once(
    what: str, length: str, setup: str, tmp_path: Path
) -> None:
    ids = ["one", "two", "kid"]
    with SlowSite(style="json") as site, Sink() as sink, Rig(setup, tmp_path / "rig", sink) as rig:
        site.pause = 0.1
        site.files = {f"{part}/{n:02}": b"%d %d" % (part, n) * 500 for part in range(3) for n in range(12)}
        rig.submit(container("one", [http(site, "0/")]))
        rig.submit(container("two", [http(site, "1/")], [container("kid", [http(site, "2/")])]))
        eventually(lambda: len(site.requests) > 6, told=rig.said)
        with rig.without(what):
            last(rig, what, LENGTHS[length])
            assert sink.payloads() == [] or what in {"broker", "ledger"}
        until = time.monotonic() + PATIENCE
        while not all_ended(rig):
            # Whoever waits tries again within minutes: these need not be waited for here.
            rig.move_clock(60)
            time.sleep(0.5)
            assert time.monotonic() < until, rig.ledger.control.operations()
        assert [(job.state.value, job.reason) for job in rig.ledger.jobs()] == [("done", "")] * len(rig.ledger.jobs())
        told = Counter(payload["id"] for payload in sink.payloads())
        assert told == dict.fromkeys(ids, 1)
        assert {payload["status"] for payload in sink.payloads()} == {"success"}
        assert [payload["failures"] for payload in sink.payloads()] == [[]] * len(ids)
        assert rig.looking() == {}
        rig.checked(ids)
        said = rig.said()
        began, over = Counter(BEGAN.findall(said)), Counter(OVER.findall(said))
        assert began == over
        assert all(count == 1 for count in began.values()), "one line for an outage and one for its end"
        # A ledger or a broker that is away: each process has a line for it, for it cannot ask the others.
        assert said.count("Until it works again") <= PROCESSES, said
        assert "Traceback" not in said


def last(rig: Rig, what: str, seconds: float) -> None:
    """Let the outage last so long, and at least until it is met."""
    if seconds < BY_THE_CLOCK:
        time.sleep(seconds)
        return
    if what in {"archive server", "store", "room"}:
        eventually(rig.looking, every=0.1, told=rig.said)
    else:
        eventually(lambda: "Until it works again" in rig.said(), every=0.1, told=rig.said)
    for _ in range(8):
        rig.move_clock(seconds / 8)
        time.sleep(1)


def all_ended(rig: Rig) -> bool:
    try:
        return all(job.ended for job in rig.ledger.jobs())
    except MunimentError:
        return False

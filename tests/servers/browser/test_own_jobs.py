"""Jobs of one's own: whoever asked for work sees it and can call it off, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from muniment.database import Database
from muniment.jobs import Call, Ledger, Priority, State
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

PARTS = 60


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str, str]]:
    place = tmp_path_factory.mktemp("own") / "archive"
    key = make_archive(place)
    with Database.open(place / "control.db") as database:
        ledger = Ledger(database)
        call = Call("nobody does this")
        mine = ledger.submit("audit", call, requester="keys/users/ann", key="mine", priority=Priority.BULK).id
        [claim] = ledger.leases.exchange("worker-7", (), (1, 1), ["nobody does this"]).claims
        ledger.leases.spawn(claim, [Call("read a part", {"part": number}) for number in range(PARTS)])
        theirs = ledger.submit("audit", call, requester="keys/users/ben", key="theirs").id
    with serving(place, key=key, serve_work=False) as running:
        yield running, mine, theirs


@pytest.fixture(scope="module")
def ann(shared: tuple[Running, str, str]) -> Visitor:
    running, _, _ = shared
    return Visitor(running.url).sign_in(running.new_key("ann", _a_b={"resources/read", "resources/write"}))


def test_somebody_sees_their_own_jobs_and_nobody_elses(shared: tuple[Running, str, str], ann: Visitor) -> None:
    _, mine, theirs = shared
    page = ann.get("/jobs")
    assert page.status == 200
    assert "mine" in page.words
    assert "theirs" not in page.text
    assert theirs not in page.text
    assert [each["id"] for each in json.loads(ann.get("/jobs?format=json").body)["jobs"]] == [mine]
    assert ann.get(f"/jobs/{mine}").status == 200
    refused = ann.get(f"/jobs/{theirs}"), ann.get("/jobs/no-such-job")
    assert [each.status for each in refused] == [403, 403]
    assert refused[0].heading == refused[1].heading
    assert ann.post(f"/jobs/{theirs}/cancel", {"sure": "yes"}).status == 403
    assert ann.get(f"/live/jobs?job={theirs}").status == 403
    assert Visitor(ann.url).get("/jobs").url.split("?")[0].endswith("/sign-in")


def test_the_steps_are_a_tree_and_say_who_does_them(shared: tuple[Running, str, str], ann: Visitor) -> None:
    _, mine, _ = shared
    page = ann.get(f"/jobs/{mine}")
    assert "done by worker-7" in page.words
    assert page.text.count("· read a part") == 50
    assert "queue bulk" in page.words
    assert "Before the others" not in page.words


def test_an_administrator_puts_a_job_before_the_others(shared: tuple[Running, str, str], ann: Visitor) -> None:
    running, mine, _ = shared
    keeper = Visitor(running.url).sign_in(running.key)
    assert ann.post(f"/jobs/{mine}/priority", {"to": "priority"}).status == 403
    assert "Before the others" in keeper.get(f"/jobs/{mine}").words
    assert keeper.post(f"/jobs/{mine}/priority", {"to": "priority"}).status == 303
    assert "queue priority" in keeper.get(f"/jobs/{mine}").words
    assert keeper.post(f"/jobs/{mine}/priority", {"to": "first"}).status == 404
    with Database.open(running.place / "control.db") as database:
        ledger = Ledger(database)
        assert ledger.job(mine).priority is Priority.PRIORITY
        assert ledger.owed()[Priority.PRIORITY, State.READY] >= PARTS
        assert ledger.owed()[Priority.BULK, State.READY] == 1  # theirs


def test_who_asked_for_work_calls_it_off(shared: tuple[Running, str, str], ann: Visitor) -> None:
    _, mine, _ = shared
    assert ann.post(f"/jobs/{mine}/pause").status == 303
    assert "Go on" in ann.get(f"/jobs/{mine}").words
    assert ann.post(f"/jobs/{mine}/cancel").status == 400
    assert ann.post(f"/jobs/{mine}/cancel", {"sure": "yes"}).status == 303

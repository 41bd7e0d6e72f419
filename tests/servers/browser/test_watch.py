"""What keeps things safe, at a glance: what is due and planned, what stores cost and lock, who works on what."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.archive import Archive
from muniment.database import Database
from muniment.jobs import Call, Ledger
from muniment.jobs.schedules import Period
from muniment.settings import Settings
from muniment.workflows.copies.retention import Retention, Retentions
from muniment.workflows.copies.table import CopyTable
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

POLICY = 'verify = "1s"\n[[copies]]\nstore = "vault"\nlayout = "bag"\nverify = "1s"\nlock = "governance 1y"\n'
LONG_AGO = 1_700_000_000.0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("watch") / "archive"
    key = make_archive(place)
    with Archive(place) as archive:
        with archive.new("one", "a/b") as made:
            made.add(b"1" * 5000, "1.txt")
        list(archive.audit())
    working = BackgroundServices(App(Settings(archive=str(place))))
    with Archive(place) as archive:
        service = working.copy_service()
        service.registry.add("vault", str(place.parent / "vault"), request_price=2000.0, read_price=0.0)
        service.policies.set(service.archive, "a/b", 'verify = "1s"\n[[copies]]\nstore = "vault"\nlayout = "bag"\n')
        service.plan_all()
        service.replicate("vault")
        service.policies.set(service.archive, "a/b", POLICY)
        for row in list(service.table.each()):
            service.table.change(row, verified_at=LONG_AGO)
        database = service.table.database
        Retentions(database).set(archive, Retention("a/b", "one", "governance", database.now() + 86_400))
    working.close()
    with Database.open(place / "control.db") as database:
        ledger = Ledger(database)
        ledger.submit("audit", Call("nobody does this"), requester="Ann", key="waits")
        ledger.leases.exchange("worker-7", (), (1, 1), ["nobody does this"])
        ledger.submit("audit", Call("nobody does this"), requester="Ann", key="waits too")
        ledger.limits.close("github", 3600, "the service")
        ledger.schedule(Period("copies drill", "0 3 * * 0", "copies-drill", Call("nobody does this"), "copies"))
    with serving(place, key=key, serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(kept: Running) -> Visitor:
    return Visitor(kept.url).sign_in(kept.key)


def test_fixity_says_what_is_due_what_it_takes_and_when_it_is_planned(keeper: Visitor) -> None:
    page = keeper.get("/fixity")
    assert "copies are due" in page.words
    assert "requests, cost" in page.words
    assert "how long it takes is not known yet" in page.words
    drill = page.words.partition("Next restore drill")[2]
    assert drill.startswith("20")


def test_copies_say_when_each_was_verified_how_it_is_locked_and_what_ends_soon(keeper: Visitor) -> None:
    page = keeper.get("/copies")
    assert "each since 2023-11-14" in page.words
    assert "locked: governance" in page.words
    assert "4.00 to verify all once" in page.words
    assert "Retention that ends within 90 days" in page.words


def test_the_ledger_says_who_works_what_waits_and_opens_a_limit(kept: Running, keeper: Visitor) -> None:
    page = keeper.get("/admin/ledger")
    assert page.heading == "No worker has said for three minutes that it lives, one step waits"
    for said in ("worker-7", "No sign", "github", "closed by the service", "copies drill", "0 3 * * 0"):
        assert said in page.words, said
    assert keeper.post("/admin/ledger/lift", {"name": "github"}, Sec_Fetch_Site="cross-site").status == 403
    assert keeper.post("/admin/ledger/lift", {"name": "github"}).status == 303
    assert "github" not in keeper.get("/admin/ledger").words
    reader = Visitor(kept.url).sign_in(kept.new_key("reads", _={"resources/read", "events/read"}))
    assert reader.get("/admin/ledger").status == 403
    assert reader.post("/admin/ledger/lift", {"name": "github"}).status == 403
    assert keeper.get("/admin/projects").status == 308


def test_a_resource_says_until_when_each_of_its_copies_is_locked(keeper: Visitor, kept: Running) -> None:
    with Database.open(kept.place / "control.db") as database:
        table = CopyTable(database)
        (row,) = (each for each in table.of("a/b", "one") if each.store == "vault")
        table.change(row, lock_mode="compliance", locked_until=4_000_000_000.0)
    page = keeper.get("/resources/one?project=a/b")
    assert "locked until 2096-10-02" in page.words
    assert "which nobody can shorten" in page.words
    listed = keeper.get("/copies/stores/vault?state=made", Accept="application/json")
    assert b'"locked_until":"2096-10-02T07:06:40Z"' in listed.body.replace(b" ", b"")
    with Database.open(kept.place / "control.db") as database:
        CopyTable(database).change(row, lock_mode="hold", locked_until=1.0)
    page = keeper.get("/resources/one?project=a/b")
    assert "on legal hold" in page.words
    assert "locked until" not in page.words


def test_the_first_page_says_what_was_checked_longest_ago_and_how_much_was_read_today(keeper: Visitor) -> None:
    words = keeper.get("/").words
    # Of the archive itself the policy asks that it be read again within a second, and that was years ago.
    assert re.search(r"Oldest check[0-9,]+ days ago allowed: one day ?Read today[0-9.]+.kB here and in stores", words)


def test_the_figures_of_a_silent_store_are_those_of_the_last_good_count_with_their_time(
    keeper: Visitor, kept: Running
) -> None:
    assert "does not answer" not in keeper.get("/").words
    with Database.open(kept.place / "control.db") as database:
        change = "UPDATE stores SET reason = :reason, silent_since = :at"
        silent = {"reason": "connection refused", "at": 1.8e9}
        database.write(lambda connection: connection.execute(text(change), silent))
        words = keeper.get("/").words
        database.write(lambda connection: connection.execute(text(change), {"reason": "", "at": None}))
    assert re.search(r"vault: it does not answer; these figures are from 20\d\d-\d\d-\d\d \d\d:\d\d UTC", words)
    assert "connection refused. Nothing is known to be lost; it is tried again." in words

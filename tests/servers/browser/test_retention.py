"""Retention by page: set, extended, held, never shortened in compliance; and the purges that wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from muniment.archive import Archive
from muniment.database import Database
from muniment.errors.copies import ApprovalNeeded
from muniment.workflows.copies.policies import Policies
from muniment.workflows.copies.retention import permit_purge
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("retention") / "archive"
    key = make_archive(place)
    with Archive(place) as archive:
        for id in ("one", "two"):
            with archive.new(id, "a/b") as made:
                made.add(b"1", "1.txt")
        with Database.open(place / "control.db") as database:
            Policies(database).set(archive, "a/b", 'keep = "governance 1s"')
            with pytest.raises(ApprovalNeeded):
                permit_purge(database, archive, "two", "a/b", "made by <b>mistake</b>")
    with serving(place, key=key, serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(kept: Running) -> Visitor:
    return Visitor(kept.url).sign_in(kept.key)


def test_a_resource_is_kept_and_kept_longer_and_never_shorter_in_compliance(keeper: Visitor) -> None:
    form = {"id": "one", "project": "a/b", "until": "10d", "mode": "compliance"}
    assert keeper.post("/copies/retention", form).status == 200
    assert keeper.get("/copies/retention").heading == "One retention ends within 90 days"
    assert keeper.post("/copies/retention", form | {"until": "2090-01-01"}).status == 200
    page = keeper.get("/copies/retention")
    assert page.heading == "No retention ends within 90 days"
    assert "2090-01-01" in page.words
    shorter = keeper.post("/copies/retention", form | {"until": "20d"})
    assert shorter.status >= 400
    assert 'value="20d"' in shorter.text
    assert "Nothing was changed" in shorter.words
    assert (
        keeper.post("/copies/retention", {"id": "one", "project": "a/b", "hold": "set", "mode": "compliance"}).status
        == 200
    )
    assert "on hold" in keeper.get("/copies/retention").words


def test_what_cannot_be_kept_is_refused(keeper: Visitor) -> None:
    for form in ({"id": "none", "until": "1y"}, {"id": "two", "project": "a/b"},
                 {"id": "two", "project": "a/b", "until": "soon"},
                 {"id": "two", "project": "a/b", "until": "1y", "mode": "x"}):  # fmt: skip
        assert keeper.post("/copies/retention", form).status in {400, 404, 422}, form
    assert keeper.post("/copies/retention", {"id": "two", "until": "1y"}, Sec_Fetch_Site="cross-site").status == 403


def test_a_purge_that_waits_for_a_second_person_is_named_with_its_reason(kept: Running, keeper: Visitor) -> None:
    page = keeper.get("/copies/retention")
    assert "Purges that wait for a second person" in page.words
    assert "made by <b>mistake</b>" in page.words
    assert "/copies/retention" in keeper.get("/copies").text
    watcher = Visitor(kept.url).sign_in(kept.new_key("watcher", _={"events/read", "resources/read"}))
    assert watcher.get("/copies/retention").status == 200
    assert watcher.post("/copies/retention", {"id": "two", "until": "1y"}).status == 403

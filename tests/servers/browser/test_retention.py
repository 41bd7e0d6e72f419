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
    key = make_archive(place, mode="dynamic")
    with Archive(place) as archive:
        for id in ("one", "two", "three", "four", "five"):
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
    assert "within 90 days" in keeper.get("/copies/retention").heading
    assert keeper.post("/copies/retention", form | {"until": "2090-01-01"}).status == 200
    assert "2090-01-01" in keeper.get("/copies/retention").words
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
    home = keeper.get("/")
    assert "> asked that it be removed for ever" in home.words
    assert "&lt;" not in home.words
    watcher = Visitor(kept.url).sign_in(kept.new_key("watcher", _={"events/read", "resources/read"}))
    assert watcher.get("/copies/retention").status == 200
    assert watcher.post("/copies/retention", {"id": "two", "until": "1y"}).status == 403


def test_a_purge_is_asked_for_by_one_and_let_go_by_another(kept: Running, keeper: Visitor) -> None:
    here = "/resources/three/purge?project=a/b"
    assert "Remove it for ever" in keeper.get("/resources/three?project=a/b").words
    page = keeper.get(here)
    assert page.heading == "Remove three for ever?"
    assert "It takes two people" in page.words
    form = {"typed": "three", "reason": "a <i>double</i>"}
    assert keeper.post(here, form | {"typed": "tree"}).status == 400
    assert keeper.post(here, form, Sec_Fetch_Site="cross-site").status == 403
    asked = keeper.post(here, form)
    assert asked.status == 200
    assert "It waits for a second person" in asked.words
    # The same person is not a second one, and has no button for it.
    assert here not in [each.attributes["action"] for each in keeper.get(here).page.every("form")]
    keeper.post(here, form)
    assert keeper.get("/resources/three?project=a/b").status == 200
    reader = Visitor(kept.url).sign_in(kept.new_key("onlooker", _={"resources/read", "events/read"}))
    assert reader.get(here).status == 403
    assert reader.post(here, form).status == 403
    other = Visitor(kept.url).sign_in(kept.new_key("other", _={"admin"}))
    assert "/resources/three/purge?project=a/b" in other.get("/copies/retention").text
    decides = other.get(here)
    assert "You are the second" in decides.words
    assert "a <i>double</i>" in decides.words
    wrong = other.post(here, form | {"typed": ""})
    assert (wrong.status, wrong.page.the("textarea").text.strip()) == (400, "a <i>double</i>")
    done = other.post(here, form)
    assert done.status == 303
    assert "deletion" in other.get(done.headers["location"]).words
    gone = keeper.get("/resources/three?project=a/b")
    assert (gone.status, gone.heading) == (410, "This was removed for ever")
    assert "asked for by keeper" in gone.words


def test_a_request_to_purge_is_taken_back(keeper: Visitor) -> None:
    here = "/resources/four/purge?project=a/b"
    assert keeper.post(here, {"typed": "four", "reason": "a <i>slip</i>"}).status == 200
    assert "a <i>slip</i>" in keeper.get(here).words
    assert keeper.post("/resources/four/purge/withdraw?project=a/b").status == 303
    assert "a <i>slip</i>" not in keeper.get("/copies/retention").words
    assert keeper.get("/resources/four?project=a/b").status == 200


def test_what_is_under_retention_says_so_instead_of_a_form(keeper: Visitor) -> None:
    kept = {"id": "five", "project": "a/b", "until": "10d", "mode": "governance"}
    assert keeper.post("/copies/retention", kept).status == 200
    page = keeper.get("/resources/five/purge?project=a/b")
    assert "Cannot be done" in page.words
    assert [each for each in page.page.every("form") if "purge" in each.attributes["action"]] == []
    assert keeper.post("/resources/five/purge?project=a/b", {"typed": "five", "reason": "x"}).status == 403

"""Policies by page: checked, put in force, a revision each, undone; two tabs lose nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from muniment.archive import Archive
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

FIRST = 'verify = "30d"\n'
SECOND = 'verify = "60d"\nkeep = "governance 1y"\n'


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("policies") / "archive"
    key = make_archive(place)
    with Archive(place) as archive, archive.new("one", "a/b") as made:
        made.add(b"1", "1.txt")
    with serving(place, key=key, serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(ruled: Running) -> Visitor:
    return Visitor(ruled.url).sign_in(ruled.key)


def revision(visitor: Visitor, project: str) -> str:
    page = visitor.get(f"/admin/policies?project={project}")
    return next(each.attributes["value"] for each in page.page.every("input") if each.attributes.get("name") == "rev")


def test_each_change_is_a_revision_in_the_log_that_can_be_undone(ruled: Running, keeper: Visitor) -> None:
    for text in (FIRST, SECOND):
        form = {"project": "a/b", "rev": revision(keeper, "a/b"), "policy": text.replace("\n", "\r\n")}
        assert keeper.post("/admin/policies", form).status == 303
    page = keeper.get("/admin/policies?project=a/b")
    assert page.page.the("textarea").text.strip() == SECOND.strip()
    assert len(re.findall(r"<summary>revision \d+", page.text)) == 2
    undo = {"project": "a/b", "rev": revision(keeper, "a/b"), "policy": FIRST}
    assert keeper.post("/admin/policies", undo).status == 303
    assert keeper.get("/admin/policies?project=a/b").page.the("textarea").text.strip() == FIRST.strip()
    with Archive(ruled.place) as archive:
        said = [event for event in archive.events() if event.event == "policy assignment"]
    assert [event.detail["policy"]["text"] for event in said] == [FIRST, SECOND, FIRST]
    assert all("keeper" in event.agent for event in said)


def test_the_second_of_two_tabs_is_told_and_loses_nothing(keeper: Visitor) -> None:
    rev = revision(keeper, "a/c")
    assert keeper.post("/admin/policies", {"project": "a/c", "rev": rev, "policy": FIRST}).status == 303
    late = keeper.post("/admin/policies", {"project": "a/c", "rev": rev, "policy": SECOND + "# mine </textarea><b>"})
    assert late.status == 409
    assert "Somebody changed this policy while you did" in late.words
    assert late.page.the("textarea").text.strip() == (SECOND + "# mine </textarea><b>").strip()
    assert "30d" in late.words
    again = {"project": "a/c", "rev": next(
        each.attributes["value"] for each in late.page.every("input") if each.attributes.get("name") == "rev"
    ), "policy": SECOND}  # fmt: skip
    assert keeper.post("/admin/policies", again).status == 303


def test_what_cannot_be_used_is_refused_with_what_was_typed(keeper: Visitor) -> None:
    before = revision(keeper, "*")
    for text in ("verify = ", 'copies = "x"', 'colour = "red"', 'verify = "soon"'):
        refused = keeper.post("/admin/policies", {"policy": text, "rev": before})
        assert refused.status == 400, text
        assert refused.page.the("textarea").text.strip() == text.strip()
    assert keeper.post("/admin/policies", {"project": "no project", "policy": FIRST}).status == 422
    assert keeper.post("/admin/policies", {"policy": FIRST}, Sec_Fetch_Site="cross-site").status == 403
    assert revision(keeper, "*") == before


def test_a_check_asks_the_stores_and_changes_nothing(keeper: Visitor) -> None:
    before = revision(keeper, "*")
    asked = keeper.post("/admin/policies", {"policy": '[[copies]]\nstore = "moon"\n', "rev": before, "do": "check"})
    assert asked.status == 200
    assert "The stores cannot do all of this" in asked.words
    assert "moon" in asked.words
    assert revision(keeper, "*") == before


def test_policies_are_for_administrators(ruled: Running) -> None:
    reader = Visitor(ruled.url).sign_in(ruled.new_key("reader", _={"resources/read", "events/read"}))
    assert reader.get("/admin/policies").status == 403
    assert reader.post("/admin/policies", {"policy": FIRST}).status == 403

"""A store that is known is changed by page: tried as it is to be, a revision each, undone; two tabs lose nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.errors.access import IncorrectRev
from muniment.settings import Settings
from muniment.workflows.copies.registry import StoreChange
from tests.servers.browser.visiting import Answer, Element, Visitor
from tests.servers.native.running import Running, make_archive, serving

HERE = "/admin/stores"


@pytest.fixture(scope="module")
def storing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("changed-stores") / "archive"
    with serving(place, key=make_archive(place), serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(storing: Running) -> Visitor:
    return Visitor(storing.url).sign_in(storing.key)


def added(storing: Running, keeper: Visitor, name: str, **given: str) -> Path:
    folder = storing.place.parent / name
    folder.mkdir()
    assert keeper.post(HERE, {"name": name, "address": str(folder), "do": "add", **given}).status == 303
    return folder


def typed(keeper: Visitor, name: str) -> dict[str, str]:
    """The form of a store as it is shown."""
    return values_of(keeper.get(f"{HERE}?store={name}")) | {"do": "save"}


def values_of(answer: Answer) -> dict[str, str]:
    forms = (list(_within(each)) for each in answer.page.every("form"))
    form = next(each for each in forms if any(inner.attributes.get("id") == "credentials" for inner in each))
    inputs = [each for each in form if each.name == "input" and each.attributes.get("type") != "checkbox"]
    return {each.attributes["name"]: each.attributes.get("value", "") for each in inputs}


def _within(element: Element) -> Iterator[Element]:
    for each in element.inside:
        yield each
        yield from _within(each)


def test_a_price_is_changed_and_changed_back_without_touching_the_store(storing: Running, keeper: Visitor) -> None:
    folder = added(storing, keeper, "priced")
    shutil.move(folder, folder.with_name("away"))  # as when it is not mounted
    form = typed(keeper, "priced")
    assert keeper.post(HERE, form | {"read_price": "0,09"}).headers["location"] == f"{HERE}?store=priced"
    assert typed(keeper, "priced") == form | {"read_price": "0.09", "rev": "2"}
    page = keeper.get(f"{HERE}?store=priced")
    assert page.text.count("<summary>revision ") == 2
    assert "keeper" in page.words
    undo = next(
        {inner.attributes["name"]: inner.attributes["value"] for inner in each.inside if inner.name == "input"}
        for each in page.page.every("form")
        if "Make it so again" in each.text
    )
    assert keeper.post(HERE, undo).status == 303
    assert typed(keeper, "priced") == form | {"rev": "3"}


def test_a_store_that_moved_is_tried_where_it_is_now_and_no_other_is_taken_for_it(
    storing: Running, keeper: Visitor
) -> None:
    folder, other = added(storing, keeper, "moving"), added(storing, keeper, "other")
    moved = folder.with_name("moved")
    form = typed(keeper, "moving")
    for wrong, why in ((str(other), "its mark says"), (str(moved), "")):
        refused = keeper.post(HERE, form | {"address": wrong})
        assert 400 <= refused.status < 600
        assert "It cannot be used as it is" in refused.words
        assert why in refused.words
        assert values_of(refused)["address"] == wrong
    shutil.move(folder, moved)
    tried = keeper.post(HERE, form | {"address": str(moved), "do": "try"})
    assert (tried.status, tried.words.count("Passed")) == (200, 5)
    assert typed(keeper, "moving") == form
    assert keeper.post(HERE, form | {"address": str(moved)}).status == 303
    assert typed(keeper, "moving") == form | {"address": str(moved), "rev": "2"}
    assert [each.name for each in moved.iterdir()] == ["muniment-store.json"], "what was tried is gone"


def test_the_second_of_two_tabs_gets_both_versions_and_its_credentials_are_in_none(
    storing: Running, keeper: Visitor
) -> None:
    added(storing, keeper, "tabs")
    form = typed(keeper, "tabs")
    assert keeper.post(HERE, form | {"read_price": "7"}).status == 303
    late = keeper.post(HERE, form | {"request_price": "0.5", "keys": "secret = hush"})
    assert late.status == 409
    assert "Somebody changed this store while you did" in late.words
    assert "As it is now" in late.words
    assert {**values_of(late), "do": "save"} == form | {"request_price": "0.5", "rev": "2"}
    assert "7" in late.words
    assert "hush" not in late.text
    assert keeper.post(HERE, values_of(late) | {"do": "save", "read_price": "7"}).status == 303


def test_credentials_are_given_kept_replaced_and_removed_and_never_shown(storing: Running, keeper: Visitor) -> None:
    added(storing, keeper, "sealed", keys="secret = hush")
    for given in ({"read_price": "1"}, {"keys": "secret = other"}, {"drop": "yes"}, {"read_price": "2"}):
        assert keeper.post(HERE, typed(keeper, "sealed") | given).status == 303
    page = keeper.get(f"{HERE}?store=sealed")
    assert "hush" not in page.text
    working = BackgroundServices(App(Settings(archive=str(storing.place))))
    try:
        registry = working.copy_service().registry
        said = [each.credentials for each in registry.revisions("sealed")]
        assert said == ["none", "none", "given", "kept", "given"]
        assert registry.credentials_from("sealed") == ""
        assert registry._credentials("sealed") == {}
    finally:
        working.close()


def test_of_two_changes_at_once_the_second_is_refused(storing: Running, keeper: Visitor) -> None:
    folder = added(storing, keeper, "both")
    working = BackgroundServices(App(Settings(archive=str(storing.place))))
    try:
        registry = working.copy_service().registry
        registry.change(StoreChange("both", str(folder), 1.0), 1, by="Ann")
        with pytest.raises(IncorrectRev):
            registry.change(StoreChange("both", str(folder), 2.0), 1, by="Ben")
        assert registry.get("both").request_price == 1.0
        assert next((each.rev, each.changed_by) for each in registry.revisions("both")) == (2, "Ann")
        registry.forget("both")
        assert registry.revisions("both") == []
    finally:
        working.close()


def test_a_store_that_is_not_known_is_not_changed(keeper: Visitor) -> None:
    assert keeper.get(f"{HERE}?store=none").status == 404
    assert keeper.post(HERE, {"name": "none", "address": "/tmp/x", "rev": "1", "do": "save"}).status == 404

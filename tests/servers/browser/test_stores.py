"""Stores by page: one is tried step by step before it is known, and tapes stand as a shelf, as they were last seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.archive import Archive
from muniment.settings import Settings
from muniment.testing.servers.ltfs import Cartridge, TapeDrive
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

HERE = "/admin/stores"


@pytest.fixture(scope="module")
def storing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("stores") / "archive"
    with serving(place, key=make_archive(place), serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(storing: Running) -> Visitor:
    return Visitor(storing.url).sign_in(storing.key)


def test_a_store_is_tried_and_then_known(storing: Running, keeper: Visitor) -> None:
    folder = storing.place.parent / "vault"
    folder.mkdir()
    form = {"name": "vault", "address": str(folder), "keys": "secret = hush", "request_price": "0,5"}
    tried = keeper.post(HERE, form | {"do": "try"})
    assert (tried.status, tried.heading) == (200, "No store is known")
    assert "It can be used" in tried.words
    assert tried.words.count("Passed") == 5
    assert "hush" not in tried.text
    assert list(folder.iterdir()) == []
    added = keeper.post(HERE, form | {"do": "add"})
    assert (added.status, added.headers["location"]) == (303, "/copies/stores/vault")
    assert "vault" in keeper.get("/copies").words
    assert keeper.get(HERE).heading == "One store is known"
    again = keeper.post(HERE, form | {"do": "add"})
    assert again.status == 409
    assert again.words.count("Failed") == 1


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"name": "Not a name", "address": "/tmp/x"}, 400),
        ({"name": "a", "address": ""}, 400),
        ({"name": "a", "address": "folder"}, 400),
        ({"name": "a", "address": "/tmp/x", "keys": "no value"}, 400),
        ({"name": "a", "address": "/tmp/x", "read_price": "dear"}, 400),
        ({"name": "a", "address": "gopher://x"}, 400),
    ],
)
def test_what_is_no_store_is_refused_with_what_was_typed(keeper: Visitor, given: dict[str, str], status: int) -> None:
    refused = keeper.post(HERE, given | {"do": "try"})
    assert refused.status == status, refused.words
    values = [each.attributes.get("value") for each in refused.page.every("input")]
    assert given["address"] in values


def test_a_folder_that_is_not_there_is_not_made_by_a_trial(storing: Running, keeper: Visitor) -> None:
    missing = storing.place.parent / "missing"
    words = keeper.post(HERE, {"name": "missing", "address": str(missing), "do": "try"}).words
    assert "It cannot be used as it is" in words
    assert not missing.exists()


def test_only_administrators_of_everything_add_stores(storing: Running, keeper: Visitor) -> None:
    watcher = Visitor(storing.url).sign_in(storing.new_key("watcher", _={"events/read", "resources/read"}))
    assert watcher.get(HERE).status == 403
    assert watcher.post(HERE, {"name": "x", "address": "/tmp/x"}).status == 403
    assert keeper.post(HERE, {"name": "x", "address": "/tmp/x"}, Sec_Fetch_Site="cross-site").status == 403


def test_tapes_stand_as_a_shelf_with_what_is_known_of_each(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key = make_archive(place)
    with Archive(place) as archive, archive.new("one", "a/b") as made:
        made.add(b"1" * 1000, "1.bin")
    tapes = [Cartridge(tmp_path / name, name) for name in ("MUN001L8", "MUN002L8")]
    working = BackgroundServices(App(Settings(archive=str(place))))
    with TapeDrive(tmp_path / "mnt") as drive:
        service = working.copy_service()
        for number, tape in enumerate(tapes):
            tape.label()
            drive.insert(tape)
            if number == 0:
                service.registry.add("tape", f"ltfs://{drive.mount}")
                service.policies.set(service.archive, "*", '[[copies]]\nstore = "tape"\nlayout = "bag"\n')
                service.plan_all()
            service.replicate("tape")
            drive.eject()
            if number == 0:
                with Archive(place) as archive, archive.new("two", "a/b") as made:
                    made.add(b"2" * 1000, "2.bin")
                service.plan()
    working.close()
    with serving(place, key=key, serve_work=False) as running:
        # The drive is gone: what is shown was kept when it was there, and nobody is asked.
        page = Visitor(running.url).sign_in(key).get("/copies")
        shelf = [each for each in page.page.every("li") if "tape" in each.attributes.get("class", "").split()]
        names = [each.text for each in page.page.every("h3") if each.text.startswith("MUN")]
        assert names == ["MUN002L8", "MUN001L8"]
        for each in shelf:
            assert "full" in each.text
            assert "written" in each.text
        assert [each.attributes["max"] for each in page.page.every("meter")] == ["100", "100"]

"""The trial of a store by page: each step with its result, one that fails with its reason, and nothing left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.settings import Settings
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving
from tests.timing import eventually


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("trials") / "archive"
    key = make_archive(place)
    working = BackgroundServices(App(Settings(archive=str(place))))
    for name in ("vault", "gone"):
        working.copy_service().registry.add(name, str(place.parent / name))
    working.close()
    with serving(place, key=key) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(stored: Running) -> Visitor:
    return Visitor(stored.url).sign_in(stored.key)


def tried(keeper: Visitor, name: str) -> str:
    assert keeper.post(f"/copies/stores/{name}/test").status == 303
    eventually(lambda: "Try it again" in keeper.get(f"/copies/stores/{name}").words, every=0.1)
    return keeper.get(f"/copies/stores/{name}").words


def test_a_store_that_can_be_used_passes_every_step_and_keeps_nothing(stored: Running, keeper: Visitor) -> None:
    before = sorted(Path(stored.place.parent / "vault").rglob("*"))
    words = tried(keeper, "vault")
    assert words.count("Passed") == 5
    assert "the same bytes" in words
    assert sorted(Path(stored.place.parent / "vault").rglob("*")) == before


def test_a_store_that_is_gone_says_at_which_step_and_why(stored: Running, keeper: Visitor) -> None:
    shutil.rmtree(stored.place.parent / "gone")
    words = tried(keeper, "gone")
    assert words.count("Failed") == 1
    assert words.count("Not tried") == 4
    assert not (stored.place.parent / "gone").exists()


def test_only_administrators_try_a_store(stored: Running, keeper: Visitor) -> None:
    watcher = Visitor(stored.url).sign_in(stored.new_key("watcher", _={"events/read", "resources/read"}))
    assert watcher.post("/copies/stores/vault/test").status == 403
    assert keeper.post("/copies/stores/vault/test", Sec_Fetch_Site="cross-site").status == 403
    assert keeper.post("/copies/stores/none/test").status == 404

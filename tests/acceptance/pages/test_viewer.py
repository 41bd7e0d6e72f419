"""A large scan in Chromium: part by part under the strict policy, by mouse and keyboard, and plain without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.imaging.viewer import viewer
from muniment.testing.scans import write_scan
from tests.acceptance.pages.conftest import Look
from tests.servers.native.running import Running, make_archive, serving

HERE = "/resources/plan/files/plan.tif?project=rivermark/maps"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("scanned") / "archive"
    key = make_archive(place, redundancy=0)
    scan = write_scan(place.parent / "plan.tif", width=3000, height=2000, tile=True, compression="deflate")
    with Archive(place) as archive, archive.new("plan", "rivermark/maps") as made:
        made.add(scan, "plan.tif")
    with serving(place, key=key, serve_work=False) as running:
        yield running


def test_a_large_scan_is_looked_at_closely(look: Look, scanned: Running, pictures: Path) -> None:
    assert viewer() is not None, "the build has not brought the viewer: make setup"
    reader = look(scanned.url, scanned.key)
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url))
    page = reader.go(HERE)
    page.wait_for_selector("[data-tools]:not([hidden])")
    assert page.locator(".preview img").is_hidden()
    assert not any("level=12" in each for each in asked)
    with page.expect_request(lambda request: "level=12" in request.url):
        for _ in range(5):
            page.click("[data-tool=closer]")
    assert reader.axe() == []
    page.click("[data-tool=all]")
    page.focus(".stage [tabindex='0']")
    page.keyboard.press("+")
    reader.nothing_is_wrong()
    page.screenshot(path=str(pictures / "viewer-1280-light.png"))


def test_without_scripts_the_picture_stands_in_its_place(look: Look, scanned: Running) -> None:
    reader = look(scanned.url, "-", java_script_enabled=False)
    page = reader.go(HERE)
    page.fill("#given", scanned.key)
    page.click("text=Sign in with this key")
    page.wait_for_selector(".preview img")  # until it is to be seen
    assert page.locator("[data-tools]").is_hidden()

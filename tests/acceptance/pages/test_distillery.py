"""The Distillery's pages in Chromium: from the form to the audit, and a log that is live over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page

from muniment.database import Database
from muniment.doors.distillery.batches import Batches
from muniment.doors.distillery.steps import KIND, MAKE
from muniment.jobs import Call, Ledger
from muniment.testing.servers.archivesspace import ArchivesSpaceServer
from muniment.testing.small_collection import describe_collection, write_scans, write_settings
from tests.acceptance.pages.conftest import Look
from tests.servers.native.running import free_port, make_archive, serving
from tests.timing import eventually


@pytest.fixture(scope="module")
def catalogue() -> Iterator[ArchivesSpaceServer]:
    with ArchivesSpaceServer() as running:
        describe_collection(running)
        yield running


def settings_of(place: Path, catalogue: ArchivesSpaceServer) -> dict[str, object]:
    for name in ("cloud", "scans"):
        (place / name).mkdir()
    settings = write_settings(place / "distillery.toml", catalogue, cloud=f'address = "{place}/cloud"')
    return {"distillery": settings, "allow_private_addresses": True, "scratch": place / "scratch"}


WHOLE_LOG = """() => {
    const numbers = [...document.querySelectorAll("ol.log > li > a")].map((each) => Number(each.textContent));
    return numbers.length > 0 && numbers.every((number, place) => number === place + 1);
}"""


def _is_whole(page: Page) -> bool:
    """Whether the log is numbered from one on; the page is loaded anew at the end, so all is asked of one moment."""
    try:
        return bool(page.evaluate(WHOLE_LOG))
    except Error:
        return False


def test_a_person_goes_from_the_form_to_the_audit(
    look: Look, tmp_path: Path, catalogue: ArchivesSpaceServer, pictures: Path
) -> None:
    settings = settings_of(tmp_path, catalogue)
    write_scans(tmp_path / "scans", width=120, height=80)
    (tmp_path / "scans/HBF/HBF_1_09").mkdir()
    with serving(tmp_path / "A", **settings) as running:
        reader = look(running.url, running.key)
        pages: list[tuple[str, str]] = []

        def seen(name: str) -> None:
            pages.append((name, page.url.removeprefix(reader.url)))
            assert reader.axe() == [], name
            reader.nothing_is_wrong()

        page = reader.go("/distillery")
        seen("batches-none")
        page.click("text=New batch")
        page.fill("#collection", "HBF")
        seen("batch-form")
        page.click("text=Preview it")
        page.wait_for_selector("h1:has-text('2 of 3 folders of Papers of a Board are ready')")
        seen("batch-preview")
        page.click("text=Run the 2 that are ready")
        page.wait_for_selector("h1:has-text('2 of 2 folders are safe and recorded')")
        eventually(lambda: _is_whole(page), every=0.1)
        seen("batch")
        page.click("text=Audit it now")
        page.wait_for_selector("h1:has-text('HBF is as the batch left it')")
        seen("batch-audit")
        narrow = look(
            running.url,
            running.key,
            color_scheme="dark",
            viewport={"width": 360, "height": 900},
            reduced_motion="reduce",
        )
        for name, path in pages:
            narrow.go(path)
            assert narrow.page.evaluate("document.documentElement.scrollWidth") == 360, name
            assert narrow.axe() == [], name
            narrow.nothing_is_wrong()
            narrow.page.screenshot(path=str(pictures / f"{name}-360-dark.png"), full_page=True)
            page.goto(reader.url + path)
            page.screenshot(path=str(pictures / f"{name}-1280-light.png"), full_page=True)


def test_a_log_goes_on_over_a_restart_without_a_gap(look: Look, tmp_path: Path, catalogue: ArchivesSpaceServer) -> None:
    settings = settings_of(tmp_path, catalogue) | {"serve_work": False}
    place, port = tmp_path / "A", free_port()
    key = make_archive(place)
    with Database.open(place / "control.db") as database:
        ledger, batches = Ledger(database), Batches(database)
        given = {"collection": "HBF", "to": ["cloud"]}
        batch = ledger.submit(KIND, Call("nobody does this"), requester="test", given=given).id

        def numbers() -> list[int]:
            return [int(each) for each in page.locator("ol.log > li > a").all_inner_texts()]

        for number in range(250):
            batches.say(batch, f"line <b>{number}</b>")
        with serving(place, key=key, serve_port=port, **settings) as running:
            reader = look(running.url, key)
            page = reader.go(f"/distillery/{batch}")
            assert numbers() == list(range(51, 251))
            page.wait_for_selector("[data-state]:text-is('live')")
            batches.say(batch, "while it runs", folder="HBF_1_05", kind="problem")
            page.wait_for_selector("#L251.l-warn")
            page.wait_for_selector("#L251 time[data-local]")
            # The table of folders goes on in the open page, as does what can be done with the batch.
            page.evaluate("window.same = true")
            [root] = ledger.leases.exchange("one", (), (1, 1), ["nobody does this"]).claims
            ledger.leases.spawn(root, [Call(MAKE, {"folder": "HBF_1_05"})])
            page.wait_for_selector("#batch-folders :text('HBF_1_05')")
            ledger.control.pause(batch)
            page.wait_for_selector("#batch-head :text('Go on')")
            ledger.control.resume(batch)
            page.wait_for_selector("#batch-head :text('Pause')")
            assert page.evaluate("window.same")
        page.wait_for_selector("text=stopped at")
        for number in range(5):
            batches.say(batch, f"while it is down {number}")
        with serving(place, key=key, serve_port=port, **settings):
            batches.say(batch, "after it came back", kind="finished")
            page.wait_for_selector("#L257.l-ok")
            assert numbers() == list(range(51, 258))
            # Each line has its address, also one that is on no page which is open.
            reader.wrong.clear()  # the browser itself says that the stream was cut
            reader.go(f"/distillery/{batch}?line=7#L7")
            assert numbers() == list(range(7, 207))
            reader.nothing_is_wrong()
            reader.go(f"/distillery/{batch}?lines=warnings")
            assert numbers() == [251]

"""What scripts add to the pages of reading and depositing, in a real browser."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from playwright.sync_api import expect

from muniment.archive import Archive
from muniment.database import Database
from tests.acceptance.pages.conftest import Look
from tests.servers.browser.test_reading import picture
from tests.servers.native.running import Running
from tests.timing import PATIENCE, eventually

MAPS = "?project=rivermark/maps"
DROP = """async ([selector, name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector(selector).dispatchEvent(event);
}"""


@pytest.fixture(scope="module", autouse=True)
def sheets(site: Running) -> None:
    with Archive(site.place) as archive:
        with archive.new("sheets", "rivermark/maps") as made:
            for number in range(1, 6):
                made.add(picture(number), f"scans/<i>box 1/{number:02}.png")
            made.add(b"x", "scans/read me.txt")
        with archive.get("sheets", "a", project="rivermark/maps") as made:
            made.replace(picture(77), "scans/<i>box 1/03.png")


def test_folders_open_in_their_place_and_close_again(look: Look) -> None:
    reader = look()
    page = reader.go("/resources/sheets" + MAPS)
    page.get_by_role("button", name="Open scans").click()
    page.get_by_role("button", name="Open <i>box 1").click()
    expect(page.get_by_role("link", name="03.png")).to_be_visible(timeout=PATIENCE * 1000)
    assert reader.axe() == []
    page.get_by_role("button", name="Open scans").click()
    expect(page.get_by_role("link", name="03.png")).to_have_count(0)
    reader.nothing_is_wrong()


def test_a_folder_is_chosen_whole_half_or_not(look: Look) -> None:
    reader = look()
    page = reader.go("/resources/sheets/choose" + MAPS)
    said = page.locator("[data-total]")
    page.get_by_role("checkbox", name="scans").check()
    expect(said).to_contain_text("6 files")
    page.get_by_role("button", name="Open scans").click()
    box = page.get_by_role("checkbox", name="<i>box 1")
    expect(box).to_be_checked()
    expect(said).to_contain_text("6 files")
    page.get_by_role("checkbox", name="read me.txt").uncheck()
    scans = page.get_by_role("checkbox", name="scans")
    assert scans.evaluate("each => each.indeterminate")
    expect(said).to_contain_text("5 files")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download zip").click()
    assert download.value.suggested_filename == "sheets.zip"
    page.get_by_role("checkbox", name="read me.txt").check()
    expect(scans).to_be_checked()
    expect(said).to_contain_text("6 files")
    reader.nothing_is_wrong()


def test_two_pictures_are_looked_at_in_the_same_place(look: Look) -> None:
    reader = look()
    page = reader.go("/resources/sheets/changes" + MAPS + "&from=1&to=2")
    page.get_by_role("link", name="changed").click()
    expect(page.locator(".view img")).to_have_count(2)
    page.get_by_role("button", name="Closer").click()

    def other_follows() -> bool:
        # Again and again, as long as the picture is not there yet that makes the view long enough to move.
        page.locator(".view").first.evaluate("each => { each.scrollTop = each.scrollHeight; }")
        return page.locator(".view").nth(1).evaluate("each => each.scrollTop > 0") is True

    eventually(other_follows)
    page.get_by_role("button", name="All of it").click()
    assert reader.axe() == []
    reader.nothing_is_wrong()


def test_a_file_dropped_on_the_field_of_any_page_is_found_by_its_digest(look: Look) -> None:
    reader = look()
    page = reader.go("/about")
    page.evaluate(DROP, ["input[type=search][name=q]", "whatever.txt", "hello\n"])
    page.wait_for_url("**/find?q=sha256**")
    assert hashlib.sha256(b"hello\n").hexdigest() in page.url
    expect(page.get_by_role("link", name="letters/greeting.txt").first).to_be_visible()
    reader.nothing_is_wrong()


def test_a_page_follows_what_happens_to_its_resource(look: Look, site: Running) -> None:
    reader = look()
    page = reader.go("/resources/sheets" + MAPS)
    expect(page.locator("m-part [data-state]")).to_have_text("live", timeout=PATIENCE * 1000)
    expect(page.locator("#part-note")).to_contain_text("Not checked yet")
    with Archive(site.place) as archive:
        list(archive.audit("sheets", project="rivermark/maps"))
    expect(page.locator("#part-events")).to_contain_text("Fixity check", timeout=PATIENCE * 1000)
    expect(page.locator("#part-copies")).to_contain_text("Whole", timeout=PATIENCE * 1000)
    expect(page.locator("#part-note")).not_to_contain_text("Not checked yet")
    reader.nothing_is_wrong()


def test_the_first_page_follows_what_happens(look: Look, site: Running) -> None:
    reader = look()
    page = reader.go("/")
    expect(page.locator("m-follow [data-state]")).to_have_text("live", timeout=PATIENCE * 1000)
    with Archive(site.place) as archive, archive.new("noticed", "rivermark/maps") as made:
        made.add(b"x", "x.txt")
    expect(page.locator("#part-latest")).to_contain_text("noticed", timeout=PATIENCE * 1000)
    expect(page.locator("#part-protected")).to_contain_text("Not checked yet")
    assert reader.axe() == []
    reader.nothing_is_wrong()


def test_a_session_that_ends_in_the_middle_of_an_upload_loses_nothing(
    look: Look, site: Running, tmp_path: Path
) -> None:
    reader = look()
    page = reader.go("/deposit")
    page.fill("#project", "rivermark/cut")
    page.fill("#id", "cut")
    page.click("text=On to the files")
    page.wait_for_selector("m-upload [data-drop]:not([hidden])")
    with Database.open(site.place / "control.db") as database:
        database.write(lambda connection: connection.exec_driver_sql("DELETE FROM access_sessions"))
    (tmp_path / "large.bin").write_bytes(b"0123456789abcdef" * 40_000)
    page.set_input_files("#some", tmp_path / "large.bin")
    expect(page.locator("[data-status]")).to_contain_text("nothing is lost", timeout=PATIENCE * 1000)
    other = reader.context.new_page()
    other.goto(reader.url + "/sign-in")
    other.fill("#given", site.key)
    other.click("text=Sign in with this key")
    other.wait_for_selector("text=Sign out")
    page.click("[data-goon]")
    page.wait_for_selector("text=One new file is here", timeout=PATIENCE * 1000)
    page.click("text=Commit one file")
    page.wait_for_selector("text=One file is in the archive")
    with Archive(site.place) as archive:
        assert archive.instance("cut", project="rivermark/cut").read("large.bin") == b"0123456789abcdef" * 40_000

"""What people do on the pages, in Chromium: with and without scripts, by keyboard, live, among what is hostile."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from playwright.sync_api import Route

from muniment.archive import Archive
from muniment.database import Database
from muniment.jobs import Call, Ledger
from tests.acceptance.pages.conftest import Look
from tests.servers.native.running import Running, free_port, make_archive, serving

ODD = "/resources/a%2Fb%20%3Ci%3E%26%E2%80%AE"


def test_files_are_dropped_come_in_pieces_and_are_committed(look: Look, tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "large.bin").write_bytes(os.urandom(20_000_000))
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    for number in range(500):
        (folder / "inner" / f"{number}.txt").write_text(str(number))
    reader = look()
    page = reader.go("/deposit")
    page.fill("#project", "rivermark/new")
    page.fill("#id", "dropped")
    page.fill("#title", "A whole folder")
    page.click("text=On to the files")
    page.set_input_files("#some", [str(tmp_path / "large.bin")])
    page.wait_for_selector("h1:has-text('One new file')")
    page.set_input_files("#folder", str(folder))
    page.wait_for_selector("h1:has-text('501 new files')")
    page.screenshot(path=str(pictures / "deposit-open.png"), full_page=True)
    assert reader.axe() == []
    reader.nothing_is_wrong()
    page.click("text=Commit 501 files")
    page.wait_for_selector("h1:has-text('501 files are in the archive')")
    reader.nothing_is_wrong()


def test_a_browser_without_scripts_can_find_and_deposit(look: Look, site: Running, tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("plain")
    reader = look(key="-", java_script_enabled=False)
    page = reader.go("/find?q=survey")
    page.fill("#given", site.key)
    page.click("text=Sign in with this key")
    assert "survey" in page.inner_text("h1")
    page.click("text=Harbour survey")
    page.click("text=soundings.csv")
    assert "13" in page.inner_text("main")
    reader.go("/deposit")
    page.fill("#project", "rivermark/new")
    page.click("text=On to the files")
    page.set_input_files("#plain", str(tmp_path / "plain.txt"))
    page.click("form[action$='/files'] button")
    page.click("text=Commit one file")
    assert page.inner_text("h1") == "One file is in the archive"


def test_somebody_with_a_keyboard_alone_gets_everywhere(look: Look, site: Running) -> None:
    reader = look(key="-")
    page = reader.go("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#given")
    page.keyboard.type(site.key)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Sign out")
    reached: list[str] = []
    for _ in range(80):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        name = page.evaluate("document.activeElement.getAttribute('href') ?? document.activeElement.name ?? ''")
        if page.evaluate("document.activeElement === document.body"):
            break
        assert style == "3px", name
        reached.append(name)
    assert {"/", "/find", "/events", "/deposit", "q"} <= set(reached)
    page.focus("input[name=q]")
    page.keyboard.type("harbour")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('harbour')")
    reader.nothing_is_wrong()


def test_what_was_uploaded_runs_nowhere(look: Look) -> None:
    reader = look()
    for path in (ODD, f"{ODD}/files/page.html", f"{ODD}/files/drawing.svg", f"{ODD}/picture/drawing.svg"):
        reader.go(path)
    assert [each for each in reader.wrong if each.startswith("dialog")] == []


def test_a_file_on_ones_own_disk_is_found_without_being_sent(look: Look, tmp_path: Path) -> None:
    (tmp_path / "copy.txt").write_text("hello again\n")
    reader = look()
    page = reader.go("/find")
    page.set_input_files("#same-file", str(tmp_path / "copy.txt"))
    page.wait_for_selector("text=letters/again.txt")
    reader.nothing_is_wrong()


def test_the_live_log_goes_on_after_a_restart_without_a_gap(look: Look, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key, port = make_archive(place), free_port()

    def happens() -> None:
        with Archive(place) as archive:
            archive.record_event("capture", project="a/b")

    with serving(place, key=key, serve_port=port) as running:
        reader = look(running.url, key)
        page = reader.go("/events")
        page.wait_for_selector("text=live")
        happens()
        page.wait_for_selector("[data-new]:not([hidden])")
        assert page.inner_text("[data-count]") == "1"
    page.wait_for_selector("text=stopped at")
    for _ in range(3):
        happens()
    with serving(place, key=key, serve_port=port):
        happens()
        page.wait_for_selector("[data-count]:text-is('5')")
        assert "live" in page.inner_text("[data-state]")


def test_work_that_a_page_shows_goes_on_in_it_also_after_a_restart(look: Look, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key, port = make_archive(place), free_port()

    def submitted(number: int) -> str:
        with Database.open(place / "control.db") as database:
            call = Call("nobody does this", {"id": number})
            return Ledger(database).submit("audit", call, requester="Ann", key=f"part {number}").id

    with serving(place, key=key, serve_port=port, serve_work=False) as running:
        reader = look(running.url, key)
        page = reader.go("/jobs")
        page.evaluate("window.same = true")
        page.wait_for_selector("m-follow [data-state=live]")
        first = submitted(1)
        page.wait_for_selector("h1:has-text('none runs, one waits')")
        assert "part 1" in page.inner_text("#work")
    page.wait_for_selector("m-follow [data-state=stopped]")
    submitted(2)
    with serving(place, key=key, serve_port=port, serve_work=False) as running:
        page.wait_for_selector("h1:has-text('2 wait')")
        assert page.evaluate("window.same")
        one = look(running.url, key)
        shown = one.go(f"/jobs/{first}")
        shown.wait_for_selector("m-follow [data-state=live]")
        assert one.axe() == []
        with Database.open(place / "control.db") as database:
            Ledger(database).cancel(first)
        shown.wait_for_selector("#work:has-text('cancelled')")
        one.nothing_is_wrong()


def test_a_session_that_ends_in_the_middle_of_an_upload_loses_nothing(look: Look, tmp_path: Path) -> None:
    content = os.urandom(20_000_000)
    (tmp_path / "large.bin").write_bytes(content)
    reader = look()
    page = reader.go("/deposit")
    page.fill("#project", "rivermark/new")
    page.fill("#id", "interrupted")
    page.click("text=On to the files")
    other = reader.context.new_page()
    pieces: list[str] = []

    def end_after_the_first(route: Route) -> None:
        if route.request.method == "PATCH":
            pieces.append(route.request.headers.get("upload-offset", ""))
            if len(pieces) == 2:
                other.goto(reader.url + "/about")
                other.click("text=Sign out")
                other.wait_for_selector("#given")
        route.continue_()

    page.route("**/uploads/**", end_after_the_first)
    page.set_input_files("#some", str(tmp_path / "large.bin"))
    page.wait_for_selector("text=Your session is over; nothing is lost")
    page.unroute("**/uploads/**")
    other.fill("#given", reader.key)
    other.click("text=Sign in with this key")
    other.wait_for_selector("text=Sign out")
    page.click("[data-goon]")
    page.wait_for_selector("h1:has-text('One new file')")
    page.click("text=Commit one file")
    page.wait_for_selector("h1:has-text('One file is in the archive')")
    assert hashlib.sha256(content).hexdigest() in page.content()


def test_the_second_of_two_tabs_that_change_a_policy_gets_both_versions_side_by_side(look: Look) -> None:
    reader = look(viewport={"width": 1280, "height": 900})
    first = reader.go("/admin/policies?project=rivermark%2Fmaps")
    second = reader.context.new_page()
    second.goto(first.url)
    first.fill("#text", 'verify = "30d"\n')
    first.click("text=Put it in force")
    first.wait_for_selector("summary:has-text('revision')")
    second.fill("#text", 'verify = "60d"\n')
    second.click("text=Put it in force")
    second.wait_for_selector("text=Somebody changed this policy while you did")
    assert second.input_value("#text").strip() == 'verify = "60d"'
    now, mine = second.locator("pre.text:has-text('30d')").first, second.locator("#text")
    theirs, own = now.bounding_box(), mine.bounding_box()
    assert theirs is not None
    assert own is not None
    assert theirs["x"] + theirs["width"] <= own["x"]
    second.click("text=Put it in force")
    second.wait_for_selector("button:has-text('Make it so again')")
    reader.wrong[:] = [each for each in reader.wrong if "Failed to load resource" not in each]
    reader.nothing_is_wrong()

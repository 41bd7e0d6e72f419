"""The pages of whoever reads: projects with their promises, resources with their history, files and differences."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from muniment.archive import Archive
from muniment.content.checks import CheckedFile, CheckReport, Format
from muniment.database import Database
from muniment.server.pages.texts import Texts
from muniment.workflows.copies.table import CopyRow, CopyTable
from tests.servers.browser.conftest import DRAWING
from tests.servers.browser.visiting import Answer, Visitor
from tests.servers.native.running import Running, make_archive, serving
from tests.timing import eventually


class _Named:
    """A check on ingest that tells one format, as a program for formats would."""

    def examine(self, files: Iterable[CheckedFile], before: Mapping[str, object]) -> CheckReport:
        del before
        known = (Format("fmt/18", "Acrobat PDF", "1.4"),)
        return CheckReport(formats={file.path: known if file.path.endswith(".pdf") else () for file in files})

    def close(self) -> None:
        """Nothing runs."""


def picture(number: int) -> bytes:
    """A PNG of a few grey pixels, another for each number."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([number * 7 % 256] * 4) for _ in range(4))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_project_says_in_words_what_is_promised_for_it(keeper: Visitor) -> None:
    before = keeper.get("/projects/rivermark/odd")
    assert "One copy only: the archive's disk." in before.words
    given = {"project": "rivermark/odd", "rev": "0", "policy": '[[copies]]\nstore = "vault"\nlock = "compliance 2y"\n'}
    assert keeper.post("/admin/policies", given).status == 303
    after = keeper.get("/projects/rivermark/odd")
    assert "2 copies: the archive's disk, vault." in after.words
    assert "locked for 2 years, which nobody can shorten" in after.words


def test_a_project_that_does_not_exist_is_not_found(keeper: Visitor) -> None:
    page = keeper.get("/projects/no/such")
    assert page.status == 404
    assert "There is no project 'no/such'" in page.words
    assert keeper.get("/projects/rivermark/maps").status == 200


def test_a_resource_says_what_each_instance_changed(keeper: Visitor) -> None:
    page = keeper.get("/resources/harbour?project=rivermark/maps")
    instances = next(each for each in page.page.every("ol") if each.attributes.get("class") == "instances")
    newest, first = (" ".join(each.text.split()) for each in instances.inside if each.name == "li")
    assert "+1 ~1 −1 files · letters added" in newest
    assert "+3 files · first deposit" in first


def test_a_resource_is_taken_away_as_tar_of_a_said_size_or_as_zip(keeper: Visitor) -> None:
    page = keeper.get("/resources/harbour?project=rivermark/maps")
    links = {" ".join(each.text.split()): each.attributes["href"] for each in page.page.every("a")}
    tar = next(text for text in links if text.startswith("Download tar"))
    length = int(keeper.ask("HEAD", links[tar]).headers["content-length"])
    assert tar == " ".join(f"Download tar {Texts('en').bytes(length)}".split())
    packed = keeper.ask("GET", links["zip"])
    assert (packed.status, packed.body[:2]) == (200, b"PK")


def test_a_resource_is_cited_with_what_leads_to_it_again(keeper: Visitor) -> None:
    words = keeper.get("/resources/harbour?project=rivermark/maps").words
    assert "Port Authority (1911). Harbour survey. Rivermark Library, rivermark/maps, harbour, instance 2 of" in words


def test_files_have_a_state_and_a_format_where_it_was_told(site: Running, keeper: Visitor) -> None:
    with Archive(site.place, checks=_Named()) as archive, archive.new("formats", "rivermark/formats") as made:
        made.add(b"%PDF-1.4\n", "plan.pdf")
        made.add(b"x", "other.bin")
    words = keeper.get("/resources/formats?project=rivermark/formats").words
    assert "plan.pdfNot checked yet9 BAcrobat PDF 1.4 · fmt/18" in words
    assert "other.binNot checked yet1 B–" in words


def test_pictures_of_a_resource_stand_in_a_strip_that_says_which_is_shown(site: Running, keeper: Visitor) -> None:
    with Archive(site.place) as archive, archive.new("sheets", "rivermark/sheets") as made:
        for number in range(1, 31):
            made.add(picture(number), f"scans/{number:02}.png")
        made.add(DRAWING, "scans/drawing.svg")
    path = "/resources/sheets?project=rivermark/sheets"
    page = keeper.get(path + "&show=scans/17.png")
    assert "Picture 17 of 30 · 17.png" in page.words
    strip = next(each for each in page.page.every("ol") if each.attributes.get("class") == "strip")
    assert [" ".join(each.text.split()) for each in strip.inside if each.name == "li"] == [
        f"Picture {number}" for number in range(11, 24)
    ]
    assert "Picture 1 of 30" in keeper.get(path).words
    small = next(each.attributes["src"] for each in page.page.every("img") if "small=1" in each.attributes["src"])
    answer = keeper.ask("GET", small)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert keeper.ask("GET", small).body == answer.body
    assert "sandbox" in answer.headers["content-security-policy"]


def test_who_may_everything_has_a_resource_checked_from_its_page(site: Running, keeper: Visitor) -> None:
    with Archive(site.place) as archive, archive.new("asked", "rivermark/asked") as made:
        made.add(b"asked\n", "asked.txt")
    path = "/resources/asked?project=rivermark/asked"
    assert "Check it now" in keeper.get(path).words
    assert keeper.post("/resources/asked/repair", {"project": "rivermark/asked"}).headers["location"] == path
    eventually(lambda: "Not checked yet" not in keeper.get(path).words)
    reader = Visitor(site.url).sign_in(site.new_key("reads-asked", _rivermark_asked={"resources/read"}))
    assert "Check it now" not in reader.get(path).words
    assert reader.post("/resources/asked/repair", {"project": "rivermark/asked"}).status == 403
    assert (
        keeper.post("/resources/asked/repair", {"project": "rivermark/asked"}, Sec_Fetch_Site="cross-site").status
        == 403
    )


def test_a_file_says_its_format_and_which_instance_it_came_with(site: Running, keeper: Visitor) -> None:
    with Archive(site.place, checks=_Named()) as archive, archive.new("told", "rivermark/told") as made:
        made.add(b"%PDF-1.4\n", "plan.pdf")
    words = keeper.get("/resources/told/files/plan.pdf?project=rivermark/told").words
    assert "PRONOMfmt/18 Acrobat PDF 1.4" in words
    assert "Came withinstance 1" in words
    other = keeper.get("/resources/harbour/files/soundings.csv?project=rivermark/maps").words
    assert "Formats were not looked at when it came in." in other
    assert "Came withinstance 2" in other


def test_sound_is_played_by_a_policy_of_its_page_alone(site: Running, keeper: Visitor) -> None:
    with Archive(site.place) as archive, archive.new("sound", "rivermark/sound") as made:
        made.add(b"ID3\x04\0\0\0\0\0\0", "song.mp3")
    page = keeper.get("/resources/sound/files/song.mp3?project=rivermark/sound")
    assert "media-src 'self'" in page.headers["content-security-policy"]
    source = page.page.the("audio").attributes["src"]
    heard = keeper.ask("GET", source)
    assert (heard.status, heard.headers["content-type"]) == (200, "audio/mpeg")
    other = keeper.get("/resources/sound?project=rivermark/sound")
    assert "media-src" not in other.headers["content-security-policy"]


def test_two_instances_of_a_picture_stand_side_by_side(site: Running, keeper: Visitor) -> None:
    with Archive(site.place) as archive:
        with archive.new("pair", "rivermark/pair") as made:
            made.add(picture(1), "plan.png")
            made.metadata["title"] = "Plan"
        with archive.get("pair", "a", project="rivermark/pair") as made:
            made.replace(picture(2), "plan.png")
        with archive.get("pair", "a", project="rivermark/pair") as made:
            made.metadata["title"] = "Plan of the lock"
    path = "/resources/pair/changes?project=rivermark/pair"
    page = keeper.get(f"{path}&from=1&to=2&path=plan.png")
    shown = [each.attributes["src"] for each in page.page.every("img")]
    assert len(shown) == 2
    assert keeper.ask("GET", shown[0]).body != keeper.ask("GET", shown[1]).body
    said = keeper.get(f"{path}&from=2&to=3")
    assert said.heading == "The same content in instances 2 and 3, said differently"
    assert "Plan of the lock" in said.words


def test_events_are_kept_to_a_first_day_and_stand_by_day(keeper: Visitor) -> None:
    page = keeper.get("/events")
    day = next(each for each in page.page.every("tr") if each.attributes.get("class") == "day").text.split()[0]
    assert "harbour" in keeper.get(f"/events?from={day}").words
    none = keeper.get("/events?from=2999-01-01")
    assert "Nothing like this" in none.words
    assert none.status == 200
    listed = json.loads(keeper.get(f"/events?from={day}&format=json").body)
    assert all(each["timestamp"] >= day for each in listed["events"])


def test_what_came_in_is_found_between_two_days(keeper: Visitor) -> None:
    assert keeper.get("/find?from=2020-01-01&to=2999-01-01&q=harbour").heading.startswith("One place for")
    assert keeper.get("/find?to=1999-12-31&q=harbour").heading.startswith("Nothing here is called")
    assert "Harbour survey" in keeper.get("/find?from=2020-01-01").words
    assert keeper.get("/find?from=%3Cscript%3E&q=harbour").status == 200


def test_a_page_opened_on_what_was_purged_says_who_removed_it_when_and_why(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    key = make_archive(place, mode="dynamic", redundancy=0)
    with Archive(place) as archive:
        with archive.new("gone", "a/b") as made:
            made.add(b"x", "x.txt")
        archive.purge("gone", "it was a <b>mistake</b>", "a/b")
    with serving(place, key=key) as running:
        visitor = Visitor(running.url).sign_in(key)
        for path in ("", "/files/x.txt", "/choose", "/changes", "/receipt"):
            page = visitor.get(f"/resources/gone{path}?project=a/b")
            assert page.status == 410, path
            assert "it was a <b>mistake</b>" in page.words
            assert "removed it on" in page.words
        leads = [each.attributes["href"] for each in page.page.every("a") if "/events/" in each.attributes["href"]]
        assert "deletion" in visitor.get(leads[0]).words


def test_a_deposit_says_how_far_it_is(keeper: Visitor) -> None:
    def at(page: Answer) -> str:
        steps = next(each for each in page.page.every("ol") if each.attributes.get("class") == "steps")
        return next(" ".join(each.text.split()) for each in steps.inside if "aria-current" in each.attributes)

    assert at(keeper.get("/deposit")).startswith("1 Where")
    begun = keeper.post("/deposit", {"project": "rivermark/steps", "id": "steps"})
    assert at(keeper.get(begun.headers["location"])).startswith("2 Files")


def test_a_file_says_when_it_came_and_that_nobody_examined_whether_it_is_valid(keeper: Visitor) -> None:
    words = keeper.get("/resources/harbour/files/letters/again.txt?project=rivermark/maps").words
    assert "Came withinstance 2, 20" in words
    assert "Whether it is well-formed and valid in its format was not examined" in words


def test_all_paths_of_a_resource_are_a_list_at_the_same_address(keeper: Visitor) -> None:
    page = keeper.get("/resources/harbour?project=rivermark/maps&instance=2")
    link = next(each for each in page.page.every("a") if each.text == "all paths as a list")
    listed = keeper.get(link.attributes["href"])
    lines = listed.text.splitlines()
    assert lines[0] == '"path","size","puid","sha512","sha256"'
    assert [line.split(",")[0] for line in lines[1:]] == [
        '"letters/again.txt"', '"letters/greeting.txt"', '"soundings.csv"',
    ]  # fmt: skip
    asked = "/resources/harbour?project=rivermark/maps&folder=letters&filter=AGAIN"
    (file,) = json.loads(keeper.get(asked, Accept="application/json").body)["files"]
    assert (file["path"], file["size"]) == ("letters/again.txt", 12)


def test_copies_of_other_instances_are_one_line_while_nothing_is_wrong_with_them(
    keeper: Visitor, site: Running
) -> None:
    with Database.open(site.place / "control.db") as database:
        table = CopyTable(database)
        for number, state in ((1, "made"), (2, "made")):
            table.add(CopyRow("far", "bag", "rivermark/maps", "harbour", number, state))  # type: ignore[arg-type]
        page = keeper.get("/resources/harbour?project=rivermark/maps&instance=2")
        assert "One copy of another instance, verified" in page.words
        table.change(CopyRow("far", "bag", "rivermark/maps", "harbour", 1), state="damaged")
        page = keeper.get("/resources/harbour?project=rivermark/maps&instance=2")
        assert "of another instance" not in page.words
        table.clear("far")


def test_a_search_says_how_many_it_found_and_not_only_how_many_it_shows(keeper: Visitor, site: Running) -> None:
    with Archive(site.place) as archive:
        for number in range(52):
            with archive.new(f"sheaf-{number}", "rivermark/sheaves") as made:
                made.metadata["title"] = f"Sheaf {number}"
                made.add(b"sheaf\n", f"sheaf-{number}.txt")
    assert keeper.get("/find?q=sheaf").heading == "52 places for “sheaf”"
    following = next(
        link for link in keeper.get("/find?q=sheaf").page.every("a") if "after=" in link.attributes["href"]
    )
    assert keeper.get(following.attributes["href"]).heading == "52 places for “sheaf”"
    assert keeper.get("/find?q=sheaf&kind=file").heading == "More than 50 places for “sheaf”"

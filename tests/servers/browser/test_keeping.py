"""The pages of whoever keeps the archive safe and says who may do what: checks, copies, containers, rules and keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from muniment.archive import Archive
from muniment.database import Database
from muniment.doors.distillery.batches import AccessCopy, Batches
from muniment.workflows.copies.table import CopyKey, CopyTable
from tests.servers.browser.conftest import fill
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving
from tests.timing import eventually

RIGHTS = "keys/users/guest: resources/read"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of an archive in which one file is damaged, and which owes two copies."""
    place = tmp_path_factory.mktemp("keeping") / "archive"
    key = make_archive(place)
    fill(place)
    with Archive(place) as archive:
        list(archive.audit())
        file = archive.instance("harbour", project="rivermark/maps").location("letters/greeting.txt")
        file.chmod(0o600)
        file.write_bytes(b"HELLO\n")
        assert list(archive.audit("harbour", project="rivermark/maps"))
    with Database.open(place / "control.db") as database:
        CopyTable(database).owe(CopyKey("frankfurt", "bag", "rivermark/maps", "harbour", each) for each in (1, 2))
    with serving(place, key=key, serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def guard(damaged: Running) -> Visitor:
    return Visitor(damaged.url).sign_in(damaged.key)


def test_the_first_page_says_that_something_is_damaged_and_leads_to_it(guard: Visitor) -> None:
    home = guard.get("/")
    assert home.heading == "In one resource something is damaged."
    assert "Needs a person" in home.words
    path = "/resources/harbour?project=rivermark/maps"
    assert path in [link.attributes["href"] for link in home.page.every("a")]
    resource = guard.get(path)
    assert "Damaged" in resource.words
    assert "frankfurt" in resource.words
    whole = guard.get("/resources/a%2Fb%20%3Ci%3E%26%E2%80%AE")
    assert "Damaged" not in whole.words
    assert "Archive, diskOCFL · checked" in whole.words
    assert "Not checked yet" not in whole.words


def test_what_is_listed_has_the_state_that_its_own_page_says(guard: Visitor) -> None:
    for path in ("/find?q=harbour", "/projects/rivermark/maps"):
        page = guard.get(path)
        row = next(each for each in page.page.every("tr") if "Harbour survey" in each.text)
        assert row.text.endswith("Damaged"), path
    assert next(each for each in guard.get("/find").page.every("tr") if "alert" in each.text).text.endswith("Whole")


def test_what_came_after_the_last_check_is_not_shown_as_read(guard: Visitor, damaged: Running) -> None:
    with Archive(damaged.place) as archive, archive.new("fresh", "rivermark/fresh") as made:
        made.add(b"fresh\n", "fresh.txt")
    page = guard.get("/resources/fresh?project=rivermark/fresh")
    assert "Not checked yet" in page.words
    assert "Whole" not in page.words
    assert "Not checked yet 1" in " ".join(guard.get("/").words.split())


def test_a_damaged_file_is_not_shown_as_if_it_were_whole(guard: Visitor) -> None:
    page = guard.get("/resources/harbour/files/letters/greeting.txt?project=rivermark/maps")
    assert page.status == 200
    assert "HELLO" not in page.words
    assert "hello" not in page.words


def test_the_calendar_has_the_day_and_the_finding_its_ladder(guard: Visitor) -> None:
    page = guard.get("/fixity")
    assert "No copy is known that could be due." in page.words
    assert page.heading == "The last check of one resource found something"
    assert "verify again: only then it counts as whole" in page.words
    day = next(link for link in page.page.every("a") if link.attributes["href"].startswith("/fixity/"))
    checks = guard.get(day.attributes["href"])
    assert checks.heading.startswith("2 checks ended on ")
    assert guard.get("/fixity/2020-01-01").heading == "0 checks ended on 2020-01-01"
    assert guard.get("/fixity/yesterday").status == 404


def test_copies_say_what_is_owed_or_that_there_are_none(guard: Visitor) -> None:
    page = guard.get("/copies")
    assert page.heading == "No store is known: everything is here alone"
    assert guard.get("/copies/stores/none").status == 404


def test_containers_say_that_none_came(guard: Visitor) -> None:
    assert guard.get("/containers").heading == "No container was submitted yet"
    assert guard.get("/containers/none").status == 404


def test_rules_are_changed_as_revisions_and_made_so_again(guard: Visitor) -> None:
    path = "/admin/access?address=/rivermark/maps"
    assert "none yet" in guard.get(path).words
    changed = guard.post("/admin/access", {"address": "/rivermark/maps", "rev": "0", "rules": RIGHTS})
    assert (changed.status, changed.headers["location"]) == (303, path)
    page = guard.get(f"{path}&who=keys/users/guest")
    assert "revision 1" in page.words
    row = "resources/read/rivermark/mapskeys/users/guest" in page.words
    assert row, page.words
    clash = guard.post("/admin/access", {"address": "/rivermark/maps", "rev": "0", "rules": "anonymous: events/read"})
    assert clash.status == 409
    assert "Somebody changed these rules while you did" in clash.words
    assert RIGHTS in clash.words
    assert next(clash.page.every("textarea")).text.strip() == "anonymous: events/read"
    assert "anonymous" not in guard.get(path).page.the("textarea").text


@pytest.mark.parametrize(
    "rules",
    ["nonsense", "keys/users/guest:", "keys/users/guest: no/such", "<b>: resources/read", "anonymous: resources/read"],
)
def test_rules_that_cannot_be_or_shut_everybody_out_change_nothing(guard: Visitor, rules: str) -> None:
    before = guard.get("/admin/access").page.the("textarea").text
    refused = guard.post("/admin/access", {"address": "/", "rev": "1", "rules": rules})
    assert refused.status == 400
    assert refused.page.the("textarea").text == rules
    assert guard.get("/admin/access").page.the("textarea").text == before


def test_a_key_is_shown_once_opens_what_it_may_and_nothing_after_it_was_revoked(
    damaged: Running, guard: Visitor
) -> None:
    made = guard.post("/admin/keys", {"name": "reader", "address": "/rivermark", "rights": "resources/read"})
    assert made.status == 200
    text = re.search(r"mun_[a-z2-7]{16}_[a-z2-7]{52}", made.words)
    assert text
    listed = guard.get("/admin/keys")
    assert text[0] not in listed.text
    assert "reader" in listed.words
    reader = Visitor(damaged.url).sign_in(text[0])
    assert reader.get("/").status == 200
    assert reader.get("/admin/keys").status == 403
    assert reader.get("/fixity").status == 403
    assert guard.post("/admin/keys", {"name": "reader"}).status == 409
    identity = text[0].split("_")[1]
    renewed = guard.post(f"/admin/keys/{identity}/renew", {"grace": "1"})
    second = re.search(r"mun_[a-z2-7]{16}_[a-z2-7]{52}", renewed.words)
    assert second
    assert reader.get("/").status == 200, "the former secret counts for the days that were given"
    late = guard.post(f"/admin/keys/{identity}/renew", {"grace": "0"})
    assert (late.status, "in between" in late.words) == (409, True)
    assert guard.post(f"/admin/keys/{identity}/renew", {"grace": "soon"}).status == 400
    assert guard.post("/admin/keys/none/renew", {"grace": "0"}).status == 404
    assert Visitor(damaged.url).sign_in(second[0]).get("/").status == 200
    actions = {each.attributes.get("action") for each in guard.get("/admin/keys").page.every("form")}
    assert f"/admin/keys/{identity}/renew" not in actions, "the newest of a name is renewed"
    assert f"/admin/keys/{identity}/revoke" in actions
    assert guard.post(f"/admin/keys/{identity}/revoke").status == 400
    assert guard.post(f"/admin/keys/{identity}/revoke", {"sure": "yes"}).status == 303
    eventually(lambda: reader.get("/").heading == "Who are you?", every=0.2)


def test_a_purged_resource_says_that_it_was_removed(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("purged") / "archive"
    key = make_archive(place, mode="dynamic")
    with Archive(place) as archive:
        with archive.new("gone", "a/b") as made:
            made.add(b"x", "a.txt")
        archive.purge("gone", "a <b>mistake</b>", "a/b")
    with serving(place, key=key) as running:
        page = Visitor(running.url).sign_in(key).get("/resources/gone?project=a/b")
        assert page.status == 410
        assert page.heading == "This was removed for ever"
        assert "a <b>mistake</b>" in page.words
        assert "<b>mistake" not in page.text


def test_lists_of_copies_are_json_too(guard: Visitor) -> None:
    assert json.loads(guard.get("/jobs?format=json").body)["jobs"] == []


def test_the_list_at_the_side_counts_what_may_be_read_and_says_when(guard: Visitor, damaged: Running) -> None:
    rail = next(each for each in guard.get("/about").page.every("nav") if each.attributes.get("class") == "rail")
    words = " ".join(rail.text.split())
    # Two resources were there when the server counted first; a third may have come before it counts again.
    assert re.search(r"Find [23]Projects [23]Events", words)
    for said in ("Fixity 1 damaged", "Copies 2 owed", "Counts as of"):
        assert said in words
    reader = Visitor(damaged.url).sign_in(damaged.new_key("reader-of-odd", _rivermark_odd={"resources/read"}))
    other = next(each for each in reader.get("/about").page.every("nav") if each.attributes.get("class") == "rail")
    assert [each for each in other.inside if each.name == "small"] == []
    assert "Counts as of" not in other.text


def test_a_resource_says_how_much_of_its_parity_is_needed(guard: Visitor) -> None:
    page = guard.get("/resources/harbour?project=rivermark/maps")
    assert "2 blocks can be mended, one is needed" in page.words
    assert "Enough" in page.words
    whole = guard.get("/resources/a%2Fb%20%3Ci%3E%26%E2%80%AE?project=rivermark/odd")
    assert re.search(r"2 of \d+ blocks of its files together can be mended, none is needed", whole.words)
    assert "Parity has 2 blocks for it, and one is needed." in guard.get("/").words


def test_a_resource_leads_to_its_access_copy_and_to_the_manifest_for_any_viewer(
    guard: Visitor, damaged: Running
) -> None:
    path = "/resources/harbour?project=rivermark/maps"
    assert "IIIF manifest" not in guard.get(path).words
    with Database.open(damaged.place / "control.db") as database:
        shown = Batches(database)
        shown.show("rivermark/maps", "harbour", AccessCopy("https://seen.example/h/", "https://seen.example/h/m.json"))
        links = {link.text: link.attributes["href"] for link in guard.get(path).page.every("a")}
        assert links["IIIF manifest"] == "https://seen.example/h/m.json"
        assert links["where everybody sees it"] == "https://seen.example/h/"
        shown.show("rivermark/maps", "harbour", AccessCopy("javascript:alert(1)", "javascript:alert(1)"))
        assert "javascript" not in guard.get(path).text

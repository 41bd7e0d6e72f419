"""The report of broken links as a person asks it: which, since when, why, with a copy or without, and again now."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from muniment.database import Database
from muniment.doors.ckan.link import Checked
from muniment.doors.ckan.portals import Portals, PortalSettings
from muniment.doors.ckan.records import Links
from muniment.doors.ckan.statuses import Status
from muniment.jobs import Ledger
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

NOT_FOUND = "Server reported status error: 404 Not Found"
HERE = "/portals/city/broken"


def describe(links: Links, organization: str, urls: list[str]) -> None:
    name = f"set-{organization or 'none'}"
    about = {"name": organization} if organization else None
    resources = [{"id": f"{name}-{at}", "url": url} for at, url in enumerate(urls)]
    links.describe("city", {"id": name, "name": name, "title": "", "organization": about, "resources": resources})


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place: Path = tmp_path_factory.mktemp("watched") / "archive"
    key = make_archive(place)
    with Database.open(place / "control.db") as database:
        Portals(Ledger(database), None).add("city", "http://127.0.0.1:9", PortalSettings())
        links = Links(Ledger(database))
        describe(links, "parks", [f"http://one.example/{each}.csv" for each in range(60)])
        describe(links, "", ["http://two.example/a.csv"])
        describe(links, "roads", ["http://two.example/b.csv", "http://two.example/c.csv", "http://two.example/d.csv"])
        for each in range(60):
            links.record("city", f"set-parks-{each}", Checked(Status.DOWNLOAD_ERROR, NOT_FOUND), asked="")
        for _ in range(2):
            found = Checked(Status.DOWNLOAD_ERROR, "Connection timed out after 30s")
            links.record("city", "set-roads-0", found, asked="", kept_as="2026-01-01T00:00:00Z/b.csv")
        links.record("city", "set-none-0", Checked(Status.URL_INVALID, "it is no address"), asked="")
        links.record("city", "set-roads-1", Checked(Status.DOWNLOAD_FAILURE, "our own"), asked="")
        links.record("city", "set-roads-2", Checked(Status.ARCHIVED), asked="")
    with serving(place, key=key, serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(watched: Running) -> Visitor:
    return Visitor(watched.url).sign_in(watched.key)


def listed(visitor: Visitor, **asked: str) -> list[str]:
    query = urlencode(asked)
    answer = visitor.get(f"{HERE}?format=json&{query}")
    return [each["resource_id"] for each in json.loads(answer.body)["links"]]


def test_the_page_says_what_failed_once_only_and_what_cannot_be_told(keeper: Visitor) -> None:
    page = keeper.get(HERE)
    assert page.heading == "62 of 64 links are broken; 1 of them are kept here"
    assert "one.example alone has 97 % of them." in page.words
    assert "61 of them failed once only" in page.words
    assert "Of one more it cannot be told" in page.words
    assert "Not found (404, 410)60" in page.words


def test_each_question_has_an_address_and_the_same_answer_in_every_form(keeper: Visitor) -> None:
    assert listed(keeper, state="again") == ["set-roads-0"]
    assert listed(keeper, state="unknown") == ["set-roads-1"]
    assert listed(keeper, reason="no address") == ["set-none-0"]
    assert listed(keeper, kept="yes", since="1") == ["set-roads-0"]
    assert listed(keeper, host="two.example", kept="no") == ["set-none-0"]
    assert listed(keeper, org="/") == ["set-none-0"]
    assert listed(keeper, q="set-ro") == ["set-roads-0"]
    assert listed(keeper, q="http://one.example/5") == [f"set-parks-{each}" for each in (5, *range(50, 60))]
    assert listed(keeper, org="parks", state="again") == []
    for asked in ("state=again", "reason=timed+out", "org=roads"):
        page = keeper.get(f"{HERE}?{asked}")
        assert page.text.count("/links/set-") == 1, asked
        table = keeper.get(f"{HERE}?{asked}&format=csv").body.decode()
        assert [row["resource_id"] for row in csv.DictReader(io.StringIO(table))] == ["set-roads-0"], asked


def test_a_list_goes_on_where_it_ended_the_longest_broken_first(keeper: Visitor) -> None:
    page = keeper.get(f"{HERE}?org=parks")
    assert page.text.count("/links/set-parks-") == 50
    [onward] = [each.attributes["href"] for each in page.page.every("a") if "after=" in each.attributes.get("href", "")]
    rest = keeper.get(onward.partition("#")[0])
    assert rest.text.count("/links/set-parks-") == 10
    assert "set-parks-0" in page.text
    assert '/links/set-parks-0"' not in rest.text


def test_what_cannot_be_asked_is_not_asked(keeper: Visitor) -> None:
    page = keeper.get(f"{HERE}?state=%3Cb%3E&since=x&kept=maybe&reason=none&sort=name%3B&page=x&after=zz+zz")
    assert page.status == 200
    assert page.heading == "62 of 64 links are broken; 1 of them are kept here"
    assert page.text.count("/links/set-") == 0


def test_the_table_is_sorted_by_what_is_asked_and_can_be_by_host(keeper: Visitor) -> None:
    by_share = keeper.get(f"{HERE}?sort=broken_percent")
    [sorted_by] = [each for each in by_share.page.every("th") if "aria-sort" in each.attributes]
    assert "Share" in sorted_by.text
    hosts = json.loads(keeper.get(f"{HERE}?by=host&format=json").body)["hosts"]
    assert [each["name"] for each in hosts] == ["one.example", "two.example"]
    assert keeper.get(f"{HERE}?by=host").text.count('aria-sort="descending"') == 1


def test_the_broken_ones_are_checked_now_once_and_by_who_may_write(watched: Running, keeper: Visitor) -> None:
    reader = Visitor(watched.url).sign_in(watched.new_key("reads", _ckan_city={"resources/read"}))
    assert "Check the broken ones now" not in reader.get(HERE).words
    assert reader.post("/portals/city/check").status == 403
    assert keeper.post("/portals/city/check", None, Sec_Fetch_Site="cross-site").status == 403
    assert "Check the broken ones now" in keeper.get(HERE).words
    first = keeper.post("/portals/city/check")
    assert first.status == 303
    assert keeper.post("/portals/city/check").headers["location"] == first.headers["location"]
    page = keeper.get(first.headers["location"])
    assert "Links are being checked" in page.words
    assert "Check the broken ones now" not in page.words
    assert "Links are being checked" in keeper.get("/portals/city").words


def test_a_link_shows_its_states_as_a_strip_its_copies_and_what_the_portal_is_told(keeper: Visitor) -> None:
    page = keeper.get("/portals/city/links/set-roads-0")
    assert page.text.count('class="b-bad"') == 2
    assert "no public address of this server is set" in page.words
    assert "/archive/2026-01-01T00:00:00Z/set-roads-0/b.csv" in page.text

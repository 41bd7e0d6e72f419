"""The pages of work: jobs with what can be done with them, and portals with the report of their broken links."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from muniment.database import Database
from muniment.doors.ckan.link import Checked
from muniment.doors.ckan.portals import Portals, PortalSettings
from muniment.doors.ckan.records import Links
from muniment.doors.ckan.statuses import Status
from muniment.jobs import Call, Ledger
from muniment.jobs.operations import LISTED
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

EVIL = '<b>x</b>" onload="alert(1)'


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("work") / "archive"
    key = make_archive(place)
    with Database.open(place / "control.db") as database:
        ledger = Ledger(database)
        ledger.submit("audit", Call("nobody does this", {"id": 1}), requester="Ann <Lee>", key=f"a {EVIL}")
        _portal(ledger)
    with serving(place, key=key, serve_work=False) as running:
        yield running


def _portal(ledger: Ledger) -> None:
    Portals(ledger, None).add("city", "http://127.0.0.1:9", PortalSettings())
    links = Links(ledger)
    for organization, broken, whole in (("waterways", 60, 2), ("parks", 1, 5), (EVIL, 2, 0)):
        resources = [
            {
                "id": f"{organization[:5]}-{number:03}",
                "url": f"http://host-{number % 3}.example/{number}.csv",
                "name": EVIL,
            }
            for number in range(broken + whole)
        ]
        record = {
            "id": f"set-{organization[:5]}",
            "name": f"set-{organization[:5]}",
            "title": f"Flood levels {EVIL}",
            "organization": {"name": organization},
            "resources": resources,
        }
        links.describe("city", record)
        for number, resource in enumerate(resources):
            status = Status.REQUEST_FAILED if number < broken else Status.ARCHIVED
            found = Checked(status, f"404 {EVIL}" if number < broken else "")
            links.record("city", resource["id"], found, asked=resource["url"])


@pytest.fixture(scope="module")
def worker(working: Running) -> Visitor:
    return Visitor(working.url).sign_in(working.key)


def test_jobs_say_what_waits_and_why(worker: Visitor) -> None:
    page = worker.get("/jobs")
    assert page.heading == "Nothing failed lately, none runs, one waits"
    assert "No worker has said for three minutes that it lives" in page.words
    assert EVIL not in page.text
    job = next(link for link in page.page.every("a") if link.attributes["href"].startswith("/jobs/")).attributes["href"]
    assert "and more" not in page.heading
    one = worker.get(job)
    assert one.heading == "0 of one step is done"
    assert "nobody does this" in one.words
    assert "Ann <Lee>" in one.words
    assert json.loads(worker.get("/jobs?format=json").body)["jobs"][0]["kind"] == "audit"


def test_a_job_is_cancelled_only_by_who_is_sure_and_may(working: Running, worker: Visitor) -> None:
    with Database.open(working.place / "control.db") as database:
        job = Ledger(database).submit("audit", Call("nobody does this"), requester="test", key="to cancel")
    assert worker.post(f"/jobs/{job.id}/cancel").status == 400
    assert worker.post(f"/jobs/{job.id}/explode").status == 404
    assert worker.post(f"/jobs/{job.id}/cancel", {"sure": "yes"}, Sec_Fetch_Site="cross-site").status == 403
    assert Visitor(working.url).post(f"/jobs/{job.id}/cancel", {"sure": "yes"}).status == 401
    assert worker.post(f"/jobs/{job.id}/cancel", {"sure": "yes"}).status == 303
    assert worker.get(f"/jobs/{job.id}").heading.startswith("It was cancelled")
    text = worker.get(f"/jobs/{job.id}?format=txt")
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text.split("\t")[0].isdigit()
    assert worker.get("/jobs/none").status == 404


def test_a_portal_says_how_many_links_are_broken(worker: Visitor) -> None:
    assert worker.get("/portals").heading == "63 of 70 links are broken"
    page = worker.get("/portals/city")
    assert page.heading == "63 of 70 links are broken; 0 of them are kept here"
    assert worker.get("/portals/none").status == 404


def test_the_report_leads_from_an_organisation_to_its_links_and_each_links_history(worker: Visitor) -> None:
    report = worker.get("/portals/city/broken")
    assert report.heading == "63 of 70 links are broken; 0 of them are kept here"
    hrefs = [link.attributes["href"] for link in report.page.every("a")]
    assert "/portals/city/broken?org=waterways#links" in hrefs
    opened = worker.get("/portals/city/broken?org=waterways")
    rows = [link.attributes["href"] for link in opened.page.every("a") if "/links/" in link.attributes["href"]]
    assert len(rows) == 50
    following = next(link for link in opened.page.every("a") if "after=" in link.attributes["href"]).attributes["href"]
    more = worker.get(following.partition("#")[0])
    rows += [link.attributes["href"] for link in more.page.every("a") if "/links/" in link.attributes["href"]]
    assert len(set(rows)) == 60
    link = worker.get(rows[0])
    assert "Once only" in link.words
    assert "URL request failed" in link.words
    for page in (report, opened, link):
        assert EVIL not in page.text
        assert [each for each in page.page.elements if "onload" in each.attributes] == []


def test_the_report_is_csv_and_json_too(worker: Visitor) -> None:
    lines = worker.get("/portals/city/broken?format=csv").text.splitlines()
    assert len(lines) == 64
    listed = json.loads(worker.get("/portals/city/broken", Accept="application/json").body)["organizations"]
    assert [each["name"] for each in listed][:1] == ["waterways"]


def test_who_may_not_read_a_portals_project_does_not_see_it(working: Running) -> None:
    assert Visitor(working.url).get("/portals").heading == "Who are you?"


def test_of_more_jobs_than_a_list_has_it_is_said_that_there_are_more(working: Running, worker: Visitor) -> None:
    with Database.open(working.place / "control.db") as database:
        for number in range(LISTED):
            Ledger(database).submit("audit", Call("nobody does this", {"n": number}), requester="Ann", key=f"m{number}")
    assert worker.get("/jobs").heading == "Nothing failed lately, none runs, 50 wait, and more"

"""Whole portals: what is walked, what is queued, what is written back, and what is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.doors.ckan import purge
from muniment.doors.ckan.harvest import KIND_DATASET, POLL, queue_dataset
from muniment.doors.ckan.portals import PortalSettings, read_settings
from muniment.doors.ckan.report import as_csv, broken_row
from muniment.doors.ckan.statuses import Status
from muniment.errors.catalogues import BadPortal, PortalExists, PortalNotFound
from muniment.jobs import Call
from muniment.testing.servers.loopback import Loopback, Reply, Request
from muniment.workflows.signing import HEADER_SIGNATURE
from tests.servers.ckan.conftest import Harvester


def poll(harvester: Harvester) -> None:
    job = harvester.ledger.submit("ckan-poll", Call(POLL, {"portal": "p"}), requester="test")
    harvester.run(job.id)


def fill(harvester: Harvester, datasets: int, organization: str = "org-a") -> None:
    for number in range(datasets):
        url = harvester.origin.put(f"/{number}.csv", f"a,b\n{number},2\n".encode(), etag=f'"{number}"')
        harvester.portal_server.add(f"d{number:03}", organization, {"id": f"r{number:03}", "url": url})


def test_every_page_is_walked_by_what_came_and_not_by_what_was_asked(harvester: Harvester) -> None:
    harvester.portal()
    harvester.portal_server.rows_max = 3
    fill(harvester, 10)
    assert len(harvester.harvest()) == 10
    assert harvester.reports.totals("p")["kept"] == 10
    assert harvester.given.portals.get("p").swept_at > 0


def test_what_the_search_index_lacks_is_found_by_name(harvester: Harvester) -> None:
    harvester.portal()
    fill(harvester, 3)
    harvester.portal_server.not_indexed = {"d001"}
    assert set(harvester.harvest()) == {"d000", "d001", "d002"}


def test_a_portal_that_fails_in_between_is_asked_again(harvester: Harvester) -> None:
    harvester.portal()
    fill(harvester, 2)
    harvester.portal_server.fail("package_search", status=500, body=b"<html>down</html>")
    harvester.portal_server.fail("package_show", status=502)
    assert len(harvester.harvest()) == 2


def test_one_organisation_one_dataset_or_one_resource_can_be_harvested(harvester: Harvester) -> None:
    harvester.portal()
    fill(harvester, 2)
    fill_b = harvester.origin.put("/b.csv")
    harvester.portal_server.add("e", "org-b", {"id": "s", "url": fill_b}, {"id": "t", "url": fill_b})
    assert set(harvester.harvest(organization="org-b")) == {"e"}
    assert set(harvester.harvest(dataset="name-of-d000")) == {"d000"}
    before = len(harvester.origin.requests)
    assert set(harvester.harvest(resource="s")) == {"e"}
    assert len(harvester.origin.requests) == before + 1


def test_the_portals_description_is_kept_and_its_changes_are_instances(harvester: Harvester) -> None:
    harvester.portal()
    fill(harvester, 1)
    harvester.harvest()
    harvester.harvest()
    kept = harvester.archive.get("dataset/d000", project="ckan/p")
    assert kept.head == 1, "what we write back ourselves is no change"
    assert json.loads(kept.read("dataset.json"))["title"] == "Title of d000"
    harvester.portal_server.datasets["d000"]["title"] = "Another"
    harvester.portal_server.touch("d000")
    poll(harvester)
    assert harvester.archive.get("dataset/d000", project="ckan/p").head == 2


def test_an_edit_is_queued_once_and_only_where_a_link_changed(harvester: Harvester) -> None:
    harvester.portal()
    fill(harvester, 3)
    harvester.harvest()
    newest = max(each["metadata_modified"] for each in harvester.portal_server.datasets.values())
    harvester.given.portals.note("p", polled_to=newest)
    poll(harvester)
    assert not list(harvester.ledger.jobs(kind=KIND_DATASET)), "our own writing is no change"
    harvester.portal_server.resource("r001")["url"] = harvester.origin.put("/other.csv")
    harvester.portal_server.touch("d001")
    for _ in range(5):
        poll(harvester)
    [job] = harvester.ledger.jobs(kind=KIND_DATASET)
    harvester.run(job.id)
    assert harvester.row("r001")["url"].endswith("/other.csv")
    assert harvester.archive.get("r001", project="ckan/p").head == 2
    portal = harvester.given.portals.get("p")
    ids = {queue_dataset(harvester.given, portal, "d001", "the same change") for _ in range(50)}
    assert len(ids) == 1


def test_a_first_look_begins_a_sweep(harvester: Harvester) -> None:
    harvester.portal()
    fill(harvester, 2)
    poll(harvester)
    [job] = harvester.ledger.jobs(kind="ckan-sweep")
    harvester.run(job.id)
    assert harvester.reports.totals("p")["kept"] == 2


def test_nothing_is_written_back_without_a_token_or_an_address_and_that_is_said(harvester: Harvester) -> None:
    harvester.portal(token=None)
    fill(harvester, 1)
    assert "no token" in harvester.harvest()["d000"]["write_back"]
    harvester.given.portals.change("p", token="nobody")
    assert "may not do that" in str(harvester.harvest()["d000"]["write_back"])
    assert harvester.given.client(harvester.given.portals.get("p")).access().problems
    harvester.change(cache_url_root="")
    harvester.given.portals.change("p", token="T")
    assert "cache_url_root" in harvester.harvest()["d000"]["write_back"]


def test_an_editors_token_writes_resources_and_leaves_task_status_out(harvester: Harvester) -> None:
    harvester.portal_server.sysadmins = set()
    harvester.portal_server.tokens = {"T": {"org-a"}}
    harvester.portal()
    fill(harvester, 1)
    result = harvester.harvest()["d000"]["write_back"]
    assert result["patched"] == ["r000"]
    assert "left out" in result["task_status"]
    access = harvester.given.client(harvester.given.portals.get("p")).access()
    assert (access.may_write, access.sysadmin) == (True, True), "it edits every organisation there is"


def test_our_own_writing_back_never_becomes_a_reason_to_check_again(harvester: Harvester) -> None:
    harvester.portal()
    fill(harvester, 2)
    harvester.harvest()
    patches = len(harvester.portal_server.patches)
    for _ in range(3):
        poll(harvester)
        harvester.harvest()
    assert len(harvester.portal_server.patches) == patches == 2


def test_a_resource_that_is_gone_counts_no_more_and_its_copy_stays_until_it_is_purged(harvester: Harvester) -> None:
    harvester.portal()
    fill(harvester, 2)
    harvester.harvest()
    harvester.portal_server.datasets["d000"]["resources"] = []
    harvester.portal_server.touch("d000")
    harvester.portal_server.datasets.pop("d001")
    harvester.harvest()
    portal = harvester.given.portals.get("p")
    assert harvester.reports.totals("p")["links"] == 0
    assert harvester.reports.totals("p")["datasets"] == 1
    found = sorted(each.resource for each in purge.orphans(harvester.given, portal))
    assert found == ["r000", "r001"]
    assert harvester.archive.exists("r000", "ckan/p")
    for orphan in list(purge.orphans(harvester.given, portal)):
        purge.purge(harvester.given, portal, orphan)
    assert not harvester.archive.exists("r000", "ckan/p")
    assert not list(purge.orphans(harvester.given, portal))


def test_ids_that_are_no_uuids_and_two_resources_with_one_address_are_taken_as_they_are(harvester: Harvester) -> None:
    harvester.portal()
    url = harvester.origin.put("/a.csv")
    harvester.portal_server.add("d", "org-a", {"id": "Ü 1/2", "url": url}, {"id": "..", "url": url})
    harvester.harvest()
    assert harvester.status("Ü 1/2") is Status.ARCHIVED
    assert harvester.archive.get("Ü 1/2", project="ckan/p").read("a.csv")
    assert harvester.archive.get("..", project="ckan/p").read("a.csv")


def test_the_report_agrees_with_its_lines_whatever_happens_to_the_links(harvester: Harvester) -> None:
    harvester.portal()
    for number in range(4):
        harvester.portal_server.add(
            f"d{number}",
            "org-a" if number < 3 else "org-b",
            {"id": f"ok{number}", "url": harvester.origin.put(f"/ok{number}.csv")},
            {"id": f"bad{number}", "url": f"{harvester.origin.url}/gone{number}.csv"},
            {"id": f"page{number}", "url": harvester.origin.put(f"/page{number}", b"<html>", kind="text/html")},
        )
    harvester.harvest()
    check_report(harvester)
    harvester.origin.put("/gone1.csv")
    harvester.origin.files.pop("/ok2.csv")
    harvester.portal_server.datasets["d3"]["organization"] = {"name": "org-c"}
    harvester.portal_server.touch("d3")
    harvester.harvest()
    check_report(harvester)
    harvester.clock.ahead += 3 * 86400
    harvester.origin.put("/gone0.csv")
    harvester.harvest()
    check_report(harvester)
    days = harvester.reports.days("p")
    assert len(days) == 2, "the value of each day on which something changed"
    assert days[0]["broken"] == days[1]["broken"] + 1
    lines = list(as_csv(broken_row(row) for row in harvester.reports.every_broken("p", "org-a")))
    assert len(lines) == 1 + sum(row["is_broken"] is True for row in all_rows(harvester, "org-a"))


def all_rows(harvester: Harvester, organization: str = "") -> list[Any]:
    rows = harvester.given.links.all("p", gone=False)
    return [row for row in rows if not organization or row["organization"] == organization]


def check_report(harvester: Harvester) -> None:
    """The counters are what counting everything anew would give."""
    rows = all_rows(harvester)
    totals = harvester.reports.totals("p")
    assert totals["links"] == len(rows)
    assert totals["broken"] == sum(row["is_broken"] is True for row in rows)
    assert totals["kept"] == sum(row["kept_as"] is not None for row in rows)
    assert totals["bytes"] == sum(row["size"] for row in rows if row["kept_as"] is not None)
    for figures in harvester.reports.by("p", "organization"):
        mine = all_rows(harvester, figures["name"])
        assert figures["links"] == len(mine)
        assert figures["broken"] == sum(row["is_broken"] is True for row in mine)
        assert figures["datasets"] == len({row["dataset"] for row in mine})
        assert figures["broken_datasets"] == len({row["dataset"] for row in mine if row["is_broken"] is True})
    assert sum(each["links"] for each in harvester.reports.by("p", "host")) == len(rows)
    assert sum(each["links"] for each in harvester.reports.by("p", "status")) == len(rows)


def test_the_worst_of_a_dataset_is_a_broken_link_and_not_an_unsure_one(harvester: Harvester) -> None:
    harvester.portal(max_content_length=5)
    harvester.portal_server.add(
        "d",
        "org-a",
        {"id": "broken", "url": f"{harvester.origin.url}/gone"},
        {"id": "large", "url": harvester.origin.put("/large.csv")},
    )
    result = harvester.harvest()["d"]
    assert (result["status_id"], result["is_broken"]) == (Status.DOWNLOAD_ERROR, True)


class Listener(Loopback):
    """Takes events."""

    def answer(self, request: Request) -> Reply:
        return Reply()


def test_listeners_are_told_with_a_signature_and_cannot_stop_a_harvest(harvester: Harvester) -> None:
    with Listener() as listener:
        harvester.portal(webhooks=[f"{listener.url}/hook?token=secret"])
        listener.fail("/hook", times=1, status=500)
        fill(harvester, 1)
        harvester.harvest()
        assert harvester.status("r000") is Status.ARCHIVED
        jobs = list(harvester.ledger.jobs(kind="ckan-webhook"))
        for job in jobs:
            harvester.run(job.id)
            assert "secret" not in str(job.given)
        told = [json.loads(request.body) for request in listener.requests]
        assert {each["operation"] for each in told} == {"archived", "package-archived"}
        [archived] = {json.dumps(each, sort_keys=True) for each in told if each["operation"] == "archived"}
        assert json.loads(archived)["cache_path"] == harvester.row("r000")["kept_as"]
        assert all(HEADER_SIGNATURE.lower() in request.headers for request in listener.requests)


def test_a_snapshot_for_web_archives_is_kept_where_that_is_set(harvester: Harvester) -> None:
    import io

    from warcio.archiveiterator import ArchiveIterator

    harvester.portal(keep_warc=True)
    fill(harvester, 1)
    harvester.harvest()
    harvester.harvest()
    found = harvester.archive.get("warc/r000", project="ckan/p")
    assert found.head == 1
    [record] = ArchiveIterator(io.BytesIO(found.read("snapshot.warc.gz")))
    assert record.rec_type == "response"
    assert record.rec_headers.get_header("WARC-Target-URI").endswith("/0.csv")


def test_what_a_file_is_is_found_and_held_against_what_the_portal_says(harvester: Harvester) -> None:
    harvester.portal()
    url = harvester.origin.put("/a.csv", "ä;b\n1;2\n3;4\n".encode("cp1252"))
    pdf = harvester.origin.put("/b.csv", b"%PDF-1.4 ...")
    harvester.portal_server.add("d", "org-a", {"id": "csv", "url": url}, {"id": "pdf", "url": pdf})
    harvester.harvest()
    assert harvester.notes("csv") == {"columns": 2, "encoding": "cp1252", "format": "CSV", "rows": 3}
    assert harvester.notes("pdf") == {"claimed": "CSV", "format": "PDF"}


def test_tokens_are_sealed_and_portals_are_named_once(harvester: Harvester) -> None:
    harvester.portal(token="very-secret")
    assert harvester.given.portals.token("p") == "very-secret"
    for place in harvester.folder.glob("control.db*"):
        assert b"very-secret" not in place.read_bytes()
    with pytest.raises(PortalExists):
        harvester.given.portals.add("p", "http://x/", PortalSettings())
    with pytest.raises(PortalNotFound, match="p"):
        harvester.given.portals.get("q")
    for bad in ("", "P", "a b", "x" * 41, "../x"):
        with pytest.raises(BadPortal):
            harvester.given.portals.add(bad, "http://x/", PortalSettings())
    for url in ("ftp://x", "http://u:p@x/", "nonsense"):
        with pytest.raises(BadPortal):
            harvester.given.portals.add("q", url, PortalSettings())


@pytest.mark.parametrize(
    "text",
    [
        "nonsense = 1",
        "max_content_length = 0",
        'max_content_length = "5"',
        "max_content_length = true",
        "webhooks = 'x'",
        'user_agent = "a\\nb"',
        "forms = 5",
        "forms = {r = {fields = {}}}",
        "host_delay = -1",
        "= nonsense",
    ],
)
def test_settings_that_cannot_be_are_refused_with_their_names(tmp_path: Path, text: str) -> None:
    place = tmp_path / "portal.toml"
    place.write_text(text)
    with pytest.raises(BadPortal):
        read_settings("p", place)


def test_settings_are_read_from_toml(tmp_path: Path) -> None:
    place = tmp_path / "portal.toml"
    place.write_text('[portal]\nmax_content_length = 5\ntimeout = 3\nsweep = 3600\nforms.r = {url = "http://x/"}\n')
    found = read_settings("p", place)
    assert (found.max_content_length, found.timeout, found.sweep) == (5, 3.0, "3600")
    assert found.forms["r"].url == "http://x/"


def test_the_broken_links_alone_are_checked_again_on_request(harvester: Harvester) -> None:
    harvester.portal(retry_after=1000.0)
    fill(harvester, 3)
    for number, organization in enumerate(("org-a", "org-b")):
        gone = f"{harvester.origin.url}/gone-{number}.csv"
        harvester.portal_server.add(f"x{number}", organization, {"id": f"broken-{number}", "url": gone})
    harvester.harvest()
    reports = harvester.reports
    assert (reports.totals("p")["broken"], reports.once_only("p")) == (2, 2)
    assert {each["name"]: each["broken"] for each in reports.by("p", "cause")} == {"not found": 2}
    before = len(harvester.origin.requests)
    assert set(harvester.harvest(broken=True)) == {"x0", "x1"}
    assert {each.path for each in harvester.origin.requests[before:]} == {"/gone-0.csv", "/gone-1.csv"}
    assert reports.once_only("p") == 0
    harvester.origin.put("/gone-1.csv", b"a,b\n1,2\n")
    assert set(harvester.harvest(broken=True, organization="org-b")) == {"x1"}
    assert reports.totals("p")["broken"] == 1
    assert {each["name"]: each["broken"] for each in reports.by("p", "cause") if each["broken"]} == {"not found": 1}

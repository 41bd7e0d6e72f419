"""What becomes of single links: the statuses, the reasons, and what is kept."""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

import pytest

from muniment.doors.ckan.link import file_name, fresh_until, tidy
from muniment.doors.ckan.report import resource_record
from muniment.doors.ckan.statuses import Status
from tests.servers.ckan.conftest import Harvester

DATA = b"test"


def one(harvester: Harvester, url: str, **more: Any) -> None:
    """Know the portal with one resource `r`, and harvest it."""
    harvester.portal_server.add("d", "org-a", {"id": "r", "url": url, **more})
    harvester.harvest()


@pytest.mark.parametrize("url", ["file:///x", "http:host.com", "ftp://h/x", "", "http://", "http://user:pw@h/x"])
def test_an_address_that_is_none_is_invalid_and_nothing_is_asked(harvester: Harvester, url: str) -> None:
    harvester.portal()
    one(harvester, url)
    assert harvester.status("r") is Status.URL_INVALID
    assert harvester.row("r")["is_broken"] is True
    assert harvester.origin.requests == []


def test_a_file_is_kept_with_its_digests_and_written_back(harvester: Harvester) -> None:
    harvester.portal()
    url = harvester.origin.put("/data/a.csv", DATA, etag='"1"')
    one(harvester, url)
    row = harvester.row("r")
    assert harvester.status("r") is Status.ARCHIVED
    assert (row["size"], row["mimetype"], row["md5"]) == (4, "text/csv", "098f6bcd4621d373cade4e832627b4f6")
    stamp, _, name = row["kept_as"].partition("/")
    assert name == "a.csv"
    found = harvester.archive.get("r", project="ckan/p")
    assert found.read("a.csv") == DATA
    assert found.metadata["ckan"]["timestamp"] == stamp
    [(patched, fields)] = harvester.portal_server.patches
    assert patched == "r"
    assert fields["cache_url"] == f"https://archive.example.org/archive/{stamp}/r/a.csv"
    assert (fields["hash"], fields["size"], fields["mimetype"]) == (row["md5"], 4, "text/csv")
    assert not {"url", "last_modified"} & set(fields)
    assert harvester.portal_server.resource("r")["cache_last_updated"] == f"{stamp.rstrip('Z')}.000000"
    assert harvester.portal_server.tasks["r", "archiver", "muniment"]["value"] == "Archived successfully"


def test_what_did_not_change_is_asked_with_its_validators_and_kept_once(harvester: Harvester) -> None:
    harvester.portal()
    url = harvester.origin.put("/a.csv", etag='"x"', modified="Fri, 01 Nov 2024 00:00:00 GMT")
    one(harvester, url)
    first, patches = harvester.row("r"), len(harvester.portal_server.patches)
    harvester.harvest()
    asked = harvester.origin.requests[-1].headers
    assert asked["if-none-match"] == '"x"'
    assert asked["if-modified-since"] == "Fri, 01 Nov 2024 00:00:00 GMT"
    row = harvester.row("r")
    assert harvester.status("r") is Status.UNCHANGED
    assert row["updated"] > first["updated"]
    assert row["kept_as"] == first["kept_as"]
    assert len(harvester.portal_server.patches) == patches
    assert harvester.archive.get("r", project="ckan/p").head == 1


def test_a_link_that_failed_and_recovered_unchanged_is_no_longer_broken(harvester: Harvester) -> None:
    harvester.portal()
    url = harvester.origin.put("/a.csv", etag='"x"')
    one(harvester, url)
    harvester.origin.fail("/a.csv", times=10, status=500)
    harvester.harvest()
    broken = harvester.row("r")
    assert (broken["is_broken"], broken["failure_count"]) == (True, 3)
    assert resource_record(broken)["cached_before_broken"], "the last good copy stays and says from when it is"
    assert broken["kept_as"], "the copy is still offered as it was before the link broke"
    harvester.origin.faults.clear()
    harvester.harvest()
    row = harvester.row("r")
    assert (row["is_broken"], row["failure_count"], row["first_failure"]) == (False, 0, None)
    assert not resource_record(row)["cached_before_broken"]


def test_a_changed_file_is_another_instance_and_both_stay(harvester: Harvester) -> None:
    harvester.portal()
    url = harvester.origin.put("/a.csv", b"a,b\n1,2\n", etag='"1"')
    one(harvester, url)
    first = harvester.row("r")["kept_as"]
    harvester.origin.put("/a.csv", b"a,b\n3,4\n", etag='"2"')
    harvester.harvest()
    assert harvester.archive.get("r", project="ckan/p").head == 2
    assert harvester.row("r")["kept_as"] != first
    contents = [each.read("a.csv") for each in harvester.archive.history("r", "ckan/p")]
    assert contents == [b"a,b\n1,2\n", b"a,b\n3,4\n"]


def test_the_same_bytes_under_another_tag_are_an_event_and_no_instance(harvester: Harvester) -> None:
    harvester.portal()
    one(harvester, harvester.origin.put("/a.csv", etag='"1"'))
    harvester.origin.put("/a.csv", etag='"2"')
    harvester.harvest()
    assert harvester.status("r") is Status.UNCHANGED
    assert harvester.archive.get("r", project="ckan/p").head == 1
    assert harvester.row("r")["etag"] == '"2"'
    assert [event.event for event in harvester.archive.events() if event.resource == "r"].count("capture") == 1


@pytest.mark.parametrize(
    "header", [{"Cache-Control": "public, max-age=3600"}, {"Expires": "", "Date": ""}], ids=["max-age", "expires"]
)
def test_what_is_fresh_is_not_asked_for(harvester: Harvester, header: dict[str, str]) -> None:
    if "Expires" in header:
        header = {"Expires": _http_date(harvester.clock() + 3600), "Date": _http_date(harvester.clock())}
    harvester.portal()
    one(harvester, harvester.origin.put("/a.csv", headers=header))
    before = len(harvester.origin.requests)
    harvester.clock.ahead += 600
    harvester.harvest()
    assert len(harvester.origin.requests) == before
    harvester.clock.ahead += 3060
    harvester.harvest()
    assert len(harvester.origin.requests) > before


def _http_date(seconds: float) -> str:
    from email.utils import formatdate

    return formatdate(seconds, usegmt=True)


def test_a_server_that_proves_only_lengths_is_believed_for_a_while(harvester: Harvester) -> None:
    harvester.portal(reread_after=1000.0)
    one(harvester, harvester.origin.put("/a.csv"))
    harvester.harvest()
    assert [request.method for request in harvester.origin.requests] == ["GET", "HEAD"]
    assert harvester.status("r") is Status.UNCHANGED
    harvester.clock.ahead += 1001
    harvester.harvest()
    assert [request.method for request in harvester.origin.requests[2:]] == ["GET"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"x" * 1001, {}, Status.NOT_CHOSEN, id="announced too long"),
        pytest.param(b"x" * 1000, {}, Status.ARCHIVED, id="exactly the limit"),
        pytest.param(
            b"test", {"Content-Length": "abc", "Connection": "close"}, Status.ARCHIVED, id="a length that is none"
        ),
        pytest.param(gzip.compress(bytes(100_000)), {"Content-Encoding": "gzip"}, Status.NOT_CHOSEN, id="a gzip bomb"),
        pytest.param(gzip.compress(b"a,b\n"), {"Content-Encoding": "gzip"}, Status.ARCHIVED, id="packed unasked"),
        pytest.param(b"", {}, Status.DOWNLOAD_ERROR, id="nothing"),
        pytest.param(b"x", {}, Status.DOWNLOAD_ERROR, id="one byte"),
        pytest.param(b"no gzip", {"Content-Encoding": "gzip"}, Status.DOWNLOAD_ERROR, id="not packed as it says"),
        pytest.param(
            b"<?xml version='1.0'?><ServiceExceptionReport>no", {}, Status.DOWNLOAD_ERROR, id="an error with 200"
        ),
    ],
)
def test_lengths_and_bodies_are_judged_by_what_comes(
    harvester: Harvester, body: bytes, headers: dict[str, str], status: Status
) -> None:
    harvester.portal(max_content_length=1000)
    one(harvester, harvester.origin.put("/a.csv", body, headers=headers))
    assert harvester.status("r") is status, harvester.row("r")["reason"]
    assert not [path for path in (harvester.folder / "scratch").rglob("*") if path.is_file()]


def test_a_body_without_a_length_is_cut_at_the_limit(harvester: Harvester) -> None:
    harvester.portal(max_content_length=1000)
    one(
        harvester,
        harvester.origin.put("/a.csv", b"x" * 5000, headers={"Content-Length": "unknown", "Connection": "close"}),
    )
    assert harvester.status("r") is Status.NOT_CHOSEN
    assert "1000" in harvester.row("r")["reason"]
    assert harvester.archive.count("ckan/p") == 1, "the dataset's description, and no file"


@pytest.mark.parametrize(
    ("fault", "reason", "tries"),
    [
        ({"status": 404}, "404 Not Found", 1),
        ({"status": 410}, "410 Gone", 1),
        ({"status": 500}, "500", 3),
        ({"status": 200, "cut_after": 3, "body": b"x" * 100}, "Error with the download", 3),
        ({"delay": 3.0}, "timed out after 2s", 3),
    ],
)
def test_failures_say_why_and_only_what_may_pass_is_tried_again(
    harvester: Harvester, fault: dict[str, Any], reason: str, tries: int
) -> None:
    harvester.portal()
    url = harvester.origin.put("/a.csv")
    harvester.origin.fail("/a.csv", times=50, **fault)
    one(harvester, url)
    row = harvester.row("r")
    assert row["status"] == Status.DOWNLOAD_ERROR
    assert reason in row["reason"]
    assert row["failure_count"] == tries
    harvester.harvest()
    assert harvester.row("r")["first_failure"] == row["first_failure"]
    assert harvester.row("r")["failure_count"] == tries + 1, "the next sweep tries once, and no more by itself"


def test_a_dead_host_is_not_asked_once_for_each_of_its_links(harvester: Harvester) -> None:
    import socket

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
        harvester.portal(retry_after=1.0)
        links = [{"id": f"r{number}", "url": f"{dead}/{number}"} for number in range(12)]
        harvester.portal_server.add("d", "org-a", *links)
        harvester.harvest()
    for number in range(12):
        row = harvester.row(f"r{number}")
        assert row["status"] == Status.DOWNLOAD_ERROR
        assert "Connection error" in row["reason"]


def test_redirects_are_followed_and_what_moved_for_good_is_said(harvester: Harvester) -> None:
    harvester.portal()
    target = harvester.origin.put("/new.csv")
    harvester.origin.put("/old", b"", status=301, headers={"Location": "/new.csv"})
    harvester.origin.put("/maybe", b"", status=302, headers={"Location": "/new.csv"})
    harvester.origin.put("/loop", b"", status=302, headers={"Location": "/loop"})
    harvester.portal_server.add(
        "d", "org-a", *({"id": name, "url": f"{harvester.origin.url}/{name}"} for name in ("old", "maybe", "loop"))
    )
    harvester.harvest()
    assert harvester.row("old")["redirected_to"] == harvester.row("old")["moved_to"] == target
    assert harvester.row("maybe")["redirected_to"] == target
    assert harvester.row("maybe")["moved_to"] is None
    assert harvester.status("loop") is Status.DOWNLOAD_ERROR
    same = harvester.given.links.same_content("p", "old", harvester.row("old")["sha256"])
    assert same == [("p", "maybe")], "the same content at several links is found"


def test_a_page_is_not_kept_and_one_in_place_of_data_is_noticed(harvester: Harvester) -> None:
    harvester.portal()
    one(harvester, harvester.origin.put("/a.csv"))
    harvester.origin.put("/a.csv", b"<html>Sorry</html>", kind="text/html; charset=utf-8")
    harvester.harvest()
    row = harvester.row("r")
    assert (row["status"], row["is_broken"]) == (Status.NOT_CHOSEN, None)
    assert "text/html" in row["reason"]
    assert harvester.notes("r")["soft_404"] is True
    assert row["kept_as"]


def test_a_page_is_searched_for_data_where_that_is_set(harvester: Harvester) -> None:
    harvester.portal(follow_pages=True)
    harvester.origin.put("/files/data.csv")
    page = b'<html><a href="/about">x</a><a href="files/data.csv">data</a><a href="files/gone.zip">zip</a></html>'
    one(harvester, harvester.origin.put("/page", page, kind="text/html"))
    assert harvester.status("r") is Status.ARCHIVED
    assert list(harvester.archive.get("r", project="ckan/p")) == ["data.csv"]
    assert harvester.notes("r")["found_on_page"].endswith("/page")


def test_a_form_is_submitted_where_one_is_described(harvester: Harvester) -> None:
    url = harvester.origin.put("/licence")
    harvester.portal(forms={"r": {"url": url, "fields": {"accept": "yes & no"}}})
    one(harvester, f"{harvester.origin.url}/page-before")
    [asked] = harvester.origin.requests
    assert (asked.method, asked.path, asked.body) == ("POST", "/licence", b"accept=yes+%26+no")
    assert harvester.status("r") is Status.ARCHIVED


def test_a_map_service_is_asked_as_one_is_asked(harvester: Harvester) -> None:
    harvester.portal()
    url = f"{harvester.origin.url}/ows"

    def answer(request: Any) -> Any:
        from muniment.testing.servers.loopback import Reply

        if request.query.get("service") == "WMS" and request.query.get("version") == "1.1.1":
            return Reply(200, b"<WMT_MS_Capabilities/>", {"Content-Type": "application/vnd.ogc.wms_xml"})
        return Reply(400, b"what?", {"Content-Type": "text/plain"})

    harvester.origin.answer = answer  # type: ignore[method-assign] # a server that is asked by query
    one(harvester, url)
    assert harvester.status("r") is Status.ARCHIVED
    assert harvester.notes("r")["asked_as"] == "WMS 1.1.1"


def test_uploads_are_checked_and_not_copied_unless_that_is_set(harvester: Harvester) -> None:
    harvester.portal()
    portal = harvester.portal_server
    original = portal.answer

    def answer(request: Any) -> Any:
        from muniment.testing.servers.loopback import Reply

        if request.path.startswith("/dataset/"):
            return Reply(200, b"a,b\n", {"Content-Type": "text/csv"})
        return original(request)

    portal.answer = answer  # type: ignore[method-assign] # a portal with a file
    one(harvester, f"{portal.url}/dataset/d/resource/r/download/a.csv", url_type="upload")
    assert harvester.status("r") is Status.ARCHIVED
    assert harvester.row("r")["kept_as"] is None
    [asked] = portal.asked("^/dataset/")
    assert (asked.method, asked.headers["authorization"]) == ("HEAD", "T")
    harvester.change(copy_uploads=True)
    harvester.harvest()
    assert harvester.archive.get("r", project="ckan/p").read("a.csv") == b"a,b\n"


def test_an_upload_that_lies_elsewhere_is_left_alone_and_never_shown_the_token(harvester: Harvester) -> None:
    harvester.portal()
    url = harvester.origin.put("/bucket/a.csv").replace("127.0.0.1", "localhost")
    one(harvester, url, url_type="upload")
    assert harvester.status("r") is Status.NOT_CHOSEN
    harvester.change(archive_cloud=True)
    harvester.harvest()
    assert harvester.status("r") is Status.ARCHIVED
    assert all("authorization" not in request.headers for request in harvester.origin.requests)


def test_links_are_only_checked_where_that_is_set(harvester: Harvester) -> None:
    harvester.portal(check_only_organizations=["org-a"])
    one(harvester, harvester.origin.put("/a.csv"))
    assert harvester.status("r") is Status.ARCHIVED
    assert harvester.row("r")["kept_as"] is None
    assert [request.method for request in harvester.origin.requests] == ["HEAD"]
    assert harvester.archive.count() == 0
    assert harvester.portal_server.patches == []


def test_a_private_address_is_refused_and_not_connected_to(harvester: Harvester) -> None:
    harvester.portal()
    harvester.given.session(harvester.given.portals.get("p").settings).guard.allow_private_addresses = False
    from muniment.doors.ckan.link import EarlierAttempt

    checker = harvester.given.checker(harvester.given.portals.get("p"), "step")
    found = checker.check(harvester.origin.put("/a.csv"), EarlierAttempt(), now=0.0)
    assert found.status is Status.URL_INVALID
    assert "this machine" in found.reason
    assert harvester.origin.requests == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" http://h/a%20b ", "http://h/a%20b"),
        ("http://h/a b", "http://h/a%20b"),
        ("http://h/100%", "http://h/100%25"),
        ("HTTP://h/ä?q=ö b", "http://h/%C3%A4?q=%C3%B6%20b"),
        ("http://h?a=b/c:d", "http://h/?a=b/c:d"),
        ("http://h/a#part", "http://h/a"),
    ],
)
def test_addresses_are_escaped_once(given: str, expected: str) -> None:
    assert tidy(given) == expected


@pytest.mark.parametrize(
    ("disposition", "url", "expected"),
    [
        ("", "http://h/a/..", "resource"),
        ("", "http://h/", "resource"),
        ("", "http://h/x/%2e%2e", "resource"),
        ("", "http://h/a%2Fb.csv", "a_b.csv".replace("a_", "") or "b.csv"),
        ('attachment; filename="../../etc/passwd"', "http://h/x", "passwd"),
        ("attachment; filename*=UTF-8''%C3%A4.csv", "http://h/x", "ä.csv"),
        ('attachment; filename="a\x01b.csv"', "http://h/x", "a_b.csv"),
        ("attachment", "http://h/data.csv?x=1", "data.csv"),
        ("", f"http://h/{'x' * 300}.csv", f"{'x' * 196}.csv"),
    ],
)
def test_names_are_safe_whatever_the_server_says(disposition: str, url: str, expected: str) -> None:
    assert file_name(disposition, url, url) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"cache-control": "max-age=60"}, 1060.0),
        ({"cache-control": "max-age=60", "age": "50"}, 1010.0),
        ({"cache-control": "no-cache, max-age=60"}, 0.0),
        ({"cache-control": "max-age=99999999999999999999"}, 1000.0 + 365 * 86400),
        ({"cache-control": "max-age=٣"}, 0.0),
        ({"expires": "0"}, 0.0),
        ({"expires": "Thu, 01 Jan 1970 00:20:00 GMT"}, 1200.0),
        ({"expires": "Fri, 31 Dec 99999 00:00:00 GMT"}, 0.0),
    ],
)
def test_freshness_is_what_the_headers_say(headers: dict[str, str], expected: float) -> None:
    assert fresh_until(headers, 1000.0) == expected


def test_the_digest_written_back_is_md5() -> None:
    assert hashlib.md5(DATA).hexdigest() == "098f6bcd4621d373cade4e832627b4f6"

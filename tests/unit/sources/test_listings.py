"""Reading the listings of web servers, honest and hostile ones."""

from __future__ import annotations

import json

import pytest

from muniment.session.redaction import Redactor, shown
from muniment.sources.listing import Listed, Unreadable, read_listing
from muniment.sources.listing.dates import time_in
from muniment.sources.protocol import original_name, safe_path, segment, version_path
from muniment.sources.times import rfc3339

BASE = "http://a.example/data/"
PAGE = b"<html><head><title>Index of /data/</title></head><body>%s</body></html>"


def lines(url: str, content_type: str, body: bytes) -> list[Listed]:
    """What a page lists, which has to be a listing."""
    found = read_listing(url, content_type, body)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    "link",
    ["../", "/", "/other/x", "//b.example/data/x", "http://b.example/data/x", "https://a.example/data/x", "?C=N;O=D",
     "x?version=1", "javascript:alert(1)", "mailto:a@b.c", "", "#top", "./", ".", "a/b", "/data/", "http://[::1",
     "/data/..", "%2e%2e", "%2e%2e/", "/data//"],
)  # fmt: skip
def test_links_that_lead_elsewhere_are_left_out(link: str) -> None:
    assert lines(BASE, "text/html", PAGE % f'<a href="{link}">x</a>'.encode()) == []


@pytest.mark.parametrize(
    ("link", "name"), [("%2e%2e%2fetc", "..%2Fetc"), ("a%2Fb", "a%2Fb"), ("%FF.txt", "\udcff.txt"), ("a%20b", "a b")]
)
def test_a_name_is_one_step_whatever_it_holds(link: str, name: str) -> None:
    assert [each.name for each in lines(BASE, "text/html", PAGE % f'<a href="{link}">x</a>'.encode())] == [name]


def test_links_are_below_however_they_are_escaped() -> None:
    page = PAGE % "<a href='/d%C3%A4ta/a%62c'>x</a><a href='/däta/%64'>y</a>".encode()
    assert [each.name for each in lines("http://a.example/d%c3%a4ta/", "text/html", page)] == ["abc", "d"]
    assert [each.name for each in lines("http://a.example/däta/", "text/html", page)] == ["abc", "d"]


def test_links_come_once_and_folders_are_known_by_their_slash() -> None:
    page = PAGE % b'<A HREF="a.txt">a</A><a href="/data/a.txt">a</a><a href="b/">b</a><a href="./c%20d#x">c</a>'
    found = [(each.name, each.folder) for each in lines(BASE, "text/html", page)]
    assert sorted(found) == [("a.txt", False), ("b", True), ("c d", False)]


@pytest.mark.parametrize(
    ("page", "is_listing"),
    [
        (b"<title>My index of things</title><a href='x'>x</a>", True),
        (b"<title>Things</title><a href='x'>see here</a>", False),
        (b"<html><h1>Directory listing for /</h1>", True),
        (b"<title>Index of /data/</title>", True),
        (b"<!doctype html>\n<meta name=viewport>\n<pre>\n</pre>\n", True),
        (b"<title>/data/</title><h1>/data/</h1>", True),
        (b"<a href='/'>[To Parent Directory]</a>", True),
        (b"<a href='a.csv'>a.csv</a><a href='b/'>b/</a><a href='long%20name%20of%20it'>long name..&gt;</a>", True),
        (b"<ul><li><a href='a.csv'>a.csv</a> 12 KB</ul><footer><a href='https://b.example/'>b</a></footer>", True),
        (b"<p>words and words</p>", False),
        (b"", False),
    ],
)
def test_a_listing_is_known_by_its_title_or_by_its_shape(page: bytes, is_listing: bool) -> None:
    assert isinstance(read_listing(BASE, "text/html", page), list) is is_listing


@pytest.mark.parametrize(
    "page",
    [
        b"<a href='a.csv'>a.csv</a><a href='b.csv'>the second table</a>",
        b"<a href='a.csv'>a.csv</a>" + b"<a href='https://b.example/'>elsewhere</a>" * 9,
        b"<a href='a.csv'>a.csv</a><p>" + b"many words of prose " * 20,
        b"<title>server - /data/</title><a href='a.csv'>table</a>",
        b"<a href='/'>Parent Directory</a>" + b"<div onclick='load()'>Loading the very many files</div>" * 20,
    ],
)
def test_a_page_that_looks_like_a_listing_and_is_none_we_know_is_said_to_be_so(page: bytes) -> None:
    found = read_listing(BASE, "text/html", page)
    assert isinstance(found, Unreadable)
    assert "index.html" in found.reason


@pytest.mark.parametrize("body", [b'{"name": "x"}', b'[{"name": "x"}]', b"[" * 100_000, b"[1]", b"nothing"])
def test_other_json_is_no_listing(body: bytes) -> None:
    assert read_listing(BASE, "application/json", body) is None


@pytest.mark.parametrize("body", [b"<catalog/>", b"<x", b'<!DOCTYPE x [<!ENTITY a "b">]><catalog/>'])
def test_other_xml_is_no_listing(body: bytes) -> None:
    assert read_listing("http://a.example/catalog.xml", "text/xml", body) is None


def test_nginx_json_gives_sizes_and_times() -> None:
    rows = [
        {"name": "a?b#c%.txt", "type": "file", "mtime": "Tue, 14 Nov 2023 22:13:20 GMT", "size": 3},
        {"name": "d", "type": "directory", "mtime": "x"},
        {"name": "socket", "type": "other"},
        {"name": "../up", "type": "file"},
        {"name": "https://b.example/x", "type": "file"},
    ]
    found = lines(BASE, "application/json", json.dumps(rows).encode())
    assert [(each.name, each.folder, each.size) for each in found][:2] == [("a?b#c%.txt", False, 3), ("d", True, None)]
    assert found[0].url == BASE + "a%3Fb%23c%25.txt"
    assert found[0].modified == "2023-11-14T22:13:20Z"
    assert [each.name for each in found[2:]] == ["..%2Fup", "https:%2F%2Fb.example%2Fx"]
    assert all(each.url.startswith(BASE) for each in found)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("14-Nov-2023 22:13   1234", "2023-11-14T22:13:00Z"),
        ("2023-11-14 22:13  1.2K", "2023-11-14T22:13:00Z"),
        ("2023-Nov-14 22:13:20", "2023-11-14T22:13:20Z"),
        ("Nov 14, 2023 10:13:20 PM", "2023-11-14T22:13:20Z"),
        ("Nov 14, 2023, 10:13:20\u202fPM", "2023-11-14T22:13:20Z"),
        ("11/14/2023 10:13 PM  12", "2023-11-14T22:13:00Z"),
        ("11/14/2023  1:03 AM  <dir>", "2023-11-14T01:03:00Z"),
        ("14/11/2023 22:13", None),  # which is the month?
        ("99-Nov-2023 22:13", None),
        ("1,234 bytes", None),
    ],
)
def test_times_in_listings_are_read_in_the_forms_of_their_servers(text: str, time: str | None) -> None:
    assert time_in(text)[0] == time


@pytest.mark.parametrize(
    ("name", "path"),
    [("../x", "%2E%2E/x"), ("/lead", "%/lead"), ("a//b", "a/%/b"), ("a/./b", "a/%2E/b"), ("dir/", "dir/%"), ("", "%"),
     ("a\0b", "a%00b"), ("caf\udce9", "caf%E9"), ("\ud800", "%ED%A0%80"), ("a%/é", "a%/é"), ("...", "...")],
)  # fmt: skip
def test_a_name_that_no_path_can_carry_is_escaped_and_its_true_one_kept(name: str, path: str) -> None:
    assert safe_path(name) == path
    assert original_name(name, safe_path(name)) == (None if name == path else name)


def test_the_folders_of_our_own_are_kept_free() -> None:
    names = ["@about/x", "@@about/x", "@versions", "@aboutx", "about", "a/@about", "@about//x"]
    kept = [safe_path(name) for name in names]
    assert kept == ["@@about/x", "@@@about/x", "@@versions", "@aboutx", "about", "a/@about", "@@about/%/x"]


def test_versions_and_names_become_one_segment() -> None:
    assert version_path("a/b", "1/2..") == "@versions/a/b/1%2F2.."
    assert [segment(text) for text in ("..", ".", "", "a/b", "é ")] == ["%2E%2E", "%2E", "%", "a%2Fb", "%C3%A9 "]


@pytest.mark.parametrize(
    ("text", "meant"),
    [("2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z"), ("2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20Z"),
     ("Tue, 14 Nov 2023 22:13:20 GMT", "2023-11-14T22:13:20Z"), ("2023-11-14", "2023-11-14T00:00:00Z"), ("soon", None),
     ("", None)],
)  # fmt: skip
def test_times_are_converted_to_utc_and_not_relabelled(text: str, meant: str | None) -> None:
    assert rfc3339(text) == meant


def test_secrets_are_taken_out_in_every_form() -> None:
    redact = Redactor(["p/ss wörd", "", "abc"])
    text = redact("p/ss wörd p%2Fss%20w%C3%B6rd p/ss%20w%C3%B6rd p%2Fss+w%C3%B6rd cC9zcyB3w7ZyZA== abc")
    assert text == "[hidden] [hidden] [hidden] [hidden] [hidden] abc"
    assert shown("https://u:p@a.example:8443/x?token=1#y") == "https://a.example:8443/x"
    assert shown("http://[2001:db8::1]/x") == "http://[2001:db8::1]/x"
    assert "secret" not in shown("http://[secret")

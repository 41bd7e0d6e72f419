"""Reading the listings of web servers, honest and hostile ones."""

from __future__ import annotations

import json

import pytest

from muniment.session.redaction import Redactor, shown
from muniment.sources.listing import is_listing, read_listing
from muniment.sources.protocol import Failure, safe_path, segment, version_path
from muniment.sources.times import rfc3339

BASE = "http://a.example/data/"
PAGE = b"<html><head><title>Index of /data/</title></head><body>%s</body></html>"


@pytest.mark.parametrize(
    "link",
    ["../", "/", "/other/x", "//b.example/data/x", "http://b.example/data/x", "https://a.example/data/x", "?C=N;O=D",
     "x?version=1", "javascript:alert(1)", "mailto:a@b.c", "", "#top", "./", ".", "a/b", "/data/", "http://[::1",
     "/data/.."],
)  # fmt: skip
def test_links_that_lead_elsewhere_are_left_out(link: str) -> None:
    assert list(read_listing(BASE, "text/html", PAGE % f'<a href="{link}">x</a>'.encode())) == []


@pytest.mark.parametrize(
    ("link", "name"), [("%2e%2e%2fetc", None), ("a%2Fb", None), ("%FF.txt", None), ("%2e%2e", None)]
)
def test_names_that_hide_a_way_out_have_no_name(link: str, name: None) -> None:
    found = list(read_listing(BASE, "text/html", PAGE % f'<a href="{link}">x</a>'.encode()))
    assert [each.name for each in found] in ([name], [])


def test_links_come_once_and_folders_are_known_by_their_slash() -> None:
    page = PAGE % b'<A HREF="a.txt">a</A><a href="/data/a.txt">a</a><a href="b/">b</a><a href="./c%20d#x">c</a>'
    found = {(each.name, each.folder) for each in read_listing(BASE, "text/html", page)}
    assert found == {("a.txt", False), ("b", True), ("c d", False)}


def test_a_page_with_links_is_not_a_listing() -> None:
    assert not is_listing("text/html", b"<title>My index of things</title><a href='x'>x</a>")
    assert is_listing("text/html", b"<html><h1>Directory listing for /</h1>")
    assert not is_listing("application/json", b'{"name": "x"}')
    assert not is_listing("application/json", b'[{"name": "x"}]')
    assert not is_listing("application/json", b"[" * 100_000)
    assert is_listing("application/json", b"[]")


def test_nginx_json_gives_sizes_and_times() -> None:
    lines = [
        {"name": "a?b#c%.txt", "type": "file", "mtime": "Tue, 14 Nov 2023 22:13:20 GMT", "size": 3},
        {"name": "d", "type": "directory", "mtime": "x"},
        {"name": "socket", "type": "other"},
        {"name": "../up", "type": "file"},
    ]
    found = list(read_listing(BASE, "application/json", json.dumps(lines).encode()))
    assert [(each.name, each.folder, each.size) for each in found][:2] == [("a?b#c%.txt", False, 3), ("d", True, None)]
    assert found[0].url == BASE + "a%3Fb%23c%25.txt"
    assert rfc3339(found[0].modified) == "2023-11-14T22:13:20Z"
    assert [each.name for each in found[2:]] in ([None], [])


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a/../b", "", "a\0b", "a/.", "\udcff"])
def test_a_name_that_cannot_be_kept_is_a_failure(name: str) -> None:
    failure = safe_path(name, "http")
    assert isinstance(failure, Failure)
    assert failure.service == "http"
    failure.file.encode()


def test_the_folders_of_our_own_are_kept_free() -> None:
    names = ["@about/x", "@@about/x", "@versions", "@aboutx", "about", "a/@about"]
    kept = [safe_path(name, "http") for name in names]
    assert kept == ["@@about/x", "@@@about/x", "@@versions", "@aboutx", "about", "a/@about"]


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

"""Links and the names under which files are saved."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from muniment.doors.osf.links import Links, disposition
from muniment.errors.registration import BadFileName, LinkRefused

SHA = "a" * 64


def fields(query: str) -> dict[str, str]:
    found = {name: values[0] for name, values in parse_qs(query).items()}
    return {"name": found.get("name", ""), "expires": found["expires"], "signature": found["signature"]}


def test_a_link_is_good_until_its_time_is_over() -> None:
    now = [1000.0]
    links = Links(b"key", life=300, now=lambda: now[0])
    link = fields(links.query("abc", SHA, "a b.csv"))
    links.check("abc", SHA, **link)
    now[0] = 1300.0
    links.check("abc", SHA, **link)
    now[0] = 1301.0
    with pytest.raises(LinkRefused, match="over"):
        links.check("abc", SHA, **link)


@pytest.mark.parametrize(
    "change", [{"name": "b"}, {"expires": "99999999999"}, {"expires": "x"}, {"signature": "0" * 64}, {"signature": ""}]
)
def test_a_changed_link_is_refused(change: dict[str, str]) -> None:
    links = Links(b"key")
    with pytest.raises(LinkRefused, match="not ours"):
        links.check("abc", SHA, **{**fields(links.query("abc", SHA, "a")), **change})


def test_a_link_is_for_one_file_of_one_container() -> None:
    links = Links(b"key")
    link = fields(links.query("abc", SHA, "a"))
    for container, sha256 in (("abd", SHA), ("abc", "b" * 64)):
        with pytest.raises(LinkRefused):
            links.check(container, sha256, **link)
    with pytest.raises(LinkRefused):
        Links(b"other").check("abc", SHA, **link)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("", "attachment"),
        ("foo.csv", "attachment; filename=\"foo.csv\"; filename*=UTF-8''foo.csv"),
        ('a"b;.csv', "attachment; filename=\"a_b;.csv\"; filename*=UTF-8''a%22b%3B.csv"),
        ("naïve 100%.txt", "attachment; filename=\"na_ve 100_.txt\"; filename*=UTF-8''na%C3%AFve%20100%25.txt"),
    ],
)
def test_names_are_quoted_so_that_no_header_is_broken(name: str, header: str) -> None:
    assert disposition(name) == header
    assert header.isascii()


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x", "a\0", "../x", "a\\b", "..", "x" * 256, "\ud800"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(BadFileName):
        disposition(name)

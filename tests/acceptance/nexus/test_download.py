"""Downloading selections: members, names, formats, what is missing, and whose rights count (cases 36 to 51)."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.acceptance.nexus.site import ENC, LOGO, NXV, Client, P, Site, archive_1
from tests.timing import eventually

ENCODED = quote(P, safe="*-._")
TAR = "application/x-tar"


def describe(client: Client, *entries: dict[str, Any], project: str = "o/p1") -> str:
    """Make a selection and give its address."""
    made = client.post(f"/archives/{project}", {"resources": list(entries)}, TAR)
    assert made.status == 303, made.body
    return made.headers["location"].partition("/v1")[2]


def members(client: Client, *entries: dict[str, Any], query: str = "") -> dict[str, bytes]:
    found = client.get(describe(client, *entries) + query, "*/*")
    assert (found.status, found.headers["content-type"]) == (200, TAR), found.body
    return found.tar()


def res(number: int | str, **more: Any) -> dict[str, Any]:
    return {"@type": "Resource", "resourceId": f"{P}{number}", **more}


def file(name: str, **more: Any) -> dict[str, Any]:
    return {"@type": "File", "resourceId": f"{P}{name}", **more}


def test_the_documents_example(t: Client) -> None:
    t.put("/archives/o/p1/test-resource:archive1", archive_1())
    found = t.get("/archives/o/p1/test-resource:archive1", "*/*")
    assert (found.status, found.headers["content-type"]) == (200, TAR)
    assert "archive.tar" in found.headers["content-disposition"]
    assert int(found.headers["content-length"]) == len(found.body)
    held = found.tar()
    assert sorted(held) == [f"o/p1/{ENCODED}1.json", f"o/p2/{ENCODED}2.json", "some/other/nexus-logo.png"]
    assert json.loads(held[f"o/p1/{ENCODED}1.json"]) == t.get("/resources/o/p1/_/test-resource:1?rev=1").json
    assert json.loads(held[f"o/p2/{ENCODED}2.json"]) == t.get("/resources/o/p2/_/test-resource:2").json
    assert hashlib.sha512(held["some/other/nexus-logo.png"]).digest() == hashlib.sha512(LOGO).digest()


def test_a_post_is_followed_to_the_download(t: Client) -> None:
    made = t.post("/archives/o/p1", archive_1(), "*/*")
    path = made.headers["location"].partition("/v1")[2]
    assert len(t.get(path, "*/*").tar()) == 3


def test_a_file_is_there_as_bytes_and_as_description(t: Client) -> None:
    held = members(t, res("logo"), file("logo"))
    assert held["o/p1/logo.png"] == LOGO
    said = json.loads(held[f"o/p1/{ENCODED}logo.json"])
    assert (said["@type"], said["_bytes"], said["_filename"]) == ("File", len(LOGO), "logo.png")


def test_every_format(t: Client) -> None:
    forms = ("source", "compacted", "expanded", "n-triples", "n-quads", "dot")
    held = members(t, *(res(1, format=form, path=f"x/{form}") for form in forms))
    assert json.loads(held["x/source"]) == t.get("/resources/o/p1/_/test-resource:1/source").json
    assert json.loads(held["x/compacted"])["_rev"] == 1
    [node] = json.loads(held["x/expanded"])
    assert node["@type"] == [f"{NXV}TestResource"]
    for form in ("n-triples", "n-quads"):
        assert f"<{P}1> <https://some.other.prefix.com/priority> ".encode() in held[f"x/{form}"]
    assert f'digraph "{P}1"'.encode() in held["x/dot"]


def test_default_names_have_the_true_extension(t: Client) -> None:
    held = members(t, *(res(1, format=form) for form in ("n-triples", "n-quads", "dot", "expanded")))
    assert sorted(held) == [f"o/p1/{ENCODED}1.{end}" for end in ("dot", "json", "nq", "nt")]


def test_names_that_meet_are_told_apart(t: Client) -> None:
    held = members(t, res(1), res(1, rev=1), res(1, format="expanded"))
    assert sorted(held) == [f"o/p1/{ENCODED}1{end}.json" for end in ("-2", "-3", "")]


def test_long_names_are_whole(t: Client) -> None:
    long = "http://localhost/" + "x" * 150
    assert t.put(f"/resources/o/p1/_/{quote(long, safe='')}", {"a": 1}).status == 201
    [name] = members(t, {"@type": "Resource", "resourceId": long})
    assert name == f"o/p1/{quote(long, safe='*-._')}.json"
    t.upload("/files/o/p1/test-resource:long", "f" * 100, b"x", method="PUT")
    assert list(members(t, file("long"))) == ["o/p1/" + "f" * 100]
    assert list(members(t, file("long", path="a/b"))) == ["a/b"]


def test_what_is_missing_is_said_before_the_first_byte(t: Client) -> None:
    for entry, named in (
        (res("notfound"), f"{P}notfound"),
        (file("notfound"), f"{P}notfound"),
        (file("1"), f"{P}1"),
        (res(1, rev=9), f"{P}1?rev=9"),
        (res(1, tag="none"), f"{P}1?tag=none"),
        (res(1, project="o/nowhere"), f"{P}1"),
    ):
        for accept in ("*/*", TAR):
            found = t.get(describe(t, entry), accept)
            assert (found.status, found.kind) == (404, "ResourceNotFound")
            assert found.reason == f"The resource '{named}' was not found in project 'o/p1'."


def test_what_is_missing_can_be_ignored(t: Client) -> None:
    missing = (file("notfound"), res("notfound"), res(1, rev=9, path="a"), res(1, tag="x", path="b"))
    assert len(members(t, res(1, rev=1), *missing, query="?ignoreNotFound=true")) == 1
    found = t.get(describe(t, *missing) + "?ignoreNotFound=true", "*/*")
    assert (found.status, found.tar(), len(found.body)) == (200, {}, 1024)


def test_the_rights_of_who_downloads_count(site: Site, t: Client, n: Client) -> None:
    path = describe(t, res(1), res(2, project="o/p2"))
    assert t.get(path, "*/*").status == 200
    for query in ("", "?ignoreNotFound=true"):
        found = n.get(path + query, "*/*")
        assert (found.status, found.kind) == (403, "AuthorizationFailed")
        wanted = "The permission 'resources/read' required for accessing a resource at '/o/p2' is missing."
        assert found.reason == wanted
    site.grant("N", "/o/p2", {"resources/read"})
    eventually(lambda: n.get(path, "*/*").status == 200)
    site.deny("N", "/o/p2", {"resources/read"})
    eventually(lambda: n.get(path, "*/*").status == 403)


def test_nobody_downloads_nothing(nobody: Client, t: Client) -> None:
    path = describe(t, res(1))
    for accept in ("*/*", "application/json"):
        assert nobody.get(path, accept).status == 403


def test_what_is_deprecated_is_there(t: Client) -> None:
    t.put("/resources/o/p1/_/test-resource:old", {"a": 1})
    assert t.send("DELETE", "/resources/o/p1/_/test-resource:old?rev=1").status == 200
    [held] = members(t, res("old")).values()
    assert json.loads(held)["_deprecated"] is True


def test_a_revision_without_number_is_the_newest_when_it_is_downloaded(t: Client) -> None:
    t.put("/resources/o/p1/_/test-resource:moving", {"a": 1})
    path = describe(t, res("moving"), res("moving", rev=1, path="first"))
    t.put("/resources/o/p1/_/test-resource:moving?rev=1", {"a": 2})
    held = t.get(path, "*/*").tar()
    assert json.loads(held[f"o/p1/{ENCODED}moving.json"])["a"] == 2
    assert json.loads(held["first"])["a"] == 1


def test_members_are_sorted_and_the_end_is_two_blocks(t: Client) -> None:
    path = describe(t, res(1, path="b"), res(1, path="a"), res(1, path="c/d"), res(1, path="a0"))
    found = t.get(path, "*/*")
    assert list(found.tar()) == ["a", "a0", "b", "c/d"]
    assert found.body[-1024:] == bytes(1024)
    assert not any(name.startswith("/") or ".." in name for name in found.tar())


def test_the_same_as_zip(t: Client) -> None:
    path = describe(t, res(1), file("logo", path="/logo.png"))
    found = t.get(path, "application/zip")
    assert (found.status, found.headers["content-type"]) == (200, "application/zip")
    assert found.zip() == t.get(path, TAR).tar()
    assert t.get(path, "application/zip, */*").headers["content-type"] == "application/zip"
    assert t.get(path, "*/*").headers["content-type"] == TAR
    assert t.get(path, None).headers["content-type"] == TAR
    assert t.get(path, "text/html").status == 406


def test_a_hidden_zip_is_like_a_hidden_tar(t: Client) -> None:
    made = t.put(f"/archives/o/p1/{ENC}zipped", {"resources": [res(1)]}, "application/zip")
    assert made.status == 303


def test_a_cut_download_is_resumed(t: Client) -> None:
    path = describe(t, res(1), file("logo"))
    whole = t.get(path, TAR)
    head = t.send("HEAD", path, accept=TAR)
    assert head.body == b""
    assert (head.headers["content-length"], head.headers["etag"]) == (str(len(whole.body)), whole.headers["etag"])
    for cut in (1, 700, len(whole.body) // 2, len(whole.body) - 1):
        first = t.get(path, TAR, Range=f"bytes=0-{cut - 1}")
        rest = t.get(path, TAR, Range=f"bytes={cut}-", If_Range=first.headers["etag"])
        assert (first.status, rest.status) == (206, 206)
        assert rest.headers["content-range"] == f"bytes {cut}-{len(whole.body) - 1}/{len(whole.body)}"
        assert first.body + rest.body == whole.body
    assert t.get(path, TAR, Range="bytes=-100").body == whole.body[-100:]


def test_ranges_that_cannot_be_given(t: Client) -> None:
    path = describe(t, res(1))
    whole = t.get(path, TAR)
    beyond = t.get(path, TAR, Range=f"bytes={len(whole.body)}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.body)}")
    for odd in ("bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b"):
        assert t.get(path, TAR, Range=odd).status == 200
    assert t.get(path, TAR, Range="bytes=0-9", If_Range='"another"').status == 200
    assert t.get(path, TAR, If_None_Match=whole.headers["etag"]).status == 304


def test_the_etag_tells_revisions_apart(t: Client) -> None:
    t.put("/resources/o/p1/_/test-resource:etag", {"a": 1})
    path = describe(t, res("etag"))
    before = t.get(path, TAR).headers["etag"]
    assert t.get(path, TAR).headers["etag"] == before
    t.put("/resources/o/p1/_/test-resource:etag?rev=1", {"a": 2})
    after = t.get(path, TAR, Range="bytes=10-", If_Range=before)
    assert after.status == 200
    assert after.headers["etag"] != before


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.png", "..", "c:\\x\\y.png", "ümläut ✓.png", 'a"b.png'])
def test_a_file_keeps_its_name_and_can_do_no_harm(t: Client, name: str) -> None:
    id = f"odd-{hashlib.md5(name.encode()).hexdigest()[:6]}"
    sent = name.replace('"', "%22")
    made = t.upload(f"/files/o/p1/test-resource:{id}", sent, b"x", method="PUT")
    assert made.status == 201, made.body
    [member] = members(t, file(id))
    assert member.startswith("o/p1/")
    assert member.count("/") == 2
    assert "\\" not in member
    assert ".." not in member.split("/")

"""A download that proves itself: a member names every other one with its IRI, revision, tag and digest."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.acceptance.nexus.site import Client, P

ENTRIES = [
    {"@type": "Resource", "resourceId": f"{P}1", "rev": 1},
    {"@type": "Resource", "resourceId": f"{P}1", "format": "n-triples", "path": "one.nt"},
    {"@type": "File", "resourceId": f"{P}logo", "path": "some/logo.png"},
    {"@type": "Resource", "project": "o/p2", "resourceId": f"{P}tagged", "tag": "kept"},
]


@pytest.fixture
def download(root: Client) -> str:
    """The address of a selection of four."""
    root.post("/resources/o/p2?tag=kept", {"@id": f"{P}tagged", "n": 1})
    root.put("/archives/o/p1/test-resource:proven", {"resources": ENTRIES}, "application/json")
    return "/archives/o/p1/test-resource:proven"


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_every_member_is_named_with_its_digest(t: Client, download: str, kind: str) -> None:
    reply = t.get(f"{download}?manifest=sha256", {"tar": "application/x-tar", "zip": "application/zip"}[kind])
    members = reply.tar() if kind == "tar" else reply.zip()
    manifest = json.loads(members.pop("manifest-sha256.json"))
    assert (manifest["@id"], manifest["project"], manifest["algorithm"]) == (f"{P}proven", "o/p1", "sha256")
    listed = {each["path"]: each for each in manifest["entries"]}
    assert listed.keys() == members.keys()
    for path, data in members.items():
        assert listed[path]["sha256"] == hashlib.sha256(data).hexdigest()
        assert listed[path]["bytes"] == len(data)
    said = {(each["@id"], each["rev"], each.get("tag"), each.get("format")) for each in manifest["entries"]}
    assert said == {
        (f"{P}1", 1, None, "compacted"),
        (f"{P}1", 1, None, "n-triples"),
        (f"{P}logo", 1, None, None),
        (f"{P}tagged", 1, "kept", "compacted"),
    }


def test_without_being_asked_there_is_none_and_the_two_are_different_downloads(t: Client, download: str) -> None:
    plain, proven = (t.get(f"{download}{query}", "application/x-tar") for query in ("", "?manifest=sha256"))
    assert "manifest-sha256.json" not in plain.tar()
    assert plain.headers["etag"] != proven.headers["etag"]


def test_a_cut_one_goes_on(t: Client, download: str) -> None:
    whole = t.get(f"{download}?manifest=sha256", "application/x-tar")
    rest = t.get(f"{download}?manifest=sha256", "application/x-tar", Range="bytes=700-", If_Range=whole.headers["etag"])
    assert (rest.status, rest.body) == (206, whole.body[700:])


def test_a_given_path_keeps_its_name(t: Client) -> None:
    entry = {"@type": "File", "resourceId": f"{P}logo", "path": "manifest-sha256.json"}
    assert t.put("/archives/o/p1/test-resource:in-its-way", {"resources": [entry]}, "application/json").status == 201
    members = t.get("/archives/o/p1/test-resource:in-its-way?manifest=sha256", "application/x-tar").tar()
    listed = json.loads(members["manifest-sha256-2.json"])["entries"]
    assert [each["path"] for each in listed] == ["manifest-sha256.json"]


def test_another_digest_is_refused(t: Client, download: str) -> None:
    refused = t.get(f"{download}?manifest=md5", "application/x-tar")
    assert (refused.status, refused.kind) == (400, "MalformedQueryParamRejection")

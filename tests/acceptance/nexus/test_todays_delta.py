"""What Delta learned after the version of our API page: files by address, annotated sources, custom metadata."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.nexus.site import BOUNDARY, Client, P, form


def test_an_entry_may_give_a_file_by_its_address(t: Client) -> None:
    address = t.get("/files/o/p1/test-resource:logo").json["_self"]
    entries = [
        {"@type": "FileSelf", "value": address, "path": "by/address.png"},
        {"@type": "File", "resourceId": f"{P}logo", "path": "by/id.png"},
    ]
    made = t.put("/archives/o/p1/test-resource:by-address", {"resources": entries}, "application/json")
    assert made.status == 201, made.body
    assert t.get("/archives/o/p1/test-resource:by-address").json["resources"] == entries
    members = t.get("/archives/o/p1/test-resource:by-address", "application/x-tar").tar()
    assert members["by/address.png"] == members["by/id.png"]


def test_the_file_of_an_address_may_be_in_another_project_that_has_to_be_readable(t: Client, n: Client) -> None:
    made = t.upload("/files/o/p2", "far.txt", b"far", "text/plain").json
    payload = {"resources": [{"@type": "FileSelf", "value": made["_self"]}]}
    assert t.put("/archives/o/p1/test-resource:far", payload, "application/json").status == 201
    assert t.get("/archives/o/p1/test-resource:far", "application/x-tar").tar() == {"o/p2/far.txt": b"far"}
    refused = n.get("/archives/o/p1/test-resource:far", "application/x-tar")
    assert (refused.status, refused.kind) == (403, "AuthorizationFailed")


@pytest.mark.parametrize(
    "value",
    [
        "https://other.example.org/v1/files/o/p1/x",
        "{root}/resources/o/p1/_/x",
        "{root}/files/o/p1",
        "{root}/files/o/p1/x/y",
    ],
)
def test_an_address_of_something_else_is_refused(t: Client, value: str) -> None:
    payload = {"resources": [{"@type": "FileSelf", "value": value.replace("{root}", t.root)}]}
    refused = t.post("/archives/o/p1", payload)
    assert refused.status == 400
    assert f"{t.root}/files/" in refused.reason


def test_whether_there_is_a_project_is_not_told_by_an_address(t: Client) -> None:
    payload = {"resources": [{"@type": "FileSelf", "value": f"{t.root}/files/o/nothing/x"}]}
    assert t.post("/archives/o/p1", payload).status == 201


def test_a_source_comes_with_its_metadata_in_a_selection(t: Client) -> None:
    entry = {"@type": "Resource", "resourceId": f"{P}1", "format": "annotated-source", "path": "one.json"}
    assert t.put("/archives/o/p1/test-resource:annotated", {"resources": [entry]}, "application/json").status == 201
    member = json.loads(t.get("/archives/o/p1/test-resource:annotated", "application/x-tar").tar()["one.json"])
    assert member == t.get("/resources/o/p1/_/test-resource:1/source?annotate=true").json
    assert (member["_rev"], member["other:priority"]) == (1, 5)


def described(t: Client, path: str, said: object) -> object:
    """Upload a file with custom metadata."""
    body = form("a.txt", b"1", "text/plain")
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return t.send("PUT", path, body=body, Content_Type=kind, x_nxs_file_metadata=json.dumps(said)).json


def test_a_file_is_described_by_its_user(t: Client) -> None:
    at = "/files/o/p1/test-resource:described"
    said = {"name": "Harbour", "description": "Seen from the pier", "keywords": {"place": "Genoa"}}
    described(t, at, said)
    shown = t.get(at).json
    assert (shown["name"], shown["description"], shown["_keywords"]) == (*list(said.values())[:2], {"place": "Genoa"})
    # Other bytes leave it, and it can be changed without sending the bytes.
    t.upload(f"{at}?rev=1", "b.txt", b"2", method="PUT")
    assert t.get(at).json["name"] == "Harbour"
    changed = t.send("PUT", f"{at}?rev=2", x_nxs_file_metadata=json.dumps({"name": "Pier"}))
    assert (changed.status, changed.json["_rev"], changed.json["name"]) == (200, 3, "Pier")
    assert "description" not in changed.json
    assert t.get(at, "*/*").body == b"2"
    assert t.get(f"{at}?rev=1").json["name"] == "Harbour"
    expanded = t.get(f"{at}?format=expanded").json[0]
    assert expanded["https://bluebrain.github.io/nexus/vocabulary/name"] == [{"@value": "Pier"}]


@pytest.mark.parametrize("said", ["text", {"name": 1}, {"title": "x"}, {"keywords": {"a": 1}}])
def test_other_custom_metadata_are_refused(t: Client, said: object) -> None:
    refused = described(t, "/files/o/p1/test-resource:refused", said)
    assert isinstance(refused, dict)
    assert refused["@type"] == "MalformedRequestContentRejection"
    assert t.get("/files/o/p1/test-resource:refused").status == 404


def test_numbers_keep_their_digits_in_every_form(t: Client) -> None:
    raw = (
        b'{"@context":{"@vocab":"https://v.example.org/"},"@id":"'
        + f"{P}digits".encode()
        + b'","n":0.1234567890123456789,"m":1.10}'
    )
    assert t.send("POST", "/resources/o/p1", body=raw).status == 201
    at = "/resources/o/p1/_/test-resource:digits"
    for path in (at, f"{at}?format=expanded", f"{at}/source", f"{at}/source?annotate=true"):
        body = t.get(path).body
        assert b"0.1234567890123456789" in body
        assert b"1.10" in body
    assert b'"1.234567890123456789E-1"^^' in t.get(at, "application/n-triples").body

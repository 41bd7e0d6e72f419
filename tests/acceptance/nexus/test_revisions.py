"""Revisions that are tagged as they are made, deprecations taken back, sources with metadata, and reserved fields."""

from __future__ import annotations

import pytest

from tests.acceptance.nexus.site import Client, P


def test_a_tag_may_come_with_what_is_made(t: Client) -> None:
    assert t.post("/resources/o/p1?tag=first", {"@id": f"{P}tagged", "n": 1}).status == 201
    assert t.put("/resources/o/p1/_/test-resource:tagged?rev=1&tag=second", {"n": 2}).json["_rev"] == 2
    shown = t.get("/resources/o/p1/_/test-resource:tagged/tags").json["tags"]
    assert shown == [{"rev": 1, "tag": "first"}, {"rev": 2, "tag": "second"}]
    assert t.get("/resources/o/p1/_/test-resource:tagged?tag=first").json["n"] == 1
    assert t.upload("/files/o/p1/test-resource:tagged-file?tag=v1", "a", b"1", method="PUT").json["_rev"] == 1
    assert t.upload("/files/o/p1/test-resource:tagged-file?rev=1&tag=v2", "a", b"2", method="PUT").json["_rev"] == 2
    assert t.get("/files/o/p1/test-resource:tagged-file?tag=v1", "*/*").body == b"1"
    refused = t.post("/resources/o/p1?tag=%00", {"@id": f"{P}untagged"})
    assert (refused.status, refused.kind) == (400, "MalformedQueryParamRejection")
    assert t.get("/resources/o/p1/_/test-resource:untagged").status == 404


@pytest.mark.parametrize(("address", "kind"), [("resources/o/p1/_", "Resource"), ("files/o/p1", "File")])
def test_a_deprecation_is_taken_back(t: Client, address: str, kind: str) -> None:
    at = f"/{address}/test-resource:back-{kind}"
    made = t.put(at, {"n": 1}) if kind == "Resource" else t.upload(at, "a", b"1", method="PUT")
    assert made.status == 201
    refused = t.put(f"{at}/undeprecate?rev=1", None)
    assert (refused.status, refused.kind) == (400, f"{kind}IsNotDeprecated")
    assert t.send("DELETE", f"{at}?rev=1").json["_deprecated"] is True
    assert t.put(f"{at}/undeprecate?rev=1", None).status == 409
    assert t.put(f"{at}/undeprecate", None).status == 400
    again = t.put(f"{at}/undeprecate?rev=2", None)
    assert (again.status, again.json["_rev"], again.json["_deprecated"]) == (200, 3, False)


def test_a_source_is_shown_with_its_metadata_when_asked(t: Client) -> None:
    sent = {"@context": {"n": "https://x.example.org/n"}, "@id": f"{P}annotated", "n": 1}
    assert t.post("/resources/o/p1", sent).status == 201
    at = "/resources/o/p1/_/test-resource:annotated/source"
    assert t.get(at).json == t.get(f"{at}?annotate=false").json == sent
    shown = t.get(f"{at}?annotate=true").json
    assert (shown["n"], shown["_rev"], shown["@id"]) == (1, 1, f"{P}annotated")
    assert shown["@context"] == [sent["@context"], "https://bluebrain.github.io/nexus/contexts/metadata.json"]
    assert t.get("/resources/o/p1/_/test-resource:annotated?annotate=true").status == 400


def test_fields_of_metadata_are_not_the_clients_to_set(t: Client) -> None:
    refused = t.post("/resources/o/p1", {"@id": f"{P}reserved", "_rev": 7, "_mine": 1, "n": 1})
    assert (refused.status, refused.kind) == (400, "InvalidJsonLdFormat")
    assert "'_mine', '_rev'" in refused.reason
    assert t.get("/resources/o/p1/_/test-resource:reserved").status == 404
    # Deeper in a document they are words like others.
    assert t.post("/resources/o/p1", {"@id": f"{P}reserved", "n": {"_deep": 1}}).status == 201


def test_what_was_fetched_may_be_sent_back_with_its_metadata(t: Client) -> None:
    assert t.post("/resources/o/p1", {"@id": f"{P}round", "n": 1.50}).status == 201
    at = "/resources/o/p1/_/test-resource:round"
    fetched = t.get(at).json
    changed = t.put(f"{at}?rev=1", {**fetched, "n": 2})
    assert changed.status == 200, changed.body
    assert t.get(at).json["n"] == 2
    assert not [key for key in t.get(f"{at}/source").json if key.startswith("_")]
    # What was shown of an earlier revision is not what is changed.
    stale = t.put(f"{at}?rev=2", {**fetched, "n": 3})
    assert (stale.status, stale.kind) == (400, "InvalidJsonLdFormat")

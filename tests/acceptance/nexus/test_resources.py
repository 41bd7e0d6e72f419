"""Resources and files: made, changed, tagged, deprecated, found by revision and tag, and kept as archival things."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from muniment.archive import Archive
from tests.acceptance.nexus.site import BOUNDARY, ENC, LOGO, NXV, Client, P, Site, form, resource

METADATA_CONTEXT = "https://bluebrain.github.io/nexus/contexts/metadata.json"


def make(t: Client, name: str, /, **document: Any) -> str:
    path = f"/resources/o/p1/_/test-resource:{name}"
    made = t.put(path, document)
    assert made.status == 201, made.body
    return path


def test_a_write_is_answered_with_metadata_alone(t: Client) -> None:
    made = t.post("/resources/o/p1", {**resource(1), "@id": f"{P}fresh"})
    assert made.status == 201
    body = made.json
    assert set(body) == {
        "@context", "@id", "@type", "_constrainedBy", "_createdAt", "_createdBy", "_deprecated", "_incoming",
        "_outgoing", "_project", "_rev", "_schemaProject", "_self", "_updatedAt", "_updatedBy",
    }  # fmt: skip
    assert body["@context"] == METADATA_CONTEXT
    assert body["_self"] == f"{t.root}/resources/o/p1/_/test-resource:fresh"
    assert body["_constrainedBy"] == "https://bluebrain.github.io/nexus/schemas/unconstrained.json"


def test_a_resource_without_an_id_gets_one(t: Client) -> None:
    made = t.post("/resources/o/short/resource", {"a": 1})
    assert made.json["@id"].startswith("http://localhost/base/")
    assert t.get(f"/resources/o/short/_/{made.json['@id'].rpartition('/')[2]}").json["a"] == 1


def test_what_has_no_context_is_read_with_the_projects(t: Client) -> None:
    path = make(t, "plain", name="x")
    [node] = t.get(f"{path}?format=expanded").json
    assert node[f"{t.root}/vocabs/o/p1/name"] == [{"@value": "x"}]


def test_revisions_follow_each_other(t: Client) -> None:
    path = make(t, "revised", a=1)
    second = t.put(f"{path}?rev=1&indexing=sync", {"a": 2})
    assert (second.status, second.json["_rev"]) == (200, 2)
    stale = t.put(f"{path}?rev=1", {"a": 3})
    assert (stale.status, stale.kind, stale.json["provided"], stale.json["expected"]) == (409, "IncorrectRev", 1, 2)
    assert [t.get(f"{path}?rev={rev}").json["a"] for rev in (1, 2)] == [1, 2]
    for rev in (0, 3):
        gone = t.get(f"{path}?rev={rev}")
        assert (gone.status, gone.kind) == (404, "RevisionNotFound")
    assert t.get(f"{path}?rev=x").kind == "MalformedQueryParamRejection"


def test_a_tag_names_a_revision_and_is_one(t: Client) -> None:
    path = make(t, "tagged", a=1)
    t.put(f"{path}?rev=1", {"a": 2})
    made = t.post(f"{path}/tags?rev=2", {"tag": "first", "rev": 1})
    assert (made.status, made.json["_rev"]) == (201, 3)
    assert t.get(f"{path}?tag=first").json["a"] == 1
    assert t.get(f"{path}/source?tag=first").json == {"a": 1}
    assert t.get(f"{path}/tags").json["tags"] == [{"rev": 1, "tag": "first"}]
    assert t.get(f"{path}?tag=none").kind == "TagNotFound"
    assert t.get(f"{path}?tag=first&rev=1").kind == "MalformedQueryParamRejection"
    assert t.post(f"{path}/tags?rev=3", {"tag": "x", "rev": 9}).kind == "RevisionNotFound"
    assert t.post(f"{path}/tags?rev=3", {"tag": "", "rev": 1}).status == 400
    assert t.send("DELETE", f"{path}/tags/first?rev=3").json["_rev"] == 4
    assert t.get(f"{path}/tags").json["tags"] == []


def test_what_is_deprecated_is_not_changed(t: Client) -> None:
    path = make(t, "gone", a=1)
    assert t.send("DELETE", path).kind == "MalformedQueryParamRejection"
    assert t.send("DELETE", f"{path}?rev=1").json["_deprecated"] is True
    for answer in (t.put(f"{path}?rev=2", {"a": 2}), t.send("DELETE", f"{path}?rev=2")):
        assert (answer.status, answer.kind) == (400, "ResourceIsDeprecated")
    assert t.get(path).json["a"] == 1
    assert t.post(f"{path}/tags?rev=2", {"tag": "still", "rev": 1}).status == 201


def test_the_source_is_what_was_sent(t: Client) -> None:
    sent = {"b": None, "a": [1, 2.5, "x"], "@context": {"@vocab": "http://v/"}}
    path = make(t, "source", **sent)
    found = t.get(f"{path}/source")
    assert found.json == {"a": [1, 2.5, "x"], "@context": {"@vocab": "http://v/"}}
    assert found.body.startswith(b'{\n  "@context"')


def test_every_form_of_a_resource(t: Client) -> None:
    path = "/resources/o/p1/_/test-resource:1"
    assert t.get(path, "*/*").headers["content-type"] == "application/ld+json"
    assert t.get(path).json["@context"][1] == METADATA_CONTEXT
    triples = t.get(path, "application/n-triples").body
    assert f"<{P}1> <https://some.other.prefix.com/priority> ".encode() in triples
    assert f"<{P}1> <{NXV}rev> ".encode() in triples
    assert t.get(path, "application/n-quads").body
    assert t.get(path, "text/vnd.graphviz").body.startswith(b"digraph")
    assert t.get(path, "image/png").status == 406
    assert t.get(f"{path}?format=odd").status == 404


def test_payloads_that_are_refused(t: Client) -> None:
    path = "/resources/o/p1/_/test-resource:refused"
    for payload, kind in (
        ([1], "InvalidJsonLdFormat"),
        ({"@context": "http://elsewhere.example/x"}, "InvalidJsonLdFormat"),
        ({"@id": f"{P}another"}, "UnexpectedResourceId"),
        ({"@id": "a b"}, "InvalidJsonLdFormat"),
    ):
        made = t.put(path, payload)
        assert (made.status, made.kind) == (400, kind), made.body
    schema = t.put("/resources/o/p1/my-schema/test-resource:refused", {})
    assert (schema.status, schema.kind) == (404, "InvalidSchemaRejection")
    assert t.get(path).kind == "ResourceNotFound"
    assert t.put("/resources/o/p1/_/test-resource:1", {}).kind == "ResourceAlreadyExists"


def test_a_context_can_be_a_resource_of_the_project(t: Client) -> None:
    t.put("/resources/o/p1/_/test-resource:context", {"@context": {"name": "http://words/name"}})
    path = make(t, "with-context", **{"@context": f"{P}context", "name": "x"})
    [node] = t.get(f"{path}?format=expanded").json
    assert node["http://words/name"] == [{"@value": "x"}]


def test_reading_and_writing_are_different_rights(n: Client, w0: Client) -> None:
    assert n.get("/resources/o/p1/_/test-resource:1").status == 200
    assert n.put("/resources/o/p1/_/test-resource:no", {}).status == 403
    assert w0.get("/resources/o/p1/_/test-resource:1").status == 403
    assert w0.get("/resources/o/p1/_/test-resource:none").status == 403


def test_a_list_is_stable_and_paged(t: Client) -> None:
    for number in range(5):
        t.put(f"/resources/o/short/_/listed-{number}", {"n": number})
    whole = t.get("/resources/o/short?size=1000").json
    ids = [each["@id"] for each in whole["_results"]]
    assert ids == sorted(ids)
    assert whole["_total"] == len(ids)
    paged: list[str] = []
    path: str | None = "/resources/o/short?from=0&size=2"
    while path:
        page = t.get(path).json
        paged += [each["@id"] for each in page["_results"]]
        path = page.get("_next", "").partition("/v1")[2] or None
    assert paged == ids
    for query in ("size=-1", "from=x", "from=1&after=x"):
        assert t.get(f"/resources/o/short?{query}").kind == "MalformedQueryParamRejection"
    assert t.get("/resources/o/short?size=0").json["_total"] == len(ids)


def test_what_was_there_throughout_is_listed_once_whatever_comes_between_the_pages(t: Client) -> None:
    for number in range(6):
        t.put(f"/resources/o/short/_/steady-{number}", {"n": number})
    before = {each["@id"] for each in t.get("/resources/o/short?size=1000").json["_results"]}
    paged: list[str] = []
    path: str | None = "/resources/o/short?size=2"
    while path:
        page = t.get(path).json
        paged += [each["@id"] for each in page["_results"]]
        t.put(f"/resources/o/short/_/a-{len(paged)}", {"first": "of the list"})
        path = page.get("_next", "").partition("/v1")[2] or None
    assert len(paged) == len(set(paged))
    assert before <= set(paged)


def test_a_file_is_stored_and_given_back(t: Client) -> None:
    made = t.upload("/files/o/p1", "data.csv", b"a,b\n1,2\n", "text/csv")
    assert made.status == 201
    body = made.json
    assert (body["@type"], body["_filename"], body["_mediaType"], body["_bytes"]) == ("File", "data.csv", "text/csv", 8)
    assert body["_digest"] == {"_algorithm": "SHA-256", "_value": hashlib.sha256(b"a,b\n1,2\n").hexdigest()}
    assert body["@context"] == ["https://bluebrain.github.io/nexus/contexts/files.json", METADATA_CONTEXT]
    path = body["_self"].partition("/v1")[2]
    found = t.get(path, "*/*")
    assert (found.body, found.headers["content-type"]) == (b"a,b\n1,2\n", "text/csv")
    assert found.headers["content-disposition"].startswith('attachment; filename="data.csv"')
    assert found.headers["x-content-type-options"] == "nosniff"
    assert t.get(path, "text/csv").body == found.body
    assert t.get(path, "image/*").status == 406
    for accept in ("application/json", "application/ld+json, application/json"):
        assert t.get(path, accept).json["_filename"] == "data.csv"
    assert t.get(path, "*/*", Range="bytes=4-").body == b"1,2\n"


def test_a_file_has_revisions_tags_and_an_end(t: Client) -> None:
    path = "/files/o/p1/test-resource:file"
    assert t.upload(path, "a.txt", b"one", "text/plain", method="PUT").status == 201
    assert t.upload(path, "a.txt", b"one", "text/plain", method="PUT").kind == "ResourceAlreadyExists"
    second = t.upload(f"{path}?rev=1", "b.txt", b"two", "text/plain", method="PUT")
    assert (second.status, second.json["_rev"], second.json["_filename"]) == (200, 2, "b.txt")
    assert t.upload(f"{path}?rev=1", "b.txt", b"two", "text/plain", method="PUT").kind == "IncorrectRev"
    assert t.post(f"{path}/tags?rev=2", {"tag": "old", "rev": 1}).status == 201
    assert [t.get(f"{path}?{which}", "*/*").body for which in ("rev=1", "rev=2", "tag=old", "rev=3")] == [
        b"one", b"two", b"one", b"two",
    ]  # fmt: skip
    assert t.send("DELETE", f"{path}?rev=3").json["_deprecated"] is True
    assert t.upload(f"{path}?rev=4", "c.txt", b"x", method="PUT").kind == "FileIsDeprecated"
    assert t.get(path, "*/*").body == b"two"


def test_forms_that_are_refused(t: Client) -> None:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    other = t.send("POST", "/files/o/p1", body=form("x", b"x", "text/plain", name="upload"), Content_Type=kind)
    assert (other.status, other.kind) == (400, "InvalidMultipartFieldName")
    cut = t.send("POST", "/files/o/p1", body=form("x", b"x" * 1000, "text/plain")[:-10], Content_Type=kind)
    assert (cut.status, cut.kind) == (400, "MalformedRequestContentRejection")
    none = t.send("POST", "/files/o/p1", body=b"xx", Content_Type="multipart/form-data")
    assert none.status == 400
    assert t.send("POST", "/files/o/p1", body=b"{}").status == 415
    assert t.upload("/files/o/p1?storage=nxv:diskStorageDefault", "x", b"x").status == 201
    assert t.upload("/files/o/p1?storage=nxv:other", "x", b"x").kind == "StorageNotFound"


def test_parts_before_the_file_are_passed_over(t: Client) -> None:
    before = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'.encode()
    made = t.send(
        "POST",
        "/files/o/p1",
        body=before + form("x.bin", bytes(range(256)) * 5000, "application/x-odd"),
        Content_Type=f"multipart/form-data; boundary={BOUNDARY}",
    )
    assert (made.status, made.json["_bytes"], made.json["_mediaType"]) == (201, 1_280_000, "application/x-odd")


def test_a_file_shows_its_description_among_resources(t: Client) -> None:
    found = t.get(f"/resources/o/p1/_/{ENC}logo").json
    assert (found["@type"], found["_bytes"]) == ("File", len(LOGO))
    assert t.put(f"/resources/o/p1/_/{ENC}logo?rev=1", {}).status == 404
    assert t.get("/files/o/p1/test-resource:1", "*/*").kind == "ResourceNotFound"


def test_what_nexus_keeps_is_an_archival_resource(site: Site, t: Client) -> None:
    path = make(t, "archival", a=1)
    t.put(f"{path}?rev=1", {"a": 2})
    with Archive(site.folder) as archive:
        found = archive.get(f"{P}archival", project="o/p1")
        assert found.number == 2
        assert found.agent["name"] == "T"
        assert list(found) == ["compacted.json", "expanded.json", "source.json"]
        assert archive.get(f"{P}archival", instance=1, project="o/p1").read("source.json") == b'{"a": 1}'
        findings = list(archive.audit(f"{P}archival", project="o/p1"))
        assert {finding.kind.code for finding in findings} <= {"M401"}
        archive.protect(f"{P}archival", "o/p1")
        assert list(archive.audit(f"{P}archival", project="o/p1")) == []


def test_a_change_by_another_process_is_seen(site: Site, t: Client) -> None:
    path = make(t, "elsewhere", a=1)
    assert t.get(path).json["_rev"] == 1
    with Archive(site.folder) as archive, archive.get(f"{P}elsewhere", "a", project="o/p1") as transaction:
        transaction.metadata["nexus"]["rev"] = 2
        transaction.metadata["nexus"]["deprecated"] = True
    found = t.get(path).json
    assert (found["_rev"], found["_deprecated"]) == (2, True)


@pytest.mark.parametrize("segment", ["%ff", "%00", "a%20b", "%"])
def test_segments_that_name_nothing(t: Client, segment: str) -> None:
    found = t.get(f"/resources/o/p1/_/{segment}")
    assert found.status in {400, 404}
    assert found.kind in {"InvalidResourceId", "ResourceNotFound"}

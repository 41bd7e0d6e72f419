"""`/v1/resolvers`, and the contexts of documents that are written."""

from __future__ import annotations

from urllib.parse import quote

from tests.acceptance.nexus.site import NXV, Client, P, Site
from tests.timing import eventually

CONTEXTS = "https://bluebrain.github.io/nexus/contexts/"


def at(iri: str, project: str = "o/p1", resolver: str = "_") -> str:
    """The address at which an IRI is resolved."""
    return f"/resolvers/{project}/{resolver}/{quote(iri, safe='')}"


def test_shipped_contexts_say_what_the_words_of_metadata_mean(n: Client) -> None:
    for name in ("metadata", "resource"):
        found = n.get(at(f"{CONTEXTS}{name}.json"))
        assert found.status == 200
        assert found.json["@context"]["_rev"] == f"{NXV}rev"
        assert found.json["@context"]["_self"] == {"@id": f"{NXV}self", "@type": "@id"}


def test_a_resource_of_the_project_comes_before_one_of_another(root: Client, n: Client) -> None:
    for project, title in (("o/p1", "here"), ("o/p2", "there")):
        assert root.post(f"/resources/{project}", {"@id": f"{P}both", "title": title}).status == 201
    assert n.get(at(f"{P}both")).json["title"] == "here"
    assert root.get(at(f"{P}both", "o/p2")).json["title"] == "there"


def test_a_resource_of_another_project_is_found_by_whoever_may_read_it(root: Client, n: Client, t: Client) -> None:
    assert root.post("/resources/o/p2", {"@id": f"{P}far", "title": "far"}).status == 201
    found = t.get(at(f"{P}far"))
    assert (found.status, found.json["title"]) == (200, "far")
    assert found.json["_project"].endswith("/projects/o/p2")
    hidden, missing = n.get(at(f"{P}far")), n.get(at(f"{P}nothing"))
    assert hidden.status == missing.status == 404
    assert hidden.reason.replace("far", "nothing") == missing.reason
    # The resolver of a project looks in the project alone.
    assert t.get(at(f"{P}far", resolver="defaultResolver")).status == 404
    assert t.get(at(f"{P}far", resolver="nxv:other")).status == 404


def test_versions_and_forms_are_those_of_resources(root: Client) -> None:
    assert root.post("/resources/o/p2", {"@id": f"{P}old", "title": "one"}).status == 201
    assert root.put("/resources/o/p2/_/test-resource:old?rev=1", {"title": "two"}).status == 200
    assert root.get(f"{at(f'{P}old')}?rev=1").json["title"] == "one"
    assert root.get(f"{at(f'{P}old')}?rev=9").status == 404
    assert root.get(f"{at(f'{P}old')}?format=expanded").json[0]["@id"] == f"{P}old"
    assert b"<" + f"{P}old".encode() in root.get(at(f"{P}old"), "application/n-triples").body


def test_nobody_learns_by_it_what_there_is(w0: Client, nobody: Client) -> None:
    for client in (w0, nobody):
        assert client.get(at(f"{P}1")).status == client.get(at(f"{P}nothing")).status == 403


def test_a_document_may_use_a_context_of_another_project_that_its_writer_may_read(
    site: Site, root: Client, t: Client
) -> None:
    shared = {"@id": f"{P}shared-context", "@context": {"title": "https://words.example.org/title"}}
    assert root.post("/resources/o/p2", shared).status == 201
    made = t.post("/resources/o/p1", {"@context": f"{P}shared-context", "@id": f"{P}reader", "title": "x"})
    assert made.status == 201, made.body
    expanded = t.get("/resources/o/p1/_/test-resource:reader?format=expanded").json[0]
    assert expanded["https://words.example.org/title"] == [{"@value": "x"}]
    writer = site.user("writer", o__p1={"resources/read", "resources/write"})
    eventually(lambda: writer.get("/identities").status == 200, every=0.05)
    refused = writer.post("/resources/o/p1", {"@context": f"{P}shared-context", "@id": f"{P}other", "title": "x"})
    assert (refused.status, refused.kind) == (400, "InvalidJsonLdFormat")

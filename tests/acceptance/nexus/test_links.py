"""Links that answers show lead somewhere: what a document names, and what names it."""

from __future__ import annotations

from urllib.parse import quote

from tests.acceptance.nexus.site import Client, P

W = "https://words.example.org/"


def test_a_document_says_what_it_names_and_what_is_named_says_by_whom(t: Client) -> None:
    assert t.post("/resources/o/p1", {"@id": f"{P}named", "@type": f"{W}Place"}).status == 201
    payload = {
        "@context": {"@vocab": W},
        "@id": f"{P}naming",
        "where": {"@id": f"{P}named"},
        "parts": [{"inside": {"@id": f"{P}named"}}, {"seen": {"@id": "https://elsewhere.example.org/1"}}],
        "text": f"{P}named",
    }
    assert t.post("/resources/o/p1", payload).status == 201
    shown = t.get("/resources/o/p1/_/test-resource:naming").json
    out = t.get(shown["_outgoing"].removeprefix(t.root)).json
    assert [(each["@id"], each["paths"]) for each in out["_results"]] == [
        (f"{P}named", [f"{W}parts", f"{W}inside"]),
        ("https://elsewhere.example.org/1", [f"{W}parts", f"{W}seen"]),
        (f"{P}named", [f"{W}where"]),
    ]
    assert out["_results"][0]["_rev"] == 1
    assert "_rev" not in out["_results"][1]
    near = t.get("/resources/o/p1/_/test-resource:naming/outgoing?includeExternalLinks=false&size=1").json
    assert (near["_total"], len(near["_results"])) == (2, 1)
    assert t.get(near["_next"].removeprefix(t.root)).json["_results"][0]["paths"] == [f"{W}where"]
    named = t.get("/resources/o/p1/_/test-resource:named").json
    into = t.get(named["_incoming"].removeprefix(t.root)).json
    assert [(each["@id"], each["paths"]) for each in into["_results"]] == [
        (f"{P}naming", [f"{W}parts", f"{W}inside"]),
        (f"{P}naming", [f"{W}where"]),
    ]


def test_a_file_is_named_too(t: Client) -> None:
    made = t.upload("/files/o/p1", "a.txt", b"1", "text/plain").json
    naming = {"@context": {"@vocab": W}, "@id": f"{P}naming-file", "scan": {"@id": made["@id"]}}
    assert t.post("/resources/o/p1", naming).status == 201
    into = t.get(made["_incoming"].removeprefix(t.root)).json
    assert [each["@id"] for each in into["_results"]] == [f"{P}naming-file"]
    assert t.get(made["_outgoing"].removeprefix(t.root)).json["_results"] == []


def test_links_need_the_right_to_read(w0: Client) -> None:
    for what in ("incoming", "outgoing"):
        assert w0.get(f"/resources/o/p1/_/{quote(P, safe='')}1/{what}").status == 403

"""Describing selections: ids, redirects, and every payload that is refused (cases 1 to 30)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.acceptance.nexus.site import ENC, ERROR_CONTEXT, Client, P, archive_1, resource

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
R1 = {"@type": "Resource", "resourceId": f"{P}1"}
METADATA_KEYS = [
    "@context", "@id", "@type", "_constrainedBy", "_createdAt", "_createdBy", "_deprecated", "_expiresInSeconds",
    "_project", "_rev", "_self", "_updatedAt", "_updatedBy",
]  # fmt: skip


def one(**more: Any) -> dict[str, Any]:
    return {"resources": [{**R1, **more}]}


def test_put_with_a_document_type_answers_201(t: Client) -> None:
    made = t.put("/archives/o/p1/test-resource:archive1", archive_1())
    assert (made.status, made.headers["content-type"]) == (201, "application/json")
    assert made.json["@id"] == f"{P}archive1"


def test_put_is_redirected_only_when_a_tar_is_asked_for_by_name(t: Client) -> None:
    assert t.put("/archives/o/p1/test-resource:any", archive_1(), "*/*").status == 201
    made = t.put("/archives/o/p1/test-resource:archiveRedirect", archive_1(), "application/x-tar")
    assert made.status == 303
    assert made.headers["location"] == f"{t.root}/archives/o/p1/{ENC}archiveRedirect"
    assert made.body.startswith(b"The response to the request can be found under")


def test_post_without_an_id_makes_one_below_the_base(t: Client) -> None:
    made = t.post("/archives/o/short", one(project="o/p1"), "application/ld+json")
    assert made.status == 201
    body = made.json
    assert list(body) == METADATA_KEYS
    assert re.fullmatch(rf"http://localhost/base/{UUID}", body["@id"])
    assert body["_expiresInSeconds"] == 18000
    assert body["_self"] == f"{t.root}/archives/o/short/{body['@id'].rpartition('/')[2]}"
    assert body["_createdBy"] == f"{t.root}/realms/keys/users/T"
    assert body["_project"] == f"{t.root}/projects/o/short"
    assert body["@context"] == [
        "https://bluebrain.github.io/nexus/contexts/archives-metadata.json",
        "https://bluebrain.github.io/nexus/contexts/metadata.json",
    ]


@pytest.mark.parametrize("accept", ["*/*", None, "application/*", "application/json, */*", "application/x-tar"])
def test_post_is_redirected_when_a_tar_is_welcome(t: Client, accept: str | None) -> None:
    made = t.post("/archives/o/short", one(project="o/p1"), accept)
    assert made.status == 303
    assert re.fullmatch(rf"{t.root}/archives/o/short/http:%2F%2Flocalhost%2Fbase%2F{UUID}", made.headers["location"])


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/ld+json", "application/ld+json"),
        ("application/ld+json, application/json", "application/ld+json"),
        ("application/n-triples", "application/n-triples"),
        ("application/n-quads", "application/n-quads"),
        ("text/vnd.graphviz", "text/vnd.graphviz"),
        ("text/*", "text/vnd.graphviz"),
    ],
)
def test_a_description_comes_in_the_form_that_is_welcome(t: Client, accept: str, kind: str) -> None:
    made = t.post("/archives/o/short", one(project="o/p1"), accept)
    assert (made.status, made.headers["content-type"]) == (201, kind)


def test_an_encoded_iri_in_the_address_is_the_id(t: Client) -> None:
    made = t.put("/archives/o/short/http:%2F%2Flocalhost%2Fabc", one(project="o/p1"))
    assert (made.status, made.json["@id"]) == (201, "http://localhost/abc")
    assert made.json["_self"].endswith("/http:%2F%2Flocalhost%2Fabc")
    again = t.put("/archives/o/short/http:%2F%2Flocalhost%2Fabcd", one(project="o/p1"), "application/x-tar")
    assert again.headers["location"] == f"{t.root}/archives/o/short/http:%2F%2Flocalhost%2Fabcd"


def test_an_id_in_the_payload_is_used(t: Client) -> None:
    made = t.post("/archives/o/short", {"@id": "http://localhost/given", **one(project="o/p1")})
    assert made.json["@id"] == "http://localhost/given"
    relative = t.post("/archives/o/short", {"@id": "mine", **one(project="o/p1")})
    assert relative.json["@id"] == "http://localhost/base/mine"


def test_two_ids_must_agree(t: Client) -> None:
    made = t.put("/archives/o/short/http:%2F%2Flocalhost%2Fx", {"@id": "http://localhost/y", **one(project="o/p1")})
    assert (made.status, made.kind) == (400, "UnexpectedArchiveId")
    same = t.put("/archives/o/short/http:%2F%2Flocalhost%2Fz", {"@id": "http://localhost/z", **one(project="o/p1")})
    assert same.status == 201


@pytest.mark.parametrize("accept", ["application/json", "application/x-tar"])
def test_an_id_in_use_is_refused(t: Client, accept: str) -> None:
    t.put("/archives/o/p1/test-resource:twice", archive_1())
    made = t.put("/archives/o/p1/test-resource:twice", archive_1(), accept)
    assert (made.status, made.kind) == (409, "ResourceAlreadyExists")
    assert made.reason == f"Resource '{P}twice' already exists in project 'o/p1'."
    of_resource = t.put("/archives/o/p1/test-resource:1", archive_1(), accept)
    assert (of_resource.status, of_resource.kind) == (409, "ResourceAlreadyExists")


def test_a_resource_cannot_take_the_id_of_a_selection(t: Client) -> None:
    t.put("/archives/o/p1/test-resource:taken", archive_1())
    made = t.put("/resources/o/p1/_/test-resource:taken", {"a": 1})
    assert (made.status, made.kind) == (409, "ResourceAlreadyExists")


REFUSED = {
    "one path twice": (
        {"resources": [{**R1, "path": "/a/b"}, {"@type": "Resource", "resourceId": f"{P}2", "path": "/a/b"}]},
        "DecodingFailed",
        "The paths '/a/b' have been used multiple times in the archive.",
    ),
    "one path for a resource and a file": (
        {
            "resources": [
                {**R1, "path": "/some/other/resource.json"},
                {"@type": "File", "resourceId": f"{P}logo", "path": "/some/other/resource.json"},
            ]
        },
        "DecodingFailed",
        "The paths '/some/other/resource.json' have been used multiple times in the archive.",
    ),
    "a path that is also a folder": (
        {"resources": [{**R1, "path": "a"}, {"@type": "Resource", "resourceId": f"{P}2", "path": "a/b"}]},
        "DecodingFailed",
        "lies below",
    ),
    "a path that ends in a slash": (one(path="some/other/"), "DecodingFailed", "some/other/"),
    "an empty path": (one(path=""), "DecodingFailed", "empty"),
    "a path that is no text": (one(path=False), "DecodingFailed", "Could not extract a 'String' from the path"),
    "a path that climbs": (one(path="/../../etc/x"), "DecodingFailed", ".."),
    "a path that climbs on Windows": (one(path="a\\..\\..\\x"), "DecodingFailed", ".."),
    "rev and tag of a resource": (
        one(rev=1, tag="x"),
        "DecodingFailed",
        "An archive resource reference cannot use both 'rev' and 'tag' fields.",
    ),
    "rev and tag of a file": (
        {"resources": [{"@type": "File", "resourceId": f"{P}logo", "rev": 1, "tag": "x"}]},
        "DecodingFailed",
        "An archive file reference cannot use both 'rev' and 'tag' fields.",
    ),
    "originalSource and format": (
        one(originalSource=False, format="compacted"),
        "DecodingFailed",
        "An archive resource reference cannot use both 'originalSource' and 'format' fields.",
    ),
    "an unknown format": (one(format="unknown"), "DecodingFailed", "Could not convert 'unknown' to 'Format'"),
    "no entries": ({"resources": []}, "DecodingFailed", "the current set is empty"),
    "nothing": ({}, "DecodingFailed", "the current set is empty"),
    "resources that are no list": ({"resources": "x"}, "DecodingFailed", "resources"),
    "a name of 100 characters": (
        one(path="/filePrefix/" + 100 * "a"),
        "DecodingFailed",
        "must have a file path prefix less than 154 characters long and a file path name less than 99 characters long.",
    ),
    "an id with a space": (
        {"resources": [{"@type": "Resource", "resourceId": "invalid iri"}]},
        "InvalidJsonLdFormat",
        "",
    ),
    "a context from elsewhere": ({"@context": "http://schema.org/", **one()}, "InvalidJsonLdFormat", "schema.org"),
    "an unknown type": (
        {"resources": [{"@type": "IncorrectType", "resourceId": f"{P}1"}]},
        "DecodingFailed",
        "Unable to find type discriminator for 'ReferenceInput'",
    ),
    "no type": ({"resources": [{"resourceId": f"{P}1"}]}, "DecodingFailed", "Unable to find type discriminator"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_payload_is_refused_with(t: Client, what: str) -> None:
    payload, kind, reason = REFUSED[what]
    made = t.post("/archives/o/p1", payload)
    assert (made.status, made.kind) == (400, kind)
    assert reason in made.reason
    assert made.json["@context"] == ERROR_CONTEXT
    assert ("rdf" in made.json) == (kind == "InvalidJsonLdFormat")


@pytest.mark.parametrize(
    "payload",
    [
        one(path="a/b"),
        one(path="/filePrefix/" + 99 * "a"),
        one(path="/".join(["a" * 80] * 3)),
        {"resources": [{"@type": "Resource", "resourceId": "http://localhost/" + 100 * "x", "path": "/a/b"}]},
        {"resources": [{"@type": "Resource", "resourceId": "http://localhost/" + 100 * "x"}]},
        {"archiveId": "ignored", "resources": [{**R1, "unknown": 1, "rev": "1"}]},
        {"resources": [{"@type": "File", "resourceId": f"{P}logo", "originalSource": True}]},
        one(project="/o/p1"),
    ],
)
def test_a_payload_is_accepted(t: Client, payload: dict[str, Any]) -> None:
    assert t.post("/archives/o/p1", payload).status == 201


def test_a_deprecated_project_takes_no_selections(t: Client) -> None:
    made = t.post("/archives/o/dep", archive_1(), "*/*")
    assert (made.status, made.kind, made.reason) == (400, "ProjectIsDeprecated", "Project 'o/dep' is deprecated.")


def test_a_missing_project_is_named_only_to_those_with_rights_above(t: Client, n: Client, root: Client) -> None:
    made = root.post("/archives/o/none", archive_1())
    assert (made.status, made.kind, made.reason) == (404, "ProjectNotFound", "Project 'o/none' not found.")
    above = root.post("/archives/x/none", archive_1())
    assert (above.status, above.kind, above.reason) == (404, "OrganizationNotFound", "Organization 'x' not found.")
    assert t.post("/archives/x/none", archive_1()).status == 403
    assert n.post("/archives/o/none", archive_1()).status == 403


def test_who_may_not_write_gets_403(nobody: Client, w0: Client, n: Client) -> None:
    for client in (nobody, w0, n):
        made = client.post("/archives/o/p1", archive_1(), "*/*")
        assert (made.status, made.kind) == (403, "AuthorizationFailed")
        assert made.reason == "The supplied authentication is not authorized to access this resource."


@pytest.mark.parametrize(
    ("authorization", "kind"),
    [
        ("Bearer garbage", "InvalidAccessTokenFormat"),
        ("Bearer mun_aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "InvalidAccessToken"),
        ("Digest x", "AuthenticationFailed"),
        ("Basic Zm9vOmJhcg==", "AuthenticationFailed"),
    ],
)
def test_wrong_credentials_get_401(nobody: Client, authorization: str, kind: str) -> None:
    made = nobody.send("POST", "/archives/o/p1", archive_1(), Authorization=authorization)
    assert (made.status, made.kind) == (401, kind)
    assert "www-authenticate" in made.headers


def test_a_body_that_is_no_json_is_refused(t: Client) -> None:
    broken = t.send("POST", "/archives/o/p1", body=b"{oops")
    assert (broken.status, broken.kind) == (400, "MalformedRequestContentRejection")
    assert broken.reason == "The request content was malformed."
    assert broken.json["details"]
    empty = t.send("POST", "/archives/o/p1", body=b"")
    assert (empty.status, empty.kind) == (400, "RequestEntityExpectedRejection")
    assert empty.reason == "Request entity expected but not supplied"
    text = t.send("POST", "/archives/o/p1", body=b"{}", Content_Type="text/plain")
    assert (text.status, text.kind) == (415, "UnsupportedRequestContentTypeRejection")
    assert text.reason.startswith("The request's Content-Type")
    charset = t.send("POST", "/archives/o/p1", archive_1(), Content_Type="application/json; charset=utf-8")
    assert charset.status == 201


def test_what_no_one_can_give_is_refused_before_anything_is_made(t: Client) -> None:
    made = t.put("/archives/o/p1/test-resource:html", archive_1(), "text/html")
    assert (made.status, made.kind) == (406, "UnacceptedResponseContentTypeRejection")
    assert made.reason.startswith("Resource representation is only available with these types:")
    assert t.get("/archives/o/p1/test-resource:html").status == 404


def test_an_unknown_format_in_the_query_makes_nothing(t: Client) -> None:
    made = t.put("/archives/o/p1/test-resource:xyz?format=xyz", archive_1())
    assert (made.status, made.kind) == (404, "InvalidRequiredValueForQueryParamRejection")
    assert t.get("/archives/o/p1/test-resource:xyz").status == 404


def test_methods_and_addresses_that_are_not_there(t: Client) -> None:
    made = t.send("DELETE", "/archives/o/p1/test-resource:archive1")
    assert (made.status, made.kind) == (405, "HttpMethodNotAllowed")
    assert "GET" in made.headers["allow"]
    assert made.reason.startswith("HTTP method not allowed, supported methods:")
    assert t.send("GET", "/archives/o/p1").status == 405
    for path in ("/archives/o/p1/some-id", "/nothing", "/archives/o", "/archives/o!/p1", "/archives/o/p1/tags"):
        gone = t.post(path, archive_1())
        assert (gone.status, gone.kind, gone.reason) == (
            404,
            "ResourceNotFound",
            "The requested resource does not exist.",
        )


def test_a_trailing_slash_is_tolerated(t: Client) -> None:
    assert t.post("/archives/o/p1/", archive_1()).status == 201


def test_an_id_that_is_no_iri_is_refused(t: Client) -> None:
    made = t.put("/archives/o/p1/a%20b", archive_1())
    assert (made.status, made.kind) == (400, "InvalidArchiveId")
    assert made.reason == "Archive identifier 'a b' cannot be expanded to an Iri."


def test_a_deprecated_organisation_takes_no_selections(root: Client) -> None:
    root.put("/orgs/closed", {})
    root.put("/projects/closed/p", {})
    root.send("DELETE", "/orgs/closed?rev=1")
    made = root.post("/archives/closed/p", archive_1())
    assert (made.status, made.kind, made.reason) == (
        400, "OrganizationIsDeprecated", "Organization 'closed' is deprecated.",
    )  # fmt: skip


def test_the_order_of_checks_is_body_rights_project(w0: Client, t: Client) -> None:
    assert w0.send("POST", "/archives/o/p1", body=b"{oops").status == 400
    assert w0.post("/archives/o/none", {}).status == 403
    assert t.post("/archives/o/dep", {}).kind == "ProjectIsDeprecated"


def test_the_reserved_organisation_is_nobodys(root: Client) -> None:
    assert root.put("/orgs/_nexus", {}).status == 400
    assert root.get("/resources/_nexus/projects/_/o%2Fp1").status == 404


def test_resources_keep_their_words(t: Client) -> None:
    found = t.get("/resources/o/p1/_/test-resource:1").json
    assert found["other:priority"] == resource(1)["other:priority"]

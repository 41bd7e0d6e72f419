"""Organisations, projects, access rules, identities, realms and the version."""

from __future__ import annotations

from tests.acceptance.nexus.site import Client, Site
from tests.timing import eventually


def test_an_organisation_from_its_making_to_its_end(root: Client) -> None:
    made = root.put("/orgs/acme", {"description": "first"})
    assert (made.status, made.json["_rev"], made.json["_label"]) == (201, 1, "acme")
    assert made.json["@id"] == made.json["_self"] == f"{root.root}/orgs/acme"
    twice = root.put("/orgs/acme", {})
    assert (twice.status, twice.kind) == (409, "OrganizationAlreadyExists")
    assert root.put("/orgs/acme?rev=5", {}).kind == "IncorrectRev"
    assert root.put("/orgs/acme?rev=1", {"description": None}).json["_rev"] == 2
    assert root.get("/orgs/acme?rev=1").json["description"] == "first"
    assert "description" not in root.get("/orgs/acme").json
    assert root.get("/orgs/acme").json["_uuid"] == made.json["_uuid"]
    assert root.send("DELETE", "/orgs/acme?rev=2").json["_deprecated"] is True
    closed = root.put("/projects/acme/p", {})
    assert (closed.status, closed.kind, closed.reason) == (
        400, "OrganizationIsDeprecated", "Organization 'acme' is deprecated.",
    )  # fmt: skip


def test_an_organisation_without_a_body(root: Client) -> None:
    assert root.send("PUT", "/orgs/bodiless").status == 201
    assert root.put("/orgs/bad%20label", {}).status == 404
    assert root.put("/orgs/odd", {"description": 5}).kind == "MalformedRequestContentRejection"


def test_a_project_from_its_making_to_its_end(root: Client) -> None:
    root.put("/orgs/live", {})
    missing = root.put("/projects/nowhere/p", {})
    assert (missing.status, missing.kind, missing.reason) == (
        404, "OrganizationNotFound", "Organization 'nowhere' not found.",
    )  # fmt: skip
    made = root.put("/projects/live/p", {"description": "d"})
    assert (made.status, made.json["_rev"]) == (201, 1)
    found = root.get("/projects/live/p").json
    assert found["base"] == f"{root.root}/resources/live/p/_/"
    assert found["vocab"] == f"{root.root}/vocabs/live/p/"
    assert found["_organizationUuid"] == root.get("/orgs/live").json["_uuid"]
    assert {"_prefix": "file", "_namespace": "https://bluebrain.github.io/nexus/schemas/files.json"} in found[
        "_effectiveApiMappings"
    ]
    again = root.put("/projects/live/p?rev=1", {**found, "description": "e"})
    assert (again.status, again.json["_rev"]) == (200, 2)
    assert root.put("/projects/live/p", {}).kind == "ProjectAlreadyExists"
    for payload in ({"base": "http://x/no-end"}, {"vocab": "no iri/"}, {"apiMappings": [{"prefix": "x"}]}, [1]):
        assert root.put("/projects/live/p?rev=2", payload).kind == "MalformedRequestContentRejection"
    assert root.send("DELETE", "/projects/live/p?rev=2").json["_deprecated"] is True
    assert root.put("/projects/live/p?rev=3", {}).kind == "ProjectIsDeprecated"
    assert root.put("/resources/live/p/_/x", {}).kind == "ProjectIsDeprecated"


def test_lists_show_what_one_may_see(root: Client, t: Client, n: Client) -> None:
    assert "o" in {each["_label"] for each in root.get("/orgs").json["_results"]}
    assert [each["_label"] for each in t.get("/orgs").json["_results"]] == ["o"]
    assert [each["_label"] for each in t.get("/projects/o").json["_results"]] == ["dep", "p1", "p2", "short"]
    page = t.get("/projects?from=1&size=2").json
    assert (page["_total"], [each["_label"] for each in page["_results"]]) == (4, ["p1", "p2"])
    assert page["_next"] == f"{t.root}/projects?after=o%2Fp2&size=2"
    rest = t.get("/projects?after=o%2Fp2&size=2").json
    assert ([each["_label"] for each in rest["_results"]], "_next" in rest) == (["short"], False)
    assert n.get("/orgs").json["_total"] == 0


def test_rights_to_organisations_and_projects(t: Client, n: Client, nobody: Client) -> None:
    assert t.put("/orgs/mine", {}).status == 403
    assert t.put("/projects/o/more", {}).status == 201
    for client in (n, nobody):
        assert client.put("/projects/o/never", {}).status == 403
        assert client.get("/orgs/o").status == 403


def identity(name: str) -> dict[str, str]:
    return {"realm": "keys", "subject": name}


def test_access_rules_are_set_changed_and_shown(root: Client) -> None:
    entry = {"identity": identity("ada"), "permissions": ["resources/read", "archives/write"]}
    made = root.put("/acls/o/short?rev=0", {"acl": [entry]})
    assert (made.status, made.json["_rev"], made.json["_path"]) == (201, 1, "/o/short")
    assert root.put("/acls/o/short?rev=0", {"acl": [entry]}).kind == "IncorrectRev"
    more = {"@type": "Append", "acl": [{"identity": identity("ada"), "permissions": ["files/write"]}]}
    assert root.send("PATCH", "/acls/o/short?rev=1", more).json["_rev"] == 2
    assert root.send("PATCH", "/acls/o/short?rev=2", more).kind == "NothingToBeUpdated"
    less = {"@type": "Subtract", "acl": [{"identity": identity("ada"), "permissions": ["files/write"]}]}
    assert root.send("PATCH", "/acls/o/short?rev=2", less).status == 200
    assert root.send("PATCH", "/acls/o/short?rev=3", {"@type": "Odd", "acl": []}).status == 400
    [found] = root.get("/acls/o/short?self=false").json["_results"]
    assert found["acl"] == [
        {
            "identity": {
                "@id": f"{root.root}/realms/keys/users/ada",
                "@type": "User",
                "realm": "keys",
                "subject": "ada",
            },
            "permissions": ["archives/write", "resources/read"],
        }
    ]
    for permissions, kind in ((["odd/odd"], "UnknownPermissions"), ([], "AclCannotContainEmptyPermissionCollection")):
        refused = root.put("/acls/o/short?rev=3", {"acl": [{"identity": identity("x"), "permissions": permissions}]})
        assert (refused.status, refused.kind) == (400, kind)
    assert root.send("DELETE", "/acls/o/short?rev=3").status == 200
    assert root.send("DELETE", "/acls/o/other?rev=0").kind == "AclNotFound"


def test_everybody_sees_their_own_rules(t: Client, n: Client, w0: Client) -> None:
    [own] = t.get("/acls/o").json["_results"]
    assert own["acl"][0]["identity"]["subject"] == "T"
    above = n.get("/acls/o/p1?ancestors=true").json["_results"]
    assert [each["_path"] for each in above] == ["/o/p1"]
    assert w0.get("/acls/o").json["_total"] == 0
    assert w0.get("/acls/o?self=false").status == 403
    assert w0.put("/acls/o", {"acl": []}).status == 403


def test_rules_made_here_count(site: Site, root: Client) -> None:
    eve = site.user("eve")
    eventually(lambda: eve.get("/resources/o/p1/_/test-resource:1").status == 403)
    root.send(
        "PATCH", "/acls/o/p1",
        {"@type": "Append", "acl": [{"identity": identity("eve"), "permissions": ["resources/read"]}]},
    )  # fmt: skip
    eventually(lambda: eve.get("/resources/o/p1/_/test-resource:1").status == 200)


def test_who_one_is(t: Client, nobody: Client) -> None:
    assert [each["@type"] for each in nobody.get("/identities").json["identities"]] == ["Anonymous"]
    held = {each["@type"]: each for each in t.get("/identities").json["identities"]}
    assert set(held) == {"Anonymous", "Authenticated", "User"}
    assert held["User"]["@id"] == f"{t.root}/realms/keys/users/T"
    assert held["Anonymous"]["@id"] == f"{t.root}/anonymous"


def test_permissions_realms_and_version(root: Client, t: Client) -> None:
    assert "resources/read" in root.get("/permissions").json["permissions"]
    assert t.get("/permissions").status == 403
    config = "https://id.example.org/realms/a/.well-known/openid-configuration"
    made = root.put("/realms/sample", {"name": "Sample", "openIdConfig": config, "acceptedAudiences": ["nexus"]})
    assert (made.status, made.json["_issuer"]) == (201, "https://id.example.org/realms/a")
    assert root.get("/realms/sample").json["openIdConfig"] == config
    assert root.get("/realms").json["_total"] == 1
    assert root.put("/realms/other", {"name": "x"}).status == 400
    assert root.get("/realms/none").kind == "RealmNotFound"
    assert root.send("DELETE", "/realms/sample?rev=1").json["_deprecated"] is True
    assert "delta" in root.get("/version").json

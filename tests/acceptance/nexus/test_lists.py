"""Lists with the filters of Delta, of a project, an organisation or all; and what is not read is refused."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.acceptance.nexus.site import EVERYTHING, Client, P, Reply, Site


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two projects: in p1 the resources a (Thing), b (Other, by T, deprecated) and c (both), and the file f."""
    made = Site(tmp_path_factory.mktemp("lists") / "archive")
    root, t = made.user("root", root={"admin"}), made.user("T", o=EVERYTHING)
    made.user("N", o__p1={"resources/read"})
    made.user("keeper", o={"acls/read"})
    mappings = [{"prefix": "x", "namespace": P}]
    assert root.put("/orgs/o", {}).status == 201
    for name in ("p1", "p2"):
        assert (
            root.put(f"/projects/o/{name}", {"vocab": "https://v.example.org/", "apiMappings": mappings}).status == 201
        )
    for client, name, kinds in ((root, "a", "Thing"), (t, "b", "Other"), (root, "c", ["Thing", f"{P}Other"])):
        assert client.post("/resources/o/p1", {"@id": f"{P}{name}", "@type": kinds}).status == 201
    assert root.send("DELETE", "/resources/o/p1/_/x:b?rev=1").status == 200
    assert root.upload("/files/o/p1/x:f", "f.bin", b"f", method="PUT").status == 201
    assert root.post("/resources/o/p2", {"@id": f"{P}z", "@type": "Thing"}).status == 201
    try:
        yield made
    finally:
        made.close()


def names(reply: Reply) -> list[str]:
    """The ends of the ids, in the order they came."""
    assert reply.status == 200, reply.body
    return [each["@id"].removeprefix(P) for each in reply.json["_results"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abcf"),
        ("deprecated=true", "b"),
        ("deprecated=false", "acf"),
        ("type=Thing", "ac"),
        ("type=https%3A%2F%2Fv.example.org%2FOther", "b"),
        ("type=x:Other", "c"),
        ("type=Other&type=File", "bf"),
        ("type=nxv:File", "f"),
        ("id=x:c", "c"),
        (f"id={quote(P + 'c', safe='')}", "c"),
        ("schema=file", "f"),
        ("schema=_", "abc"),
        ("rev=2", "b"),
        ("sort=-@id", "fcba"),
        ("sort=_deprecated&sort=-@id", "fcab"),
        ("sort=-_createdAt", "fcba"),
        ("type=Thing&deprecated=true", ""),
        ("from=1&size=2&deprecated=false", "cf"),
    ],
)
def test_filters_of_a_project(lists: Site, query: str, expected: str) -> None:
    found = Client(lists.port, lists.keys["N"]).get(f"/resources/o/p1?{query}")
    assert names(found) == list(expected)
    assert found.json["_total"] == (4 if query == "" else 3 if query.startswith("from") else len(expected))


def test_who_made_and_changed_it(lists: Site) -> None:
    root = Client(lists.port, lists.keys["root"])
    person = quote(f"{root.root}/realms/keys/users/T", safe="")
    assert names(root.get(f"/resources/o/p1?createdBy={person}")) == ["b"]
    assert names(root.get(f"/resources/o/p1?updatedBy={person}")) == []
    # As the Python SDK writes it.
    assert names(root.get(f"/resources/o/p1?created_by={person}")) == ["b"]


def test_a_schema_in_the_address_filters(lists: Site) -> None:
    root = Client(lists.port, lists.keys["root"])
    assert names(root.get("/resources/o/p1/_")) == list("abcf")
    assert names(root.get("/resources/o/p1/file")) == ["f"]
    assert names(root.get("/files/o/p1")) == ["f"]
    assert names(root.get("/files/o/p2")) == []


def test_lists_over_projects_hold_what_the_caller_may_read(lists: Site) -> None:
    root, n = (Client(lists.port, lists.keys[name]) for name in ("root", "N"))
    assert names(root.get("/resources/o")) == list("abcfz")
    assert names(root.get(f"/resources?type={quote(P, safe='')}Other&type=File")) == list("cf")
    assert names(n.get("/resources/o")) == list("abcf")
    assert Client(lists.port, None).get("/resources/o").status == 403
    assert n.get("/resources/nothing").status == 403


@pytest.mark.parametrize("query", ["size=1&type=Thing", "size=1&deprecated=false", "size=2&sort=-@id", "size=3"])
def test_the_next_pages_keep_the_filters(lists: Site, query: str) -> None:
    root = Client(lists.port, lists.keys["root"])
    whole = names(root.get("/resources/o/p1?" + query.partition("&")[2]))
    found: list[str] = []
    reply = root.get(f"/resources/o/p1?{query}")
    for _ in range(10):
        found += names(reply)
        if "_next" not in reply.json:
            break
        reply = root.get(reply.json["_next"].removeprefix(root.root))
    assert found == whole


@pytest.mark.parametrize(
    "query",
    [
        "deprecated=perhaps",
        "sort=title",
        "rev=x",
        "q=harbour",
        "id=a&id=b",
        "after=a&sort=_rev",
        "deprecated=true&deprecated=false",
    ],
)
def test_what_cannot_be_asked_is_said(lists: Site, query: str) -> None:
    refused = Client(lists.port, lists.keys["root"]).get(f"/resources/o/p1?{query}")
    assert (refused.status, refused.kind) == (400, "MalformedQueryParamRejection")


def test_organisations_and_projects_by_whether_they_are_deprecated(lists: Site) -> None:
    root = Client(lists.port, lists.keys["root"])
    assert root.put("/orgs/gone", {}).status == 201
    assert root.put("/projects/o/gone", {}).status == 201
    assert root.send("DELETE", "/orgs/gone?rev=1").status == 200
    assert root.send("DELETE", "/projects/o/gone?rev=1").status == 200
    for path, living in (("/orgs", ["o"]), ("/projects/o", ["p1", "p2"])):
        shown = [
            [each["_label"] for each in root.get(f"{path}?deprecated={said}").json["_results"]]
            for said in ("true", "false")
        ]
        assert shown == [["gone"], living]
    assert root.put("/orgs/gone/undeprecate?rev=2", None).json["_deprecated"] is False
    assert root.put("/projects/o/gone/undeprecate?rev=2", None).json["_deprecated"] is False
    again = root.put("/projects/o/gone/undeprecate?rev=3", None)
    assert (again.status, again.kind) == (400, "ProjectIsNotDeprecated")


def test_everybodys_rules_of_a_pattern_are_those_of_places_one_may_see(lists: Site) -> None:
    root, n = (Client(lists.port, lists.keys[name]) for name in ("root", "N"))
    paths = [each["_path"] for each in root.get("/acls/*/*?self=false").json["_results"]]
    assert paths == ["/o/p1"]
    assert n.get("/acls/*/*?self=false").json["_total"] == 0
    keeper = Client(lists.port, lists.keys["keeper"])
    assert [each["_path"] for each in keeper.get("/acls/*?self=false").json["_results"]] == ["/o"]

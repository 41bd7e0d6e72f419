"""What was not made through Nexus can be named in a selection, whole or in part, and is looked at but not changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

import pytest

from muniment.archive import Archive
from tests.acceptance.nexus.site import Client, Site


@pytest.fixture(scope="module", autouse=True)
def deposits(site: Site) -> None:
    with Archive(site.folder, parity=False) as archive:
        for project, id in (("o/short", "letters"), ("osf/registrations", "urn:osf:abcde")):
            with archive.new(id, project) as transaction:
                transaction.add(b"one", "1901/a.txt")
                transaction.add(b"two", "1902/a b#c.txt")
                transaction.metadata["title"] = "Letters"
            with archive.get(id, "a", project=project) as transaction:
                transaction.replace(b"ONE", "1901/a.txt")


def fetch(client: Client, project: str, *entries: Mapping[str, object]) -> dict[str, bytes]:
    made = client.post(f"/archives/{project}", {"resources": list(entries)}, "*/*")
    assert made.status == 303, made.body
    found = client.get(made.headers["location"].partition("/v1")[2], "*/*")
    assert found.status == 200, found.body
    return found.tar()


def test_a_file_entry_of_a_package_gives_all_its_files(t: Client) -> None:
    held = fetch(t, "o/short", {"@type": "File", "resourceId": "letters"})
    folder = f"o/short/{quote('http://localhost/base/letters', safe='*-._')}"
    assert held == {f"{folder}/1901/a.txt": b"ONE", f"{folder}/1902/a b#c.txt": b"two"}


def test_a_path_is_the_folder_of_a_whole_package(t: Client) -> None:
    held = fetch(t, "o/short", {"@type": "File", "resourceId": "letters", "path": "/in/here", "rev": 1})
    assert held == {"in/here/1901/a.txt": b"one", "in/here/1902/a b#c.txt": b"two"}


def test_one_file_of_a_package_is_named_after_a_hash(t: Client) -> None:
    one = {"@type": "File", "resourceId": "letters#1901/a.txt"}
    odd = {"@type": "File", "resourceId": f"letters#{quote('1902/a b#c.txt')}", "path": "odd"}
    assert fetch(t, "o/short", one, odd) == {"o/short/a.txt": b"ONE", "odd": b"two"}
    made = t.post("/archives/o/short", {"resources": [{**one, "resourceId": "letters#none"}]}, "*/*")
    assert t.get(made.headers["location"].partition("/v1")[2], "*/*").kind == "ResourceNotFound"


def test_a_resource_entry_of_a_package_gives_its_metadata(t: Client) -> None:
    [held] = fetch(t, "o/short", {"@type": "Resource", "resourceId": "letters"}).values()
    said = json.loads(held)
    assert (said["@type"], said["metadata"], said["_rev"]) == ("Package", {"title": "Letters"}, 2)
    for form in ("expanded", "n-triples", "dot", "source"):
        assert fetch(t, "o/short", {"@type": "Resource", "resourceId": "letters", "format": form})


def test_a_project_nobody_described_has_the_defaults(root: Client) -> None:
    held = fetch(root, "osf/registrations", {"@type": "File", "resourceId": "urn:osf:abcde"})
    assert {name.rpartition("/")[2] for name in held} == {"a.txt", "a b#c.txt"}
    found = root.get("/projects/osf/registrations").json
    assert (found["_rev"], found["base"]) == (0, f"{root.root}/resources/osf/registrations/_/")
    assert root.get("/resources/osf/registrations/_/urn:osf:abcde").json["_rev"] == 2


def test_a_package_is_not_changed_through_nexus(t: Client) -> None:
    for answer in (
        t.put("/resources/o/short/_/letters?rev=2", {"a": 1}),
        t.post("/resources/o/short/_/letters/tags?rev=2", {"tag": "x", "rev": 1}),
        t.send("DELETE", "/resources/o/short/_/letters?rev=2"),
    ):
        assert answer.status == 409
        assert "not made through this API" in answer.reason
    assert t.put("/resources/o/short/_/letters", {"a": 1}).kind == "ResourceAlreadyExists"


def test_a_package_is_in_the_list(t: Client) -> None:
    found = t.get("/resources/o/short?size=1000").json["_results"]
    assert "http://localhost/base/letters" in {each["@id"] for each in found}

"""What a selection says about itself, and its life (cases 31 to 35)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.nexus.site import EVERYTHING, NXV, Client, P, Site, archive_1, furnish
from tests.timing import eventually

A1 = "/archives/o/p1/test-resource:archive1"
ENCODED = "https%3A%2F%2Fdev.nexus.test.com%2Fsimplified-resource%2Farchive1"


@pytest.fixture(autouse=True)
def selection(t: Client) -> None:
    t.put(A1, archive_1())


def test_a_selection_is_shown_as_it_was_sent(t: Client) -> None:
    found = t.get(A1)
    assert found.status == 200
    body = found.json
    assert body["@context"] == [
        "https://bluebrain.github.io/nexus/contexts/archives.json",
        "https://bluebrain.github.io/nexus/contexts/metadata.json",
    ]
    assert (body["@type"], body["_rev"], body["_deprecated"]) == ("Archive", 1, False)
    assert body["_self"] == f"{t.root}{A1}"
    assert body["_createdBy"] == body["_updatedBy"] == f"{t.root}/realms/keys/users/T"
    assert body["_createdAt"].endswith("Z")
    in_order = [sorted(json.dumps(each, sort_keys=True) for each in held["resources"]) for held in (body, archive_1())]
    assert in_order[0] == in_order[1]


def test_every_way_to_write_the_id_reaches_it(t: Client) -> None:
    forms = [
        "test-resource:archive1",
        "test-resource%3Aarchive1",
        ENCODED,
        ENCODED.replace("%3A", ":"),
        ENCODED.lower(),
    ]
    assert {t.get(f"/archives/o/p1/{form}").json["@id"] for form in forms} == {f"{P}archive1"}


def test_a_made_id_is_found_by_its_uuid(t: Client) -> None:
    made = t.post("/archives/o/short", {"resources": [{"@type": "Resource", "resourceId": f"{P}1", "project": "o/p1"}]})
    uuid = made.json["@id"].rpartition("/")[2]
    found = t.get(f"/archives/o/short/{uuid}").json
    assert found["resources"] == [{"@type": "Resource", "resourceId": f"{P}1", "project": "o/p1"}]
    assert {**found, "resources": 0, "@context": 0} == {**made.json, "resources": 0, "@context": 0}


def test_original_source_is_shown_as_a_format(t: Client) -> None:
    entries = [
        {"@type": "Resource", "resourceId": f"{P}1", "originalSource": True, "path": "a"},
        {"@type": "Resource", "resourceId": f"{P}1", "originalSource": False, "path": "b"},
    ]
    made = t.post("/archives/o/p1", {"resources": entries}).json
    found = t.get(f"/archives/o/p1/{made['@id'].rpartition('/')[2]}").json["resources"]
    assert [entry["format"] for entry in found] == ["source", "compacted"]
    assert all("originalSource" not in entry for entry in found)


def test_equal_entries_are_one(t: Client) -> None:
    entry = {"@type": "Resource", "resourceId": f"{P}1"}
    made = t.post("/archives/o/p1", {"resources": [entry, {**entry, "project": "o/p1"}, entry]}).json
    assert len(t.get(f"/archives/o/p1/{made['@id'].rpartition('/')[2]}").json["resources"]) == 1


def test_the_expanded_form_is_an_array(t: Client) -> None:
    [node] = t.get(f"{A1}?format=expanded").json
    assert node["@id"] == f"{P}archive1"
    assert node["@type"] == [f"{NXV}Archive"]
    assert len(node[f"{NXV}resources"]) == 3
    assert t.get(f"{A1}?format=compacted").json["@type"] == "Archive"


def test_it_can_be_had_as_rdf(t: Client) -> None:
    triples = t.get(A1, "application/n-triples")
    assert triples.headers["content-type"] == "application/n-triples"
    assert f"<{P}archive1> <{NXV}rev> ".encode() in triples.body
    assert f'digraph "{P}archive1"'.encode() in t.get(A1, "text/vnd.graphviz").body


def test_a_content_type_on_a_get_is_ignored(t: Client) -> None:
    assert t.get(A1, Content_Type="application/json").status == 200


def test_metadata_are_for_those_who_may_read(nobody: Client, w0: Client, n: Client) -> None:
    assert n.get(A1).status == 200
    for client in (nobody, w0):
        for accept in ("application/json", "*/*"):
            found = client.get(A1, accept)
            assert (found.status, found.kind) == (403, "AuthorizationFailed")


def test_what_was_never_described_is_not_found(t: Client) -> None:
    found = t.get("/archives/o/p1/test-resource:never", "application/x-tar")
    assert (found.status, found.kind) == (404, "ResourceNotFound")
    assert found.reason == f"Archive '{P}never' not found in project 'o/p1'."
    assert found.headers["content-type"] == "application/json"


def test_a_flag_that_is_neither_is_refused(t: Client) -> None:
    found = t.get(f"{A1}?ignoreNotFound=maybe")
    assert (found.status, found.kind) == (400, "MalformedQueryParamRejection")


LIFE = 5
"""Seconds that a selection lives here: long enough for a server to be restarted on a busy machine."""


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "archive", selection_life=f"{LIFE} seconds")
    made.user("root", root={"admin"})
    made.user("T", o=EVERYTHING)
    furnish(Client(made.port, made.keys["root"]))
    try:
        yield made
    finally:
        made.close()


def test_a_selection_survives_a_restart_and_ends_on_time(short_lived: Site) -> None:
    t = Client(short_lived.port, short_lived.keys["T"])
    began = time.time()
    assert t.put(A1, archive_1()).json["_expiresInSeconds"] == LIFE
    short_lived.restart()
    time.sleep(1.1)
    found = t.get(A1)
    assert found.status == 200
    assert 0 <= found.json["_expiresInSeconds"] < LIFE
    eventually(lambda: t.get(A1).status == 404)
    assert time.time() - began >= LIFE
    assert t.put(A1, archive_1()).status == 201

"""Nexus in front of an archive whose only home is a bucket: the same answers, by servers of several machines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.testing.keys import FolderKeys
from tests.acceptance.nexus.site import ENC, EVERYTHING, LOGO, Client, Site, archive_1, furnish, resource


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> FolderKeys:
    return FolderKeys(tmp_path_factory.mktemp("nexus") / "keys")


@pytest.fixture(scope="module")
def site(keys: FolderKeys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("nexus") / "state", bucket=keys)
    made.user("root", root={"admin"})
    made.user("T", o=EVERYTHING)
    furnish(Client(made.port, made.keys["root"]))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def t(site: Site) -> Client:
    return Client(site.port, site.keys["T"])


def test_a_selection_is_downloaded(t: Client) -> None:
    made = t.post("/archives/o/p1", archive_1(), "application/x-tar")
    assert made.status == 303, made.body
    found = t.get(made.headers["location"].partition("/v1")[2], "*/*").tar()
    assert len(found) == 3
    assert next(data for name, data in found.items() if name.endswith("nexus-logo.png")) == LOGO


def test_what_was_changed_is_there_in_both_revisions(t: Client) -> None:
    changed = {**resource(1), "other:priority": 17}
    assert t.put(f"/resources/o/p1/_/{ENC}1?rev=1", changed).status == 200
    assert t.get(f"/resources/o/p1/_/{ENC}1").json["other:priority"] == 17
    assert t.get(f"/resources/o/p1/_/{ENC}1?rev=1").json["other:priority"] == 5
    stale = t.put(f"/resources/o/p1/_/{ENC}1?rev=1", changed)
    assert (stale.status, stale.kind) == (409, "IncorrectRev")


def test_a_range_of_a_file_is_given(t: Client) -> None:
    found = t.get("/files/o/p1/test-resource:logo", "*/*", Range="bytes=10-19")
    assert (found.status, found.body) == (206, LOGO[10:20])


def test_another_machine_shows_what_the_first_one_stored(site: Site, keys: FolderKeys, tmp_path: Path) -> None:
    other = Site(tmp_path / "state", bucket=keys)
    try:
        other.user("T", o=EVERYTHING)
        there = Client(other.port, other.keys["T"])
        assert there.get("/files/o/p1/test-resource:logo", "*/*").body == LOGO
        assert there.upload("/files/o/p1/test-resource:second", "second.png", b"second", method="PUT").status == 201
    finally:
        other.close()
    assert Client(site.port, site.keys["T"]).get("/files/o/p1/test-resource:second", "*/*").body == b"second"

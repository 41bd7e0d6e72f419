"""Clients of Nexus that are not ours, unmodified: the Python SDK, Forge and the JavaScript SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.nexus.site import EVERYTHING, Client, Site, furnish
from tests.servers.nexus.clients import run

X = "https://x.example.org/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("clients") / "archive")
    made.user("root", root={"admin"})
    made.user("T", o=EVERYTHING)
    furnish(Client(made.port, made.keys["root"]))
    try:
        yield made
    finally:
        made.close()


def test_the_python_sdk_makes_changes_lists_and_fetches(site: Site, tmp_path: Path) -> None:
    found = run("sdk.py", tmp_path, root=Client(site.port, None).root, key=site.keys["root"])
    one, two, photo = f"{X}1", f"{X}2", f"{X}photo"
    assert found == {
        "projects": ["p"],
        "tags": [{"rev": 2, "tag": "second"}],
        "by tag": 2,
        "all": [one, two],
        "not deprecated": [one],
        "of a type": [two],
        "of a schema": [],
        "of a revision": [one],
        "with an id": [one],
        "by nobody": [],
        "file": {"_bytes": 102400, "_filename": "photo.bin", "_rev": 1},
        "same bytes": True,
        "file tags": [{"rev": 1, "tag": "v1"}],
        "files": [photo],
        "identities": 3,
    }


def test_forge_begins_registers_retrieves_and_downloads(site: Site, tmp_path: Path) -> None:
    root = Client(site.port, site.keys["root"])
    elsewhere = {"@id": f"{X}elsewhere", "@type": "Person", "name": "Somebody of another project"}
    assert root.post("/resources/o/p2", elsewhere).status == 201
    found = run("forge.py", tmp_path, root=root.root, key=site.keys["T"], project="o/p1")
    assert found == {
        "registered": 1,
        "many": [1, 1, 1, 1],
        "retrieved": "Marie Curie",
        "first": "Marie",
        "tagged": "Marie Curie",
        "from elsewhere": "Somebody of another project",
        "downloaded": "a scan",
        "deprecated": True,
        "as JSON-LD": ["@id", "@type"],
    }


def test_the_javascript_sdk_makes_changes_lists_and_downloads(site: Site, tmp_path: Path) -> None:
    found = run("sdk.js", tmp_path, root=Client(site.port, None).root, key=site.keys["root"])
    assert found == {
        "projects": ["p"],
        "made": 1,
        "tags": [{"rev": 2, "tag": "second"}],
        "tagged": 2,
        "expanded": f"{X}1",
        "triples": True,
        "source": {"@type": "Thing", "n": 2},
        "all": [f"{X}1", f"{X}2"],
        "deprecated": [f"{X}2"],
        "typed": [f"{X}2"],
        "file": [100000, "photo.png"],
        "bytes": True,
        "files": [f"{X}photo"],
        "resolved": 2,
        "tar": "ustar",
        "identities": 3,
    }

"""Descriptions that packages bring: RO-Crates and Dataverse's maps are judged, kept and found by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from muniment.validation import validate_path
from muniment.workflows.imports import import_package
from tests.acceptance.exchange.making import new_archive
from tests.format.bags import extra, make_bag, seal

ROOT: dict[str, Any] = {
    "@id": "./", "@type": "Dataset", "name": "Tide gauges", "description": "Of a harbour",
    "datePublished": "2024-05-01", "license": {"@id": "https://example.org/licence"}, "author": {"@id": "https://orcid.org/0000"},
    "hasPart": [{"@id": "a%20b.txt"}],
}  # fmt: skip
DESCRIPTOR = {
    "@id": "ro-crate-metadata.json",
    "@type": "CreativeWork",
    "about": {"@id": "./"},
    "conformsTo": {"@id": "https://w3id.org/ro/crate/1.2"},
}
OTHERS: list[dict[str, Any]] = [
    {"@id": "https://orcid.org/0000", "@type": "Person", "name": "Ada L"},
    {"@id": "https://example.org/licence", "name": "A licence", "description": "free"},
    {"@id": "a%20b.txt", "@type": "File"},
]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with new_archive(tmp_path / "archive") as made:
        yield made


def crate(folder: Path, root: dict[str, Any]) -> Path:
    text = {"@context": "https://w3id.org/ro/crate/1.2/context", "@graph": [OTHERS[0], root, DESCRIPTOR, *OTHERS[1:]]}
    extra(make_bag(folder), "data/a b.txt", b"x")
    return extra(folder, "data/ro-crate-metadata.json", json.dumps(text).encode())


def test_a_crate_in_a_bag_is_valid_and_says_what_the_resource_is(archive: Archive, tmp_path: Path) -> None:
    bag = crate(tmp_path / "bag", ROOT)
    assert [finding.code for finding in validate_path(bag)] == []
    (id,) = import_package(archive, bag)
    metadata = archive.get(id).record["metadata"]
    assert metadata["title"] == "Tide gauges"
    assert metadata["creator"] == ["Ada L"]
    assert metadata["license"] == ["A licence"]
    assert metadata["parts"] == ["a%20b.txt"]


def test_what_a_crate_lacks_is_told_and_the_bag_taken_in(archive: Archive, tmp_path: Path) -> None:
    bag = crate(tmp_path / "bag", {name: value for name, value in ROOT.items() if name != "license"})
    (bag / "data/a b.txt").unlink()
    manifest = bag / "manifest-sha512.txt"
    manifest.write_text("".join(line for line in manifest.read_text().splitlines(True) if "a b" not in line))
    messages = [finding.message for finding in validate_path(seal(bag)) if finding.code == "B521"]
    assert len(messages) == 2
    assert "license" in messages[0]
    assert "a b.txt" in messages[1]
    assert len(import_package(archive, bag)) == 1


def test_a_bag_of_dataverse_keeps_and_shows_its_metadata(archive: Archive, tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "doi-10-5072-FK2-ABCv-1-0")
    (bag / "metadata").mkdir()
    ore = {
        "@context": {
            "dcterms": "http://purl.org/dc/terms/", "ore": "http://www.openarchives.org/ore/terms/",
            "Title": "http://purl.org/dc/terms/title", "citation": "https://example.org/citation/",
            "Author": "dcterms:creator", "schema": "http://schema.org/",
        },
        "ore:describes": {
            "@id": "https://doi.org/10.5072/FK2/ABC", "Title": "Soil samples",
            "Author": [{"citation:authorName": "Finch, F."}], "schema:datePublished": "2023-01-02",
        },
    }  # fmt: skip
    (bag / "metadata/oai-ore.jsonld").write_text(json.dumps(ore))
    (id,) = import_package(archive, bag)
    taken = archive.get(id)
    assert taken.record["metadata"]["title"] == "Soil samples"
    assert taken.record["metadata"]["creator"] == ["Finch, F."]
    assert json.loads(taken.read("bag-tag-files/metadata/oai-ore.jsonld")) == ore

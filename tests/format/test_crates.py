"""Descriptions that packages bring: RO-Crates and Dataverse's maps are judged, kept and found by."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from muniment.content.findings.crate import CRATE
from muniment.errors.archive import PackageRefused
from muniment.validation import validate_path
from muniment.workflows.export import export
from muniment.workflows.imports import import_package
from tests.acceptance.exchange.making import judged_by_bagit, new_archive, view
from tests.format.bags import extra, make_bag, seal
from tests.format.crates import CODES, DESCRIPTOR, OTHERS, ROOT, SPOILT, make_crate


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
    assert metadata["parts"] == ["a b.txt"]


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


# --- crates in a folder by themselves


@pytest.mark.parametrize(("code", "spoil"), SPOILT)
def test_what_is_wrong_with_a_crate_is_told(tmp_path: Path, code: str, spoil: Callable[[Path], object]) -> None:
    made = make_crate(tmp_path / "crate")
    spoil(made)
    findings = list(validate_path(made))
    assert {finding.code for finding in findings} == {code}
    assert all(finding.failed for finding in findings)


def test_every_code_of_crates_has_an_example() -> None:
    assert {kind.code for kind in CRATE} == set(CODES)


@pytest.mark.parametrize("form", ["", "folder.zip", "bare.zip", "bare.tar"])
def test_a_crate_in_a_folder_is_recognised_judged_and_taken_in(archive: Archive, tmp_path: Path, form: str) -> None:
    made = make_crate(tmp_path / "crate")
    kind = "zip" if form.endswith("zip") else "tar"
    if form.startswith("folder"):
        made = Path(shutil.make_archive(os.fspath(tmp_path / "crate"), kind, tmp_path, "crate"))
    elif form:
        made = Path(shutil.make_archive(os.fspath(tmp_path / "bare"), kind, made))
    assert [finding.message for finding in validate_path(made)] == []
    (id,) = import_package(archive, made)
    taken = archive.get(id)
    assert set(taken) == {"a b.txt", "not described", "ro-crate-metadata.json"}
    assert taken.record["folders"] == ["empty"]
    assert taken.record["metadata"]["title"] == "Tide gauges"
    assert taken.record["metadata"]["creator"] == ["Ada L"]


def test_a_crate_that_is_not_valid_is_refused(archive: Archive, tmp_path: Path) -> None:
    made = make_crate(tmp_path / "crate")
    (made / "a b.txt").unlink()
    with pytest.raises(PackageRefused, match="R003"):
        import_package(archive, made)


def test_files_below_a_folder_and_on_the_web_count_as_described(tmp_path: Path) -> None:
    root = {
        **ROOT,
        "hasPart": [{"@id": "sub/"}, {"@id": "https://example.org/web"}, {"@id": "#part"}, {"@id": "a%20b.txt"}],
    }
    further: list[dict[str, Any]] = [
        {"@id": "sub/", "@type": ["Dataset"], "hasPart": {"@id": "./sub/c:d"}},
        {"@id": "./sub/c:d", "@type": ["File", "ImageObject"]},
        {"@id": "https://example.org/web", "@type": "File"},
        {"@id": "#part", "@type": "Dataset"},
    ]
    made = make_crate(tmp_path / "crate", root, *further)
    (made / "sub").mkdir()
    (made / "sub/c:d").write_bytes(b"")
    assert [finding.message for finding in validate_path(made)] == []


def test_a_crate_under_its_earlier_name_is_one(tmp_path: Path) -> None:
    made = make_crate(tmp_path / "crate", name="ro-crate-metadata.jsonld")
    assert [finding.message for finding in validate_path(made)] == []


# --- the layout


METADATA: dict[str, Any] = {
    "title": "Tide gauges", "description": "Of a harbour", "date": "2024-05",
    "creators": [{"name": "Ada L", "orcid": "https://orcid.org/0000-0002-1825-0097"}, "Bob", {"other": 1}],
    "license": {"name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"},
    "tags": ["sea", 7],
}  # fmt: skip
PATHS = {"a b%20.txt", "\u00fcber/#1?.csv", "c:d", "..\\x", "line\nbreak", "[x]"}


@pytest.mark.parametrize("form", ["", ".tar", ".zip"])
def test_a_resource_goes_out_as_a_crate_in_a_bag_and_comes_in_again(
    archive: Archive, tmp_path: Path, form: str
) -> None:
    with archive.new("urn:x-test:it") as transaction:
        for path in PATHS:
            transaction.add(path.encode(), path)
        transaction.metadata.update(METADATA)
    package = tmp_path / f"crate{form}"
    export(archive, "urn:x-test:it", "ro-crate", package)
    assert [finding.message for finding in validate_path(package) if finding.code not in {"B513", "B512"}] == []
    if not form:
        assert judged_by_bagit(package) == ""
        graph = json.loads((package / "data/ro-crate-metadata.json").read_bytes())["@graph"]
        entities = {each["@id"]: each for each in graph}
        root = entities["./"]
        assert (root["name"], root["description"], root["datePublished"]) == ("Tide gauges", "Of a harbour", "2024-05")
        assert [entities[each["@id"]]["name"] for each in root["author"]] == ["Ada L", "Bob"]
        assert entities[root["license"]["@id"]]["name"] == "CC0 1.0"
        assert root["keywords"] == ["sea"]
        assert entities[root["identifier"]["@id"]]["value"] == "urn:x-test:it"
        assert len(root["hasPart"]) == len(PATHS)
        context = {"=m=a=20b=2520.txt", "./c:d", "\u00fcber/%231%3F.csv", "%5Bx%5D"}
        assert context <= entities.keys()
    before = view(archive.get("urn:x-test:it"))
    with new_archive(tmp_path / "other") as other:
        assert import_package(other, package) == ["urn:x-test:it"]
        assert view(other.get("urn:x-test:it")) == before


def test_a_crate_of_which_little_is_known_has_all_that_a_crate_must(archive: Archive, tmp_path: Path) -> None:
    with archive.new("it") as transaction:
        transaction.add(b"x", "file")
    export(archive, "it", "ro-crate", tmp_path / "crate")
    root = json.loads((tmp_path / "crate/data/ro-crate-metadata.json").read_bytes())["@graph"][1]
    assert root["name"] == "it"
    assert root["license"] == "No licence is stated."
    assert messages(tmp_path / "crate") == []


def messages(package: Path) -> list[str]:
    return [finding.message for finding in validate_path(package)]


def test_a_crate_that_was_taken_in_goes_out_as_it_is(archive: Archive, tmp_path: Path) -> None:
    made = make_crate(tmp_path / "crate")
    text = (made / "ro-crate-metadata.json").read_bytes()
    (id,) = import_package(archive, made)
    export(archive, id, "ro-crate", tmp_path / "out")
    assert (tmp_path / "out/data/ro-crate-metadata.json").read_bytes() == text
    assert messages(tmp_path / "out") == []

"""The registration's layout: keys, documents, and the names that could not be keys as they are."""

from __future__ import annotations

import pytest

from muniment.content import Entry, LogicalPath
from muniment.content.times import seconds
from muniment.layouts.registration import (
    Service,
    container_manifest,
    container_of,
    described,
    failures_key,
    file_key,
    manifest_key,
    metadata_key,
    parity_key,
    parity_metadata_key,
    service_structure,
    structure,
)

SHA = "a" * 64
GITHUB = Service("github", "github", "repo", "github/repo")


def test_the_keys_are_those_of_the_seed() -> None:
    assert file_key(SHA) == f"Files/{SHA}"
    assert metadata_key(SHA) == f"File Metadata/{SHA}.json"
    assert parity_metadata_key(SHA) == f"File Metadata/{SHA}.par2.json"
    assert parity_key(f"{SHA}.vol00+01.par2") == f"Parities/{SHA}.vol00+01.par2"
    assert manifest_key("abc") == "Manifests/abc.manifest.json"
    assert manifest_key("abc", "s3") == "Manifests/abc.s3.manifest.json"
    assert failures_key("abc") == "Manifests/abc.failures.manifest.json"


def test_children_lie_below_their_parents_at_any_depth() -> None:
    assert structure("a") == "Directory Structures/a"
    assert structure("c", ("a", "b")) == "Directory Structures/a/children/b/children/c"


@pytest.mark.parametrize("id", ["abc", "a.github", "a%b", "a.b.c", "a%2Eb"])
def test_a_container_with_a_dot_is_found_again_and_is_nobodys_service(id: str) -> None:
    assert container_of(manifest_key(id)) == id
    assert container_of(manifest_key(id, "github")) is None
    assert container_of(failures_key(id)) is None


def test_a_container_named_as_a_service_of_another_has_a_key_of_its_own() -> None:
    assert manifest_key("a.github") != manifest_key("a", "github")


def test_each_file_has_a_document_below_service_and_resource() -> None:
    found = service_structure("Directory Structures/a", GITHUB, ["README", "src/x.py"])
    top = "Directory Structures/a/github/repo"
    assert found == {"README": f"{top}/README.json", "src/x.py": f"{top}/src/x.py.json"}


def test_a_folder_called_as_a_document_does_not_take_its_place() -> None:
    found = service_structure("D", GITHUB, ["a", "a.json/b", "a~"])
    keys = list(found.values())
    assert len(set(keys)) == 3
    assert not any(other.startswith(f"{key}/") for key in keys for other in keys)


def test_names_too_long_for_a_file_system_are_cut_and_stay_apart() -> None:
    paths = ["x" * 255, "x" * 254 + "y", "/".join(["z" * 200] * 8)]
    keys = service_structure("D", GITHUB, paths).values()
    assert len(set(keys)) == 3
    for key in keys:
        assert len(key.encode()) <= 1024
        assert all(len(segment.encode()) <= 255 for segment in key.split("/"))


def test_a_resource_named_as_the_manifest_leaves_the_manifest_its_place() -> None:
    service = Service("s3", "s3", "manifest.json", "s3/manifest.json")
    (key,) = service_structure("D", service, ["x"]).values()
    assert not key.startswith("D/s3/manifest.json/")


def test_a_folder_with_slashes_is_a_path_and_climbs_nowhere() -> None:
    service = Service("dropbox", "dropbox", "/photos/../2019/", "dropbox/photos/2019")
    assert service_structure("D", service, ["x"]) == {"x": "D/dropbox/photos/2019/x.json"}


def test_versions_stand_with_the_file_they_are_of() -> None:
    other = "b" * 64
    entries = [
        Entry(LogicalPath.parse("github/repo/data.csv"), 3, {"sha256": SHA}, "2020-01-01T00:00:00Z"),
        Entry(LogicalPath.parse("github/repo/@versions/data.csv/v%2F1"), 2, {"sha256": other}),
        Entry(LogicalPath.parse("github/repo/@versions/gone.csv/1"), 2, {"sha256": other}),
        Entry(LogicalPath.parse("s3/bucket/elsewhere"), 1, {"sha256": SHA}),
    ]
    found = described(GITHUB, entries, {SHA: "m", other: "n"}, "2024-01-01T00:00:00Z")
    by_path = {each.path: each.as_json() for each in found}
    assert set(by_path) == {"data.csv", "@versions/gone.csv/1"}
    assert by_path["data.csv"] == {
        "name": "data.csv",
        "path": "data.csv",
        "md5": "m",
        "sha256": SHA,
        "size": 3,
        "lastModified": 1577836800,
        "versions": {"v/1": other},
    }
    assert by_path["@versions/gone.csv/1"]["lastModified"] == seconds("2024-01-01T00:00:00Z")


def test_the_container_manifest_has_the_fields_of_the_original() -> None:
    about = {"id": "a", "title": "T", "contributors": ["x"], "secret": "no"}
    found = container_manifest(about, "2024-01-01T00:00:00+00:00", {}, {}, {"provider": "s3", "container": "b"})
    assert found == {
        "metadata": {"id": "a", "title": "T", "description": None, "contributors": ["x"], "archivedOn": "1704067200"},
        "services": {},
        "children": {},
        "storedAt": {"provider": "s3", "container": "b"},
    }

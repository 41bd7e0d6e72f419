"""Storage roots as other programs make them, and objects with more in them than versions."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from muniment.content import Finding
from muniment.errors.archive import PackageRefused
from muniment.errors.content import DigestMismatch
from muniment.validation import validate_path
from muniment.workflows.imports import import_package
from tests.acceptance.exchange.making import new_archive
from tests.format.bags import make_bag, pack
from tests.format.objects import make_object, make_root, put


def codes(path: Path, profile: str | None = None) -> set[str]:
    return {finding.code for finding in validate_path(path, profile=profile)}


def test_a_copy_of_the_specification_in_the_root_is_no_fault(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", "1.1")
    for name in ("ocfl_1.1.md", "ocfl_1.1.txt", "README"):
        put(root, name, "text")
    assert codes(root) == set()


def test_an_id_that_is_there_twice_is_told(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", "1.1")
    first = next(path.parent for path in sorted(root.rglob("0=ocfl_object_*")))
    shutil.copytree(first, first.parent / "again")
    assert "E037" in codes(root)


@pytest.mark.parametrize("extension", ["0003-hash-and-id-n-tuple-storage-layout", "0004-hashed-n-tuple-storage-layout"])
def test_an_object_lies_where_the_layout_puts_it(tmp_path: Path, extension: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "0=ocfl_1.1").write_text("ocfl_1.1\n")
    put(root, "ocfl_layout.json", json.dumps({"extension": extension, "description": "x"}))
    made = make_object(tmp_path / "object")
    identifier = json.loads((made / "inventory.json").read_text())["id"]
    from muniment.validation.ocfl.layouts import read_layout

    place = read_layout(str(root))
    assert place is not None
    shutil.copytree(made, root / place(identifier))
    assert codes(root) == set()
    shutil.move(root / place(identifier), root / "elsewhere")
    assert "O501" in codes(root)


def test_the_examples_of_the_layouts_come_out_as_they_are_published(tmp_path: Path) -> None:
    from muniment.validation.ocfl.layouts import read_layout

    put(tmp_path, "ocfl_layout.json", json.dumps({"extension": "0003-hash-and-id-n-tuple-storage-layout"}))
    place = read_layout(str(tmp_path))
    assert place is not None
    assert place("object-01") == "3c0/ff4/240/object-01"
    assert place("..hor/rib:le-$id") == "487/326/d8c/%2e%2ehor%2frib%3ale-%24id"


def test_what_lies_beside_the_versions_is_kept_and_told(tmp_path: Path) -> None:
    made = make_object(tmp_path / "object")
    put(made, "logs/run.log", "a log")
    put(made, "extensions/0005-mutable-head/head/inventory.json", "{}")
    put(made, "extensions/0005-mutable-head/head/content/r1/b", "only here")
    told: list[Finding] = []
    with new_archive(tmp_path / "archive") as archive:
        (id,) = import_package(archive, made, notice=told.append)
        taken = archive.get(id)
        assert taken.read("ocfl-object/logs/run.log") == b"a log"
        assert taken.read("ocfl-object/extensions/0005-mutable-head/head/content/r1/b") == b"only here"
    assert "O502" in {finding.code for finding in told}


def staged(made: Path, content: bytes, promised: bytes) -> Path:
    inventory = json.loads((made / "inventory.json").read_text())
    number = int(inventory["head"][1:]) + 1
    place = "extensions/0005-mutable-head/head/content/r1/b"
    put(made, place, content.decode())
    digest = hashlib.new(inventory["digestAlgorithm"], promised).hexdigest()
    inventory["manifest"][digest] = [place]
    inventory["versions"][f"v{number}"] = {**inventory["versions"][inventory["head"]], "state": {digest: ["b"]}}
    inventory["head"] = f"v{number}"
    put(made, "extensions/0005-mutable-head/head/inventory.json", json.dumps(inventory))
    return made


def test_staged_changes_are_a_version_when_asked_for(tmp_path: Path) -> None:
    made = staged(make_object(tmp_path / "object"), b"only here", b"only here")
    number = json.loads((made / "inventory.json").read_text())["head"][1:]
    with new_archive(tmp_path / "archive") as archive:
        (id,) = import_package(archive, made, staged=True)
        taken = archive.get(id)
        assert taken.number == int(number) + 1
        assert {path: taken.read(path) for path in taken} == {"b": b"only here"}


def test_staged_changes_that_are_damaged_are_refused(tmp_path: Path) -> None:
    made = staged(make_object(tmp_path / "object"), b"damaged", b"only here")
    with new_archive(tmp_path / "archive") as archive:
        with pytest.raises(DigestMismatch):
            import_package(archive, made, staged=True)
        assert list(archive) == []


@pytest.mark.parametrize("path", ["../../../outside", "/etc/hostname", "extensions/0005-mutable-head/head/gone", "x/y"])
def test_staged_changes_that_name_files_elsewhere_are_refused(tmp_path: Path, path: str) -> None:
    made = staged(make_object(tmp_path / "object"), b"x", b"x")
    place = made / "extensions/0005-mutable-head/head/inventory.json"
    text = place.read_text().replace("extensions/0005-mutable-head/head/content/r1/b", path)
    place.write_text(text)
    with new_archive(tmp_path / "archive") as archive:
        with pytest.raises(PackageRefused):
            import_package(archive, made, staged=True)
        assert list(archive) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1, "versions": []}'])
def test_staged_changes_without_a_readable_inventory_are_refused(tmp_path: Path, text: str) -> None:
    made = make_object(tmp_path / "object")
    put(made, "extensions/0005-mutable-head/head/inventory.json", text)
    with new_archive(tmp_path / "archive") as archive, pytest.raises(PackageRefused):
        import_package(archive, made, staged=True)


BTR = "Source-Organization: We\nBagging-Date: 2026-01-01\n"


def test_the_profiles_that_come_with_muniment_are_known_by_name(tmp_path: Path) -> None:
    identifier = "https://github.com/dpscollaborative/btr_bagit_profile/releases/download/1.0/btr-bagit-profile.json"
    bag = make_bag(tmp_path / "bag", info=f"{BTR}BagIt-Profile-Identifier: {identifier}\n")
    assert codes(bag, profile="btr") == set()
    assert codes(pack(bag, "bag.tar"), profile="btr") == set()
    assert {"B061", "B065", "B070", "B071"} <= codes(bag, profile="aptrust")
    assert codes(bag, profile="nobody's") == {"B904"}


def test_a_file_can_stand_for_a_uri(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag", info="BagIt-Profile-Identifier: https://example.org/p?v=1\n")
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"BagIt-Profile-Info": {"BagIt-Profile-Identifier": "another"}}))
    assert codes(bag, profile=f"https://example.org/p?v=1={profile}") == set()
    assert codes(bag, profile=str(profile)) == {"B061"}

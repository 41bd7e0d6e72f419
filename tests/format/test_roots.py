"""Storage roots as other programs make them, and objects with more in them than versions."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from muniment.content import Finding, Severity
from muniment.errors.archive import PackageRefused
from muniment.errors.content import DigestMismatch
from muniment.validation import validate_path
from muniment.validation.ocfl.layouts import read_layout
from muniment.workflows.imports import import_package
from tests.acceptance.exchange.making import judged_by_ocfl, new_archive, views
from tests.format.bags import make_bag, pack
from tests.format.objects import bad_ocfl, edit, load, make_object, make_root, put, save, staged


def codes(path: Path, profile: str | None = None) -> set[str]:
    return {finding.code for finding in validate_path(path, profile=profile)}


def test_a_copy_of_the_specification_in_the_root_is_no_fault(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", "1.1")
    for name in ("ocfl_1.1.md", "ocfl_1.1.txt", "README"):
        put(root, name, "text")
    assert {(finding.code, finding.severity) for finding in validate_path(root)} == {("O802", Severity.NOTE)}


def test_what_a_root_has_beside_its_objects_is_told_on_import(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", "1.1")
    layout = "0003-hash-and-id-n-tuple-storage-layout"
    put(root, "ocfl_layout.json", json.dumps({"extension": layout, "description": "x"}))
    put(root, f"extensions/{layout}/config.json", json.dumps({"extensionName": layout}))
    for name in ("README", "extensions/0008-schema-registry/notes.txt", f"extensions/{layout}/other.txt"):
        put(root, name, "text")
    made = next(path.parent for path in sorted(root.rglob("0=ocfl_object_*")))
    found = read_layout(os.fspath(root))
    assert found
    assert found.place
    place = found.place(load(made)["id"])
    (root / place).parent.mkdir(parents=True)
    shutil.move(made, root / place)
    shutil.rmtree(root / made.relative_to(root).parts[0])
    told: list[Finding] = []
    with new_archive(tmp_path / "archive") as archive:
        import_package(archive, root, notice=told.append)
    assert [finding.where for finding in told if finding.code == "O802"] == [
        "README", f"extensions/{layout}/other.txt", "extensions/0008-schema-registry/notes.txt",
    ]  # fmt: skip


def test_a_folder_beside_the_content_of_a_version_is_kept(tmp_path: Path) -> None:
    made = make_object(tmp_path / "object", [{"a": b"1"}, {"b": b"2"}])
    put(made, "v1/notes/of/mine.txt", "x")
    put(made, "v2/content-of-others/y", "y")
    with new_archive(tmp_path / "archive") as archive:
        (id,) = import_package(archive, made)
        taken = archive.get(id)
        assert {path: taken.read(path) for path in taken} == {
            "b": b"2",
            "ocfl-object/v1/notes/of/mine.txt": b"x",
            "ocfl-object/v2/content-of-others/y": b"y",
        }


def test_an_id_that_is_there_twice_is_told(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", "1.1")
    first = next(path.parent for path in sorted(root.rglob("0=ocfl_object_*")))
    shutil.copytree(first, first.parent / "again")
    assert "E037" in codes(root)


LAYOUT = "{}-storage-layout"
EXAMPLES = [
    ("0002-flat-direct", {}, {"object-01": "object-01"}),
    ("0003-hash-and-id-n-tuple", {}, {
        "object-01": "3c0/ff4/240/object-01",
        "..hor/rib:le-$id": "487/326/d8c/%2e%2ehor%2frib%3ale-%24id",
    }),
    ("0003-hash-and-id-n-tuple", {"digestAlgorithm": "md5", "tupleSize": 2, "numberOfTuples": 15}, {
        "object-01": "ff/75/53/44/92/48/5e/ab/b3/9f/86/35/67/28/88/object-01",
    }),
    ("0004-hashed-n-tuple", {}, {
        "object-01": "3c0/ff4/240/3c0ff4240c1e116dba14c7627f2319b58aa3d77606d0d90dfc6161608ac987d4",
    }),
    ("0004-hashed-n-tuple", {
        "digestAlgorithm": "md5", "tupleSize": 2, "numberOfTuples": 15, "shortObjectRoot": True,
    }, {"object-01": "ff/75/53/44/92/48/5e/ab/b3/9f/86/35/67/28/88/4e"}),
    ("0006-flat-omit-prefix", {"delimiter": ":"}, {
        "namespace:12887296": "12887296",
        "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66": "6e8bc430-9c3a-11d9-9669-0800200c9a66",
    }),
    ("0006-flat-omit-prefix", {"delimiter": "EDU/"}, {"https://institution.edu/abc/edu/f8.05v": "f8.05v"}),
    ("0007-n-tuple-omit-prefix", {"tupleSize": 4, "numberOfTuples": 2, "reverseObjectRoot": True}, {
        "namespace:12887296": "6927/8821/12887296",
        "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66": "66a9/c002/6e8bc430-9c3a-11d9-9669-0800200c9a66",
        "abc123": "321c/ba00/abc123",
    }),
    ("0007-n-tuple-omit-prefix", {"delimiter": "edu/", "zeroPadding": "right"}, {
        "https://institution.edu/3448793": "344/879/300/3448793",
        "https://institution.edu/abc/edu/f8.05v": "f8./05v/000/f8.05v",
    }),
    ("0010-differential-n-tuple-omit-prefix", {}, {
        "druid:gh875jh5489": "gh/875/jh/5489",
        "namespace:11887296672": "11/887/29/6672",
        "urn:nbn:fi:111-0023815": "11/1-0/02/3815",
        "abc123xyz89": "ab/c12/3x/yz89",
    }),
    ("0010-differential-n-tuple-omit-prefix", {
        "delimiter": "edu/", "tupleSegmentSizes": [3, 4], "fullIdentifierAsObjectRoot": True,
    }, {"https://institution.edu/3448793": "344/8793/3448793"}),
    ("0011-direct-clean-path", {"numberOfFallbackTuples": 2}, {
        "..hor_rib:l\u00e9-$id": "..hor_rib_l\u00e9-$id",
        "info:fedora/object-01": "info_fedora/object-01",
        '~ info:fedora/-obj#ec@t-"01 ': "info_fedora/obj_ec_t-_01",
        "/test/ ~/.../blah": "test/_../blah",
        "https://hdl.handle.net/XXXXX/test/bl ah": "https_/hdl.handle.net/XXXXX/test/bl ah",
        " ".join(["abcdefghijabcdefghij"] * 13): "fallback/0/e/0eafabb38fa7f1583d1461afe980ebdc",
    }),
    ("0011-direct-clean-path", {
        "encodeUTF": True, "fallbackDigestAlgorithm": "sha512", "numberOfFallbackTuples": 2,
    }, {
        "object=u123a-01": "object=u003Du123a-01",
        "object=u13a-01": "object=u13a-01",
        '~ info:fedora/-obj#ec@t-"01 ': "=u007E=u0020info=u003Afedora/-obj=u0023ec=u0040t-=u002201=u0020",
        "/test/ ~/.../blah": "test/=u0020~/=u002E../blah",
        " ".join(["abcdefghijabcdefghij"] * 13): (
            "fallback/b/8/b8acda4abac53237afa03d6bbb078e1bf46b40438bb256df79b8d9ff0e57b32a"
            "688156ad21755363ea19953c160c4dd6d4db175b71e9aa87d68937181a9f69d/9"
        ),
    }),
    ("0012-hash-and-no-prefix-id-n-tuple", {"digestAlgorithm": "md5", "tupleSize": 2, "numberOfTuples": 15,
                                           "delimiters": ["/"]}, {
        "object-01": "ff/75/53/44/92/48/5e/ab/b3/9f/86/35/67/28/88/object-01",
        "..hor/rib:le-$id": "5d/6e/4e/8c/b5/cd/0c/7a/8f/bf/65/c1/29/51/27/rib%3ale-%24id",
    }),
    ("0012-hash-and-no-prefix-id-n-tuple", {"tupleSize": 0, "numberOfTuples": 0, "delimiters": ["c", "d"]}, {
        "abcd": "d", "abcdd": "d", "d": "d",
    }),
]  # fmt: skip
"""Ids and their places as the extensions' own pages give them."""


def with_layout(root: Path, name: str, parameters: object) -> Path:
    """A root of a layout with these parameters and without objects."""
    extension = LAYOUT.format(name).replace("path-storage", "path")
    put(root, "0=ocfl_1.1", "ocfl_1.1\n")
    put(root, "ocfl_layout.json", json.dumps({"extension": extension, "description": "x"}))
    if parameters:
        put(root, f"extensions/{extension}/config.json", json.dumps(parameters))
    return root


@pytest.mark.parametrize(("name", "parameters", "places"), EXAMPLES)
def test_an_object_lies_where_the_layout_puts_it(
    tmp_path: Path, name: str, parameters: dict[str, object], places: dict[str, str]
) -> None:
    for number, (identifier, place) in enumerate(places.items()):
        root = with_layout(tmp_path / str(number), name, parameters)
        made = make_object(tmp_path / "object", [{"a": b"a"}])
        for folder in (made, made / "v1"):
            save(folder, {**load(folder), "id": identifier})
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, root / place)
        assert codes(root) <= {"W005"}, identifier
        shutil.move(root / place, root / "elsewhere")
        shutil.rmtree(root / place.partition("/")[0], ignore_errors=True)
        assert "O501" in codes(root)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("0003-hash-and-id-n-tuple", {"digestAlgorithm": "crc32"}),
        ("0003-hash-and-id-n-tuple", {"tupleSize": 0}),
        ("0004-hashed-n-tuple", {"tupleSize": 32, "numberOfTuples": 3}),
        ("0004-hashed-n-tuple", {"tupleSize": 32, "numberOfTuples": 2, "shortObjectRoot": True}),
        ("0004-hashed-n-tuple", {"tupleSize": True}),
        ("0006-flat-omit-prefix", {}),
        ("0006-flat-omit-prefix", {"delimiter": ""}),
        ("0007-n-tuple-omit-prefix", {"zeroPadding": "both"}),
        ("0010-differential-n-tuple-omit-prefix", {"tupleSegmentSizes": [2, "3"]}),
        ("0011-direct-clean-path", {"maxPathSegmentLen": 0}),
        ("0012-hash-and-no-prefix-id-n-tuple", {"delimiters": [""]}),
        ("0012-hash-and-no-prefix-id-n-tuple", [1]),
    ],
)
def test_where_the_parameters_cannot_be_used_there_is_no_telling(tmp_path: Path, name: str, parameters: object) -> None:
    assert codes(with_layout(tmp_path / "root", name, parameters)) == {"O904"}


def test_an_object_that_the_layout_has_no_place_for_is_told(tmp_path: Path) -> None:
    root = with_layout(tmp_path / "root", "0010-differential-n-tuple-omit-prefix", {})
    make_object(root / "ur")
    assert codes(root) == {"O503"}


@pytest.mark.parametrize(("size", "expected"), [("6", set()), ("7", {"E093"}), ("06", {"E057"}), ("six", {"E057"})])
def test_sizes_in_the_fixity_block_are_compared(tmp_path: Path, size: str, expected: set[str]) -> None:
    made = make_object(tmp_path / "object")
    edit(made, lambda inventory: inventory.update(fixity={"size": {size: ["v1/content/a.txt"]}}))
    found = codes(made)
    assert found - ({"E093"} if "E057" in expected else set()) == expected


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
    for given, said in (("nobody's", "aptrust, "), ("https://example.org/p", "URI=FILE")):
        (finding,) = (each for each in validate_path(bag, profile=given) if each.code == "B904")
        assert finding.failed
        assert said in finding.message


def test_a_file_can_stand_for_a_uri(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag", info="BagIt-Profile-Identifier: https://example.org/p?v=1\n")
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"BagIt-Profile-Info": {"BagIt-Profile-Identifier": "another"}}))
    assert codes(bag, profile=f"https://example.org/p?v=1={profile}") == set()
    assert codes(bag, profile=str(profile)) == {"B061"}


@pytest.mark.parametrize(("listed", "there"), [("caf\u00e9/\u00e9", "cafe\u0301/e\u0301"), ("e\u0301", "\u00e9")])
def test_content_whose_spelling_a_system_changed_is_found_and_taken_in(tmp_path: Path, listed: str, there: str) -> None:
    made = make_object(tmp_path / "object", [{listed: b"x"}, {listed: b"x", "b": b"y"}])
    (made / "v1/content" / there).parent.mkdir(exist_ok=True)
    (made / "v1/content" / listed).rename(made / "v1/content" / there)
    if "/" in listed:
        (made / "v1/content" / listed).parent.rmdir()
    (finding,) = validate_path(made)
    assert (finding.code, finding.failed) == ("O504", False)
    with new_archive(tmp_path / "archive") as archive:
        (id,) = import_package(archive, made)
        assert {path: archive.get(id).read(path) for path in archive.get(id)} == {listed: b"x", "b": b"y"}
    (made / "v1/content" / there).write_bytes(b"other")
    assert codes(made) == {"O504", "E092"}


def test_a_file_that_is_listed_itself_stands_in_for_no_other(tmp_path: Path) -> None:
    made = make_object(tmp_path / "object", [{"\u00e9": b"x", "e\u0301": b"y"}])
    (made / "v1/content/\u00e9").unlink()
    assert codes(made) == {"E092"}


def test_objects_of_an_archive_in_worm_mode_are_judged_and_taken_in(tmp_path: Path) -> None:
    with new_archive(tmp_path / "worm", mode="worm") as archive:
        with archive.new("it") as transaction:
            transaction.add(b"one", "a")
        with archive.get("it", "a") as transaction:
            transaction.replace(b"two", "a")
            transaction.add(b"three", "b")
        before = views(archive, "it")
    root = tmp_path / "worm/objects"
    (made,) = (path.parent for path in root.rglob("0=ocfl_object_*"))
    assert judged_by_ocfl(made) != "", "other programs look at the root's inventory alone"
    for package in (root, made):
        (finding,) = validate_path(package)
        assert (finding.code, finding.failed) == ("O505", False)
        with new_archive(tmp_path / f"from-{package.name[:3]}") as other:
            assert import_package(other, package) == ["it"]
            assert views(other, "it") == before
    content = next((made / "v2/content/data").iterdir())
    content.write_bytes(b"flipped")
    assert "E092" in codes(made)


def test_a_root_that_was_not_updated_is_no_worm_object_unless_all_fits(tmp_path: Path) -> None:
    made = bad_ocfl("O505", tmp_path)
    assert codes(made) == {"O505"}
    inventory = (made / "v2/inventory.json").read_bytes()
    (made / "v2/inventory.json").write_bytes(inventory + b" ")
    assert "E046" in codes(made)
    (made / "v2/inventory.json").write_bytes(inventory)
    for place in (made, made / "v2", made / "v1"):
        save(place, {**load(place), "id": "urn:example:of-somebody-else"})
    assert "E046" in codes(made)

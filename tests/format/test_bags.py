"""Bags, right and wrong: each code has its example, and what is right has no finding."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.content import FINDINGS, Severity
from muniment.content.findings.bagit import BAGIT
from muniment.validation import recognise, validate_path
from tests.format.bags import (
    CODES,
    FILES,
    add,
    bad_bag,
    digest,
    extra,
    listing,
    make_bag,
    make_profile,
    pack,
    seal,
    write,
)


@pytest.mark.parametrize("version", ["0.93", "0.94", "0.95", "0.96", "0.97", "1.0"])
def test_a_valid_bag_of_every_version_has_no_finding(tmp_path: Path, version: str) -> None:
    bag = make_bag(tmp_path / "bag", version=version)
    assert recognise(bag) == "bag"
    assert list(validate_path(bag)) == []


@pytest.mark.parametrize("code", CODES)
def test_the_example_of_each_code_has_that_finding(tmp_path: Path, code: str) -> None:
    case = bad_bag(code, tmp_path)
    findings = list(validate_path(case.path, profile=case.profile))
    assert code in {finding.code for finding in findings}, findings
    for finding in findings:
        assert finding.message
        assert finding.as_json()


def test_every_code_of_the_table_has_an_example() -> None:
    assert {kind.code for kind in BAGIT} == set(CODES), "add the missing example to tests/format/bags.py"


@pytest.mark.parametrize("code", [code for code in CODES if code.startswith("B5")])
def test_a_warning_alone_does_not_fail_a_bag(tmp_path: Path, code: str) -> None:
    case = bad_bag(code, tmp_path)
    assert [finding for finding in validate_path(case.path) if finding.failed] == []


def test_all_findings_are_told_not_only_the_first(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    for name in FILES:
        (bag / name).write_bytes(b"changed")
    (bag / "data/unlisted").write_bytes(b"")
    codes = [finding.code for finding in validate_path(bag)]
    assert codes.count("B024") == len(FILES)
    assert {"B022", "B042"} <= set(codes)


def test_a_finding_says_what_was_expected_and_what_was_found(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    (bag / "data/a.txt").write_bytes(b"Alpha\n")
    (finding,) = (finding for finding in validate_path(bag) if finding.code == "B024")
    assert finding.where == "data/a.txt"
    assert finding.expected == f"sha512:{digest(FILES['data/a.txt'])}"
    assert finding.found == f"sha512:{digest(b'Alpha' + bytes([10]))}"


def test_the_code_of_what_could_not_be_judged_is_not_an_error() -> None:
    assert {str(kind.severity) for code, kind in FINDINGS.items() if code.startswith("B9")} == {"unknown"}


def test_names_with_line_ends_and_percent_signs_are_decoded(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    extra(bag, "data/100%\nsure")
    manifest = (bag / "manifest-sha512.txt").read_text("utf-8").replace("100%\nsure", "100%25%0Asure")
    write(bag, "manifest-sha512.txt", manifest)
    assert [finding.code for finding in validate_path(bag)] == ["B513"]


def test_a_twin_that_is_not_the_same_content_is_missing(tmp_path: Path) -> None:
    bag = listing(make_bag(tmp_path / "bag"), "data/A.txt", b"something else")
    assert "B020" in {finding.code for finding in validate_path(bag)}


def test_a_damaged_link_target_is_told_of_the_link(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    (bag / "data/link").symlink_to("a.txt")
    listing(bag, "data/link", b"not what a.txt holds")
    assert "data/link" in {finding.where for finding in validate_path(bag) if finding.code == "B024"}


@pytest.mark.parametrize("compress", ["", "gz", "bz2", "xz"])
def test_a_tar_of_a_valid_bag_is_valid(tmp_path: Path, compress: str) -> None:
    packed = pack(make_bag(tmp_path / "bag"), f"bag.tar{compress and '.'}{compress}", compress=compress)
    assert recognise(packed) == "packed"
    assert list(validate_path(packed)) == []


def test_a_zip_of_a_valid_bag_is_valid_and_a_changed_one_is_not(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    for name, codes in (("bag.zip", set()), ("bag.z2.zip", {"B024"})):
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            for path in sorted(bag.rglob("*")):
                packed.write(path, path.relative_to(tmp_path))
        assert {finding.code for finding in validate_path(tmp_path / name)} == codes
        (bag / "data/a.txt").write_bytes(b"Alpha\n")


@pytest.mark.parametrize(
    "members",
    [{"/absolute": b"x"}, {"bag/link": None}, {"bag/x": b"1", "bag/./x": b"2"}, {"bag/..\\..\\x": b"x"}],
    ids=["absolute", "link", "twins", "backslashes"],
)
def test_a_tar_that_could_do_harm_is_refused_whole(tmp_path: Path, members: dict[str, bytes | None]) -> None:
    packed = pack(make_bag(tmp_path / "bag"), "bag.tar", members)
    codes = {finding.code for finding in validate_path(packed)}
    assert "B050" in codes
    assert codes <= {"B050", "B051", "B512"}


def test_a_bag_that_meets_its_profile_has_no_finding(tmp_path: Path) -> None:
    info = "BagIt-Profile-Identifier: https://example.org/profile.json\n"
    profile = make_profile(
        tmp_path,
        {
            "Bag-Info": {"contact-name": {"required": True, "values": ["Ann"], "repeatable": False}},
            "Manifests-Required": ["sha512"],
            "Manifests-Allowed": ["sha512", "sha256"],
            "Tag-Manifests-Required": ["sha512"],
            "Tag-Files-Allowed": [],
            "Payload-Files-Allowed": ["data/*"],
            "Serialization": "optional",
            "Accept-Serialization": ["application/x-tar"],
            "Accept-BagIt-Version": ["1.0"],
            "Allow-Fetch.txt": False,
        },
    )
    bag = make_bag(tmp_path / "bag", info=info)
    assert list(validate_path(bag, profile=profile)) == []
    assert list(validate_path(pack(bag, "bag.tar"), profile=profile)) == []


def test_what_is_no_package_is_told_what_it_lacks(tmp_path: Path) -> None:
    assert recognise(tmp_path) is None
    assert {finding.code for finding in validate_path(tmp_path)} == {"B001", "E003", "E063"}
    assert {finding.code for finding in validate_path(tmp_path / "nowhere")} == {"B901"}


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"", "empty"),
        (bytes(10240), "empty"),
        (b"7z\xbc\xaf\x27\x1c", "7z is not read"),
        (b"Dear Ann", "neither tar nor zip"),
    ],
)
def test_a_file_that_is_no_package_is_told_what_it_is(tmp_path: Path, start: bytes, said: str) -> None:
    (tmp_path / "letters.tar").write_bytes(start)
    (finding,) = validate_path(tmp_path / "letters.tar")
    assert (finding.code, finding.failed) == ("B052", True)
    assert said in finding.message


def test_a_name_with_a_backslash_is_read_as_checksum_tools_write_it(tmp_path: Path) -> None:
    bag = bad_bag("B522", tmp_path).path
    (finding,) = (each for each in validate_path(bag) if each.severity is Severity.DEVIATION)
    assert (finding.code, finding.found) == ("B522", "data/c\\d")
    listed = (bag / "manifest-sha512.txt").read_text()
    # Some tools mark the line and leave the name as it is (RFC 8493 §6.1.3: it can be doubled).
    write(bag, "manifest-sha512.txt", listed.replace("c\\\\d", "c\\d"))
    assert {each.code for each in validate_path(bag) if each.severity is not Severity.WARNING} == {"B522"}
    write(bag, "manifest-sha512.txt", listed.replace("c\\\\d", "c\\\\e"))
    assert "B020" in {each.code for each in validate_path(bag)}


@pytest.mark.parametrize(
    ("line", "expected"), [("Note:", {"B510"}), ("Note: ", set()), ("Note:\tx", set()), ("Note:x", {"B510"})]
)
def test_one_white_space_stands_after_the_colon(tmp_path: Path, line: str, expected: set[str]) -> None:
    bag = add(make_bag(tmp_path / "bag"), "bag-info.txt", f"{line}\n")
    assert {each.code for each in validate_path(bag)} == expected


def test_a_manifest_that_cannot_be_read_says_where_and_accuses_no_file(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    listed = (bag / "manifest-sha512.txt").read_bytes()
    write(bag, "manifest-sha512.txt", listed + f"{digest(b'x')}  data/caf".encode() + b"\xe9\n")
    (finding,) = validate_path(bag)
    assert (finding.code, finding.found) == ("B005", "the byte e9 in line 3 is none of a text in utf-8")


def test_a_name_of_another_encoding_on_disk_is_explained(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    os.close(os.open(os.fsencode(bag / "data") + b"/caf\xe9", os.O_CREAT | os.O_WRONLY))
    (finding,) = (each for each in validate_path(bag) if each.code == "B022")
    assert "no UTF-8" in finding.message


def test_backslashes_for_folders_are_explained(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    write(bag, "manifest-sha512.txt", (bag / "manifest-sha512.txt").read_text().replace("/", "\\"))
    messages = [finding.message for finding in validate_path(bag) if finding.code == "B013"]
    assert len(messages) == len(FILES)
    assert all("meant as '/'" in message for message in messages)


def test_a_text_in_utf_16_is_read_as_declared(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    write(bag, "bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-16\n")
    for name in ("bag-info.txt", "manifest-sha512.txt"):
        write(bag, name, (bag / name).read_text("utf-8").encode("utf-16"))
    tags = seal(bag) / "tagmanifest-sha512.txt"
    tags.write_bytes(tags.read_text("utf-8").encode("utf-16"))
    assert list(validate_path(bag)) == []


def test_metadata_may_go_on_over_several_lines(tmp_path: Path) -> None:
    bag = add(make_bag(tmp_path / "bag"), "bag-info.txt", "Note: one\r\n\ttwo\r  three\n")
    assert list(validate_path(bag)) == []


def _second_manifest_of_one_file(bag: Path) -> Path:
    return write(bag, "manifest-sha256.txt", f"{digest(FILES['data/a.txt'], 'sha256')}  data/a.txt\n")


def _tag_manifest_of(bag: Path, *names: str) -> Path:
    lines = [f"{digest((bag / name).read_bytes())}  {name}\n" for name in names]
    (bag / "tagmanifest-sha512.txt").write_text("".join(lines))
    return bag


def _listed_in_one(bag: Path) -> Path:
    _second_manifest_of_one_file(bag)
    extra(bag, "data/c")
    return write(bag, "fetch.txt", "https://example.org/c 6 data/c\n")


VERSIONED: dict[str, tuple[Callable[[Path], Path], set[str], set[str]]] = {
    "a line twice": (lambda bag: listing(bag, "data/a.txt"), {"B501"}, {"B520"}),
    "a file in one manifest of two": (_second_manifest_of_one_file, {"B023"}, set()),
    "a tag manifest without the manifest": (lambda bag: _tag_manifest_of(bag, "bag-info.txt"), {"B017"}, set()),
    "the payload's size twice": (lambda bag: add(bag, "bag-info.txt", "Payload-Oxum: 11.2\n"), {"B043"}, set()),
    "an element twice": (lambda bag: add(bag, "bag-info.txt", "Bag-Size: 1\nBag-Size: 2\n"), {"B511"}, set()),
    "white space before the colon": (lambda bag: add(bag, "bag-info.txt", "Note\t :  wide\n"), {"B510"}, set()),
    "capitals in a manifest's name": (
        lambda bag: seal(Path(shutil.move(bag / "manifest-sha512.txt", bag / "manifest-SHA512.txt")).parent),
        {"B518"},
        set(),
    ),
    "a percent sign as it is": (lambda bag: extra(bag, "data/50%"), {"B519"}, set()),
    "what 1.0 reads as an escape": (lambda bag: extra(bag, "data/50%25"), {"B519"}, set()),
    "fetched, and in one manifest of two": (_listed_in_one, {"B023", "B032"}, set()),
}
"""What a bag has, what is said of it in BagIt 1.0, and what in the versions before it."""


@pytest.mark.parametrize("version", ["0.96", "0.97", "1.0"])
@pytest.mark.parametrize("name", VERSIONED)
def test_a_bag_is_judged_by_the_rules_of_its_version(tmp_path: Path, version: str, name: str) -> None:
    make, now, before = VERSIONED[name]
    bag = make(make_bag(tmp_path / "bag", version=version))
    assert {finding.code for finding in validate_path(bag)} == (now if version == "1.0" else before)


@pytest.mark.parametrize("version", ["0.93", "0.94", "0.95"])
def test_before_096_the_metadata_lay_in_package_info(tmp_path: Path, version: str) -> None:
    bag = make_bag(tmp_path / "bag", version=version)
    assert (bag / "package-info.txt").exists()
    assert [finding.message for finding in validate_path(bag)] == []
    write(bag, "package-info.txt", "Payload-Oxum: 1.1\n")
    assert {finding.code for finding in validate_path(bag)} == {"B042"}


def test_line_ends_in_names_are_escaped_in_every_version(tmp_path: Path) -> None:
    for version in ("0.97", "1.0"):
        bag = make_bag(tmp_path / version, version=version)
        (bag / "data/a\nb").write_bytes(b"x")
        (bag / "bag-info.txt").write_text("Contact-Name: Ann\n")
        listing(bag, "data/a%0Ab", b"x")
        assert {finding.code for finding in validate_path(bag)} <= {"B513"}

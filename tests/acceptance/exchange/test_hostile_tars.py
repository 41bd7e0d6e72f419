"""Tars that are cut off or mean harm: refused whole, and nothing is left of them anywhere."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.content import Finding
from muniment.errors.archive import PackageRefused
from muniment.workflows.export import export
from muniment.workflows.imports import import_package
from tests.acceptance.exchange.making import ID

Spoil = Callable[[tarfile.TarFile], None]


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", data: bytes = b"") -> Spoil:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(data)
        tar.addfile(info, io.BytesIO(data))

    return add


def both(*spoils: Spoil) -> Spoil:
    def add(tar: tarfile.TarFile) -> None:
        for spoil in spoils:
            spoil(tar)

    return add


HOSTILE: dict[str, Spoil] = {
    "absolute name": member("/tmp/muniment-was-here", data=b"x"),
    "climbing name": member("bag/../../muniment-was-here", data=b"x"),
    "parent alone": member(".."),
    "parent folder": member("../", tarfile.DIRTYPE),
    "dot segment": member("bag/./x"),
    "doubled slash": member("bag//x"),
    "symbolic link": member("bag/link", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": member("bag/link", tarfile.LNKTYPE, "../etc/passwd"),
    "hard link to what is not there": member("bag/link", tarfile.LNKTYPE, "bag/nothing"),
    "link, then a file through it": both(
        member("bag/data/l", tarfile.SYMTYPE, "/tmp"), member("bag/data/l/muniment-was-here", data=b"x")
    ),
    "character device": member("bag/null", tarfile.CHRTYPE),
    "block device": member("bag/disk", tarfile.BLKTYPE),
    "pipe": member("bag/pipe", tarfile.FIFOTYPE),
    "contiguous file": member("bag/odd", b"V"),
    "twin": both(member("bag/data/x", data=b"1"), member("bag/data/x", data=b"2")),
    "twin by dot": both(member("bag/data/x", data=b"1"), member("./bag/data/x", data=b"2")),
    "file that is a folder": both(member("bag/data/x", data=b"1"), member("bag/data/x/y", data=b"2")),
    "beside the folder": member("beside", data=b"x"),
    "second folder": member("second/x", data=b"x"),
    "a file the bag does not know": member("bag/data/unknown", data=b"x"),
}


@pytest.fixture
def bag(archive: Archive, tmp_path: Path) -> Path:
    export(archive, ID, "instances", tmp_path / "bag")
    return tmp_path / "bag"


def packed(bag: Path, target: Path, spoil: Spoil | None = None, *, first: bool = False) -> Path:
    with tarfile.open(target, "w") as tar:
        if spoil and first:
            spoil(tar)
        tar.add(bag, "bag")
        if spoil and not first:
            spoil(tar)
    return target


def refused(other: Archive, path: Path) -> str:
    outside = Path("/tmp/muniment-was-here")
    before = sorted(path.parent.iterdir())
    with pytest.raises(PackageRefused) as caught:
        import_package(other, path)
    assert list(other) == []
    assert list((other.path / "staging/open").iterdir()) == []
    assert list((other.path / "staging/scratch").iterdir()) == []
    assert sorted(path.parent.iterdir()) == before
    assert not outside.exists()
    assert "Nothing was taken from it" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_member_refuses_the_whole_tar(
    other: Archive, bag: Path, tmp_path: Path, name: str, first: bool
) -> None:
    refused(other, packed(bag, tmp_path / "hostile.tar", HOSTILE[name], first=first))


def test_the_same_tar_without_harm_is_taken_in(other: Archive, bag: Path, tmp_path: Path) -> None:
    assert import_package(other, packed(bag, tmp_path / "good.tar")) == [ID]


def test_a_tar_cut_anywhere_is_refused(other: Archive, bag: Path, tmp_path: Path) -> None:
    packed(bag, tmp_path / "whole.tar")
    data = (tmp_path / "whole.tar").read_bytes()
    end = len(data.rstrip(b"\0"))
    # What only lacks the two blocks at its end is complete by its manifests, and taken in with a warning.
    with tarfile.open(tmp_path / "whole.tar") as tar:
        listed = max(
            entry.offset_data + entry.size for entry in tar if "/manifest-" in entry.name or "/data/" in entry.name
        )
    cuts = {0, 1, 511, 512, 513, 1024, *range(1536, listed, 9 * 512), *range(2000, end, 7919)}
    for cut in sorted(cuts):
        (tmp_path / "cut.tar").write_bytes(data[:cut])
        refused(other, tmp_path / "cut.tar")


def test_a_compressed_tar_cut_anywhere_is_refused(other: Archive, bag: Path, tmp_path: Path) -> None:
    data = gzip.compress(packed(bag, tmp_path / "whole.tar").read_bytes())
    for cut in (10, len(data) // 3, len(data) - 9, len(data) - 1):
        (tmp_path / "cut.tar.gz").write_bytes(data[:cut])
        refused(other, tmp_path / "cut.tar.gz")


def test_a_damaged_header_or_byte_is_refused(other: Archive, bag: Path, tmp_path: Path) -> None:
    data = bytearray(packed(bag, tmp_path / "whole.tar").read_bytes())
    with tarfile.open(tmp_path / "whole.tar") as tar:
        places = [(entry.offset + 20, entry.offset_data) for entry in tar if entry.isfile()]
    for header, content in places[::4]:
        for place in (header, content):
            if place == content and not data[place]:
                continue  # an empty file: this byte is the next header's or padding
            spoilt = bytearray(data)
            spoilt[place] ^= 0x41
            (tmp_path / "spoilt.tar").write_bytes(spoilt)
            refused(other, tmp_path / "spoilt.tar")


def test_something_after_the_end_is_refused(other: Archive, bag: Path, tmp_path: Path) -> None:
    path = packed(bag, tmp_path / "more.tar")
    path.write_bytes(path.read_bytes() + path.read_bytes())
    assert "after its end" in refused(other, path)


def test_a_size_there_is_no_room_for_is_refused_before_unpacking(other: Archive, tmp_path: Path) -> None:
    info = tarfile.TarInfo("bag/huge")
    info.size = 1 << 60
    (tmp_path / "bomb.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    refused(other, tmp_path / "bomb.tar")


def test_a_sparse_file_is_refused(other: Archive, tmp_path: Path) -> None:
    info = tarfile.TarInfo("bag/sparse")
    info.type = tarfile.GNUTYPE_SPARSE
    (tmp_path / "sparse.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    refused(other, tmp_path / "sparse.tar")


def test_a_name_that_is_not_unicode_is_refused(other: Archive, tmp_path: Path) -> None:
    info = tarfile.TarInfo("bag/caf\udce9")
    raw = info.tobuf(tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape")
    (tmp_path / "latin.tar").write_bytes(raw + bytes(1024))
    assert "UTF-8" in refused(other, tmp_path / "latin.tar")


def test_names_that_other_systems_would_confuse_are_told(other: Archive, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "alike.tar", "w") as tar:
        for name in ("bag/A", "bag/a", "bag/\u00e4", "bag/a\u0308"):
            member(name)(tar)
    told: list[Finding] = []
    with pytest.raises(PackageRefused):
        import_package(other, tmp_path / "alike.tar", notice=told.append)
    assert [finding.where for finding in told if finding.code == "M601"] == ["bag/a", "bag/a\u0308"]

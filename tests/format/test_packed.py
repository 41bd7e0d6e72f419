"""One reader of packed packages: what is valid is taken in, and what means harm costs little."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import re
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.content import Finding
from muniment.errors.archive import PackageRefused
from muniment.validation import validate_path
from muniment.validation.packed import zip as zip_reader
from muniment.workflows.imports import import_package
from tests.acceptance.exchange.making import new_archive
from tests.format.bags import FILES, extra, make_bag, pack, write, zipped

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Make = Callable[[Path], Path]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with new_archive(tmp_path / "archive") as made:
        yield made


def gnu_tar(bag: Path, *options: str) -> Path:
    subprocess.run(["tar", *options, "-cf", "bag.tar", bag.name], cwd=bag.parent, check=True)
    return bag.parent / "bag.tar"


def in_zstd(bag: Path) -> Path:
    packed = pack(bag, "bag.tar")
    (bag.parent / "bag.tar.zst").write_bytes(zstd.compress(packed.read_bytes()))
    return bag.parent / "bag.tar.zst"


def with_one_zero_block(bag: Path) -> Path:
    packed = pack(bag, "bag.tar")
    data = packed.read_bytes().rstrip(b"\0")
    packed.write_bytes(data + bytes(-len(data) % 512) + bytes(512))
    return packed


def sparse(bag: Path) -> Path:
    content = bytes(700_000) + b"x" + bytes(400_000)
    extra(bag, "data/image", content)
    with (bag / "data/image").open("wb") as file:
        file.truncate(len(content))
        file.seek(700_000)
        file.write(b"x")
    return gnu_tar(bag, "-S")


def hard_linked(bag: Path) -> Path:
    extra(bag, "data/same", FILES["data/a.txt"])
    (bag / "data/same").unlink()
    (bag / "data/same").hardlink_to(bag / "data/a.txt")
    return gnu_tar(bag)


def linked(bag: Path) -> Path:
    extra(bag, "data/same", FILES["data/a.txt"])
    (bag / "data/same").unlink()
    (bag / "data/same").symlink_to("a.txt")
    return gnu_tar(bag)


def of_macos(bag: Path) -> Path:
    packed = bag.parent / "bag.zip"
    with zipfile.ZipFile(packed, "w") as out:
        for path in sorted(bag.rglob("*")):
            out.write(path, path.relative_to(bag.parent))
        out.writestr("__MACOSX/bag/data/._a.txt", b"\0\5\x16\7")
    return packed


GOOD: dict[str, Make] = {
    "tar.gz": lambda bag: pack(bag, "bag.tar.gz", compress="gz"),
    "tar.bz2": lambda bag: pack(bag, "bag.tar.bz2", compress="bz2"),
    "tar.xz": lambda bag: pack(bag, "bag.tar.xz", compress="xz"),
    "tar.zst": in_zstd,
    "one zero block": with_one_zero_block,
    "sparse": sparse,
    "hard link": hard_linked,
    "link inside": linked,
    "of macOS": of_macos,
    "names in UTF-8, unmarked": lambda bag: zipped(extra(bag, "data/caf\u00e9.txt"), encoding="utf-8"),
    "names in cp437, unmarked": lambda bag: zipped(extra(bag, "data/caf\u00e9.txt"), encoding="cp437"),
}


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_what_is_valid_is_taken_in_whole(archive: Archive, tmp_path: Path, make: Make) -> None:
    bag = make_bag(tmp_path / "bag")
    packed = make(bag)
    assert [finding.message for finding in validate_path(packed) if finding.failed] == []
    (id,) = import_package(archive, packed)
    taken = archive.get(id)
    payload = {
        str(path.relative_to(bag / "data")): path.read_bytes() for path in bag.rglob("data/**/*") if path.is_file()
    }
    assert {path: taken.read(path) for path in taken} == payload


def encrypted(bag: Path) -> Path:
    packed = zipped(bag, encoding="utf-8")
    data = bytearray(packed.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    packed.write_bytes(data)
    return packed


def with_backslashes(bag: Path) -> Path:
    packed = bag.parent / "bag.zip"
    with zipfile.ZipFile(packed, "w") as out:
        for path in sorted(bag.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo("x")
                info.filename = str(path.relative_to(bag.parent)).replace("/", "\\")
                out.writestr(info, path.read_bytes())
    return packed


def too_many_told(bag: Path) -> Path:
    packed = bag.parent / "many.zip"
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10_000_000, 10_000_000, 46 * 10_000_000, 0)
    packed.write_bytes(b"PK\3\4" + record + struct.pack("<4sIQI", b"PK\6\7", 0, 4, 1) + end)
    return packed


def false_count(bag: Path) -> Path:
    packed = zipped(bag, encoding="utf-8")
    data = bytearray(packed.read_bytes())
    data[-12:-10] = struct.pack("<H", 1)
    packed.write_bytes(data)
    return packed


def overlapping(bag: Path) -> Path:
    packed = zipped(bag, encoding="utf-8")
    data = bytearray(packed.read_bytes())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    data[second + 42 : second + 46] = bytes(4)
    packed.write_bytes(data)
    return packed


def nested(bag: Path) -> Path:
    packed = bag.parent / "bag.tar.gz"
    packed.write_bytes(gzip.compress(gzip.compress(pack(bag, "bag.tar").read_bytes())))
    return packed


def endless(bag: Path) -> Path:
    info = tarfile.TarInfo("bag/huge")
    info.size = 1 << 60
    packed = bag.parent / "bag.tar"
    packed.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    return packed


BAD: dict[str, tuple[Make, str]] = {
    "encrypted": (encrypted, "is encrypted"),
    "backslashes": (with_backslashes, "where zip has '/'"),
    "ten million entries": (too_many_told, "10000000 entries"),
    "a false count": (false_count, "its directory has"),
    "overlapping": (overlapping, "lies over"),
    "compressed twice": (nested, "cannot be unpacked"),
    "endless": (endless, ""),
}


@pytest.mark.parametrize("name", BAD)
def test_what_means_harm_is_refused_by_both_at_little_cost(archive: Archive, tmp_path: Path, name: str) -> None:
    make, words = BAD[name]
    packed = make(make_bag(tmp_path / "bag"))
    tracemalloc.start()
    findings = list(validate_path(packed))
    with pytest.raises(PackageRefused):
        import_package(archive, packed)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50_000_000
    assert any(finding.failed and words in finding.message for finding in findings), findings
    assert os.listdir(archive.path / "staging/open") == []


def in_xz(bag: Path, dictionary: int, streams: int = 1) -> Path:
    chain = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": dictionary}]
    data = pack(bag, "bag.tar").read_bytes()
    part = -(-len(data) // streams)
    pieces = [lzma.compress(data[at : at + part], filters=chain) for at in range(0, len(data), part)]
    # Streams may be padded with zeros, four at a time (The .xz File Format, 2.2).
    (bag.parent / "bag.tar.xz").write_bytes(bytes(8).join(pieces) + bytes(4))
    return bag.parent / "bag.tar.xz"


def zipped_by_lzma(bag: Path, dictionary: int) -> Path:
    packed = bag.parent / "bag.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as out:
        for path in sorted(bag.rglob("*")):
            out.write(path, path.relative_to(bag.parent))
    data = bytearray(packed.read_bytes())
    at = 30 + struct.unpack_from("<H", data, 26)[0] + 5
    data[at : at + 4] = struct.pack("<I", dictionary)
    packed.write_bytes(data)
    return packed


def in_zstd_of_window(bag: Path, log: int) -> Path:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: log,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(pack(bag, "bag.tar").read_bytes()) + compressor.flush()
    (bag.parent / "bag.tar.zst").write_bytes(data)
    return bag.parent / "bag.tar.zst"


HUNGRY: dict[str, Callable[[Path, int], Path]] = {
    "xz": in_xz,
    "xz of several streams": lambda bag, size: in_xz(bag, size, 3),
    "zip": zipped_by_lzma,
    "zstd": lambda bag, size: in_zstd_of_window(bag, size.bit_length() - 1),
}


@pytest.mark.parametrize("name", HUNGRY)
def test_what_would_take_much_memory_to_unpack_is_refused(archive: Archive, tmp_path: Path, name: str) -> None:
    modest = HUNGRY[name](make_bag(tmp_path / "modest/bag"), 64 << 20)
    assert [finding.message for finding in validate_path(modest)] == []
    hungry = HUNGRY[name](make_bag(tmp_path / "hungry/bag"), 1 << 30)
    (finding,) = validate_path(hungry)
    assert finding.code == "B052"
    assert "memory" in finding.message
    with pytest.raises(PackageRefused, match="memory"):
        import_package(archive, hungry)


def test_what_is_packed_and_no_package_is_named_by_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/a.txt").write_bytes(b"x")
    found = list(validate_path(pack(tmp_path / "letters", "letters.tar")))
    assert [finding.where for finding in found] == ["letters/bagit.txt", "letters", "letters/inventory.json"]


def test_a_directory_with_more_entries_than_it_says_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_reader, "MOST_ENTRIES", 3)
    packed = zipped(make_bag(tmp_path / "bag"), encoding="utf-8")
    (finding,) = validate_path(packed)
    assert finding.code == "B052"
    assert "at most 3" in finding.message


def test_an_exported_object_in_a_tar_is_judged(archive: Archive, tmp_path: Path) -> None:
    from muniment.workflows.export import export

    with archive.new("it") as transaction:
        transaction.add(b"x", "plain")
    for name in ("it.tar", "it.zip"):
        export(archive, "it", "ocfl", tmp_path / name)
        assert [finding.code for finding in validate_path(tmp_path / name)] == []


def test_a_storage_root_is_taken_in_whole_or_not_at_all(tmp_path: Path, archive: Archive) -> None:
    with new_archive(tmp_path / "from") as source:
        for id in ("one", "two"):
            with source.new(id) as transaction:
                transaction.add(id.encode(), "file")
    with archive.new("two") as transaction:
        transaction.add(b"mine", "file")
    with pytest.raises(Exception, match="two"):
        import_package(archive, tmp_path / "from/objects")
    assert list(archive) == ["two"]


def test_every_warning_is_told_on_import(archive: Archive, tmp_path: Path) -> None:
    told: list[Finding] = []
    import_package(archive, with_one_zero_block(make_bag(tmp_path / "bag")), notice=told.append)
    assert [finding.code for finding in told] == ["B514"]


def test_what_macos_adds_to_each_file_is_told_once(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    packed = pack(bag, "bag.tar")
    with tarfile.open(packed, "a") as tar:
        for path in FILES:
            entry = tarfile.TarInfo(f"bag/{path.rpartition('/')[0]}/._{path.rpartition('/')[2]}")
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"\0\5\x16\7"))
    (finding,) = validate_path(packed)
    assert finding.where == "bag/data/._a.txt"
    assert "and 1 further one" in finding.message


def _spoilt(packed: Path, at: float, change: bytes = b"\xff\xfe\xfd") -> Path:
    data = bytearray(packed.read_bytes())
    place = int(len(data) * at)
    data[place : place + len(change)] = change
    packed.write_bytes(data)
    return packed


def _zip_with(method: int) -> Make:
    def make(bag: Path) -> Path:
        packed = zipped(bag, encoding="utf-8")
        data = bytearray(packed.read_bytes())
        for mark, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
            at = data.index(mark)
            data[at + offset : at + offset + 2] = struct.pack("<H", method)
        packed.write_bytes(data)
        return packed

    return make


def _as_zstd(bag: Path) -> Path:
    packed = bag.parent / "bag.tar.zst"
    packed.write_bytes(zstd.compress(pack(bag, "bag.tar").read_bytes()))
    return _spoilt(packed, 0.5)


SPOILT: dict[str, Make] = {
    "gzip": lambda bag: _spoilt(pack(bag, "bag.tar.gz", compress="gz"), 0.5),
    "gzip's sum": lambda bag: _spoilt(pack(bag, "bag.tar.gz", compress="gz"), 0.99),
    "bzip2": lambda bag: _spoilt(pack(bag, "bag.tar.bz2", compress="bz2"), 0.5),
    "xz": lambda bag: _spoilt(pack(bag, "bag.tar.xz", compress="xz"), 0.5),
    "zstd": _as_zstd,
    "a sum in a zip": lambda bag: _spoilt(zipped(bag, encoding="utf-8"), 0.02, b"PK\3\4" + bytes(10) + b"\1"),
    "an unknown method": _zip_with(99),
    "a method that is not": _zip_with(9),
    "a tag file": lambda bag: write(bag, "bag-info.txt", b"Contact-Name: \xff\xfe\n"),
}
LIBRARIES = re.compile(
    r"codec|zlib\.|lzma\.|bz2\.[a-z]|Error -?\d|CRC|decompress|Expecting|char \d|BadZip|pass(word)? required|"
    r"not supported|NotImplemented|stream marker|Invalid data|object at 0x|<class|File is not|magic number"
)


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_damaged_is_said_in_words_of_ours(tmp_path: Path, name: str) -> None:
    findings = [finding for finding in validate_path(SPOILT[name](make_bag(tmp_path / "bag"))) if finding.failed]
    assert findings
    assert [finding.message for finding in findings if LIBRARIES.search(finding.message)] == []

"""Programs that are not ours list and unpack the archives identically: the judges of the format."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from muniment.layouts.streams import Framing, Member, Plan, TarPlan, ZipPlan

from .making import member

ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
MODIFIED = 1_700_000_000
NAMES = [
    "a.txt",
    "folder/with space/b (1).txt",
    "été/日本語/😀.json",
    "e\u0301 is not \u00e9",
    "n" * 100,
    "m" * 101,
    "f" * 155 + "/" + "g" * 100,
    "f" * 156 + "/" + "g" * 100,
    "deep/" * 40 + "leaf",
    "http%3A%2F%2Flocalhost%2F" + "x" * 180 + ".json",
    "-rf",
    "--help",
    "quote'and\"double",
    "star*question?[set]",
    "semi;colon:pipe|",
    ".hidden",
    "...",
    "trailing dot.",
    "%s%d",
]

_part = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Zl", "Zp"], exclude_characters="/\\"),
    min_size=1,
    max_size=60,
).filter(lambda text: text not in {".", ".."} and len(text.encode()) <= 255)


def _need(program: str) -> str:
    path = shutil.which(program)
    assert path, f"{program} is needed as a judge of the archives: install it (see CONTRIBUTING)"
    return path


def _run(*command: object) -> bytes:
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, (command, done.stdout[-500:], done.stderr[-500:])
    return done.stdout


def _write(plan: Plan, path: Path) -> Path:
    with path.open("wb") as handle:
        handle.writelines(plan.read())
    assert path.stat().st_size == plan.length
    return path


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _composed(files: Iterable[str]) -> list[str]:
    """The names as NFC: bsdtar composes names when it lists and unpacks, whatever the archive says."""
    return sorted(unicodedata.normalize("NFC", name) for name in files)


def _example() -> dict[str, bytes]:
    return {name: f"{number} ".encode() * number * 97 for number, name in enumerate(NAMES)}


def _plan(kind: type[Plan], files: dict[str, bytes]) -> Plan:
    return kind([member(name, data, modified=MODIFIED) for name, data in files.items()])


def test_gnu_tar_unpacks_equal_bytes(tmp_path: Path) -> None:
    path = _write(_plan(TarPlan, _example()), tmp_path / "x.tar")
    listed = _run(_need("tar"), "--quoting-style=literal", "-tf", path).decode().splitlines()
    assert listed == sorted(NAMES)
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [_need("tar"), "-xf", path, "-C", tmp_path / "out"], capture_output=True, check=True, env=ENVIRONMENT
    )
    assert done.stderr == b""
    assert _files(tmp_path / "out") == _example()


@pytest.mark.parametrize("kind", [TarPlan, ZipPlan])
def test_bsdtar_unpacks_equal_bytes(kind: type[Plan], tmp_path: Path) -> None:
    path = _write(_plan(kind, _example()), tmp_path / "x")
    assert _composed(_run(_need("bsdtar"), "-tf", path).decode().splitlines()) == _composed(NAMES)
    (tmp_path / "out").mkdir()
    _run(_need("bsdtar"), "-xf", path, "-C", tmp_path / "out")
    unpacked = _files(tmp_path / "out")
    assert _composed(unpacked) == _composed(NAMES)
    assert sorted(unpacked.values()) == sorted(_example().values())


def test_bsdtar_unpacks_a_zip_from_a_pipe(tmp_path: Path) -> None:
    whole = b"".join(_plan(ZipPlan, _example()).read())
    (tmp_path / "out").mkdir()
    subprocess.run([_need("bsdtar"), "-xf", "-", "-C", tmp_path / "out"], input=whole, check=True, env=ENVIRONMENT)
    unpacked = _files(tmp_path / "out")
    assert _composed(unpacked) == _composed(NAMES)
    assert sorted(unpacked.values()) == sorted(_example().values())


def test_python_tarfile_unpacks_with_the_data_filter(tmp_path: Path) -> None:
    with tarfile.open(_write(_plan(TarPlan, _example()), tmp_path / "x.tar")) as archive:
        assert archive.getnames() == sorted(NAMES)
        for info in archive:
            assert (info.mode, info.uid, info.gid, info.uname, info.gname) == (0o644, 0, 0, "", "")
            assert (info.mtime, info.isreg()) == (MODIFIED, True)
        archive.extractall(tmp_path / "out", filter="data")
    assert _files(tmp_path / "out") == _example()


def test_python_zipfile_tests_the_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(_write(_plan(ZipPlan, _example()), tmp_path / "x.zip")) as archive:
        assert archive.namelist() == sorted(NAMES)
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in NAMES} == _example()
        assert archive.infolist()[0].date_time == (2023, 11, 14, 22, 13, 20)


def test_unzip_unpacks_equal_bytes(tmp_path: Path) -> None:
    path = _write(_plan(ZipPlan, _example()), tmp_path / "x.zip")
    _run(_need("unzip"), "-tq", path)
    _run(_need("unzip"), "-q", path, "-d", tmp_path / "out")
    assert _files(tmp_path / "out") == _example()
    assert {int(path.stat().st_mtime) for path in (tmp_path / "out").rglob("*") if path.is_file()} == {MODIFIED}


@pytest.mark.parametrize("kind", [TarPlan, ZipPlan])
def test_7z_unpacks_equal_bytes(kind: type[Plan], tmp_path: Path) -> None:
    path = _write(_plan(kind, _example()), tmp_path / f"x.{kind.form[:3]}")
    _run(_need("7z"), "t", path)
    _run(_need("7z"), "x", f"-o{tmp_path / 'out'}", path)
    assert _files(tmp_path / "out") == _example()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.lists(_part, min_size=1, max_size=3).map("/".join), st.binary(max_size=2000), min_size=1, max_size=8
    )
)
def test_any_names_are_listed_by_all_readers_alike(files: dict[str, bytes], tmp_path: Path) -> None:
    names = [name for name in files if not any(other.startswith(f"{name}/") for other in files)]
    wanted = {name: files[name] for name in sorted(names)}
    assume(len(set(_composed(wanted))) == len(wanted))
    tar = _write(_plan(TarPlan, wanted), tmp_path / "any.tar")
    zipped = _write(_plan(ZipPlan, wanted), tmp_path / "any.zip")
    assert _run("tar", "--quoting-style=literal", "--show-transformed-names", "-tf", tar).decode().splitlines() == list(
        wanted
    )
    # -P and -V: without them bsdtar drops a leading 'C:' and unzip a trailing ';1', whoever wrote the archive.
    for number, command in enumerate(
        (
            ["tar", "-xf", tar, "-C"],
            ["bsdtar", "-xPf", tar, "-C"],
            ["bsdtar", "-xPf", zipped, "-C"],
            ["unzip", "-qV", zipped, "-d"],
        )
    ):
        out = tmp_path / f"out{number}"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        _run(*command, out)
        unpacked = _files(out)
        assert _composed(unpacked) == _composed(wanted)
        assert sorted(unpacked.values()) == sorted(wanted.values())
        if command[0] != "bsdtar":  # which writes names in its own normal form
            assert unpacked == wanted
    with tarfile.open(tar) as archive:
        assert archive.getnames() == list(wanted)
    with zipfile.ZipFile(zipped) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == wanted
    assert b"Everything is Ok" in _run("7z", "t", zipped)


class _Zeros(io.BytesIO):
    """Many zero bytes without holding them."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left = size

    def read(self, size: int | None = -1) -> bytes:
        size = self.left if size is None else min(self.left, size)
        self.left -= size
        return bytes(size)


def _zeros(size: int, offset: int) -> BinaryIO:
    return _Zeros(size - offset)


def _giants(*sizes: int) -> list[Member]:
    return [Member(f"giant {size}", size, partial(_zeros, size), crc32=7) for size in sizes]


def _sparse(plan: Plan, path: Path) -> Path:
    """Write a plan whose files are all zeros as a sparse file, so that giants cost nothing."""
    with path.open("wb") as handle:
        for part in plan.segments():
            if isinstance(part, Framing):
                handle.write(part.data)
            elif part.stop > 2**20:
                handle.seek(part.stop, os.SEEK_CUR)
            else:
                handle.writelines(part.pieces())
    assert path.stat().st_size == plan.length
    return path


def test_a_file_of_8_gib_and_more_has_its_size_in_a_pax_record(tmp_path: Path) -> None:
    sizes = [8**11 - 1, 8**11, 8**11 + 5]
    path = _sparse(TarPlan([*_giants(*sizes), member("last", b"end")]), tmp_path / "x.tar")
    with tarfile.open(path) as archive:
        assert [(info.name, info.size) for info in archive] == [
            *((f"giant {size}", size) for size in sizes),
            ("last", 3),
        ]
        assert archive.extractfile("last").read() == b"end"  # type: ignore[union-attr]  # it is a regular file
        assert [sorted(info.pax_headers) for info in archive] == [[], ["size"], ["size"], []]
    listed = _run("tar", "-tvf", path).decode().splitlines()
    assert [int(line.split()[2]) for line in listed] == [*sizes, 3]
    assert len(_run("bsdtar", "-tf", path).splitlines()) == len(sizes) + 1


@pytest.mark.parametrize(
    ("modified", "told"), [(-5, 0), (8**11 - 1, 8**11 - 1), (8**11, 8**11 - 1), (8**14, 8**11 - 1)]
)
def test_a_time_that_a_tar_header_cannot_say_is_the_nearest_it_can(tmp_path: Path, modified: int, told: int) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"".join(TarPlan([member("a", b"abc", modified=modified)]).read()))
    with tarfile.open(path) as archive:
        assert [(info.mtime, info.pax_headers) for info in archive] == [(told, {})]


def test_zip64_appears_only_where_a_number_does_not_fit(tmp_path: Path) -> None:
    small = b"".join(ZipPlan([member("a", b"abc")]).read())
    assert b"PK\6\6" not in small
    sizes = [2**32 - 2, 2**32 - 1, 2**32 + 10]
    path = _sparse(ZipPlan([*_giants(*sizes), member("last", b"end")]), tmp_path / "x.zip")
    with zipfile.ZipFile(path) as archive:
        assert [info.file_size for info in archive.infolist()] == [*sizes, 3]
        assert [bool(info.extra[:2] == b"\1\0") for info in archive.infolist()] == [False, True, True, True]
        assert archive.read("last") == b"end"
    listed = _run("unzip", "-l", path).decode()
    assert all(str(size) in listed for size in sizes)
    assert _run("unzip", "-p", path, "last") == b"end"
    assert _run("7z", "e", "-so", path, "last") == b"end"
    assert len(_run("bsdtar", "-tf", path).splitlines()) == len(sizes) + 1


def test_a_zip_of_more_than_65534_members_opens(tmp_path: Path) -> None:
    plan = ZipPlan([member(f"{number:06}") for number in range(65536)])
    path = _write(plan, tmp_path / "x.zip")
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 65536
    assert len(_run("unzip", "-Z1", path).splitlines()) == 65536


def test_a_great_member_of_a_zip_has_a_descriptor_with_eight_byte_sizes() -> None:
    size = 2**32 - 1
    plan = ZipPlan([Member("giant", size, partial(_zeros, size), crc32=7)])
    head, body, tail, *_ = plan.segments()
    assert isinstance(head, Framing)
    assert isinstance(tail, Framing)
    assert head.data[18:26] == b"\xff" * 8
    assert head.data[35:55] == b"\1\0\x10\0" + bytes(16)
    assert tail.data == b"PK\7\x08\7\0\0\0" + 2 * size.to_bytes(8, "little")
    assert not isinstance(body, Framing)

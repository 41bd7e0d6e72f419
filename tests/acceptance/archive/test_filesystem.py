"""What reads by fsspec reads from an archive, of both kinds, and never a damaged byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

import muniment
from muniment.app.filesystem import MunimentFileSystem
from muniment.errors.archive import DamagedFile
from muniment.errors.base import BadInput
from tests.servers.native.running import serving


@pytest.fixture
def place(tmp_path: Path) -> Path:
    with muniment.Archive.init(tmp_path / "archive", redundancy=0, workers=0) as archive:
        with archive.new("a/b@c") as transaction:
            transaction.add(b"x,y\n1,2\n", "in/table.csv")
            transaction.add(b"x,y\n3,4\n", "in/more.csv", modified="2020-01-01T00:00:00Z")
            transaction.add(bytes(range(256)) * 100, "raw.bin")
        with archive.get("a/b@c", "a") as transaction:
            transaction.replace(b"x,y\n5,6\n", "in/table.csv")
    return tmp_path / "archive"


ID = "a%2Fb%40c"


@pytest.fixture(autouse=True)
def let_go(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """fsspec keeps filesystems for the life of the process, which a test is not."""
    made: list[MunimentFileSystem] = []
    begin = MunimentFileSystem.__init__

    def noted(self: MunimentFileSystem, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        made.append(self)

    monkeypatch.setattr(MunimentFileSystem, "__init__", noted)
    yield
    for each in made:
        each.close()


@pytest.fixture(params=["folder", "server"])
def options(place: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, object]]:
    if request.param == "folder":
        yield {"archive": str(place), "skip_instance_cache": True}
        return
    other = tmp_path / "served"
    with serving(other) as server, muniment.Archive(place, workers=0) as here, muniment.Archive(other) as there:
        from muniment.workflows.migrate import migrate

        assert [each.copied for each in migrate(here, there)] == [True]
        yield {"archive": server.url, "key": server.key, "skip_instance_cache": True}


def test_addresses_open_files_of_the_newest_or_an_earlier_instance(options: dict[str, object]) -> None:
    with fsspec.open(f"muniment://{ID}/in/table.csv", "rt", **options) as file:
        assert file.read() == "x,y\n5,6\n"
    with fsspec.open(f"muniment://{ID}@v1/in/table.csv", "rb", **options) as file:
        assert file.readline() == b"x,y\n"
        assert file.seek(-2, 2) == 6
        assert file.read() == b"2\n"
    opened = fsspec.open_files(f"muniment://{ID}/in/*.csv", "rt", **options)
    assert [each.path for each in opened] == [f"{ID}/in/more.csv", f"{ID}/in/table.csv"]


def test_folders_are_listed_and_files_described(options: dict[str, object]) -> None:
    system = fsspec.filesystem("muniment", **options)
    assert system.ls("", detail=False) == [ID]
    assert sorted(system.find("")) == [f"{ID}/in/more.csv", f"{ID}/in/table.csv", f"{ID}/raw.bin"]
    assert [(row["name"], row["type"]) for row in system.ls(ID)] == [
        (f"{ID}/in", "directory"),
        (f"{ID}/raw.bin", "file"),
    ]
    assert system.info(f"{ID}/in/more.csv")["size"] == 8
    assert str(system.modified(f"{ID}/in/more.csv")).startswith("2020-01-01")
    assert system.checksum(f"{ID}/raw.bin").startswith("sha512:")
    assert (system.isdir(f"{ID}/in"), system.isfile(f"{ID}/in"), system.exists(f"{ID}/out")) == (True, False, False)
    assert system.cat_file(f"{ID}/raw.bin", 250, 260) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
    assert dict(system.get_mapper(f"{ID}/in"))["more.csv"] == b"x,y\n3,4\n"
    for wrong in ("unknown/x", f"{ID}/in/none.csv", f"{ID}@v9/raw.bin"):
        with pytest.raises(FileNotFoundError):
            system.open(wrong)
    with pytest.raises(FileNotFoundError):
        system.ls(f"{ID}/nowhere")
    with pytest.raises(BadInput):
        system.open(f"{ID}/new", "wb")


def test_a_damaged_file_is_not_opened(place: Path) -> None:
    system = fsspec.filesystem("muniment", archive=str(place), skip_instance_cache=True)
    with muniment.Archive(place, workers=0) as archive:
        where = archive["a/b@c"].location("raw.bin")
    where.chmod(0o644)
    where.write_bytes(b"x" * where.stat().st_size)
    with pytest.raises(DamagedFile):
        system.open(f"{ID}/raw.bin")

"""Previews of files whose only home is a bucket: they are fetched to be shown, within limits, and let go of again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from muniment import Archive
from muniment.app.bucket import BucketArchive
from muniment.errors.distillery import BadScan
from muniment.server.pages.fetched_files import FetchedFiles
from muniment.testing.keys import FolderKeys
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, serving_bucket


def _png(width: int, height: int, shade: int = 128) -> bytes:
    made = io.BytesIO()
    Image.new("L", (width, height), shade).save(made, "PNG")
    return made.getvalue()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bucket")
    with serving_bucket(FolderKeys(folder / "keys"), folder / "state", serve_work=False) as running:
        with Archive(running.url, key=running.key) as archive, archive.new("shown", "a/b") as made:
            made.metadata["title"] = "In a bucket"
            made.add(_png(5000, 2500), "large.png")
            made.add(_png(300, 200), "small.png")
            made.add(b"a,b\n1,2\n", "table.csv")
            made.add(b"no picture", "none.png")
        yield running


@pytest.fixture(scope="module")
def reader(bucket: Running) -> Visitor:
    return Visitor(bucket.url).sign_in(bucket.key)


def test_the_pages_of_reading_are_the_same_for_a_bucket(reader: Visitor) -> None:
    page = reader.get("/resources/shown?project=a/b")
    assert (page.status, page.heading) == (200, "In a bucket")
    for path in ("/", "/find?q=bucket", "/projects/a/b", "/resources/shown/choose?project=a/b", "/events"):
        assert reader.get(path).status == 200, path
    assert "1" in reader.get("/resources/shown/files/table.csv?project=a/b").words


def test_a_large_picture_in_a_bucket_is_shown_whole_small_and_part_by_part(reader: Visitor) -> None:
    page = reader.get("/resources/shown/files/large.png?project=a/b")
    source = page.page.the("img").attributes["src"]
    assert Image.open(io.BytesIO(reader.get(source).body)).size == (1600, 800)
    small = reader.get("/resources/shown/picture/large.png?project=a/b&small=1")
    assert max(Image.open(io.BytesIO(small.body)).size) == 192
    part = reader.get("/resources/shown/tile/large.png?project=a/b&level=13&x=1&y=1")
    assert Image.open(io.BytesIO(part.body)).size == (512, 512)


def test_what_is_no_picture_is_not_found_and_never_refused(reader: Visitor) -> None:
    assert reader.get("/resources/shown/picture/none.png?project=a/b").status == 404
    assert reader.get("/resources/shown/tile/none.png?project=a/b&level=1&x=0&y=0").status == 404
    page = reader.get("/resources/shown/files/none.png?project=a/b")
    assert (page.status, list(page.page.every("img"))) == (200, [])


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[BucketArchive]:
    with BucketArchive.make(FolderKeys(tmp_path / "keys"), tmp_path / "state", workers=0) as archive:
        with archive.new("one") as made:
            for number in range(4):
                made.add(bytes([number]) * 1000, f"{number}.bin")
        yield archive


def test_only_so_much_is_kept_and_nothing_that_is_being_read_is_removed(archive: BucketArchive) -> None:
    found, fetched = archive.instance("one"), FetchedFiles(kept=2500, largest=1000)
    with fetched.open(found, found["0.bin"]) as first:
        for number in (1, 2, 3):
            with fetched.open(found, found[f"{number}.bin"]) as place:
                assert place.read_bytes() == bytes([number]) * 1000
        assert first.read_bytes() == bytes(1000)
        assert sorted(path.stat().st_size for path in first.parent.iterdir()) == [1000, 1000]
        with fetched.open(found, found["0.bin"]) as again:
            assert again == first
    fetched.close()
    assert not first.parent.exists()


def test_a_file_that_is_too_large_or_damaged_is_not_fetched(archive: BucketArchive, tmp_path: Path) -> None:
    found, fetched = archive.instance("one"), FetchedFiles(largest=999)
    with pytest.raises(BadScan, match="1000 bytes"), fetched.open(found, found["0.bin"]):
        pass
    for place in (tmp_path / "keys").rglob("*"):
        if place.is_file() and place.read_bytes() == b"\1" * 1000:
            place.chmod(0o600)
            place.write_bytes(b"\2" * 1000)
    fetched = FetchedFiles()
    for _ in range(2):
        with pytest.raises(BadScan, match="not what was recorded"), fetched.open(found, found["1.bin"]):
            pass
    fetched.close()

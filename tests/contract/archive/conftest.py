"""The four kinds of archive every test of this folder is run against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment import Archive
from muniment.app.bucket import BucketArchive
from muniment.testing.keys import FolderKeys
from tests.servers.native.running import serving, serving_bucket


@pytest.fixture(params=["a folder", "a server"])
def on_a_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """What a bucket does not do: parity, and judging what a server or a disk holds."""
    yield from _archive(str(request.param), tmp_path)


@pytest.fixture(params=["a folder", "a server", "a bucket", "a server on a bucket"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    yield from _archive(str(request.param), tmp_path)


def _archive(kind: str, tmp_path: Path) -> Iterator[Any]:
    place = tmp_path / "archive"
    if kind == "a folder":
        with Archive.init(place, workers=0) as found:
            yield found
        return
    if kind == "a bucket":
        with BucketArchive.make(FolderKeys(place), tmp_path / "state", workers=0) as found:
            yield found
        return
    if kind == "a server on a bucket":
        with (
            serving_bucket(FolderKeys(place), tmp_path / "state") as server,
            Archive(server.url, key=server.key) as found,
        ):
            yield found
        return
    with serving(place) as server, Archive(server.url, key=server.key) as found:
        yield found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the archive's folder holds, to see that nothing changed."""
    return tmp_path / "archive" / "objects"

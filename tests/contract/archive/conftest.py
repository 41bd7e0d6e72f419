"""The two kinds of archive every test of this folder is run against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment import Archive
from tests.servers.native.running import serving


@pytest.fixture(params=["a folder", "a server"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    place = tmp_path / "archive"
    if request.param == "a folder":
        with Archive.init(place, workers=0) as found:
            yield found
        return
    with serving(place) as server, Archive(server.url, key=server.key) as found:
        yield found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the archive's folder holds, to see that nothing changed."""
    return tmp_path / "archive" / "objects"

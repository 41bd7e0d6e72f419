"""What the tests of the archive share: an archive in each mode, and a picture of everything on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from tests.crash.scenes import AGENT


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", agent=AGENT, workers=0, redundancy=0) as made:
        yield made


@pytest.fixture
def dynamic(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "dynamic", mode="dynamic", agent=AGENT, workers=0) as made:
        yield made

"""The archive that most of these tests export from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from tests.acceptance.exchange.making import new_archive, with_history


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with with_history(new_archive(tmp_path / "archive"), tmp_path) as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Archive]:
    with new_archive(tmp_path / "other") as made:
        yield made

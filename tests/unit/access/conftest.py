"""A store of keys, rules and realms, and an authority that decides by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.access import AccessStore, Authority


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "control.db"


@pytest.fixture
def store(place: Path) -> Iterator[AccessStore]:
    with AccessStore.open(place) as opened:
        yield opened


@pytest.fixture
def authority(store: AccessStore) -> Authority:
    return Authority(store)

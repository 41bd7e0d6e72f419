"""What the tests of workers on several machines share."""

from __future__ import annotations

import pytest


@pytest.fixture
def database(place: str) -> str:
    """A PostgreSQL database of this test's own."""
    return place

"""A real sshd for what is published by ssh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.testing.services import Service, shared


@pytest.fixture(scope="module")
def sshd(run_folder: Path) -> Iterator[Service]:
    with shared("sshd", run_folder) as service:
        yield service

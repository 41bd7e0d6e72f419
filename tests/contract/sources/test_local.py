"""The source `local` on a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from muniment.testing.sources import SourceContract

FILES = {"a/b.tif": b"x" * 5000, "a.txt": b"", ".hidden/é": b"1", "z": b"22"}


class TestLocal(SourceContract):
    kind = "local"
    remote = False
    has_credential = False
    paged = False

    @pytest.fixture
    def server(self, tmp_path: Path) -> Path:
        for name, data in FILES.items():
            path = tmp_path / "scans" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / "scans"

    def given(self, server: Path) -> dict[str, Any]:
        return {"path": str(server)}

    def missing(self, server: Path) -> dict[str, str]:
        return {"path": "/nowhere/at/all"}

    def files(self, server: Path) -> dict[str, bytes]:
        return dict(FILES)

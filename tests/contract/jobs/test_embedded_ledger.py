"""The ledger's contract on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.testing.ledger import LedgerContract


class TestEmbeddedLedger(LedgerContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "control.db"

"""The ledger's contract on a real PostgreSQL."""

from __future__ import annotations

from muniment.testing.ledger import LedgerContract


class TestSharedLedger(LedgerContract):
    """The fixture `place` is a new database for each test."""

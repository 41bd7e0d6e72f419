"""The ledger's contract on a real PostgreSQL."""

from __future__ import annotations

import pytest

from muniment.errors.database import DatabaseUnavailable
from muniment.jobs import Ledger
from muniment.testing.ledger import LedgerContract


class TestSharedLedger(LedgerContract):
    """The fixture `place` is a new database for each test."""


def test_a_database_that_does_not_answer_is_said_so_without_its_password() -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        Ledger.open("postgresql://ada:pass1234@127.0.0.1:1/none", migrate=False)
    assert "pass1234" not in str(caught.value)

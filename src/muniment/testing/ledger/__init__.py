"""The contract of the ledger, for whichever database is below it.

Subclass `LedgerContract` in a test module and give it a fixture `place` that is a new, empty database (a path or
an address). The steps are moved by hand and the clock stands still, so that every test says exactly what happens.
"""

from __future__ import annotations

from muniment.testing.ledger.asking import Asking
from muniment.testing.ledger.fixtures import Clock
from muniment.testing.ledger.growing import Growing
from muniment.testing.ledger.keeping import Keeping
from muniment.testing.ledger.leasing import Leasing
from muniment.testing.ledger.limiting import Limiting
from muniment.testing.ledger.operating import Operating
from muniment.testing.ledger.waiting import Waiting

__all__ = ["Clock", "LedgerContract"]


class LedgerContract(Asking, Leasing, Growing, Keeping, Limiting, Waiting, Operating):
    """All of it. Subclass this and give it a fixture `place`."""

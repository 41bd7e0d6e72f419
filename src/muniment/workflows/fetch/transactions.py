"""The lease on a container's transaction, which the steps of its services share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from muniment.content.archive import Archive
from muniment.content.transaction import Transaction
from muniment.errors.archive import LeftoverNotFound, TransactionBusy, TransactionForbidden
from muniment.errors.base import MissingThing
from muniment.errors.registration import TransactionGone

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5


class TransactionLease:
    """One step's way to a transaction. `check` is called while waiting, and may raise to end that."""

    def __init__(
        self, archive: Archive, container: str, transaction: str, lease: float, check: Callable[[], None]
    ) -> None:
        self._archive = archive
        self._container = container
        self._id = transaction
        self._lease = lease
        self._check = check
        self._transaction: Transaction | None = None

    @contextlib.contextmanager
    def taken(self) -> Iterator[Transaction]:
        """The transaction, for the length of a `with` block; nobody else has it meanwhile.

        Raises:
            TransactionGone: It expired, was committed or rolled back, or is not the workers'.
            MunimentError: What `check` raised.
        """
        transaction = self._take()
        try:
            yield transaction
        finally:
            self._let_go(transaction)

    def closing(self) -> Transaction:
        """The transaction, to be committed or rolled back by the caller.

        Raises:
            TransactionGone: It is no longer there.
        """
        return self._take()

    def _take(self) -> Transaction:
        pause = _FIRST_PAUSE
        while True:
            try:
                if self._transaction is None:
                    self._transaction = self._archive.resume(self._id)
                else:
                    self._transaction.unpark()
            except TransactionBusy:
                self._check()
                time.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 1.5)
            except (LeftoverNotFound, MissingThing, TransactionForbidden) as error:
                raise TransactionGone(transaction=self._id, id=self._container) from error
            else:
                return self._transaction

    def _let_go(self, transaction: Transaction) -> None:
        transaction.park(lease=self._lease)

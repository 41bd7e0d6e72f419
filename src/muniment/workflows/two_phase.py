"""One transaction over several archives: it commits to all of them or to none.

```python
with two_phase_commit(first.new(), second.new()) as (here, there):
    here.add("car.png")
    there.add("car.png")
```
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from muniment.content.archive import Archive
from muniment.content.identity import new_uuid
from muniment.content.transaction import Transaction, names_part
from muniment.errors.base import MunimentError


@contextlib.contextmanager
def two_phase_commit(*parts: tuple[Archive, Transaction]) -> Iterator[tuple[Transaction, ...]]:
    """Commit every transaction on a clean exit, roll every one back on an exception.

    Each part is an archive and a transaction on it; the first archive keeps the decision. If a
    process or an archive dies in the middle, `resolve` finishes what was decided.

    Raises:
        MunimentError: One of them could not be prepared; all are rolled back. Or nobody can tell whether it was
            decided, or one could not be committed after the decision; `resolve` finishes them.
    """
    transactions = tuple(transaction for _, transaction in parts)
    coordinator = parts[0][0]
    group = new_uuid()
    try:
        yield transactions
        for transaction in transactions:
            transaction.prepare(group, coordinator.config.id)
        _decide(coordinator, group, parts)
    except _Undecided as undecided:
        _leave(transactions)
        raise undecided.why from None
    except BaseException:
        for transaction in transactions:
            with contextlib.suppress(MunimentError):
                transaction.rollback()
        raise
    for count, transaction in enumerate(transactions, 1):
        try:
            transaction.commit()
        except BaseException:
            _leave(transactions[count:])
            raise
    coordinator.forget(group)


class _Undecided(Exception):
    """Whether it was decided cannot be told: nothing may be rolled back."""

    def __init__(self, why: BaseException) -> None:
        super().__init__()
        self.why = why


def _leave(transactions: Iterable[Transaction]) -> None:
    """Let go of what is prepared, so that `resolve` may finish it, here too."""
    for transaction in transactions:
        with contextlib.suppress(MunimentError):
            transaction.leave()


def _decide(coordinator: Archive, group: str, parts: Sequence[tuple[Archive, Transaction]]) -> None:
    named = [{"archive": archive.config.id, "transaction": part.transaction} for archive, part in parts]
    try:
        coordinator.decide(group, named)
    except MunimentError as error:
        if not error.outage:
            raise
        raise _Undecided(error) from error  # the answer may have been lost, not the request
    except BaseException as error:
        raise _Undecided(error) from error


def resolve(*archives: Archive) -> list[str]:
    """Finish groups that were left between their parts; returns the transactions resolved.

    What was decided is committed, what never was is rolled back. A group is resolved only when the
    archive that keeps its decision is among `archives`.

    Raises:
        MunimentError: A part could not be committed; run it again.
    """
    by_id = {archive.config.id: archive for archive in archives}
    done: list[str] = []
    decided: dict[tuple[str, str], bool] = {}
    for archive in archives:
        for left in archive.leftovers():
            keeper = by_id.get(left.decided_at)
            if not left.group or keeper is None:
                continue
            key = (left.decided_at, left.group)
            record = keeper.decision(left.group)
            decided[key] = record is not None
            if names_part(record, left.transaction):
                archive.replay(left.transaction)
            else:
                archive.roll_back(left.transaction)
            done.append(left.transaction)
    for (keeper_id, group), committed in decided.items():
        record = by_id[keeper_id].decision(group) if committed else None
        # Kept while a part lies in an archive that is not here: that one still needs the decision.
        if record and all(part["archive"] in by_id for part in record["parts"]):
            by_id[keeper_id].forget(group)
    return done

"""Several transactions committed at once: what a batch of small resources waits for is shared by all of it."""

from __future__ import annotations

from collections.abc import Sequence

from muniment.archive.ingest.commit import SealedPart, flush, publish_all
from muniment.archive.ingest.transaction import Transaction
from muniment.content import transaction as content
from muniment.content.instance import Instance
from muniment.errors.base import MunimentError


def commit_several(transactions: Sequence[content.Transaction]) -> list[Instance | MunimentError]:
    """Commit each of several transactions; its instance, or why it was not committed, in the same order.

    Each is a commit of its own: one that cannot be done keeps none of the others from it. When this returns, all
    that were committed are on stable storage with their events. Those of one archive in a folder share the flushes;
    a storage that refuses one of these fails all of them.
    """
    own = [each for each in transactions if isinstance(each, Transaction) and each.context.home is None]
    one_archive = len(own) == len(transactions) > 1 and len({id(each.context.log) for each in own}) == 1
    if one_archive and not any(each.prepared for each in own):
        return _shared(own)
    return [_alone(each) for each in transactions]


def _alone(transaction: content.Transaction) -> Instance | MunimentError:
    try:
        return transaction.commit()
    except MunimentError as error:
        return error


def _shared(transactions: Sequence[Transaction]) -> list[Instance | MunimentError]:
    done: dict[Transaction, Instance | MunimentError] = {}
    sealed: list[Transaction] = []
    try:
        for each in transactions:
            try:
                unchanged = each.complete()
            except MunimentError as error:
                done[each] = error
                continue
            if unchanged is None:
                sealed.append(each)
            else:
                done[each] = unchanged
        parts = [SealedPart(each.area, each.place_parity) for each in sealed]
        if parts:
            flush([part.area for part in parts])
            publish_all(sealed[0].context, parts)
    except BaseException as error:
        for each in sealed:
            each.fail()
        if not isinstance(error, MunimentError):
            raise
        return [done.get(each, error) for each in transactions]
    for each, part in zip(sealed, parts, strict=True):
        if part.error is not None:
            each.fail()
            done[each] = part.error
            continue
        try:
            done[each] = each.finish()
        except MunimentError as error:
            done[each] = error  # purged since by somebody else
    return [done[each] for each in transactions]

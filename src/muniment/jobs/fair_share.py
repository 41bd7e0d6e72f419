"""Whose turn it is: who has the fewest steps running is next, so that no batch holds up others."""

from __future__ import annotations

import random
from collections.abc import Sequence

from sqlalchemy import Connection

from muniment.jobs import statements as sql


def in_turn(connection: Connection, rank: int, now: float, names: Sequence[str], count: int) -> list[str]:
    """Up to `count` ready steps of a queue, locked: each next one is of whoever would have the fewest running."""
    asked = {"rank": rank, "now": now, "names": list(names)}
    known = list(connection.execute(sql.requesters, asked).scalars())
    if not known:
        return []
    if len(known) < 2:  # noqa: PLR2004 - one requester has every turn
        return list(connection.execute(sql.ready_steps, {**asked, "limit": count}).scalars())
    random.shuffle(known)  # of those who have equally few, nobody is always the first
    running = {row[0]: row[1] for row in connection.execute(sql.running_by_requester)}
    found: dict[str, list[str]] = {requester: [] for requester in known}
    has = {requester: running.get(requester, 0) for requester in known}
    while has and (left := count - sum(map(len, found.values()))) > 0:
        for requester, share in _shares(has, left).items():
            if not share:
                continue
            # What was found before is locked by us and found again.
            limit = len(found[requester]) + share
            wanted = {**asked, "requester": requester, "limit": limit}
            ids = list(connection.execute(sql.ready_of_requester, wanted).scalars())
            has[requester] += len(ids) - len(found[requester])
            found[requester] = ids
            if len(ids) < limit:
                del has[requester]
    return [step for ids in found.values() for step in ids]


def _shares(has: dict[str, int], count: int) -> dict[str, int]:
    """How many of `count` more each should get, so that all come to have about as many."""
    shares: dict[str, int] = dict.fromkeys(has, 0)

    def level(requester: str) -> int:
        return has[requester] + shares[requester]

    for _ in range(count):
        shares[min(has, key=level)] += 1
    return shares

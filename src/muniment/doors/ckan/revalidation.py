"""Links of datasets that stand as they were: many of one server are asked in one step whether they changed.

Only "it did not change" is recorded here, by what headers say and with no body read. Every other link is handed on to
the steps that look at it fully.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.link import Checked
from muniment.doors.ckan.portals import Portal
from muniment.doors.ckan.records import Row, earlier_attempt, server_of
from muniment.doors.ckan.statuses import Status
from muniment.errors.base import MunimentError
from muniment.jobs import Again, Call, Context, Deadlines, Done, Json

REVALIDATION = "ckan.revalidation"
DATASET = "ckan.dataset"
_AT_ONCE = 50
"""Links of one step: what is recorded together, and done again when a worker dies."""
_LONGEST = 20.0
"""Seconds after which a step leaves the rest to the next one."""


class RevalidationStep:
    """Ask a host whether some of its links changed."""

    name = REVALIDATION
    deadlines = Deadlines()

    def __init__(self, given: CkanContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done | Again:
        """Ask when it is the host's turn.

        Raises:
            StorageError: The ledger failed; it is done again.
        """
        wanted = cast("Mapping[str, Any]", given)
        portal = self._given.portals.get(wanted["portal"])
        settings, server = portal.settings, str(wanted["host"])
        rows = self._given.links.some(portal.name, [str(each) for each in wanted["resources"]])
        lease = settings.total_time + 4 * settings.timeout
        slots = self._given.slots
        turn = slots.take(server, context.key, most=settings.host_connections, delay=settings.host_delay, lease=lease)
        if turn.down:
            return Done({"unchanged": 0}, spawn=look_fully(portal, rows))
        began = self._given.now()
        if turn.wait:
            return Again(began + turn.wait, f"it is not the turn of {server}")
        same: list[tuple[Row, Checked]] = []
        other: list[Row] = []
        try:
            rest = self._ask(portal, rows, context, same, other)
        finally:
            slots.give_back(server, context.key, took=(self._given.now() - began) / max(1, len(same) + len(other)))
        self._given.links.record_unchanged(portal.name, same)
        calls = look_fully(portal, other)
        if rest:
            calls += revalidations(portal, rest, at=self._given.now() + settings.host_delay)
        return Done({"unchanged": len(same)}, spawn=calls)

    def _ask(
        self, portal: Portal, rows: Sequence[Row], context: Context, same: list[tuple[Row, Checked]], other: list[Row]
    ) -> list[Row]:
        """Sort links into those that did not change and others; the links that nobody came to."""
        checker = self._given.checker(portal, context.key)
        until = time.monotonic() + _LONGEST
        for position, row in enumerate(rows):
            if position and (portal.settings.host_delay or time.monotonic() > until):
                return list(rows[position:])
            try:
                found = checker.revalidate(str(row["url"]), earlier_attempt(row), now=self._given.now())
            except (MunimentError, OSError):
                other += rows[position:]  # the host gives no answer: none of its links is asked here any more
                return []
            if found is None:
                other.append(row)
            else:
                same.append((row, found))
        return []


def may_be_revalidated(row: Row) -> bool:
    """Whether a link's copy is kept and it worked when it was last asked, at the address it has now."""
    if row["status"] not in {Status.ARCHIVED, Status.UNCHANGED} or row["kept_as"] is None:
        return False
    return bool(row["url_type"] != "upload" and row["asked_url"] == row["url"] and row["host"])


def revalidations(portal: Portal, rows: Sequence[Row], *, at: float | None = None) -> list[Call]:
    """Steps for these links, each of one server."""
    by_server: dict[str, list[str]] = {}
    for row in rows:
        by_server.setdefault(server_of(str(row["url"])), []).append(str(row["resource"]))
    return [
        Call(REVALIDATION, {"portal": portal.name, "host": server, "resources": cast("Json", some)}, at=at)
        for server, all_of_it in by_server.items()
        for some in _groups(all_of_it)
    ]


def look_fully(portal: Portal, rows: Sequence[Row]) -> list[Call]:
    """Steps that look at these links fully, dataset by dataset."""
    by_dataset: dict[str, list[str]] = {}
    for row in rows:
        by_dataset.setdefault(str(row["dataset"]), []).append(str(row["resource"]))
    return [
        Call(DATASET, {"portal": portal.name, "check_only": False, "id": dataset, "only": cast("Json", sorted(some))})
        for dataset, some in by_dataset.items()
    ]


def _groups(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield list(ids[start : start + _AT_ONCE])

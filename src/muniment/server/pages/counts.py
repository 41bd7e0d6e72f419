"""The small counts beside the pages in the list at the side: what the server counted lately, never in a request."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from muniment.archive import ContentIndex
from muniment.doors.distillery.steps import KIND as DISTILLERY
from muniment.doors.osf import KIND as CONTAINERS
from muniment.http.authorization import AuthorizedRequest
from muniment.http.throttling import EVENTS, READ
from muniment.server.monitoring import Monitor
from muniment.server.pages.texts import Texts

_MOST = 100


@dataclass(frozen=True, slots=True)
class EntryCount:
    """A count beside an entry; `bad` is for what is damaged and for nothing else."""

    text: str
    bad: bool = False


def counts_of(access: AuthorizedRequest, request: Request, texts: Texts) -> dict[str, EntryCount]:
    """The counts that somebody may see, by the path of the entry; none for who may not read everything."""
    monitor: Monitor = request.app.state.monitor
    if monitor.latest is None or not access.may(READ, None):
        return {}
    number, n = texts.number, texts.counted
    counts = {"/find": number(monitor.latest.resources), "/projects": number(monitor.projects)}
    if batches := monitor.running.get(DISTILLERY, 0):
        counts["/distillery"] = str(n(batches, "{n} running|{n} running"))
    if containers := monitor.running.get(CONTAINERS, 0):
        counts["/containers"] = number(containers)
    if jobs := sum(monitor.running.values()):
        counts["/jobs"] = number(jobs)
    if monitor.owed:
        counts["/copies"] = str(n(monitor.owed, "{n} owed|{n} owed"))
    found = {path: EntryCount(text) for path, text in counts.items()}
    contents: ContentIndex | None = getattr(request.app.state, "contents", None)
    if contents is not None and access.may(EVENTS, None):
        damaged = sum(each.errors > 0 for each in contents.last_checks(failed=True, limit=_MOST))
        if damaged:
            found["/fixity"] = EntryCount(str(n(damaged, "{n} damaged|{n} damaged")), bad=True)
    return found

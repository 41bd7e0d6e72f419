"""Lists in pages: `from` and `size` as Delta has them, and `after`, which no change of the list can shift."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from muniment.content.jsonld import METADATA, SEARCH
from muniment.doors.nexus.documents import plain
from muniment.doors.nexus.http.answers import Answer
from muniment.doors.nexus.http.call import Call
from muniment.doors.nexus.http.negotiation import JSON, JSON_LD
from muniment.errors.nexus import QueryRefused

_USUAL, _LARGEST, _FARTHEST = 50, 1_000, 10_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: `size` items, those that follow `after`, or those from the `start`th on."""

    start: int
    size: int
    after: str

    def of(self, names: Sequence[str]) -> tuple[Sequence[str], bool]:
        """The part of sorted names this page is, and whether more follow."""
        start = bisect_right(names, self.after) if self.after else self.start
        return names[start : start + self.size], start + self.size < len(names)


def page_of(call: Call) -> Page:
    """What the query asks for.

    Raises:
        QueryRefused: It is no page.
    """
    after = call.query.get("after", "")
    if after and "from" in call.query:
        raise QueryRefused(name="after", reason="'from' and 'after' cannot be used at once")
    return Page(call.number("from", 0, _FARTHEST), call.number("size", _USUAL, _LARGEST), after)


def following(page: Page, part: Sequence[str], *, more: bool, deprecated: bool | None) -> dict[str, object]:
    """The query of the page after this part of sorted names, with the same filter."""
    if not more or not part:
        return {}
    kept = {} if deprecated is None else {"deprecated": str(deprecated).lower()}
    return {**kept, "after": part[-1], "size": page.size}


def listed(
    call: Call,
    address: str,
    results: Sequence[Mapping[str, object]],
    total: int,
    following: Mapping[str, object],
) -> Answer:
    """One page of the list at `address`; `following` is the query of the next one, empty where none follows."""
    shown = [{key: value for key, value in each.items() if key != "@context"} for each in results]
    body: dict[str, object] = {"@context": [METADATA, SEARCH], "_total": total, "_results": shown}
    if following:
        body["_next"] = f"{address}?{urlencode(following, doseq=True)}"
    return Answer(200, plain(body), {"Content-Type": call.accept.require((JSON_LD, JSON)), "Vary": "Accept"})

"""The one loop over a service's pages, which notices when there is no end of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar
from urllib.parse import urljoin

from muniment.errors.sources import ListingEndless, UnexpectedAnswer
from muniment.session import Account, Session, shown
from muniment.session.headers import as_address

MOST_PAGES = 20_000
"""Pages of one listing, or folders of one tree, beyond which nobody means it."""
_NEXT = re.compile(r'<([^<>]*)>[^,<]*;\s*rel="?next"?', re.IGNORECASE)

Value = TypeVar("Value")


class Visited:
    """Remembers where a listing has been: going to a place twice, or to places without number, is an error."""

    def __init__(self, service: str, url: str) -> None:
        self._service = service
        self._url = url
        self._seen: set[str] = set()
        self._contents: set[int] = set()

    def go(self, place: str) -> None:
        """Go to a page or folder, by whatever names it.

        Raises:
            ListingEndless: It was there before, or there are more of them than anybody means.
        """
        if place in self._seen:
            self._refuse("a page leads back to an earlier one")
        if len(self._seen) >= MOST_PAGES:
            self._refuse(f"it has over {MOST_PAGES} pages")
        self._seen.add(place)

    def found(self, values: Sequence[object]) -> None:
        """Take note of what a page that is not the last holds.

        Raises:
            ListingEndless: An earlier page held the same: the service does not know which page it is asked for.
        """
        contents = hash(repr(values))
        if values and contents in self._contents:
            self._refuse("a page holds what an earlier one held")
        self._contents.add(contents)

    def _refuse(self, reason: str) -> NoReturn:
        raise ListingEndless(service=self._service, where=shown(self._url), reason=reason)


def follow(
    service: str, url: str, first: str, turn: Callable[[str], tuple[Sequence[Value], str | None]]
) -> Iterator[tuple[Sequence[Value], str | None]]:
    """The pages of the listing at `url`, from the page `first` on, each with what names the one after it.

    This is the only loop over pages there is. `turn` asks for one page, by its number, cursor or address, and says
    what names the next one, None after the last.

    Raises:
        ListingEndless: The pages do not end.
    """
    visited = Visited(service, url)
    following: str | None = first
    while following is not None:
        visited.go(following)
        values, following = turn(following)
        if following is not None:
            visited.found(values)
        yield values, following


def linked_pages(session: Session, account: Account, url: str, **names: str) -> Iterator[Sequence[dict[str, object]]]:
    """The pages of a listing that are JSON lists of objects and name the next one in `Link` (RFC 8288).

    `names` are `what` and `field` of `Session.get`.

    Raises:
        ListingEndless: The pages do not end.
        UnexpectedAnswer: A page is not a list of objects.
        CredentialRefused, NotAtService: The submission has to change.
        RemoteError: The service failed.
    """

    def turn(page: str) -> tuple[list[dict[str, object]], str | None]:
        answer = session.get(account, page, **names)  # type: ignore[arg-type]  # both names are text
        match = _NEXT.search(answer.headers.get("link", ""))
        values = [as_object(value, account.service, answer.url) for value in answer.list()]
        return values, urljoin(answer.url, as_address(match[1])) if match else None

    for values, _ in follow(account.service, url, url, turn):
        yield values


def linked_values(session: Session, account: Account, url: str, **names: str) -> Iterator[dict[str, Any]]:
    """Every object of such a listing.

    Raises:
        As `linked_pages`.
    """
    for page in linked_pages(session, account, url, **names):
        yield from page


def as_object(value: object, service: str, url: str) -> dict[str, object]:
    """`value`, which has to be a JSON object.

    Raises:
        UnexpectedAnswer: It is none.
    """
    if not isinstance(value, dict):
        raise UnexpectedAnswer(service=service, where=shown(url), reason="what it lists are not JSON objects")
    return value


def number_of(value: Mapping[str, object], field: str, service: str, url: str) -> int:
    """The whole number in a field by which something of a listing is asked for again.

    Raises:
        UnexpectedAnswer: The field is missing or something else.
    """
    number = value.get(field)
    if isinstance(number, bool) or not isinstance(number, int):
        raise UnexpectedAnswer(service=service, where=shown(url), reason=f"an item has no whole number as {field!r}")
    return number

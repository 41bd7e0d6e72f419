"""Following a service's pages to their end, and noticing when there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin

from muniment.errors.sources import ListingEndless, UnexpectedAnswer
from muniment.session import Account, Answer, Session, shown
from muniment.session.headers import as_address

_MOST_PAGES = 20_000
_NEXT = re.compile(r'<([^<>]*)>[^,<]*;\s*rel="?next"?', re.IGNORECASE)


class Pages:
    """Counts the pages of one listing and remembers where it was.

    A page asked for twice, or pages without number, are an error and no endless loop.
    """

    def __init__(self, service: str, url: str) -> None:
        self._service = service
        self._url = url
        self._seen: set[str] = set()

    def turn(self, page: str) -> None:
        """Go to a page, by whatever names it.

        Raises:
            ListingEndless: It was there before, or there are too many.
        """
        if page in self._seen:
            raise ListingEndless(
                service=self._service, where=shown(self._url), reason="a page leads back to an earlier one"
            )
        if len(self._seen) >= _MOST_PAGES:
            raise ListingEndless(
                service=self._service, where=shown(self._url), reason=f"it has over {_MOST_PAGES} pages"
            )
        self._seen.add(page)


def linked_pages(get: Callable[[str], Answer], service: str, url: str) -> Iterator[Answer]:
    """The answers of a listing that names its next page in the `Link` header (RFC 8288).

    Raises:
        ListingEndless: The pages do not end.
    """
    pages = Pages(service, url)
    following: str | None = url
    while following is not None:
        pages.turn(following)
        answer = get(following)
        yield answer
        match = _NEXT.search(answer.headers.get("link", ""))
        following = urljoin(answer.url, as_address(match[1])) if match else None


def linked_values(session: Session, account: Account, url: str, **names: str) -> Iterator[dict[str, Any]]:
    """Every object of a listing whose pages are JSON lists; `names` are `what` and `field` of `Session.get`.

    Raises:
        ListingEndless: The pages do not end.
        UnexpectedAnswer: A page is not a list of objects.
        CredentialRefused, NotAtService: The submission has to change.
        RemoteError: The service failed.
    """
    for answer in linked_pages(lambda page: session.get(account, page, **names), account.service, url):  # type: ignore[arg-type]  # both names are text
        for value in answer.list():
            yield as_object(value, account.service, answer.url)


def as_object(value: Any, service: str, url: str) -> dict[str, Any]:
    """`value`, which has to be a JSON object.

    Raises:
        UnexpectedAnswer: It is none.
    """
    if not isinstance(value, dict):
        raise UnexpectedAnswer(service=service, where=shown(url), reason="what it lists are not JSON objects")
    return value

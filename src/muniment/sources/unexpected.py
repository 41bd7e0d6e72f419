"""A source whose service may answer anything: what its code does not understand is an error of the service's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

from muniment.errors.base import MunimentError
from muniment.errors.sources import UnexpectedAnswer
from muniment.sources.protocol import Failure, Item, Page, Source, SourceEntry

_MISREAD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What Python raises where an answer lacks a field, or has a value of another kind than it should."""


class UnexpectedAnswers:
    """A source around another, from which nothing comes but errors of ours and of the system's.

    Services promise the fields of their answers and break the promise: through a proxy's page in place of JSON, after
    a change of their own, or on purpose. Sources read answers as they are described; whatever is raised when one is
    otherwise says so in an `UnexpectedAnswer`, which is not tried again, for the next answer would be the same.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def service(self) -> str:
        """As the source within."""
        return self._source.service

    @property
    def resource(self) -> str:
        """As the source within."""
        return self._source.resource

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """As the source within.

        Raises:
            UnexpectedAnswer: An answer is not what the service's description promises.
        """
        with self._reading("the listing"):
            yield from self._source.pages(after)

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """As the source within.

        Raises:
            UnexpectedAnswer: An answer is not what the service's description promises.
        """
        with self._reading(f"the files of {item.title or item.id}"):
            yield from self._source.entries(item)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:
        """As the source within.

        Raises:
            UnexpectedAnswer: An answer is not what the service's description promises.
        """
        with self._reading(f"the request for {entry.path}"):
            return self._source.open(item, entry, offset)

    @contextlib.contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except MunimentError:
            raise
        except _MISREAD as error:
            where = f"{what} of {self.resource}" if what == "the listing" else what
            raise UnexpectedAnswer(service=self.service, where=where, reason=_reason(error)) from error


def _reason(error: Exception) -> str:
    """What was missing or of another kind, as far as Python's word tells; values of the answer are not repeated."""
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
        return f"it lacks {error.args[0][:100]!r}"
    if isinstance(error, LookupError):
        return "it lacks an entry that it should have"
    if isinstance(error, AttributeError | TypeError):
        return "a value is of another kind than it should be"
    return "a value cannot be read as what it should be"

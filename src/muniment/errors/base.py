"""What all errors share: the base class, the exit statuses, and the seven kinds of error."""

from __future__ import annotations

import inspect
import re
from typing import Any, ClassVar

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_MISSING = 3
EXIT_INPUT = 4
EXIT_CONFLICT = 5
EXIT_STORAGE = 6
EXIT_REFUSED = 7
EXIT_REMOTE = 8
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130


class MunimentError(Exception):
    """Muniment could not do this: {reason}."""

    exit_status: ClassVar[int] = EXIT_INTERNAL
    http_status: ClassVar[int] = 500
    retry: ClassVar[bool] = False
    outage: ClassVar[bool] = False
    """Whether it is the archive's own means that failed (storage, server, store, database, a program, a setting), not
    what was asked for or whom it was asked of. Work that meets it waits until it is over, and never fails of it."""

    def __init__(self, **details: Any) -> None:
        """Fill the class's docstring with `details`; they stay readable as `error.details`.

        Raises:
            KeyError: A placeholder of the docstring was not given.
        """
        self.details = details
        template = inspect.cleandoc(type(self).__doc__ or "")
        self.message = " ".join(template.format(**details).split())
        self.statement = " ".join(template.partition("\n\n")[0].format(**details).split())
        """The message without the advice in its second paragraph, which is for who has a shell at the archive."""
        super().__init__(self.message)

    def __str__(self) -> str:
        """The message, also where another base class (KeyError) would quote it."""
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders: rebuild from the details, not from the message."""
        return (_rebuild, (type(self), self.details))

    @classmethod
    def code(cls) -> str:
        """The stable name of this kind of error, as in problem types: `resource-not-found`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()


def _rebuild(kind: type[MunimentError], details: dict[str, object]) -> MunimentError:
    return kind(**details)


class BadInput(MunimentError, ValueError):
    """What was given cannot be used: {reason}."""

    exit_status = EXIT_INPUT
    http_status = 400


class BadSetting(BadInput):
    """A setting cannot be used: {reason}.

    docs/reference/settings.md has all settings and what they take.
    """

    http_status = 500
    outage = True


class ExtraMissing(BadInput):
    """{what} needs the extra `{extra}`.

    Install Muniment with it, in a checkout by `pip install '.[{extra}]'`.
    """

    http_status = 500
    outage = True


class MissingThing(MunimentError, LookupError):
    """There is no such thing: {reason}."""

    exit_status = EXIT_MISSING
    http_status = 404


class Conflict(MunimentError):
    """This collides with what is already there: {reason}."""

    exit_status = EXIT_CONFLICT
    http_status = 409


class Refused(MunimentError):
    """This is not allowed: {reason}."""

    exit_status = EXIT_REFUSED
    http_status = 403


class StorageError(MunimentError):
    """The storage failed: {reason}."""

    exit_status = EXIT_STORAGE
    http_status = 507
    retry = True
    outage = True


class RemoteError(MunimentError):
    """Another service failed: {reason}."""

    exit_status = EXIT_REMOTE
    http_status = 502
    retry = True


def every_error() -> list[type[MunimentError]]:
    """All error classes imported so far, in the order of their names (for docs and checks)."""
    found: dict[str, type[MunimentError]] = {}
    waiting: list[type[MunimentError]] = [MunimentError]
    while waiting:
        kind = waiting.pop()
        found[kind.__name__] = kind
        waiting.extend(kind.__subclasses__())
    return [found[name] for name in sorted(found)]

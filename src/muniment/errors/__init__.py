"""The one tree of errors: what went wrong, in words for the person who has to act on it.

Each class's docstring is its message template, and the class carries what the three doors need:
the exit status of the command line, the HTTP status of the server, and whether trying again can help.
Families live in modules of their own (`muniment.errors.archive`, ...); foreign exceptions are turned
into one of these at the border and go no further in.
"""

from __future__ import annotations

from muniment.errors.base import (
    EXIT_CONFLICT,
    EXIT_FINDINGS,
    EXIT_INPUT,
    EXIT_INTERNAL,
    EXIT_MISSING,
    EXIT_OK,
    EXIT_REFUSED,
    EXIT_REMOTE,
    EXIT_STORAGE,
    EXIT_USAGE,
    BadInput,
    Conflict,
    MissingThing,
    MunimentError,
    Refused,
    RemoteError,
    StorageError,
    every_error,
)

__all__ = [
    "EXIT_CONFLICT",
    "EXIT_FINDINGS",
    "EXIT_INPUT",
    "EXIT_INTERNAL",
    "EXIT_MISSING",
    "EXIT_OK",
    "EXIT_REFUSED",
    "EXIT_REMOTE",
    "EXIT_STORAGE",
    "EXIT_USAGE",
    "BadInput",
    "Conflict",
    "MissingThing",
    "MunimentError",
    "Refused",
    "RemoteError",
    "StorageError",
    "every_error",
]

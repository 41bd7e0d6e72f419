"""Where errors of the storage stop: who uses the archive gets errors of Muniment's, wherever a disk failed.

What is written goes through `durable`, and what is known to fail where it is read is judged there. But every look
at a folder may fail too, on a dying disk or when a process has no descriptors left, and nowhere else may that be
taken for "it is not there".
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, TypeVar

from muniment.errors.archive import ReadFailed
from muniment.errors.base import MunimentError

T = TypeVar("T")
_SPECIAL = {"__init__", "__iter__", "__contains__", "__getitem__", "__len__"}


def errors_stop_here(kind: type[T]) -> type[T]:
    """Let every public method and property of a class raise `ReadFailed` where the storage's error would come out."""
    for name, member in list(vars(kind).items()):
        if name.startswith("_") and name not in _SPECIAL:
            continue
        if isinstance(member, FunctionType):
            setattr(kind, name, _stopping(member))
        elif isinstance(member, property) and member.fget is not None:
            setattr(kind, name, property(_stopping(member.fget), member.fset, member.fdel))
        elif isinstance(member, functools.cached_property):
            member.func = _stopping(member.func)
    return kind


def _stopping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: object, **named: object) -> object:
        try:
            found = function(*arguments, **named)
        except OSError as error:
            raise _named(error) from error
        # What reads is opened, and tells of its failures by itself.
        return _each(found) if isinstance(found, Iterator) and not hasattr(found, "read") else found

    return call


def _each(found: Iterator[T]) -> Iterator[T]:
    try:
        yield from found
    except OSError as error:
        raise _named(error) from error


def _named(error: OSError) -> Exception:
    if isinstance(error, MunimentError):
        return error
    return ReadFailed(path=error.filename or "the archive", reason=error.strerror or str(error))

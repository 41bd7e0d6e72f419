"""Read JSON that nobody vouches for: bounded, strict, with repeated keys kept in sight."""

from __future__ import annotations

import json
import os
import stat
from typing import NoReturn

from muniment.validation.findings import why

LARGEST = 256 * 1024 * 1024
"""Bytes of a JSON file that are read: an inventory of about a million files."""


class RepeatedKeys(dict[str, object]):
    """A JSON object in which a key occurs twice; the last one counts, `keys_twice` names them."""

    keys_twice: tuple[str, ...] = ()


class NotJson(Exception):
    """The text is not JSON."""


class TooLarge(Exception):
    """The file is larger than `LARGEST`."""


def read_bounded(path: str, largest: int = LARGEST) -> bytes:
    """The bytes of a regular file, without following a link or waiting at a pipe.

    Raises:
        TooLarge: It holds more than `largest` bytes.
        OSError: It cannot be read, or is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is no regular file")
        if status.st_size > largest:
            raise TooLarge(str(status.st_size))
        data = file.read(largest + 1)
    if len(data) > largest:
        raise TooLarge(str(len(data)))
    return data


def parse(data: bytes) -> object:
    """JSON values; objects with a key twice come as `RepeatedKeys`.

    Raises:
        NotJson: The bytes are not UTF-8, not JSON, or nested beyond reason.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse)
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except ValueError as error:
        raise NotJson(why(error)) from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    repeated = RepeatedKeys(plain)
    seen: set[str] = set()
    repeated.keys_twice = tuple(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value] # add() returns None, which is the point
    return repeated


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def keys_twice(value: object) -> tuple[str, ...]:
    """The keys that occur twice in a JSON object."""
    return value.keys_twice if isinstance(value, RepeatedKeys) else ()

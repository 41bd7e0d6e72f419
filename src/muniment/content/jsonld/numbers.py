"""Numbers of JSON with all the digits they were written with, which Python's floats would round or rewrite."""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Self

_MOST_DIGITS = 400
"""As `parse_json` allows."""
_MARK = f"\ue000{secrets.token_hex(16)}:"
"""Stands before the digits of a number while it is printed: no document can hold it."""
_EXACT = Context(prec=_MOST_DIGITS)
_MARKED = re.compile(f'"{_MARK}([^"]+)"')


class Digits(float):
    """A number that remembers how it was written: it counts as a float and is printed as `text`."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Read a number as JSON has it (RFC 8259 §6)."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __reduce__(self) -> tuple[type[Digits], tuple[str]]:
        """Copies keep the digits."""
        return (Digits, (self.text,))

    def __deepcopy__(self, _: object) -> Digits:
        """It never changes, so it is its own copy."""
        return self

    @property
    def whole(self) -> bool:
        """Whether nothing but zeros follows the point, looked at by the digits."""
        number = Decimal(self.text)
        return number == number.to_integral_value(context=_EXACT)

    @property
    def canonical(self) -> str:
        """XSD's canonical form of a double with every digit that was given: 5.5E0, 1.234567890123456789E-1."""
        number = Decimal(self.text).normalize(_EXACT)
        sign, digits, _ = number.as_tuple()
        written = "".join(map(str, digits))
        return f"{'-' if sign else ''}{written[0]}.{written[1:] or '0'}E{number.adjusted() if number else 0}"


def read_number(text: str) -> float:
    """A number with a point or an exponent; one that Python would write in the same way is a plain float."""
    plain = float(text)
    return plain if repr(plain) == text or not math.isfinite(plain) else Digits(text)


def dumps(document: object, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """JSON with the digits of its numbers as they were written; without `indent` as short as it can be."""
    text = json.dumps(
        _marked(document),
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        sort_keys=sort_keys,
        separators=(",", ":") if indent is None else None,
    )
    return _MARKED.sub(r"\1", text) if _MARK in text else text


def _marked(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item) for item in value]
    return _MARK + value.text if isinstance(value, Digits) else value

"""One setting: its meaning, default, and how its value is read and checked. Small, for every command loads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

if TYPE_CHECKING:
    from muniment.settings.jobs import JobSettings

Value = TypeVar("Value")

PREFIX = "MUNIMENT_"
_SWITCH = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True)
_SWITCH |= dict.fromkeys(("0", "false", "f", "no", "n", "off"), False)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Secret:
    """A text that is shown nowhere; whoever needs it asks for it by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Keep `text`."""
        self._text = text

    def get_secret_value(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('**********')"


class Setting(Generic[Value]):
    """A field of `Settings`. `read` takes a text or a value and raises ValueError, whose words do not repeat it."""

    def __init__(
        self,
        default: Value,
        description: str,
        kind: str,
        read: Callable[[Any], object],
        *,
        check: Callable[[Any], None] | None = None,
        also: tuple[str, ...] = (),
    ) -> None:
        """`kind` is its type in words, `also` are further names in the environment, `check` raises ValueError."""
        self.name = ""
        self.default = default
        self.description = description
        self.kind = kind
        self.also = also
        self._read = read
        self._check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"{PREFIX}{self.name.upper()}"

    def value(self, given: object) -> object:
        """What is given, as the setting's type.

        Raises:
            ValueError: It cannot be.
        """
        value = self._read(given)
        if self._check is not None:
            self._check(value)
        return value

    @overload
    def __get__(self, settings: None, owner: type) -> Self: ...

    @overload
    def __get__(self, settings: JobSettings, owner: type) -> Value: ...

    def __get__(self, settings: JobSettings | None, owner: type) -> Self | Value:
        if settings is None:
            return self
        return cast("Value", settings.given.get(self.name, self.default))

    def __set__(self, settings: JobSettings, value: object) -> None:
        message = f"settings are read once; {self.name} cannot be changed"
        raise AttributeError(message)


def text(description: str, default: str = "", *, choices: tuple[str, ...] = ()) -> Setting[str]:
    """A text, or one of a few words."""

    def check(value: str) -> None:
        if choices and value not in choices:
            message = f"it is one of {', '.join(choices)}"
            raise ValueError(message)

    return Setting(default, description, "str", str, check=check)


def named(description: str) -> Setting[str | None]:
    """A text that may be missing."""
    return Setting(None, description, "str", str)


def path(description: str) -> Setting[Path | None]:
    """A path that may be missing."""
    return Setting(None, description, "path", Path)


def secret(description: str, *, check: Callable[[str], None] | None = None) -> Setting[Secret | None]:
    """A text that is shown nowhere, and may be missing."""

    def read(given: Any) -> Secret:
        return Secret(given if isinstance(given, str) else given.get_secret_value())

    within = None if check is None else lambda value: check(value.get_secret_value())
    return Setting(None, description, "secret", read, check=within)


def whole(description: str, default: int, *, least: int = 0, most: int | None = None) -> Setting[int]:
    """A whole number from `least` to `most`."""
    return Setting(default, description, "int", _whole, check=_within(least, most))


def whole_or_none(description: str, *, least: int = 0, also: tuple[str, ...] = ()) -> Setting[int | None]:
    """A whole number from `least` on, that may be missing."""
    return Setting(None, description, "int", _whole, check=_within(least, None), also=also)


def seconds(description: str, default: float, *, zero: bool = False, also: tuple[str, ...] = ()) -> Setting[float]:
    """Seconds, as a number or with a unit ('5 hours'); above zero, unless zero means something too."""

    def check(value: float) -> None:
        if value < 0 or (value == 0 and not zero):
            message = f"it must be {'0 or more' if zero else 'greater than 0'}"
            raise ValueError(message)

    return Setting(default, description, "float", _seconds, check=check, also=also)


def switch(description: str, *, default: bool) -> Setting[bool]:
    """True or false."""
    return Setting(default, description, "bool", _switch)


def _whole(given: Any) -> int:
    try:
        return int(given)
    except (TypeError, ValueError):
        raise ValueError("it must be a valid integer") from None


def _within(least: int, most: int | None) -> Callable[[int], None]:
    def check(value: int) -> None:
        if value < least or (most is not None and value > most):
            message = f"it must be {least} or more" if most is None else f"it must be from {least} to {most}"
            raise ValueError(message)

    return check


def _seconds(given: Any) -> float:
    found = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", given) if isinstance(given, str) else None
    unit = _UNITS.get(found[2][:1]) if found is not None and found[2] else 1.0
    try:
        number = float(given if found is None else found[1])
    except (TypeError, ValueError):
        number, unit = float("nan"), None
    if unit is None or number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 - not a number
        raise ValueError("it must be a valid number of seconds, or one with a unit such as '5 hours'")
    return number * unit


def _switch(given: object) -> bool:
    found = _SWITCH.get(str(given).strip().lower())
    if found is None:
        raise ValueError("it is true or false")
    return found

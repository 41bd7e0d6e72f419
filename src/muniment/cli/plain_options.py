"""Options that are text, whole numbers or lists of text are read without pydantic, which typer loads to read any.

Loading it takes longer than most commands have work. What is not plainly right is left to typer, so that it is
refused, or taken, as everywhere.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

_NUMBER = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_HARD = object()
"""What stands for a value that typer has to look at."""


def read_plainly() -> None:
    """Let typer ask here first; a typer that works in another way is left as it is."""
    with contextlib.suppress(ImportError, AttributeError):
        from typer.core import _TyperParameter

        if not hasattr(_TyperParameter.get_runtime_param, "plain"):
            _TyperParameter.get_runtime_param = _asking_here_first(_TyperParameter.get_runtime_param)  # type: ignore[method-assign]


def _asking_here_first(typers: Any) -> Any:
    def get_runtime_param(parameter: Any) -> Any:
        return _Reader(parameter, typers)

    get_runtime_param.plain = True  # type: ignore[attr-defined]
    return get_runtime_param


class _Reader:
    """Reads the values of one option or argument."""

    def __init__(self, parameter: Any, typers: Any) -> None:
        self._parameter = parameter
        self._typers = typers

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command takes it.

        Raises:
            typer.BadParameter: It is none.
        """
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        found = _read(value, self._parameter.type_descriptor, several=several)
        return self._typers(self._parameter).coerce(value, param, ctx) if found is _HARD else found


def _read(value: Any, descriptor: Any, *, several: bool) -> Any:
    info, kind = descriptor.parameter_info, descriptor.annotation
    if info.parser is not None or descriptor.is_path or descriptor.is_file:
        return _HARD
    if several:
        whole = kind == list[str] and isinstance(value, list | tuple) and all(map(_is_text, value))
        return list(value) if whole else _HARD
    if kind is str:
        return value if _is_text(value) else _HARD
    if kind is int and isinstance(value, str) and _NUMBER.fullmatch(value):
        number = int(value)
        return number if _is_within(number, info.min, info.max) else _HARD
    return _HARD


def _is_text(value: object) -> bool:
    """Whether it is text that every program can take: the name of a file may be none."""
    if type(value) is not str:
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_within(number: int, least: float | None, most: float | None) -> bool:
    return (least is None or number >= least) and (most is None or number <= most)

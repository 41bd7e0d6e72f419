"""A serving process keeps few heaps, whatever its C library."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from muniment.server.memory import share_heaps


def test_the_c_library_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *words: told.append(words))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    share_heaps()
    assert told == [(-8, 2)]


def test_a_library_without_that_call_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    def missing(name: Any) -> Any:
        opened.append(name)
        return SimpleNamespace()

    monkeypatch.setattr(ctypes, "CDLL", missing)
    share_heaps()
    assert opened == [None]

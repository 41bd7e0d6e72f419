"""Limits the C library's heaps in a serving process, so that memory freed by one thread is used again by others."""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX = -8
"""As glibc's malloc.h has it."""
_ARENAS = 2


def share_heaps() -> None:
    """Let the C library keep two heaps, and not eight for each core; call it before there are threads.

    Pieces of downloads are made in one thread and freed in another, so each of many heaps keeps holes of
    its own: a tenth of all memory where this was measured. Other C libraries have nothing to be told.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)

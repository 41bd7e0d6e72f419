"""One stream into one new file, digested on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from muniment.archive.copying.copy_and_digest import CHUNK, THREADED, CopyError, Digesting, NewFile
from muniment.archive.copying.jobs import Failed
from muniment.content.pieces import PIECE
from muniment.content.transaction import Readable

Chunk: TypeAlias = bytes | bytearray | memoryview

WORTH_A_THREAD = 256 << 10
"""Chunks below this size cost more to hand to a thread than to digest."""


def write_stream(
    source: Readable | Iterable[Chunk], target: str | os.PathLike[str], algorithms: Iterable[str]
) -> tuple[int, dict[str, str], tuple[str, ...]]:
    """Write what `source` gives to the new file `target`; its size in bytes, its digests, and those of its pieces.

    A thread for each digest is begun when the stream turns out to be long. Errors of `source` itself
    pass through as they are. When anything fails, nothing is left at `target`.

    Raises:
        DiskFull, WriteFailed: The storage refused, or the name is taken.
    """
    names = tuple(dict.fromkeys(algorithms))
    size = 0
    digesting = Digesting(names, piece=PIECE)
    try:
        with NewFile(os.fspath(target)) as out:
            for chunk in _chunks(source):
                size += len(chunk)
                if size > THREADED and len(chunk) >= WORTH_A_THREAD:
                    digesting.spread()
                digesting.feed(chunk)
                out.write(chunk)
            values = digesting.values()
            out.keep()
    except CopyError as trouble:
        raise Failed.of(None, "", os.fspath(target), trouble.row).error() from trouble
    finally:
        digesting.close()
    return size, dict(zip(names, values, strict=True)), digesting.pieces()


def _chunks(source: Readable | Iterable[Chunk]) -> Iterator[bytes | bytearray]:
    # A fresh `bytes` for each chunk: a digest may still be reading the one before.
    if isinstance(source, Iterable) and not hasattr(source, "read"):
        for chunk in source:
            yield chunk if type(chunk) is bytes else bytes(chunk)
        return
    while chunk := source.read(CHUNK):
        yield chunk

"""The packs of a version with very many small files: each of so many bytes at most, made while the next is read.

A pack's bytes lie in a file of their own while par2 reads them. One pack for everything would want a second copy of
all small files, would repair a few bytes only by reading all, and would have the processors wait for each other.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from muniment.archive.parity import sets as work
from muniment.archive.parity.files import ParitySet
from muniment.archive.parity.pack_index import PackIndex, read_head
from muniment.archive.parity.packs import PACK, ToPack, finish_pack, make_for_pack, write_stream
from muniment.archive.parity.par2 import Par2

PACK_BYTES = 64 << 20
"""Bytes of user's files in one pack. Parity that is made again is compared with what is there, pack by pack:
another number here asks for another name of the packs."""
_NAME = re.compile(r"(pack(?:_[1-9][0-9]{0,5})?)\.par2\.json\Z")
_MOST = 999_999


def pack_names(*places: Path) -> tuple[str, ...]:
    """The names of a version's packs, the one with its records first, as any of them tells in any of `places`.

    Where none can tell, those that are there; `pack` alone where nothing is.
    """
    for place in places:
        if head := read_head(place, PACK):
            return _names(head.packs)
    there = {name for place in places for name in _names_in(place)}
    heads = (head for place in places for name in sorted(there) if (head := read_head(place, name)))
    return next((_names(head.packs) for head in heads), tuple(sorted({PACK, *there})))


def _names(count: int) -> tuple[str, ...]:
    return (PACK, *(f"{PACK}_{number}" for number in range(2, min(count, _MOST) + 1)))


def _names_in(place: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for name in os.listdir(place):
            if match := _NAME.match(name):
                yield match[1]


def shared_out(payload: Sequence[ToPack], records: Sequence[ToPack]) -> dict[str, list[ToPack]]:
    """Which files go into which pack: the payload by the order of its names, the records all into the first.

    A version's inventory is found again only if its pack needs nothing of another.
    """
    groups: list[list[ToPack]] = [[]]
    size = 0
    for file in sorted(payload, key=lambda item: item.name):
        if size and size + file.size > PACK_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.size
    groups[0].extend(records)
    return dict(zip(_names(len(groups)), groups, strict=True))


def make_packs(
    groups: dict[str, list[ToPack]], target: Path, redundancy: int, scratch: Path, *, tool: Par2 | None = None
) -> list[ParitySet]:
    """Make the set of each group in the folder `target`; their streams lie in `scratch` meanwhile, few at a time.

    Sets of files that hold no byte are left out. All are complete when it returns; when one fails, the processes
    that still run are ended.

    Raises:
        MunimentError: As `make_for_pack`.
    """
    tool = tool or Par2()
    if len(groups) == 1:
        ((name, files),) = groups.items()
        made = make_for_pack(files, target, redundancy, scratch=scratch, name=name, tool=tool)
        return [made] if made else []
    return _make_several(groups, target, redundancy, scratch, tool) if redundancy else []


def _make_several(
    groups: dict[str, list[ToPack]], target: Path, redundancy: int, scratch: Path, tool: Par2
) -> list[ParitySet]:
    done: list[ParitySet] = []
    waiting: collections.deque[concurrent.futures.Future[ParitySet]] = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(tool.threads, thread_name_prefix="packs")
    with contextlib.ExitStack() as left_over:

        def finish(folder: Path, name: str, index: PackIndex, gone: contextlib.ExitStack) -> ParitySet:
            with gone:
                return finish_pack(tool, folder, name, index, target, redundancy, threads=1)

        try:
            # The one with the records last: a version has its parity when that one is there.
            for name, files in reversed(groups.items()):
                while len(waiting) >= tool.threads:
                    done.append(waiting.popleft().result())
                gone = left_over.enter_context(contextlib.ExitStack())
                folder = gone.enter_context(work.work_folder(scratch))
                index = write_stream(files, folder / name, len(groups))
                waiting.append(pool.submit(finish, folder, name, index, gone))
            done.extend(future.result() for future in waiting)
        except BaseException:
            tool.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
    return done

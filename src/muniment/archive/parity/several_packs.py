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
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from muniment.archive.copying import Copier, Failed, JoinJob
from muniment.archive.parity import sets as work
from muniment.archive.parity.files import ParitySet
from muniment.archive.parity.pack_index import PackIndex, read_head
from muniment.archive.parity.packs import (
    PACK,
    ToPack,
    finish_pack,
    index_of,
    make_for_pack,
    parts_of,
    write_stream,
)
from muniment.archive.parity.par2 import Par2

PACK_BYTES = 64 << 20
"""Bytes of user's files in one pack. Parity that is made again is compared with what is there, pack by pack:
another number here asks for another name of the packs."""
_NAME = re.compile(r"(pack(?:_[1-9][0-9]{0,5})?)\.par2\.json\Z")
_MOST = 999_999


def may_be_several(size: int) -> bool:
    """Whether small files of at most so many bytes together can have more than one pack."""
    return size > PACK_BYTES


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
    groups: Mapping[str, Sequence[ToPack]],
    target: Path,
    redundancy: int,
    scratch: Path,
    copier: Copier,
    *,
    packs: int,
    tool: Par2 | None = None,
) -> list[ParitySet]:
    """Make the set of each group in the folder `target`; their streams lie in `scratch` meanwhile, few at a time.

    The version has `packs` in all. Sets of files that hold no byte are left out. All are complete when it returns;
    when one fails, or `tool` is stopped, the processes that still run are ended and no more are begun.

    Raises:
        MunimentError: As `make_for_pack`.
    """
    if not redundancy or not groups:
        return []
    tool = tool or Par2()
    if packs == 1:
        ((name, files),) = groups.items()
        made = make_for_pack(files, target, redundancy, scratch=scratch, name=name, tool=tool)
        return [made] if made else []
    with contextlib.ExitStack() as folders:
        work_of = {name: folders.enter_context(_Work(scratch, name)) for name in groups}

        def finish(name: str, index: PackIndex) -> ParitySet:
            with work_of[name] as mine:
                return finish_pack(tool, mine.folder, name, index, target, redundancy, threads=1)

        done: list[ParitySet] = []
        waiting: collections.deque[concurrent.futures.Future[ParitySet]] = collections.deque()
        pool = concurrent.futures.ThreadPoolExecutor(tool.threads, thread_name_prefix="packs")
        streams = _streams(groups, work_of, copier, packs)
        try:
            for name, index in streams:
                waiting.append(pool.submit(finish, name, index))
                while len(waiting) > tool.threads:
                    done.append(waiting.popleft().result())
            done.extend(future.result() for future in waiting)
        except BaseException:
            tool.stop()
            raise
        finally:
            streams.close()
            pool.shutdown(cancel_futures=True)
    return done


class _Work:
    """The folder one pack is made in: there when it is first asked for, gone with the first block that ends."""

    def __init__(self, scratch: Path, name: str) -> None:
        self._scratch = scratch
        self._name = name
        self._open = contextlib.ExitStack()
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = self._open.enter_context(work.work_folder(self._scratch))
        return self._folder

    @property
    def stream(self) -> Path:
        return self.folder / self._name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def _streams(
    groups: Mapping[str, Sequence[ToPack]], work_of: Mapping[str, _Work], copier: Copier, packs: int
) -> Generator[tuple[str, PackIndex], None, None]:
    """Write the streams, several at once where there are processes for it; which is there, and what lies where in it.

    Raises:
        MunimentError: As `write_stream`.
    """
    jobs = (
        JoinJob(name, str(work_of[name].stream), parts_of(files), sum(file.size for file in files))
        for name, files in groups.items()
    )
    answers = copier.join(jobs)
    try:
        for answer in answers:
            name = answer.key
            if isinstance(answer, Failed):
                # Once more, by somebody who says which of the files it is.
                yield name, write_stream(groups[name], work_of[name].stream, packs)
            else:
                yield name, index_of(groups[name], answer.size, answer.sha256, packs)
    finally:
        answers.close()

"""The check of what worm mode promises in a bucket: each key once, none hidden, each locked; and its repair."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice

from muniment.archive.bucket.keys import Keys, KeyStat
from muniment.archive.bucket.layout import INTAKE
from muniment.archive.bucket.worm import WormKeys, is_enough
from muniment.content import FINDINGS, Finding
from muniment.content.archive import Repair
from muniment.content.buckets import KeyVersion
from muniment.content.locks import KeyLock
from muniment.errors.base import MunimentError
from muniment.errors.stores import KeyNotFound

_AT_ONCE = 16
_PAGE = 1_000
_MARK = "a mark that it was deleted"


def check_worm(keys: Keys, prefix: str = "", *, fast: bool = False) -> Iterator[Finding]:
    """What is wrong with versions and locks below `prefix`; nothing where the archive is in another mode.

    With `fast` no lock is asked for, which takes a request for each key.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It was broken off.
    """
    if not isinstance(keys, WormKeys):
        return
    for key, versions, marks in _changed(keys, prefix):
        told = [f"{versions} versions"] if versions > 1 else []
        told += [_MARK if marks == 1 else f"{marks} marks that it was deleted"] if marks else []
        yield Finding(FINDINGS["M109"], key, "one version", " and ".join(told))
    if not fast:
        for stat, found in _locks(keys, prefix):
            expected = keys.wanted(stat)
            if not is_enough(found, expected, keys.rule):
                yield Finding(FINDINGS["M108"], stat.key, str(expected), str(found or "no lock"))
            elif found is not None and found.end <= datetime.now(UTC):
                yield Finding(FINDINGS["M108"], stat.key, "a lock that lasts", f"{found}, which is past")


def repair_worm(keys: Keys, prefix: str = "") -> Iterator[Repair]:
    """Lift marks of deletions below `prefix`, and lock anew what is not locked as it should be, or no longer.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
    """
    if not isinstance(keys, WormKeys):
        return
    for each in [each for each in _versions(keys, prefix) if each.marker]:
        keys.remove_version(each.key, each.version)
        yield Repair(each.key, repaired=True, how="the mark that it was deleted was lifted")
    for key, versions, _ in _changed(keys, prefix):
        if versions > 1:
            how = "another version lies on top: see which is right, and remove the other in the bucket"
            yield Repair(key, repaired=False, how=how)
    for stat, found in list(_locks(keys, prefix)):
        if is_enough(found, keys.wanted(stat), keys.rule) and found is not None and found.end > datetime.now(UTC):
            continue
        try:
            keys.lock(stat.key, keys.rule.at(time.time()))
            held, how = keys.locked(stat.key), ""
        except MunimentError as error:
            held, how = None, error.message
        good = is_enough(held, keys.rule.at(time.time()), keys.rule)
        yield Repair(stat.key, repaired=good, how=f"locked: {held}" if good else how or "the bucket keeps no lock")


def _versions(keys: Keys, prefix: str) -> Iterator[KeyVersion]:
    return (each for each in keys.versions(prefix) if not each.key.startswith(INTAKE))


def _changed(keys: Keys, prefix: str) -> Iterator[tuple[str, int, int]]:
    """Keys that have not exactly one version and no mark: key, versions, marks."""
    versions: Counter[str] = Counter()
    marks: Counter[str] = Counter()
    for each in _versions(keys, prefix):
        (marks if each.marker else versions)[each.key] += 1
    for key in sorted(versions.keys() | marks.keys()):
        if versions[key] != 1 or marks[key]:
            yield key, versions[key], marks[key]


def _locks(keys: WormKeys, prefix: str) -> Iterator[tuple[KeyStat, KeyLock | None]]:
    """Every key with its lock; one that is gone meanwhile is named as missing elsewhere."""

    def ask(stat: KeyStat) -> tuple[KeyStat, KeyLock | None] | None:
        try:
            return stat, keys.locked(stat.key)
        except KeyNotFound:
            return None

    stats = (each for each in keys.list(prefix) if not each.key.startswith(INTAKE))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="locks") as pool:
        while some := list(islice(stats, _PAGE)):  # not all at once: there may be millions
            yield from (found for found in pool.map(ask, some) if found is not None)

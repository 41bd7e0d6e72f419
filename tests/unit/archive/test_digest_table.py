"""What the log vouches for is kept outside memory, and says the same as a dictionary and a set would."""

from __future__ import annotations

import gc
import sqlite3
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from muniment.archive.fixity.audit.digest_table import DigestTable
from muniment.errors.archive import WriteFailed

_KEYS = some.sampled_from([bytes([number]) * 16 for number in range(4)])
_DIGESTS = some.one_of(
    some.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}"), some.text(max_size=20), some.just("")
)


@given(
    some.lists(
        some.one_of(
            some.tuples(some.just("keep"), _KEYS, _DIGESTS),
            some.tuples(some.just("forget"), _KEYS),
            some.tuples(some.just("mark_found"), _KEYS),
        )
    )
)
def test_it_says_what_a_dictionary_and_a_set_would(steps: list[tuple[Any, ...]]) -> None:
    tried = DigestTable()
    kept: dict[bytes, str] = {}
    found: set[bytes] = set()
    for name, key, *rest in steps:
        getattr(tried, name)(key, *rest)
        if name == "keep":
            kept[key] = rest[0]
        elif name == "forget":
            kept.pop(key, None)
        else:
            found.add(key)
    for key in (bytes([number]) * 16 for number in range(4)):
        assert tried.get(key) == kept.get(key)
        assert tried.is_missing(key) == (key in kept and key not in found)
    assert tried.all_found() == (kept.keys() <= found)


def test_its_file_goes_with_it() -> None:
    tried = DigestTable()
    seen = weakref.ref(tried)
    database = tried._database
    del tried
    gc.collect()
    assert seen() is None
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.execute("SELECT 1")


def test_a_full_folder_for_temporary_files_is_named() -> None:
    tried = DigestTable()
    tried._database.execute("PRAGMA max_page_count = 4")
    with pytest.raises(WriteFailed, match="temporary digests could not be written: database or disk is full"):
        _fill(tried)


def _fill(tried: DigestTable) -> None:
    for number in range(10_000):
        tried.keep(number.to_bytes(16, "big"), "sha512:" + "ab" * 64)

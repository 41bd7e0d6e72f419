"""The contract of every store: subclass `StoreContract` with a fixture `store` that is empty, and run it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import random
import threading
from collections.abc import Iterator
from typing import BinaryIO, ClassVar

import pytest

from muniment.content import Entry, LogicalPath
from muniment.errors.stores import BadKey, BadStore, ChangeRefused, KeyNotFound, KeyTaken, StoredWrong
from muniment.stores import Lock, PutOptions, Receipt, Store, put_bytes, read_bytes

NAMES = (
    "plain",
    "Directory Structures/a b/manifest.json",
    "Übergröße/файл/ファイル.json",
    "quotes'\"&?#%20+=;/x",
    "a" * 200,
)


class StoreContract:
    """What any store must do."""

    large: ClassVar[int] = 5 << 20
    """Bytes of what is put in the test of large things; let it be more than one part."""

    @pytest.fixture
    def store(self) -> Store | Iterator[Store]:
        """An empty store."""
        raise NotImplementedError

    @pytest.mark.parametrize("key", NAMES)
    def test_what_was_put_comes_back_under_the_same_key(self, store: Store, key: str) -> None:
        receipt = put_bytes(store, key, b"the bytes")
        store.flush()
        store.check(receipt)
        found = store.stat(key)
        assert found is not None
        assert (found.key, found.size) == (key, 9)
        assert read_bytes(store, key, 100) == b"the bytes"
        assert [each.key for each in store.list()] == [key]

    def test_a_receipt_has_size_md5_and_sha256(self, store: Store) -> None:
        receipt = put_bytes(store, "k", b"abc")
        assert receipt.size == 3
        assert receipt.digests["md5"] == hashlib.md5(b"abc", usedforsecurity=False).hexdigest()
        assert receipt.digests["sha256"] == hashlib.sha256(b"abc").hexdigest()

    def test_an_empty_thing_is_a_thing(self, store: Store) -> None:
        store.check(put_bytes(store, "empty", b""))
        found = store.stat("empty")
        assert found is not None
        assert found.size == 0
        assert read_bytes(store, "empty", 1) == b""

    def test_a_taken_key_is_refused_and_keeps_what_it_has(self, store: Store) -> None:
        put_bytes(store, "k", b"first")
        with pytest.raises(KeyTaken):
            put_bytes(store, "k", b"second")
        assert read_bytes(store, "k", 100) == b"first"

    def test_of_many_at_once_one_puts_a_key_where_the_store_says_so(self, store: Store) -> None:
        outcomes: list[bytes | None] = []
        start = threading.Barrier(6)

        def put(data: bytes) -> None:
            start.wait(10)
            try:
                put_bytes(store, "raced", data)
                outcomes.append(data)
            except KeyTaken:
                outcomes.append(None)

        threads = [threading.Thread(target=put, args=(b"%d" % number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        winners = [data for data in outcomes if data is not None]
        assert len(outcomes) == 6
        assert read_bytes(store, "raced", 10) in winners
        if store.capabilities.exclusive:
            assert len(winners) == 1

    def test_a_large_thing_is_streamed_and_checked(self, store: Store) -> None:
        data = random.Random(7).randbytes(self.large)  # noqa: S311 - bytes to store, no secret
        entry = Entry(LogicalPath.parse("x"), len(data), {"sha512": hashlib.sha512(data).hexdigest()})
        receipt = store.put("large", entry, lambda: io.BytesIO(data))
        store.flush()
        store.check(receipt)
        with store.open("large", self.large - 10) as file:
            assert file.read() == data[-10:]
        with store.open("large", self.large) as file:
            assert file.read() == b""

    @pytest.mark.parametrize(("size", "digests"), [(3, {"sha256": "0" * 64}), (None, {"md5": "0" * 32}), (4, {})])
    def test_other_bytes_than_promised_leave_nothing(self, store: Store, size: int, digests: dict[str, str]) -> None:
        entry = Entry(LogicalPath.parse("x"), size, digests)
        with pytest.raises(StoredWrong):
            store.put("wrong", entry, lambda: io.BytesIO(b"abc"))
        assert store.stat("wrong") is None
        assert list(store.list()) == []

    def test_a_source_that_breaks_off_leaves_nothing(self, store: Store) -> None:
        class Breaking(io.RawIOBase):
            def read(self, size: int = -1) -> bytes:
                raise ConnectionResetError("gone")

        def source() -> BinaryIO:
            return Breaking()  # type: ignore[return-value]  # enough of one for a store

        with pytest.raises(Exception, match=r"gone|reset"):
            store.put("broken", Entry(LogicalPath.parse("x"), None), source)
        assert store.stat("broken") is None
        assert list(store.list()) == []

    def test_nothing_is_told_from_something(self, store: Store) -> None:
        assert store.stat("nothing") is None
        with pytest.raises(KeyNotFound):
            store.open("nothing")
        with pytest.raises(KeyNotFound):
            store.check(Receipt("nothing", 1, {"sha256": "0" * 64}))

    def test_a_check_sees_another_content_and_another_size(self, store: Store) -> None:
        receipt = put_bytes(store, "k", b"abc")
        other = {"sha256": hashlib.sha256(b"abd").hexdigest()}
        with pytest.raises(StoredWrong, match="sha256"):
            store.check(dataclasses.replace(receipt, digests=other))
        with pytest.raises(StoredWrong, match="size"):
            store.check(dataclasses.replace(receipt, size=4))

    def test_a_confirmation_is_true_or_not_given(self, store: Store) -> None:
        receipt = put_bytes(store, "k", b"abc")
        store.flush()
        assert store.confirm(receipt) or not store.capabilities.checksums
        other = {name: "0" * len(value) for name, value in receipt.digests.items()}
        with contextlib.suppress(StoredWrong):
            assert not store.confirm(dataclasses.replace(receipt, digests=other))

    def test_a_lock_that_cannot_be_is_refused_before_anything_is_sent(self, store: Store) -> None:
        options = PutOptions(lock=Lock("governance", "2999-01-01T00:00:00Z"))
        if store.capabilities.locks:
            return  # whether it really locks is for its own tests, with a place that can
        with pytest.raises(BadStore):
            store.preflight(options)
        with pytest.raises(BadStore):
            put_bytes(store, "k", b"abc", options)
        assert store.stat("k") is None

    def test_what_is_removed_is_gone_and_else_it_is_kept(self, store: Store) -> None:
        receipt = put_bytes(store, "a/k", b"abc")
        put_bytes(store, "a/l", b"abc")
        if not store.capabilities.removes:
            with pytest.raises(ChangeRefused):
                store.remove("a/k", receipt.version)
            assert store.stat("a/k") is not None
            return
        store.remove("a/k", receipt.version)
        store.remove("a/k")
        assert store.stat("a/k") is None
        assert [each.key for each in store.list()] == ["a/l"]

    def test_a_derived_document_is_put_anew_or_kept(self, store: Store) -> None:
        entry = Entry(LogicalPath.parse("d"), None)
        put_bytes(store, "d", b"first")
        try:
            receipt = store.replace("d", entry, lambda: io.BytesIO(b"second"))
        except ChangeRefused:
            assert not store.capabilities.replaces
            assert read_bytes(store, "d", 10) == b"first"
            return
        assert store.capabilities.replaces
        store.flush()
        store.check(receipt)
        assert read_bytes(store, "d", 10) == b"second"
        with pytest.raises(StoredWrong):
            store.replace("d", Entry(LogicalPath.parse("d"), 1), lambda: io.BytesIO(b"third"))
        assert read_bytes(store, "d", 10) == b"second"

    def test_it_says_how_much_room_there_is_or_that_it_cannot_tell(self, store: Store) -> None:
        room = store.capacity()
        assert room is None or 0 <= room.free <= room.total
        store.preflight(size=1)

    def test_what_can_be_read_is_ready(self, store: Store) -> None:
        put_bytes(store, "k", b"abc")
        assert not store.recall("k")

    def test_lists_are_ordered_and_go_on_after_a_key(self, store: Store) -> None:
        keys = ["a.txt", "a/b", "a/c/d", "a0", "b/x"]
        for key in reversed(keys):
            put_bytes(store, key, b"1")
        assert [each.key for each in store.list()] == keys
        assert [each.key for each in store.list("a/")] == ["a/b", "a/c/d"]
        assert [each.key for each in store.list("a")] == keys[:4]
        assert [each.key for each in store.list("", after="a/b")] == keys[2:]

    @pytest.mark.parametrize("key", ["", "/a", "a/", "../a", "a//b", "a/./b", "a\0b"])
    def test_a_key_that_leaves_the_store_is_refused(self, store: Store, key: str) -> None:
        with pytest.raises(BadKey):
            store.put(key, Entry(LogicalPath.parse("x"), 1), lambda: io.BytesIO(b"x"))
        with pytest.raises(BadKey):
            store.open(key)

    def test_it_says_what_it_is(self, store: Store) -> None:
        assert isinstance(store, Store)
        assert store.provider
        assert store.container

"""The folder store, held to the contract, and what only a folder can do wrongly."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from muniment.errors.stores import BadKey, BadStore, KeyNotFound, KeyTaken, StoredWrong
from muniment.stores import Store, open_store, put_bytes, read_bytes
from muniment.testing.stores import StoreContract


class TestFolder(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return open_store(tmp_path / "store")


class TestFolderWithoutLinks(StoreContract):
    """A filesystem without hard links, as LTFS and many mounted shares are."""

    @pytest.fixture
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", refuse)
        return open_store(tmp_path / "store")


def test_damage_on_the_disk_is_seen_by_a_check(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    receipt = put_bytes(store, "Files/x", b"abc")
    (tmp_path / "Files" / "x").write_bytes(b"abd")
    with pytest.raises(StoredWrong):
        store.check(receipt)


def test_a_dangling_link_counts_as_taken(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    (tmp_path / "k").symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeyTaken):
        put_bytes(store, "k", b"abc")
    assert not (tmp_path / "nowhere").exists()


def test_nothing_of_what_is_on_its_way_is_listed_or_stays(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    put_bytes(store, "a/b", b"abc")
    assert [each.key for each in store.list()] == ["a/b"]
    assert list((tmp_path / ".incoming").iterdir()) == []
    assert read_bytes(store, "a/b", 3) == b"abc"


def test_a_key_where_things_lie_until_they_are_complete_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(BadKey):
        put_bytes(store, ".incoming/x", b"abc")


@pytest.mark.parametrize(
    "address",
    [
        "ftp://x/y",
        "s3://",
        "s3://key:word@bucket",
        "s3://key@bucket",
        "s3://bucket?secret=x",
        "s3://bucket?days=soon",
        "s3://bucket:port/x",
        "file://host/x",
        "file:///x?y=z",
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadStore) as refused:
        open_store(address)
    assert "word" not in str(refused.value)


def test_a_name_longer_than_a_file_can_have_is_one_that_is_not_there(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert store.stat("x" * 300) is None
    with pytest.raises(KeyNotFound):
        store.open("x" * 300)

"""What a store is: put once, look, list, open, and check by reading back; what it can beside that is asked."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, runtime_checkable

from muniment.content import Entry, Hashers, LogicalPath
from muniment.errors.content import NameNotUnicode, UnsafePath
from muniment.errors.stores import BadKey, StoredWrong

CHUNK = 1 << 20

Open = Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can do beside what every store does."""

    links: bool = False
    """It gives addresses that anybody may fetch from for a while (`link`)."""
    checksums: bool = False
    """It compares what it takes in with a digest sent along."""
    exclusive: bool = True
    """Of two who put the same key at the same moment, one is refused by the store itself."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What a store says of a key: bytes, and time of change in RFC 3339 where it knows."""

    key: str
    size: int
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was put: the key, its size and digests as they were computed while it was sent."""

    key: str
    size: int
    digests: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Store(Protocol):
    """A place for keys and bytes. Safe to use from many threads."""

    @property
    def provider(self) -> str:
        """Its kind: `folder`, `s3`."""

    @property
    def container(self) -> str:
        """Its name at the provider: the folder, the bucket."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beside the rest."""

    def put(self, key: str, source: Entry, open: Open) -> Receipt:
        """Store what `open` gives under `key`. It is on stable storage when `flush` has returned.

        The size and digests of `source`, where known, are what must come; md5 and sha256 are always computed.

        Raises:
            KeyTaken: There is something under the key; it was not touched.
            BadKey: The key cannot be one.
            StoredWrong: Other bytes came than `source` says; nothing was kept.
            StoreFull, StoreFailed, StoreUnreachable, StoreRefused: It was not done.
        """

    def flush(self) -> None:
        """Bring everything that was put to stable storage.

        Raises:
            StoreFailed: That failed.
        """

    def check(self, receipt: Receipt) -> None:
        """Read back what was put and compare it.

        Raises:
            KeyNotFound, StoredWrong: It is not what the receipt says.
            StoreFailed, StoreUnreachable, StoreRefused: It could not be told.
        """

    def stat(self, key: str) -> Stat | None:
        """What is under a key, or None.

        Raises:
            StoreFailed, StoreUnreachable, StoreRefused: It could not be told.
        """

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """The bytes under a key from `offset` on.

        Raises:
            KeyNotFound: There is nothing.
            StoreFailed, StoreUnreachable, StoreRefused: It could not be opened.
        """

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        """What lies under keys that begin with `prefix`, in the order of the keys' code points, from after `after`.

        Raises:
            StoreFailed, StoreUnreachable, StoreRefused: It could not be told.
        """

    def link(self, key: str, *, life: float, disposition: str = "") -> str:
        """An address to fetch a key from for `life` seconds; `disposition` is its Content-Disposition.

        Raises:
            BadStore: It has no such addresses (`capabilities.links`).
        """


def check_key(key: str, store: str, longest: int = 1024) -> str:
    """Accept a key: a relative path whose UTF-8 has at most `longest` bytes.

    Raises:
        BadKey: It is none.
    """
    try:
        LogicalPath.parse(key)
    except (UnsafePath, NameNotUnicode) as error:
        raise BadKey(key=key, store=store, reason=str(error.details.get("reason", error))) from None
    if len(key.encode()) > longest:
        raise BadKey(key=f"{key[:60]}…", store=store, reason=f"it has more than {longest} bytes")
    return key


class Sent:
    """Counts and digests the bytes on their way into a store, and compares them with what was promised."""

    def __init__(self, key: str, source: Entry, store: str) -> None:
        self._key = key
        self._source = source
        self._store = store
        self._hashers = Hashers(dict.fromkeys(("md5", "sha256", *source.digests)))

    def update(self, data: bytes | memoryview) -> None:
        """Take in the next bytes."""
        self._hashers.update(data)

    def receipt(self) -> Receipt:
        """What was sent.

        Raises:
            StoredWrong: It is not what was promised.
        """
        found = {**self._hashers.values(), "size": str(self._hashers.size)}
        expected = dict(self._source.digests)
        if self._source.size is not None:
            expected["size"] = str(self._source.size)
        compare(self._key, self._store, found, expected)
        return Receipt(self._key, self._hashers.size, self._hashers.values())


def compare(key: str, store: str, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Refuse what differs.

    Raises:
        StoredWrong: Something does.
    """
    for what, value in expected.items():
        if found[what] != value:
            raise StoredWrong(store=store, key=key, what=what, found=found[what], expected=value)


def read_back(store: Store, receipt: Receipt, name: str) -> None:
    """What `Store.check` does: read everything and compare size and sha256.

    Raises:
        StoredWrong: They differ.
        MunimentError: As `Store.open`.
    """
    digest, size = hashlib.sha256(), 0
    with store.open(receipt.key) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    found = {"size": str(size), "sha256": digest.hexdigest()}
    compare(receipt.key, name, found, {"size": str(receipt.size), "sha256": receipt.digests["sha256"]})


def put_bytes(store: Store, key: str, data: bytes) -> Receipt:
    """Put something small.

    Raises:
        MunimentError: As `Store.put`.
    """
    entry = Entry(LogicalPath.parse(key), len(data))
    return store.put(key, entry, lambda: io.BytesIO(data))


def read_bytes(store: Store, key: str, limit: int) -> bytes:
    """Something small, read whole; at most `limit` bytes.

    Raises:
        StoredWrong: There is more.
        MunimentError: As `Store.open`.
    """
    with store.open(key) as file:
        pieces: list[bytes] = []
        room = limit + 1
        while room and (piece := file.read(min(room, CHUNK))):
            pieces.append(piece)
            room -= len(piece)
    if not room:
        raise StoredWrong(store=store.container, key=key, what="its size", found=f"over {limit}", expected="less")
    return b"".join(pieces)

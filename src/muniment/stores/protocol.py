"""What a store is: put once, look, list, open, and check by reading back; what it can beside that is asked."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, runtime_checkable

from muniment.content import Entry, Hashers, LogicalPath
from muniment.content.locks import LockMode
from muniment.errors.content import NameNotUnicode, UnsafePath
from muniment.errors.stores import BadKey, BadStore, ChangeRefused, StoredWrong

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
    removes: bool = False
    """A key can be removed for ever (`remove`), and its room comes back."""
    replaces: bool = False
    """A derived document can be put anew under its key (`replace`)."""
    locks: bool = False
    """It has words for Object Lock (`lock`); whether a place really locks, `preflight` asks."""
    packs: bool = False
    """Each key costs, in money or time: many small things are better put as one tar."""
    cold: bool = False
    """What it holds may have to be made ready before it is read (`recall`)."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What keeps a key from being changed: until a time in RFC 3339, and as long as a legal hold is on it."""

    mode: LockMode = "governance"
    until: str = ""
    hold: bool = False


@dataclass(frozen=True, slots=True)
class PutOptions:
    """How something is put: under which lock, and whether it must always be readable at once (`warm`).

    `digests` are those that the receipt is to have; a store computes others where it has a use for them.
    """

    lock: Lock | None = None
    warm: bool = False
    digests: tuple[str, ...] = ("md5", "sha256")


@dataclass(frozen=True, slots=True)
class Capacity:
    """Bytes of a store: in all, and free for use (what the store keeps in reserve is taken off)."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Tape:
    """A tape of a store that has several: its name, and the files and bytes that are known to lie on it.

    `total` and `free` are bytes, known of the tape in the drive alone; `written_at` is RFC 3339.
    """

    name: str
    files: int
    size: int
    written_at: str = ""
    in_drive: bool = False
    total: int | None = None
    free: int | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Stat:
    """What a store says of a key: bytes, and time of change in RFC 3339 where it knows.

    `place` is the tape it lies on, where a store has several; `version` the store's own number of it.
    """

    key: str
    size: int
    modified: str | None = None
    place: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was put: the key, its size and digests as they were computed while it was sent.

    `confirmed` says that the store compared what arrived with a digest sent along, or gave its own digest of it.
    """

    key: str
    size: int
    digests: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    place: str = ""
    confirmed: bool = False


DEFAULTS = PutOptions()
"""No lock, and wherever the store puts things."""


@runtime_checkable
class Store(Protocol):
    """A place for keys and bytes. Safe to use from many threads.

    A store derives from this class: what has words below (`flush`, `check`, `lock`, …) need not be written where a
    store has nothing of its own to say. It writes `put`, `stat`, `open` and `list`, and the three properties.
    """

    @property
    def provider(self) -> str:
        """Its kind: `folder`, `s3`."""

    @property
    def container(self) -> str:
        """Its name at the provider: the folder, the bucket."""

    @property
    def at_once(self) -> int:
        """How many small things are worth sending at once; of large ones fewer are, whatever this says.

        With 1, whatever it is goes one after another, in the order of the keys.
        """
        return 8

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beside the rest."""

    def put(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        """Store what `open` gives under `key`. It is on stable storage when `flush` has returned.

        The size and digests of `source`, where known, are what must come.

        Raises:
            KeyTaken: There is something under the key; it was not touched.
            BadKey: The key cannot be one.
            BadStore: It cannot put it so.
            StoredWrong: Other bytes came than `source` says; nothing was kept.
            StoreFull, StoreFailed, StoreUnreachable, StoreRefused: It was not done, or nobody can tell.
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
            StoreNotReady: It cannot be read yet; what that takes was begun.
            StoreFailed, StoreUnreachable, StoreRefused: It could not be opened.
        """

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        """What lies under keys that begin with `prefix`, in the order of the keys' code points, from after `after`.

        Raises:
            StoreFailed, StoreUnreachable, StoreRefused: It could not be told.
        """

    def flush(self) -> None:
        """Bring everything that was put to stable storage.

        Raises:
            StoreFailed: That failed.
        """
        return

    def check(self, receipt: Receipt) -> None:
        """Read back what was put and compare it.

        Raises:
            KeyNotFound, StoredWrong: It is not what the receipt says.
            StoreNotReady: It cannot be read yet.
            StoreFailed, StoreUnreachable, StoreRefused: It could not be told.
        """
        read_back(self, receipt, str(self))

    def confirm(self, receipt: Receipt) -> bool:
        """Compare what was put with the digest the store itself gives, without reading; False where it gives none.

        Raises:
            KeyNotFound, StoredWrong: It is not what the receipt says.
            StoreFailed, StoreUnreachable, StoreRefused: It could not be told.
        """
        del receipt
        return False

    def remove(self, key: str, version: str = "") -> None:
        """Remove what is under a key for ever; only a purge does that. Nothing there is nothing to do.

        Raises:
            ChangeRefused: It is locked, or this store lets nothing go.
            StoreFailed, StoreUnreachable, StoreRefused: It was not done.
        """
        raise _keeps(self, key, version)

    def replace(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        """Put a derived document anew, one that can be made again from other keys: the newest inventory, a log's end.

        Where a store keeps versions, it keeps the former.

        Raises:
            ChangeRefused: This store changes nothing.
            MunimentError: As `put`.
        """
        del source, open, options
        raise _keeps(self, key)

    def lock(self, key: str, lock: Lock) -> None:
        """Lock a key, longer than before, or set and lift its legal hold.

        Raises:
            StoreRefused: It is locked for longer, or may not be touched.
            BadStore: It has no locks (`capabilities.locks`).
        """
        del lock
        raise BadStore(store=str(self), reason=f"it has no locks, so {key!r} cannot be locked")

    def shorten(self, key: str, lock: Lock) -> None:
        """Let a lock in governance end earlier, where whoever asks may; a legal hold stays as it is.

        Raises:
            ChangeRefused: It is in compliance, or these credentials may not.
            BadStore: It has no locks (`capabilities.locks`).
        """
        del lock
        raise BadStore(store=str(self), reason=f"it has no locks, so that of {key!r} cannot be shortened")

    def locked(self, key: str) -> Lock | None:
        """The lock on a key, or None.

        Raises:
            KeyNotFound: There is nothing.
            StoreFailed, StoreUnreachable, StoreRefused: It could not be told.
        """
        del key
        return None

    def recall(self, key: str) -> str:
        """Begin to make a key ready for reading; the time in RFC 3339 by which it is expected, '' when it is ready.

        Raises:
            KeyNotFound: There is nothing.
            StoreNotReady: A person has to do something first: mount a tape.
            StoreFailed, StoreUnreachable, StoreRefused: It was not begun.
        """
        del key
        return ""

    def preflight(self, options: PutOptions = DEFAULTS, size: int = 0) -> None:
        """Find out whether `size` bytes can be put so, before anything is sent.

        Raises:
            BadStore: It cannot do that: it has no lock.
            StoreFull: There is no room.
            StoreUnreachable, StoreRefused: It is not there, or not for us.
        """
        del size
        if options.lock is not None and not self.capabilities.locks:
            raise BadStore(store=str(self), reason="a lock is asked for, and it has none")

    def capacity(self) -> Capacity | None:
        """How much room there is, where the store knows.

        Raises:
            StoreFailed, StoreUnreachable, StoreRefused: It could not be told.
        """
        return None

    def let_go(self) -> None:
        """Let a person take out what is in the drive, where that needs anything; of any store but tapes nothing does.

        Raises:
            StoreUnreachable: It could not be asked.
        """
        return

    def tapes(self) -> Iterator[Tape]:
        """The tapes of a store that keeps things on several, in the drive or on the shelf; of any other store none.

        Raises:
            StoreFailed, StoreUnreachable: It could not be told.
        """
        return iter(())

    def link(self, key: str, *, life: float, disposition: str = "") -> str:
        """An address to fetch a key from for `life` seconds; `disposition` is its Content-Disposition.

        Raises:
            BadStore: It has no such addresses (`capabilities.links`).
        """
        del life, disposition
        raise BadStore(store=str(self), reason=f"it gives no addresses to fetch {key!r} from")


def _keeps(store: Store, key: str, version: str = "") -> ChangeRefused:
    shown = f"{key} (version {version})" if version else key
    return ChangeRefused(store=str(store), key=shown, reason="nothing there is ever changed or removed")


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

    def __init__(self, key: str, source: Entry, store: str, digests: Iterable[str] = DEFAULTS.digests) -> None:
        self._key = key
        self._source = source
        self._store = store
        self._hashers = Hashers(dict.fromkeys((*digests, *source.digests)))

    def update(self, data: bytes | memoryview) -> None:
        """Take in the next bytes."""
        self._hashers.update(data)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._hashers.size

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


def put_bytes(store: Store, key: str, data: bytes, options: PutOptions = DEFAULTS) -> Receipt:
    """Put something small.

    Raises:
        MunimentError: As `Store.put`.
    """
    entry = Entry(LogicalPath.parse(key), len(data))
    return store.put(key, entry, lambda: io.BytesIO(data), options)


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

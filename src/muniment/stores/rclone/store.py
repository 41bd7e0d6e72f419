"""A store at a remote of rclone: written under another name, compared, and only then given its own.

rclone has nothing to build write-once on (`rcat` and `copyto` of one file overwrite whatever they are told), so a key
is looked at before, and once more before the name is given; of two who do that at the same moment both may win. What
a remote can do (move, hashes, how names are compared) is asked of it, once.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from muniment.content import Entry
from muniment.errors.base import MunimentError
from muniment.errors.stores import BadKey, BadStore, KeyNotFound, KeyTaken, StoreFailed
from muniment.session.rclone import Rclone
from muniment.stores.opening import Address, StoreContext
from muniment.stores.protocol import (
    CHUNK,
    DEFAULTS,
    Capabilities,
    Capacity,
    Open,
    PutOptions,
    Receipt,
    Sent,
    Stat,
    Store,
    check_key,
    compare,
)

_INCOMING = ".incoming"
_REMOTE = re.compile(r"[\w.+@][\w.+@ -]*")
_COMPARED = ("sha256", "md5")
"""Hashes of remotes that a receipt has, the better first."""


def open_at(address: Address, context: StoreContext) -> RcloneStore:
    """The store at `rclone://remote/path`, a remote of the configuration in the credentials.

    Raises:
        BadStore: The address is none, rclone is not installed, or its configuration cannot be used.
    """
    address.only()
    if not _REMOTE.fullmatch(address.host) or address.port or address.user:
        raise BadStore(store=address.text, reason="it names no remote: rclone://remote/path")
    base = address.path[1:].rstrip("/")
    return RcloneStore(address.host, base, Rclone(address.text, context.keys, context.scratch))


@dataclass(frozen=True, slots=True)
class Features:
    """What a remote says of itself."""

    moves: bool
    hashes: tuple[str, ...]
    about: bool


class RcloneStore(Store):
    """Keys below `base` of one remote."""

    provider = "rclone"

    def __init__(self, remote: str, base: str, program: Rclone) -> None:
        """Asks nothing yet. A `base` that begins with / is a path of the remote's own root, where it has one."""
        self._remote = remote
        self._base = base
        self._rclone = program
        self._lock = threading.Lock()
        self._asked: Features | None = None

    @property
    def container(self) -> str:
        """The remote and the path in it."""
        return f"{self._remote}/{self._base}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """As the remote says; each key costs a process of rclone, so many small things are better packed."""
        checksums = bool(set(self.features.hashes) & set(_COMPARED))
        return Capabilities(checksums=checksums, exclusive=False, removes=True, replaces=True, packs=True)

    @property
    def features(self) -> Features:
        """What the remote says of itself, asked once.

        Raises:
            MunimentError: It cannot be asked.
        """
        with self._lock:
            if self._asked is None:
                found = _object(self._rclone.run(".", "backend", "features", f"{self._remote}:"))
                can = found.get("Features", {})
                hashes = tuple(str(name).lower() for name in found.get("Hashes", None) or ())
                moves = bool(can.get("Move") or can.get("Copy"))
                self._asked = Features(moves, hashes, bool(can.get("About")))
            return self._asked

    def put(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        """Store what `open` gives under `key`.

        Raises:
            MunimentError: As `Store.put`.
        """
        self._check(key)
        self.preflight(options)
        self._refuse_taken(key)
        return self._put(key, source, open, once=True)

    def replace(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        """Put a derived document anew.

        Raises:
            MunimentError: As `Store.replace`.
        """
        self._check(key)
        self.preflight(options)
        return self._put(key, source, open, once=False)

    def _put(self, key: str, source: Entry, open: Open, *, once: bool) -> Receipt:
        fresh = f"{_INCOMING}/{secrets.token_hex(12)}" if self.features.moves else key
        sent = Sent(key, source, str(self))
        size = [] if source.size is None else [f"--size={source.size}"]
        try:
            with open() as stream, self._rclone.writing(key, "rcat", *size, self._at(fresh)) as pipe:
                while data := stream.read(CHUNK):
                    sent.update(data)
                    pipe.write(data)
                receipt = sent.receipt()  # before the pipe is closed: what is wrong never becomes whole
            receipt = self._confirmed(replace(receipt, key=fresh))
            if fresh != key:
                if once:
                    self._refuse_taken(key)
                # Without it, what has the same size counts as the same where a remote knows neither times nor hashes.
                self._rclone.run(key, "moveto", "--ignore-times", self._at(fresh), self._at(key))
        except BaseException:
            if fresh != key or once:
                with contextlib.suppress(MunimentError):
                    self.remove(fresh)
            raise
        return replace(receipt, key=key)

    def _confirmed(self, receipt: Receipt) -> Receipt:
        """Compare size and hash of what arrived.

        Raises:
            StoredWrong, KeyNotFound: Something else did.
        """
        return replace(receipt, confirmed=self.confirm(receipt))

    def confirm(self, receipt: Receipt) -> bool:
        """Compare size, and the hash the remote has, if it has one of ours.

        Raises:
            MunimentError: As `Store.confirm`.
        """
        found = self._stat(receipt.key, "--hash")
        if found is None:
            raise KeyNotFound(key=receipt.key, store=str(self))
        compare(receipt.key, str(self), {"size": str(found["Size"])}, {"size": str(receipt.size)})
        hashes: Mapping[str, str] = found.get("Hashes") or {}
        hashes = {name.lower().replace("-", ""): value.lower() for name, value in hashes.items() if value}
        for name in _COMPARED:
            if name in hashes and name in receipt.digests:
                compare(receipt.key, str(self), {name: hashes[name]}, {name: receipt.digests[name]})
                return True
        return False

    def stat(self, key: str) -> Stat | None:
        """What is under a key, or None.

        Raises:
            MunimentError: As `Store.stat`.
        """
        self._check(key)
        found = self._stat(key)
        return None if found is None else Stat(key, int(found["Size"]), _when(found))

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """The bytes under a key from `offset` on.

        Raises:
            MunimentError: As `Store.open`.
        """
        found = self.stat(key)
        if found is None:
            raise KeyNotFound(key=key, store=str(self))
        if offset >= found.size:
            return io.BytesIO()
        return self._rclone.open(key, "cat", f"--offset={offset}", self._at(key))

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        """What lies under keys that begin with `prefix`, in order; the whole list is held to be sorted.

        Raises:
            MunimentError: As `Store.list`.
        """
        folder = prefix.rpartition("/")[0]
        found: list[Stat] = []
        words = ("lsjson", "-R", "--files-only", "--no-mimetype", "--use-server-modtime")
        try:
            with self._rclone.reading(prefix or ".", *words, self._at(folder)) as output:
                for line in output:
                    item = line.strip().rstrip(b",")
                    if not item.startswith(b"{"):
                        continue
                    row = _object(item)
                    key = f"{folder}/{row['Path']}" if folder else str(row["Path"])
                    if key.startswith(prefix) and key > after and not key.startswith(f"{_INCOMING}/"):
                        found.append(Stat(key, int(row["Size"]), _when(row)))
        except KeyNotFound:
            return
        yield from sorted(found, key=lambda each: each.key)

    def remove(self, key: str, version: str = "") -> None:
        """Remove what is under a key.

        Raises:
            MunimentError: As `Store.remove`.
        """
        del version
        try:
            self._rclone.run(key, "deletefile", self._at(key))
        except KeyNotFound:
            return
        except StoreFailed:  # exit status 1 may mean that it was not there: ask
            if self._stat(key) is not None:
                raise

    def preflight(self, options: PutOptions = DEFAULTS, size: int = 0) -> None:
        """Ask whether the remote is there, and has room where it knows.

        Raises:
            MunimentError: As `Store.preflight`.
        """
        super().preflight(options, size)
        room = self.capacity() if size else None
        if room is not None and room.free < size:
            reason = f"{size} bytes are to be put, and {room.free} are free"
            raise StoreFailed(store=str(self), key=".", reason=reason)

    def capacity(self) -> Capacity | None:
        """Bytes in all and free, where the remote knows both.

        Raises:
            MunimentError: It cannot be asked.
        """
        if not self.features.about:
            return None
        found = _object(self._rclone.run(".", "about", "--json", f"{self._remote}:"))
        total, free = found.get("total"), found.get("free")
        return Capacity(int(total), int(free)) if total is not None and free is not None else None

    def __str__(self) -> str:
        return f"rclone://{self.container}"

    def _check(self, key: str) -> None:
        check_key(key, str(self), 1024 - len(self._base.encode()))
        if key.startswith(f"{_INCOMING}/"):
            raise BadKey(key=key, store=str(self), reason="that is where things lie until they are complete")

    def _refuse_taken(self, key: str) -> None:
        if self._stat(key) is not None:
            raise KeyTaken(key=key, store=str(self))

    def _stat(self, key: str, *words: str) -> dict[str, Any] | None:
        """One file; where there are no folders of their own, one that is missing looks like an empty folder."""
        try:
            found = self._rclone.run(key, "lsjson", "--stat", "--no-mimetype", *words, self._at(key))
        except KeyNotFound:
            return None
        row = json.loads(found or b"null")
        return None if row is None or row.get("IsDir") else dict(row)

    def _at(self, key: str) -> str:
        return f"{self._remote}:" + "/".join(filter(None, (self._base, key)))


def _object(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    return found if isinstance(found, dict) else {}


def _when(row: Mapping[str, object]) -> str | None:
    found = str(row.get("ModTime") or "")
    return found or None

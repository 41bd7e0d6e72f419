"""A store on LTFS tapes: one drive, any number of tapes, and a catalogue of which tape holds what.

A tape is told from others by its indicator, which is read and never written. Room is asked for before and while
writing, with a hundredth of the tape in reserve for its index. A full tape is taken out and another put in: what is
put next goes to that one. A key on a tape that is not in the drive is known, and ready when the tape is.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from muniment.content import Entry
from muniment.errors.stores import (
    BadStore,
    CapacityExceeded,
    KeyNotFound,
    KeyTaken,
    StoreFailed,
    StoreFull,
    StoreNotReady,
    StoreReadOnly,
    TapeMissing,
    TapeUnlabelled,
)
from muniment.stores.ltfs.catalogue import Catalogue, Held
from muniment.stores.ltfs.host import Host, LocalHost, Volume
from muniment.stores.ltfs.names import CATALOGUE, is_own, key_of, medium_name
from muniment.stores.ltfs.ssh import SshHost
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
    Tape,
    check_key,
    compare,
)

_LONGEST_KEY = 4000


def open_at(address: Address, context: StoreContext) -> LtfsStore:
    """The store at `ltfs:///mnt/tape`, or `ltfs://user@host:port/mnt/tape` by ssh.

    Raises:
        BadStore: The address is none, or there is no folder for the catalogue.
    """
    address.only()
    mount = address.path.rstrip("/")
    if not mount or not mount.startswith("/"):
        raise BadStore(store=address.text, reason="it names no mount point: ltfs:///mnt/tape")
    if context.records is None:
        raise BadStore(store=address.text, reason="there is no folder for the catalogue of its tapes")
    host: Host
    if address.host:
        if address.host.startswith("-") or address.user.startswith("-"):
            raise BadStore(store=address.text, reason="no machine is called so")
        target = f"{address.user}@{address.host}" if address.user else address.host
        scratch = context.scratch or Path(tempfile.gettempdir())
        host = SshHost(target, address.port, mount, keys=context.keys, scratch=scratch, store=address.text)
    else:
        host = LocalHost(Path(mount), address.text)
    catalogue = Catalogue(context.records, address.text)
    return LtfsStore(host, catalogue, address.text, local=not address.host, commands=context.commands)


class LtfsStore(Store):
    """Keys on the tapes of one drive."""

    provider = "ltfs"

    def __init__(
        self, host: Host, catalogue: Catalogue, name: str, *, local: bool, commands: Mapping[str, Sequence[str]]
    ) -> None:
        """Looks at nothing yet. `commands` are `mount` and `unmount`, as words; what is not given a person does."""
        self._mount, self._unmount = commands.get("mount", ()), commands.get("unmount", ())
        self._host = host
        self._catalogue = catalogue
        self._name = name
        self._local = local
        self._lock = threading.RLock()
        self._fresh: dict[str, Held] = {}
        """What was written since LTFS last wrote its index: not in the catalogue before it has."""

    @property
    def container(self) -> str:
        """The drive: which tape holds a key is in its receipt."""
        return self._name.partition("://")[2]

    @property
    def at_once(self) -> int:
        """One: a drive that is asked for two things at once winds to and fro."""
        return 1

    @property
    def capabilities(self) -> Capabilities:
        """Nothing on a tape is removed; a key may have to wait for its tape."""
        return Capabilities(exclusive=self._local, packs=True, cold=True)

    def mounted(self) -> str:
        """The indicator of the tape in the drive.

        Raises:
            TapeMissing, TapeUnlabelled, StoreFailed: It could not be told.
        """
        return self._volume().tape

    def tapes(self) -> Iterator[Tape]:
        """The tape in the drive, if one is, and all that the catalogue knows of.

        Raises:
            MunimentError: As `Store.tapes`.
        """
        try:
            volume = self._volume()
        except (TapeMissing, TapeUnlabelled):
            volume = None
        known: dict[str, tuple[int, int, str]] = {} if volume is None else {volume.tape: (0, 0, "")}
        for held in self._catalogue.all().values():
            files, size, newest = known.get(held.tape, (0, 0, ""))
            known[held.tape] = (files + 1, size + held.size, max(newest, held.at))
        for name, (files, size, newest) in sorted(known.items()):
            if volume is None or volume.tape != name:
                yield Tape(name, files, size, newest)
            else:
                yield Tape(
                    name, files, size, newest,
                    in_drive=True, total=volume.total, free=volume.free, read_only=volume.read_only,
                )  # fmt: skip

    def put(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        """Write to the tape in the drive.

        Raises:
            TapeMissing, TapeUnlabelled, StoreReadOnly, CapacityExceeded: There is no tape for it.
            MunimentError: As `Store.put`.
        """
        name = medium_name(check_key(key, str(self), _LONGEST_KEY))
        super().preflight(options)
        with self._lock, self._catalogue.writing():
            volume = self._volume()
            if self._catalogue.find(key) is not None or self._host.stat(name) is not None:
                raise KeyTaken(key=key, store=str(self))
            # Written before, and gone: the drive lost its power before the index was written.
            self._fresh.pop(key, None)
            self._refuse_full(volume, key, source.size or 0)
            sent = Sent(key, source, str(self), options.digests)
            with open() as stream:
                room = partial(self._refuse_full_now, key)
                self._host.write(name, _pieces(stream, sent), room)
            receipt = sent.receipt()
            self._fresh[key] = self._held(key, volume.tape, receipt)
            return Receipt(key, receipt.size, receipt.digests, place=volume.tape)

    def flush(self) -> None:
        """Let LTFS write its index, and then note what is on the tape, there and here.

        Raises:
            MunimentError: As `Store.flush`.
        """
        with self._lock, self._catalogue.writing():
            if not self._fresh:
                return
            tape = self._volume().tape
            written = [held for held in self._fresh.values() if held.tape == tape and self._lies_there(held)]
            self._host.sync()
            moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
            lines = b"".join(held.as_line() for held in written)
            self._host.write(f"{CATALOGUE}/{moment}.jsonl", [lines], lambda _: None)
            self._host.sync()
            self._catalogue.add(written)
            self._fresh = {}

    def check(self, receipt: Receipt) -> None:
        """Read back what was put, where the tape is.

        Raises:
            StoreNotReady: Its tape is not in the drive.
            MunimentError: As `Store.check`.
        """
        held = self._in_drive(receipt.key)
        name = held.name if held else medium_name(receipt.key)
        if self._host.stat(name) is None:
            raise KeyNotFound(key=receipt.key, store=str(self))
        size, sha256 = self._host.sha256(name)
        expected = {"size": str(receipt.size), "sha256": receipt.digests["sha256"]}
        compare(receipt.key, str(self), {"size": str(size), "sha256": sha256}, expected)
        if held is None:  # proved to be there, and in no list: a run ended before it could be noted
            found = self._held(receipt.key, self._volume().tape, receipt)
            self._catalogue.add([found])
            with self._lock:
                self._fresh[receipt.key] = found  # the tape's own list has it from the next flush on

    def stat(self, key: str) -> Stat | None:
        """What is under a key, on whatever tape.

        Raises:
            MunimentError: As `Store.stat`.
        """
        check_key(key, str(self), _LONGEST_KEY)
        held = self._known(key)
        tape = self._mounted(held)
        if held is not None and held.tape != tape:
            return Stat(key, held.size, held.at or None, place=held.tape)
        found = self._host.stat(held.name if held else medium_name(key))
        return Stat(key, found.size, found.modified, place=tape) if found else None

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """The bytes under a key, when its tape is in the drive.

        Raises:
            StoreNotReady: It is not.
            MunimentError: As `Store.open`.
        """
        check_key(key, str(self), _LONGEST_KEY)
        held = self._in_drive(key)
        found = self._host.stat(held.name if held else medium_name(key))
        if found is None:
            raise KeyNotFound(key=key, store=str(self))
        return self._host.open(found.name, offset) if offset < found.size else io.BytesIO()

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        """What lies on all tapes, in order; the whole list is held to be sorted.

        Raises:
            MunimentError: As `Store.list`.
        """
        known = self._catalogue.all() | self._fresh
        tape = self._mounted(next(iter(known.values()), None))
        found = {key: Stat(key, held.size, held.at or None, place=held.tape) for key, held in known.items()}
        found = {key: stat for key, stat in found.items() if stat.place != tape}
        if tape:
            keys = {held.name: key for key, held in known.items() if held.tape == tape}
            for file in self._host.list():
                if not is_own(file.name):
                    key = keys.get(file.name, key_of(file.name))
                    found[key] = Stat(key, file.size, file.modified, place=tape)
        for key in sorted(found):
            if key.startswith(prefix) and key > after:
                yield found[key]

    def recall(self, key: str) -> str:
        """Nothing can be begun here: '' when the key's tape is in the drive.

        Raises:
            StoreNotReady: A person has to put it in.
            KeyNotFound: There is nothing.
        """
        if self.stat(key) is None:
            raise KeyNotFound(key=key, store=str(self))
        self._in_drive(key)
        return ""

    def preflight(self, options: PutOptions = DEFAULTS, size: int = 0) -> None:
        """Look whether a tape is in the drive, is labelled, can be written to and has room.

        Raises:
            MunimentError: As `Store.preflight`.
        """
        super().preflight(options, size)
        self._refuse_full(self._volume(), ".", size)

    def let_go(self) -> None:
        """Unmount the tape, where there is a command for it, so that a person can take it out.

        What was written is noted on it before; what cannot be is noted when it is read back.

        Raises:
            StoreUnreachable: The machine cannot be asked.
        """
        with self._lock:
            if self._unmount and self._is_mounted():
                with contextlib.suppress(StoreFull, StoreFailed):
                    self.flush()
                self._host.run(self._unmount)

    def capacity(self) -> Capacity:
        """Bytes of the tape in the drive, its reserve taken off what is free.

        Raises:
            TapeMissing, TapeUnlabelled, StoreFailed: It could not be told.
        """
        volume = self._volume()
        return Capacity(volume.total, max(0, volume.free - volume.reserve))

    def __str__(self) -> str:
        return self._name

    def _volume(self) -> Volume:
        """The tape in the drive, mounted where it was not and there is a command for it.

        Raises:
            TapeMissing, TapeUnlabelled, StoreFailed, StoreUnreachable: As `Host.volume`.
        """
        try:
            return self._host.volume()
        except TapeMissing:
            if not self._mount:
                raise
        with self._lock:
            if not self._is_mounted():
                trouble = self._host.run(self._mount)
                if trouble and self._is_mounted():
                    trouble = ""  # by somebody else, meanwhile
                if trouble and self._unmount and not self._host.run(self._unmount):
                    # Its drive had lost its power: the place where it was mounted was taken still.
                    trouble = self._host.run(self._mount)
                if trouble:
                    raise TapeMissing(store=str(self), reason=f"none is mounted, and {trouble}")
            return self._host.volume()

    def _is_mounted(self) -> bool:
        try:
            self._host.volume()
        except TapeMissing:
            return False
        except TapeUnlabelled:
            return True
        return True

    def _lies_there(self, held: Held) -> bool:
        """Whether what was written is still on the tape in the drive; a drive that lost its power forgets."""
        found = self._host.stat(held.name)
        return found is not None and found.size == held.size

    def _known(self, key: str) -> Held | None:
        return self._fresh.get(key) or self._catalogue.find(key)

    def _held(self, key: str, tape: str, receipt: Receipt) -> Held:
        at = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
        digests = receipt.digests
        return Held(key, tape, medium_name(key), receipt.size, digests["sha256"], digests.get("md5", ""), at)

    def _mounted(self, held: Held | None) -> str:
        """The tape in the drive; '' for an empty drive, which is no failure where the catalogue can answer."""
        try:
            return self._volume().tape
        except TapeMissing:
            if held is None:
                raise
            return ""

    def _in_drive(self, key: str) -> Held | None:
        held = self._known(key)
        if held is not None and held.tape != (tape := self._mounted(held)):
            reason = f"{tape} is in the drive" if tape else "the drive is empty"
            raise StoreNotReady(store=str(self), key=key, until=f"tape {held.tape} is in the drive", reason=reason)
        return held

    def _refuse_full_now(self, key: str, size: int) -> None:
        self._refuse_full(self._volume(), key, size)

    def _refuse_full(self, volume: Volume, key: str, size: int) -> None:
        if volume.read_only:
            reason = f"tape {volume.tape} is mounted read-only (full, worn, or locked by its tab)"
            raise StoreReadOnly(store=str(self), key=key, reason=reason)
        if volume.free - size <= volume.reserve:
            free = max(0, volume.free - volume.reserve)
            store = f"tape {volume.tape} in {self}"
            raise CapacityExceeded(store=store, key=key, needed=size, available=free, reserve=volume.reserve)


def _pieces(stream: BinaryIO, sent: Sent) -> Iterator[bytes]:
    while data := stream.read(CHUNK):
        sent.update(data)
        yield data
    sent.receipt()  # what is wrong must not become whole

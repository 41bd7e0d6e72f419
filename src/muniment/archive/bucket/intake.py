"""What a transaction has in a bucket before it is committed: its files, and the seal that names them.

```
intake/<transaction>/
  begin            who began it, and when
  pack/<n>         files of up to 1 MiB, one after the other, 16 MiB to a pack
  big/<n>          each larger file
  inventory.json   the inventory that will be put to commit it; inventory-2.json … of further resources
  end              put once: the seal, or that it was killed
```
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import INTAKE, object_place
from muniment.archive.context import SealedResource, SealedTransaction
from muniment.archive.package.inventory import NAME, read_inventory
from muniment.content.events import Event, parse_event
from muniment.content.regular import open_regular
from muniment.content.times import now
from muniment.errors.archive import DamagedRecord
from muniment.errors.base import MunimentError
from muniment.errors.stores import KeyNotFound, StoredWrong

RESERVED, GROUPS = f"{INTAKE}reserved/", f"{INTAKE}groups/"
"""What is no transaction's: who has a version reserved, and what was decided about groups."""
LARGEST_SMALL = 1 << 20
"""Bytes of a file up to which it travels in a pack."""
PACK = 16 << 20
ALIVE_EVERY = 3600.0
"""Seconds after which a writer that is still uploading shows that it lives, by putting `begin` anew."""
AT_ONCE = 16
"""Requests on their way at once."""
UPLOADS = 4
"""Packs and large files on their way at once: memory holds one pack more."""


class Staged(NamedTuple):
    """Where a file lies before it is laid out: a key, and its part of it."""

    key: str
    start: int
    size: int
    alone: bool


@dataclass(frozen=True, slots=True)
class SealedObject:
    """What a transaction brings to one resource: a version, or a whole history from `number` on.

    `inventories` are the digests of the inventories of its versions, the oldest first: the first of them commits all.
    `files` names, for each file below the object's prefix, where it is staged.
    """

    project: str
    id: str
    number: int
    inventories: tuple[str, ...]
    files: Mapping[str, Staged]

    @property
    def place(self) -> str:
        """The prefix of the object."""
        return object_place(self.project, self.id)

    @property
    def head(self) -> int:
        """The number of its newest version."""
        return self.number + len(self.inventories) - 1


@dataclass(frozen=True, slots=True)
class Seal:
    """That a transaction is complete, and all that is needed to commit it and to finish it.

    `log` is the newest event's number when the transaction began. One that is prepared as part of a `group` waits for
    its decision, which the archive `decided_at` keeps.
    """

    transaction: str
    log: int
    events: tuple[Event, ...]
    objects: tuple[SealedObject, ...]
    group: str = ""
    decided_at: str = ""

    @property
    def versions(self) -> list[tuple[str, str, int]]:
        """Project, resource and number of the first version of each object: what commits it."""
        return [(each.project, each.id, each.number) for each in self.objects]

    def at(self, place: str) -> SealedObject | None:
        """What it brings to the object at a prefix, or None."""
        return next((each for each in self.objects if each.place == place), None)

    def as_bytes(self) -> bytes:
        """What `end` holds."""
        waiting = {"group": self.group, "decided at": self.decided_at} if self.group else {}
        record = {
            "transaction": self.transaction,
            **waiting,
            "log": self.log,
            "events": [asdict(event) for event in self.events],
            "objects": [
                {
                    "project": each.project,
                    "id": each.id,
                    "number": each.number,
                    "inventories": each.inventories,
                    "files": each.files,
                }
                for each in self.objects
            ],
        }
        return _json(record)


class Intake:
    """The keys of one transaction."""

    def __init__(self, keys: Keys, transaction: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells a writer when an hour has passed."""
        self.transaction = transaction
        self._keys = keys
        self._prefix = f"{INTAKE}{transaction}/"
        self._clock = clock
        self._began = b""
        self._touched = 0.0

    @property
    def end(self) -> str:
        """The key that decides whether it is committed or killed."""
        return self._prefix + "end"

    @property
    def decided(self) -> str:
        """The key that says what a prepared transaction came to."""
        return self._prefix + "decided"

    @property
    def begin(self) -> str:
        """The key that says that it was begun."""
        return self._prefix + "begin"

    def inventory(self, count: int = 1) -> str:
        """The key of the inventory that will commit its resource of this count."""
        return self._prefix + (NAME if count == 1 else f"inventory-{count}.json")

    @property
    def quarantined(self) -> str:
        """The key that says that it was sealed and cannot be committed: a person decides about its bytes."""
        return self._prefix + "quarantined"

    def upload(self, sealed: SealedTransaction, began_by: str, algorithm: str) -> Seal:
        """Put everything that was sealed here; the seal for it, which is not put yet.

        Raises:
            StoredWrong: Something else arrived than was sent, or something is missing.
            StorageError, RemoteError: It was not done.
        """
        self._began = _json({"began": now(), "by": began_by})
        self._touch()
        sizes: dict[str, int] = {}
        names = [
            (count, name, each.object / name)
            for count, each in enumerate(sealed.resources)
            for name in _new_files(each, algorithm)
        ]
        lying: list[dict[str, Staged]] = [{} for _ in sealed.resources]
        for count, name, staged in self._put_files(names, sizes):
            lying[count][name] = staged
        objects = []
        for count, (each, files) in enumerate(zip(sealed.resources, lying, strict=True), 1):
            self._stay_alive()
            first = each.object / f"v{each.base + 1}" / NAME
            self._keys.put(self.inventory(count), first)
            sizes[self.inventory(count)] = first.stat().st_size
            older = tuple(digest_of(each.object / f"v{n}" / NAME, algorithm) for n in range(each.base + 1, each.head))
            inventories = (*older, each.inventory)
            objects.append(SealedObject(each.project, each.id, each.base + 1, inventories, files))
        self._refuse_unlike(sizes)
        waiting = sealed.group, sealed.decided_at
        return Seal(sealed.transaction, sealed.log, sealed.events, tuple(objects), *waiting)

    def read_end(self) -> Seal | None:
        """The seal, or None where it was killed.

        Raises:
            KeyNotFound: Neither.
            DamagedRecord: It cannot be read.
            StorageError, RemoteError: It could not be had.
        """
        with self._keys.open(self.end) as stream:
            data = stream.read()
        try:
            record = json.loads(data)
            return None if "killed" in record else _seal(record)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedRecord(path=self.end, reason=str(error)) from error

    def kill(self, by: str) -> bool:
        """Decide that it is never committed; False where it was sealed before.

        Raises:
            StorageError, RemoteError: Nobody can tell.
        """
        return self._keys.put_once(self.end, _json({"killed": now(), "by": by}))

    def seal(self, seal: Seal) -> bool:
        """Decide that it is committed; where it was killed before, False, and what was uploaded is removed.

        Raises:
            StorageError, RemoteError: Nobody can tell.
        """
        if self._keys.put_once(self.end, seal.as_bytes()):
            return True
        self._clear_killed()
        return False

    def abandon(self, by: str, *, keep_mark: bool) -> None:
        """Kill it where it was not sealed, and remove what was uploaded, as far as that can be done now."""
        with contextlib.suppress(MunimentError):
            if self.kill(by):
                self.clear(keep_end=keep_mark)
            else:
                self._clear_killed()

    def _clear_killed(self) -> None:
        """Remove what a writer brought below the mark of those who killed it; nobody else looks there again soon."""
        with contextlib.suppress(MunimentError):
            if self.read_end() is None:
                self.clear(keep_end=True)

    def clear(self, *, keep_end: bool = False, seal: Seal | None = None) -> None:
        """Remove its keys, `end` last: while that is there, whoever comes goes on.

        With a seal those that it tells of, and they are not asked for.

        Raises:
            StorageError, RemoteError: Not all was done.
        """
        there = self._told(seal) if seal else {each.key for each in self._keys.list(self._prefix)}
        self._keys.remove(sorted(there - {self.end}))
        if not keep_end:
            self._keys.remove([self.end])

    def _told(self, seal: Seal) -> set[str]:
        staged = {at.key for each in seal.objects for at in each.files.values()}
        inventories = {self.inventory(count) for count in range(1, len(seal.objects) + 1)}
        return {self.begin, *staged, *inventories} | ({self.decided} if seal.group else set())

    def clear_to_mark(self) -> None:
        """Remove all but the mark that it was rolled back: who wakes up can never commit it.

        Raises:
            StorageError, RemoteError: Not all was done.
        """
        self._keys.remove([each.key for each in self._keys.list(self._prefix) if each.key != self.decided])

    def drop(self) -> None:
        """Remove what was uploaded of a transaction that was not sealed, as far as that can be done now."""
        with contextlib.suppress(MunimentError):
            self.clear()

    def changed(self) -> str:
        """When anything of it was last put, in RFC 3339 by the store's clock; '' where there is nothing.

        Raises:
            StorageError, RemoteError: It could not be told.
        """
        return max((each.modified or "" for each in self._keys.list(self._prefix)), default="")

    def _put_files(
        self, names: Iterable[tuple[int, str, Path]], sizes: dict[str, int]
    ) -> Iterator[tuple[int, str, Staged]]:
        """Put files, large ones each under a key, small ones together; yields where each of each object lies."""
        large: list[tuple[int, str, Path]] = []
        with _Upload(self._keys, self._stay_alive) as upload:
            number, pack = 1, bytearray()
            for count, name, path in names:
                size = path.lstat().st_size
                if size > LARGEST_SMALL:
                    large.append((count, name, path))
                    continue
                if len(pack) + size > PACK:
                    sizes[self._pack(number)] = len(pack)
                    upload.begin(self._pack(number), bytes(pack))
                    number, pack = number + 1, bytearray()
                start = len(pack)
                with open_regular(path) as file:
                    pack += file.read()
                yield count, name, Staged(self._pack(number), start, size, alone=False)
            if pack:
                sizes[self._pack(number)] = len(pack)
                upload.begin(self._pack(number), bytes(pack))
            del pack
            for number, (count, name, path) in enumerate(large, 1):
                key = f"{self._prefix}big/{number}"
                sizes[key] = path.stat().st_size
                upload.begin(key, path)
                yield count, name, Staged(key, 0, sizes[key], alone=True)
            upload.end()

    def _pack(self, number: int) -> str:
        return f"{self._prefix}pack/{number}"

    def _touch(self) -> None:
        self._keys.put(self.begin, self._began)
        self._touched = self._clock()

    def _stay_alive(self) -> None:
        """Show that the writer lives, once an hour: no recovery anywhere then takes its upload for abandoned."""
        if self._clock() - self._touched >= ALIVE_EVERY:
            self._touch()

    def _refuse_unlike(self, sizes: Mapping[str, int]) -> None:
        there = {each.key: each.size for each in self._keys.list(self._prefix)}
        for key, size in sizes.items():
            if there.get(key) != size:
                found = str(there.get(key, "nothing"))
                raise StoredWrong(store=str(self._keys), key=key, what="size", found=found, expected=str(size))


class _Upload:
    """Puts of packs and of large files, several at once; who waits for one shows meanwhile that the writer lives."""

    def __init__(self, keys: Keys, stay_alive: Callable[[], None]) -> None:
        self._keys = keys
        self._stay_alive = stay_alive
        self._pool = ThreadPoolExecutor(UPLOADS, thread_name_prefix="intake")
        self._waiting: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, key: str, source: bytes | Path) -> None:
        """Have a key put; waits while others are on their way, for each pack takes memory.

        Raises:
            StorageError, RemoteError: An earlier one was not put.
        """
        self._stay_alive()
        self._waiting.append(self._pool.submit(self._keys.put, key, source))
        while len(self._waiting) >= UPLOADS:
            self._await()

    def end(self) -> None:
        """Wait until all is there.

        Raises:
            StorageError, RemoteError: One was not put.
        """
        while self._waiting:
            self._await()

    def _await(self) -> None:
        while not wait(self._waiting, timeout=ALIVE_EVERY, return_when=FIRST_COMPLETED).done:
            self._stay_alive()  # one file may take days
        for each in [each for each in self._waiting if each.done()]:
            self._waiting.remove(each)
            each.result()
        self._stay_alive()


def transactions(keys: Keys) -> list[str]:
    """The transactions that have something in the intake.

    Raises:
        StorageError, RemoteError: It could not be told.
    """
    return [each for each in keys.folders(INTAKE) if f"{INTAKE}{each}/" not in {RESERVED, GROUPS}]


def seal_of(keys: Keys, transaction: str) -> Seal | None:
    """The seal of a committed transaction that was not cleared yet: it tells where files lie that were not laid out.

    Raises:
        StorageError, RemoteError: It could not be told.
    """
    if not transaction:
        return None
    try:
        return Intake(keys, transaction).read_end()
    except KeyNotFound:
        return None


def _new_files(resource: SealedResource, algorithm: str) -> list[str]:
    """The files that are staged of a resource: those of its versions, and the inventories after the first."""
    inventory, _ = read_inventory(resource.object / f"v{resource.head}", algorithm)
    versions = {f"v{number}" for number in range(resource.base + 1, resource.head + 1)}
    every = (path for paths in inventory.manifest.values() for path in paths)
    files = sorted(path for path in every if path.partition("/")[0] in versions)
    return files + [f"v{number}/{NAME}" for number in range(resource.base + 2, resource.head + 1)]


def digest_of(path: Path, algorithm: str) -> str:
    """The digest of a file on this machine."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _seal(record: Mapping[str, Any]) -> Seal:
    # Until 0.1.0 a seal was that of one version, and told of it at its top.
    objects = record["objects"] if "objects" in record else [{**record, "inventories": [record["inventory"]]}]
    return Seal(
        str(record["transaction"]),
        int(record["log"]),
        tuple(_event(each) for each in record["events"]),
        tuple(_sealed_object(each) for each in objects),
        str(record.get("group", "")),
        str(record.get("decided at", "")),
    )


def _sealed_object(record: Mapping[str, Any]) -> SealedObject:
    return SealedObject(
        str(record["project"]),
        str(record["id"]),
        int(record["number"]),
        tuple(str(each) for each in record["inventories"]),
        {str(path): Staged(str(at[0]), int(at[1]), int(at[2]), bool(at[3])) for path, at in record["files"].items()},
    )


def _event(record: Mapping[str, Any]) -> Event:
    return parse_event(_json(record))


def _json(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

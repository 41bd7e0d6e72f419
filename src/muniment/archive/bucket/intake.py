"""What a transaction has in a bucket before it is committed: its files, and the seal that names them.

```
intake/<transaction>/
  begin            who began it, and when
  pack/<n>         files of up to 1 MiB, one after the other, 16 MiB to a pack
  big/<n>          each larger file
  inventory.json   the inventory that will be put to commit it
  end              put once: the seal, or that it was killed
```
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import INTAKE, object_place
from muniment.archive.context import SealedVersion
from muniment.archive.package.inventory import NAME, read_inventory
from muniment.content.events import Event, parse_event
from muniment.content.regular import open_regular
from muniment.content.times import now
from muniment.errors.archive import DamagedRecord
from muniment.errors.base import RemoteError, StorageError
from muniment.errors.stores import KeyNotFound, StoredWrong

LARGEST_SMALL = 1 << 20
"""Bytes of a file up to which it travels in a pack."""
PACK = 16 << 20
AT_ONCE = 16
"""Requests on their way at once."""


class Staged(NamedTuple):
    """Where a file lies before it is laid out: a key, and its part of it."""

    key: str
    start: int
    size: int
    alone: bool


@dataclass(frozen=True, slots=True)
class Seal:
    """That a transaction is complete, and all that is needed to commit it and to finish it.

    `files` names, for each file below the object's prefix, where it is staged. `inventory` is the digest of the
    inventory that commits it, `log` the newest event's number when the transaction began.
    """

    transaction: str
    project: str
    id: str
    number: int
    inventory: str
    log: int
    events: tuple[Event, ...]
    files: Mapping[str, Staged]

    @property
    def place(self) -> str:
        """The prefix of the object."""
        return object_place(self.project, self.id)

    def as_bytes(self) -> bytes:
        """What `end` holds."""
        record = {
            "transaction": self.transaction,
            "project": self.project,
            "id": self.id,
            "number": self.number,
            "inventory": self.inventory,
            "log": self.log,
            "events": [asdict(event) for event in self.events],
            "files": self.files,
        }
        return _json(record)


class Intake:
    """The keys of one transaction."""

    def __init__(self, keys: Keys, transaction: str) -> None:
        self.transaction = transaction
        self._keys = keys
        self._prefix = f"{INTAKE}{transaction}/"

    @property
    def end(self) -> str:
        """The key that decides whether it is committed or killed."""
        return self._prefix + "end"

    @property
    def begin(self) -> str:
        """The key that says that it was begun."""
        return self._prefix + "begin"

    @property
    def inventory(self) -> str:
        """The key of the inventory that will commit it."""
        return self._prefix + NAME

    @property
    def quarantined(self) -> str:
        """The key that says that it was sealed and cannot be committed: a person decides about its bytes."""
        return self._prefix + "quarantined"

    def upload(self, version: SealedVersion, began_by: str, algorithm: str) -> Seal:
        """Put everything a version brings; the seal for it, which is not put yet.

        Raises:
            StoredWrong: Something else arrived than was sent, or something is missing.
            StorageError, RemoteError: It was not done.
        """
        self._keys.put(self.begin, _json({"began": now(), "by": began_by}))
        folder = version.object / f"v{version.base + 1}"
        sizes: dict[str, int] = {}
        inventory, _ = read_inventory(folder, algorithm)
        prefix = f"{folder.name}/"
        names = sorted(path for paths in inventory.manifest.values() for path in paths if path.startswith(prefix))
        files = dict(self._put_files(version.object, names, sizes))
        self._keys.put(self.inventory, folder / NAME)
        sizes[self.inventory] = (folder / NAME).stat().st_size
        self._refuse_unlike(sizes)
        return Seal(
            version.transaction,
            version.project,
            version.id,
            version.base + 1,
            version.inventory,
            version.log,
            version.events,
            files,
        )

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

    def clear(self, *, keep_end: bool = False) -> None:
        """Remove its keys, `end` last: while that is there, whoever comes goes on.

        Raises:
            StorageError, RemoteError: Not all was done.
        """
        self._keys.remove([each.key for each in self._keys.list(self._prefix) if each.key != self.end])
        if not keep_end:
            self._keys.remove([self.end])

    def drop(self) -> None:
        """Remove what was uploaded of a transaction that was not sealed, as far as that can be done now."""
        with contextlib.suppress(StorageError, RemoteError):
            self.clear()

    def changed(self) -> str:
        """When anything of it was last put, in RFC 3339 by the store's clock; '' where there is nothing.

        Raises:
            StorageError, RemoteError: It could not be told.
        """
        return max((each.modified or "" for each in self._keys.list(self._prefix)), default="")

    def _put_files(self, root: Path, names: list[str], sizes: dict[str, int]) -> Iterator[tuple[str, Staged]]:
        """Put the version's files, large ones each under a key, small ones together; yields where each lies."""
        large: list[tuple[str, Path]] = []
        with tempfile.TemporaryFile() as pack:
            number, filled = 1, 0
            for name in names:
                path = root / name
                size = path.lstat().st_size
                if size > LARGEST_SMALL:
                    large.append((name, path))
                    continue
                if filled + size > PACK:
                    self._put_pack(number, pack, sizes)
                    number, filled = number + 1, 0
                with open_regular(path) as file:
                    pack.write(file.read())
                yield name, Staged(f"{self._prefix}pack/{number}", filled, size, alone=False)
                filled += size
            if filled:
                self._put_pack(number, pack, sizes)
        with ThreadPoolExecutor(4, thread_name_prefix="intake") as pool:
            wanted = [(f"{self._prefix}big/{count}", name, path) for count, (name, path) in enumerate(large, 1)]
            sent = pool.map(lambda one: self._keys.put(one[0], one[2]), wanted)
            for (key, name, path), _ in zip(wanted, sent, strict=True):
                sizes[key] = path.stat().st_size
                yield name, Staged(key, 0, sizes[key], alone=True)

    def _put_pack(self, number: int, pack: Any, sizes: dict[str, int]) -> None:
        pack.seek(0)
        data = pack.read()  # of 16 MiB at most
        pack.seek(0)
        pack.truncate()
        key = f"{self._prefix}pack/{number}"
        self._keys.put(key, data)
        sizes[key] = len(data)

    def _refuse_unlike(self, sizes: Mapping[str, int]) -> None:
        there = {each.key: each.size for each in self._keys.list(self._prefix)}
        for key, size in sizes.items():
            if there.get(key) != size:
                found = str(there.get(key, "nothing"))
                raise StoredWrong(store=str(self._keys), key=key, what="size", found=found, expected=str(size))


def transactions(keys: Keys) -> list[str]:
    """The transactions that have something in the intake.

    Raises:
        StorageError, RemoteError: It could not be told.
    """
    return list(keys.folders(INTAKE))


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


def _seal(record: Mapping[str, Any]) -> Seal:
    return Seal(
        str(record["transaction"]),
        str(record["project"]),
        str(record["id"]),
        int(record["number"]),
        str(record["inventory"]),
        int(record["log"]),
        tuple(_event(each) for each in record["events"]),
        {str(path): Staged(str(at[0]), int(at[1]), int(at[2]), bool(at[3])) for path, at in record["files"].items()},
    )


def _event(record: Mapping[str, Any]) -> Event:
    return parse_event(_json(record))


def _json(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

"""Checking what lies in a registration store, and putting it right: from the archive, or from the parity beside it."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from muniment.archive import repair_copy
from muniment.content import Entry, Hashers, LogicalPath
from muniment.content.archive import Archive
from muniment.content.instance import Instance
from muniment.content.times import seconds
from muniment.doors.osf.parity import parity_files
from muniment.errors.base import MunimentError
from muniment.errors.parity import CannotRepair
from muniment.errors.stores import KeyNotFound, StoredWrong
from muniment.layouts import registration as layout
from muniment.stores import Receipt, Stat, Store, read_bytes
from muniment.stores.folder import FolderStore

_DOCUMENT = 1 << 20
_PARITY = ".par2.json"


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not what is recorded of it, or could not be read. `key` is where it lies."""

    key: str
    sha256: str
    """Of the content it is, or is the parity or the record of."""
    reason: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class CheckedRecord:
    """One record of a store, what was read because of it, and what was wrong."""

    key: str
    size: int
    damages: tuple[Damage, ...]


def damages(store: Store) -> Iterator[Damage]:
    """Every file of a store that does not read back as recorded; each is read whole.

    Raises:
        StoreFailed, StoreUnreachable, StoreRefused: The store cannot be listed.
    """
    for looked in look(store):
        yield from looked.damages


def look(store: Store, after: str = "") -> Iterator[CheckedRecord]:
    """Read back what each record speaks of, content and parity, in the order of the records' keys.

    Raises:
        StoreFailed, StoreUnreachable, StoreRefused: The store cannot be listed.
    """
    for record in store.list(f"{layout.METADATA}/", after):
        name = record.key.removeprefix(f"{layout.METADATA}/")
        sha256 = name.removesuffix(_PARITY if name.endswith(_PARITY) else ".json")
        receipts = list(_receipts(store, record, sha256))
        if not receipts:
            wrong = Damage(record.key, sha256, f"the record {record.key} cannot be read")
            yield CheckedRecord(record.key, record.size, (wrong,))
            continue
        found = tuple(filter(None, (_compared(store, receipt, sha256) for receipt in receipts)))
        yield CheckedRecord(record.key, sum(receipt.size for receipt in receipts), found)


def _receipts(store: Store, record: Stat, sha256: str) -> Iterator[Receipt]:
    """What a record says of the files it is about; nothing where it cannot be read."""
    try:
        known = json.loads(read_bytes(store, record.key, _DOCUMENT))
        if not record.key.endswith(_PARITY):
            yield Receipt(layout.file_key(sha256), int(known["size"]), {"sha256": sha256})
            return
        for name, facts in known.items():
            yield Receipt(layout.parity_key(name), int(facts["size"]), {"sha256": str(facts["sha256"])})
    except (MunimentError, ValueError, KeyError, TypeError, AttributeError):
        return


def _compared(store: Store, receipt: Receipt, sha256: str) -> Damage | None:
    try:
        store.check(receipt)
    except MunimentError as error:
        return Damage(receipt.key, sha256, error.message, receipt.size)
    return None


def find_in_archive(archive: Archive, project: str, wanted: Iterable[str]) -> dict[str, tuple[Instance, Entry]]:
    """Where the archive has some contents, by their sha256: of each, one instance and the entry in it.

    Raises:
        MunimentError: The archive cannot be read.
    """
    missing = set(wanted)
    found: dict[str, tuple[Instance, Entry]] = {}
    for resource in archive.resources(project, whole=True):
        for instance in reversed(archive.history(resource.id, project)):
            if not missing:
                return found
            for entry in instance.files():
                if (sha256 := entry.digests.get("sha256")) in missing:
                    missing.discard(sha256)
                    found[sha256] = (instance, entry)
    return found


def put_right(store: Store, key: str, entry: Entry, open: Callable[[], BinaryIO]) -> Receipt:
    """Put the true bytes of `entry` under a key at which there are others or none, and read them back.

    A folder keeps the damaged bytes aside; where a bucket keeps versions, they stay one.

    Raises:
        MunimentError: The bytes are not those of the entry, or the store failed; it may be done again.
    """
    facts = Entry(LogicalPath.parse(key), entry.size, {"sha256": entry.digests["sha256"]})
    if store.stat(key) is None:
        receipt = store.put(key, facts, open)
    elif isinstance(store, FolderStore):
        receipt = store.replace_damaged(key, facts, open)
    else:
        receipt = store.replace(key, facts, open)
    store.flush()
    store.check(receipt)
    return receipt


class StoreRepair:
    """Puts the damages of one store right. `archive` holds the project's containers; `scratch` is a folder."""

    def __init__(self, store: Store, archive: Archive, project: str, scratch: Path, redundancy: int = 5) -> None:
        self._store = store
        self._archive = archive
        self._project = project
        self._scratch = scratch
        self._redundancy = redundancy

    def repair(self, found: list[Damage]) -> Iterator[tuple[Damage, str | MunimentError]]:
        """Each damage with what was done about it, or why it could not be: content before what is made of it.

        Raises:
            MunimentError: The archive cannot be read.
        """
        known = find_in_archive(self._archive, self._project, {each.sha256 for each in found})
        for damage in sorted(found, key=lambda each: (not each.key.startswith(f"{layout.FILES}/"), each.key)):
            work = Path(tempfile.mkdtemp(dir=self._scratch))
            try:
                yield damage, self._repair(damage, known.get(damage.sha256), work)
            except MunimentError as error:
                yield damage, error
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def _repair(self, damage: Damage, known: tuple[Instance, Entry] | None, work: Path) -> str:
        key = damage.key
        if key.startswith(f"{layout.PARITIES}/"):
            return self._remake_parity(damage, work)
        if key == layout.metadata_key(damage.sha256):
            return self._rewrite_record(damage, known)
        if key == layout.parity_metadata_key(damage.sha256):
            raise CannotRepair(path=key, reason="what it said of the parity is known to nobody else")
        if known is not None:
            instance, entry = known
            put_right(self._store, key, entry, lambda: instance.open(entry.path))
            return f"from the archive, {instance.id}"
        return self._from_parity(damage, work)

    def _from_parity(self, damage: Damage, work: Path) -> str:
        """Repair content from the parity in the store.

        Raises:
            CannotRepair: There is none, or more is lost than it can stand in for.
        """
        sha256 = damage.sha256
        parity = work / "par2"
        parity.mkdir()
        for each in self._store.list(f"{layout.PARITIES}/{sha256}."):
            self._copy(each.key, parity / each.key.rpartition("/")[2])
        damaged = work / "damaged"
        try:
            self._copy(damage.key, damaged)
        except KeyNotFound:
            damaged.touch()
        repaired = repair_copy(damaged, sha256, parity, work, work / "repaired")
        facts = Entry(LogicalPath.parse(damage.key), repaired.stat().st_size, {"sha256": sha256})
        put_right(self._store, damage.key, facts, lambda: repaired.open("rb"))
        return "from its parity"

    def _remake_parity(self, damage: Damage, work: Path) -> str:
        """Make the parity of content anew; the same bytes come of it as the first time.

        Raises:
            StoredWrong: Other bytes came of it, for example because par2 has changed.
        """
        sha256 = damage.sha256
        record = self._record(layout.parity_metadata_key(sha256))
        content = layout.file_key(sha256)
        for path in parity_files(self._archive, sha256, lambda: self._store.open(content), work, self._redundancy):
            if layout.parity_key(path.name) == damage.key:
                facts = record[path.name]
                entry = Entry(LogicalPath.parse(damage.key), int(facts["size"]), {"sha256": str(facts["sha256"])})
                put_right(self._store, damage.key, entry, lambda: path.open("rb"))  # noqa: B023 - called at once
                return "made anew of its content"
        raise KeyNotFound(key=damage.key, store=self._store.container)

    def _rewrite_record(self, damage: Damage, known: tuple[Instance, Entry] | None) -> str:
        """Write what is known of some content anew, from the content itself.

        Raises:
            StoredWrong: The content is damaged too.
        """
        hashers = Hashers(("md5", "sha256"))
        key = layout.file_key(damage.sha256)
        with self._store.open(key) as file:
            while data := file.read(1 << 20):
                hashers.update(data)
        digests = hashers.values()
        if digests["sha256"] != damage.sha256:
            raise StoredWrong(
                store=self._store.container, key=key, what="sha256", found=digests["sha256"], expected=damage.sha256
            )
        modified = seconds(known[1].modified or known[0].created) if known is not None else 0
        facts = layout.ServiceFile("", digests["md5"], damage.sha256, hashers.size, modified).content()
        text = layout.as_bytes(facts)
        entry = Entry(LogicalPath.parse(damage.key), len(text))
        self._store.check(self._store.replace(damage.key, entry, lambda: io.BytesIO(text)))
        return "from its content"

    def _record(self, key: str) -> Mapping[str, Any]:
        found: Mapping[str, object] = json.loads(read_bytes(self._store, key, _DOCUMENT))
        return found

    def _copy(self, key: str, place: Path) -> None:
        with self._store.open(key) as source, place.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)

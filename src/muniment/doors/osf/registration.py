"""Writing a registration to a store: content first, then what is known of it, its tree, and the manifests last.

What a manifest names is never overwritten. What is there already was put by an earlier run, or by another container
with the same content, and is looked at before it is believed; what is damaged is put right from the archive. A document
is written only when what it speaks of was read back, so that a manifest in a store is the promise that all it names is
there. Until that manifest is there the container's documents are an attempt's, and the next attempt makes them anew.

The tree of a container with children is written with the outermost one: no half of it stands where that failed.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from muniment.content import Entry, Hashers, LogicalPath
from muniment.content.archive import Archive
from muniment.content.instance import Instance
from muniment.content.times import seconds
from muniment.doors.osf.context import Parity
from muniment.doors.osf.parity import parity_files, wanted
from muniment.doors.osf.repair import put_right
from muniment.errors.stores import ChangeRefused, KeyHeld, KeyNotFound, KeyTaken, StoredWrong
from muniment.jobs import Context
from muniment.layouts import registration as layout
from muniment.sources.documents import PRESENT
from muniment.sources.protocol import about
from muniment.stores import Receipt, Store, put_bytes, read_bytes

_THREADS = 8
_DOCUMENT = 1 << 20
MANIFEST_LIMIT = 1 << 30
"""Bytes of the largest manifest that is read back."""

Work = TypeVar("Work")


@dataclass(frozen=True, slots=True)
class Registered:
    """What a registration came to in one store."""

    files: int
    size: int
    new: int
    """Contents that were not there before."""


class Registration:
    """One container's registration in one store. `instance` is its instance in the archive."""

    def __init__(
        self,
        store: Store,
        instance: Instance,
        parents: Sequence[str],
        *,
        archive: Archive,
        parity: Parity,
        scratch: Path,
        context: Context,
    ) -> None:
        self._store = store
        self._instance = instance
        self._archive = archive
        self._parity = parity
        self._scratch = scratch
        self._context = context
        about = instance.metadata
        self._about = about["container"]
        self._id = str(self._about["id"])
        self._outermost = not parents
        self._services = [service_of(each) for each in about["services"]]
        self._failures = list(about.get("failures", []))
        self._children = list(about.get("children", []))
        self._archived = str(instance.created)
        self._committed = store.stat(layout.manifest_key(self._id)) is not None
        self._written: set[str] = set()
        self._md5: dict[str, str] = {}
        self._modified: dict[str, int] = {}

    def write(self) -> Registered:
        """Write all of it.

        Raises:
            KeyHeld: Something else is under one of its keys.
            StoredWrong: Something does not come back as it was put.
            MunimentError: Store, archive or par2 failed.
        """
        entries = list(self._instance.files())
        contents = {entry.digests["sha256"]: entry for entry in reversed(entries)}
        new = self._contents(contents)
        self._metadata(new)
        self._parities(contents)
        self._store.flush()
        self._documents(entries)
        return Registered(len(entries), sum(entry.size or 0 for entry in entries), len(new))

    # --- content

    def _contents(self, contents: Mapping[str, Entry]) -> dict[str, Receipt]:
        """Put and prove what the store does not have; receipts of what still needs its metadata."""
        receipts: dict[str, Receipt] = {}

        def put(entry: Entry) -> None:
            sha256 = entry.digests["sha256"]
            known = self._known(sha256)
            if known is not None and self._is_sound(Receipt(layout.file_key(sha256), entry.size or 0, known), entry):
                self._md5[sha256] = known["md5"]
                return
            wanted = Entry(entry.path, entry.size, {"sha256": sha256})
            try:
                receipts[sha256] = self._store.put(layout.file_key(sha256), wanted, lambda: self._open(entry))
            except KeyTaken:
                receipts[sha256] = self._there(sha256, entry)

        self._each("copying", put, contents.values(), lambda entry: entry.size or 0)
        self._store.flush()
        self._each("reading back", self._store.check, receipts.values(), lambda receipt: receipt.size)
        self._md5 |= {sha256: receipt.digests["md5"] for sha256, receipt in receipts.items()}
        self._modified = {sha256: self._seconds(entry) for sha256, entry in contents.items()}
        return receipts

    def _known(self, sha256: str) -> dict[str, str] | None:
        """The digests of content that was proved before, or None."""
        try:
            found = json.loads(read_bytes(self._store, layout.metadata_key(sha256), _DOCUMENT))
            return {"md5": str(found["md5"]), "sha256": sha256}
        except (KeyNotFound, ValueError, KeyError, TypeError):
            return None

    def _is_sound(self, receipt: Receipt, entry: Entry) -> bool:
        """Whether content that an earlier registration recorded is there; what is damaged is put right first."""
        try:
            if not self._store.confirm(receipt):
                self._store.check(receipt)
        except KeyNotFound:
            return False
        except StoredWrong:
            put_right(self._store, receipt.key, entry, lambda: self._open(entry))
        return True

    def _there(self, sha256: str, entry: Entry) -> Receipt:
        """What lies under the key of some content and was never proved: from a run that ended, or by another hand.

        Raises:
            MunimentError: It was something else, and could not be put right.
        """
        key = layout.file_key(sha256)
        hashers = Hashers(("md5", "sha256"))
        with self._store.open(key) as file:
            while data := file.read(1 << 20):
                hashers.update(data)
        if hashers.values()["sha256"] != sha256:
            return put_right(self._store, key, entry, lambda: self._open(entry))
        return Receipt(key, hashers.size, hashers.values())

    def _metadata(self, new: Mapping[str, Receipt]) -> None:
        def put(sha256: str) -> None:
            receipt = new[sha256]
            document = {
                "md5": receipt.digests["md5"],
                "sha256": sha256,
                "size": receipt.size,
                "lastModified": self._modified[sha256],
            }
            try:
                put_bytes(self._store, layout.metadata_key(sha256), layout.as_bytes(document))
            except KeyTaken:  # another container with the same content was quicker
                if self._known(sha256) is None:
                    self._replace(layout.metadata_key(sha256), layout.as_bytes(document))

        self._each("describing", put, new)

    # --- parity

    def _parities(self, contents: Mapping[str, Entry]) -> None:
        forced = {service.prefix for service in self._services if service.force_parity}
        below = {
            entry.digests["sha256"]
            for entry in self._instance.files()
            if any(entry.path.startswith(f"{prefix}/") for prefix in forced)
        }
        todo = [
            entry for sha256, entry in contents.items() if wanted(self._parity, entry.size or 0, forced=sha256 in below)
        ]
        self._each("parity", self._protect, todo, lambda entry: entry.size or 0)

    def _protect(self, entry: Entry) -> None:
        sha256 = entry.digests["sha256"]
        record_key = layout.parity_metadata_key(sha256)
        if self._store.stat(record_key) is not None:
            return
        scratch = self._scratch / f"parity-{sha256}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            files = parity_files(self._archive, sha256, lambda: self._open(entry), scratch, self._parity.redundancy)
            record = {path.name: self._put_parity(path) for path in files}
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(KeyTaken):
            put_bytes(self._store, record_key, layout.as_bytes(record))

    def _put_parity(self, path: Path) -> dict[str, object]:
        key = layout.parity_key(path.name)
        facts = Entry(LogicalPath.parse(path.name), path.stat().st_size)
        try:
            receipt = self._store.put(key, facts, lambda: path.open("rb"))
            self._store.check(receipt)
        except KeyTaken:
            # par2 makes the same bytes of the same file; what an ended run has put is compared like any other.
            receipt = _receipt_of(path, key)
            self._store.check(receipt)
        modified = int(path.stat().st_mtime)
        return {**_digests(receipt), "lastModified": modified, "size": receipt.size}

    # --- documents

    def _documents(self, entries: Sequence[Entry]) -> None:
        manifests: dict[str, object] = {}
        for service in self._services:
            files = layout.described(service, entries, self._md5, self._archived, self._present(service))
            manifests[service.label] = layout.service_manifest(service, files)
        children = {
            child: json.loads(read_bytes(self._store, layout.manifest_key(child), MANIFEST_LIMIT))
            for child in self._children
        }
        where = {"provider": self._store.provider, "container": self._store.container}
        whole = layout.container_manifest(self._about, self._archived, manifests, children, where)
        for label, manifest in manifests.items():
            self._put_json(layout.manifest_key(self._id, label), manifest)
        if self._failures:
            self._put_json(layout.failures_key(self._id), self._failures)
        if self._outermost:
            self._tree(layout.structure(self._id), whole)
        if not self._committed:
            self._remove_former()
        self._store.flush()
        # Last of all: from here on the container counts as registered in this store.
        self._put_json(layout.manifest_key(self._id), whole)
        self._store.flush()

    def _present(self, service: layout.Service) -> dict[str, str]:
        """The versions that a service's files have at present, as they were written down when it was fetched."""
        path = f"{service.prefix}/{about(PRESENT)}"
        if path not in self._instance:
            return {}
        with self._instance.open(path) as file:
            return {line["path"]: line["version"] for line in json.load(file)}

    def _tree(self, folder: str, manifest: Mapping[str, Any]) -> None:
        """The documents of a container and of all below it, each in its place."""
        documents = list(layout.tree(folder, manifest))
        manifests = [pair for pair in documents if pair[0].endswith(f"/{layout.MANIFEST}")]
        files = [pair for pair in documents if not pair[0].endswith(f"/{layout.MANIFEST}")]
        self._each("tree", lambda pair: self._put_json(*pair), files)
        for key, document in manifests:
            self._put_json(key, document)

    def _remove_former(self) -> None:
        """Take away what an attempt that failed wrote and this one did not, where the store lets go of it."""
        if not self._store.capabilities.removes:
            return
        last = layout.manifest_key(self._id)
        prefixes = [last.removesuffix(layout.MANIFEST)]
        if self._outermost:
            prefixes.append(f"{layout.structure(self._id)}/")
        for prefix in prefixes:
            for former in [each.key for each in self._store.list(prefix)]:
                if former not in self._written and former != last:
                    with contextlib.suppress(ChangeRefused):
                        self._store.remove(former)

    def _put_json(self, key: str, document: object) -> None:
        data = layout.as_bytes(document)
        self._written.add(key)
        try:
            receipt = put_bytes(self._store, key, data)
        except KeyTaken:
            if self._holds(key, data):
                return
            if self._committed:
                raise KeyHeld(key=key, store=self._store.container) from None
            self._replace(key, data)
        else:
            self._store.check(receipt)

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            return read_bytes(self._store, key, len(data)) == data
        except StoredWrong:
            return False

    def _replace(self, key: str, data: bytes) -> None:
        try:
            receipt = self._store.replace(key, Entry(LogicalPath.parse(key), len(data)), lambda: io.BytesIO(data))
        except ChangeRefused:
            raise KeyHeld(key=key, store=self._store.container) from None
        self._store.check(receipt)

    # --- means

    def _open(self, entry: Entry) -> BinaryIO:
        return self._instance.open(entry.path)

    def _seconds(self, entry: Entry) -> int:
        return seconds(entry.modified or self._archived)

    def _each(
        self,
        what: str,
        work: Callable[[Work], object],
        things: Iterable[Work],
        size_of: Callable[[Work], int] = lambda _: 0,
    ) -> None:
        """Do `work` on each thing, several at once, telling how far it is."""
        todo = list(things)
        size = 0
        told = 0.0
        for done, thing in enumerate(_in_threads(work, todo), 1):
            size += size_of(thing)
            if time.monotonic() - told > 0.2 or done == len(todo):  # noqa: PLR2004 - seconds; nobody reads faster
                self._context.progress(f"{self._id}: {what}", done, len(todo), size=size)
                told = time.monotonic()
            else:
                self._context.check()


def _in_threads(work: Callable[[Work], object], things: Sequence[Work]) -> Iterator[Work]:
    """Each thing when its work is done; the first error ends it, and what has not begun is left."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="register") as pool:
        futures = [(thing, pool.submit(work, thing)) for thing in things]
        try:
            for thing, future in futures:
                future.result()
                yield thing
        finally:
            for _, future in futures:
                future.cancel()


def service_of(record: Mapping[str, Any]) -> layout.Service:
    """A service as an instance's metadata has it."""
    return layout.Service(
        label=record["label"],
        service=record["service"],
        resource=record["resource"],
        prefix=record["prefix"],
        force_parity=bool(record.get("force_parity")),
        not_taken=tuple(record.get("not_taken", ())),
    )


def _receipt_of(path: Path, key: str) -> Receipt:
    hashers = Hashers(("md5", "sha256"))
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            hashers.update(data)
    return Receipt(key, hashers.size, hashers.values())


def _digests(receipt: Receipt) -> dict[str, str]:
    return {name: receipt.digests[name] for name in ("sha256", "md5")}

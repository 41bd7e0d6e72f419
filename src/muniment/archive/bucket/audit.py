"""Auditing a bucket: every key that should be there is, with its size, or read back with its bytes; nothing else is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.archive.bucket.intake import Intake, transactions
from muniment.archive.bucket.layout import INTAKE, commit_key, version_numbers
from muniment.archive.bucket.log import BucketLog
from muniment.archive.bucket.mirror import object_prefixes
from muniment.archive.bucket.worm_audit import check_worm
from muniment.archive.eventlog.lines import event_of, line_hash
from muniment.archive.eventlog.log import FIRST
from muniment.archive.package.inventory import DECLARATION, NAME, Inventory, parse_inventory, sidecar_of
from muniment.content import FINDINGS, Finding, Hashers, Progress, quiet
from muniment.content.events import Head
from muniment.content.identity import from_uri
from muniment.errors.archive import DamagedRecord
from muniment.errors.stores import KeyNotFound

if TYPE_CHECKING:
    from muniment.archive.bucket.home import BucketHome

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep an audit looks.

    In worm mode `fast` lists every version; else every lock is asked for as well.
    `fast` compares names and sizes from listings and what the log vouches for; else every file is read back, and its
    sha256 compared, or with `every_digest` all that were recorded.
    """

    fast: bool = False
    every_digest: bool = False


def audit_bucket(
    home: BucketHome,
    log: BucketLog,
    where: tuple[str, str] | None,
    depth: Depth,
    *,
    since: Head | None = None,
    progress: Progress = quiet,
) -> Iterator[Finding]:
    """Every finding about the bucket, or about one resource of it (project and id).

    The log is read in any case, for what it vouches for; what is wrong with it is said of the whole archive only.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It was broken off.
    """
    vouched: dict[tuple[str, str, int], str] = {}
    found = list(_check_log(log, vouched, since))
    if where is None or since is not None:
        yield from found
    prefixes = object_prefixes(home.keys) if where is None else iter([home.place(*where)])
    done = 0
    for prefix in prefixes:
        check = _ObjectCheck(home, prefix, vouched)
        yield from check.structure()
        if not depth.fast:
            yield from check.content(every_digest=depth.every_digest)
        done += check.files
        progress("auditing", done, None)
    for project, resource, number in vouched:
        if where in {None, (project, resource)}:
            place, what = f"{home.place(project, resource)}v{number}", f"instance {number} of {resource}"
            yield Finding(FINDINGS["M304"], place, what, "", resource, str(number), project)
    yield from check_worm(home.keys, "" if where is None else home.place(*where), fast=depth.fast)
    if where is None:
        yield from _unfinished(home)


def _unfinished(home: BucketHome) -> Iterator[Finding]:
    """What is in the intake that nobody has finished."""
    for transaction in transactions(home.keys):
        intake = Intake(home.keys, transaction)
        place = f"{INTAKE}{transaction}"
        if home.keys.stat(intake.quarantined) is not None:
            yield Finding(FINDINGS["M502"], place, "", "see the log")
            continue
        try:
            intake.read_end()
        except KeyNotFound:
            yield Finding(FINDINGS["M501"], place, "", intake.changed())
        except DamagedRecord as error:
            yield Finding(FINDINGS["M502"], place, "", str(error))


class _ObjectCheck:
    """The check of one object; it takes what it saw out of what the log vouches for."""

    def __init__(self, home: BucketHome, prefix: str, vouched: dict[tuple[str, str, int], str]) -> None:
        self._home = home
        self._prefix = prefix
        self._vouched = vouched
        self._there = {each.key.removeprefix(prefix): each.size for each in home.keys.list(prefix)}
        self._project = self._resource = ""
        self._newest: Inventory | None = None
        self.files = 0

    def structure(self) -> Iterator[Finding]:
        """What names, sizes and inventories show."""
        numbers = version_numbers(sorted({path.split("/")[0] for path in self._there if "/" in path}))
        expected = {DECLARATION} if numbers else set()
        algorithm = self._home.algorithm
        for number in numbers:
            inventory, digest = self._inventory(number)
            if inventory is None:
                yield self._finding("M103", f"v{number}/{NAME}", "", "", str(number))
                continue
            self._newest = inventory
            found = from_uri(inventory.id)
            if found is not None:
                self._project, self._resource = found
            said = self._vouched.pop((self._project, self._resource, number), None)
            where = f"v{number}/{NAME}"
            if found is None or self._home.place(*found) != self._prefix or inventory.head != number:
                shown = f"v{inventory.head} of {inventory.id}"
                yield self._finding("M101", where, f"v{number} of what lies here", shown, str(number))
            elif said is None:
                yield self._finding("M305", where, "", "", str(number))
            elif said and said != f"{algorithm}:{digest}":
                yield self._finding("M303", where, said, f"{algorithm}:{digest}", str(number))
            expected |= {f"v{number}/{NAME}", f"v{number}/{NAME}.{algorithm}"}
            yield from self._record(f"v{number}/{NAME}.{algorithm}", sidecar_of(digest), str(number))
            if number == (1 if self._home.worm else numbers[-1]):
                expected |= {NAME, f"{NAME}.{algorithm}"}
                yield from self._record(f"{NAME}.{algorithm}", sidecar_of(digest), str(number))
                if NAME in self._there and self._digest(NAME, [algorithm]).get(algorithm) != digest:
                    yield self._finding("M101", NAME, digest, "another", str(number))
        if self._newest is not None:
            for paths in self._newest.manifest.values():
                expected |= set(paths)
        yield from (self._finding("M103", path, "", "", "") for path in sorted(expected - set(self._there)))
        yield from (self._finding("M105", path, "", "", "") for path in sorted(set(self._there) - expected))

    def content(self, *, every_digest: bool) -> Iterator[Finding]:
        """What the bytes show, every one of them read back."""
        if self._newest is None:
            return
        algorithm = self._home.algorithm
        further = self._newest.further_digests()
        for digest, paths in self._newest.manifest.items():
            for path in paths:
                right = {algorithm: digest, **further.of(path)}
                chosen = right if every_digest or "sha256" not in right else {"sha256": right["sha256"]}
                self.files += 1
                for name, value in self._digest(path, list(chosen)).items():
                    if value != chosen[name]:
                        expected, found = f"{name}:{chosen[name]}", f"{name}:{value}"
                        yield self._finding("M101", path, expected, found, path.partition("/")[0].removeprefix("v"))
                        break

    def _record(self, path: str, expected: bytes, number: str) -> Iterator[Finding]:
        if path not in self._there:
            return  # it is named as missing
        with self._home.keys.open(self._prefix + path) as stream:
            found = stream.read(len(expected) + 1)
        if found != expected:
            shown = found.decode("utf-8", "replace").strip()
            yield self._finding("M101", path, expected.decode().strip(), shown, number)

    def _inventory(self, number: int) -> tuple[Inventory | None, str]:
        try:
            with self._home.keys.open(commit_key(self._prefix, number)) as stream:
                data = stream.read()
            parsed = parse_inventory(data.decode("utf-8", "replace"), Path(self._prefix))
        except (KeyNotFound, DamagedRecord):
            return None, ""
        return parsed, hashlib.new(self._home.algorithm, data).hexdigest()

    def _digest(self, path: str, algorithms: list[str]) -> dict[str, str]:
        hashers = Hashers(algorithms)
        try:
            with self._home.open(self._prefix, path) as stream:
                while piece := stream.read(_CHUNK):
                    hashers.update(piece)
        except KeyNotFound:
            return {}  # it is named as missing
        return hashers.values()

    def _finding(self, code: str, path: str, expected: str, found: str, number: str) -> Finding:
        place = self._prefix + path
        return Finding(FINDINGS[code], place, expected, found, self._resource, number, self._project)


def _check_log(log: BucketLog, vouched: dict[tuple[str, str, int], str], since: Head | None) -> Iterator[Finding]:
    """Check the chain as it lies in the bucket, and note what it vouches for."""
    seq, previous, at_since = 0, FIRST, ""
    for key, data in log.stored():
        for line in data.splitlines(keepends=True):
            found = event_of(line)
            if found is None:
                yield Finding(FINDINGS["M202"], key, "an event", "a line that is none")
                continue
            event = found[1]
            if event.seq != seq + 1:
                yield Finding(FINDINGS["M301"], key, f"event {seq + 1}", f"event {event.seq}")
            elif event.previous != previous:
                yield Finding(FINDINGS["M301"], f"{key}, event {event.seq}", previous, event.previous)
            seq, previous = event.seq, line_hash(found[0])
            if since is not None and event.seq == since.seq:
                at_since = previous
            if event.outcome != "success":
                continue
            if event.event == "ingestion":
                vouched[event.project, event.resource, event.instance] = str(event.detail.get("inventory", ""))
            elif event.event == "deletion":
                for number in range(1, int(event.detail.get("instances", 0)) + 1):
                    vouched.pop((event.project, event.resource, number), None)
    if since is not None and since.seq and at_since != since.hash:
        yield Finding(FINDINGS["M308"], f"event {since.seq}", since.hash, at_since or f"the log ends with event {seq}")

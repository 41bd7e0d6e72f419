"""Auditing a bucket: every key that should be there is, with its size, or read back with its bytes; nothing else is."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.archive.bucket.intake import Intake, transactions
from muniment.archive.bucket.layout import INTAKE, commit_key, tombstone_of, version_numbers
from muniment.archive.bucket.log import BucketLog
from muniment.archive.bucket.log_audit import LoggedInBucket
from muniment.archive.bucket.mirror import object_prefixes
from muniment.archive.bucket.root_audit import check_root_files, check_strays, check_tombstones
from muniment.archive.bucket.worm_audit import check_worm
from muniment.archive.package.bag import FILES, read_files
from muniment.archive.package.inventory import DECLARATION, NAME, Inventory, parse_inventory, sidecar_of
from muniment.content import FINDINGS, Finding, Hashers, Progress, quiet
from muniment.content.events import Head
from muniment.content.identity import from_uri
from muniment.content.regular import read_regular
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
    logged = LoggedInBucket(log)
    found = list(logged.check(since))
    if where is None or since is not None:
        yield from found
    prefixes = object_prefixes(home.keys) if where is None else iter([home.place(*where)])
    done = 0
    for prefix in prefixes:
        check = _ObjectCheck(home, prefix, logged)
        yield from check.settled(fast=depth.fast)
        if not depth.fast:
            yield from check.content(every_digest=depth.every_digest)
        done += check.files
        progress("auditing", done, None)
    yield from _lost(home, logged, where)
    yield from check_worm(home.keys, "" if where is None else home.place(*where), fast=depth.fast)
    if where is None:
        yield from check_root_files(home)
        yield from check_tombstones(home, logged)
        yield from check_strays(home.keys)
        yield from _unfinished(home)


def _lost(home: BucketHome, logged: LoggedInBucket, where: tuple[str, str] | None) -> Iterator[Finding]:
    """A finding for each instance that the log records and that is not there, nor was purged meanwhile."""
    missing = [each for each in logged.unseen() if where in {None, each[:2]}]
    if missing:
        logged.catch_up()
    for project, resource, number in missing:
        place = home.place(project, resource)
        if not logged.vouches(project, resource, number) or home.keys.stat(commit_key(place, number)) is not None:
            continue
        if home.is_purged(project, resource):
            continue  # by somebody who has not told of it yet
        what = f"instance {number} of {resource}"
        yield Finding(FINDINGS["M304"], f"{place}v{number}", what, "", resource, str(number), project)


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

    def __init__(self, home: BucketHome, prefix: str, logged: LoggedInBucket) -> None:
        self._home = home
        self._prefix = prefix
        self._logged = logged
        self._project = self._resource = ""
        self._newest: Inventory | None = None
        self.files = 0

    def settled(self, *, fast: bool) -> list[Finding]:
        """What names, sizes and inventories show, and show again when they are looked at once more.

        Others commit, lay out and purge beside an audit: what it saw may have been the middle of their work.
        """
        found = self._look(fast=fast)
        if not found:
            return []
        self._logged.catch_up()
        if self._home.keys.stat(tombstone_of(self._prefix)) is not None:
            self._newest = None
            return []  # it is being purged; of one that was, `_there` is empty or the opening ends it
        return self._look(fast=fast)

    def _look(self, *, fast: bool) -> list[Finding]:
        self._there = {each.key.removeprefix(self._prefix): each.size for each in self._home.keys.list(self._prefix)}
        return list(self.structure()) + (list(self._sizes()) if fast else [])

    def structure(self) -> Iterator[Finding]:
        """What names, sizes and inventories show."""
        numbers = version_numbers(sorted({path.split("/")[0] for path in self._there if "/" in path}))
        expected = {DECLARATION} if numbers else set()
        algorithm = self._home.algorithm
        for number in numbers:
            inventory, digest = self._inventory(number)
            if inventory is None:
                yield self._finding("M101", f"v{number}/{NAME}", "an inventory", "something else", str(number))
                continue
            self._newest = inventory
            found = from_uri(inventory.id)
            if found is not None:
                self._project, self._resource = found
            said = self._logged.said(self._project, self._resource, number)
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
        yield from (
            self._finding("M102", path, "a recorded file", "", _number(path))
            for path in sorted(self._nowhere(expected))
        )
        yield from (self._finding("M105", path, "", "", "") for path in sorted(set(self._there) - expected))

    def _nowhere(self, expected: set[str]) -> set[str]:
        """What is neither in its place nor still on its way there."""
        missing = expected - set(self._there)
        for number in sorted({_number(path) for path in missing} - {""}):
            missing -= set(self._home.sizes(self._prefix, int(number)))
        return missing

    def _sizes(self) -> Iterator[Finding]:
        """Where a file has not the bytes that its instance's record of files says."""
        newest, sizes = self._newest, dict[str, int]()
        if newest is None:
            return
        for number in range(1, newest.head + 1):
            logical = newest.logical(number)
            path = newest.content_path(logical[FILES])
            record = self._record_of_files(path, logical[FILES])
            if record is None:
                if path in self._there:
                    yield self._finding("M101", path, f"{newest.algorithm}:{logical[FILES]}", "another", str(number))
                continue
            for stored, entry in read_files(io.BytesIO(record)):
                if entry.size is not None and stored in logical:
                    sizes[newest.content_path(logical[stored])] = entry.size
        for path, size in sizes.items():
            self.files += 1
            if path in self._there and self._there[path] != size:
                yield self._finding("M103", path, str(size), str(self._there[path]), _number(path))

    def _record_of_files(self, path: str, digest: str) -> bytes | None:
        """A version's record of files, from the state folder or the bucket; None where neither has the right one."""
        with contextlib.suppress(OSError):
            data = read_regular(self._home.local / self._prefix / path)
            if hashlib.new(self._home.algorithm, data).hexdigest() == digest:
                return data
        with contextlib.suppress(KeyNotFound), self._home.open(self._prefix, path) as stream:
            data = stream.read()
            if hashlib.new(self._home.algorithm, data).hexdigest() == digest:
                return data
        return None

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
                        yield self._finding("M101", path, expected, found, _number(path))
                        break

    def _record(self, path: str, expected: bytes, number: str) -> Iterator[Finding]:
        if path not in self._there:
            return  # it is named as missing
        try:
            with self._home.keys.open(self._prefix + path) as stream:
                found = stream.read(len(expected) + 1)
        except KeyNotFound:
            found = b""  # it went meanwhile
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


def _number(path: str) -> str:
    """The number of the version a file below an object lies in; '' for those of its root."""
    folder, slash, _ = path.partition("/")
    return folder.removeprefix("v") if slash else ""

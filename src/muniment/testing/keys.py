"""The keys of a bucket in a folder of this machine, with faults on request: what a store may do to a writer."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from muniment.content.buckets import BucketRules, KeyVersion
from muniment.content.locks import KeyLock
from muniment.content.requests import RequestCounts
from muniment.errors.base import MunimentError
from muniment.errors.stores import ChangeRefused, KeyNotFound, StoreUnreachable
from muniment.testing.key_tree import KeyTree

_TRIES = 4
_LONGEST = 240


class Killed(BaseException):
    """The process was ended at this request; nobody may catch it."""


@dataclass(frozen=True, slots=True)
class Stat:
    """A key, its bytes, and when it was put."""

    key: str
    size: int
    modified: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its kind and its key."""

    kind: str
    key: str


Fault = Callable[[int, Request, str], None]
"""Called with the request's number, the request, and `before` or `after`; what it raises happens there."""


class FolderKeys:
    """Keys as files of one folder: a put once is a link, which one writer gets."""

    def __init__(
        self,
        folder: Path,
        fault: Fault | None = None,
        *,
        ignores_conditions: bool = False,
        versioned: bool = False,
        rules: BucketRules | None = None,
        loses_locks: Collection[str] = (),
    ) -> None:
        """With `versioned` it keeps what is put over, and locks; `loses_locks` are kinds of requests that set none."""
        self.folder = folder
        self.loses_locks = loses_locks
        self._versioned = versioned
        self._rules = rules or BucketRules("archive/", versions=versioned, locks=versioned)
        self._dead = False
        self._fault = fault
        self.requests: list[Request] = []
        self._ignores = ignores_conditions
        self.mutex = threading.Lock()
        for name in ("notes", "locks", "past"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.tree = KeyTree(folder)

    @property
    def fault(self) -> Fault | None:
        """What may happen at a request. Who was killed asks for nothing more until another fault is set, or none."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault, self._dead = fault, False

    def reach(self, number: int, request: Request, when: str) -> None:
        """Let happen what happens `before` or `after` a request.

        Raises:
            Killed: The process was ended here, or before.
        """
        if self._dead:
            raise Killed
        if self._fault is not None:
            try:
                self._fault(number, request, when)
            except Killed:
                # By a test that catches it, and by clean-up on its way there, which a dead process does not do.
                self._dead = True
                raise

    def __str__(self) -> str:
        return "s3://bucket/archive"

    def open(self, key: str, offset: int = 0, size: int | None = None) -> BinaryIO:
        """The bytes under a key.

        Raises:
            KeyNotFound: There is nothing.
        """
        with self._asked("get", key):
            try:
                with open(self.tree.place(key), "rb") as file:
                    file.seek(offset)
                    return io.BytesIO(file.read() if size is None else file.read(size))
            except FileNotFoundError:
                raise KeyNotFound(key=key, store=str(self)) from None

    def stat(self, key: str) -> Stat | None:
        """What is under a key, or None."""
        with self._asked("head", key):
            return self._stat(key)

    def note(self, key: str) -> str:
        """What was noted with a key.

        Raises:
            KeyNotFound: There is nothing.
        """
        with self._asked("head", key), self._alone():  # a store has the note the moment it has the key
            if not os.path.exists(self.tree.place(key)):
                raise KeyNotFound(key=key, store=str(self))
            note = self.folder / "notes" / _name(key)
            return note.read_text() if note.exists() else ""

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        """What lies under keys that begin with `prefix`."""
        with self._asked("list", prefix):
            names = list(self.tree.within(prefix, after))
        for key in names:
            if found := self._stat(key):
                yield found

    def folders(self, prefix: str) -> Sequence[str]:
        """The first segments behind `prefix`."""
        with self._asked("list", prefix):
            return self.tree.folders(prefix)

    def put(self, key: str, source: bytes | Path) -> None:
        """Put a key, whatever was there."""
        with self._asked("put", key):
            self._replace(key, self.tree.fresh(source))

    def put_once(self, key: str, source: bytes | Path, note: str = "", lock: KeyLock | None = None) -> bool:
        """Put a key where nothing is; what is there is read back when no answer came.

        Raises:
            StoreUnreachable: Nobody can tell.
        """
        for _ in range(_TRIES):
            try:
                with self._asked("put once", key):
                    done = self._link(key, source, note, lock)
            except StoreUnreachable:
                done = False
            if done:
                return True
            try:
                with self.open(key) as there:
                    return there.read() == (source if isinstance(source, bytes) else source.read_bytes())
            except (KeyNotFound, StoreUnreachable):
                continue
        raise StoreUnreachable(store=str(self), reason=f"nobody can tell whether {key!r} was put")

    def refuses_twice(self, key: str, source: bytes) -> bool:
        """Whether a key that is there is refused."""
        del source
        with self._asked("put once", key):
            return not self._ignores and os.path.exists(self.tree.place(key))

    def copy(self, source: str, target: str) -> None:
        """Copy a key.

        Raises:
            KeyNotFound: There is nothing under `source`.
        """
        with self._asked("copy", target):
            try:
                fresh = self.tree.fresh(Path(self.tree.place(source)))
            except FileNotFoundError:
                raise KeyNotFound(key=source, store=str(self)) from None
            self._replace(target, fresh)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove keys with every version of them.

        Raises:
            ChangeRefused: One is locked.
        """
        for key in keys:
            with self._asked("delete", key):
                if (self.folder / "locks" / _name(key)).exists():
                    raise ChangeRefused(store=str(self), key=key, reason="the bucket refused: it is locked")
                self.tree.remove(key)
                for kind in ("notes", "past"):
                    (self.folder / kind / _name(key)).unlink(missing_ok=True)

    def locked(self, key: str) -> KeyLock | None:
        """The lock on a key.

        Raises:
            KeyNotFound: There is nothing.
        """
        with self._asked("head", key), self._alone():
            if not os.path.exists(self.tree.place(key)):
                raise KeyNotFound(key=key, store=str(self))
            found = self.folder / "locks" / _name(key)
            return KeyLock(**json.loads(found.read_text())) if found.exists() else None

    def lock(self, key: str, lock: KeyLock) -> None:
        """Lock a key."""
        with self._asked("lock", key):
            self._lock("lock", key, lock)

    def versions(self, prefix: str = "") -> Iterator[KeyVersion]:
        """Every version of every key; marks that one was deleted are not made here."""
        with self._asked("list", prefix):
            names = list(self.tree.within(prefix))
        for key in names:
            yield KeyVersion(key, "newest", newest=True, marker=False)
            past = self.folder / "past" / _name(key)
            for number in range(past.stat().st_size if past.exists() else 0):
                yield KeyVersion(key, f"past-{number}", newest=False, marker=False)

    def remove_version(self, key: str, version: str) -> None:
        """Forget a version that was put over; the newest stays.

        Raises:
            ChangeRefused: It is the newest.
        """
        with self._asked("delete", key):
            if version == "newest":
                raise ChangeRefused(store=str(self), key=key, reason="it is the newest")
            past = self.folder / "past" / _name(key)
            os.truncate(past, past.stat().st_size - 1)

    def requests_made(self) -> RequestCounts:
        """What was asked so far; bytes are not counted."""
        with self.mutex:
            kinds = [request.kind for request in self.requests]
        reads, removals = sum(kind in {"get", "head"} for kind in kinds), kinds.count("delete")
        return RequestCounts(len(kinds) - reads - removals, reads, removals)

    def rules(self) -> BucketRules:
        """What the bucket does on its own, as it was made to say."""
        return self._rules

    # --- inside

    def _asked(self, kind: str, key: str) -> _Asked:
        return _Asked(self, Request(kind, key))

    def _link(self, key: str, source: bytes | Path, note: str, lock: KeyLock | None) -> bool:
        fresh = self.tree.fresh(source)
        try:
            if self._ignores:
                self._replace(key, fresh)
                return True
            with self._alone():
                self.tree.put_once(fresh, key)
                if note:
                    (self.folder / "notes" / _name(key)).write_text(note)
                if lock is not None:
                    self._lock("put once", key, lock)
        except FileExistsError:
            return False
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)
        return True

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Among all who have this bucket, in whichever process."""
        with (self.folder / "alone").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _replace(self, key: str, fresh: str) -> None:
        if self._versioned and os.path.exists(self.tree.place(key)):
            with (self.folder / "past" / _name(key)).open("ab") as past:
                past.write(b"-")  # one byte for each version; nobody asks for what was in it
            (self.folder / "locks" / _name(key)).unlink(missing_ok=True)
        self.tree.put(fresh, key)

    def _lock(self, kind: str, key: str, lock: KeyLock) -> None:
        if self._versioned and kind not in self.loses_locks:
            told = json.dumps({"mode": lock.mode, "until": lock.until})
            (self.folder / "locks" / _name(key)).write_text(told)

    def _stat(self, key: str) -> Stat | None:
        try:
            found = os.stat(self.tree.place(key))
        except FileNotFoundError:
            return None
        return Stat(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC).isoformat())


class _Asked:
    """One request: its faults come before it, or after it was done and its answer is lost."""

    def __init__(self, keys: FolderKeys, request: Request) -> None:
        self._keys, self._request = keys, request
        with keys.mutex:
            keys.requests.append(request)
            self._number = len(keys.requests)

    def __enter__(self) -> None:
        self._keys.reach(self._number, self._request, "before")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, MunimentError):  # that nothing is there is an answer too
            self._keys.reach(self._number, self._request, "after")


@lru_cache(1 << 16)  # the same few are asked for again and again
def _name(key: str) -> str:
    """The name of what is kept beside a key: a filesystem takes 255 bytes, a store 1,024."""
    quoted = quote(key, safe="")
    return quoted if len(quoted) <= _LONGEST else f"%~{hashlib.sha256(key.encode()).hexdigest()}"


def requests_as_text(requests: Iterable[Request]) -> str:
    """What was asked, a line each, for a failed test to show."""
    return json.dumps([f"{each.kind} {each.key}" for each in requests], indent=1)

"""A store in a folder: each key is a file, complete or not there, and never written over.

A file is written under a name of its own below `.incoming` and linked to its key, which fails when the key is
taken. Where a filesystem has no hard links, it is moved there by a rename that refuses to replace.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from muniment.content import Entry
from muniment.content.trees import make_folders
from muniment.errors.stores import (
    BadKey,
    BadStore,
    CapacityExceeded,
    KeyNotFound,
    KeyTaken,
    StoreFailed,
    StoreFull,
    StoreReadOnly,
    StoreUnreachable,
)
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
    read_back,
)

_INCOMING = ".incoming"
_NO_REPLACE = 1  # RENAME_NOREPLACE of renameat2(2)
_HERE = -100  # AT_FDCWD
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})
_NOTHING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG})
"""What the system says of a name under which nothing can lie."""
_libc = ctypes.CDLL(None, use_errno=True)


def open_at(address: Address, context: StoreContext) -> FolderStore:
    """The store in a folder, which is made when it is not there and may be.

    Raises:
        BadStore: It cannot be made, or the address names more than a folder.
        StoreUnreachable: It is not there, and was not to be made.
    """
    address.only()
    if address.host or not address.path:
        raise BadStore(store=address.text, reason="a folder on this machine is file:///its/path, or its path alone")
    root = Path(address.path)
    if not context.make and not root.is_dir():
        # Most likely its disk is not mounted: a new folder would fill the disk below the mount point.
        raise StoreUnreachable(
            store=f"the folder {root.name}", reason="it is not there; see whether its disk is mounted"
        )
    return FolderStore(root)


class FolderStore(Store):
    """Keys are paths below `root`, which is made when something is put first."""

    provider = "folder"
    capabilities = Capabilities(removes=True, replaces=True)

    def __init__(self, root: Path) -> None:
        """Use the folder `root`; nothing is made yet.

        Raises:
            BadStore: There is something else.
        """
        self.root = root.absolute()
        if not self.root.is_dir() and os.path.lexists(self.root):
            raise BadStore(store=str(root), reason="there is something else than a folder")

    @property
    def container(self) -> str:
        """The folder's name: where it lies is nobody's affair outside this machine."""
        return self.root.name

    def put(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        """Store what `open` gives under `key`.

        Raises:
            KeyTaken, BadKey, BadStore, StoredWrong, StoreFull, StoreFailed: As `Store.put`.
        """
        place = self._place(key)
        self.preflight(options)
        if os.path.lexists(place):
            raise KeyTaken(key=key, store=str(self))
        return self._write(key, source, open, lambda fresh: self._publish(fresh, place, key), options)

    def replace(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        """Put a derived document anew: the name goes from the old bytes to the new ones in one step.

        Raises:
            BadKey, BadStore, StoredWrong, StoreFull, StoreFailed: As `Store.replace`.
        """
        place = self._place(key)
        self.preflight(options)
        return self._write(key, source, open, lambda fresh: fresh.replace(place), options)

    def _write(
        self,
        key: str,
        source: Entry,
        open: Open,
        publish: Callable[[Path], object],
        options: PutOptions = DEFAULTS,
    ) -> Receipt:
        place = self._place(key)
        sent = Sent(key, source, str(self), options.digests)
        fresh = self.root / _INCOMING / secrets.token_hex(12)
        try:
            with open() as stream, self._trouble(key):
                with self._begun(fresh) as file:
                    while chunk := stream.read(CHUNK):
                        sent.update(chunk)
                        _write(file.fileno(), chunk)
                receipt = sent.receipt()
                make_folders(place.parent)
                publish(fresh)
            return receipt
        finally:
            with contextlib.suppress(OSError):
                fresh.unlink()

    def flush(self) -> None:
        """Write out the filesystem the folder lies on, in one call for all that was put.

        Raises:
            StoreFailed: The disk reported an error.
        """
        with self._trouble("."), contextlib.suppress(FileNotFoundError):
            folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if _libc.syncfs(folder):
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
            finally:
                os.close(folder)
        # What is looked at in the folder is what was put there: the place of what is on its way goes when it is empty.
        with contextlib.suppress(OSError):
            (self.root / _INCOMING).rmdir()

    def check(self, receipt: Receipt) -> None:
        """Read back what was put and compare it.

        Raises:
            KeyNotFound, StoredWrong, StoreFailed: As `Store.check`.
        """
        with self._trouble(receipt.key), contextlib.suppress(FileNotFoundError):
            file = os.open(self._place(receipt.key), os.O_RDONLY)
            try:  # what is in memory proves nothing: after a flush this lets the disk itself answer
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)
        read_back(self, receipt, str(self))

    def stat(self, key: str) -> Stat | None:
        """What is under a key, or None.

        Raises:
            StoreFailed: It could not be told.
        """
        with self._trouble(key):
            try:
                found = self._place(key).stat()
            except OSError as error:
                if error.errno not in _NOTHING:
                    raise
                return None
            return _stat(key, found) if not stat.S_ISDIR(found.st_mode) else None

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """The bytes under a key from `offset` on.

        Raises:
            KeyNotFound, StoreFailed: As `Store.open`.
        """
        with self._trouble(key):
            try:
                file = self._place(key).open("rb")
            except OSError as error:
                if error.errno not in _NOTHING:
                    raise
                raise KeyNotFound(key=key, store=str(self)) from None
            file.seek(offset)
            return file

    def replace_damaged(self, key: str, source: Entry, open: Open) -> Receipt:
        """Put the true bytes in the place of damaged ones, which are kept aside below `.incoming`.

        The one way in which something under a key changes: back to what it was.

        Raises:
            KeyNotFound: There is nothing to replace.
            MunimentError: As `put`; nothing was changed.
        """
        place = self._place(key)
        if self.stat(key) is None:
            raise KeyNotFound(key=key, store=str(self))
        aside = self.root / _INCOMING / f"damaged-{place.name}-{secrets.token_hex(4)}"

        def publish(fresh: Path) -> None:
            os.link(place, aside)
            fresh.replace(place)

        receipt = self._write(key, source, open, publish)
        self.flush()
        return receipt

    def list(self, prefix: str = "", after: str = "") -> Iterator[Stat]:
        """What lies under keys that begin with `prefix`, in order.

        Raises:
            StoreFailed: It could not be told.
        """
        folder = prefix.rpartition("/")[0]
        for key, place in self._walk(self.root / folder if folder else self.root, f"{folder}/" if folder else ""):
            if key.startswith(prefix) and key > after:
                with contextlib.suppress(FileNotFoundError):
                    yield _stat(key, place.stat())

    def remove(self, key: str, version: str = "") -> None:
        """Remove a file.

        Raises:
            BadKey, StoreFailed: As `Store.remove`.
        """
        del version
        with self._trouble(key), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._place(key).unlink()

    def preflight(self, options: PutOptions = DEFAULTS, size: int = 0) -> None:
        """Look whether it can be written to and has room.

        Raises:
            BadStore, StoreFull, StoreReadOnly, StoreFailed: As `Store.preflight`.
        """
        super().preflight(options, size)
        if not size:
            return
        if os.statvfs(self._nearest()).f_flag & os.ST_RDONLY:
            raise StoreReadOnly(store=str(self), key=".", reason="it is mounted read-only")
        if size > self.capacity().free:
            raise CapacityExceeded(store=str(self), key=".", needed=size, available=self.capacity().free, reserve=0)

    def capacity(self) -> Capacity:
        """Bytes of the filesystem the folder lies on.

        Raises:
            StoreFailed: It could not be told.
        """
        with self._trouble("."):
            found = os.statvfs(self._nearest())
        return Capacity(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)

    def __str__(self) -> str:
        return f"the folder {self.root.name}"

    def _nearest(self) -> Path:
        """The folder, or where it is not there yet the nearest one above it."""
        return next(each for each in (self.root, *self.root.parents) if each.is_dir())

    def _begun(self, fresh: Path) -> BinaryIO:
        """A new file that is on its way; its folder may go at any time, when somebody flushes and nothing is in it."""
        while True:
            make_folders(fresh.parent)
            with contextlib.suppress(FileNotFoundError):
                return fresh.open("xb", buffering=0)

    def _place(self, key: str) -> Path:
        check_key(key, str(self), longest=4000)
        if key == _INCOMING or key.startswith(f"{_INCOMING}/"):
            raise BadKey(key=key, store=str(self), reason="that is where things lie until they are complete")
        return self.root / key

    def _publish(self, fresh: Path, place: Path, key: str) -> None:
        try:
            os.link(fresh, place)
        except FileExistsError:
            raise KeyTaken(key=key, store=str(self)) from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if _libc.renameat2(_HERE, os.fsencode(fresh), _HERE, os.fsencode(place), _NO_REPLACE):
                number = ctypes.get_errno()
                if number == errno.EEXIST:
                    raise KeyTaken(key=key, store=str(self)) from None
                raise OSError(number, os.strerror(number)) from error

    def _walk(self, folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
        """Files below, in the order of their whole keys: a folder sorts as its name with a slash."""
        waiting = [self._listed(folder, prefix)]
        while waiting:
            for key, place in waiting[-1]:
                if key.endswith("/"):
                    waiting.append(self._listed(place, key))
                    break
                yield key, place
            else:
                waiting.pop()

    def _listed(self, folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
        """Files and folders right in a folder, with their keys in order; that of a folder ends with a slash."""
        found = []
        with self._trouble(prefix or "."), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for each in os.scandir(folder):
                if each.is_dir(follow_symlinks=False):
                    if prefix or each.name != _INCOMING:
                        found.append((f"{prefix}{each.name}/", Path(each.path)))
                elif each.is_file(follow_symlinks=False):
                    found.append((f"{prefix}{each.name}", Path(each.path)))
        return iter(sorted(found))

    @contextlib.contextmanager
    def _trouble(self, key: str) -> Iterator[None]:
        """Give the system's errors our names.

        Raises:
            StoreFull, StoreFailed: The storage refused.
        """
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise StoreFull(store=str(self), key=key) from error
            if error.errno == errno.EROFS:
                raise StoreReadOnly(store=str(self), key=key, reason="it is mounted read-only") from error
            raise StoreFailed(store=str(self), key=key, reason=error.strerror or str(error)) from error


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _stat(key: str, found: os.stat_result) -> Stat:
    when = datetime.fromtimestamp(int(found.st_mtime), UTC)
    return Stat(key, found.st_size, when.isoformat().replace("+00:00", "Z"))

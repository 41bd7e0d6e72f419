"""An instance in a bucket: its records come into the state folder, its files are read where they lie."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from muniment.archive.bucket.layout import object_place
from muniment.archive.package.checked import Checked
from muniment.archive.package.instance import CHUNK, Instance
from muniment.archive.package.inventory import DECLARATION, NAME, Inventory
from muniment.archive.package.kept import FilesKept
from muniment.archive.package.names import PAYLOAD
from muniment.archive.package.objects import declare
from muniment.content import Digest, Entry, LogicalPath
from muniment.errors.archive import DamagedFile, DamagedRecord, NotInBucket
from muniment.errors.base import BadInput
from muniment.errors.stores import KeyNotFound

if TYPE_CHECKING:
    from muniment.archive.bucket.home import BucketHome


@dataclass(frozen=True, slots=True)
class FilesInBucket:
    """The files of a resource in a bucket."""

    home: BucketHome
    project: str
    id: str

    def open(self, place: str, offset: int = 0) -> BinaryIO:
        """The bytes of a file.

        Raises:
            KeyNotFound: They are nowhere.
            StoreUnreachable, StoreFailed, StoreRefused: They could not be had.
        """
        return self.home.open(object_place(self.project, self.id), place, offset)

    def read(self, place: str, size: int) -> bytes:
        """All bytes of a small file.

        Raises:
            KeyNotFound: They are nowhere.
            StoreUnreachable, StoreFailed, StoreRefused: They could not be had.
        """
        with self.open(place) as file:
            found = file.read(size + 1)
            while len(found) < size and (more := file.read(size + 1 - len(found))):
                found += more
        return found

    def is_newest(self, number: int) -> bool:
        """Whether an instance of this number is there and none after it.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        return not self.home.is_purged(self.project, self.id) and self.home.newest(self.project, self.id) == number


class BucketInstance(Instance):
    """One immutable version of a resource."""

    def __init__(
        self, home: BucketHome, root: Path, project: str, resource: str, inventory: Inventory, number: int
    ) -> None:
        super().__init__(root, project, resource, inventory, number)
        self._home = home
        self._key = object_place(project, resource)
        self._sizes: dict[int, Mapping[str, int]] = {}

    @property
    def root(self) -> str:  # type: ignore[override] # a folder's is a path; both are `Instance`s by the Protocol
        """The address of its resource's OCFL object."""
        return f"{self._home.keys}/{self._key}".rstrip("/")

    def open(self, path: str, offset: int = 0, *, verify: bool = True) -> BinaryIO:
        """A stream of one file's bytes from `offset` on; checked as by `Instance.open`.

        Raises:
            FileNotInInstance: There is no such file.
            DamagedRecord: Its bytes are nowhere in the bucket.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be opened.
        """
        entry = self[path]
        if offset < 0:
            raise BadInput(reason=f"a file cannot be read from {offset} on")
        return self._stream(self.stored(path), entry.digests, offset, verify=verify)

    def read_entry(self, entry: Entry) -> bytes:
        """A whole file, checked; for small files.

        Raises:
            DamagedFile: Its bytes are not those that came in.
            MunimentError: As `open`.
        """
        with self._stream(self._files.stored(entry.path), entry.digests, 0, verify=False) as stream:
            data = stream.read()
        algorithm = "sha256" if "sha256" in entry.digests else self._inventory.algorithm
        found, expected = hashlib.new(algorithm, data).hexdigest(), entry.digests[algorithm]
        if found != expected:
            raise DamagedFile(path=self._key + entry.path, algorithm=algorithm, found=found, expected=expected)
        return data

    def location(self, path: str) -> Path:
        """Nothing in a bucket lies on this machine's disk.

        Raises:
            NotInBucket: Always.
        """
        raise NotInBucket(what=f"say where {path!r} lies on a disk")

    def place(self, path: str) -> str:
        """The key of a file once it is laid out.

        Raises:
            FileNotInInstance: There is no such file.
        """
        return self._key + self._inventory.content_path(self._logical[self.stored(path)])

    def earlier(self, number: int) -> BucketInstance:
        """Another instance of the same resource, not newer than this one was when it was read."""
        return BucketInstance(self._home, self._records, self.project, self.id, self._inventory, number)

    def inventory_digest(self) -> str:
        """The digest of the inventory that came with this instance.

        Raises:
            DamagedRecord: It cannot be had.
            StoreUnreachable, StoreFailed, StoreRefused: As `open`.
        """
        self._home.fetch_inventory(self.project, self.id, self.number)
        return super().inventory_digest()

    def kept(self) -> FilesKept:
        """Where the resource's files lie, for who remembers thousands of them."""
        return FilesInBucket(self._home, self.project, self.id)

    def kept_at(self, path: str) -> str:
        """What `kept` calls the bytes of a file.

        Raises:
            FileNotInInstance: There is no such file.
        """
        return self._inventory.content_path(self._logical[self.stored(path)])

    def standing(self) -> tuple[int, ...]:
        """Nothing in a bucket changes; purged, the resource stands no more."""
        if self._home.is_purged(self.project, self.id):
            return ()
        return 0, 0, (self._records / f"v{self._inventory.head}" / NAME).stat().st_size

    def bag_entries(self) -> Iterator[Entry]:
        """Every file of the instance's bag, tag files included, under its path in the bag."""
        for path in sorted(self._logical):
            if not path.startswith(PAYLOAD):
                self._fetch(path)
        yield from super().bag_entries()

    def _object_entry(self, path: str, place: str, digests: dict[str, str]) -> tuple[Entry, Callable[[int], BinaryIO]]:
        if place == DECLARATION:
            declared = declare(self._records)[1]
            return Entry(LogicalPath(path), len(declared), digests), lambda offset: io.BytesIO(declared[offset:])
        folder, _, name = place.partition("/")
        number = int(folder.removeprefix("v"))
        if name in (NAME, f"{NAME}.{self._inventory.algorithm}"):
            self._home.fetch_inventory(self.project, self.id, number)
            return super()._object_entry(path, place, digests)
        if number not in self._sizes:
            self._sizes[number] = self._home.sizes(self._key, number)
        try:
            size = self._sizes[number][place]
        except KeyError:
            raise DamagedRecord(path=self._key + place, reason="it is missing") from None
        return Entry(LogicalPath(path), size, digests), partial(self._home.open, self._key, place)

    def _small(self, logical: str) -> bytes:
        with self._open_logical(logical) as file:
            return file.read()

    def _open_logical(self, logical: str, offset: int = 0, *, verify: bool = True) -> BinaryIO:
        if logical.startswith(PAYLOAD):
            return self._stream(logical, {self._inventory.algorithm: self._logical[logical]}, offset, verify=verify)
        self._fetch(logical)
        return super()._open_logical(logical, offset, verify=verify)

    def _fetch(self, logical: str) -> None:
        """Have a record of the instance in the state folder."""
        try:
            path = self._inventory.content_path(self._logical[logical])
        except KeyError:
            raise DamagedRecord(path=self._key, reason=f"instance {self.number} has no {logical}") from None
        try:
            self._home.fetch(self._key, path, self._records / path)
        except KeyNotFound:
            raise DamagedRecord(path=self._key + path, reason="it is missing") from None

    def _stream(self, stored: str, digests: Mapping[str, str], offset: int, *, verify: bool) -> BinaryIO:
        path = self._inventory.content_path(self._logical[stored])
        try:
            raw = self._home.open(self._key, path, offset)
        except KeyNotFound:
            raise DamagedRecord(path=self._key + path, reason="it is missing") from None
        if offset or not verify:
            return raw
        algorithm = "sha256" if "sha256" in digests else self._inventory.algorithm
        expected = Digest(algorithm, digests[algorithm])
        return io.BufferedReader(Checked(raw, Path(self._key + path), expected), CHUNK)

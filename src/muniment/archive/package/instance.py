"""An instance: one version of a resource, read-only, with its files checked as they are read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from muniment.archive.disk.repaired import REPAIRED, newest_copy
from muniment.archive.disk.storage_errors import errors_stop_here
from muniment.archive.package.bag import BAG_INFO, FILES, FORMATS, INSTANCE, payload_oxum, read_files, read_formats
from muniment.archive.package.checked import Checked
from muniment.archive.package.inventory import DECLARATION, NAME, FurtherDigests, Inventory
from muniment.archive.package.kept import FilesInFolder, FilesKept
from muniment.archive.package.names import PAYLOAD
from muniment.archive.package.objects import archive_of, version_inventory
from muniment.content import Digest, Entry, LogicalPath
from muniment.content.acceptable import LONGEST_IDENTIFIER
from muniment.content.checks import Format
from muniment.content.regular import descriptor_of, open_regular, read_regular
from muniment.errors.archive import (
    DamagedFile,
    DamagedRecord,
    FileNotInInstance,
    InstanceNotFound,
    ReadFailed,
    ReadOnlyInstance,
)
from muniment.errors.base import BadInput

if TYPE_CHECKING:
    from muniment.content.differences import Differences
    from muniment.content.instance import Instance as AnyInstance

CHUNK = 1 << 20


@errors_stop_here
class Instance:
    """One immutable version of a resource."""

    def __init__(self, root: Path, project: str, resource: str, inventory: Inventory, number: int) -> None:
        self.id = resource
        self.project = project
        self.number = number
        self.head = inventory.head
        self._records = root
        self._inventory = inventory

    @property
    def root(self) -> Path:
        """The folder of its resource's OCFL object."""
        return self._records

    def __repr__(self) -> str:
        """The resource and the instance's number."""
        return f"<Instance {self.number} of {self.id!r} in {self.project}>"

    def __enter__(self) -> Self:
        """An instance may be used where a transaction may; there is nothing to close."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def __iter__(self) -> Iterator[str]:
        """The paths of all files, sorted."""
        return iter(self._paths)

    def __contains__(self, path: object) -> bool:
        """Whether the instance holds a file of that path."""
        return path in self._files.entries

    def __bool__(self) -> bool:
        """An instance without files is an instance all the same: `if base` must not take it for none."""
        return True

    def __len__(self) -> int:
        """How many files it holds."""
        return len(self._files.entries)

    def __getitem__(self, path: str) -> Entry:
        """The entry of one file.

        Raises:
            FileNotInInstance: There is no such file.
        """
        found = self._found(path)
        return Entry(found.path, found.size, self._digests_of(self._files.stored(path)), found.modified)

    @property
    def created(self) -> str:
        """When it was committed."""
        return self._inventory.versions[self.number].created

    @property
    def message(self) -> str:
        """Why it was made."""
        return self._inventory.versions[self.number].message

    @property
    def agent(self) -> Mapping[str, str]:
        """Who made it: name and address."""
        agent = self._inventory.versions[self.number].agent
        return {"name": agent.name, "address": agent.address}

    @property
    def instance(self) -> str:
        """Its own identifier, unique for ever."""
        return str(self.record["instance"])

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What its makers said about it."""
        found = self.record.get("metadata", {})
        return found if isinstance(found, dict) else {}

    @property
    def provenance(self) -> list[Any]:
        """The instances it was made from, where it was merged or migrated."""
        return list(self.record.get("provenance", []))

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """The whole of `metadata/instance.json`.

        Raises:
            DamagedRecord, ReadFailed: It cannot be had.
        """
        try:
            found = json.loads(self._small(INSTANCE))
        except ValueError as error:
            raise DamagedRecord(path=INSTANCE, reason=str(error)) from error
        if not isinstance(found, dict):
            raise DamagedRecord(path=INSTANCE, reason="it is not an object")
        return found

    def diff(self, before: AnyInstance | None = None) -> Differences:
        """How this instance differs from another one, from the one before it, or from nothing if it is the first.

        Raises:
            DamagedRecord, ReadFailed: One of them cannot be read.
        """
        from muniment.content.differences import compared  # noqa: PLC0415 - few programs need it

        return compared(self, before)

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from muniment.content.notebook import instance_html  # noqa: PLC0415 - as in `diff`

        return instance_html(self)

    def changed(self) -> tuple[int, int, int]:
        """How many files were added, given other content and removed since the instance before; the first added all.

        It is told by the inventory alone, so that no file of another instance is looked at.
        """
        now = _payload_of(self._inventory, self.number)
        before = _payload_of(self._inventory, self.number - 1) if self.number > 1 else {}
        both = now.keys() & before.keys()
        return len(now) - len(both), sum(now[path] != before[path] for path in both), len(before) - len(both)

    def payload(self) -> tuple[int, int]:
        """How many bytes and files it has: as its bag says, else as its list of files does.

        Raises:
            DamagedRecord, DamagedFile, ReadFailed: Its records cannot be had.
        """
        with contextlib.suppress(DamagedRecord, DamagedFile, ReadFailed, ValueError):
            return payload_oxum(self._small(BAG_INFO))
        return sum(entry.size or 0 for entry in self._files.entries.values()), len(self)

    def files(self) -> Iterator[Entry]:
        """Every file with its size, digests and time of change, sorted by path."""
        if "_files" not in self.__dict__ and self._inventory.is_text and (manifests := self._manifests()):
            yield from self._in_step(manifests)
            return
        files = self._files
        for path in self._paths:
            found = files.entries[path]
            yield Entry(found.path, found.size, self._digests_of(files.stored(path)), found.modified)

    def formats(self) -> Iterator[tuple[str, tuple[Format, ...]]]:
        """Every file's path with the formats it was identified as; nothing where that was not done.

        Raises:
            DamagedRecord, ReadFailed: It cannot be had.
        """
        if self._digest(FORMATS) is None:
            return
        with self._open_logical(FORMATS) as file:
            try:
                yield from read_formats(file)
            except (ValueError, KeyError, TypeError) as error:
                raise DamagedRecord(path=FORMATS, reason=str(error)) from error

    def paths_after(self, path: str, most: int) -> list[str]:
        """At most so many paths that follow `path` in their order, without going through those before it."""
        first = bisect_right(self._paths, path) if path else 0
        return self._paths[first : first + most]

    def digests(self, path: str) -> Mapping[str, str]:
        """Every recorded digest of one file.

        Raises:
            FileNotInInstance: There is no such file.
        """
        return self[path].digests

    def open(self, path: str, offset: int = 0, *, verify: bool = True) -> BinaryIO:
        """A stream of one file's bytes from `offset` on.

        Read from its beginning to its end, it is checked against its digest and the last read fails
        if the file is damaged; `verify=False` leaves that out.

        Raises:
            FileNotInInstance: There is no such file.
            ReadFailed: The storage did not give it.
        """
        entry = self[path]
        location = self.location(path)
        if offset < 0:
            raise BadInput(reason=f"a file cannot be read from {offset} on")
        raw = _open_file(location)
        if offset:
            raw.seek(offset)
            return raw
        if not verify:
            return raw
        algorithm = "sha256" if "sha256" in entry.digests else self._inventory.algorithm
        return io.BufferedReader(Checked(raw, location, Digest(algorithm, entry.digests[algorithm])), CHUNK)

    def read(self, path: str) -> bytes:
        """A whole file, checked; for small files.

        Raises:
            FileNotInInstance: There is no such file.
            DamagedFile: Its bytes are not those that came in.
            ReadFailed: The storage did not give it.
        """
        return self.read_entry(self[path])

    def read_entry(self, entry: Entry) -> bytes:
        """As `read`, of an entry that this instance gave.

        Raises:
            DamagedFile, ReadFailed: As `read`.
        """
        place = self._inventory.content_path(self._logical[self._files.stored(entry.path)])
        location = os.fspath(self._place(place)) if self._has_repaired else f"{self._records}/{place}"
        algorithm = "sha256" if "sha256" in entry.digests else self._inventory.algorithm
        hasher = hashlib.new(algorithm)
        try:
            descriptor = descriptor_of(location)
            try:
                data = _read_up_to(descriptor, entry.size or 0, hasher.update)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ReadFailed(path=location, reason=error.strerror) from error
        found, expected = hasher.hexdigest(), entry.digests[algorithm]
        if found != expected:
            raise DamagedFile(path=location, algorithm=algorithm, found=found, expected=expected)
        return data

    def location(self, path: str) -> Path:
        """Where a file's bytes lie on disk. They belong to the archive: read them, never write.

        Raises:
            FileNotInInstance: There is no such file.
        """
        return self._place(self._inventory.content_path(self._logical[self.stored(path)]))

    def place(self, path: str) -> str:
        """Where a file's bytes lie below the archive's root, with slashes.

        Raises:
            FileNotInInstance: There is no such file.
        """
        return self.location(path).relative_to(archive_of(self._records)).as_posix()

    def known_size(self, path: str) -> int | None:
        """A file's size in bytes, where that is known without reading anything now, and there is such a file."""
        listed: _Files | None = vars(self).get("_files")
        found = listed.entries.get(path) if listed else None
        return found.size if found else None

    def stored(self, path: str) -> str:
        """The path of a file in the instance's bag: `data/` and the path, but for odd names."""
        self._found(path)
        return self._files.stored(path)

    def earlier(self, number: int) -> Instance:
        """Another instance of the same resource, not newer than this one was when it was read."""
        return Instance(self._records, self.project, self.id, self._inventory, number)

    def held(self) -> Container[str]:
        """The digests of all content the resource holds, of every instance up to the newest."""
        return self._inventory.held()

    def kept(self) -> FilesKept:
        """Where the resource's files lie, for who remembers thousands of them."""
        return FilesInFolder(str(self.root))

    def kept_at(self, path: str) -> str:
        """What `kept` calls the bytes of a file.

        Raises:
            FileNotInInstance: There is no such file.
        """
        root, location = f"{self.root}/", str(self.location(path))
        # A file that was repaired in worm mode lies beside the object.
        return location.removeprefix(root) if location.startswith(root) else os.path.relpath(location, root)

    def standing(self) -> tuple[int, ...]:
        """What changes when the resource's records change under it (purged, repaired): time, inode, bytes; or ()."""
        try:
            status = (self._records / NAME).stat()
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_ino, status.st_size

    def bag_entries(self) -> Iterator[Entry]:
        """Every file of the instance's bag, tag files included, under its path in the bag."""
        sizes = {self._files.stored(path): found.size for path, found in self._files.entries.items()}
        for path in sorted(self._logical):
            location = self._place(self._inventory.content_path(self._logical[path]))
            size = sizes.get(path)
            yield Entry(path, location.stat().st_size if size is None else size, self._digests_of(path))  # type: ignore[arg-type] # checked when stored

    def open_bag_entry(self, entry: Entry, offset: int = 0, *, verify: bool = True) -> BinaryIO:
        """A stream of one file of the bag; checked as by `open`, where it is read from its beginning.

        Raises:
            DamagedRecord, ReadFailed: It cannot be had.
        """
        return self._open_logical(entry.path, offset, verify=verify)

    def inventory_digest(self) -> str:
        """The digest of the inventory that came with this instance, as `algorithm:value`: it vouches for all of it.

        Raises:
            DamagedRecord, ReadFailed: It cannot be had.
        """
        try:
            _, digest = version_inventory(self._records, self.number, self._inventory.algorithm)
        except FileNotFoundError as error:
            raise DamagedRecord(path=error.filename, reason="it is missing") from None
        return f"{self._inventory.algorithm}:{digest}"

    def object_entries(self) -> Iterator[tuple[Entry, Callable[[int], BinaryIO]]]:
        """Every file of the resource's OCFL object by its path in it, and what gives its bytes from an offset on.

        The inventory in the root is always the newest one, which in worm mode it is not on disk. It and
        the other inventories carry the digest their sidecars state.

        Raises:
            DamagedRecord, ReadFailed: A record cannot be had.
        """
        algorithm = self._inventory.algorithm
        names = (NAME, f"{NAME}.{algorithm}")
        yield self._object_entry(DECLARATION, DECLARATION, {})
        for folder in ("", *(f"v{number}/" for number in range(1, self.head + 1))):
            digest = self.earlier(int(folder[1:-1]) if folder else self.head).inventory_digest()
            for name, known in zip(names, ({algorithm: digest.partition(":")[2]}, {}), strict=True):
                yield self._object_entry(folder + name, (folder or f"v{self.head}/") + name, known)
        for digest, paths in self._inventory.manifest.items():
            for path in paths:
                yield self._object_entry(path, path, {algorithm: digest, **self._further.of(path)})

    def version_entries(self) -> Iterator[tuple[Entry, Callable[[int], BinaryIO]]]:
        """Every file of the OCFL object that came with this instance, as `object_entries`: content and inventory.

        Raises:
            DamagedRecord, ReadFailed: A record cannot be had.
        """
        algorithm = self._inventory.algorithm
        folder = f"v{self.number}/"
        digest = self.inventory_digest().partition(":")[2]
        yield self._object_entry(folder + NAME, folder + NAME, {algorithm: digest})
        yield self._object_entry(f"{folder}{NAME}.{algorithm}", f"{folder}{NAME}.{algorithm}", {})
        for value, paths in self._inventory.manifest.items():
            for path in paths:
                if path.startswith(folder):
                    yield self._object_entry(path, path, {algorithm: value, **self._further.of(path)})

    def _object_entry(self, path: str, place: str, digests: dict[str, str]) -> tuple[Entry, Callable[[int], BinaryIO]]:
        location = self._place(place)
        try:
            return Entry(LogicalPath(path), location.stat().st_size, digests), partial(_open_from, location)
        except OSError as error:
            raise ReadFailed(path=location, reason=error.strerror) from error

    def add(self, *_: object, **__: object) -> None:
        """An instance is never changed.

        Raises:
            ReadOnlyInstance: Always.
        """
        raise ReadOnlyInstance(instance=self.number, id=self.id)

    delete = replace = commit = rollback = add

    @cached_property
    def _has_repaired(self) -> bool:
        return (archive_of(self._records) / REPAIRED).is_dir()

    def _place(self, name: str) -> Path:
        """Where a file of the object is read: its own place or, in worm mode, where it stands repaired beside it."""
        place = self._records / name
        return newest_copy(place, archive_of(self._records)) if self._has_repaired else place

    def _digest(self, logical: str) -> str | None:
        """The digest of one file of the bag; None where it has no such file."""
        if "_logical" not in self.__dict__ and self._inventory.is_text:
            return self._inventory.digest_of(self.number, logical)
        return self._logical.get(logical)

    @cached_property
    def _logical(self) -> dict[str, str]:
        return self._inventory.logical(self.number)

    @cached_property
    def _further(self) -> FurtherDigests:
        return self._inventory.further_digests()

    def _manifests(self) -> dict[str, str]:
        """Digest to the manifest that lists the files by it; nothing where one of the bag's lists cannot be had."""
        found = {algorithm: f"manifest-{algorithm}.txt" for algorithm in sorted(self._inventory.algorithms)}
        found = {self._inventory.algorithm: "", **found}  # the first digest comes first, as elsewhere
        try:
            for name in (FILES, *found.values()):
                with self._open_logical(name) as file:
                    while file.read(CHUNK):
                        pass
        except (DamagedFile, DamagedRecord, ReadFailed):
            return {}
        return found

    def _in_step(self, manifests: Mapping[str, str]) -> Iterator[Entry]:
        """Every file by the bag's own lists, which name them in the same order: so nothing of the inventory is parsed.

        Raises:
            DamagedRecord: The lists are not of the same files.
        """
        with contextlib.ExitStack() as open_:
            lines = [open_.enter_context(self._open_logical(name)) for name in manifests.values()]
            files = read_files(open_.enter_context(self._open_logical(FILES)))
            try:
                for (stored, entry), *named in zip(files, *lines, strict=True):
                    parted = [line.decode("utf-8").rstrip("\n").partition("  ") for line in named]
                    if any(path != stored for _, _, path in parted):
                        raise DamagedRecord(path=FILES, reason=f"the manifests do not name {stored!r} in its place")
                    digests = dict(zip(manifests, (digest for digest, _, _ in parted), strict=True))
                    yield Entry(entry.path, entry.size, digests, entry.modified)
            except (ValueError, KeyError, TypeError) as error:
                raise DamagedRecord(path=FILES, reason=str(error)) from error

    @cached_property
    def _files(self) -> _Files:
        found = _Files()
        with self._open_logical(FILES) as file:
            try:
                for stored, entry in read_files(file):
                    if stored in self._logical:
                        found.note(stored, entry)
            except (ValueError, KeyError, TypeError) as error:
                raise DamagedRecord(path=FILES, reason=str(error)) from error
        return found

    @cached_property
    def _paths(self) -> list[str]:
        return sorted(self._files.entries)

    def _found(self, path: str) -> Entry:
        try:
            return self._files.entries[path]
        except KeyError:
            raise FileNotInInstance(instance=self.number, id=self.id, path=path) from None

    def _digests_of(self, logical: str) -> dict[str, str]:
        digest = self._logical[logical]
        digests = {self._inventory.algorithm: digest}
        self._further.add_to(digests, self._inventory.content_path(digest))
        return digests

    def _small(self, logical: str) -> bytes:
        """A tag file that is small whatever the instance holds, checked.

        Raises:
            DamagedRecord, DamagedFile, ReadFailed: It cannot be had.
        """
        digest, location = self._where(logical)
        try:
            data = read_regular(location)
        except OSError as error:
            raise ReadFailed(path=location, reason=error.strerror) from error
        algorithm = self._inventory.algorithm
        found = hashlib.new(algorithm, data).hexdigest()
        if found != digest:
            raise DamagedFile(path=location, algorithm=algorithm, found=found, expected=digest)
        return data

    def _where(self, logical: str) -> tuple[str, Path]:
        digest = self._digest(logical)
        if digest is None:
            raise DamagedRecord(path=self._records, reason=f"instance {self.number} has no {logical}")
        return digest, self._place(self._inventory.content_path(digest))

    def _open_logical(self, logical: str, offset: int = 0, *, verify: bool = True) -> BinaryIO:
        digest, location = self._where(logical)
        if offset or not verify:
            raw = _open_file(location)
            raw.seek(offset)
            return raw
        return io.BufferedReader(
            Checked(_open_file(location), location, Digest(self._inventory.algorithm, digest)), CHUNK
        )


def earlier_instance(newest: Instance, wanted: str | int) -> Instance:
    """The instance of a resource that somebody asks for by its number, as 'v1', or by its identifier.

    Raises:
        InstanceNotFound: It has no such instance.
    """
    text = str(wanted)
    asked = re.fullmatch(r"v?([0-9]{1,9})", text, re.ASCII)
    numbers = [int(asked[1])] if asked else range(newest.head, 0, -1)
    for number in numbers:
        if 1 <= number <= newest.head:
            found = newest.earlier(number)
            if asked or found.instance == text:
                return found
    raise InstanceNotFound(id=newest.id, instance=text[:LONGEST_IDENTIFIER], head=newest.head)


def _payload_of(inventory: Inventory, number: int) -> dict[str, str]:
    """The digest of each of an instance's files, by its path in the bag."""
    return {path: digest for path, digest in inventory.logical(number).items() if path.startswith(PAYLOAD)}


class _Files:
    """An instance's files by path, without the digests: those are put together when a file is asked for."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._odd: dict[str, str] = {}

    def note(self, stored: str, entry: Entry) -> None:
        self.entries[entry.path] = entry
        if stored != PAYLOAD + entry.path:
            self._odd[entry.path] = stored

    def stored(self, path: str) -> str:
        return self._odd.get(path) or PAYLOAD + path


def _read_up_to(descriptor: int, size: int, digest: Callable[[bytes], object]) -> bytes:
    """A file of `size` bytes, digested; of one that has grown, what is too much is digested and not kept."""
    pieces: list[bytes] = []
    done = 0
    while piece := os.read(descriptor, size - done + 1 if done <= size else 1 << 20):
        digest(piece)
        if done <= size:
            pieces.append(piece)
        done += len(piece)
    return b"".join(pieces)


def _open_file(location: Path) -> BinaryIO:
    try:
        return open_regular(location)
    except OSError as error:
        raise ReadFailed(path=location, reason=error.strerror) from error


def _open_from(location: Path, offset: int) -> BinaryIO:
    file = _open_file(location)
    file.seek(offset)
    return file

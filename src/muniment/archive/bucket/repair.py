"""Right bytes in the place of damaged or lost keys, from copies: only what the log or an inventory vouches for."""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from muniment.archive.bucket.layout import QUARANTINE, object_place
from muniment.archive.bucket.worm import WormKeys
from muniment.archive.disk.durable import make_folder, remove_tree, write_file
from muniment.archive.package.inventory import DECLARATION, NAME, Inventory, parse_inventory, sidecar_of
from muniment.archive.package.objects import declare
from muniment.archive.restored import digested
from muniment.content import Hashers
from muniment.content.events import Event
from muniment.content.identity import new_uuid
from muniment.errors.archive import DamagedRecord, DiskFull
from muniment.errors.base import MunimentError
from muniment.errors.parity import CannotRepair
from muniment.errors.stores import KeyNotFound, StoreRefused, StoreUnreachable

if TYPE_CHECKING:
    from muniment.archive.bucket.home import BucketHome

_ROOT = "the object itself"
Vouched = Callable[[int], str]
"""What the log says of a version's inventory, `algorithm:value`; '' where it says nothing."""
Fetch = Callable[[str], BinaryIO]


def wrong_files(home: BucketHome, project: str, resource: str, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Which files of an object (by their paths below it) are nowhere or have not the digests that are wanted.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    place = object_place(project, resource)
    return [path for path, digests in wanted.items() if not _has(home, place, path, digests)]


class ObjectRepair:
    """What one copy gives back to one object."""

    def __init__(self, home: BucketHome, project: str, resource: str, vouched: Vouched) -> None:
        self._home = home
        self._project, self._resource = project, resource
        self._place = object_place(project, resource)
        self._vouched = vouched
        self._known: list[Inventory] = []
        self._name = new_uuid()
        self._kept: list[str] = []
        self._done: list[str] = []

    def put_back(self, names: Iterable[str], fetch: Fetch, source: str) -> dict[str, str]:
        """Let files be what was recorded, from the bytes that `fetch` gives; '' or why not, by path.

        What is damaged is copied below `quarantine/` before its key is put anew. In worm mode only what is lost is
        put: a second version of a locked key would stand before readers, and the first stays whatever is put.

        Raises:
            ResourcePurged: The resource was purged.
            DiskFull, StoreUnreachable, StoreRefused: It was broken off; it may be done again.
        """
        self._home.refuse_purged(self._project, self._resource)
        self._known += self._inventories()
        said: dict[str, str] = {}
        # Inventories first: they say what the content must be.
        for name in sorted(dict.fromkeys(names), key=lambda name: ("/content/" in name, name)):
            try:
                if "/content/" in name:
                    self._content(name, fetch)
                else:
                    self._inventory(name, fetch)
            except (DiskFull, StoreUnreachable, StoreRefused):
                self._tell(source)
                raise
            except (MunimentError, OSError, ValueError, KeyError) as error:
                said[name] = str(error)
            else:
                said[name] = ""
        if any(not reason and name.endswith(NAME) for name, reason in said.items()):
            self._home.finish_root(self._project, self._resource)
        self._tell(source)
        return said

    def _tell(self, source: str) -> None:
        if not self._done:
            return
        detail: dict[str, object] = {"note": f"taken from the copy in {source}", "paths": self._done}
        if self._kept:
            detail["quarantine"] = self._kept
        about = "repair", str(self._home.agent), self._project, self._resource
        self._home.log.append([Event(*about, detail=detail, transaction=self._name)])
        self._done, self._kept = [], []

    def _inventory(self, name: str, fetch: Fetch) -> None:
        folder = name.partition("/")[0]
        number = int(folder.removeprefix("v"))
        with fetch(f"{folder}/{NAME}") as file:
            data = file.read()
        algorithm = self._home.algorithm
        digest = hashlib.new(algorithm, data).hexdigest()
        logged = self._vouched(number)
        if f"{algorithm}:{digest}" not in ({logged} if logged else set(self._sidecars(folder))):
            raise CannotRepair(path=name, reason="neither the log nor a sidecar vouches for what the copy gave")
        self._known.append(parse_inventory(data.decode("utf-8"), Path(name)))
        self._put(name, data if name.endswith(NAME) else sidecar_of(digest))

    def _content(self, name: str, fetch: Fetch) -> None:
        digests = self._digests(name)
        if not digests:
            raise CannotRepair(path=name, reason="no inventory says what it should be")
        folder = self._home.scratch / f"repair-{new_uuid()}"
        make_folder(folder)
        try:
            hashers = Hashers(sorted(digests))
            with fetch(name) as file:
                write_file(folder / "copied", digested(hashers, file))
            for algorithm, found in hashers.values().items():
                if found != digests[algorithm]:
                    reason = f"what came out has the {algorithm} {found}, recorded is {digests[algorithm]}"
                    raise CannotRepair(path=name, reason=reason)
            self._put(name, folder / "copied")
        finally:
            remove_tree(folder)

    def _put(self, name: str, source: bytes | Path) -> None:
        keys, key = self._home.keys, self._place + name
        if keys.stat(key) is not None:
            if isinstance(source, bytes) and self._is(key, source):
                return
            if self._home.worm:
                raise CannotRepair(
                    path=name,
                    reason="in worm mode no key is put anew; make a folder with `muniment mirror`, and repair that",
                )
            kept = f"{QUARANTINE}{self._name}/{len(self._kept) + 1}-{posixpath.basename(name)}"
            keys.copy(key, kept)
            self._kept.append(kept)
            keys.put(key, source)
        elif not keys.put_once(key, source):
            raise CannotRepair(path=name, reason="somebody else put something there meanwhile")
        elif isinstance(keys, WormKeys):
            keys.hold([key])
        self._done.append(key)

    def _is(self, key: str, record: bytes) -> bool:
        with self._home.keys.open(key) as stream:
            return stream.read(len(record) + 1) == record

    def _inventories(self) -> Iterator[Inventory]:
        """The object's own inventories that the log, or else a sidecar, vouches for, the newest first."""
        for number in range(self._home.newest(self._project, self._resource), 0, -1):
            with contextlib.suppress(KeyNotFound, DamagedRecord, UnicodeDecodeError):
                with self._home.open(self._place, f"v{number}/{NAME}") as stream:
                    data = stream.read()
                digest = f"{self._home.algorithm}:{hashlib.new(self._home.algorithm, data).hexdigest()}"
                logged = self._vouched(number)
                if digest in ({logged} if logged else set(self._sidecars(f"v{number}"))):
                    yield parse_inventory(data.decode("utf-8"), Path(f"v{number}", NAME))
                    return

    def _digests(self, name: str) -> dict[str, str]:
        for inventory in self._known:
            if found := inventory.digests_of({name}).get(name):
                return found
        return {}

    def _sidecars(self, folder: str) -> Iterator[str]:
        """What the sidecars of a version and of the root say, where the log says nothing."""
        algorithm = self._home.algorithm
        for place in (f"{folder}/", ""):
            key = f"{self._place}{place}{NAME}.{algorithm}"
            with contextlib.suppress(KeyNotFound, UnicodeDecodeError, IndexError), self._home.keys.open(key) as stream:
                yield f"{algorithm}:{stream.read().decode('ascii').split(maxsplit=1)[0]}"


def repair_records(home: BucketHome, what: tuple[str, str], wrong: Iterable[str], vouched: Vouched) -> dict[str, str]:
    """Make anew, of an object's `wrong` keys, what follows from what is right; what was done about each.

    A newest inventory that is not as the log says is taken from the root; the root and the sidecars are made from the
    versions' inventories, never from what nothing vouches for.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
    """
    place = object_place(*what)
    names = {key.removeprefix(place) for key in wrong}
    newest = home.newest(*what)
    own = f"v{newest}/{NAME}"
    done: dict[str, str] = {}

    def give(name: str, at: str) -> None:
        said = ObjectRepair(home, *what, vouched).put_back([name], lambda _: home.keys.open(at), _ROOT)[name]
        if not said:
            done[place + name] = "put anew from what the bucket has of it"

    if own in names and vouched(newest):
        give(own, place + NAME)
    for name in sorted(names):
        folder, _, rest = name.partition("/")
        if rest == f"{NAME}.{home.algorithm}":
            give(name, f"{place}{folder}/{NAME}")
    with contextlib.suppress(KeyNotFound), home.open(place, own) as stream:
        digest = f"{home.algorithm}:{hashlib.new(home.algorithm, stream.read()).hexdigest()}"
        if newest and vouched(newest) in {"", digest}:
            home.finish_root(*what)
            if DECLARATION in names:
                home.keys.put(place + DECLARATION, declare(Path())[1])
            done |= {place + name: "put anew from the newest version" for name in names if "/" not in name}
    return done


def _has(home: BucketHome, place: str, path: str, digests: Mapping[str, str]) -> bool:
    hashers = Hashers(sorted(digests))
    try:
        with home.open(place, path) as stream:
            for _ in digested(hashers, stream):
                pass
    except KeyNotFound:
        return False
    return dict(hashers.values()) == dict(digests)

"""Versions held against each other: what a later version may not change (OCFL 1.1 §3.5, §3.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from muniment.content import Finding
from muniment.validation.findings import kind_of, say
from muniment.validation.ocfl.inventory import Inventory
from muniment.validation.ocfl.names import VersionName, version_name
from muniment.validation.ocfl.versions_block import Version


class History:
    """Walks an object's version inventories in order and remembers what the rules need of them."""

    def __init__(self, root: Inventory, spec: str | None) -> None:
        """Begin with the root's inventory and the object's declared version of OCFL."""
        self.root = root
        self.spec = spec
        self.content_directories = {root.head_keys.content_directory}
        self._newest = max(filter(None, map(version_name, root.versions or ())), default=None)
        self._latest: Inventory | None = None
        self._first: tuple[int, str] | None = None
        self._newest_spec = ""

    def is_newest(self, folder: VersionName) -> bool:
        """Whether the root's inventory knows no later version than this one."""
        return folder == self._newest

    def check(self, folder: VersionName, inventory: Inventory) -> Iterator[Finding]:
        """One version's inventory against the root's and those before it."""
        keys = inventory.head_keys
        if self.is_newest(folder):
            self._latest = inventory
        if keys.id is not None and self.root.head_keys.id not in {None, keys.id}:
            yield say("E037", inventory.where, self.root.head_keys.id, keys.id)
        if keys.spec and keys.spec < self._newest_spec:
            yield say("E103", inventory.where, self._newest_spec, keys.spec)
        self._newest_spec = max(self._newest_spec, keys.spec or "")
        yield from self._content_directory(folder, inventory)
        if inventory.fingerprint == self.root.fingerprint or inventory is self._latest:
            return
        for name, version in (inventory.versions or {}).items():
            present = (self.root.versions or {}).get(name)
            if present:
                yield from self._same_version(inventory, version, present)

    def _content_directory(self, folder: VersionName, inventory: Inventory) -> Iterator[Finding]:
        keys, root = inventory.head_keys, self.root.head_keys
        if not (keys.content_directory_usable and root.content_directory_usable):
            return
        self.content_directories.add(keys.content_directory)
        if self._first is None:
            self._first = (folder.number, keys.content_directory)
            if folder.number == 1 and keys.content_directory != root.content_directory:
                yield say("E019", self.root.where, keys.content_directory, root.content_directory)
        elif keys.content_directory != self._first[1] and keys.content_directory != root.content_directory:
            yield say("E020", inventory.where, self._first[1], keys.content_directory)

    def _same_version(self, inventory: Inventory, past: Version, present: Version) -> Iterator[Finding]:
        if not _same_state(inventory, past, self.root, present):
            yield say("E066", inventory.where, past.name)
        for key, before, now in (
            ("created", past.created, present.created),
            ("message", past.message, present.message),
            ("user", past.user, present.user),
        ):
            if before != now:
                yield say("W011", inventory.where, f"{key} of {past.name}", kind_of(before))

    def check_first_and_last(self) -> Iterator[Finding]:
        """The root's inventory is byte for byte the newest version's (E064)."""
        if self._latest and self._latest.fingerprint != self.root.fingerprint:
            yield say("E064", self.root.where, self._latest.where)


def _same_state(past: Inventory, before: Version, present: Inventory, now: Version) -> bool:
    """Whether both inventories show the same files in a version, also across a change of algorithm."""
    if before.state is None or now.state is None or before.state == now.state:
        return True
    old, new = _by_path(before.state), _by_path(now.state)
    if old.keys() != new.keys():
        return False
    if past.head_keys.algorithm == present.head_keys.algorithm:
        return old == new
    # Digests cannot be compared, so the files they stand for are: content once stored keeps its path.
    places_old, places_new = _places(past.manifest), _places(present.manifest)
    return all(
        not places_old.keys() >= {old[path]}
        or not places_new.keys() >= {new[path]}
        or not places_old[old[path]].isdisjoint(places_new[new[path]])
        for path in old
    )


def _by_path(state: Mapping[str, list[str]]) -> dict[str, str]:
    return {path: digest.lower() for digest, paths in state.items() for path in paths}


def _places(manifest: Mapping[str, list[str]] | None) -> dict[str, set[str]]:
    return {digest.lower(): set(paths) for digest, paths in (manifest or {}).items()}

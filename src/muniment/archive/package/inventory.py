"""An object's inventory: what its versions hold, as OCFL 1.1 §3.5 writes it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muniment.archive.disk.durable import write_file
from muniment.archive.package.digest_block import DigestBlock, State
from muniment.content.identity import Agent
from muniment.content.regular import read_regular
from muniment.errors.archive import DamagedRecord, ReadFailed

TYPE = "https://ocfl.io/1.1/spec/#inventory"
NAME = "inventory.json"
DECLARATION = "0=ocfl_object_1.1"
_MANIFEST, _VERSIONS, _STATE = b',"manifest":{', b'},"versions":{"v', b',"state":{'
_NEXT, _FIXITY, _END, _END_OF_FIXITY = b'}},"v', b'}}},"fixity":{', b"}}}}\n", b"}}}\n"
_ALGORITHM, _NEXT_ALGORITHM = re.compile(rb'"([a-z0-9-]+)":\{'), re.compile(rb'\]\},"[a-z0-9-]+":\{')
PARITY_FROM = 102_400
"""Size in bytes from which a file has a parity set of its own, named by its sha256 (as OSF's archiver had it);
smaller ones share a pack."""

_LAZY_FROM = 1 << 20
"""Bytes of an inventory from which it pays not to parse it before somebody asks for all of it."""


class Version:
    """One version: when, who, why, and its logical state."""

    __slots__ = ("agent", "block", "created", "message")

    def __init__(self, created: str, state: State | DigestBlock, message: str, agent: Agent) -> None:
        self.created = created
        self.block = state if isinstance(state, DigestBlock) else DigestBlock.of(state)
        self.message = message
        self.agent = agent

    @property
    def state(self) -> State:
        """Digest to logical paths."""
        return self.block.parsed()


class Inventory:
    """All versions of one object up to `head`, and where their content lies.

    The blocks of a large one stay text until they are asked for whole.
    """

    def __init__(self, id: str, algorithm: str, head: int = 0) -> None:
        self.id = id
        self.algorithm = algorithm
        self.head = head
        self.versions: dict[int, Version] = {}
        self._manifest = DigestBlock.of({})
        self._fixity: dict[str, DigestBlock] = {}

    @classmethod
    def of(
        cls,
        head: tuple[str, str, int],
        manifest: DigestBlock,
        fixity: dict[str, DigestBlock],
        versions: dict[int, Version],
    ) -> Inventory:
        """An inventory whose id, algorithm and newest version are `head`."""
        found = cls(*head)
        found.versions, found._manifest, found._fixity = versions, manifest, fixity
        return found

    @property
    def is_text(self) -> bool:
        """Whether it is large and was not parsed, so that single questions are better asked than all answers."""
        return self._manifest.is_text

    @property
    def manifest(self) -> State:
        """Digest to content paths."""
        return self._manifest.parsed()

    @property
    def fixity(self) -> dict[str, State]:
        """Algorithm to digest to content paths."""
        return {algorithm: block.parsed() for algorithm, block in self._fixity.items()}

    @property
    def algorithms(self) -> set[str]:
        """The digests that it records."""
        return {self.algorithm, *self._fixity}

    def logical(self, version: int) -> dict[str, str]:
        """Logical path to digest in one version."""
        return {path: digest for digest, paths in self.versions[version].state.items() for path in paths}

    def digest_of(self, version: int, path: str) -> str | None:
        """The digest of one file of a version by its logical path; None where it has no such file."""
        return self.versions[version].block.digest_of(path)

    def holds(self, digest: str) -> bool:
        """Whether there is content with this digest."""
        return bool(self._manifest.paths(digest))

    def held(self) -> Container[str]:
        """The digests of all content, as of now: for who asks thousands of times."""
        return self._manifest.digests()

    def content_path(self, digest: str) -> str:
        """Where content with this digest lies, relative to the object's root.

        Raises:
            KeyError: There is no such content.
        """
        found = self._manifest.paths(digest)
        if not found:
            raise KeyError(digest)
        return found[0]

    def further_digests(self) -> FurtherDigests:
        """The digests of content beside the one that names it."""
        return FurtherDigests(self.fixity)

    def content_of(self, version: int) -> Iterator[tuple[str, dict[str, str]]]:
        """Content path and all digests of what a version brought."""
        prefix = f"v{version}/"
        further: dict[str, dict[str, str]] = {}
        for algorithm, block in self._fixity.items():
            for digest, path in block.below(prefix):
                further.setdefault(path, {})[algorithm] = digest
        for digest, path in self._manifest.below(prefix):
            yield path, {self.algorithm: digest, **further.get(path, {})}

    def digests_of(self, paths: Collection[str]) -> dict[str, dict[str, str]]:
        """Content path to all its digests, for those of `paths` that are content."""
        found: dict[str, dict[str, str]] = {}
        for algorithm, block in ((self.algorithm, self.manifest), *self.fixity.items()):
            for digest, layout in block.items():
                for path in layout:
                    if path in paths:
                        found.setdefault(path, {})[algorithm] = digest
        return found

    def add_version(self, version: Version, content: Mapping[str, Mapping[str, str]]) -> None:
        """Append `version`, whose new content is `content`: content path to its digests.

        Of content that is there already it may name digests that were not recorded until now.
        """
        self.head += 1
        self.versions[self.head] = version
        for path, digests in content.items():
            for algorithm, digest in digests.items():
                if algorithm == self.algorithm:
                    self._manifest.add(digest, (path,))
                else:
                    self._fixity.setdefault(algorithm, DigestBlock.of({})).add(digest, (path,))

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The file's content, a block at a time: of many files the whole is large.

        Compact, because the indenting encoder is many times slower.
        """
        head = {
            "id": self.id,
            "type": TYPE,
            "digestAlgorithm": self.algorithm,
            "head": f"v{self.head}",
            "contentDirectory": "content",
        }
        yield _json(head)[:-1] + _MANIFEST[:-1]
        yield from self._manifest.pieces()
        before = b',"versions":{'
        for number in sorted(self.versions):
            yield before + _json(f"v{number}") + b":" + _json(_about(self.versions[number]))[:-1] + _STATE[:-1]
            yield from self.versions[number].block.pieces()
            before = b"},"
        yield b"}}"
        before = b',"fixity":{'
        for algorithm, block in self._fixity.items():
            yield before + _json(algorithm) + b":"
            yield from block.pieces()
            before = b","
        yield b"}}\n" if self._fixity else b"}\n"

    def write(self, folder: Path) -> str:
        """Write the inventory and its sidecar into `folder`, where there is none; returns its digest.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        hasher = hashlib.new(self.algorithm, usedforsecurity=False)
        write_file(f"{folder}/{NAME}", hashed(self.pieces(), hasher))
        digest = hasher.hexdigest()
        write_file(f"{folder}/{NAME}.{self.algorithm}", sidecar_of(digest))
        return digest


def hashed(pieces: Iterable[bytes | memoryview], hasher: hashlib._Hash) -> Iterator[bytes | memoryview]:
    """The same pieces, noted by `hasher` as they go by."""
    for piece in pieces:
        hasher.update(piece)
        yield piece


class FurtherDigests:
    """The digests of content beside the one that names it, by content path.

    One dictionary for each algorithm: one for each file would take three times the memory.
    """

    def __init__(self, fixity: Mapping[str, State]) -> None:
        self._by_algorithm = {
            algorithm: {path: digest for digest, paths in block.items() for path in paths}
            for algorithm, block in fixity.items()
        }

    def of(self, path: str) -> dict[str, str]:
        """Algorithm to digest."""
        digests: dict[str, str] = {}
        self.add_to(digests, path)
        return digests

    def add_to(self, digests: dict[str, str], path: str) -> None:
        """Add those of `path` to its digests by algorithm."""
        for algorithm, found in self._by_algorithm.items():
            if path in found:
                digests[algorithm] = found[path]


def default_message(number: int, files: int) -> str:
    """Why a version was made, where nobody said: OCFL wants it named (OCFL 1.1 §3.5.3.1, W007)."""
    return f"Instance {number}: {files} files"


def _json(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _about(version: Version) -> dict[str, object]:
    user = {"name": version.agent.name, "address": version.agent.address}
    return {"created": version.created, "message": version.message, "user": user}


def sidecar(data: bytes, algorithm: str) -> bytes:
    """The sidecar's content for an inventory (OCFL 1.1 §3.7)."""
    return sidecar_of(hashlib.new(algorithm, data).hexdigest())


def sidecar_of(digest: str) -> bytes:
    """The sidecar's content for an inventory with that digest (OCFL 1.1 §3.7), to the byte."""
    return f"{digest} {NAME}\n".encode("ascii")


@dataclass(slots=True)
class InventoryFile:
    """An inventory's bytes, its digest, and all of its sidecar, whose digest is the same."""

    path: Path
    data: bytes
    digest: str
    sidecar: bytes

    def parse(self) -> Inventory:
        """The inventory; the bytes are let go of, as of many files they are large.

        Raises:
            DamagedRecord: It is not an inventory.
        """
        data, self.data = self.data, b""
        if len(data) >= _LAZY_FROM and (found := split_inventory(data)):
            return found
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedRecord(path=self.path, reason=f"it is not an inventory ({error})") from error
        del data
        return parse_inventory(text, self.path)


def read_inventory_file(folder: Path, algorithm: str) -> InventoryFile:
    """The file of the inventory in `folder`, checked against its sidecar and not parsed.

    Raises:
        FileNotFoundError: There is no inventory in `folder`.
        ReadFailed: The storage did not give it.
        DamagedRecord: It differs from its sidecar.
    """
    path = folder / NAME
    try:
        data = read_regular(path)
        recorded = read_regular(f"{path}.{algorithm}")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ReadFailed(path=error.filename or path, reason=error.strerror) from error
    digest = hashlib.new(algorithm, data).hexdigest()
    if recorded.split(maxsplit=1)[:1] != [digest.encode("ascii")]:
        raise DamagedRecord(path=path, reason="its digest is not the one in its sidecar")
    return InventoryFile(path, data, digest, recorded)


def read_inventory(folder: Path, algorithm: str) -> tuple[Inventory, str]:
    """The inventory in `folder` and its digest, checked against its sidecar.

    Raises:
        FileNotFoundError: There is no inventory in `folder`.
        ReadFailed: The storage did not give it.
        DamagedRecord: It differs from its sidecar, or is not an inventory.
    """
    file = read_inventory_file(folder, algorithm)
    return file.parse(), file.digest


def parse_inventory(text: str, path: Path) -> Inventory:
    """An inventory from its JSON; `path` is for the error's words.

    Raises:
        DamagedRecord: It is not JSON, or lacks what an inventory has.
    """
    try:
        record = json.loads(text)
        versions = {int(name[1:]): _read_version(block) for name, block in record["versions"].items()}
        fixity = {algorithm: DigestBlock.of(block) for algorithm, block in record.get("fixity", {}).items()}
        head = (record["id"], record["digestAlgorithm"], int(record["head"][1:]))
        return Inventory.of(head, DigestBlock.of(record["manifest"]), fixity, versions)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DamagedRecord(path=path, reason=f"it is not an inventory ({error})") from error


def _read_version(block: dict[str, Any], state: DigestBlock | None = None) -> Version:
    user = block.get("user", {})
    agent = Agent(user.get("name", ""), user.get("address", ""))
    return Version(block["created"], state or block["state"], block.get("message", ""), agent)


def split_inventory(data: bytes) -> Inventory | None:
    """The inventory that `Inventory.pieces` wrote as `data`, with its blocks as they lie in it; None if it is another.

    What is looked for has a quote next to a bracket, so that no string holds it (see `DigestBlock`).
    """
    try:
        begin = data.index(_MANIFEST)
        head = json.loads(data[:begin] + b"}")
        end = data.index(_VERSIONS, begin)
        manifest = DigestBlock(data, begin + len(_MANIFEST), end)
        versions: dict[int, Version] = {}
        place = end + len(_VERSIONS)
        while True:
            begin = data.index(_STATE, place)
            name, _, about = data[place:begin].partition(b'":')
            end = _end_of_state(data, begin)
            versions[int(name)] = _read_version(json.loads(about + b"}"), DigestBlock(data, begin + len(_STATE), end))
            if not data.startswith(_NEXT, end):
                break
            place = end + len(_NEXT)
        fixity = _split_fixity(data, end)
        number = int(head["head"][1:])
        if fixity is None or list(versions) != list(range(1, number + 1)) or head["contentDirectory"] != "content":
            return None
        return Inventory.of((head["id"], head["digestAlgorithm"], number), manifest, fixity, versions)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def _end_of_state(data: bytes, place: int) -> int:
    """Where the text of a version's state ends.

    Raises:
        ValueError: It does not.
    """
    while True:
        place = data.index(b"]}}", place) + 1
        if data.startswith((_NEXT, _FIXITY, _END), place):
            return place


def _split_fixity(data: bytes, place: int) -> dict[str, DigestBlock] | None:
    blocks: dict[str, DigestBlock] = {}
    if data.startswith(_END, place):
        return blocks if place + len(_END) == len(data) else None
    if not data.endswith(_END_OF_FIXITY):
        return None
    place += len(_FIXITY)
    while True:
        name = _ALGORITHM.match(data, place)
        if not name:
            return None
        following = _NEXT_ALGORITHM.search(data, name.end())
        end = following.start() + 1 if following else len(data) - len(_END_OF_FIXITY)
        blocks[name[1].decode("ascii")] = DigestBlock(data, name.end(), end)
        if not following:
            return blocks
        place = following.start() + 3

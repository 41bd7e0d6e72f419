"""The layout `instances`: a resource with its whole history in one bag (docs/format-instances.md).

```
<id>/  bagit.txt  bag-info.txt  manifest-{md5,sha256,sha512}.txt  tagmanifest-….txt
       data/resource.json
       data/instances/<instance>/instance.json
       data/instances/<instance>/<files>
```

Content lies in the bag once: with the first file that has it. MD5 is not recorded by most archives; it
is computed from the very bytes that are sent, and its manifest follows them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO, NamedTuple

from muniment.content import ALGORITHMS, Entry, Hashers
from muniment.content.times import seconds
from muniment.layouts.packages import LaidOutPackage, Version, folder_name, made_late, manifest, text
from muniment.layouts.streams import Member

FORMAT = "muniment-instances 1.0"
RESOURCE = "data/resource.json"
INSTANCES = "data/instances"
RECORD = "instance.json"
_PAYLOAD = "data/"
_MARK = "=m="
_MD5 = "md5"
_CHUNK = 1 << 20


Open = Callable[[int], BinaryIO]
"""Gives a file's bytes from an offset on."""


class Holder(NamedTuple):
    """The file whose bytes stand in the bag for all of its content."""

    instance: str
    path: str


def lay_instances(newest: Version) -> LaidOutPackage:
    """The whole resource, up to the instance `newest`, as one bag."""
    bag = _Bag(newest)
    return LaidOutPackage(folder_name(newest.id), list(bag.members()))


def place_in_bag(stored: str) -> str:
    """Where a file lies in its instance's folder; `instance.json` there is ours, so a user's is renamed.

    `stored` is its path in the instance's own bag below `data/`. The new name is one that path can never
    have by itself: a user's name with that beginning is replaced in every bag.
    """
    first, slash, rest = stored.partition("/")
    return f"{_MARK}{first}{slash}{rest}" if first.casefold() == RECORD else stored


class _Bag:
    """The bag being laid out; `sums` fills up while its files are read."""

    def __init__(self, newest: Version) -> None:
        self.newest = newest
        self.modified = seconds(newest.created)
        self.holders: dict[str, Holder] = {}
        self.payload: list[tuple[str, dict[str, str], Open | None]] = []
        self.sums: dict[str, str] = {}
        self.algorithms: tuple[str, ...] = ()

    def members(self) -> Iterator[Member]:
        size = count = 0
        for member in self._payload():
            size += member.size
            count += 1
            yield member
        tags = [
            text("bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", self.modified),
            text("bag-info.txt", self._info(size, count), self.modified),
        ]
        tags += [self._manifest(name) for name in self.algorithms]
        yield from tags
        names = [tag.name for tag in tags]
        for algorithm in self.algorithms:
            size = sum(ALGORITHMS[algorithm] + len(name) + 3 for name in names)
            make = partial(self._tag_manifest, algorithm, tags)
            yield made_late(f"tagmanifest-{algorithm}.txt", size, make, self.modified, {})

    def _payload(self) -> Iterator[Member]:
        index = []
        files: list[Member] = []
        common: set[str] | None = None
        for number in range(1, self.newest.number + 1):
            version = self.newest.earlier(number)
            index.append({"number": number, "instance": version.instance})
            for entry in version.files():
                common = set(entry.digests) if common is None else common & set(entry.digests)
                key = content_key(entry)
                if key not in self.holders:
                    self.holders[key] = Holder(version.instance, entry.path)
                    files.append(self._file(version, entry))
        known = (common or {"sha512", "sha256"}) - {_MD5}
        self.algorithms = (_MD5, *sorted(known))
        record = {
            "format": FORMAT,
            "id": self.newest.id,
            "project": self.newest.project,
            "head": self.newest.number,
            "instances": index,
        }
        yield self._text(RESOURCE, as_json(record))
        for number in range(1, self.newest.number + 1):
            yield self._record(number)
        yield from files

    def _file(self, version: Version, entry: Entry) -> Member:
        stored = place_in_bag(version.stored(entry.path).removeprefix(_PAYLOAD))
        name = f"{INSTANCES}/{folder_name(version.instance)}/{stored}"
        opened = partial(version.open, entry.path, verify=False)
        self.payload.append((name, dict(entry.digests), opened))
        size = entry.size or 0
        modified = seconds(entry.modified) if entry.modified else seconds(version.created)
        if _MD5 in entry.digests:
            self.sums[name] = entry.digests[_MD5]
            return Member(name, size, opened, entry.digests, modified)
        return Member(name, size, partial(self._summing, name, opened, size), entry.digests, modified)

    def _summing(self, name: str, opened: Open, size: int, offset: int) -> BinaryIO:
        raw = opened(offset)
        if offset or name in self.sums:
            return raw
        return io.BufferedReader(_Summing(raw, size, partial(self.sums.__setitem__, name)), _CHUNK)

    def _record(self, number: int) -> Member:
        version = self.newest.earlier(number)
        name = f"{INSTANCES}/{folder_name(version.instance)}/{RECORD}"
        data = instance_record(version, self.holders)
        digests = self._note(name, data)
        # Made again when its turn comes: a hundred thousand files in each of many instances fill much memory.
        return made_late(name, len(data), partial(self._make_record, number), seconds(version.created), digests)

    def _make_record(self, number: int) -> bytes:
        return instance_record(self.newest.earlier(number), self.holders)

    def _text(self, name: str, data: bytes) -> Member:
        self._note(name, data)
        return text(name, data, self.modified)

    def _note(self, name: str, data: bytes) -> dict[str, str]:
        hashers = Hashers((_MD5, *self.algorithms))
        hashers.update(data)
        digests = hashers.values()
        self.sums[name] = digests.pop(_MD5)
        self.payload.append((name, digests, None))
        return digests

    def _manifest(self, algorithm: str) -> Member:
        name = f"manifest-{algorithm}.txt"
        if algorithm == _MD5:
            size = sum(ALGORITHMS[_MD5] + len(path.encode()) + 3 for path, _, _ in self.payload)
            return made_late(name, size, self._md5_manifest, self.modified, {})
        self.payload.sort(key=_by_name)
        lines = ((digests[algorithm], path) for path, digests, _ in self.payload)
        return text(name, manifest(lines), self.modified)

    def _md5_manifest(self) -> bytes:
        """The manifest, after reading whatever was not read on the way (a download that was taken up again)."""
        for path, _, opened in sorted(self.payload, key=_by_name):
            if path not in self.sums and opened is not None:
                hashers = Hashers([_MD5])
                with opened(0) as file:
                    while chunk := file.read(_CHUNK):
                        hashers.update(chunk)
                self.sums[path] = hashers.values()[_MD5]
        return manifest((self.sums[path], path) for path, _, _ in sorted(self.payload, key=_by_name))

    def _tag_manifest(self, algorithm: str, tags: list[Member]) -> bytes:
        lines = []
        for tag in sorted(tags, key=lambda tag: tag.name):
            hashers = Hashers([algorithm])
            with tag.open(0) as file:
                hashers.update(file.read())
            lines.append((hashers.values()[algorithm], tag.name))
        return manifest(lines)

    def _info(self, size: int, count: int) -> bytes:
        lines = (
            ("Bag-Software-Agent", "Muniment"),
            ("Bagging-Date", self.newest.created[:10]),
            ("External-Identifier", self.newest.id),
            ("Payload-Oxum", f"{size}.{count}"),
            ("Muniment-Project", self.newest.project),
            ("Muniment-Layout", FORMAT),
        )
        return "".join(f"{label}: {value}\n" for label, value in lines).encode()


def _by_name(given: tuple[str, dict[str, str], Open | None]) -> str:
    return given[0]


def content_key(entry: Entry) -> str:
    """What tells that two files have one content: their strongest digest."""
    name = next(name for name in ("sha512", "sha256", "sha1", _MD5) if name in entry.digests)
    return f"{name}:{entry.digests[name]}"


def instance_record(version: Version, holders: Mapping[str, Holder]) -> bytes:
    """The content of an `instance.json`; `holders` says where each content lies."""
    record = version.record
    whole: dict[str, object] = {
        "format": FORMAT,
        "id": version.id,
        "project": version.project,
        "instance": version.instance,
        "number": version.number,
        "created": version.created,
        "agent": dict(version.agent),
        # What was said, nothing included: the message made up in its stead is made up again.
        "message": record.get("message", version.message),
        "metadata": record.get("metadata", {}),
        "provenance": record.get("provenance", []),
        "links": record.get("links", {}),
        "folders": record.get("folders", []),
        **({"left_out": record["left_out"]} if record.get("left_out") else {}),
        "files": [_file_record(version, entry, holders) for entry in version.files()],
    }
    return as_json(whole)


def _file_record(version: Version, entry: Entry, holders: Mapping[str, Holder]) -> dict[str, object]:
    line: dict[str, object] = {"path": entry.path, "size": entry.size, "digests": dict(entry.digests)}
    if entry.modified:
        line["modified"] = entry.modified
    holder = holders[content_key(entry)]
    if holder != (version.instance, entry.path):
        line["ref"] = holder._asdict()
        return line
    stored = place_in_bag(version.stored(entry.path).removeprefix(_PAYLOAD))
    if stored != entry.path:
        line["stored"] = stored
    return line


def as_json(record: Mapping[str, object]) -> bytes:
    """JSON as a person can read it, and always the same for the same record."""
    return (json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


class _Summing(io.RawIOBase):
    """A file that tells its MD5 when it has been read to its end."""

    def __init__(self, raw: BinaryIO, size: int, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._raw = raw
        self._left = size
        self._tell = tell
        self._hashers = Hashers([_MD5])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = int(self._raw.readinto(buffer))  # type: ignore[attr-defined] # a FileIO
        self._hashers.update(memoryview(buffer)[:count])
        self._left -= count
        if self._left <= 0:
            self._tell(self._hashers.values()[_MD5])
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()

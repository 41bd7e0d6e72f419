"""The bag that each version's logical state is: its tag files, under Muniment's profile.

BagIt 1.0 (RFC 8493). The payload is the user's files at `data/<path>`; `metadata/instance.json` and
`metadata/files.jsonl` are tag files of ours that say what BagIt has no place for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import resources
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from muniment.archive.package.digest_block import DigestBlock
from muniment.archive.package.names import PAYLOAD, stored_path
from muniment.archive.package.packed_entries import PackedEntries
from muniment.content import Entry, Hashers
from muniment.content.checks import Format

PROFILE_URI = "https://muniment.example/profiles/instance-1.0.json"
"""The identifier of the profile; the file itself is in every archive's root, and is not fetched."""

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
BAG_INFO = "bag-info.txt"
INSTANCE = "metadata/instance.json"
FILES = "metadata/files.jsonl"
FORMATS = "metadata/formats.jsonl"
"""Only where formats were identified: a line for each file, {"path": …, "formats": [{"puid": …}]}."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring
_OXUM = "Payload-Oxum"
_NONE: Mapping[str, bytes] = MappingProxyType({})
_AT_ONCE = 1000
_UNKNOWN: Mapping[str, str] = MappingProxyType({})


def profile() -> bytes:
    """The BagIt profile every instance follows (BagIt Profiles 1.4)."""
    return resources.files("muniment.archive").joinpath("profile.json").read_bytes()


class TagFile(NamedTuple):
    """A tag file's bytes and their digests."""

    data: bytes | bytearray
    digests: dict[str, str]


def tag_files(
    entries: PackedEntries,
    record: Mapping[str, object],
    algorithms: Iterable[str],
    date: str,
    further: Mapping[str, bytes] = _NONE,
) -> Iterator[tuple[str, TagFile]]:
    """Every tag file of a bag with its path, one made after the other: of many files each is large.

    `entries` is the payload by user's path, `record` what goes into `metadata/instance.json`,
    `date` the bagging date (YYYY-MM-DD). Manifests are written for each of `algorithms`. `further` are tag
    files that not every bag has.
    """
    names = tuple(algorithms)
    odd = {path: stored for path in entries if (stored := stored_path(path)) != PAYLOAD + path}
    total = sum(size or 0 for size in entries.sizes())
    made: dict[str, Callable[[], bytes | bytearray]] = {
        "bagit.txt": lambda: DECLARATION,
        BAG_INFO: lambda: _bag_info(record, total, len(entries), date),
        INSTANCE: lambda: (json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8"),
        FILES: lambda: _joined(_file_lines(entries, odd)),
        **{path: partial(bytes, data) for path, data in further.items()},
        **{f"manifest-{name}.txt": partial(_manifest, entries, odd, name) for name in names},
    }
    digests: dict[str, dict[str, str]] = {}
    for path, make in made.items():
        data = make()
        digests[path] = _digests(data, names)
        yield path, TagFile(data, digests[path])
        del data
    for algorithm in names:
        data = "".join(f"{digests[path][algorithm]}  {path}\n" for path in sorted(digests)).encode("utf-8")
        yield f"tagmanifest-{algorithm}.txt", TagFile(data, _digests(data, names))


def payload_state(entries: PackedEntries, algorithm: str) -> DigestBlock:
    """The payload's part of a version's state: the stored paths of `entries` by their digests."""
    text = bytearray()
    seen: set[int] = set()
    shared: set[int] = set()
    for _, digest in entries.digests(algorithm):
        # Its hash tells well enough which may have several paths; only these are gathered.
        short = hash(digest)
        (shared if short in seen else seen).add(short)
    gathered: dict[str, list[str]] = {}
    for path, digest in entries.digests(algorithm):
        if shared and hash(digest) in shared:
            gathered.setdefault(digest, []).append(stored_path(path))
        else:
            text += f'"{digest}":[{_quoted(stored_path(path))}],'.encode()
    for digest, paths in gathered.items():
        text += f'"{digest}":{_encode(paths)},'.encode()
    del text[-1:]
    return DigestBlock(text)


def _manifest(entries: PackedEntries, odd: Mapping[str, str], algorithm: str) -> bytearray:
    return _joined(f"{digest}  {odd.get(path) or PAYLOAD + path}\n" for path, digest in entries.digests(algorithm))


def _joined(lines: Iterator[str]) -> bytearray:
    """All lines; of 100,000 the strings take three times the memory, so they are never there at once."""
    text = bytearray()
    while several := "".join(islice(lines, _AT_ONCE)):
        text += several.encode("utf-8")
    return text


def _digests(data: bytes | bytearray, algorithms: Iterable[str]) -> dict[str, str]:
    hashers = Hashers(algorithms)
    hashers.update(data)
    return hashers.values()


def _bag_info(record: Mapping[str, object], size: int, count: int, date: str) -> bytes:
    lines = (
        ("BagIt-Profile-Identifier", PROFILE_URI),
        ("Bag-Software-Agent", "Muniment"),
        ("Bagging-Date", date),
        ("External-Identifier", record["id"]),
        (_OXUM, f"{size}.{count}"),
        ("Muniment-Project", record["project"]),
        ("Muniment-Instance", str(record["number"])),
        ("Muniment-Instance-Identifier", record["instance"]),
    )
    return "".join(f"{label}: {value}\n" for label, value in lines).encode("utf-8")


def payload_oxum(bag_info: bytes) -> tuple[int, int]:
    """How many bytes and files the payload has, as `bag-info.txt` says.

    Raises:
        ValueError: It does not say.
    """
    for line in bag_info.decode("utf-8").splitlines():
        if line.startswith(f"{_OXUM}: "):
            size, _, count = line.removeprefix(f"{_OXUM}: ").partition(".")
            return int(size), int(count)
    raise ValueError(_OXUM)


def _file_lines(entries: PackedEntries, odd: Mapping[str, str]) -> Iterator[str]:
    return (_file_line(path, size, modified, odd.get(path)) for path, size, modified in entries.described())


def _file_line(path: str, size: int | None, modified: str | None, stored: str | None) -> str:
    # As `_encode` would write it; put together by hand it takes a fifth of the time, and there may be 100,000.
    line = f'{{"path":{_quoted(path)},"size":{"null" if size is None else size}'
    if modified:
        line += f',"modified":{_quoted(modified)}'
    if stored is not None:
        line += f',"stored":{_quoted(stored)}'
    return line + "}\n"


def read_files(lines: Iterable[bytes]) -> Iterable[tuple[str, Entry]]:
    """Stored path and entry of each line of `metadata/files.jsonl`; the digests are elsewhere.

    Raises:
        ValueError, KeyError, TypeError: A line is not one this module wrote.
    """
    for record in _records(lines):
        path = record["path"]
        # Paths were checked when they came in; checking 100,000 again would cost more than reading them.
        entry = Entry(path, record["size"], _UNKNOWN, record.get("modified"))
        yield record.get("stored", f"data/{path}"), entry


def _records(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The object in each line. Many lines are read as one list: a call for each takes twice as long.

    Raises:
        ValueError: A line is not one object.
    """
    left = iter(lines)
    while several := list(islice(left, _AT_ONCE)):
        try:
            found = json.loads(b"[" + b",".join(several) + b"]")
        except ValueError:
            found = []
        if len(found) != len(several):
            found = [json.loads(line) for line in several]  # and so the line that is wrong is told of alone
        yield from found


def format_lines(formats: Mapping[str, Sequence[Format]]) -> dict[str, bytes]:
    """The tag file that says what formats the files of an instance have, by its path."""
    lines = (
        _encode({"path": path, "formats": [each.as_json() for each in found]}) + "\n"
        for path, found in sorted(formats.items())
    )
    return {FORMATS: "".join(lines).encode("utf-8")}


def read_formats(lines: Iterable[bytes]) -> Iterable[tuple[str, tuple[Format, ...]]]:
    """Path and formats of each line of `metadata/formats.jsonl`.

    Raises:
        ValueError, KeyError, TypeError: A line is not one this module wrote.
    """
    known: dict[str, Format] = {}
    for record in _records(lines):
        # Of many files most have one of few formats.
        found = (known.setdefault(_encode(each), Format(**each)) for each in record["formats"])
        yield record["path"], tuple(found)

"""Selections: how a Nexus payload becomes entries, and how entries get their names in the archive.

Nexus calls a selection an "archive". The rules are those of its API page, with these decisions: a path may
begin with '/', which is dropped in the archive; a path's last segment has at most 99 characters (counted
in UTF-16, as the original does), longer default names are written all the same; a default name that is
taken gets '-2', '-3' … before its extension, and a given path is never changed.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from sys import intern
from urllib.parse import quote

from muniment.content import LogicalPath
from muniment.content.paths import LONGEST_SEGMENT
from muniment.errors.content import UnsafePath
from muniment.errors.delivery import (
    BadProjectReference,
    BadTag,
    BothRevAndTag,
    BothSourceAndFormat,
    EmptySelection,
    FilenameTooLong,
    PathBelowFile,
    PathRefused,
    PathsRepeated,
    PathTooLong,
    TooManyEntries,
    UnexpectedArchiveId,
    UnknownEntryType,
    UnknownFormat,
    WrongFieldType,
)

VOCABULARY = "https://bluebrain.github.io/nexus/vocabulary/"
MAX_FILENAME = 99
MAX_LONG = 2**63 - 1
_SHOWN = 500
"""Characters of a refused path that its error repeats."""

_PROJECT = re.compile(r"[a-zA-Z0-9_-]{1,64}/[a-zA-Z0-9_-]{1,64}")
_TAG = re.compile(r"[\x20-\x7e]{1,64}")

Iri = Callable[[str], str]
"""Makes an absolute IRI of one in the payload, or raises `InvalidJsonLd`."""
FileAt = Callable[[str], tuple[str, str]]
"""Project and IRI of the file at an address, or raises `InvalidFileAddress`."""


class Format(Enum):
    """A form in which a resource can be written; the value is its name in payloads."""

    SOURCE = "source"
    ANNOTATED_SOURCE = "annotated-source"
    COMPACTED = "compacted"
    EXPANDED = "expanded"
    N_TRIPLES = "n-triples"
    N_QUADS = "n-quads"
    DOT = "dot"

    @property
    def extension(self) -> str:
        """The end of a file's name, with its dot."""
        return {Format.N_TRIPLES: ".nt", Format.N_QUADS: ".nq", Format.DOT: ".dot"}.get(self, ".json")


class NameLayout(Enum):
    """Which default names are given: those of the API page, or those of Delta 1.5 to 1.7."""

    SEED = "seed"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class SelectionEntry:
    """One thing to put into the archive, as it was asked for; what was not said is None."""

    kind: str
    resource_id: str
    project: str | None = None
    path: str | None = None
    rev: int | None = None
    tag: str | None = None
    format: Format | None = None
    address: str | None = None
    """Where the entry of a file was given by its address: that."""

    @property
    def name(self) -> str | None:
        """The given path as it stands in the archive: without a leading '/'."""
        return None if self.path is None else self.path.removeprefix("/")

    @property
    def is_file(self) -> bool:
        """Whether the bytes of a file are wanted, and not the description of a resource."""
        return self.kind == "File"

    def echo(self) -> dict[str, object]:
        """The entry as it is shown to clients: what was said, in Nexus' words."""
        if self.address is not None:
            return {"@type": "FileSelf", "value": self.address, **({"path": self.path} if self.path else {})}
        said = {
            "@type": self.kind,
            "resourceId": self.resource_id,
            "project": self.project,
            "path": self.path,
            "rev": self.rev,
            "tag": self.tag,
            "format": self.format.value if self.format else None,
        }
        return {key: value for key, value in said.items() if value is not None}


def decode_selection(
    payload: object, *, project: str, iri: Iri, limit: int | None = None, file_at: FileAt | None = None
) -> list[SelectionEntry]:
    """Read the payload of an archive. Entries that ask for the same thing twice collapse into one.

    Args:
        payload: The JSON as it was parsed.
        project: The archive's own project, which entries mean that name none.
        iri: Resolves the ids of the payload; see `muniment.content.jsonld`.
        limit: The most entries allowed; None for any number.
        file_at: Reads the address of a file; without it none is taken.

    Raises:
        DecodingFailed: The payload breaks a rule; each rule has a class of its own.
        InvalidJsonLd: An id is not an IRI.
    """
    given = payload.get("resources") if isinstance(payload, Mapping) else None
    if given is not None and not isinstance(given, list):
        raise WrongFieldType(wanted="Array", where="resources")
    if not given:
        raise EmptySelection
    refuse_too_many(payload, limit)
    entries: list[SelectionEntry] = []
    # By what most entries have in common: a key of its own for each would be as large as the entry.
    asked: defaultdict[tuple[object, ...], set[object]] = defaultdict(set)
    for number, item in enumerate(given):
        entry = _decode_entry(item, f"resources[{number}]", iri, file_at)
        alike = asked[entry.kind, entry.project or project, entry.rev, entry.tag, entry.format]
        own = entry.resource_id if entry.name is None else (entry.resource_id, entry.name)
        if own not in alike:
            alike.add(own)
            entries.append(entry)
    _refuse_colliding_paths(entries)
    return entries


def ids_of(payload: object) -> Iterator[str]:
    """The ids a payload names, its own and those of its entries, as they are written there; the rest is not judged."""
    if not isinstance(payload, Mapping):
        return
    if isinstance(payload.get("@id"), str):
        yield payload["@id"]
    entries = payload.get("resources")
    for item in entries if isinstance(entries, list) else ():
        if isinstance(item, Mapping) and isinstance(item.get("resourceId"), str):
            yield item["resourceId"]


def refuse_too_many(payload: object, limit: int | None) -> None:
    """Refuse a payload of more entries than are allowed, before anything is made of them.

    Raises:
        TooManyEntries: There are.
    """
    given = payload.get("resources") if isinstance(payload, Mapping) else None
    if limit is not None and isinstance(given, list) and len(given) > limit:
        raise TooManyEntries(count=len(given), limit=limit)


def archive_id(payload: object, requested: str | None, iri: Iri) -> str | None:
    """The id the archive shall have: that of the address, or of the payload; None to make one.

    Raises:
        UnexpectedArchiveId: Both name one, and they differ.
        WrongFieldType: The payload's `@id` is not text.
        InvalidJsonLd: The payload's `@id` is not an IRI.
    """
    given = payload.get("@id") if isinstance(payload, Mapping) else None
    if given is None:
        return requested
    if not isinstance(given, str):
        raise WrongFieldType(wanted="Iri", where="@id")
    found = iri(given)
    if requested is not None and requested != found:
        raise UnexpectedArchiveId(id=requested, found=found)
    return found


def encode_id(iri: str) -> str:
    """An IRI as one segment of a name: all but `A-Z a-z 0-9 * - . _` percent-encoded in upper case."""
    return quote(iri, safe="*-._").replace("~", "%7E")


def default_name(entry: SelectionEntry, project: str, filename: str, layout: NameLayout = NameLayout.SEED) -> str:
    """The name of an entry that was given no path.

    Args:
        entry: What was asked for.
        project: The entry's project, as 'organisation/project'.
        filename: For a file, the name it was uploaded under; else not looked at.
        layout: Whose names to give.

    Raises:
        FilenameTooLong: The file's name has over 99 characters, in the `delta` layout only.
    """
    delta = layout is NameLayout.DELTA
    if entry.is_file:
        if delta and _utf16_length(filename) > MAX_FILENAME:
            raise FilenameTooLong(id=entry.resource_id, project=project)
        return f"{project}/file/{safe_filename(filename)}" if delta else f"{project}/{safe_filename(filename)}"
    form = entry.format or Format.COMPACTED
    if not delta:
        return f"{project}/{encode_id(entry.resource_id)}{form.extension}"
    version = f"?rev={entry.rev}" if entry.rev is not None else f"?tag={entry.tag}" if entry.tag is not None else ""
    return f"{project}/{form.value}/{encode_id(entry.resource_id + version)}{form.extension}"


def safe_filename(filename: str) -> str:
    """A file's name as one segment that cannot climb: slashes of either kind and control characters become '_'."""
    text = re.sub(r"[/\\\x00-\x1f\x7f\ud800-\udfff]", "_", filename)
    return "_" if text in {"", ".", ".."} else text


class Names:
    """The names given so far in one archive; hands out free ones and remembers which it had to change."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Take the given paths, which are never changed."""
        # Of the given paths no folders are made: of deep ones they would take a thousand times the memory.
        self._given = sorted(paths)
        self._files: set[str] = set(self._given)
        self._folders: set[str] = set()
        self._numbers: dict[str, int] = {}
        self.changed: list[tuple[str, str]] = []

    def place(self, wanted: str) -> str:
        """A name that is free and can be unpacked: `wanted`, or that with a number or a long segment shortened.

        Changes are listed in `changed`.
        """
        segments = [_shortened(segment) for segment in wanted.split("/")]
        at = ""
        for position, segment in enumerate(segments):
            at = self._free(at, segment, last=position == len(segments) - 1)
        self._take(at)
        if at != wanted:
            self.changed.append((wanted, at))
        return at

    def _free(self, folder: str, segment: str, *, last: bool) -> str:
        plain = candidate = f"{folder}/{segment}" if folder else segment
        # The count goes on where it stopped, else a thousand files of one name would cost a million looks.
        number = self._numbers.get(plain, 1)
        while candidate in self._files or (last and self._is_folder(candidate)):
            number += 1
            stem, dot, extension = segment.rpartition(".")
            numbered = f"{stem}-{number}{dot}{extension}" if last and stem else f"{segment}-{number}"
            candidate = f"{folder}/{numbered}" if folder else numbered
        if last:
            self._numbers[plain] = number
        return candidate

    def _is_folder(self, name: str) -> bool:
        if name in self._folders:
            return True
        below = f"{name}/"
        after = bisect_left(self._given, below)
        return after < len(self._given) and self._given[after].startswith(below)

    def _take(self, name: str) -> None:
        self._files.add(name)
        self._folders.update(LogicalPath(name).parents())


def _shortened(segment: str) -> str:
    """A name no file system refuses: of one too long the beginning, a digest of the whole, and its extension."""
    raw = segment.encode("utf-8", "surrogatepass")
    room = LONGEST_SEGMENT - _FOR_A_NUMBER
    if len(raw) <= room:
        return segment
    stem, dot, extension = segment.rpartition(".")
    ending = f"{dot}{extension}" if stem and len(extension) <= _LONGEST_EXTENSION and extension.isascii() else ""
    tail = f"-{hashlib.sha256(raw).hexdigest()[:16]}{ending}"
    return raw[: room - len(tail)].decode("utf-8", "ignore") + tail


_FOR_A_NUMBER = 8
"""Bytes left free for the number a name gets that is taken."""
_LONGEST_EXTENSION = 16


@dataclass(frozen=True, slots=True)
class NamedEntry:
    """An entry with its name in the archive; `wanted` is another one if that was taken."""

    entry: SelectionEntry
    name: str
    wanted: str


def name_entries(
    found: Sequence[tuple[SelectionEntry, str]], project: str, layout: NameLayout = NameLayout.SEED
) -> list[NamedEntry]:
    """Name all entries of a selection, in their order; equal input gives equal names.

    Args:
        found: The entries, each with the name its file was uploaded under ('' for a resource).
        project: The archive's project, which entries mean that name none.
        layout: Whose default names to give.

    Raises:
        FilenameTooLong: See `default_name`.
    """
    names = Names(entry.name for entry, _ in found if entry.name is not None)
    named = []
    for entry, filename in found:
        wanted = entry.name or default_name(entry, entry.project or project, filename, layout)
        named.append(NamedEntry(entry, wanted if entry.name else names.place(wanted), wanted))
    return named


def _decode_entry(item: object, where: str, iri: Iri, file_at: FileAt | None) -> SelectionEntry:
    if not isinstance(item, Mapping):
        raise WrongFieldType(wanted="ReferenceInput", where=where)
    kind = _kind(item.get("@type"))
    if kind == "FileSelf" and file_at is not None:
        return _decode_address(item, where, file_at)
    if kind not in {"Resource", "File"}:
        raise UnknownEntryType
    resource_id = _text(item, "resourceId", where)
    if resource_id is None:
        raise WrongFieldType(wanted="Iri", where=f"{where}.resourceId")
    rev, tag = _rev(item.get("rev"), where), _text(item, "tag", where)
    if rev is not None and tag is not None:
        raise BothRevAndTag(kind=kind.lower())
    if tag is not None and not _TAG.fullmatch(tag):
        raise BadTag(value=tag)
    form = _format(item, where) if kind == "Resource" else None
    path = _text(item, "path", where)
    if path is not None:
        _refuse_path(path)
    return SelectionEntry(intern(kind), iri(resource_id), _project(_text(item, "project", where)), path, rev, tag, form)


def _decode_address(item: Mapping[str, object], where: str, file_at: FileAt) -> SelectionEntry:
    """A file by its address: `value` is the `_self` it is shown with."""
    address = _text(item, "value", where)
    if address is None:
        raise WrongFieldType(wanted="String", where=f"{where}.value")
    path = _text(item, "path", where)
    if path is not None:
        _refuse_path(path)
    project, resource_id = file_at(address)
    return SelectionEntry("File", resource_id, project, path, address=address)


def _kind(value: object) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.removeprefix(VOCABULARY) if isinstance(value, str) else ""


def _text(item: Mapping[str, object], key: str, where: str) -> str | None:
    value = item.get(key)
    if value is not None and not isinstance(value, str):
        raise WrongFieldType(wanted="String", where=f"{where}.{key}")
    return value


def _rev(value: object, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_LONG:
        raise WrongFieldType(wanted="Long", where=f"{where}.rev")
    return value


def _project(value: str | None) -> str | None:
    if value is None:
        return None
    text = value.removeprefix("/")
    if not _PROJECT.fullmatch(text):
        raise BadProjectReference(value=value)
    return intern(text)


def _format(item: Mapping[str, object], where: str) -> Format | None:
    source, form = item.get("originalSource"), _text(item, "format", where)
    source = {"true": True, "false": False}.get(source, source) if isinstance(source, str) else source
    if source is not None and not isinstance(source, bool):
        raise WrongFieldType(wanted="Boolean", where=f"{where}.originalSource")
    if source is not None and form is not None:
        raise BothSourceAndFormat
    if source is not None:
        return Format.SOURCE if source else Format.COMPACTED
    if form is None:
        return None
    try:
        return Format(form)
    except ValueError:
        raise UnknownFormat(value=form, known=", ".join(known.value for known in Format)) from None


def _refuse_path(path: str) -> None:
    if re.search(r"[\ud800-\udfff]", path):
        # JSON can carry half of a character, as "\\ud800"; no file system and no archive can.
        raise PathRefused(path=ascii(path), reason="it holds half a character")
    try:
        parsed = LogicalPath.parse(path.removeprefix("/"))
        if _utf16_length(parsed.name) <= MAX_FILENAME:  # what is longer than that has an error of its own
            parsed.refuse_too_long()
    except UnsafePath as refusal:
        raise PathRefused(path=path[:_SHOWN], reason=refusal.details["reason"]) from None
    if "\\" in parsed:
        # Unpacked on Windows it would be a separator, and the file would lie elsewhere than here.
        raise PathRefused(path=path[:_SHOWN], reason="it holds a backslash")
    if _utf16_length(parsed.name) > MAX_FILENAME:
        raise PathTooLong(path=path[:_SHOWN])


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _refuse_colliding_paths(entries: Sequence[SelectionEntry]) -> None:
    shown = {entry.name: entry.path for entry in reversed(entries) if entry.name is not None}
    uses = Counter(entry.name for entry in entries if entry.name is not None)
    repeated = [str(shown[name]) for name, count in uses.items() if count > 1]
    if repeated:
        raise PathsRepeated(paths=", ".join(repeated))
    # With the lowest character between the segments, what lies below a file follows it at once.
    above: str | None = None
    for name in sorted(shown, key=lambda each: each.replace("/", "\0")):
        if above is not None and name.startswith(f"{above}/"):
            raise PathBelowFile(path=shown[name], parent=shown[above])
        above = name

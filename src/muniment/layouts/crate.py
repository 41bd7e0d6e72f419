"""The layout `ro-crate`: one instance as an RO-Crate 1.2 in the payload of its bag, described by what is known of it.

The bag is the instance's own with one file more, `data/ro-crate-metadata.json`, so that it is read back as the same
instance; `Muniment-Layout` in its bag-info.txt says that this file was made for the way. A resource that holds a
file of that name is a crate already and goes out as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from muniment.content import Entry, Hashers
from muniment.content.times import seconds
from muniment.errors.base import BadInput
from muniment.layouts.bag import PAYLOAD, lay_bag
from muniment.layouts.packages import LaidOutPackage, Version, manifest, text
from muniment.layouts.streams import Member

FORMAT = "muniment-ro-crate 1.0"
LABEL = "Muniment-Layout"
CRATE = "ro-crate-metadata.json"
DOCUMENT = f"{PAYLOAD}/{CRATE}"

_INFO = "bag-info.txt"
_MANIFEST = re.compile(r"(tag)?manifest-([a-z0-9]+)\.txt", re.ASCII)
_OXUM = re.compile(r"^Payload-Oxum: (\d+)\.(\d+)$", re.MULTILINE)
_SPECIFICATION = "https://w3id.org/ro/crate/1.2"
_KEPT_IN_IDS = "/!$&'()*+,;=:@~-._"
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T[0-9:.+Z-]+)?)?)?", re.ASCII)
_WORDS = {
    "name": ("title", "name"),
    "description": ("description", "abstract"),
    "creator": ("creator", "creators", "author", "authors", "contributors"),
    "date": ("date", "datePublished", "issued", "published"),
    "license": ("license", "licence", "rights"),
    "keywords": ("keywords", "subjects", "tags"),
}
"""What a crate says of its root, and the words under which people put it into a resource's metadata."""

Entity = dict[str, object]


def lay_crate(instance: Version) -> LaidOutPackage:
    """One instance as a crate in a bag.

    Raises:
        BadInput: A folder of the resource has the name of the crate's document.
    """
    laid = lay_bag(instance)
    names = {member.name for member in laid.members}
    if DOCUMENT in names:
        return laid
    if any(name.startswith(f"{DOCUMENT}/") for name in names):
        raise BadInput(reason=f"{instance.id} has a folder {CRATE!r}, where a crate has its description: use 'bag'")
    bag = _Bag(laid.members, seconds(instance.created))
    document = text(DOCUMENT, describe(instance), bag.modified)
    bag.add(document)
    return LaidOutPackage(laid.name, bag.members())


class _Bag:
    """A bag's members, and those tag files that another file in the payload changes."""

    def __init__(self, given: Sequence[Member], modified: int) -> None:
        self.given, self.modified = given, modified
        self._changed: dict[str, bytes] = {}
        self._tags = {member.name: member for member in self.given if "/" not in member.name}
        self._further: list[Member] = []

    def add(self, member: Member) -> None:
        """List a further payload file in bag-info.txt and in every manifest."""
        self._further.append(member)
        info = _OXUM.sub(lambda found: _oxum(found, member.size), self._read(_INFO).decode())
        self._changed[_INFO] = f"{info}{LABEL}: {FORMAT}\n".encode()
        for tags, algorithm, name in self._manifests():
            if not tags:
                self._changed[name] = self._read(name) + manifest([(_digest(member, algorithm), member.name)])
        for tags, algorithm, name in self._manifests():
            if tags:
                self._changed[name] = self._listed_anew(name, algorithm)

    def members(self) -> list[Member]:
        """Everything, the changed tag files in the place of the given ones."""
        kept = [member for member in self.given if member.name not in self._changed]
        return [*kept, *self._further, *(text(name, data, self.modified) for name, data in self._changed.items())]

    def _manifests(self) -> Iterator[tuple[bool, str, str]]:
        for name in sorted(self._tags):
            if found := _MANIFEST.fullmatch(name):
                yield bool(found[1]), found[2], name

    def _read(self, name: str) -> bytes:
        with self._tags[name].open(0) as file:
            return file.read()

    def _listed_anew(self, name: str, algorithm: str) -> bytes:
        lines = []
        for line in self._read(name).decode().splitlines():
            digest, _, tag = line.partition("  ")
            if tag in self._changed:
                hashers = Hashers([algorithm])
                hashers.update(self._changed[tag])
                digest = hashers.values()[algorithm]
            lines.append((digest, tag))
        return manifest(lines)


def _oxum(found: re.Match[str], size: int) -> str:
    return f"Payload-Oxum: {int(found[1]) + size}.{int(found[2]) + 1}"


def _digest(member: Member, algorithm: str) -> str:
    hashers = Hashers([algorithm])
    with member.open(0) as file:
        hashers.update(file.read())
    return hashers.values()[algorithm]


def describe(instance: Version) -> bytes:
    """The crate's document: the root as RO-Crate 1.2 asks for it, and every file with its size and SHA-256."""
    metadata = instance.record.get("metadata")
    said = _Said(metadata if isinstance(metadata, Mapping) else {})
    files = [_file(instance, entry) for entry in instance.files()]
    people, license_, further = said.people(), said.license(), said.further
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": said.text("name") or instance.id,
        "description": said.text("description") or instance.message,
        "datePublished": said.date() or instance.created,
        "license": license_,
        "identifier": {"@id": "#identifier"},
        "version": str(instance.number),
        "dateModified": instance.created,
        "hasPart": [{"@id": file["@id"]} for file in files],
    }
    root |= {"author": people} if people else {}
    root |= {"keywords": keywords} if (keywords := said.texts("keywords")) else {}
    number: Entity = {"@id": "#identifier", "@type": "PropertyValue", "name": instance.project, "value": instance.id}
    descriptor: Entity = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": _SPECIFICATION},
    }
    graph = [descriptor, root, number, *further, *files]
    document = {"@context": f"{_SPECIFICATION}/context", "@graph": graph}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


class _Said:
    """What a resource's metadata says, in whatever of the usual forms."""

    def __init__(self, metadata: Mapping[str, object]) -> None:
        self._metadata = metadata
        self.further: list[Entity] = []
        """Entities that the root refers to."""

    def texts(self, word: str) -> list[str]:
        return [text for each in self._values(word) if (text := _name(each))]

    def text(self, word: str) -> str:
        return next(iter(self.texts(word)), "")

    def date(self) -> str:
        return next((each for each in self.texts("date") if _DATE.fullmatch(each)), "")

    def people(self) -> list[Entity]:
        found: list[Entity] = []
        for number, each in enumerate(self._values("creator"), 1):
            if not (name := _name(each)):
                continue
            address = _address(each)
            person: Entity = {"@id": address or f"#person-{number}", "@type": "Person", "name": name}
            if {"@id": person["@id"]} not in found:
                self.further.append(person)
                found.append({"@id": person["@id"]})
        return found

    def license(self) -> object:
        """A reference where an address is given, else the text itself (RO-Crate 1.2 takes both)."""
        for each in self._values("license"):
            name, address = _name(each), _address(each)
            if address:
                self.further.append({"@id": address, "@type": "CreativeWork", "name": name or address})
                return {"@id": address}
            if name:
                return name
        return "No licence is stated."

    def _values(self, word: str) -> list[object]:
        for key in _WORDS[word]:
            value = self._metadata.get(key)
            if value not in (None, "", [], {}):
                return value if isinstance(value, list) else [value]
        return []


def _name(value: object) -> str:
    """A text, or the name of an object that has one."""
    if isinstance(value, Mapping):
        named = (value.get(key) for key in ("name", "fullname", "full_name", "title", "value", "@value"))
        value = next((each for each in named if isinstance(each, str) and each), "")
    return value.strip() if isinstance(value, str) else ""


def _address(value: object) -> str:
    """The http(s) address that stands for somebody or something, '' without one."""
    given = [value] if isinstance(value, str) else []
    if isinstance(value, Mapping):
        given = [each for key in ("@id", "orcid", "url", "uri") if isinstance(each := value.get(key), str)]
    return next((each for each in given if re.fullmatch(r"https?://[^\s\"<>\\^`{|}]+", each)), "")


def _file(instance: Version, entry: Entry) -> Entity:
    stored = instance.stored(entry.path).removeprefix(f"{PAYLOAD}/")
    file: Entity = {
        "@id": identifier(stored),
        "@type": "File",
        "name": entry.path.rpartition("/")[2],
        "contentSize": str(entry.size or 0),
    }
    if stored != entry.path:
        # Its name could not be kept in every package; this is how it was given.
        file["alternateName"] = entry.path
    if "sha256" in entry.digests:
        file["sha256"] = entry.digests["sha256"]
    if entry.modified:
        file["dateModified"] = entry.modified
    return file


def identifier(path: str) -> str:
    """A path as a relative IRI: what a URI cannot hold is escaped, letters of all scripts stay (RO-Crate 1.2)."""
    escaped = "".join(each if ord(each) > 0x9F else quote(each, safe=_KEPT_IN_IDS) for each in path)  # noqa: PLR2004
    # 'a:b' would be an IRI of the scheme 'a'.
    return f"./{escaped}" if ":" in escaped.partition("/")[0] else escaped

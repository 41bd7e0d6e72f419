"""PREMIS 3 of one resource: objects with fixity and format, events of the log, agents and rights.

What is written follows the PREMIS Data Dictionary 3.0 and validates against its schema. The resource is
an intellectual entity, each instance a representation, and each content at a path a file, which is part of
every representation that has it. Identifiers hold names percent-encoded, so nothing of a name is lost there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from muniment import __version__
from muniment.archive import Archive, Event, Instance
from muniment.content import Entry
from muniment.content.checks import Format
from muniment.content.identity import to_uri
from muniment.errors.archive import ResourcePurged
from muniment.workflows.reports.xml import as_json, element, encoded, exact, leaf, start

NAMESPACE = "http://www.loc.gov/premis/v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

FIXITY_CHECK = "fixity check"
SOFTWARE = "Muniment"

_VOCABULARY = "http://id.loc.gov/vocabulary/preservation/"
_EVENT_TYPES: Mapping[str, tuple[str, str]] = {
    "access refusal": ("", ""),
    "capture": ("cap", "capture"),
    "creation": ("cre", "creation"),
    "deletion": ("del", "deletion"),
    "exporting": ("exp", "exporting"),
    FIXITY_CHECK: ("fix", FIXITY_CHECK),
    "format identification": ("fmi", "format identification"),
    "ingestion": ("ing", "ingestion"),
    "message digest calculation": ("mes", "message digest calculation"),
    "metadata modification": ("mem", "metadata modification"),
    "migration": ("mig", "migration"),
    "quarantine": ("qua", "quarantine"),
    "recovery": ("rec", "recovery"),
    "repair": ("rec", "recovery"),
    "replication": ("rep", "replication"),
    "validation": ("val", "validation"),
    "virus check": ("vir", "virus check"),
}
"""Types of events of the log: their code and label in the vocabulary of the Library of Congress."""
Came = dict[tuple[str, str], int]
"""Path and digest to the number of the instance that first had that content there."""

_OUTCOMES = {"success": "suc", "failure": "fai"}


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule of the archive: what somebody may do with the resource. `to` are identities as rules name them."""

    act: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """A copy of one instance that was made and read back: the store's name and the layout it has there."""

    number: int
    store: str
    layout: str


class PremisRecord:
    """What PREMIS says of one resource, entity by entity, as XML in which PREMIS is the default namespace.

    Nothing of it is in memory but the numbers of its events, its agents, and the paths and digests of its files.
    """

    def __init__(
        self,
        archive: Archive,
        id: str,
        project: str | None = None,
        *,
        grants: Sequence[Grant] = (),
        copies: Sequence[HeldCopy] = (),
        whole: bool = True,
    ) -> None:
        """Look the resource up, and which events are about it.

        `grants` are the rules that hold for it, `copies` those on stores. With `whole` the checks of the whole
        archive are among its events.

        Raises:
            ResourceNotFound, AmbiguousId: There is no such resource. One that was purged has its events still.
            DamagedRecord, ReadFailed: It cannot be read.
        """
        self._archive = archive
        self._newest: Instance | None = None
        try:
            self._newest = archive.instance(id, project=project)
            self.project = self._newest.project
        except ResourcePurged:
            self.project = project or archive.config.project
        self.id = id
        self.uri = to_uri(self.project, id)
        self._grants = grants
        self._copies = copies
        self._whole = whole
        self._events: dict[int, list[int]] = {}
        self._agents: dict[str, None] = {}
        self._last = 0
        self._first = 0
        for event in archive.events():
            if not self._is_about(event):
                continue
            self._first = self._first or event.seq
            self._last = event.seq
            self._events.setdefault(self._number(event), []).append(event.seq)
            self._agents.setdefault(event.agent)

    # --- identifiers

    def entity(self) -> tuple[str, str]:
        """Type and value of the resource's identifier."""
        return "URI", self.uri

    def representation(self, number: int) -> tuple[str, str]:
        """Type and value of an instance's identifier."""
        return "URI", f"{self.uri}/v{number}"

    def file(self, path: str, first: int) -> tuple[str, str]:
        """Type and value of a file's identifier; `first` is the instance it came with."""
        return "URI", f"{self.uri}/v{first}/{quote(path, safe='/', errors='surrogatepass')}"

    def location(self, instance: Instance, entry: Entry) -> str:
        """Where a file lies: a URI reference below the archive's root."""
        place = instance.place(entry.path)
        return quote(place, safe="/", errors="surrogatepass")

    # --- the parts of a document, in their order

    def instances(self) -> Iterator[tuple[Instance, Came]]:
        """Every instance, and since when its content is at its paths: ask `files` before the next instance is."""
        came: Came = {}
        for number in range(1, self._head + 1):
            assert self._newest is not None
            # Made anew each time: it keeps its list of files, and of all instances together that would be very long.
            yield self._newest.earlier(number), came

    def files(self, instance: Instance, came: Came) -> Iterator[tuple[Entry, int]]:
        """An instance's files, each with the number of the instance its content came with at that path."""
        algorithm = self._archive.config.digests[0]
        for entry in instance.files():
            yield entry, came.setdefault((entry.path, entry.digests[algorithm]), instance.number)

    def objects(self) -> Iterator[tuple[str, Iterator[str]]]:
        """The resource, its instances and their files: identifier, and pieces to be read before the next is asked."""
        yield self.entity()[1], iter([self._entity()])
        for instance, came in self.instances():
            yield self.representation(instance.number)[1], self._representation(instance, self.files(instance, came))
            formats = dict(instance.formats())
            for entry, first in self.files(instance, came):
                if first == instance.number:
                    known = formats.get(entry.path, ())
                    yield self.file(entry.path, first)[1], iter([self._file(instance, entry, known)])

    def events(self) -> Iterator[str]:
        """Every event, the oldest first."""
        for event in self._archive.events(self._first - 1 if self._first else 0):
            if event.seq > self._last:
                return
            if self._is_about(event):
                yield self._event(event)

    def agents(self) -> Iterator[str]:
        """Everybody the events name, and the software."""
        for agent in self._agents:
            name, _, address = agent.partition(" <")
            yield element(
                "agent",
                _identifier("agentIdentifier", *_agent(agent)),
                _identifier("agentIdentifier", "URI", exact(address[:-1])) if address.endswith(">") else "",
                leaf("agentName", name),
            )
        yield element(
            "agent",
            _identifier("agentIdentifier", *_agent(f"software {SOFTWARE}")),
            leaf("agentName", SOFTWARE),
            _term("agentType", "software", "agentType", "sof"),
            leaf("agentNote", f"This record was written by version {__version__}."),
        )

    def rights(self) -> Iterator[str]:
        """The rules that hold for the resource, and the licence its metadata names."""
        link = _linking_object(self.entity())
        if self._grants:
            granted = (
                element("rightsGranted", leaf("act", grant.act), leaf("rightsGrantedNote", f"to {', '.join(grant.to)}"))
                for grant in self._grants
            )
            yield element(
                "rights",
                element(
                    "rightsStatement",
                    _identifier("rightsStatementIdentifier", "URI", f"{self.uri}#access"),
                    _term("rightsBasis", "other", "rightsBasis", "oth"),
                    element("otherRightsInformation", leaf("otherRightsBasis", "access rules of the archive")),
                    *granted,
                    link,
                ),
            )
        for number, (terms, address) in enumerate(_licences(self._newest), 1):
            document = _identifier("licenseDocumentationIdentifier", "URI", address) if address else ""
            yield element(
                "rights",
                element(
                    "rightsStatement",
                    _identifier("rightsStatementIdentifier", "URI", f"{self.uri}#license-{number}"),
                    _term("rightsBasis", "license", "rightsBasis", "lic"),
                    element("licenseInformation", document, leaf("licenseTerms", terms)),
                    link,
                ),
            )

    # --- entities

    @property
    def _head(self) -> int:
        return self._newest.head if self._newest else 0

    def _entity(self) -> str:
        title = next((said for key in ("title", "name") if isinstance(said := self._said(key), str)), "")
        related = [_related(self.representation(number)) for number in range(1, self._head + 1)]
        return element(
            "object",
            _identifier("objectIdentifier", *self.entity()),
            _property("title", title) if title else "",
            leaf("originalName", self.id),
            _relationship("structural", "str", "is represented by", "isr", related) if related else "",
            *(_linking_event(self._event_id(seq)) for seq in self._events.get(0, ())),
            *(_identifier("linkingRightsStatementIdentifier", "URI", each) for each in self._statements()),
            xsi_type="intellectualEntity",
        )

    def _representation(self, instance: Instance, files: Iterable[tuple[Entry, int]]) -> Iterator[str]:
        number = instance.number
        yield start("object", xsi_type="representation")
        yield _identifier("objectIdentifier", *self.representation(number))
        yield _identifier("objectIdentifier", "instance identifier", exact(instance.instance))
        yield _property("created", instance.created)
        yield _property("created by", f"{instance.agent['name']} <{instance.agent['address']}>")
        yield _property("message", instance.message)
        if instance.provenance:
            yield _property("provenance", as_json(instance.provenance))
        for copy in self._copies:
            if copy.number == number:
                kind, value = leaf("contentLocationType", "store"), leaf("contentLocationValue", copy.store)
                medium = leaf("storageMedium", f"copy in the layout {copy.layout}")
                yield element("storage", element("contentLocation", kind, value), medium)
        begun = False
        for entry, first in files:
            if not begun:
                yield start("relationship")
                yield _relation("structural", "str", "has part", "hsp")
                begun = True
            yield _related(self.file(entry.path, first))
        if begun:
            yield "</relationship>"
        yield _relationship("structural", "str", "represents", "rep", [_related(self.entity())])
        if number > 1:
            before = [_related(self.representation(number - 1))]
            yield _relationship("derivation", "der", "has source", "hss", before)
        for seq in self._events.get(number, ()):
            yield _linking_event(self._event_id(seq))
        yield "</object>"

    def _file(self, instance: Instance, entry: Entry, formats: Sequence[Format]) -> str:
        fixity = (
            element(
                "fixity",
                _term("messageDigestAlgorithm", name, "cryptographicHashFunctions", name),
                leaf("messageDigest", value),
                leaf("messageDigestOriginator", SOFTWARE),
            )
            for name, value in entry.digests.items()
        )
        where = element(
            "contentLocation",
            leaf("contentLocationType", "URI reference below the archive's root"),
            leaf("contentLocationValue", self.location(instance, entry)),
        )
        return element(
            "object",
            _identifier("objectIdentifier", *self.file(entry.path, instance.number)),
            element(
                "objectCharacteristics",
                leaf("compositionLevel", "0"),
                *fixity,
                leaf("size", str(entry.size or 0)),
                *(_format(each) for each in formats or (Format(),)),
            ),
            leaf("originalName", entry.path),
            element("storage", where),
            _relationship("structural", "str", "is part of", "isp", [_related(self.representation(instance.number))]),
            xsi_type="file",
        )

    def _event(self, event: Event) -> str:
        code, label = _EVENT_TYPES.get(event.event, ("", ""))
        kind = _term("eventType", label, "eventType", code) if code else leaf("eventType", event.event)
        further = {"type in the log": event.event} if label not in {"", event.event} else {}
        if not event.resource:
            further["scope"] = "the whole archive"
        for name in ("transaction", "latest"):
            if getattr(event, name):
                further[name] = getattr(event, name)
        told = {**event.detail, **further}
        outcome = _OUTCOMES.get(event.outcome)
        number = self._number(event)
        about = self.representation(number) if number else self.entity()
        return element(
            "event",
            _identifier("eventIdentifier", *self._event_id(event.seq)),
            kind,
            leaf("eventDateTime", event.timestamp),
            element("eventDetailInformation", leaf("eventDetail", as_json(told))) if told else "",
            element(
                "eventOutcomeInformation",
                _term("eventOutcome", event.outcome, "eventOutcome", outcome)
                if outcome
                else leaf("eventOutcome", event.outcome),
            ),
            _linking_agent(_agent(event.agent), "implementer", "imp"),
            _linking_agent(_agent(f"software {SOFTWARE}"), "executing program", "exe"),
            _linking_object(about),
        )

    # --- what belongs together

    def _is_about(self, event: Event) -> bool:
        if event.resource:
            return event.resource == self.id and event.project == self.project
        # An audit of everything looked at this resource too, once it was there.
        return self._whole and event.event == FIXITY_CHECK and not event.project and self._first > 0

    def _number(self, event: Event) -> int:
        """The instance an event is about; 0 for the resource as a whole."""
        return event.instance if self._newest and 0 < event.instance <= self._newest.head else 0

    def _event_id(self, seq: int) -> tuple[str, str]:
        return "URI", f"urn:uuid:{self._archive.config.id}#event-{seq}"

    def _statements(self) -> Iterator[str]:
        if self._grants:
            yield f"{self.uri}#access"
        for number, _ in enumerate(_licences(self._newest), 1):
            yield f"{self.uri}#license-{number}"

    def _said(self, key: str) -> object:
        return self._newest.metadata.get(key) if self._newest else None


def premis(record: PremisRecord) -> Iterator[bytes]:
    """The PREMIS document of a resource, piece by piece."""
    return encoded(_document(record))


def _document(record: PremisRecord) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield start("premis", xmlns=NAMESPACE, xmlns_xsi=XSI, version="3.0") + "\n"
    for _, pieces in record.objects():
        yield from pieces
        yield "\n"
    for part in (record.events(), record.agents(), record.rights()):
        for piece in part:
            yield piece + "\n"
    yield "</premis>\n"


def _licences(newest: Instance | None) -> Iterator[tuple[str, str]]:
    """Terms and address of every licence the metadata names: a text, an address, or an object with either."""
    said = newest.metadata if newest else {}
    for key in ("license", "licence", "rights"):
        found = said.get(key)
        for each in found if isinstance(found, list) else [found]:
            record = each if isinstance(each, dict) else {"name": each}
            names = ("name", "title", "@id", "id", "url")
            texts = [text for name in names if isinstance(text := record.get(name), str) and text]
            if texts:
                address = next((text for text in texts if text.startswith(("http://", "https://"))), "")
                yield texts[0], address


def _format(found: Format) -> str:
    version = leaf("formatVersion", found.version) if found.version else ""
    registry = element("formatRegistry", leaf("formatRegistryName", "PRONOM"), leaf("formatRegistryKey", found.puid))
    return element(
        "format",
        element("formatDesignation", leaf("formatName", found.name or "unknown"), version),
        registry if found.puid else "",
        leaf("formatNote", f"told by its {found.basis}") if found.basis else "",
    )


def _identifier(name: str, kind: str, value: str, *further: str) -> str:
    return element(name, leaf(f"{name}Type", kind), leaf(f"{name}Value", value), *further)


@cache
def _term(name: str, label: str, vocabulary: str, code: str) -> str:
    """A word of a controlled vocabulary of the Library of Congress."""
    place = f"{_VOCABULARY}{vocabulary}"
    return leaf(name, label, authority=vocabulary, authorityURI=place, valueURI=f"{place}/{code}")


def _property(kind: str, value: str) -> str:
    return element(
        "significantProperties", leaf("significantPropertiesType", kind), leaf("significantPropertiesValue", value)
    )


@cache
def _relation(kind: str, code: str, sub: str, sub_code: str) -> str:
    return _term("relationshipType", kind, "relationshipType", code) + _term(
        "relationshipSubType", sub, "relationshipSubType", sub_code
    )


def _relationship(kind: str, code: str, sub: str, sub_code: str, related: Iterable[str]) -> str:
    return element("relationship", _relation(kind, code, sub, sub_code), *related)


def _related(identifier: tuple[str, str]) -> str:
    return _identifier("relatedObjectIdentifier", *identifier)


def _linking_event(identifier: tuple[str, str]) -> str:
    return _identifier("linkingEventIdentifier", *identifier)


def _linking_object(identifier: tuple[str, str]) -> str:
    return _identifier("linkingObjectIdentifier", *identifier)


def _linking_agent(identifier: tuple[str, str], role: str, code: str) -> str:
    said = _term("linkingAgentRole", role, "eventRelatedAgentRole", code)
    return _identifier("linkingAgentIdentifier", *identifier, said)


def _agent(agent: str) -> tuple[str, str]:
    return "agent of the log", exact(agent)

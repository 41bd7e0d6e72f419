"""METS round the PREMIS of a resource: the same entities, and a map of instances and files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from muniment import __version__
from muniment.archive import Instance
from muniment.content import Entry
from muniment.content.times import now
from muniment.workflows.reports.premis import NAMESPACE as PREMIS
from muniment.workflows.reports.premis import SOFTWARE, XSI, Came, PremisRecord
from muniment.workflows.reports.xml import element, encoded, leaf, start

NAMESPACE = "http://www.loc.gov/METS/"
_XLINK = "http://www.w3.org/1999/xlink"
_CHECKSUMS = {"sha512": "SHA-512", "sha256": "SHA-256", "sha384": "SHA-384", "sha1": "SHA-1", "md5": "MD5"}
"""METS's closed list writes them so."""


def mets(record: PremisRecord) -> Iterator[bytes]:
    """The METS document of a resource (METS 1.12), piece by piece."""
    return encoded(_document(record))


def _document(record: PremisRecord) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    # PREMIS is the default namespace, so that its parts read the same as in a document of their own.
    spaces = {"xmlns_mets": NAMESPACE, "xmlns_xlink": _XLINK, "xmlns_xsi": XSI, "xmlns": PREMIS}
    yield start("mets:mets", **spaces, OBJID=record.uri, LABEL=record.id) + "\n"
    maker = element(
        "mets:agent",
        leaf("mets:name", SOFTWARE),
        leaf("mets:note", f"version {__version__}"),
        ROLE="CREATOR",
        TYPE="OTHER",
        OTHERTYPE="software",
    )
    yield element("mets:metsHdr", maker, CREATEDATE=now()) + "\n"
    yield start("mets:amdSec", ID="administration") + "\n"
    for identifier, pieces in record.objects():
        yield from _section("techMD", _id("object", identifier), "PREMIS:OBJECT", pieces)
    yield from _sections("rightsMD", "rights", "PREMIS:RIGHTS", record.rights())
    yield from _sections("digiprovMD", "event", "PREMIS:EVENT", record.events())
    yield from _sections("digiprovMD", "agent", "PREMIS:AGENT", record.agents())
    yield "</mets:amdSec>\n"
    yield from _file_section(record)
    yield from _map(record)
    yield "</mets:mets>\n"


def _sections(name: str, kind: str, metadata: str, found: Iterable[str]) -> Iterator[str]:
    for number, piece in enumerate(found, 1):
        yield from _section(name, f"{kind}-{number}", metadata, (piece,))


def _section(name: str, id: str, metadata: str, pieces: Iterable[str]) -> Iterator[str]:
    yield start(f"mets:{name}", ID=id) + start("mets:mdWrap", MDTYPE=metadata) + start("mets:xmlData")
    yield from pieces
    yield f"</mets:xmlData></mets:mdWrap></mets:{name}>\n"


def _file_section(record: PremisRecord) -> Iterator[str]:
    """The files by the instance they came with; METS wants no section and no group without any."""
    begun = False
    for instance, came in record.instances():
        group = False
        for entry, first in record.files(instance, came):
            if first != instance.number:
                continue
            yield "" if begun else start("mets:fileSec") + "\n"
            yield "" if group else start("mets:fileGrp", USE=f"came with instance {first}") + "\n"
            begun = group = True
            yield _file(record, instance, entry)
        yield "</mets:fileGrp>\n" if group else ""
    yield "</mets:fileSec>\n" if begun else ""


def _file(record: PremisRecord, instance: Instance, entry: Entry) -> str:
    identifier = record.file(entry.path, instance.number)[1]
    algorithm = next(name for name in (*_CHECKSUMS, *entry.digests) if name in entry.digests)
    place = record.location(instance, entry)
    return (
        element(
            "mets:file",
            start("mets:FLocat", LOCTYPE="URL", xlink_href=place) + "</mets:FLocat>",
            ID=_id("file", identifier),
            ADMID=_id("object", identifier),
            SIZE=str(entry.size or 0),
            CHECKSUM=entry.digests[algorithm],
            CHECKSUMTYPE=_CHECKSUMS[algorithm],
        )
        + "\n"
    )


def _map(record: PremisRecord) -> Iterator[str]:
    yield start("mets:structMap", TYPE="logical") + "\n"
    yield start("mets:div", TYPE="resource", LABEL=record.id, ADMID=_id("object", record.uri)) + "\n"
    for instance, came in record.instances():
        number = instance.number
        about = _id("object", record.representation(number)[1])
        yield start("mets:div", TYPE="instance", LABEL=f"v{number}", ORDER=str(number), ADMID=about) + "\n"
        yield from _leaves(record, instance, came)
        yield "</mets:div>\n"
    yield "</mets:div>\n</mets:structMap>\n"


def _leaves(record: PremisRecord, instance: Instance, came: Came) -> Iterator[str]:
    for entry, first in record.files(instance, came):
        there = start("mets:fptr", FILEID=_id("file", record.file(entry.path, first)[1])) + "</mets:fptr>"
        yield element("mets:div", there, TYPE="file", LABEL=entry.path) + "\n"


def _id(kind: str, identifier: str) -> str:
    """An XML name made from an identifier, the same wherever it is used: names themselves may hold anything."""
    return f"{kind}-{hashlib.blake2s(identifier.encode('utf-8'), digest_size=16).hexdigest()}"

"""The XMP packet that says in an image what it is (ISO 16684-1): Dublin Core, as viewers and readers show it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.sax.saxutils import escape

_BAD = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""
_NAMESPACES = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"'


@dataclass(frozen=True, slots=True)
class Description:
    """What is written into an image."""

    title: str
    identifier: str
    source: str
    publisher: str
    rights: str


def packet(description: Description) -> bytes:
    """The packet, without padding: the file is never changed in place."""
    rows = [
        f"<dc:title>{_alternatives(description.title)}</dc:title>",
        f"<dc:identifier>{_text(description.identifier)}</dc:identifier>",
        f"<dc:source>{_text(description.source)}</dc:source>",
        f"<dc:publisher><rdf:Bag><rdf:li>{_text(description.publisher)}</rdf:li></rdf:Bag></dc:publisher>",
        f"<dc:rights>{_alternatives(description.rights)}</dc:rights>",
    ]
    body = "".join(rows)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {_NAMESPACES}>'
        f'<rdf:Description rdf:about="">{body}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _alternatives(text: str) -> str:
    return f'<rdf:Alt><rdf:li xml:lang="x-default">{_text(text)}</rdf:li></rdf:Alt>'


def _text(text: str) -> str:
    return escape(_BAD.sub("\ufffd", text))

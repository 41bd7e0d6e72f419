"""The MODS 3.7 records and the collection policy of an Islandora 7 batch.

Where the original Distillery's were not valid, the schema wins: an address stands in `location/url`, and there is no
`originInfo` without a date.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from muniment.publishers.protocol import Publication, PublishedDate

MODS = "http://www.loc.gov/mods/v3"
POLICY = "http://www.islandora.ca"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = f"{MODS} http://www.loc.gov/standards/mods/v3/mods-3-7.xsd"
_CREATION = "creation"


def collection_record(publication: Publication) -> bytes:
    """The record of a collection."""
    root = _root()
    _titled(root, publication.collection_title)
    ET.SubElement(root, _m("typeOfResource"), collection="yes")
    return _bytes(root)


def collection_policy(namespace: str) -> bytes:
    """Which kinds of things a collection takes: books and their pages, named in its namespace."""
    root = ET.Element(
        f"{{{POLICY}}}collection_policy",
        {"name": "", f"{{{XSI}}}schemaLocation": f"{POLICY} http://syn.lib.umanitoba.ca/collection_policy.xsd"},
    )
    models = ET.SubElement(root, f"{{{POLICY}}}content_models")
    for name, pid in (
        ("Islandora Page Content Model", "pageCModel"),
        ("Islandora Internet Archive Book", "bookCModel"),
    ):
        given = {"name": name, "dsid": "", "namespace": namespace, "pid": f"islandora:{pid}"}
        ET.SubElement(models, f"{{{POLICY}}}content_model", given)
    ET.SubElement(root, f"{{{POLICY}}}search_terms")
    ET.SubElement(root, f"{{{POLICY}}}staff_comment")
    ET.SubElement(root, f"{{{POLICY}}}relationship").text = "isMemberOfCollection"
    return _bytes(root)


def book_record(publication: Publication) -> bytes:
    """The record of an archival object."""
    root = _root()
    _titled(root, publication.title)
    created = [_dates(each) for each in publication.dates if each.label == _CREATION and each.kind != "bulk"]
    if any(created):
        origin = ET.SubElement(root, _m("originInfo"))
        for given in created:
            for point, value in given:
                attributes = {"encoding": "w3cdtf", **({"point": point} if point else {})}
                ET.SubElement(origin, _m("dateCreated"), attributes).text = value
    physical = ET.SubElement(root, _m("physicalDescription"))
    ET.SubElement(physical, _m("extent"), unit="images").text = str(len(publication.pages))
    host = ET.SubElement(ET.SubElement(root, _m("relatedItem"), type="host"), _m("titleInfo"))
    ET.SubElement(host, _m("title")).text = publication.collection_title
    for kind, level in (("Series", publication.series), ("Subseries", publication.subseries)):
        if level is not None:
            ET.SubElement(host, _m("partNumber")).text = f"{kind} {level[0]}"
            ET.SubElement(host, _m("partName")).text = level[1]
    if publication.finding_aid:
        location = ET.SubElement(ET.SubElement(root, _m("relatedItem")), _m("location"))
        ET.SubElement(location, _m("url")).text = publication.finding_aid
    ET.SubElement(root, _m("identifier"), type="local").text = publication.id
    ET.SubElement(root, _m("accessCondition"), type="use and reproduction").text = publication.rights
    return _bytes(root)


def page_record(title: str) -> bytes:
    """The record of a page."""
    root = _root()
    _titled(root, title)
    return _bytes(root)


def _dates(given: PublishedDate) -> list[tuple[str, str]]:
    """A date as MODS has it: one, or two points; nothing where none is stated."""
    if given.kind == "inclusive" and given.begin and given.end:
        return [("start", given.begin), ("end", given.end)]
    return [("", given.begin)] if given.begin else []


def _root() -> ET.Element:
    return ET.Element(_m("mods"), {f"{{{XSI}}}schemaLocation": _SCHEMA, "version": "3.7"})


def _titled(root: ET.Element, title: str) -> None:
    ET.SubElement(ET.SubElement(root, _m("titleInfo")), _m("title")).text = title


def _m(name: str) -> str:
    return f"{{{MODS}}}{name}"


def _bytes(root: ET.Element) -> bytes:
    ET.indent(root)
    data: bytes = ET.tostring(root, "utf-8", xml_declaration=True, default_namespace=None)
    return data + b"\n"


ET.register_namespace("mods", MODS)
ET.register_namespace("xsi", XSI)

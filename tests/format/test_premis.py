"""PREMIS and METS of a resource, judged by the schemas where `published` finds a copy of them.

The schemas are not part of this project; without them the documents are still read, and their links followed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from lxml import etree

from muniment.archive import Agent, Archive
from muniment.workflows.reports.premis import Grant, HeldCopy, PremisRecord
from muniment.workflows.reports.write import pieces
from tests.published import published

P = "{http://www.loc.gov/premis/v3}"
M = "{http://www.loc.gov/METS/}"
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
HOSTILE = ["a\x01b.txt", "<&>\"'.xml", "new\nline\r\t.txt", "]]>.txt", "\ufffe\uffff.bin", "\x1b[31mred", "%41 ü 𝄞.txt"]
COPIES = [HeldCopy(1, "vault", "ocfl"), HeldCopy(3, "vault", "ocfl"), HeldCopy(3, "tape-1", "bag")]
GRANTS = [Grant("resources/read", ("anonymous", "keys/users/<&>"))]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", workers=0, mode="dynamic") as made:
        yield made


def schema(name: str) -> Any:
    path = published(f"schemas/{name}")
    return etree.XMLSchema(etree.parse(str(path))) if path else None


@pytest.fixture(scope="module")
def schemas() -> dict[bool, Any]:
    """By whether METS is round it."""
    return {False: schema("premis-3.0.xsd"), True: schema("mets-with-premis-and-mods.xsd")}


def document(archive: Archive, id: str, *, mets: bool = False, whole: bool = True) -> Any:
    record = PremisRecord(archive, id, grants=GRANTS, copies=COPIES, whole=whole)
    data = b"".join(pieces(record, mets=mets))
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))


def refuse_faults(found: Any, schemas: dict[bool, Any]) -> None:
    """Fail for what the schema refuses, and for a link that leads nowhere."""
    judge = schemas[found.tag == f"{M}mets"]
    if judge is not None:
        judge.assertValid(found)
    known = set()
    for name in ("object", "event", "agent", "rightsStatement"):
        for each in found.iter(f"{P}{name}Identifier"):
            known.add((name, pair(each)))
    links = {
        "linkingObjectIdentifier": "object",
        "relatedObjectIdentifier": "object",
        "linkingEventIdentifier": "event",
        "linkingAgentIdentifier": "agent",
        "linkingRightsStatementIdentifier": "rightsStatement",
    }
    followed = [(kind, pair(each)) for name, kind in links.items() for each in found.iter(f"{P}{name}")]
    assert followed
    assert set(followed) <= known


def pair(identifier: Any) -> tuple[str, str]:
    name = identifier.tag.removeprefix(P)
    return identifier.findtext(f"{P}{name}Type"), identifier.findtext(f"{P}{name}Value")


def objects(found: Any, kind: str) -> list[Any]:
    return [each for each in found.iter(f"{P}object") if each.get(XSI_TYPE) == kind]


def seqs(found: Any) -> list[int]:
    return [int(pair(each)[1].rpartition("-")[2]) for each in found.iter(f"{P}eventIdentifier")]


def fill(archive: Archive, id: str = "letters") -> None:
    """Two instances: one file stays, one changes, one is left out, one is new and one of the first comes again."""
    with archive.new(id, message="first") as transaction:
        transaction.metadata.update({"title": "Letters <1>", "license": {"@id": "https://example.org/l", "name": "L"}})
        for name in ("stays", "changes", "goes"):
            transaction.add(name.encode(), f"{name}.txt")
    with archive.get(id, "a") as transaction:
        transaction.replace(b"other", "changes.txt")
        transaction.delete("goes.txt")
        transaction.add(b"stays", "again.txt")
    with archive.get(id, "a") as transaction:
        transaction.replace(b"changes", "changes.txt")


@pytest.mark.parametrize("mets", [False, True])
def test_every_object_event_agent_and_right_is_there_and_every_link_leads_somewhere(
    archive: Archive, schemas: dict[bool, Any], mets: bool
) -> None:
    fill(archive)
    archive.record_event("capture", resource="letters", instance=2, detail={"device": "<scanner>"})
    list(archive.audit("letters"))
    list(archive.audit())
    found = document(archive, "letters", mets=mets)
    refuse_faults(found, schemas)
    newest = archive.instance("letters")
    assert [pair(each[0])[1] for each in objects(found, "representation")] == [
        f"muniment:main/main/letters/v{number}" for number in (1, 2, 3)
    ]
    # One file for each content at a path: changes.txt is as it was first in the third instance.
    names = sorted(unquote(pair(each[0])[1]).partition("letters/")[2] for each in objects(found, "file"))
    assert names == ["v1/changes.txt", "v1/goes.txt", "v1/stays.txt", "v2/again.txt", "v2/changes.txt"]
    for each in objects(found, "file"):
        number, _, path = unquote(pair(each[0])[1]).partition("letters/v")[2].partition("/")
        fixity = {one.findtext(f"{P}messageDigestAlgorithm"): one for one in each.iter(f"{P}fixity")}
        digests = {name: one.findtext(f"{P}messageDigest") for name, one in fixity.items()}
        assert digests == newest.earlier(int(number)).digests(path)
        assert (archive.path / unquote(each.findtext(f".//{P}contentLocationValue"))).is_file()
    third = objects(found, "representation")[2]
    parts = [unquote(pair(each)[1]) for each in third.iter(f"{P}relatedObjectIdentifier")]
    assert [part.partition("letters/")[2] for part in parts[:3]] == ["v2/again.txt", "v1/changes.txt", "v1/stays.txt"]
    told = [event.seq for event in archive.events() if event.resource or event.event == "fixity check"]
    assert seqs(found) == told
    assert len(told) == 6
    stores = [
        [place.text for place in each.iter(f"{P}contentLocationValue")] for each in objects(found, "representation")
    ]
    assert stores == [["vault"], [], ["vault", "tape-1"]]
    assert found.findtext(f".//{P}licenseTerms") == "L"
    assert found.findtext(f".//{P}rightsGrantedNote") == "to anonymous, keys/users/<&>"


@pytest.mark.parametrize("mets", [False, True])
def test_names_that_xml_cannot_hold_are_whole_in_the_identifiers(
    archive: Archive, schemas: dict[bool, Any], mets: bool
) -> None:
    id = "r %2F/<&>\"\ufffe'"
    hands = archive.acting_as(Agent("A\ufffe <B>", "mailto:a%20b@example.org"))
    with hands.new(id, message="\x00 and \ud7ff \x0b") as transaction:
        transaction.metadata["title"] = "\x08<title>"
        for name in HOSTILE:
            transaction.add(name.encode(), name)
    detail = {"text": "\x01 \ufffe <!-- -->", "\x03": [1.5, None]}
    hands.record_event("capture of <\x7f>".replace("\x7f", ""), resource=id, detail=detail)
    found = document(archive, id, mets=mets)
    refuse_faults(found, schemas)
    names = {unquote(pair(each[0])[1].partition("/v1/")[2]) for each in objects(found, "file")}
    assert names == set(HOSTILE)
    originals = {each.findtext(f"{P}originalName") for each in objects(found, "file")}
    assert {name for name in HOSTILE if not {"\x01", "\x1b", "\ufffe"} & set(name)} <= originals
    said = [json.loads(each.text) for each in found.iter(f"{P}eventDetail")]
    assert detail in said


def test_two_agents_whose_names_xml_cannot_tell_apart_stay_two(archive: Archive, schemas: dict[bool, Any]) -> None:
    for name in ("A\ufffe", "A\uffff", "A%EF%BF%BE"):
        hands = archive.acting_as(Agent(name, "mailto:a@example.org"))
        with hands.get("r", "a") if archive.exists("r") else hands.new("r") as transaction:
            transaction.add(name.encode(), name)
    found = document(archive, "r")
    refuse_faults(found, schemas)
    assert len({pair(each[0]) for each in found.iter(f"{P}agent")}) == 4  # and the software


@pytest.mark.parametrize("mets", [False, True])
def test_a_purged_resource_still_has_its_events(archive: Archive, schemas: dict[bool, Any], mets: bool) -> None:
    fill(archive)
    archive.purge("letters", "on request")
    found = document(archive, "letters", mets=mets)
    refuse_faults(found, schemas)
    assert [each.text for each in found.iter(f"{P}eventType")][-1] == "deletion"
    assert not objects(found, "file")


@pytest.mark.parametrize("mets", [False, True])
def test_an_instance_without_files_has_a_document_too(archive: Archive, schemas: dict[bool, Any], mets: bool) -> None:
    with archive.new("empty") as transaction:
        transaction.metadata["title"] = "nothing in it"
    refuse_faults(document(archive, "empty", mets=mets), schemas)


def test_events_of_others_and_of_a_namesake_are_not_told(archive: Archive) -> None:
    fill(archive)
    with archive.new("letters", "other/project") as transaction:
        transaction.add(b"1", "one")
    list(archive.audit())
    record = PremisRecord(archive, "letters", "main/main", whole=False)
    text = b"".join(pieces(record, mets=False))
    found = etree.fromstring(text)
    assert seqs(found) == [
        event.seq for event in archive.events() if (event.project, event.resource) == ("main/main", "letters")
    ]


def test_each_file_and_each_place_in_the_map_of_a_mets_document_has_its_object(archive: Archive) -> None:
    fill(archive)
    found = document(archive, "letters", mets=True)
    ids = [each.get("ID") for each in found.iter() if each.get("ID")]
    assert len(ids) == len(set(ids))
    for name in ("ADMID", "FILEID"):
        used = {each.get(name) for each in found.iter() if each.get(name)}
        assert used
        assert used <= set(ids)
    files = {each.get("ID"): each for each in found.iter(f"{M}file")}
    assert len(files) == 5
    for each in found.iter(f"{M}div"):
        if each.get("TYPE") == "file":
            file = files[each[0].get("FILEID")]
            number = int(each.getparent().get("ORDER"))
            digests = archive.instance("letters", number).digests(each.get("LABEL"))
            assert digests["sha512"] == file.get("CHECKSUM")


def test_a_document_comes_in_pieces_however_many_files_there_are(archive: Archive) -> None:
    with archive.new("many") as transaction:
        for number in range(600):
            transaction.add(io.BytesIO(b"%d" % number), f"{number:04}.txt")
    sizes = [len(piece) for piece in pieces(PremisRecord(archive, "many"), mets=False)]
    assert len(sizes) > 5
    assert max(sizes) < 80_000

"""The preservation metadata of a resource is the same from the archive in a folder and from the one behind a server."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from muniment.content import Hashers
from muniment.errors.archive import ResourceNotFound

P = "{http://www.loc.gov/premis/v3}"


@pytest.mark.parametrize("mets", [False, True])
def test_it_tells_of_files_and_events_and_of_its_own_length_and_digest(archive: Any, mets: bool) -> None:
    with archive.new("a/b ü") as transaction:
        transaction.add(b"hello", "one\x01.txt")
    written: list[bytes] = []
    length, sha256 = archive.premis("a/b ü", written.append, mets=mets)
    data = b"".join(written)
    hashers = Hashers(["sha256"])
    hashers.update(data)
    assert (length, sha256) == (len(data), hashers.values()["sha256"])
    found = ET.fromstring(data)
    assert found.tag.endswith("}mets" if mets else "}premis")
    assert [each.text for each in found.iter(f"{P}eventType")] == ["ingestion"]
    digests = [each.text for each in found.iter(f"{P}messageDigest")]
    assert digests == list(archive.instance("a/b ü").digests("one\x01.txt").values())


def test_of_what_is_not_there_nothing_is_written(archive: Any) -> None:
    written: list[bytes] = []
    with pytest.raises(ResourceNotFound):
        archive.premis("nothing", written.append)
    assert written == []

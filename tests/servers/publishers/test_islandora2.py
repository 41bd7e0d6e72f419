"""Publishing to Islandora 2, against a strict stand-in: nodes in order, media with their uses, digests compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PIL import Image

from muniment.errors.distillery import PublishingFailed
from muniment.imaging import ImageProcess
from muniment.imaging.text import PageText
from muniment.publishers.islandora2 import HOCR, ORIGINAL, SERVICE, TEXT, THUMBNAIL, Islandora2, Islandora2Site
from muniment.publishers.protocol import Publication, PublishedPage
from muniment.session import Guard, Session
from muniment.testing.clock import FakeClock
from muniment.testing.scans import write_scan
from muniment.testing.servers.islandora2 import LOOKUP, Islandora2Server


@dataclass
class Memory:
    """What outlives the work, for a test."""

    known: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        return self.known.get(name, "")

    def put(self, name: str, value: str) -> None:
        self.known[name] = value


@pytest.fixture
def server() -> Iterator[Islandora2Server]:
    with Islandora2Server() as running:
        yield running


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True), clock=FakeClock(), attempts=2) as made:
        yield made


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def publisher(server: Islandora2Server, session: Session, memory: Memory, tmp_path: Path) -> Islandora2:
    return Islandora2(
        session, Islandora2Site(server.url, "keeper", "secret word"), ImageProcess, memory, lambda: tmp_path
    )


def book(tmp_path: Path, *seeds: int) -> Publication:
    pages = []
    for number, seed in enumerate(seeds, 1):
        scan = write_scan(tmp_path / f"{number}é.tif", width=50, height=40, seed=seed)
        sha256 = hashlib.sha256(scan.read_bytes()).hexdigest()
        pages.append(PublishedPage(f"p{number}", scan, 0, f"Meetings [image {number:04}]", sha256))
    return Publication("HBF_001_05", "Meetings", "HBF", "Papers of a Board", pages)


def test_a_book_stands_in_its_collection_with_pages_in_order_and_media(
    publisher: Islandora2, server: Islandora2Server, tmp_path: Path
) -> None:
    given = book(tmp_path, 1, 2, 3)
    publisher.preflight()
    found = publisher.publish(given)
    number = int(found.url.rpartition("/")[2])
    assert server.nodes[number]["field_local_identifier"] == [{"value": "HBF_001_05"}]
    collection = server.nodes[number]["field_member_of"][0]["target_id"]
    assert server.nodes[collection]["title"] == [{"value": "Papers of a Board"}]
    pages = server.children(number)
    assert [each["field_weight"] for each in pages] == [[{"value": at}] for at in (1, 2, 3)]
    for page, sent in zip(pages, given.pages, strict=True):
        uses = server.uses(page["nid"][0]["value"])
        assert set(uses) == {ORIGINAL, SERVICE, THUMBNAIL}
        assert uses[ORIGINAL] == sent.scan.read_bytes()
    assert set(server.uses(number)) == {THUMBNAIL}
    assert found.thumbnail.startswith(f"{server.url}/sites/default/files/")
    assert list(publisher.check("HBF_001_05", found)) == []


def test_a_second_time_nothing_is_written(publisher: Islandora2, server: Islandora2Server, tmp_path: Path) -> None:
    first = publisher.publish(book(tmp_path, 1, 2))
    server.writes.clear()
    assert publisher.publish(book(tmp_path, 1, 2)) == first
    assert server.writes == []


def test_what_changed_is_updated_and_never_made_twice(
    publisher: Islandora2, server: Islandora2Server, tmp_path: Path
) -> None:
    publisher.publish(book(tmp_path, 1, 2))
    nodes, media = set(server.nodes), set(server.media)
    changed = book(tmp_path, 1, 9)
    found = publisher.publish(replace(changed, title="Other meetings"))
    assert (set(server.nodes), set(server.media)) == (nodes, media)
    number = int(found.url.rpartition("/")[2])
    assert server.nodes[number]["title"] == [{"value": "Other meetings"}]
    last = server.children(number)[1]["nid"][0]["value"]
    assert server.uses(last)[ORIGINAL] == changed.pages[1].scan.read_bytes()


@pytest.mark.parametrize("at", range(1, 19))
def test_a_failure_anywhere_is_resumed_without_a_double(
    publisher: Islandora2, server: Islandora2Server, tmp_path: Path, at: int
) -> None:
    server.fail_at = at
    with pytest.raises(PublishingFailed, match="422"):
        publisher.publish(book(tmp_path, 1, 2))
    found = publisher.publish(book(tmp_path, 1, 2))
    assert len(server.nodes) == 4
    assert len(server.media) == 7
    assert list(publisher.check("HBF_001_05", found)) == []


class Forgetful(Memory):
    """What forgets the n-th thing that is put, as if the process had ended before that was written, and raises."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def put(self, name: str, value: str) -> None:
        self.at -= 1
        if self.at == 0:
            raise PublishingFailed(id=name, reason="ended")
        super().put(name, value)


@pytest.mark.parametrize("at", [1, 5, *(pytest.param(at, marks=pytest.mark.nightly) for at in range(2, 19) if at != 5)])
def test_what_was_made_and_could_not_be_remembered_is_found_again(
    server: Islandora2Server, session: Session, tmp_path: Path, at: int
) -> None:
    memory = Forgetful(at)
    site = Islandora2Site(server.url, "keeper", "secret word", LOOKUP)
    publisher = Islandora2(session, site, ImageProcess, memory, lambda: tmp_path)
    with pytest.raises(PublishingFailed, match="ended"):
        publisher.publish(book(tmp_path, 1, 2))
    found = publisher.publish(book(tmp_path, 1, 2))
    assert len(server.nodes) == 4
    assert len(server.media) == 7
    assert list(publisher.check("HBF_001_05", found)) == []


def test_the_text_of_a_page_goes_with_it_and_its_places_where_the_site_knows_them(
    server: Islandora2Server, session: Session, memory: Memory, tmp_path: Path
) -> None:
    def read(picture: Path, scratch: Path) -> PageText | None:
        del scratch
        with Image.open(picture) as shown:
            return PageText(f"Annual Meeting {shown.size}", "<html>é</html>")

    site = Islandora2Site(server.url, "keeper", "secret word")
    publisher = Islandora2(session, site, ImageProcess, memory, lambda: tmp_path, read)
    found = publisher.publish(book(tmp_path, 1))
    (node,) = server.children(int(found.url.rpartition("/")[2]))
    uses = server.uses(node["nid"][0]["value"])
    assert uses[TEXT] == b"Annual Meeting (50, 40)"
    assert uses[HOCR] == "<html>é</html>".encode()
    (text,) = (each for each in server.media.values() if each["bundle"][0]["target_id"] == "extracted_text")
    assert text["field_edited_text"] == [{"value": "Annual Meeting (50, 40)"}]
    server.writes.clear()
    assert publisher.publish(book(tmp_path, 1)) == found
    assert server.writes == []
    del server.terms[HOCR]
    plain = Islandora2(session, site, ImageProcess, Memory(), lambda: tmp_path, read)
    plain.preflight()
    other = plain.publish(replace(book(tmp_path, 1), id="HBF_001_06"))
    (node,) = server.children(int(other.url.rpartition("/")[2]))
    assert TEXT in server.uses(node["nid"][0]["value"])
    assert not list(tmp_path.glob("page-*"))


def test_other_bytes_than_were_sent_are_noticed_and_sent_again(
    publisher: Islandora2, server: Islandora2Server, tmp_path: Path
) -> None:
    server.corrupt_next = 1
    with pytest.raises(PublishingFailed, match="other bytes"):
        publisher.publish(book(tmp_path, 1))
    found = publisher.publish(book(tmp_path, 1))
    assert list(publisher.check("HBF_001_05", found)) == []
    name = next(each for each in found.files if each != "node")
    server.files[name] = b"altered"
    assert len(list(publisher.check("HBF_001_05", found))) == 1
    server.nodes.clear()
    assert "no node" in next(publisher.check("HBF_001_05", found))


def test_a_missing_term_or_a_wrong_password_is_named_before_anything_is_sent(
    publisher: Islandora2, server: Islandora2Server, session: Session, memory: Memory, tmp_path: Path
) -> None:
    del server.terms[SERVICE]
    with pytest.raises(PublishingFailed, match="ServiceFile"):
        publisher.preflight()
    stranger = Islandora2(
        session, Islandora2Site(server.url, "keeper", "wrong"), ImageProcess, memory, lambda: tmp_path
    )
    with pytest.raises(PublishingFailed, match="403") as caught:
        stranger.preflight()
    assert "wrong" not in str(caught.value)
    assert server.writes == []

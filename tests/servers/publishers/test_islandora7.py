"""Publishing to Islandora 7: a real sshd and rsync, a stand-in for drush that records every command."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jpylyzer import jpylyzer
from lxml import etree
from PIL import Image

from muniment.errors.distillery import PublishedInPart, PublishingFailed
from muniment.imaging import ImageProcess
from muniment.imaging.text import PageText, read_text
from muniment.publishers.islandora7 import Islandora7, Islandora7Site, mods
from muniment.publishers.islandora7.ssh import SshMachine
from muniment.publishers.islandora7.tree import write_tree
from muniment.publishers.protocol import Publication, PublishedAt, PublishedDate, PublishedPage
from muniment.testing.scans import write_scan
from muniment.testing.servers import drush
from muniment.testing.services import Service
from tests.published import published
from tests.servers.publishers.test_islandora2 import Memory

BESIDE = published("schemas/mods-3.7.xsd")
"""The schema is not part of this project; without it the records are still read."""
M = "{http://www.loc.gov/mods/v3}"


def book(tmp_path: Path, count: int = 2, width: int = 900, height: int = 1000) -> Publication:
    pages = []
    for number in range(1, count + 1):
        scan = write_scan(tmp_path / "scans" / f"{number}.tif", width=width, height=height, seed=number)
        sha256 = hashlib.sha256(scan.read_bytes()).hexdigest()
        pages.append(PublishedPage(f"p{number}", scan, 0, f"Meetings & more [image {number:04}]", sha256))
    return Publication(
        "HBF_001_05",
        "Meetings & more",
        "HBF",
        "Papers of a Board",
        pages,
        rights="Ask us",
        publisher="The Archives",
        finding_aid="https://aid.example.org/hbf?a=1&b=2",
        series=("1", "Organizational Records"),
        dates=[
            PublishedDate("creation", "inclusive", "1943", "1945"),
            PublishedDate("creation", "bulk", "1944"),
            PublishedDate("digitized", "single", "2022"),
        ],
    )


@dataclass
class Site:
    """An Islandora 7 of a test."""

    folder: Path
    publisher: Islandora7

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "drush.json").read_text())
        return found

    def show(self, publication: Publication) -> PublishedAt:
        """Publish it as a batch does: its collection first."""
        self.publisher.prepare(publication)
        return self.publisher.publish(publication)

    def change(self, **values: Any) -> None:
        (self.folder / "drush.json").write_text(json.dumps(self.state | values))

    @property
    def commands(self) -> list[str]:
        return [next(word for word in call if not word.startswith("--")) for call in self.state["calls"]]


def never(picture: Path, scratch: Path) -> PageText | None:
    del picture, scratch
    return None


def always(picture: Path, scratch: Path) -> PageText | None:
    del scratch
    with Image.open(picture) as shown:
        return PageText(f"{shown.size}", "<html/>")


@pytest.fixture
def site(sshd: Service, run_folder: Path, tmp_path: Path) -> Callable[..., Site]:
    def make(read: Callable[[Path, Path], PageText | None] = never) -> Site:
        place = run_folder / "sshd"
        machine = SshMachine(
            f"{getpass.getuser()}@127.0.0.1", sshd.port, identity=place / "client", known_hosts=place / "known_hosts"
        )
        (tmp_path / "it's a web root").mkdir()
        command = drush.install(tmp_path)
        given = Islandora7Site(str(tmp_path / "it's a web root"), "https://islandora.example.org", "arch", str(command))
        return Site(tmp_path, Islandora7(machine, given, ImageProcess, read, lambda: tmp_path / "scratch", Memory()))

    return make


def test_a_book_is_brought_and_ingested_by_the_commands_as_they_are_described(
    site: Callable[..., Site], tmp_path: Path
) -> None:
    made = site()
    made.publisher.preflight()
    found = made.show(book(tmp_path))
    assert found.url == "https://islandora.example.org/islandora/object/HBF%3AHBF_001_05"
    assert found.thumbnail == f"{found.url}/datastream/TN/view"
    state = made.state
    assert state["collections"] == ["arch:HBF"]
    assert len(state["books"]["HBF:HBF_001_05"]) == 2
    calls = {next(word for word in call if not word.startswith("--")): call for call in state["calls"]}
    book_call = calls["islandora_book_batch_preprocess"]
    assert book_call[:2] == ["--user=1", f"--root={tmp_path}/it's a web root"]
    assert {"--output_set_id=TRUE", "--parent=arch:HBF", "--type=directory"} <= set(book_call)
    assert "--do_not_generate_ocr" not in book_call
    assert "--user=1" not in calls["islandora_datastream_crud_fetch_pids"]
    assert list(made.publisher.check("HBF_001_05", found)) == []
    assert not list((tmp_path / "scratch").glob("*"))


def test_what_is_there_is_not_ingested_again(site: Callable[..., Site], tmp_path: Path) -> None:
    made = site()
    first = made.show(book(tmp_path))
    before = len(made.commands)
    assert made.show(book(tmp_path)) == first
    assert set(made.commands[before:]) == {"islandora_datastream_crud_fetch_pids"}


def test_an_image_that_changed_there_is_noticed_and_one_that_never_arrived_as_it_was_is_refused(
    site: Callable[..., Site], tmp_path: Path
) -> None:
    made = site()
    found = made.show(book(tmp_path))
    (page, other) = made.state["books"]["HBF:HBF_001_05"]
    assert set(found.files) == {"pid", "pages", page, other}
    assert list(made.publisher.check("HBF_001_05", found)) == []
    kept = tmp_path / "drush-images" / page
    data = kept.read_bytes()
    kept.write_bytes(data + b"x")
    (told,) = made.publisher.check("HBF_001_05", found)
    assert told.startswith(f"the image of {page} is not the one that was published")
    # Nothing of it was told yet: as if a run had ended between ingesting and looking.
    made.publisher._remembered.put(
        "islandora7 HBF:HBF_001_05", json.dumps({"sent": sorted([found.files[page], found.files[other]])})
    )
    for _ in range(2):
        with pytest.raises(PublishedInPart, match="not those that were sent"):
            made.publisher.publish(book(tmp_path))


def test_a_collection_that_the_index_does_not_know_yet_is_not_made_again(
    site: Callable[..., Site], tmp_path: Path
) -> None:
    made = site()
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        made.change(index_lags=0)

    made.publisher._pause = pause
    made.change(index_lags=1)
    made.publisher.prepare(book(tmp_path))
    assert waited == [1.0]
    made.publisher.prepare(book(tmp_path))
    assert made.state["collections"] == ["arch:HBF"]
    assert made.commands.count("islandora_batch_with_derivs_preprocess") == 1


def test_an_ingest_that_ends_well_and_was_not_whole_is_a_failure(site: Callable[..., Site], tmp_path: Path) -> None:
    made = site()
    made.publisher.prepare(book(tmp_path))
    made.change(fail_after=1)
    with pytest.raises(PublishingFailed, match="2 of 3 things were ingested"):
        made.show(book(tmp_path))
    with pytest.raises(PublishedInPart, match="1 of 2 pages: remove it there"):
        made.show(book(tmp_path))
    assert len(made.state["sets"]) == 1, "its set tells there what failed"


def test_the_server_makes_no_text_where_it_is_sent(site: Callable[..., Site], tmp_path: Path) -> None:
    made = site(always)
    made.show(book(tmp_path, 1))
    call = next(each for each in made.state["calls"] if "islandora_book_batch_preprocess" in each)
    assert {"--do_not_generate_ocr", "--do_not_generate_hocr"} <= set(call)


def test_the_temporary_folder_there_is_removed_also_after_a_failure(site: Callable[..., Site], tmp_path: Path) -> None:
    made = site()
    made.change(fail_after=0)
    with pytest.raises(PublishingFailed):
        made.show(book(tmp_path, 1))
    call = next(each for each in made.state["calls"] if "islandora_book_batch_preprocess" in each)
    target = next(word.partition("=")[2] for word in call if word.startswith("--scan_target="))
    assert not Path(target).exists()


def test_a_missing_web_root_or_machine_is_named_beforehand(site: Callable[..., Site], tmp_path: Path) -> None:
    made = site()
    (tmp_path / "it's a web root").rmdir()
    with pytest.raises(PublishingFailed, match="no folder"):
        made.publisher.preflight()
    nobody = SshMachine("nobody@127.0.0.1", 1)
    given = Islandora7Site("/", "https://x.example")
    lost = Islandora7(nobody, given, ImageProcess, never, lambda: tmp_path, Memory())
    with pytest.raises(PublishingFailed, match="cannot be reached"):
        lost.preflight()


def test_the_tree_is_as_the_batch_reads_it(tmp_path: Path) -> None:
    with ImageProcess() as images:
        read = write_tree(tmp_path / "tree", book(tmp_path), "arch", images, always)
    assert read == {"0001": True, "0002": True}
    place = tmp_path / "tree/books/HBF+HBF_001_05"
    assert {each.name for each in (tmp_path / "tree/collections/arch+HBF").iterdir()} == {
        "MODS.xml",
        "COLLECTION_POLICY.xml",
    }
    assert {each.name for each in place.iterdir()} == {"MODS.xml", "TN.jpg", "0001", "0002"}
    page = place / "0001"
    names = {"OBJ.jp2", "JP2.jp2", "JPG.jpg", "TN.jpg", "MODS.xml", "OCR.txt", "HOCR.html"}
    assert {each.name for each in page.iterdir()} == names
    assert jpylyzer.checkOneFile(str(page / "OBJ.jp2")).findtext("isValid") == "True"
    with Image.open(page / "JPG.jpg") as shown, Image.open(page / "TN.jpg") as small:
        assert shown.size == (600, 667)
        assert small.size == (180, 200)
    assert b"Meetings &amp; more [image 0001]" in (page / "JPG.jpg").read_bytes()


def test_the_records_say_what_is_known_in_the_schemas_places(tmp_path: Path) -> None:
    given = book(tmp_path, 1)
    root = ET.fromstring(mods.book_record(given))
    assert [(each.get("point"), each.text) for each in root.iter(f"{M}dateCreated")] == [
        ("start", "1943"),
        ("end", "1945"),
    ]
    host = root.find(f"{M}relatedItem[@type='host']/{M}titleInfo")
    assert host is not None
    assert [(each.tag.removeprefix(M), each.text) for each in host] == [
        ("title", "Papers of a Board"),
        ("partNumber", "Series 1"),
        ("partName", "Organizational Records"),
    ]
    assert root.findtext(f"{M}relatedItem/{M}location/{M}url") == "https://aid.example.org/hbf?a=1&b=2"
    assert root.findtext(f"{M}physicalDescription/{M}extent[@unit='images']") == "1"
    assert root.findtext(f"{M}identifier[@type='local']") == "HBF_001_05"
    undated = mods.book_record(replace(given, dates=[], finding_aid="", subseries=("2", "Minutes")))
    assert ET.fromstring(undated).find(f"{M}originInfo") is None
    if BESIDE is not None:
        schema = etree.XMLSchema(etree.parse(str(BESIDE)))
        for record in (mods.book_record(given), undated, mods.collection_record(given), mods.page_record("<a> & b")):
            schema.assertValid(etree.fromstring(record))
    policy = mods.collection_policy("HBF").decode()
    assert "islandora:pageCModel" in policy
    assert "islandora:bookCModel" in policy
    assert "isMemberOfCollection" in policy


def test_a_program_that_takes_too_long_costs_the_text_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin/tesseract"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    scan = write_scan(tmp_path / "a.tif")
    assert read_text(scan, tmp_path, seconds=0.2) is None
    slow.write_text('#!/bin/sh\necho words > "$2.txt"\necho "<html/>" > "$2.hocr"\n')
    assert read_text(scan, tmp_path, seconds=60) == PageText("words\n", "<html/>\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.tif", "bin"]

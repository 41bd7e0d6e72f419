"""A static IIIF site: a manifest that the schema accepts, where a copy lies beside; every address a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import pyvips
from PIL import Image

from muniment.errors.distillery import PublishingFailed
from muniment.imaging import ImageProcess
from muniment.imaging.text import read_text
from muniment.publishers.iiif import Iiif
from muniment.publishers.iiif.image import Line, lines_of
from muniment.publishers.protocol import Publication, PublishedPage
from muniment.testing.scans import CMYK, write_scan
from tests.published import published

URL = "https://iiif.example.org/scans"
BESIDE = published("schemas/iiif-presentation-3.schema.json")


def publication(tmp_path: Path, *seeds: int, **kind: Any) -> Publication:
    pages = []
    for number, seed in enumerate(seeds, 1):
        scan = write_scan(tmp_path / f"{number}.tif", width=1300, height=700, seed=seed, **kind)
        sha256 = hashlib.sha256(scan.read_bytes()).hexdigest()
        pages.append(
            PublishedPage(f"p{number}", scan, 0, f"<Letters> [image {number:04}]", sha256, text="words" * (number == 1))
        )
    about = {"Collection": ["Papers & more"]}
    return Publication(
        "HBF_001_05",
        "<Letters>",
        "HBF",
        "Papers & more",
        pages,
        about,
        "Ask us",
        finding_aid="https://aid.example.org/x",
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@pytest.fixture
def publisher(site: Path) -> Iiif:
    return Iiif(site, URL, ImageProcess)


def addresses(value: Any) -> Iterator[str]:
    """Every address of ours that stands for a file."""
    if isinstance(value, dict):
        if value.get("type") in {"Image", "Text", "Manifest"} and str(value.get("id", "")).startswith(URL):
            yield value["id"]
        for each in value.values():
            yield from addresses(each)
    elif isinstance(value, list):
        for each in value:
            yield from addresses(each)


def test_a_manifest_names_its_pages_and_every_address_is_a_file(publisher: Iiif, site: Path, tmp_path: Path) -> None:
    found = publisher.publish(publication(tmp_path, 1, 2, 3))
    place = site / "HBF_001_05"
    manifest = json.loads((place / "manifest.json").read_text())
    assert manifest["@context"] == "http://iiif.io/api/presentation/3/context.json"
    assert (manifest["id"], manifest["type"]) == (f"{URL}/HBF_001_05/manifest.json", "Manifest")
    assert [(each["width"], each["height"]) for each in manifest["items"]] == [(1300, 700)] * 3
    assert manifest["items"][0]["annotations"][0]["items"][0]["motivation"] == "supplementing"
    assert "annotations" not in manifest["items"][1]
    if BESIDE is not None:
        jsonschema_rs.validate(json.loads(BESIDE.read_text()), manifest)
    named = list(addresses(manifest))
    assert len(named) > 6
    for each in [*named, found.url, found.thumbnail]:
        assert (site / each.removeprefix(f"{URL}/")).is_file(), each


def test_an_image_service_has_its_tiles_and_sizes(publisher: Iiif, site: Path, tmp_path: Path) -> None:
    publisher.publish(publication(tmp_path, 1))
    (image,) = (site / "HBF_001_05/images").iterdir()
    info = json.loads((image / "info.json").read_text())
    assert info["id"] == f"{URL}/HBF_001_05/images/{image.name}"
    assert (info["type"], info["profile"], info["width"], info["height"]) == ("ImageService3", "level0", 1300, 700)
    for size in info["sizes"]:
        with Image.open(image / f"full/{size['width']},{size['height']}/0/default.jpg") as whole:
            assert whole.size == (size["width"], size["height"])
    with Image.open(image / "full/max/0/default.jpg") as whole:
        assert whole.size == (1300, 700)
    tile = info["tiles"][0]
    for scale in tile["scaleFactors"]:
        step = tile["width"] * scale
        for left in range(0, 1300, step):
            for top in range(0, 700, step):
                wide, high = min(step, 1300 - left), min(step, 700 - top)
                size = f"{-(-wide // scale)},{-(-high // scale)}"
                assert (image / f"{left},{top},{wide},{high}/{size}/0/default.jpg").is_file(), (left, top, scale)


def test_a_page_shows_titles_as_text(publisher: Iiif, site: Path, tmp_path: Path) -> None:
    publisher.publish(publication(tmp_path, 1))
    page = (site / "HBF_001_05/index.html").read_text()
    assert "<h1>&lt;Letters&gt;</h1>" in page
    assert "<Letters>" not in page


def test_what_has_not_changed_is_left_and_what_is_gone_is_removed(publisher: Iiif, site: Path, tmp_path: Path) -> None:
    first = publisher.publish(publication(tmp_path, 1, 2))
    place = site / "HBF_001_05/images"
    times = {each.name: each.stat().st_mtime_ns for each in place.iterdir()}
    assert publisher.publish(publication(tmp_path, 1, 2)) == first
    assert {each.name: each.stat().st_mtime_ns for each in place.iterdir()} == times
    second = publisher.publish(publication(tmp_path, 1, 9))
    assert len(list(place.iterdir())) == 2
    assert len({each.name for each in place.iterdir()} & times.keys()) == 1
    assert list(publisher.check("HBF_001_05", second)) == []
    assert len(list(publisher.check("HBF_001_05", first))) == 4


def test_what_is_written_on_a_page_is_read_and_lies_beside_its_image(site: Path, tmp_path: Path) -> None:
    scan = tmp_path / "letter.tif"
    words = pyvips.Image.text("Annual Meeting 1943", dpi=300).invert().embed(60, 60, 900, 300, extend="white")
    words.tiffsave(str(scan))
    given = publication(tmp_path, 1)
    page = PublishedPage("p1", scan, 0, "Letter", hashlib.sha256(scan.read_bytes()).hexdigest())
    Iiif(site, URL, ImageProcess, partial(read_text, seconds=120)).publish(replace(given, pages=[page]))
    canvas = json.loads((site / "HBF_001_05/manifest.json").read_text())["items"][0]
    assert "Annual Meeting 1943" in canvas["annotations"][0]["items"][0]["body"]["value"]
    hocr = site / canvas["seeAlso"][0]["id"].removeprefix(f"{URL}/")
    assert "Meeting" in hocr.read_text()
    assert "ocr_page" in hocr.read_text()
    lines = json.loads((site / canvas["annotations"][1]["id"].removeprefix(f"{URL}/")).read_text())
    assert (lines["type"], lines["id"]) == ("AnnotationPage", canvas["annotations"][1]["id"])
    (line,) = (each for each in lines["items"] if "1943" in each["body"]["value"])
    target, _, place = line["target"].partition("#xywh=")
    left, top, width, height = map(int, place.split(","))
    assert (target, line["motivation"]) == (canvas["id"], "supplementing")
    assert 0 < left < left + width <= canvas["width"]
    assert 0 < top < top + height <= canvas["height"]
    search = json.loads((site / "HBF_001_05/text.json").read_text())
    assert [left, top, width, height, line["body"]["value"]] in search["pages"][0]


def test_a_site_that_moves_tells_its_new_address_everywhere(site: Path, tmp_path: Path) -> None:
    Iiif(site, URL, ImageProcess).publish(publication(tmp_path, 1))
    moved = Iiif(site, "https://new.example.org", ImageProcess).publish(publication(tmp_path, 1))
    texts = [each.read_text() for each in site.rglob("*") if each.suffix in {".json", ".html"}]
    assert len(texts) == 3
    assert not any(URL in each for each in texts)
    assert list(Iiif(site, "https://new.example.org", ImageProcess).check("HBF_001_05", moved)) == []


def test_what_pages_share_is_compared_as_well(publisher: Iiif, site: Path, tmp_path: Path) -> None:
    found = publisher.publish(publication(tmp_path, 1))
    (script,) = site.glob("@viewer/view-*.js")
    script.write_text("steal()")
    assert [each.rpartition(" is ")[2] for each in publisher.check("HBF_001_05", found)] == [
        "another than was published"
    ]
    publisher.publish(publication(tmp_path, 1))
    assert list(publisher.check("HBF_001_05", found)) == []


HOCR = """<html><body><div class='ocr_page' title='image "x"; bbox 0 0 100 90'>
<span class='ocr_line' title="bbox 10 20 60 32; baseline 0 -1"><span title='bbox 1 2 3 4'>Annual</span>
 <span class='ocrx_word'><strong>Meeting</strong> &amp;</span></span>
<span class='ocr_header other' title='textangle 90; bbox 5 6 7 9'>Page</span>
<span class='ocr_line' title='bbox 3 3 2 9'>backwards</span><span class='ocr_line'>nowhere</span>
<span class='ocr_line' title='bbox 1 1 2 2'> </span><span class='ocr_line' title='bbox 1 1 5 5'>cut"""


def test_lines_are_read_with_their_places() -> None:
    assert lines_of(HOCR) == (Line(10, 20, 50, 12, "Annual Meeting &"), Line(5, 6, 2, 3, "Page"))
    assert lines_of("") == ()


def test_a_failure_leaves_what_was_shown_before(publisher: Iiif, site: Path, tmp_path: Path) -> None:
    publisher.publish(publication(tmp_path, 1))
    before = (site / "HBF_001_05/manifest.json").read_bytes()
    bad = publication(tmp_path, 1)
    (tmp_path / "2.tif").write_bytes(b"II*\0")
    pages = [*bad.pages, PublishedPage("p2", tmp_path / "2.tif", 0, "bad", "0" * 64)]
    with pytest.raises(Exception, match=r"2\.tif"):
        publisher.publish(replace(bad, pages=pages))
    assert (site / "HBF_001_05/manifest.json").read_bytes() == before
    assert not list((site / "HBF_001_05").rglob(".new-*"))


def test_a_cmyk_page_is_shown_as_a_screen_has_it(publisher: Iiif, site: Path, tmp_path: Path) -> None:
    publisher.publish(publication(tmp_path, 1, **CMYK))
    with Image.open(site / "HBF_001_05/thumbnail.jpg") as shown:
        assert shown.mode == "RGB"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PublishingFailed, match="no folder"):
        Iiif(tmp_path / "unmounted", URL, ImageProcess).preflight()

"""Previews of scans, PDFs and large pictures: made by a process with limits, which what means harm cannot leave."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from muniment.archive import Archive
from muniment.errors.base import MunimentError
from muniment.errors.distillery import BadScan, ImagingFailed
from muniment.imaging import ImagingLimits
from muniment.server.pages import assets
from muniment.server.pages.previews import SIDE, Previews
from muniment.testing.scans import KINDS, write_hostile, write_scan
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

LITTLE = ImagingLimits(memory=1 << 30, seconds=5, pixels=1_000_000, pages=5, threads=1, output=1 << 20)


def _pdf(*objects: bytes) -> bytes:
    """A PDF of one page; the objects from the fourth on are the page's content and what that names."""
    head = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
    )
    body, places = b"%PDF-1.4\n", []
    for number, each in enumerate((*head, *objects), 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(places) + 1
    return body + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        count,
        table,
        count,
        len(body),
    )


def _stream(data: bytes, more: bytes = b"") -> bytes:
    packed = zlib.compress(data)
    return b"<</Length %d/Filter/FlateDecode%s>>\nstream\n%s\nendstream" % (len(packed), more, packed)


def _endless() -> bytes:
    """A PDF of two kilobytes whose drawing takes a hundred thousand million steps."""
    forms = []
    for level in range(11):
        again = b"/X Do " * 10 if level < 10 else b"0 0 200 200 re f "
        names = b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]"
        if level < 10:
            names += b"/Resources<</XObject<</X %d 0 R>>>>" % (level + 6)
        forms.append(_stream(again, names))
    return _pdf(_stream(b"/X Do"), *forms)


def _swollen() -> bytes:
    """A small PDF with a picture of ten thousand million pixels."""
    image = b"/Type/XObject/Subtype/Image/Width 100000/Height 100000/BitsPerComponent 8/ColorSpace/DeviceGray"
    return _pdf(_stream(b"200 0 0 200 0 0 cm /X Do"), _stream(bytes(50_000_000), image))


LARGE: Mapping[str, Mapping[str, Any]] = {
    "tif": {"tile": True, "pyramid": True, "subifd": True, "compression": "deflate"},
    "jp2": {"tile_width": 512, "tile_height": 512},
    "jpg": {"Q": 90},
}
"""Pictures larger than a preview, each kind with what smaller ones it holds."""
WIDE, HIGH = 4000, 2100


def _large(kind: str, **given: Any) -> bytes:
    """A picture that is red on the left and blue on the right."""
    import pyvips

    halves = [
        pyvips.Image.black(WIDE // 2, HIGH).bandjoin([0, 0]).linear(1, colour).cast("uchar")
        for colour in ((220, 20, 20), (20, 20, 220))
    ]
    image = halves[0].join(halves[1], "horizontal").copy(interpretation="srgb")
    found: bytes = image.write_to_buffer(f".{kind}", **given)
    return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("previews") / "archive"
    key = make_archive(place, redundancy=0)
    pages = [Image.new("RGB", (300, 400), colour) for colour in ("red", "blue")]
    document = io.BytesIO()
    pages[0].save(document, "PDF", save_all=True, append_images=pages[1:])
    large = io.BytesIO()
    Image.new("L", (5000, 2500), 128).save(large, "PNG")
    with Archive(place) as archive, archive.new("shown", "a/b") as made:
        for kind in KINDS:
            write_scan(place.parent / "scan.tif", **KINDS[kind])
            made.add((place.parent / "scan.tif").read_bytes(), f"{kind}.tif")
        made.add(document.getvalue(), "letter.pdf")
        made.add(large.getvalue(), "large.png")
        for kind, given in LARGE.items():
            made.add(_large(kind, **given), f"large.{kind}")
        made.add(large.getvalue()[:2000], "cut.png")
        made.add(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "drawing.tif")
        made.add(b"%PDF-1.4 nothing", "broken.pdf")
    with serving(place, key=key, serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def reader(shown: Running) -> Visitor:
    return Visitor(shown.url).sign_in(shown.key)


def _page(name: str, more: str = "") -> str:
    return f"/resources/shown/files/{name.replace(' ', '%20')}?project=a/b{more}"


def _picture(reader: Visitor, path: str) -> Image.Image:
    """The picture that a file's page shows."""
    page = reader.get(path)
    source = page.page.the("img").attributes["src"]
    answer = reader.get(source)
    assert answer.status == 200, (path, answer.status)
    assert answer.headers["content-type"] == "image/jpeg"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert reader.get(source, If_None_Match=answer.headers["etag"]).status == 304
    found = Image.open(io.BytesIO(answer.body))
    assert found.format == "JPEG"
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_scan_is_shown(kind: str, reader: Visitor) -> None:
    assert _picture(reader, _page(f"{kind}.tif")).size == (300, 200)


def test_a_pdf_is_shown_a_page_at_a_time(reader: Visitor) -> None:
    first = reader.get(_page("letter.pdf"))
    assert "page 1 of 2" in first.words
    following = next(each for each in first.page.every("a") if each.attributes.get("rel") == "next")
    second = _picture(reader, following.attributes["href"])
    assert second.height == SIDE
    red, _, blue = second.convert("RGB").getpixel((second.width // 2, second.height // 2))  # type: ignore[misc]
    assert (red < 50, blue > 200) == (True, True)
    assert "page 2 of 2" in reader.get(_page("letter.pdf", "&page=99999")).words


def test_a_large_picture_is_sent_as_a_small_one(reader: Visitor) -> None:
    assert _picture(reader, _page("large.png")).size == (SIDE, SIDE // 2)


@pytest.mark.parametrize("kind", [*LARGE, "png"])
def test_a_large_picture_is_had_part_by_part(kind: str, reader: Visitor) -> None:
    here = f"/resources/shown/tile/large.{kind}?project=a/b"
    whole = Image.open(io.BytesIO(reader.get(f"{here}&level=8&x=0&y=0").body))
    assert whole.width <= 256
    deepest = 13 if kind == "png" else 12
    corner = reader.get(f"{here}&level={deepest}&x=7&y=4")
    assert corner.headers["content-type"] == "image/jpeg"
    assert "sandbox" in corner.headers["content-security-policy"]
    size = (512, 2500 - 4 * 512) if kind == "png" else (WIDE - 7 * 512, HIGH - 4 * 512)
    picture = Image.open(io.BytesIO(corner.body))
    assert picture.size == size
    if kind != "png":
        red, _, blue = picture.convert("RGB").getpixel((10, 10))  # type: ignore[misc]
        assert (red < 80, blue > 180) == (True, True)
        middle = Image.open(io.BytesIO(reader.get(f"{here}&level=10&x=0&y=0").body)).convert("RGB")
        red, _, blue = middle.getpixel((10, 10))  # type: ignore[misc]
        assert (middle.size, red > 180, blue < 80) == ((512, 512), True, True)
    assert reader.get(f"{here}&level={deepest}&x=7&y=4", If_None_Match=corner.headers["etag"]).status == 304
    for beyond in ("level=12&x=99&y=0", "level=99&x=0&y=0", "level=14&x=0&y=0"):
        assert reader.get(f"{here}&{beyond}").status == 404, beyond


@pytest.mark.parametrize("name", ["drawing.tif", "broken.pdf", "letter.pdf", "cut.png"])
def test_what_has_no_parts_gives_none(name: str, reader: Visitor) -> None:
    assert reader.get(f"/resources/shown/tile/{name}?project=a/b&level=12&x=50&y=50").status == 404


def test_the_viewer_is_there_where_the_build_brought_it_and_the_picture_is_anyway(
    reader: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = reader.get(_page("large.jp2"))
    (viewer,) = page.page.every("m-viewer")
    assert (viewer.attributes["data-width"], viewer.attributes["data-height"]) == (str(WIDE), str(HIGH))
    assert reader.get(viewer.attributes["data-script"]).headers["content-type"].startswith("text/javascript")
    assert "trusted-types muniment default" in page.headers["content-security-policy"]
    assert page.page.the("img").attributes["src"]
    small = reader.get(_page("tiled.tif"))
    assert list(small.page.every("m-viewer")) == []
    assert "default;" not in small.headers["content-security-policy"].partition("trusted-types muniment")[2]
    plain = {name: data for name, data in assets.files().items() if name != assets.VIEWER}
    monkeypatch.setattr(assets, "files", lambda: plain)
    without = reader.get(_page("large.jp2"))
    assert list(without.page.every("m-viewer")) == []
    assert without.page.the("img").attributes["src"]


@pytest.mark.parametrize("name", ["drawing.tif", "broken.pdf"])
def test_what_is_not_what_its_name_says_is_not_shown_and_the_page_says_why(name: str, reader: Visitor) -> None:
    page = reader.get(_page(name))
    assert page.status == 200
    assert list(page.page.every("img")) == []
    assert "cannot be shown as a picture" in page.words
    assert reader.get(f"/resources/shown/picture/{name}?project=a/b").status == 404


def test_where_no_picture_can_be_made_a_page_shows_that_and_no_broken_one(reader: Visitor) -> None:
    page = reader.get("/resources/shown?project=a/b&show=drawing.tif")
    shown = next(
        src
        for each in page.page.every("img")
        if "drawing.tif" in (src := each.attributes["src"]) and "small" not in src
    )
    drawn = reader.get(shown)
    assert drawn.status == 200
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    assert "No picture can be made of this file." in drawn.text
    assert "no-store" in drawn.headers["cache-control"]
    assert "sandbox" in drawn.headers["content-security-policy"]
    small = reader.get(f"{shown}&small=1")
    assert small.status == 200
    assert "<text" in small.text
    assert reader.get("/resources/shown/picture/none.tif?project=a/b&stand_in=1").status == 404


def test_a_picture_that_ends_too_soon_fails_by_itself(reader: Visitor) -> None:
    assert reader.get(_page("cut.png")).status == 200
    assert reader.get("/resources/shown/picture/cut.png?project=a/b").status in {200, 404}
    assert _picture(reader, _page("large.png")).size == (SIDE, SIDE // 2)


@pytest.fixture(scope="module")
def previews() -> Iterator[Previews]:
    made = Previews(LITTLE, LITTLE)
    yield made
    made.close()


def test_drawings_without_end_are_ended_and_the_next_preview_is_made(previews: Previews, tmp_path: Path) -> None:
    good = write_scan(tmp_path / "good.tif")
    (tmp_path / "endless.pdf").write_bytes(_endless())
    with pytest.raises(ImagingFailed, match="seconds"):
        previews.picture(tmp_path / "endless.pdf", 1)
    assert previews.picture(good, 1).startswith(b"\xff\xd8\xff")


def test_what_swells_is_held_to_its_memory(previews: Previews, tmp_path: Path) -> None:
    (tmp_path / "swollen.pdf").write_bytes(_swollen())
    try:
        assert len(previews.picture(tmp_path / "swollen.pdf", 1)) < LITTLE.output
    except MunimentError as error:
        assert isinstance(error, BadScan | ImagingFailed)  # noqa: PT017 - either is right, a traceback is not
    assert previews.picture(write_scan(tmp_path / "good.tif"), 1).startswith(b"\xff\xd8\xff")


def test_hostile_scans_and_pictures_of_too_many_pixels_are_refused(previews: Previews, tmp_path: Path) -> None:
    Image.new("L", (2000, 2000)).save(tmp_path / "wide.png")
    with pytest.raises(BadScan, match="pixels"):
        previews.look(tmp_path / "wide.png")
    with pytest.raises(BadScan, match="pixels"):
        previews.picture(write_hostile(tmp_path / "hostile.tif"), 1)
    (tmp_path / "drawing.png").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    with pytest.raises(BadScan, match="no picture"):
        previews.look(tmp_path / "drawing.png")


def test_a_pipe_in_a_files_place_keeps_nobody_waiting(previews: Previews, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OSError, match="pipe"):
        previews.look(tmp_path / "pipe.png")

"""Scans become lossless JPEG 2000 in a process of their own; other programs judge what was made."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jpylyzer import jpylyzer
from PIL import Image

from muniment.errors.distillery import BadScan, ImagingFailed, NotLossless
from muniment.imaging import Description, ImageProcess, ImagingLimits, Lossless, jp2
from muniment.testing.scans import CMYK, FLOAT, KINDS, write_hostile, write_scan

SAID = Description("Letters & <notes> [image 0001]", "me5v_z1yp", "ARCH: Papers", "The Archives", "Não sabemos")


@pytest.fixture(scope="module")
def images() -> Iterator[ImageProcess]:
    with ImageProcess() as process:
        yield process


def lossless(images: ImageProcess, scan: Path, page: int = 0) -> tuple[Lossless, Path]:
    out = scan.with_name(f"{scan.stem}-{page}.jp2")
    return images.lossless(scan, page, out, scan.with_suffix(".icc"), SAID), out


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_scan_becomes_a_valid_reversible_jpeg_2000(
    kind: str, images: ImageProcess, tmp_path: Path
) -> None:
    scan = write_scan(tmp_path / "a.tif", **KINDS[kind])
    found = images.inspect(scan)
    assert len(found.pages) == KINDS[kind].get("pages", 1)
    for page in range(len(found.pages)):
        made, out = lossless(images, scan, page)
        judged = jpylyzer.checkOneFile(str(out))
        assert judged.findtext("isValid") == "True"
        assert (made.transformation, made.quantization) == ("5-3 reversible", "no quantization")
        assert (made.width, made.height) == (300, 200)


@pytest.mark.parametrize("kind", ["gray of 8 bits", "colour of 8 bits", "colour with alpha", "tiled", "several pages"])
def test_another_program_decodes_the_same_pixels(kind: str, images: ImageProcess, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "a.tif", **KINDS[kind])
    for page in range(len(images.inspect(scan).pages)):
        _, out = lossless(images, scan, page)
        with Image.open(scan) as before, Image.open(out) as after:
            before.seek(page)
            assert before.tobytes() == after.tobytes()
            assert before.mode == after.mode


def test_pages_of_one_scan_are_told_apart(images: ImageProcess, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "a.tif", **KINDS["several pages"])
    assert len({lossless(images, scan, page)[0].pixels for page in range(3)}) == 3


def test_the_same_scan_gives_the_same_file_twice(images: ImageProcess, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "a.tif")
    first = lossless(images, scan)[1].read_bytes()
    assert lossless(images, scan)[1].read_bytes() == first


def test_the_description_stands_in_the_file_as_xmp(images: ImageProcess, tmp_path: Path) -> None:
    _, out = lossless(images, write_scan(tmp_path / "a.tif"))
    judged = jpylyzer.checkOneFile(str(out))
    text = jp2.xmp_of(out).decode()
    assert "Letters &amp; &lt;notes&gt; [image 0001]" in text
    assert "me5v_z1yp" in text
    assert judged.findtext(".//{*}rights//{*}li") == "Não sabemos"


def test_a_profile_is_embedded_where_the_format_has_room_for_it(images: ImageProcess, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "a.tif", **KINDS["with a profile"])
    made, out = lossless(images, scan)
    assert made.profile in {"embedded", "beside"}
    with Image.open(scan) as before:
        given = before.info["icc_profile"]
    judged = jpylyzer.checkOneFile(str(out))
    if made.profile == "embedded":
        assert judged.findtext(".//meth") == "Restricted ICC"
        assert given in out.read_bytes()
    else:
        assert scan.with_suffix(".icc").read_bytes() == given


@pytest.mark.parametrize("kind", [CMYK, FLOAT])
def test_what_the_format_has_no_word_for_is_refused_with_the_reason(
    kind: dict[str, Any], images: ImageProcess, tmp_path: Path
) -> None:
    scan = write_scan(tmp_path / "a.tif", **kind)
    assert images.inspect(scan).obstacle
    with pytest.raises(BadScan, match=r"CMYK|float"):
        lossless(images, scan)
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


def test_a_cut_scan_is_named_and_leaves_nothing(images: ImageProcess, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "a.tif", compression="lzw", width=900, height=900)
    whole = scan.read_bytes()
    data = bytearray(whole)
    data[2000:-3000] = b"\xff" * (len(data) - 5000)
    scan.write_bytes(data)
    with pytest.raises(BadScan, match=r"a\.tif"):
        lossless(images, scan)
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("data", [b"", b"II", b"<svg/>", b"\xff\xd8\xff", b"II*\0\xff\xff\xff\xff", b"%!PS"])
def test_what_is_no_tiff_is_refused(data: bytes, images: ImageProcess, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(BadScan):
        images.inspect(tmp_path / "a.tif")


def test_a_trillion_pixels_are_refused_by_their_number(images: ImageProcess, tmp_path: Path) -> None:
    with pytest.raises(BadScan, match=r"pixels|bad|large|size|strip"):
        images.inspect(write_hostile(tmp_path / "a.tif"))
    write_scan(tmp_path / "good.tif")
    assert images.inspect(tmp_path / "good.tif").pages


def test_a_scan_over_the_limit_of_pixels_or_pages_is_refused(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.tif")
    write_scan(tmp_path / "b.tif", width=20, height=20, pages=5)
    with ImageProcess(ImagingLimits(pixels=1000, pages=4)) as images:
        with pytest.raises(BadScan, match="1000 are allowed"):
            images.inspect(tmp_path / "a.tif")
        with pytest.raises(BadScan, match="5 pages"):
            images.inspect(tmp_path / "b.tif")


def test_a_process_that_takes_too_long_is_ended_and_another_begun(tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "a.tif", width=3000, height=3000)
    with ImageProcess(ImagingLimits(seconds=0.001)) as images, pytest.raises(ImagingFailed, match="seconds"):
        lossless(images, scan)
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


def test_a_process_that_dies_is_begun_anew(images: ImageProcess, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "a.tif")
    images.inspect(scan)
    assert images._process is not None
    images._process.kill()
    with pytest.raises(ImagingFailed):
        images.inspect(scan)
    assert images.inspect(scan).pages


def test_an_altered_pixel_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyvips

    from muniment.imaging import worker

    scan = write_scan(tmp_path / "a.tif")
    images = worker.Images(pyvips, {"pixels": 10**9, "pages": 10})
    original, calls = images._open, []

    def open_altered(path: str, page: int) -> Any:
        calls.append(page)
        image = original(path, page)
        return image if len(calls) > 1 else image.linear(1, [0, 0, 1]).cast("uchar").copy(interpretation="srgb")

    monkeypatch.setattr(images, "_open", open_altered)
    given = {"title": "t", "identifier": "i", "source": "s", "publisher": "p", "rights": "r"}
    with pytest.raises(NotLossless, match="pixels"):
        images.lossless(str(scan), 0, str(tmp_path / "o.jp2"), str(tmp_path / "o.icc"), given)


def test_tiles_and_jpegs_can_be_shown(images: ImageProcess, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "a.tif", width=1300, height=700, **CMYK)
    assert images.tiles(scan, 0, tmp_path / "t", id="https://iiif.example.org") == (1300, 700)
    assert (tmp_path / "t/info.json").is_file()
    assert images.jpeg(scan, 0, tmp_path / "o.jpg", width=200, height=200) == (200, 108)
    with Image.open(io.BytesIO((tmp_path / "o.jpg").read_bytes())) as shown:
        assert (shown.size, shown.mode) == ((200, 108), "RGB")


def test_whatever_a_scan_holds_the_process_answers_or_is_begun_anew(images: ImageProcess, tmp_path: Path) -> None:
    whole = write_scan(tmp_path / "whole.tif", compression="deflate", tile=True, **KINDS["several pages"]).read_bytes()
    chance = random.Random(17)
    refused = 0
    for number in range(40):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 4, 30))):
            # The directory of a TIFF and what it points to decide; they lie at both ends.
            at = chance.randrange(400) if chance.random() < 0.5 else len(data) - 1 - chance.randrange(600)
            data[at] = chance.randrange(256)
        scan = tmp_path / f"{number}.tif"
        scan.write_bytes(data)
        try:
            for page in range(min(3, len(images.inspect(scan).pages))):
                lossless(images, scan, page)
        except (BadScan, NotLossless, ImagingFailed):
            refused += 1
            assert not scan.with_name(f"{scan.stem}-0.jp2.raw.jp2").exists()
    assert refused
    assert images.inspect(tmp_path / "whole.tif").pages

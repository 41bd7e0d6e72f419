"""The process in which scans are read and images are made: `python -m muniment.imaging.worker`.

It is given its limits first, one JSON line, and then a JSON line for each thing to do; it answers each with one. It
holds itself to the limits before the imaging library is loaded, knows no network, and may be killed at any time: what
it writes is complete only when it has answered.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment.errors.base import MunimentError
from muniment.errors.distillery import BadScan, NotLossless
from muniment.imaging import jp2, xmp
from muniment.imaging.scans import Page

if TYPE_CHECKING:
    import pyvips

_MAGIC = frozenset({b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"})
"""TIFF 6.0 and BigTIFF, in both orders of bytes."""
_STRIP = 64
"""Rows decoded at a time when pixels are compared."""
_JP2 = b"\0\0\0\x0cjP  "
_TILE = 512
_STANDARDS = {"1": "ISO/IEC 15444-1, Profile 0", "2": "ISO/IEC 15444-1, Profile 1"}
"""What a code stream says it keeps to, where that is more than the standard itself (ISO 15444-1 A.5.1)."""
_LOSSY = 48
"""How much of a page is kept for the screen, as the imaging library counts it."""
_BEGINNING = 16
_MARKS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"%PDF-": "pdf",
    _JP2: "jp2k",
}
"""How files begin that previews are made of, beside TIFF and WebP, and what reads them. SVG is not among them."""
_OF_PAGES = ("tiff", "pdf")
"""What has pages; of what moves the first frame is shown."""
_QUALITY = 82
_LARGEST_SCALE = 8.0
"""How much larger than on paper, at 72 pixels an inch, a page of a PDF is drawn at the most."""
_GRAY = 2
"""Bands of a gray page, with its alpha."""


def main() -> None:
    """Hold to the limits, and do what is asked until nothing more is."""
    given = json.loads(sys.stdin.readline())
    _limit(given)
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(_answered(json.loads(line), given)) + "\n")
        answers.flush()


def _answered(wanted: dict[str, Any], limits: Mapping[str, object]) -> dict[str, object]:
    try:
        import pyvips  # noqa: PLC0415 - within the limits, and it may not be there
    except (ImportError, OSError) as error:
        return {"error": "ImagingLibraryMissing", "details": {"reason": str(error).splitlines()[0][:200]}}
    pyvips.cache_set_max(0)
    task: Callable[..., Any] = getattr(Images(pyvips, limits), wanted.pop("do"))
    return _answer(task, wanted, pyvips.Error)


def _answer(task: Callable[..., Any], wanted: dict[str, Any], failure: type[Exception]) -> dict[str, object]:
    name = Path(wanted["path"]).name
    try:
        return {"found": task(**wanted)}
    except MunimentError as error:
        return {"error": type(error).__name__, "details": error.details}
    except MemoryError:
        reason = "it needs more memory than it may have"
    except failure as error:
        reason = " ".join(str(error).split())[:500]
    except OSError as error:
        reason = error.strerror or type(error).__name__
    return {"error": "BadScan", "details": {"name": name, "reason": reason}}


def _limit(given: Mapping[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (given["memory"], given["memory"]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    if given["output"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (given["output"], given["output"]))


class Images:
    """What can be done with a scan. `vips` is the imaging library, loaded within the limits."""

    def __init__(self, vips: Any, limits: Mapping[str, Any]) -> None:
        self._vips = vips
        self._pixels = int(limits["pixels"])
        self._pages = int(limits["pages"])

    def inspect(self, path: str) -> dict[str, object]:
        """The pages of a TIFF, by their headers.

        Raises:
            BadScan: It is none, or exceeds a limit.
        """
        first = self._open(path, 0)
        count = first.get("n-pages") if "n-pages" in first.get_fields() else 1
        if count > self._pages:
            raise BadScan(name=Path(path).name, reason=f"it has {count} pages, and {self._pages} are allowed")
        return {"pages": [_page(self._open(path, each) if each else first) for each in range(count)]}

    def lossless(self, path: str, page: int, out: str, beside: str, description: dict[str, str]) -> dict[str, object]:
        """Make a lossless JPEG 2000 of a page, and prove it: its pixels, and its form by jpylyzer.

        `beside` is where the page's ICC profile goes when the format cannot hold it.

        Raises:
            BadScan: The page cannot be one.
            NotLossless: What was made differs.
        """
        from jpylyzer import jpylyzer  # noqa: PLC0415 - few tasks need it

        name = Path(path).name
        image = self._open(path, page)
        facts = Page(**_page(image))
        if facts.obstacle:
            raise BadScan(name=name, reason=facts.obstacle)
        target, raw = Path(out), Path(f"{out}.raw.jp2")
        image.jp2ksave(str(raw), lossless=True, tile_width=_TILE, tile_height=_TILE)
        profile = bytes(image.get("icc-profile-data")) if facts.profile else b""
        packet = xmp.packet(xmp.Description(**description))
        alpha = facts.bands - 1 if facts.bands in {2, 4} else None
        jp2.complete(raw, target, packet, profile=profile, alpha=alpha)
        judged = jpylyzer.checkOneFile(str(target))
        where = "embedded" if profile else "none"
        if profile and judged.findtext("isValid") != "True":
            # The format has room for simple profiles only.
            where = "beside"
            jp2.complete(raw, target, packet, alpha=alpha)
            judged = jpylyzer.checkOneFile(str(target))
            Path(beside).write_bytes(profile)
        if judged.findtext("isValid") != "True":
            raise NotLossless(name=name, reason="jpylyzer does not find it valid")
        raw.unlink()
        pixels = self._digest(self._open(path, page))
        made = self._digest(self._vips.Image.jp2kload(str(target), access="sequential"))
        if pixels != made:
            raise NotLossless(name=name, reason="their pixels are not the same")
        found = {
            "width": facts.width,
            "height": facts.height,
            "pixels": pixels,
            "standard": _STANDARDS.get(judged.findtext(".//rsiz") or "", "ISO/IEC 15444-1"),
            "transformation": judged.findtext(".//transformation") or "",
            "quantization": judged.findtext(".//qStyle") or "",
            "profile": where,
        }
        if found["transformation"] != "5-3 reversible" or found["quantization"] != "no quantization":
            raise NotLossless(name=name, reason=f"it is {found['transformation']}, {found['quantization']}")
        return found

    def jpeg(
        self,
        path: str,
        page: int,
        out: str,
        width: int,
        height: int,
        quality: int,
        description: dict[str, str] | None = None,
    ) -> dict[str, object]:
        """Make a JPEG of a page that fits into so many pixels, with its description in it where one is given.

        Raises:
            BadScan: The page cannot be read.
        """
        image = self._shown(path, page)
        scale = min(1.0, width / image.width, height / image.height)
        made = image.resize(scale) if scale < 1 else image
        made = made.copy()
        for field in [each for each in made.get_fields() if each.endswith("-data")]:
            made.remove(field)
        if description is not None:
            made.set_type(self._vips.GValue.blob_type, "xmp-data", xmp.packet(xmp.Description(**description)))
        made.jpegsave(out, Q=quality, strip=description is None, optimize_coding=True)
        return {"width": made.width, "height": made.height}

    def lossy(self, path: str, page: int, out: str, description: dict[str, str]) -> dict[str, object]:
        """Make a small JPEG 2000 of a page for the screen, with its description in it.

        Raises:
            BadScan: The page cannot be read.
        """
        image, raw = self._shown(path, page), Path(f"{out}.raw.jp2")
        image.jp2ksave(str(raw), Q=_LOSSY, tile_width=_TILE, tile_height=_TILE)
        jp2.complete(raw, Path(out), xmp.packet(xmp.Description(**description)))
        raw.unlink()
        return {"width": image.width, "height": image.height}

    def plain(self, path: str, page: int, out: str) -> dict[str, object]:
        """Make an uncompressed TIFF of a page as a screen shows it: what programs that read text are given.

        Raises:
            BadScan: The page cannot be read.
        """
        image = self._shown(path, page)
        image.tiffsave(out, compression="none", strip=True)
        return {"width": image.width, "height": image.height}

    def tiles(self, path: str, page: int, out: str, id: str, tile: int) -> dict[str, object]:
        """Cut a page into the files of a IIIF Image API 3 service of level 0, in a new folder `out`.

        Raises:
            BadScan: The page cannot be read.
        """
        image = self._shown(path, page)
        image.dzsave(out, layout="iiif3", tile_size=tile, id=id, suffix=".jpg[Q=85]", overlap=0)
        return {"width": image.width, "height": image.height}

    def look(self, path: str) -> dict[str, Any]:
        """Pages, width and height of a picture or a PDF of any kind that previews are made of, by its header.

        Raises:
            BadScan: It is none, or exceeds a limit.
        """
        image = self._open_picture(path, 0)
        paged = "n-pages" in image.get_fields() and str(image.get("vips-loader")).startswith(_OF_PAGES)
        count = int(image.get("n-pages")) if paged else 1
        return {"pages": min(count, self._pages), "width": image.width, "height": image.height}

    def preview(self, path: str, page: int, out: str, side: int) -> dict[str, Any]:
        """Make a JPEG of a page of a picture or a PDF that fits into a square; nothing else of it is kept.

        Raises:
            BadScan: The page cannot be read.
        """
        image = self._open_picture(path, page, side)
        scale = min(1.0, side / image.width, side / image.height)
        made = self._on_screen(image.resize(scale) if scale < 1 else image)
        made.jpegsave(out, Q=_QUALITY, strip=True)
        return {"width": made.width, "height": made.height}

    def region(self, path: str, page: int, out: str, box: list[int], wide: int) -> dict[str, Any]:
        """Make a JPEG, `wide` pixels wide, of a part of a picture's page: left, top, width and height in its pixels.

        What a picture holds smaller beside itself (a JPEG 2000 always, a TIFF as sub-images, a JPEG by its nature)
        is read in its place.

        Raises:
            BadScan: The page cannot be read, or does not reach so far.
        """
        left, top, width, height = box
        whole = self._open_picture(path, page)
        if min(left, top) < 0 or min(width, height) < 1 or left + width > whole.width or top + height > whole.height:
            raise BadScan(name=Path(path).name, reason=f"it has {whole.width} by {whole.height} pixels")
        image = self._smaller(path, page, whole, width / wide)
        across, down = image.width / whole.width, image.height / whole.height
        left, top = min(int(left * across), image.width - 1), min(int(top * down), image.height - 1)
        part = image.crop(
            left,
            top,
            max(min(round(width * across), image.width - left), 1),
            max(min(round(height * down), image.height - top), 1),
        )
        made = self._on_screen(part.thumbnail_image(wide, height=max(round(wide * height / width), 1), size="force"))
        made.jpegsave(out, Q=_QUALITY, strip=True)
        return {"width": made.width, "height": made.height}

    def _smaller(self, path: str, page: int, whole: pyvips.Image, ratio: float) -> pyvips.Image:
        """The picture at the smallest size it is held in that is no smaller than `ratio` wants."""
        kind = str(whole.get("vips-loader"))
        given: dict[str, Any] = {"access": "sequential"}
        if kind.startswith("jpegload"):
            shrink = max(each for each in (1, 2, 4, 8) if each <= max(ratio, 1))
            return self._vips.Image.jpegload(path, shrink=shrink, **given)
        if kind.startswith("jp2kload"):
            count = int(whole.get("n-pages")) if "n-pages" in whole.get_fields() else 1
            level = max(each for each in range(count) if 2**each <= max(ratio, 1))
            return self._vips.Image.jp2kload(path, page=level, **given)
        if kind.startswith("tiffload") and "n-subifds" in whole.get_fields():
            for each in reversed(range(int(whole.get("n-subifds")))):
                image = self._vips.Image.tiffload(path, page=page, subifd=each, **given)
                if whole.width / image.width <= ratio:
                    return image
        return whole

    def _open_picture(self, path: str, page: int, side: int = 0) -> pyvips.Image:
        """A page of a picture or PDF, told by its first bytes, never by its name; not much larger than `side` wants.

        Raises:
            BadScan: It is none of the kinds there are loaders for, or has too many pixels.
        """
        name = Path(path).name
        with Path(path).open("rb") as file:
            kind = _kind(file.read(_BEGINNING))
        if not kind:
            raise BadScan(name=name, reason="its first bytes are those of no picture that is shown here")
        load = getattr(self._vips.Image, f"{kind}load")
        given: dict[str, Any] = {} if kind == "pdf" else {"access": "sequential"}
        if kind in _OF_PAGES:
            given["page"] = page
        image = load(path, **given)
        if kind == "pdf":
            # A PDF has no pixels of its own: its page is drawn as large as it is wanted, and no larger.
            longest = max(image.width, image.height)
            scale = (side or longest) / longest
            return load(path, page=page, scale=min(scale, _LARGEST_SCALE))
        self._within(image, name)
        if kind == "jpeg" and side:
            shrink = max((each for each in (1, 2, 4, 8) if max(image.width, image.height) >= side * each), default=1)
            image = load(path, shrink=shrink, **given)
        return image

    def _shown(self, path: str, page: int) -> pyvips.Image:
        """A page as a screen shows it."""
        return self._on_screen(self._open_any(path, page))

    def _on_screen(self, image: pyvips.Image) -> pyvips.Image:
        """An image as a screen shows it: sRGB of 8 bits, without alpha."""
        if "icc-profile-data" in image.get_fields():
            image = image.icc_transform("srgb", embedded=True)
        elif image.interpretation == "cmyk":
            image = image.icc_transform("srgb", input_profile="cmyk")
        elif image.interpretation not in {"b-w", "srgb"}:
            image = image.colourspace("b-w" if image.bands <= _GRAY else "srgb")
        if image.hasalpha():
            image = image.flatten(background=255)
        if image.format != "uchar":
            image = image.cast("uchar")
        return image

    def _open_any(self, path: str, page: int) -> pyvips.Image:
        """A page of a TIFF, or a JPEG 2000 that was made of one.

        Raises:
            BadScan: It is neither, or has too many pixels.
        """
        with Path(path).open("rb") as file:
            if file.read(len(_JP2)) != _JP2:
                return self._open(path, page)
        image = self._vips.Image.jp2kload(path, access="sequential")
        return self._within(image, Path(path).name)

    def _open(self, path: str, page: int) -> pyvips.Image:
        """A page by its header; pixels are read as they are asked for, from the top down.

        Raises:
            BadScan: It is no TIFF, or has too many pixels.
        """
        name = Path(path).name
        with Path(path).open("rb") as file:
            if file.read(4) not in _MAGIC:
                raise BadScan(name=name, reason="it is no TIFF")
        image = self._vips.Image.tiffload(path, page=page, access="sequential", fail_on="error")
        return self._within(image, name)

    def _within(self, image: pyvips.Image, name: str) -> pyvips.Image:
        if image.width * image.height > self._pixels:
            pixels = f"{image.width} by {image.height}"
            raise BadScan(name=name, reason=f"it has {pixels} pixels, and {self._pixels} are allowed")
        return image

    def _digest(self, image: pyvips.Image) -> str:
        """The sha256 of kind, shape and numbers, decoded a strip at a time."""
        digest = hashlib.sha256(f"{image.format} {image.width} {image.height} {image.bands}\n".encode())
        region = self._vips.Region.new(image)
        for top in range(0, image.height, _STRIP):
            digest.update(region.fetch(0, top, image.width, min(_STRIP, image.height - top)))
        return digest.hexdigest()


def _kind(beginning: bytes) -> str:
    """Which loader reads a file that begins so; '' for none."""
    if beginning[:4] in _MAGIC:
        return "tiff"
    if beginning.startswith(b"RIFF"):
        return "webp" if beginning[8:12] == b"WEBP" else ""
    return next((kind for mark, kind in _MARKS.items() if beginning.startswith(mark)), "")


def _page(image: pyvips.Image) -> dict[str, Any]:
    profile = len(image.get("icc-profile-data")) if "icc-profile-data" in image.get_fields() else 0
    return {
        "width": image.width,
        "height": image.height,
        "bands": image.bands,
        "format": str(image.format),
        "space": str(image.interpretation),
        "profile": profile,
    }


if __name__ == "__main__":
    main()

"""Writes a static IIIF site: a manifest, an image service of level 0 for each page, and a page to look at it.

Any web server may serve the folder, and any IIIF viewer read it (Presentation 3.0, Image 3.0). Images are named after
their scans' content, so what has not changed is not made again; the manifest is exchanged in one step, after all it
names is there, and what it names no more is removed after that.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from muniment.errors.distillery import PublishingFailed
from muniment.imaging import ImageProcess
from muniment.imaging.text import ReadText, no_text
from muniment.publishers.iiif.image import LINES, Image, lines_of
from muniment.publishers.iiif.manifest import MANIFEST, PAGE, THUMBNAIL, canvas_of, manifest, text_annotations
from muniment.publishers.iiif.page import SEARCH, SHARED, page_of, search_text, shared
from muniment.publishers.protocol import Publication, PublishedAt, PublishedPage, Publisher

_NEW = ".new-"
"""How the names of what is not finished begin."""
TEXT, HOCR = "text.txt", "text.hocr"
_TILE = 512
_SMALL, _MIDDLE, _LARGEST_JPEG = 200, 1024, 65_500
_STAMP = 12


class Iiif(Publisher):
    """Publishes below a folder that is seen at an address."""

    def __init__(
        self,
        folder: Path,
        url: str,
        open_images: Callable[[], ImageProcess],
        read_text: ReadText = no_text,
    ) -> None:
        """`open_images` makes a process that reads scans; `read_text` reads what is written on a page."""
        self._read_text = read_text
        self._folder = folder
        self._url = url.rstrip("/")
        self._open_images = open_images

    def preflight(self) -> None:
        """Look whether the folder is there and can be written to.

        Raises:
            PublishingFailed: It is not.
        """
        if not self._folder.is_dir() or not os.access(self._folder, os.W_OK | os.X_OK):
            raise PublishingFailed(id="anything", reason=f"{self._folder} is no folder that can be written to")

    def prepare(self, publication: Publication) -> None:
        """A site has no collections."""

    def publish(self, publication: Publication) -> PublishedAt:
        """Make what is new, exchange the manifest, and remove what it names no more.

        Raises:
            PublishingFailed: It was not done.
        """
        self.preflight()
        name = quote(publication.id, safe="")
        place, url = self._folder / name, f"{self._url}/{quote(name, safe='')}"
        try:
            (place / "images").mkdir(parents=True, exist_ok=True)
            _remove_unfinished(place)
            with self._open_images() as images:
                made = [self._image(images, place, url, page) for page in publication.pages]
                self._thumbnail(images, place, publication)
            self._share(place)
            text = search_text(made)
            if text is not None:
                _write(place / SEARCH, text)
            _write(place / PAGE, page_of(publication, made, self._url).encode())
            _write(place / MANIFEST, manifest(publication, made, url))
            if text is None:
                (place / SEARCH).unlink(missing_ok=True)
            _remove_others(place / "images", {image.name for image in made})
            found = {**dict(_digests(place)), **dict(_shared_digests(self._folder, shared()))}
            return PublishedAt(f"{url}/{PAGE}", f"{url}/{THUMBNAIL}", found, f"{url}/{MANIFEST}")
        except OSError as error:
            raise PublishingFailed(id=publication.id, reason=error.strerror or str(error)) from error

    def check(self, id: str, expected: PublishedAt) -> Iterator[str]:
        """Compare what is in the folder with what was published.

        Raises:
            PublishingFailed: It cannot be read.
        """
        try:
            found = dict(_digests(self._folder / quote(id, safe="")))
            used = [each.rpartition("/")[2] for each in expected.files if each.startswith(f"../{SHARED}/")]
            found |= dict(_shared_digests(self._folder, used))
        except OSError as error:
            raise PublishingFailed(id=id, reason=error.strerror or str(error)) from error
        for path in sorted(expected.files.keys() | found.keys()):
            if path not in found:
                yield f"{path} is missing"
            elif path not in expected.files:
                yield f"{path} was not published"
            elif found[path] != expected.files[path]:
                yield f"{path} is another than was published"

    # --- inside

    def _share(self, place: Path) -> None:
        """Put what all pages share into the site, where it is not there yet as it should be."""
        for name, data in shared().items():
            target = self._folder / SHARED / name
            if not target.is_file() or target.read_bytes() != data:
                target.parent.mkdir(exist_ok=True)
                _write(target, data, place)

    def _image(self, images: ImageProcess, place: Path, url: str, page: PublishedPage) -> Image:
        name = f"{page.id}-{page.sha256[:_STAMP]}"
        target, address = place / "images" / name, f"{url}/images/{name}"
        # A description tells its own address: a site that has moved needs another.
        if not (target / "info.json").is_file() or _info(target)["id"] != address:
            fresh = place / "images" / f"{_NEW}{secrets.token_hex(6)}"
            try:
                width, height = images.tiles(page.scan, page.page, fresh, id=f"{url}/images", tile=_TILE)
                self._make_whole(images, fresh, page, address, width, height)
                self._write_text(images, fresh, page)
                made = _made(fresh, address, page)
                if made.lines:
                    (fresh / LINES).write_bytes(text_annotations(made, canvas_of(url, page)))
                shutil.rmtree(target, ignore_errors=True)
                fresh.rename(target)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        return _made(target, address, page)

    def _write_text(self, images: ImageProcess, fresh: Path, page: PublishedPage) -> None:
        """Keep the text of a page beside its image, where it can be read."""
        plain = fresh / "plain.tif"
        images.plain(page.scan, page.page, plain)
        try:
            read = self._read_text(plain, fresh)
        finally:
            plain.unlink()
        if read is not None and read.text.strip():
            (fresh / TEXT).write_text(read.text, "utf-8")
            (fresh / HOCR).write_text(read.hocr, "utf-8")

    @staticmethod
    def _make_whole(
        images: ImageProcess, fresh: Path, page: PublishedPage, address: str, width: int, height: int
    ) -> None:
        """Make the whole image in a few sizes, and the description that names them."""
        sizes: dict[tuple[int, int], None] = {}
        for most in (_SMALL, _MIDDLE, min(max(width, height), _LARGEST_JPEG)):
            out = fresh / "whole.jpg"
            size = images.jpeg(page.scan, page.page, out, width=most, height=most, quality=85)
            names = [f"{size[0]},{size[1]}", *(["max"] if size == (width, height) else [])]
            for each in names:
                folder = fresh / "full" / each / "0"
                folder.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    os.link(out, folder / "default.jpg")
            out.unlink()
            sizes[size] = None
        info = _info(fresh)
        info |= {"id": address, "sizes": [{"width": wide, "height": high} for wide, high in sizes]}
        (fresh / "info.json").write_text(json.dumps(info, indent=1), "utf-8")
        (fresh / "vips-properties.xml").unlink(missing_ok=True)

    @staticmethod
    def _thumbnail(images: ImageProcess, place: Path, publication: Publication) -> None:
        if not publication.pages:
            raise PublishingFailed(id=publication.id, reason="it has no pages")
        first, fresh = publication.pages[0], place / f"{_NEW}{secrets.token_hex(6)}.jpg"
        try:
            images.jpeg(first.scan, first.page, fresh, width=_SMALL, height=_SMALL)
            fresh.replace(place / THUMBNAIL)
        finally:
            fresh.unlink(missing_ok=True)


def _info(folder: Path) -> dict[str, Any]:
    """The description of the image service in a folder."""
    found: dict[str, Any] = json.loads((folder / "info.json").read_text("utf-8"))
    return found


def _made(folder: Path, address: str, page: PublishedPage) -> Image:
    """What a folder of tiles and text holds."""
    info = _info(folder)
    sizes = tuple((int(each["width"]), int(each["height"])) for each in info["sizes"])
    text, hocr = page.text, page.hocr
    if (folder / TEXT).is_file():
        text = (folder / TEXT).read_text("utf-8")
    if (folder / HOCR).is_file():
        hocr = (folder / HOCR).read_text("utf-8")
    seen = f"{address}/{HOCR}" if (folder / HOCR).is_file() else ""
    return Image(address, int(info["width"]), int(info["height"]), sizes, text, seen, lines_of(hocr))


def _write(target: Path, data: bytes, place: Path | None = None) -> None:
    """Exchange a file in one step; until then it lies in `place`, a publication's folder, unfinished."""
    fresh = (place or target.parent) / f"{_NEW}{secrets.token_hex(6)}"
    try:
        with fresh.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _remove_unfinished(place: Path) -> None:
    """Remove what a process that was ended left in a publication's folder: one publishes there at a time."""
    for each in place.glob(f"{_NEW}*"):
        each.unlink()


def _remove_others(folder: Path, names: set[str]) -> None:
    for each in list(folder.iterdir()):
        if each.name not in names:
            shutil.rmtree(each, ignore_errors=True)


def _digests(place: Path) -> Iterator[tuple[str, str]]:
    """Path and sha256 of each file, and of each image the sha256 over all its files."""
    for name in (MANIFEST, PAGE, SEARCH, THUMBNAIL):
        if (place / name).is_file():
            yield name, _sha256(place / name)
    for image in sorted((place / "images").iterdir()) if (place / "images").is_dir() else ():
        whole = hashlib.sha256()
        for path in sorted(each for each in image.rglob("*") if each.is_file()):
            whole.update(f"{path.relative_to(image)} {_sha256(path)}\n".encode())
        yield f"images/{image.name}", whole.hexdigest()


def _shared_digests(site: Path, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The same of what pages share, by its path from a publication's folder."""
    for name in names:
        if (site / SHARED / name).is_file():
            yield f"../{SHARED}/{name}", _sha256(site / SHARED / name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

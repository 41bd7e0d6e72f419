"""A static IIIF site in a folder: a manifest, an image service of level 0 for each page, and a page to look at it.

Any web server may serve the folder, and any IIIF viewer read it (Presentation 3.0, Image 3.0). Images are named after
their scans' content, so what has not changed is not made again; the manifest is exchanged in one step, after all it
names is there, and what it names no more is removed after that.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from muniment.errors.distillery import PublishingFailed
from muniment.imaging import ImageProcess
from muniment.imaging.text import ReadText, no_text
from muniment.publishers.protocol import Publication, PublishedAt, PublishedPage, Publisher

MANIFEST, PAGE, THUMBNAIL = "manifest.json", "index.html", "thumbnail.jpg"
TEXT, HOCR = "text.txt", "text.hocr"
_CONTEXT = "http://iiif.io/api/presentation/3/context.json"
_TILE = 512
_SMALL, _MIDDLE, _LARGEST_JPEG = 200, 1024, 65_500
_STAMP = 12


@dataclass(frozen=True, slots=True)
class _Image:
    """A page's image service: its address, its pixels, and the sizes that can be had whole."""

    url: str
    width: int
    height: int
    sizes: tuple[tuple[int, int], ...]
    text: str = ""
    hocr: str = ""
    """The address of the text with its places."""

    def whole(self, size: tuple[int, int]) -> str:
        """The address of the whole image in one of its sizes."""
        named = "max" if size == (self.width, self.height) else f"{size[0]},{size[1]}"
        return f"{self.url}/full/{named}/0/default.jpg"


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
            with self._open_images() as images:
                made = [self._image(images, place, url, page) for page in publication.pages]
                self._thumbnail(images, place, publication)
            _write(place / PAGE, _page(publication, made, f"{url}/{MANIFEST}").encode())
            _write(place / MANIFEST, _manifest(publication, made, url))
            _remove_others(place / "images", {image.url.rpartition("/")[2] for image in made})
            return PublishedAt(f"{url}/{PAGE}", f"{url}/{THUMBNAIL}", dict(_digests(place)))
        except OSError as error:
            raise PublishingFailed(id=publication.id, reason=error.strerror or str(error)) from error

    def check(self, id: str, expected: PublishedAt) -> Iterator[str]:
        """Compare what is in the folder with what was published.

        Raises:
            PublishingFailed: It cannot be read.
        """
        try:
            found = dict(_digests(self._folder / quote(id, safe="")))
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

    def _image(self, images: ImageProcess, place: Path, url: str, page: PublishedPage) -> _Image:
        name = f"{page.id}-{page.sha256[:_STAMP]}"
        target, address = place / "images" / name, f"{url}/images/{name}"
        if not (target / "info.json").is_file():
            fresh = place / "images" / f".new-{secrets.token_hex(6)}"
            try:
                width, height = images.tiles(page.scan, page.page, fresh, id=f"{url}/images", tile=_TILE)
                self._make_whole(images, fresh, page, address, width, height)
                self._write_text(images, fresh, page)
                shutil.rmtree(target, ignore_errors=True)
                fresh.rename(target)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        info = json.loads((target / "info.json").read_text("utf-8"))
        sizes = tuple((int(each["width"]), int(each["height"])) for each in info["sizes"])
        read = (target / TEXT).read_text("utf-8") if (target / TEXT).is_file() else page.text
        hocr = f"{address}/{HOCR}" if (target / HOCR).is_file() else ""
        return _Image(address, int(info["width"]), int(info["height"]), sizes, read, hocr)

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
        info = json.loads((fresh / "info.json").read_text("utf-8"))
        info |= {"id": address, "sizes": [{"width": wide, "height": high} for wide, high in sizes]}
        (fresh / "info.json").write_text(json.dumps(info, indent=1), "utf-8")
        (fresh / "vips-properties.xml").unlink(missing_ok=True)

    @staticmethod
    def _thumbnail(images: ImageProcess, place: Path, publication: Publication) -> None:
        if not publication.pages:
            raise PublishingFailed(id=publication.id, reason="it has no pages")
        first, fresh = publication.pages[0], place / f".new-{secrets.token_hex(6)}.jpg"
        try:
            images.jpeg(first.scan, first.page, fresh, width=_SMALL, height=_SMALL)
            fresh.replace(place / THUMBNAIL)
        finally:
            fresh.unlink(missing_ok=True)


def _manifest(publication: Publication, images: list[_Image], url: str) -> bytes:
    """The manifest, as IIIF Presentation 3.0 has it; a library of the field judges and writes it."""
    from iiif_prezi3 import Manifest  # noqa: PLC0415 - an extra, and slow to import

    pairs = zip(publication.pages, images, strict=True)
    document: dict[str, object] = {
        "@context": _CONTEXT,
        "id": f"{url}/{MANIFEST}",
        "type": "Manifest",
        "label": _text(publication.title),
        "metadata": [
            {"label": {"en": [label]}, "value": {"none": list(values)}}
            for label, values in publication.metadata.items()
            if values
        ],
        "behavior": ["paged"] if len(images) > 1 else ["individuals"],
        "thumbnail": [{"id": f"{url}/{THUMBNAIL}", "type": "Image", "format": "image/jpeg"}],
        "homepage": [_homepage(publication, f"{url}/{PAGE}")],
        "items": [_canvas(page, image, f"{url}/canvas/{page.id}") for page, image in pairs],
    }
    if publication.rights:
        document["requiredStatement"] = {"label": {"en": ["Rights"]}, "value": _text(publication.rights)}
    if publication.finding_aid.startswith(("http://", "https://")):
        document["seeAlso"] = [{"id": publication.finding_aid, "type": "Dataset", "label": {"en": ["Finding aid"]}}]
    return str(Manifest(**document).json(indent=1)).encode()


def _homepage(publication: Publication, address: str) -> Mapping[str, object]:
    return {"id": address, "type": "Text", "format": "text/html", "label": _text(publication.title)}


def _canvas(page: PublishedPage, image: _Image, address: str) -> Mapping[str, object]:
    size = image.sizes[-1]
    body = {
        "id": image.whole(size),
        "type": "Image",
        "format": "image/jpeg",
        "width": size[0],
        "height": size[1],
        "service": [{"id": image.url, "type": "ImageService3", "profile": "level0"}],
    }
    painting = {
        "id": f"{address}/image",
        "type": "Annotation",
        "motivation": "painting",
        "body": body,
        "target": address,
    }
    small = image.sizes[0]
    canvas: dict[str, object] = {
        "id": address,
        "type": "Canvas",
        "label": _text(page.title),
        "width": image.width,
        "height": image.height,
        "thumbnail": [
            {"id": image.whole(small), "type": "Image", "format": "image/jpeg", "width": small[0], "height": small[1]}
        ],
        "items": [{"id": f"{address}/page", "type": "AnnotationPage", "items": [painting]}],
    }
    if image.text:
        # IIIF Presentation 3.0: what is derived from the canvas supplements it.
        text = {"type": "TextualBody", "value": image.text, "format": "text/plain"}
        note = {
            "id": f"{address}/text",
            "type": "Annotation",
            "motivation": "supplementing",
            "body": text,
            "target": address,
        }
        if image.hocr:
            canvas["seeAlso"] = [{"id": image.hocr, "type": "Dataset", "format": "text/vnd.hocr+html"}]
        canvas["annotations"] = [{"id": f"{address}/texts", "type": "AnnotationPage", "items": [note]}]
    return canvas


def _page(publication: Publication, images: list[_Image], manifest: str) -> str:
    """A page that shows the images without any script."""
    figures = "\n".join(
        f'<li><figure><a href="{html.escape(image.whole(image.sizes[-1]))}">'
        f'<img src="{html.escape(image.whole(image.sizes[0]))}" alt="{html.escape(page.title)}" loading="lazy"></a>'
        f"<figcaption>{html.escape(page.title)}</figcaption></figure></li>"
        for page, image in zip(publication.pages, images, strict=True)
    )
    rows = "".join(
        f"<dt>{html.escape(label)}</dt>" + "".join(f"<dd>{html.escape(value)}</dd>" for value in values)
        for label, values in publication.metadata.items()
        if values
    )
    title, rights = html.escape(publication.title), html.escape(publication.rights)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="alternate" type="application/ld+json" href="{html.escape(manifest)}">
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }}
ul {{ display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); list-style: none;
padding: 0; }}
figure {{ margin: 0; }} img {{ max-width: 100%; height: auto; }} dt {{ font-weight: 600; }}
</style>
</head>
<body>
<h1>{title}</h1>
<dl>{rows}</dl>
<p>{rights}</p>
<p><a href="{html.escape(manifest)}">IIIF manifest</a></p>
<ul>
{figures}
</ul>
</body>
</html>
"""


def _text(text: str) -> dict[str, list[str]]:
    return {"none": [text]}


def _write(place: Path, data: bytes) -> None:
    """Exchange a file in one step."""
    fresh = place.with_name(f".new-{secrets.token_hex(6)}")
    try:
        with fresh.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place)
    finally:
        fresh.unlink(missing_ok=True)


def _remove_others(folder: Path, names: set[str]) -> None:
    for each in list(folder.iterdir()):
        if each.name not in names:
            shutil.rmtree(each, ignore_errors=True)


def _digests(place: Path) -> Iterator[tuple[str, str]]:
    """Path and sha256 of each file, and of each image the sha256 over all its files."""
    for name in (MANIFEST, PAGE, THUMBNAIL):
        if (place / name).is_file():
            yield name, _sha256(place / name)
    for image in sorted((place / "images").iterdir()) if (place / "images").is_dir() else ():
        whole = hashlib.sha256()
        for path in sorted(each for each in image.rglob("*") if each.is_file()):
            whole.update(f"{path.relative_to(image)} {_sha256(path)}\n".encode())
        yield f"images/{image.name}", whole.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

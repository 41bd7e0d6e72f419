"""The manifest of a publication and the annotations of its text, as IIIF Presentation 3.0 has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from muniment.publishers.iiif.image import LINES, Image
from muniment.publishers.protocol import Publication, PublishedPage

MANIFEST, PAGE, THUMBNAIL = "manifest.json", "index.html", "thumbnail.jpg"
_CONTEXT = "http://iiif.io/api/presentation/3/context.json"


def manifest(publication: Publication, images: Sequence[Image], url: str) -> bytes:
    """The manifest; a library of the field judges and writes it."""
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
        "items": [_canvas(page, image, canvas_of(url, page)) for page, image in pairs],
    }
    if publication.rights:
        document["requiredStatement"] = {"label": {"en": ["Rights"]}, "value": _text(publication.rights)}
    if publication.finding_aid.startswith(("http://", "https://")):
        document["seeAlso"] = [{"id": publication.finding_aid, "type": "Dataset", "label": {"en": ["Finding aid"]}}]
    return str(Manifest(**document).json(indent=1)).encode()


def canvas_of(url: str, page: PublishedPage) -> str:
    """The name of a page's canvas."""
    return f"{url}/canvas/{page.id}"


def text_annotations(image: Image, canvas: str) -> bytes:
    """An annotation page with each line of an image's text at its place."""
    items = [
        {
            "id": f"{image.url}/{LINES}#{number}",
            "type": "Annotation",
            "motivation": "supplementing",
            "body": {"type": "TextualBody", "value": line.text, "format": "text/plain"},
            "target": f"{canvas}#xywh={line.x},{line.y},{line.width},{line.height}",
        }
        for number, line in enumerate(image.lines, 1)
    ]
    document = {"@context": _CONTEXT, "id": f"{image.url}/{LINES}", "type": "AnnotationPage", "items": items}
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def _homepage(publication: Publication, address: str) -> Mapping[str, object]:
    return {"id": address, "type": "Text", "format": "text/html", "label": _text(publication.title)}


def _canvas(page: PublishedPage, image: Image, address: str) -> Mapping[str, object]:
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
        notes: list[dict[str, object]] = [{"id": f"{address}/texts", "type": "AnnotationPage", "items": [note]}]
        if image.lines:
            label = {"en": ["Text by lines"]}
            notes.append({"id": f"{image.url}/{LINES}", "type": "AnnotationPage", "label": label})
        canvas["annotations"] = notes
    return canvas


def _text(text: str) -> dict[str, list[str]]:
    return {"none": [text]}

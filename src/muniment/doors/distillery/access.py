"""An archival object as a publisher is given it: its pages in order, out of the archive, and what is said of it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment.doors.distillery.description import CollectionDescription, ObjectDescription
from muniment.doors.distillery.making import KEY
from muniment.layouts.preservation import Level, image_id
from muniment.publishers.protocol import Publication, PublishedDate, PublishedPage

if TYPE_CHECKING:
    from muniment.content.instance import Instance

_CHUNK = 1 << 20


@contextlib.contextmanager
def publication_of(
    instance: Instance, collection: CollectionDescription, described: ObjectDescription, scratch: Path
) -> Iterator[Publication]:
    """The pages of an instance as files in a scratch folder, for a `with` block.

    Raises:
        MunimentError: The archive gave something else than it holds.
    """
    about: dict[str, Any] = instance.metadata[KEY]
    pages: list[PublishedPage] = []
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        for sequence, image in about["images"].items():
            stem = image_id(about["collection"], about["component_id"], sequence)
            many = len(image["pages"]) > 1
            for page in range(len(image["pages"])):
                path, number = _source(image["files"], stem, page)
                title = described.image_title(sequence)
                name = f"{stem}-p{page + 1:04}" if page else stem
                pages.append(
                    PublishedPage(
                        id=name,
                        scan=_taken_out(instance, path, scratch),
                        page=number,
                        title=f"{title} (page {page + 1})" if many else title,
                        sha256=about["files"][path]["sha256"],
                    )
                )
        yield Publication(
            id=instance.id,
            title=described.title,
            collection=collection.id,
            collection_title=collection.title,
            pages=pages,
            metadata={
                "Collection": [collection.title],
                "Series": list(described.levels()),
                "Identifier": [instance.id],
            },
            rights=collection.rights,
            publisher=collection.publisher,
            finding_aid=collection.finding_aid,
            series=_level(described.arrangement.series),
            subseries=_level(described.arrangement.subseries),
            dates=tuple(_dates(described.record)),
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _level(level: Level | None) -> tuple[str, str] | None:
    return None if level is None else (level.number, level.title)


def _dates(record: Mapping[str, Any]) -> Iterator[PublishedDate]:
    for each in record.get("dates") or []:
        begin, end = str(each.get("begin") or ""), str(each.get("end") or "")
        yield PublishedDate(str(each.get("label") or ""), str(each.get("date_type") or "single"), begin, end)


def _source(files: list[str], stem: str, page: int) -> tuple[str, int]:
    """The file a page is read from, and the page's number in it: the scan itself, else its JPEG 2000."""
    scan = next((each for each in files if each.endswith((".tif", ".tiff"))), None)
    if scan is not None:
        return scan, page
    name = f"{stem}-p{page + 1:04}.jp2" if page else f"{stem}.jp2"
    return next(each for each in files if each.endswith(f"/{name}")), 0


def _taken_out(instance: Instance, path: str, scratch: Path) -> Path:
    target = scratch / path.rpartition("/")[2]
    if not target.exists():
        with instance.open(path) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, _CHUNK)
    return target

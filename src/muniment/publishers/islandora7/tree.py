"""The tree that Islandora 7's book batch reads: a folder for a book, one for each page, files by datastream."""

from __future__ import annotations

import shutil
from pathlib import Path

from muniment.imaging import Description, ImageProcess
from muniment.imaging.text import ReadText
from muniment.publishers.islandora7 import mods
from muniment.publishers.protocol import Publication, PublishedPage

_SCREEN = (600, 800)
_THUMBNAIL = (200, 200)
_QUALITY = 75


def book_folder(publication: Publication) -> str:
    """The folder of a book; the `+` stands for the `:` of its PID."""
    return f"books/{publication.collection}+{publication.id}"


def collection_folder(namespace: str, collection: str) -> str:
    """The folder of a collection."""
    return f"collections/{namespace}+{collection}"


def write_collection(root: Path, publication: Publication, namespace: str) -> None:
    """Write the collection alone below a folder."""
    collection = root / collection_folder(namespace, publication.collection)
    collection.mkdir(parents=True)
    (collection / "MODS.xml").write_bytes(mods.collection_record(publication))
    (collection / "COLLECTION_POLICY.xml").write_bytes(mods.collection_policy(publication.collection))


def write_tree(
    root: Path, publication: Publication, namespace: str, images: ImageProcess, read_text: ReadText
) -> dict[str, bool]:
    """Write all of it below an empty folder; whether each page has its text, by the page's number.

    Raises:
        BadScan, ImagingFailed: A page cannot be made.
    """
    write_collection(root, publication, namespace)
    book = root / book_folder(publication)
    book.mkdir(parents=True)
    (book / "MODS.xml").write_bytes(mods.book_record(publication))
    read: dict[str, bool] = {}
    for number, page in enumerate(publication.pages, 1):
        name = f"{number:04}"
        read[name] = _write_page(book / name, publication, page, images, read_text)
        if number == 1:
            shutil.copyfile(book / name / "TN.jpg", book / "TN.jpg")
    return read


def _write_page(
    folder: Path, publication: Publication, page: PublishedPage, images: ImageProcess, read_text: ReadText
) -> bool:
    folder.mkdir()
    said = Description(page.title, page.id, publication.collection_title, publication.publisher, publication.rights)
    images.lossy(page.scan, page.page, folder / "OBJ.jp2", said)
    shutil.copyfile(folder / "OBJ.jp2", folder / "JP2.jp2")
    for name, (width, height) in (("JPG.jpg", _SCREEN), ("TN.jpg", _THUMBNAIL)):
        images.jpeg(page.scan, page.page, folder / name, width=width, height=height, quality=_QUALITY, description=said)
    (folder / "MODS.xml").write_bytes(mods.page_record(page.title))
    plain = folder / "plain.tif"
    images.plain(page.scan, page.page, plain)
    try:
        text = read_text(plain, folder)
    finally:
        plain.unlink()
    if text is None:
        return False
    (folder / "OCR.txt").write_text(text.text, "utf-8")
    (folder / "HOCR.html").write_text(text.hocr, "utf-8")
    return True

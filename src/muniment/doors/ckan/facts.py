"""What an archived file is, as far as its own bytes tell: its format, its encoding, its rows and columns."""

from __future__ import annotations

import codecs
import csv
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

_BEGINNING = 8192
_MAGIC = (
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"%PDF-", "PDF"),
    (b"\x1f\x8b", "GZIP"),
    (b"BZh", "BZIP2"),
    (b"\xfd7zXZ\x00", "XZ"),
    (b"7z\xbc\xaf\x27\x1c", "7Z"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE2"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"SQLite format 3\x00", "SQLITE"),
    (b"PAR1", "PARQUET"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"CDF\x01", "NETCDF"),
    (b"CDF\x02", "NETCDF"),
)
_CLAIMS = {
    "XLSX": {"XLSX", "EXCEL", "XLS", "SPREADSHEET"},
    "OLE2": {"XLS", "DOC", "PPT", "EXCEL", "WORD", "SPREADSHEET"},
    "ZIP": {"ZIP", "SHP", "SHAPEFILE", "KMZ", "GTFS", "ODS", "ODT", "DOCX", "PPTX"},
    "CSV": {"CSV", "TXT", "TEXT", "TSV", "TAB"},
    "TSV": {"TSV", "TAB", "CSV", "TXT", "TEXT"},
    "JSON": {"JSON", "GEOJSON", "TOPOJSON", "JSON-LD", "JSONLD"},
    "XML": {"XML", "KML", "GML", "RSS", "ATOM", "RDF", "RDF+XML", "WMS", "WFS", "SVG", "GPX"},
    "HTML": {"HTML", "HTM", "WEBPAGE", "WEBSITE", "URL"},
    "JPEG": {"JPEG", "JPG", "IMAGE"},
    "PNG": {"PNG", "IMAGE"},
    "TIFF": {"TIFF", "TIF", "GEOTIFF", "IMAGE"},
    "GZIP": {"GZIP", "GZ", "TAR.GZ", "TGZ"},
}
_MOST_ROWS = 50_000_000
_MOST_SHEETS = 50
_WIDEST = 1 << 20
_LARGEST_JSON = 8 << 20


def facts_of(place: Path, name: str, claimed: str) -> dict[str, object]:
    """What a file tells of itself; what cannot be told is left out. Nothing is raised, whatever the file holds.

    `claimed` is what the portal says its format is.
    """
    facts: dict[str, Any] = {}
    try:
        with place.open("rb") as file:
            beginning = file.read(_BEGINNING)
        found = _format(place, beginning, name)
        facts["format"] = found
        if found in {"CSV", "TSV", "JSON", "XML", "HTML", "TEXT"}:
            facts["encoding"] = _encoding(place)
        if found in {"CSV", "TSV"}:
            facts |= _table(place, facts["encoding"], "\t" if found == "TSV" else _delimiter(beginning))
        elif found == "XLSX":
            facts["sheets"] = list(_sheets(place))
    except (OSError, ValueError, csv.Error, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        facts["unreadable"] = f"{type(error).__name__}: {error}"[:200]
    claim = claimed.strip().upper().lstrip(".")
    if claim and "format" in facts and claim not in _CLAIMS.get(facts["format"], {facts["format"]}):
        facts["claimed"] = claimed[:100]
    return facts


def _format(place: Path, beginning: bytes, name: str) -> str:
    for magic, found in _MAGIC:
        if beginning.startswith(magic):
            return _zip_kind(place) if found == "ZIP" else found
    text = beginning.lstrip(b"\xef\xbb\xbf \t\r\n")
    lowered = text[:512].lower()
    if lowered.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    if text.startswith(b"<"):
        return "XML"
    if text[:1] in {b"{", b"["} and _is_json(place):
        return "JSON"
    if b"\x00" in beginning and not beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "BINARY"
    ending = name.rpartition(".")[2].lower()
    first = text.partition(b"\n")[0]
    if ending in {"tsv", "tab"} or (first.count(b"\t") and first.count(b"\t") >= first.count(b",")):
        return "TSV"
    return "CSV" if ending == "csv" or first.count(b",") or first.count(b";") else "TEXT"


def _zip_kind(place: Path) -> str:
    with zipfile.ZipFile(place) as packed:
        names = packed.namelist()[:10_000]
    return "XLSX" if "xl/workbook.xml" in names else "ZIP"


def _is_json(place: Path) -> bool:
    if place.stat().st_size > _LARGEST_JSON:
        return True  # as far as its beginning tells: a large document is not taken apart for this
    try:
        json.loads(place.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True


def _encoding(place: Path) -> str:
    """The encoding the bytes agree with: a mark at their beginning, else UTF-8 if all are, else Windows-1252."""
    with place.open("rb") as file:
        beginning = file.read(4)
        for mark, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if beginning.startswith(mark):
                return name
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while piece := file.read(1 << 20):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _delimiter(beginning: bytes) -> str:
    first = beginning.partition(b"\n")[0]
    return max(",;|", key=lambda each: first.count(each.encode()))


def _table(place: Path, encoding: str, delimiter: str) -> dict[str, Any]:
    """Rows, the first included, and the columns of the widest."""
    rows = columns = 0
    with place.open(encoding=encoding, errors="replace", newline="") as file:
        for row in csv.reader(_bounded(file), delimiter=delimiter):
            if rows >= _MOST_ROWS:
                break
            rows += bool(row)
            columns = max(columns, len(row))
    return {"rows": rows, "columns": columns}


def _bounded(lines: Any) -> Iterator[str]:
    """The lines of a file; one without an end is no table.

    Raises:
        ValueError: A line is longer than any that is meant.
    """
    while line := lines.readline(_WIDEST):
        if len(line) >= _WIDEST:
            message = f"a line has more than {_WIDEST} characters"
            raise ValueError(message)
        yield line.replace("\x00", "")


def _sheets(place: Path) -> Iterator[dict[str, Any]]:
    with zipfile.ZipFile(place) as packed:
        names = sorted(
            name for name in packed.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")
        )
        for name in names[:_MOST_SHEETS]:
            rows, columns = _sheet_size(packed, name)
            yield {"name": name.removeprefix("xl/worksheets/").removesuffix(".xml"), "rows": rows, "columns": columns}


def _sheet_size(packed: zipfile.ZipFile, name: str) -> tuple[int, int]:
    """The rows of a sheet and the cells of its widest row, counted without building it; entities are not expanded."""
    counts = {"rows": 0, "cells": 0, "widest": 0}

    def start(tag: str, _: dict[str, str]) -> None:
        local = tag.rpartition(":")[2]
        if local == "row":
            counts["rows"] += 1
            counts["cells"] = 0
        elif local == "c":
            counts["cells"] += 1
            counts["widest"] = max(counts["widest"], counts["cells"])

    def refuse(*_: object) -> None:
        message = "a sheet with a document type"
        raise ValueError(message)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    size = 0
    with packed.open(name) as file:
        while piece := file.read(1 << 16):
            size += len(piece)
            if size > 1 << 30:
                message = "a sheet of more than a gibibyte"
                raise ValueError(message)
            try:
                parser.Parse(piece, False)  # noqa: FBT003 - expat's own signature
            except expat.ExpatError as error:
                raise ValueError(str(error)) from None
    return counts["rows"], counts["widest"]

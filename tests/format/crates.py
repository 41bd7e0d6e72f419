"""RO-Crates of our own making: one that is right, and for each code one that is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT: dict[str, Any] = {
    "@id": "./", "@type": "Dataset", "name": "Tide gauges", "description": "Of a harbour",
    "datePublished": "2024-05-01", "license": {"@id": "https://example.org/licence"}, "author": {"@id": "https://orcid.org/0000"},
    "hasPart": [{"@id": "a%20b.txt"}],
}  # fmt: skip
DESCRIPTOR = {
    "@id": "ro-crate-metadata.json",
    "@type": "CreativeWork",
    "about": {"@id": "./"},
    "conformsTo": {"@id": "https://w3id.org/ro/crate/1.2"},
}
OTHERS: list[dict[str, Any]] = [
    {"@id": "https://orcid.org/0000", "@type": "Person", "name": "Ada L"},
    {"@id": "https://example.org/licence", "name": "A licence", "description": "free"},
    {"@id": "a%20b.txt", "@type": "File"},
]


def document(
    folder: Path, root: dict[str, Any], *further: dict[str, Any], name: str = "ro-crate-metadata.json"
) -> Path:
    """Write a crate's document with this root."""
    graph = [{**DESCRIPTOR, "@id": name}, root, *OTHERS, *further]
    (folder / name).write_text(json.dumps({"@context": "https://w3id.org/ro/crate/1.2/context", "@graph": graph}))
    return folder


def make_crate(folder: Path, root: dict[str, Any] = ROOT, *further: dict[str, Any], **named: str) -> Path:
    """A valid crate."""
    folder.mkdir()
    (folder / "a b.txt").write_bytes(b"x")
    (folder / "not described").write_bytes(b"y")
    (folder / "empty").mkdir()
    return document(folder, root, *further, **named)


def without(word: str) -> dict[str, Any]:
    """The root without one of its words."""
    return {name: value for name, value in ROOT.items() if name != word}


def _rewritten(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "ro-crate-metadata.json").write_text(text)


def _deep(folder: Path) -> None:
    above = os.open(folder, os.O_RDONLY)
    for _ in range(18):
        os.mkdir("x" * 250, dir_fd=above)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(above)


SPOILT: list[tuple[str, Callable[[Path], object]]] = [
    ("R001", _rewritten('{"@graph": [{"@id": "./", "@type": "Dataset"}]}')),
    ("R001", _rewritten("no JSON")),
    ("R001", _rewritten("[]")),
    ("R002", lambda folder: document(folder, without("license"))),
    ("R002", lambda folder: document(folder, without("datePublished"))),
    ("R002", lambda folder: document(folder, {**ROOT, "@type": "CreativeWork"})),
    ("R003", lambda folder: (folder / "a b.txt").unlink()),
    ("R003", lambda folder: document(
        folder, {**ROOT, "hasPart": [*ROOT["hasPart"], {"@id": "gone/"}]}, {"@id": "gone/", "@type": "Dataset"}
    )),
    ("R004", lambda folder: document(folder, without("hasPart"))),
    ("R005", lambda folder: (folder / "link").symlink_to("a b.txt")),
    ("R005", lambda folder: os.mkfifo(folder / "pipe")),
    ("R901", _deep),
]  # fmt: skip
"""A code and what spoils a valid crate so that the code is found."""

CODES = sorted({code for code, _ in SPOILT})


def bad_crate(code: str, folder: Path) -> Path:
    """A crate that has the finding `code`."""
    made = make_crate(folder / "crate")
    next(spoil for each, spoil in SPOILT if each == code)(made)
    return made

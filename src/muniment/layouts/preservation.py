"""The preservation layout of scanned archival objects: collection, series, folder, image, alike on every store.

```
<Collection>/<Collection>.json
<Collection>/<Collection>-s<SS>-<Series>/<Collection>-s<SS>-ss<UU>-<Subseries>/
    <component id>-<Folder>/<component id>.json
    <component id>-<Folder>/<component id>_<NNNN>/<image id>.jp2
```

Image ids follow from collection, folder and sequence, so that a second run makes the same ones.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from muniment.errors.distillery import BadFolderName, BadImageName

_PARTS = 3
_ALPHABET = "abcdefghjkmnpqrstvwxyz0123456789"
"""Without i, l, o and u: what is read aloud or copied by hand is not mistaken."""
_IMAGE = re.compile(r"(?P<stem>.+)\.tiff?", re.DOTALL)
_COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,59}")
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Level:
    """A series or subseries: its number and what it is called."""

    number: str
    title: str


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where an archival object stands: its collection, and the series and subseries where there are any."""

    collection: str
    component_id: str
    title: str
    series: Level | None = None
    subseries: Level | None = None

    @property
    def folder(self) -> str:
        """The folder of the archival object, from the collection's on."""
        parts = [self.collection]
        if self.series is not None:
            series = f"{self.collection}-s{_padded(self.series.number, 2)}"
            parts.append(f"{series}-{display(self.series.title)}")
            if self.subseries is not None:
                number = _padded(self.subseries.number, 2)
                parts.append(f"{series}-ss{number}-{display(self.subseries.title)}")
        parts.append(f"{self.component_id}-{display(self.title)}")
        return "/".join(parts)

    @property
    def record_key(self) -> str:
        """The key of the archival object's own record."""
        return f"{self.folder}/{self.component_id}.json"

    def image_key(self, sequence: str, ending: str = "jp2") -> str:
        """The key of one image."""
        name = image_id(self.collection, self.component_id, sequence)
        return f"{self.folder}/{self.component_id}_{sequence}/{name}.{ending}"


def collection_key(collection: str) -> str:
    """The key of the collection's record."""
    return f"{collection}/{collection}.json"


def is_collection_id(text: str) -> bool:
    """Whether a text may name a collection: letters, digits, `-`, `.`, `_` and `~`, and no path."""
    return _COLLECTION.fullmatch(text) is not None and ".." not in text


def component_id(folder: str, collection: str) -> str:
    """The component id of a scanning folder: `HBF_1_05` of the collection `HBF` is `HBF_001_05`.

    Raises:
        BadFolderName: It has not three parts, or belongs to another collection.
    """
    parts = folder.split("_")
    if len(parts) != _PARTS or not all(parts):
        raise BadFolderName(
            folder=folder, reason=f"it has {len(parts)} parts with _ between them, and three are needed"
        )
    if parts[0] != collection:
        raise BadFolderName(folder=folder, reason=f"it begins with {parts[0]!r}, and the collection is {collection!r}")
    if not all(part.isalnum() or re.fullmatch(r"[\w.~-]+", part) for part in parts[1:]):
        raise BadFolderName(folder=folder, reason="box and folder are letters, digits, '-', '.' and '~'")
    return f"{parts[0]}_{_padded(parts[1], 3)}_{parts[2]}"


def sequence(name: str, folder: str) -> str:
    """The sequence of an image in its folder, four digits where it is a number: `HBF_1_05_7.tif` is `0007`.

    Raises:
        BadImageName: It is no TIFF by its name, or is not named after its folder.
    """
    match = _IMAGE.fullmatch(name)
    if match is None:
        raise BadImageName(name=name, folder=folder, reason="its name ends neither in .tif nor in .tiff")
    stem, _, leaf = match["stem"].rpartition("_")
    if stem != folder or not leaf or not re.fullmatch(r"[\w.~-]+", leaf):
        raise BadImageName(name=name, folder=folder, reason=f"it should be {folder}_, a sequence, and .tif")
    return _padded(leaf, 4)


def is_image_name(name: str) -> bool:
    """Whether a file counts as a scan by its name; the case of the ending counts."""
    return _IMAGE.fullmatch(name) is not None


def image_id(collection: str, component: str, number: str) -> str:
    """Two groups of four characters that follow from what they name, such as `me5v_z1yp`."""
    digest = hashlib.sha256(f"{collection}\x00{component}\x00{number}".encode()).digest()
    letters = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:8])
    return f"{letters[:4]}_{letters[4:]}"


def display(text: str) -> str:
    """A title as part of a key: every character that is neither letter nor digit becomes a hyphen."""
    return "".join(each if each.isalnum() else "-" for each in text)[:_LONGEST]


def _padded(text: str, width: int) -> str:
    return text.zfill(width) if text.isascii() and text.isdigit() else text

"""The pictures of an instance: one of them large, and a strip of those around it."""

from __future__ import annotations

from dataclasses import dataclass

from muniment.archive import Instance
from muniment.server.pages.pictures import PICTURE_TYPES, ending_of

_AROUND = 6
_MOST = 50_000
"""Files of an instance that are looked through for pictures; a larger one is looked at folder by folder."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a strip: its path, and its number among all of the instance."""

    path: str
    number: int


@dataclass(frozen=True, slots=True)
class PictureListing:
    """The picture that is shown, those around it, and how many there are."""

    chosen: Picture
    around: list[Picture]
    total: int

    @property
    def before(self) -> Picture | None:
        """The one before the one that is shown."""
        return next((each for each in self.around if each.number == self.chosen.number - 1), None)

    @property
    def after(self) -> Picture | None:
        """The one after it."""
        return next((each for each in self.around if each.number == self.chosen.number + 1), None)


def pictures_of(found: Instance, wanted: str) -> PictureListing | None:
    """The strip around the picture at a path, or around the first one; None where the instance has no picture."""
    if len(found) > _MOST:
        return None
    # A drawing may be as large as it likes to be in the eyes of a browser, so it has its own page and no strip.
    paths = [path for path in found if (ending := ending_of(path)) in PICTURE_TYPES and ending != "svg"]
    if not paths:
        return None
    at = paths.index(wanted) if wanted in paths else 0
    first = max(min(at - _AROUND, len(paths) - 2 * _AROUND - 1), 0)
    around = [Picture(path, first + place + 1) for place, path in enumerate(paths[first : first + 2 * _AROUND + 1])]
    return PictureListing(Picture(paths[at], at + 1), around, len(paths))

"""How an attempt to archive a link can end: the statuses that tools around CKAN know by number and text."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The outcome of the latest attempt. The numbers and texts are those of CKAN's own archiver."""

    ARCHIVED = 0
    UNCHANGED = 1
    URL_INVALID = 10
    REQUEST_FAILED = 11
    DOWNLOAD_ERROR = 12
    NOT_CHOSEN = 21
    DOWNLOAD_FAILURE = 22
    SYSTEM_ERROR = 23

    @property
    def text(self) -> str:
        """The status in words."""
        return _TEXTS[self]

    @property
    def is_broken(self) -> bool | None:
        """Whether the link is broken; None where the attempt does not tell."""
        if self in {Status.ARCHIVED, Status.UNCHANGED}:
            return False
        return True if self < Status.NOT_CHOSEN else None


_TEXTS = {
    Status.ARCHIVED: "Archived successfully",
    Status.UNCHANGED: "Content has not changed",
    Status.URL_INVALID: "URL invalid",
    Status.REQUEST_FAILED: "URL request failed",
    Status.DOWNLOAD_ERROR: "Download error",
    Status.NOT_CHOSEN: "Chose not to download",
    Status.DOWNLOAD_FAILURE: "Download failure",
    Status.SYSTEM_ERROR: "System error during archival",
}


def broken_in_words(is_broken: bool | None) -> str:  # noqa: FBT001 - it is the value that is put into words
    """What the record's `is_broken_printable` says."""
    return {True: "Broken", False: "Downloaded OK", None: "Not sure if broken"}[is_broken]

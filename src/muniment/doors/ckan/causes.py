"""Why a link is broken, in the few words that a report counts by; read from how its latest attempt ended."""

from __future__ import annotations

import re

from muniment.doors.ckan.statuses import Status

NOT_FOUND, NO_HOST, TIMED_OUT, CERTIFICATE = "not found", "no host", "timed out", "certificate"
REFUSED, SERVER_ERROR, NO_ADDRESS, OTHER = "refused", "server error", "no address", "other"
CAUSES = (NOT_FOUND, NO_HOST, TIMED_OUT, CERTIFICATE, REFUSED, SERVER_ERROR, NO_ADDRESS, OTHER)
"""The most common first."""

_ANSWERED = re.compile(r"\b([45]\d\d)\b")
_SLOW = ("timed out", "silent for too long", "too slow", "took longer")
_BY_STATUS = {"401": REFUSED, "403": REFUSED, "404": NOT_FOUND, "410": NOT_FOUND, "407": REFUSED, "451": REFUSED}


def cause_of(status: Status, reason: str) -> str:
    """The cause of a broken link; empty for one that is not broken."""
    if not status.is_broken:
        return ""
    if status is Status.URL_INVALID:
        return NO_ADDRESS
    said = reason.lower()
    if "certificate" in said:
        return CERTIFICATE
    if any(each in said for each in _SLOW):
        return TIMED_OUT
    if said.startswith("connection error"):
        return NO_HOST
    answered = _ANSWERED.search(reason)
    if answered is None:
        return OTHER
    return _BY_STATUS.get(answered[1], SERVER_ERROR if answered[1].startswith("5") else OTHER)

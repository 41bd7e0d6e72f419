"""Why a link is broken, read from how its attempt ended, in the words that the checker uses."""

from __future__ import annotations

import pytest

from muniment.doors.ckan.causes import cause_of
from muniment.doors.ckan.statuses import Status


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Server reported status error: 404 Not Found", "not found"),
        ("Server reported status error: 410 Gone", "not found"),
        ("Server reported status error: 403 Forbidden", "refused"),
        ("Server reported status error: 503 Service Unavailable", "server error"),
        ("Server reported status error: 418 I'm a Teapot", "other"),
        ("Connection error: the name is not known", "no host"),
        ("Connection timed out after 30s", "timed out"),
        ("Error with the download: it was silent for too long", "timed out"),
        ("Connection error: certificate refused: it has expired", "certificate"),
        ("Server content contained an API error message: <ServiceExceptionReport", "other"),
        ("", "other"),
    ],
)
def test_a_reason_has_one_cause(reason: str, cause: str) -> None:
    assert cause_of(Status.DOWNLOAD_ERROR, reason) == cause


def test_an_address_that_is_none_and_a_link_that_is_well_are_told_apart() -> None:
    assert cause_of(Status.URL_INVALID, "404") == "no address"
    assert cause_of(Status.ARCHIVED, "404") == ""
    assert cause_of(Status.DOWNLOAD_FAILURE, "Server reported status error: 404 Not Found") == ""

"""Conditional requests on what is streamed (RFC 9110 §13), and what is refused before anything is kept."""

from __future__ import annotations

import pytest

from tests.acceptance.nexus.site import Client, archive_1

LOGO_ADDRESS = "/files/o/p1/test-resource:logo"
OLD, NEW = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.fixture
def address(t: Client, request: pytest.FixtureRequest) -> str:
    if request.param == "file":
        return LOGO_ADDRESS
    made = t.post("/archives/o/p1", archive_1())
    assert made.status == 201
    return f"/archives/o/p1/{made.json['@id'].replace('/', '%2F')}"


@pytest.mark.parametrize("address", ["file", "selection"], indirect=True)
@pytest.mark.parametrize("range_", [{}, {"Range": "bytes=0-9"}], ids=["whole", "range"])
def test_a_condition_that_is_not_met_is_412(t: Client, address: str, range_: dict[str, str]) -> None:
    etag = t.get(address, accept="*/*").headers["etag"]
    for unmet in (
        {"If_Match": '"other"'},
        {"If_Match": f"W/{etag}"},
        {"If_Unmodified_Since": OLD},
    ):
        answer = t.get(address, accept="*/*", **unmet, **range_)
        assert (answer.status, answer.kind, answer.headers["etag"]) == (412, "VersionNotHeld", etag), unmet
    for met in (
        {"If_Match": f'"other", {etag}'},
        {"If_Match": "*"},
        {"If_Unmodified_Since": NEW},
        {"If_Unmodified_Since": "no date"},
        {"If_Match": etag, "If_Unmodified_Since": OLD},
    ):
        assert t.get(address, accept="*/*", **met, **range_).status == (206 if range_ else 200), met


def test_an_answer_that_nothing_changed_claims_no_length(t: Client) -> None:
    etag = t.get(LOGO_ADDRESS, accept="*/*").headers["etag"]
    answer = t.get(LOGO_ADDRESS, accept="*/*", If_None_Match=etag)
    assert answer.status == 304
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("field", [{"rev": 0}, {"path": "a\\b"}, {"path": "..\\b"}])
def test_a_revision_0_and_a_backslash_are_refused(t: Client, field: dict[str, object]) -> None:
    entry = {"@type": "Resource", "resourceId": "http://x/1", **field}
    assert t.post("/archives/o/p1", {"resources": [entry]}).status == 400


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/resources/o/p1?q=harbour", "q"),
        ("/resources/o/p1/_/test-resource:1?revision=1", "revision"),
        ("/archives/o/p1/none?ignoreNotfound=true", "ignoreNotfound"),
        ("/orgs?q=o", "q"),
    ],
)
def test_a_parameter_nobody_reads_is_refused_with_those_there_are(t: Client, address: str, name: str) -> None:
    answer = t.get(address)
    assert (answer.status, answer.kind) == (400, "MalformedQueryParamRejection")
    assert f"'{name}'" in answer.reason
    assert "known are 'after'" in answer.reason or "known are 'format'" in answer.reason


def test_the_parameter_delta_s_clients_send_with_every_change_is_taken(t: Client) -> None:
    assert t.post("/resources/o/p1?indexing=sync", {"a": 1}).status == 201

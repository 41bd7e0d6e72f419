"""`Repr-Digest` and `Content-Digest` (RFC 9530) are exact on files, and on tar and zip when they are wanted."""

from __future__ import annotations

import base64
import hashlib

import pytest

from muniment.http import representations
from tests.acceptance.nexus.site import LOGO, Client, archive_1

TAR, ZIP = "application/x-tar", "application/zip"


def field(data: bytes) -> str:
    """The digest as the fields have it."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def test_of_a_file_whole_and_in_part(t: Client) -> None:
    at = "/files/o/p1/test-resource:logo"
    whole, part, head = t.get(at, "*/*"), t.get(at, "*/*", Range="bytes=5-9"), t.send("HEAD", at, accept="*/*")
    for reply in (whole, head):
        assert reply.headers["repr-digest"] == reply.headers["content-digest"] == field(LOGO)
    assert part.body == LOGO[5:10]
    # Of a part it is said what the whole is, and nothing of the part itself.
    assert part.headers["repr-digest"] == field(LOGO)
    assert "content-digest" not in part.headers


@pytest.fixture
def download(t: Client) -> str:
    """A selection of three."""
    t.put("/archives/o/p1/test-resource:digested", archive_1(), "application/json")
    return "/archives/o/p1/test-resource:digested"


@pytest.mark.parametrize("kind", [TAR, ZIP])
@pytest.mark.parametrize("wish", ["Want_Repr_Digest", "Want_Content_Digest"])
def test_of_an_archive_where_it_is_wanted(t: Client, download: str, kind: str, wish: str) -> None:
    reply = t.get(f"{download}?ignoreNotFound=true", kind, **{wish: "sha-512=3, sha-256=10"})
    assert reply.headers["repr-digest"] == reply.headers["content-digest"] == field(reply.body)
    part = t.get(f"{download}?ignoreNotFound=true", kind, Range="bytes=100-199")
    assert (part.status, part.headers["repr-digest"]) == (206, field(reply.body))
    assert "content-digest" not in part.headers


def test_of_a_large_archive_it_is_known_once_it_was_sent(
    t: Client, download: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(representations, "READ_FIRST", 0)
    first = t.get(f"{download}?manifest=sha256", TAR, Want_Repr_Digest="sha-256=1")
    assert "repr-digest" not in first.headers
    again = t.send("HEAD", f"{download}?manifest=sha256", accept=TAR)
    assert again.headers["repr-digest"] == again.headers["content-digest"] == field(first.body)


@pytest.mark.parametrize("wish", ["sha-256=0", "sha-512=5", "sha-256", "", "x" * 1000])
def test_who_does_not_want_it_does_not_wait_for_it(t: Client, wish: str) -> None:
    made = t.post("/archives/o/p1", {"resources": archive_1()["resources"][:1]}, "*/*")
    reply = t.get(made.headers["location"].partition("/v1")[2], TAR, Want_Repr_Digest=wish)
    assert reply.status == 200
    assert "repr-digest" not in reply.headers

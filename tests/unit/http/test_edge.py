"""The edge of the server: whom it believes, and what it hides from the log."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog

from muniment.errors.base import BadInput
from muniment.http.middleware import Limits, _believe_proxy, _keep_encoded
from muniment.http.throttling import Failures, Sparse
from muniment.server.logs import HIDDEN, redact, tell_request


def limits(trusted: str = "") -> Limits:
    sizes = {"headers": 10, "header_bytes": 1000, "body": 5, "upload": 100}
    return Limits(**sizes, patience=1.0, prefix="/archive/v1", trusted=trusted)


def scope(peer: str, **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"client": (peer, 5), "scheme": "http", "headers": named, "method": "GET", "path": "/"}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client", "scheme"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9", "https"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.9, 10.0.0.7", "203.0.113.9", "https"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1", "http"),
    ],
)
def test_forwarded_headers_count_from_trusted_proxies_only(peer: str, forwarded: str, client: str, scheme: str) -> None:
    given = scope(peer, x_forwarded_for=forwarded, x_forwarded_proto="https")
    _believe_proxy(given, limits("10.0.0.0/8, ::1"))
    assert (given["client"][0], given["scheme"], given["state"]["peer"]) == (client, scheme, peer)


def test_a_trusted_proxy_must_be_an_address() -> None:
    with pytest.raises(BadInput, match="no address"):
        limits("proxy.example.org")


def test_an_encoded_slash_survives_routing() -> None:
    given = {"raw_path": b"/archive/v1/resources/a%2Fb", "path": "/archive/v1/resources/a/b", "root_path": ""}
    _keep_encoded(given, "/archive/v1")
    assert given["path"] == "/archive/v1/resources/a%2Fb"


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("PUT", "/archive/v1/transactions/x/files/a/b", 100),
        ("PATCH", "/archive/v1/transactions/x/uploads/y", 100),
        ("POST", "/archive/v1/imports", 100),
        ("POST", "/archive/v1/transactions/x/uploads/y", 5),
        ("POST", "/archive/v1/transactions", 5),
        ("PUT", "/archive/v1/transactions/x/metadata", 5),
        ("PUT", "/elsewhere", 5),
    ],
)
def test_only_files_and_packages_may_be_large(method: str, path: str, limit: int) -> None:
    assert limits().body_of({"method": method, "path": path}) == limit


def test_failures_are_counted_by_address_and_key() -> None:
    failures = Failures(2)
    failures.count("address a", "key k")
    assert failures.wait("address a") == 0
    failures.count("address a", "key l")
    assert 0 < failures.wait("address a", "key m") <= 60
    assert failures.wait("address b", "key k") == 0


def test_what_is_held_back_is_counted() -> None:
    sparse = Sparse(2)
    assert [sparse.take() for _ in range(4)] == [0, 0, None, None]
    assert sparse.held_back == 2


def test_secrets_are_hidden_by_name_and_by_form() -> None:
    found = redact(None, "info", {"token": "t", "event": "Authorization: Bearer abc.def", "path": "/x?key=1&y=2"})
    assert found == {"token": HIDDEN, "event": f"Authorization: Bearer {HIDDEN}", "path": f"/x?key={HIDDEN}&y=2"}


def test_the_line_of_a_request_says_what_the_others_say_and_hides_what_they_hide(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        tell_request(path='/"ä\n?key=abc', status=200, seconds=0.25, whole=True, token="t", caller="Ada <mailto:a@b.c>")
    said = json.loads(capsys.readouterr().err)
    assert said.pop("timestamp").endswith("Z")
    assert said == {
        "request_id": "r1",
        "path": f'/"ä\n?key={HIDDEN}',
        "status": 200,
        "seconds": 0.25,
        "whole": True,
        "token": HIDDEN,
        "caller": "Ada <mailto:a@b.c>",
        "event": "request",
        "level": "info",
    }

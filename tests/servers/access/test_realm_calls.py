"""What is asked of an issuer: whole documents of a bounded size, from where an administrator said and nowhere else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from muniment.app.realm_keys import exchange_code, fetch_keys


class Issuer(BaseHTTPRequestHandler):
    """Answers by the path: a document, a refusal, a redirect, too much, or less than was promised."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/cut":
            self.answer(200, b"{}", length=10)
            self.close_connection = True
        elif self.path == "/elsewhere":
            self.answer(302, b"", Location="/keys")
        elif self.path == "/large":
            self.answer(200, b"x" * ((1 << 20) + 1))
        elif self.path == "/none":
            self.answer(404, b"no")
        else:
            self.answer(200, json.dumps({"path": self.path}).encode())

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        told = {"form": parse_qs(form), "accept": self.headers["Accept"], "by": self.headers["Authorization"]}
        self.answer(400 if "wrong" in form else 200, json.dumps(told).encode())

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def issuer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_document_is_had_with_its_whole_address(issuer: str) -> None:
    assert json.loads(fetch_keys(f"{issuer}/keys?of=realm")) == {"path": "/keys?of=realm"}
    assert json.loads(fetch_keys(issuer)) == {"path": "/"}


@pytest.mark.parametrize("path", ["/none", "/elsewhere", "/large", "/cut"])
def test_what_is_refused_leads_elsewhere_is_too_large_or_cut_is_no_document(issuer: str, path: str) -> None:
    with pytest.raises(OSError, match=path):
        fetch_keys(issuer + path)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://", "http://127.0.0.1:x/", "http://127.0.0.1:1/", "keys"])
def test_an_address_that_is_none_or_has_nobody_there_is_an_error_of_the_system(url: str) -> None:
    with pytest.raises(OSError):
        fetch_keys(url)


def test_a_code_is_exchanged_by_a_form_and_a_refusal_is_an_answer(issuer: str) -> None:
    got = json.loads(exchange_code(f"{issuer}/token", {"code": "a b&c"}, {"Authorization": "Basic x"}))
    assert got == {"form": {"code": ["a b&c"]}, "accept": "application/json", "by": "Basic x"}
    assert b"wrong" in exchange_code(f"{issuer}/token", {"code": "wrong"}, {})

"""What is not quite HTTP, and what is HTTP in an unusual form."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from muniment.errors.sources import ServiceUnreachable
from muniment.session import Account, Guard, Session
from muniment.testing.clock import FakeClock


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True), clock=FakeClock(), timeout=2) as session:
        yield session


RAW = {
    "nonsense": b"SSH-2.0-OpenSSH\r\n",
    "nothing": b"",
    "a long line": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 300 + b"\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "a cut chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "a folded header": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    "too many interims": b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
    "a short body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
}


@contextlib.contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """Sends the same bytes to everybody."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(0.3)
                    connection.recv(65_536)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(65_536)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


@pytest.mark.parametrize("name", RAW)
def test_what_is_not_http_is_a_failure_of_the_service(session: Session, name: str) -> None:
    with raw_server(RAW[name]) as url, pytest.raises(ServiceUnreachable):
        session.get(Account("shelf", ()), url)


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\n{"a"\r\n3\r\n:1}\r\n0\r\nTrailer: x\r\n\r\n',
        b'HTTP/1.0 200 OK\r\n\r\n{"a":1}',
        b'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
        b'HTTP/1.1 200\nContent-Length: 7\n\n{"a":1}',
    ],
)  # fmt: skip
def test_http_in_all_its_forms_is_read(session: Session, answer: bytes) -> None:
    with raw_server(answer) as url:
        assert session.get(Account("shelf", ()), url).object() == {"a": 1}


DRIPPED = {
    "a status line": (b"HTTP/1.1 200 ", b"O" * 100, b"\r\nContent-Length: 2\r\n\r\n{}"),
    "a header": (b"HTTP/1.1 200 OK\r\nX: ", b"a" * 100, b"\r\nContent-Length: 2\r\n\r\n{}"),
    "a chunk's length": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0" * 100,
        b"2\r\n{}\r\n0\r\n\r\n",
    ),
    "a trailer": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: ",
        b"a" * 100,
        b"\r\n\r\n",
    ),
}
"""What comes at once, what comes byte after byte, and the rest, with which it is an answer like any other."""


@pytest.mark.parametrize("name", DRIPPED)
def test_what_is_sent_byte_after_byte_has_to_come_in_the_time_of_one(name: str) -> None:
    """Each byte resets the time that a connection may be silent, so a head could last for ever."""
    with (
        dripping_server(*DRIPPED[name]) as url,
        Session(Guard(allow_private_addresses=True), clock=FakeClock(), timeout=0.5, attempts=2) as session,
        pytest.raises(ServiceUnreachable, match="silent for too long"),
    ):
        session.get(Account("shelf", ()), url)


@contextlib.contextmanager
def dripping_server(first: bytes, slowly: bytes, rest: bytes) -> Iterator[str]:
    """Sends twenty bytes a second of `slowly`."""
    listening = socket.create_server(("127.0.0.1", 0))
    ending = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            connection.sendall(first)
            for byte in slowly:
                if ending.wait(0.05):
                    return
                connection.sendall(bytes([byte]))
            connection.sendall(rest)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listening.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        ending.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)

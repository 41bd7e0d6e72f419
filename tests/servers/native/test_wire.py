"""What a client may send before anybody knows it: what does not end costs nothing that stays."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from muniment.app.protocol import MOST_BYTES, LimitedProtocol
from muniment.archive import Archive
from muniment.errors.archive import LeftoverNotFound
from muniment.server.native.open_transactions import OpenTransactions
from tests.servers.native.running import Running, serving

FAR_TOO_MUCH = 64 << 20
SOME = b"a" * 65536


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("wire") / "archive") as found:
        yield found


@contextlib.contextmanager
def connected(running: Running) -> Iterator[socket.socket]:
    port = int(running.url.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 30) as found:
        yield found


def flood(connection: socket.socket, begin: bytes) -> int:
    """Send something that does not end, until the other side will have no more of it; returns the bytes it took."""
    connection.sendall(begin)
    sent = 0
    with contextlib.suppress(OSError):
        while sent < FAR_TOO_MUCH:
            connection.sendall(SOME)
            sent += len(SOME)
    return sent


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Endless: ",
        b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Endless: ",
        b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;endless=",
    ],
    ids=["address", "name", "value", "trailer", "chunk extension"],
)
def test_what_does_not_end_is_ended(running: Running, begin: bytes) -> None:
    with connected(running) as connection:
        # Beside what the server looked at there is what the two sockets hold.
        assert flood(connection, begin) < FAR_TOO_MUCH // 2


def test_too_many_bytes_of_headers_are_refused_in_words(running: Running) -> None:
    with connected(running) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (MOST_BYTES + 8192))
        answer = connection.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["type"] == "urn:muniment:error:headers-too-large"


@pytest.mark.parametrize("begun", [b"GET /" + b"a" * 70_000 + b" HTTP/1.1", b"hello"], ids=["too long", "no HTTP"])
def test_what_is_no_request_is_refused_with_a_problem(running: Running, begun: bytes) -> None:
    with connected(running) as connection:
        connection.sendall(begun + b"\r\nHost: x\r\n\r\n")
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(body)["type"] == "urn:muniment:error:bad-input"


@pytest.mark.parametrize("hosts", [[], ["a", "b"]], ids=["none", "two"])
def test_a_request_has_one_host(running: Running, hosts: list[str]) -> None:
    lines = ["GET /health/live HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close", "", ""]
    with connected(running) as connection:
        connection.sendall("\r\n".join(lines).encode())
        assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 400 ")


def test_an_old_client_needs_no_host(running: Running) -> None:
    with connected(running) as connection:
        connection.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        assert b" 200 " in connection.makefile("rb").readline()


def test_requests_sent_ahead_are_read_when_their_turn_comes() -> None:
    """All are answered, in their order, and few are in memory at any time."""
    count = 5_000
    made: list[LimitedProtocol] = []
    longest = 0

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal longest
        longest = max(longest, *(len(each.pipeline) for each in made))
        body = scope["path"].encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": body})

    def protocol(config: uvicorn.Config) -> LimitedProtocol:
        made.append(LimitedProtocol(config, ServerState(), {}))
        return made[-1]

    async def talk() -> list[bytes]:
        config = uvicorn.Config(application, http=LimitedProtocol, log_config=None, interface="asgi3")
        config.load()
        server = await asyncio.get_running_loop().create_server(lambda: protocol(config), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        asked = b"".join(b"GET /%04d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(count))
        writer.write(asked)
        found = []
        for _ in range(count):
            await reader.readuntil(b"\r\n\r\n")
            found.append(await reader.readexactly(5))
        writer.close()
        server.close()
        return found

    assert asyncio.run(asyncio.wait_for(talk(), 60)) == [b"/%04d" % number for number in range(count)]
    assert longest < 200


def test_the_second_request_of_a_connection_is_not_waited_for_endlessly_either() -> None:
    made: list[LimitedProtocol] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def talk() -> None:
        config = uvicorn.Config(application, http=LimitedProtocol, log_config=None, interface="asgi3")
        config.load()

        begun = asyncio.Event()

        def waiting() -> asyncio.TimerHandle | None:
            return made[0]._waiting

        class Watched(LimitedProtocol):
            def on_url(self, url: bytes) -> None:
                super().on_url(url)
                if url == b"/second":
                    begun.set()

        def protocol() -> LimitedProtocol:
            made.append(Watched(config, ServerState(), {}))
            return made[-1]

        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert waiting() is None
        writer.write(b"GET /second HT")
        await begun.wait()
        assert waiting() is not None
        writer.close()
        server.close()

    asyncio.run(asyncio.wait_for(talk(), 30))


def test_names_nobody_has_seen_are_not_remembered(tmp_path: Path) -> None:
    Archive.init(tmp_path / "archive").close()
    with Archive(tmp_path / "archive", workers=0) as archive:
        open_transactions = OpenTransactions(archive, 60)
        with archive.new("known") as transaction:
            transaction.add(b"x", "x")
            open_transactions.keep(transaction)
            with open_transactions.hold(transaction.transaction, archive):
                pass
            for number in range(10):
                name = f"00000000-0000-4000-8000-{number:012}"
                with pytest.raises(LeftoverNotFound), open_transactions.hold(name, archive):
                    pass
            assert not open_transactions._locks
            transaction.unpark()

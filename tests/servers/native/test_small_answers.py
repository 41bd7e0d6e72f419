"""Connections over a socket that several processes share: small answers leave at once, and all processes serve."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import struct
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from uvicorn.server import ServerState

from muniment.app.connections import BufferedTransport, SharedListener
from muniment.app.protocol import LimitedProtocol
from tests.servers.native.running import served_by_command

_SEGMENTS_IN = 152
"""Where `tcp_info` has the number of segments with data that came in (linux/tcp.h)."""


def test_a_connection_over_a_ready_made_socket_waits_for_no_acknowledgement() -> None:
    """Else the kernel holds the body of a small answer back for 40 ms, until the client has acknowledged its head."""

    async def application(scope: object, receive: object, send: object) -> None:
        return

    async def connect() -> int:
        config = uvicorn.Config(application, http=LimitedProtocol, log_config=None, interface="asgi3")
        config.load()

        accepted = asyncio.get_running_loop().create_future()

        class Watched(LimitedProtocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as above it
                super().connection_made(transport)
                stream = transport.get_extra_info("socket")
                accepted.set_result(int(stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

        with socket.socket() as shared:  # as uvicorn makes it for several processes: of no named protocol
            shared.bind(("127.0.0.1", 0))
            server = await asyncio.get_running_loop().create_server(
                lambda: Watched(config, ServerState(), {}), sock=shared
            )
            _, writer = await asyncio.open_connection(*shared.getsockname())
            found = int(await asyncio.wait_for(accepted, 30))
            writer.close()
            server.close()
            return found

    assert asyncio.run(connect()) == 1


def segments(stream: socket.socket) -> int:
    return int(struct.unpack_from("I", stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), _SEGMENTS_IN)[0])


@pytest.mark.parametrize("processes", ["1", "2"])
def test_head_and_body_of_a_small_answer_are_one_packet(tmp_path: Path, processes: str) -> None:
    with served_by_command(tmp_path / "archive", "--processes", processes) as server:
        client = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        for _ in range(20):
            client.request("GET", "/archive/v1", headers={"Authorization": f"Bearer {server.key}"})
            assert b"preservation" in client.getresponse().read()
        assert client.sock is not None
        assert segments(client.sock) == 20
        client.close()


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.written.append(b"closed")


def test_only_small_writes_of_one_turn_are_joined_and_none_is_held_longer() -> None:
    async def write() -> list[bytes]:
        wire = Wire()
        joined = BufferedTransport(wire, asyncio.get_running_loop())
        joined.write(b"head ")
        joined.write(b"body")
        joined.write(b"event")
        await asyncio.sleep(0)
        assert wire.written == [b"head body", b"event"], "it waits for nothing that may never come"
        joined.write(b"")
        joined.write(b"head")
        joined.write(bytes(100_000))
        joined.write(b"last")
        joined.close()
        return wire.written[2:]

    assert asyncio.run(write()) == [b"head", bytes(100_000), b"last", b"closed"]


def take_one(listener: SharedListener, pipe: Connection) -> None:
    listener.setblocking(False)
    pipe.recv()
    taken, _ = listener.accept()
    pipe.send(taken.fileno() >= 0)
    pipe.recv()
    taken.close()
    pipe.send("closed")
    pipe.recv()


def test_a_process_leaves_a_connection_to_the_one_that_has_fewer() -> None:
    started = multiprocessing.get_context("fork")
    with socket.create_server(("127.0.0.1", 0)) as bound, SharedListener.of(bound, 2) as here:
        here.setblocking(False)
        address = here.getsockname()
        mine, theirs = started.Pipe()
        other = started.Process(target=take_one, args=(here, theirs))
        other.start()
        clients = [socket.create_connection(address) for _ in range(3)]
        first, _ = here.accept()
        with pytest.raises(BlockingIOError):
            here.accept()  # one a turn
        with pytest.raises(BlockingIOError):
            here.accept()  # the other process has none yet
        mine.send("go")
        assert mine.poll(60)
        assert mine.recv() is True
        second, _ = here.accept()  # both have one
        mine.send("close")
        assert mine.poll(60)
        mine.recv()
        clients.append(socket.create_connection(address))
        with pytest.raises(BlockingIOError):
            here.accept()
        with pytest.raises(BlockingIOError):
            here.accept()
        mine.send("end")
        other.join(60)
        for stream in (first, second, *clients):
            stream.close()
        assert other.exitcode == 0


def test_a_connection_nobody_else_takes_is_taken_all_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound, SharedListener.of(bound, 2) as here:
        here.setblocking(False)
        clients = [socket.create_connection(here.getsockname()) for _ in range(2)]
        taken: list[socket.socket] = []
        while len(taken) < 2:
            try:
                taken.append(here.accept()[0])
            except BlockingIOError:
                continue
        for stream in (*taken, *clients):
            stream.close()

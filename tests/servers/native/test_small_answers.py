"""Connections over a socket that several processes share: small answers leave at once."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from uvicorn.server import ServerState

from muniment.app.protocol import LimitedProtocol


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

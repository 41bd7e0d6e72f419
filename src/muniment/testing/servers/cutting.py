"""A line that breaks when told to: a proxy on loopback in front of another server, which counts what passes."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_PIECE = 1 << 16
_GO_ON = b"HTTP/1.1 100"
"""How a server asks for the body; that is no answer yet."""


class CuttingProxy:
    """Passes everything on to `port`; after `cut_after` bytes from clients every connection breaks, until healed."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.port = int(self._listening.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.sent = 0
        """Bytes that came from clients."""
        self.cut_after: int | None = None
        self.lose_answers = False
        """Whether answers are swallowed: what was asked is done, and nobody learns of it."""

    def __enter__(self) -> Self:
        """Begin to listen."""
        threading.Thread(target=self._accept, name="cutting", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Break everything off."""
        self._listening.close()
        self._break()

    def heal(self) -> None:
        """Let everything pass again, and count from nothing."""
        with self._lock:
            self.cut_after, self.sent = None, 0

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._is_cut():
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._open |= {client, server}
            for source, target, counted in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pass_on, args=(source, target), kwargs={"counted": counted}, daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, *, counted: bool) -> None:
        try:
            while data := source.recv(_PIECE):
                if counted:
                    with self._lock:
                        self.sent += len(data)
                    if self._is_cut():
                        self._break()
                        return
                elif self.lose_answers and not data.startswith(_GO_ON):
                    return
                target.sendall(data)
        except OSError:
            pass  # either end hung up: what this line is for
        finally:
            for each in (source, target):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _is_cut(self) -> bool:
        with self._lock:
            return self.cut_after is not None and self.sent > self.cut_after

    def _break(self) -> None:
        with self._lock:
            broken, self._open = self._open, set()
        for each in broken:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

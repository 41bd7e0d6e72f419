"""Sockets of the server: one that several processes accept from in turn, and a way out that joins small writes."""

from __future__ import annotations

import asyncio
import fcntl
import mmap
import os
import socket
import time
from collections.abc import Callable
from multiprocessing import reduction
from typing import Any, Self

_WIDTH = 4
"""Bytes of a count."""

_JOINED = 64 << 10
"""Bytes of a write that are put behind what is held; more cost more in copying than a call of the system does."""


_PATIENCE = 0.01
"""Seconds a process leaves a connection to one that has fewer. It may be at work, or have died."""

_FORGOTTEN = 1.0
"""Seconds after which a connection that was left to another has long been taken."""


class SharedListener(socket.socket):
    """A listening socket of several processes, which serve about as many connections each.

    Each event loop would take all that wait, so whichever process woke first would serve every client that connects
    with others. Here a process takes one at a time, and leaves it to those that hold fewer.
    """

    def __init__(self, descriptor: int, counts: int, processes: int) -> None:
        """`counts` is a file in memory with four bytes for each process: the connections it holds."""
        super().__init__(fileno=descriptor)
        self._descriptor = counts
        self._counts = memoryview(mmap.mmap(counts, _WIDTH * processes)).cast("I")
        self._place = -1
        self._taken = False
        self._left_since = -_FORGOTTEN

    @classmethod
    def of(cls, bound: socket.socket, processes: int) -> Self:
        """The same socket for so many processes; `bound` cannot be used any more."""
        counts = os.memfd_create("connections")
        os.ftruncate(counts, _WIDTH * processes)
        return cls(bound.detach(), counts, processes)

    def accept(self) -> tuple[socket.socket, Any]:
        """Take one connection.

        Raises:
            BlockingIOError: None waits, one was just taken, or it is another's turn.
        """
        if self._taken or self._others_turn():
            self._taken = False
            raise BlockingIOError
        try:
            descriptor, address = self._accept()  # type: ignore[attr-defined] # what the class above calls
        finally:
            self._left_since = -_FORGOTTEN
        self._taken = True
        return _Connection(descriptor, self._counts, self._place), address

    def close(self) -> None:
        """Close it here; the counts stay for as long as there are connections."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        super().close()

    def _others_turn(self) -> bool:
        if self._place < 0:
            self._take_place()
        if self._counts[self._place] <= min(self._counts):
            return False
        now = time.monotonic()
        if now - self._left_since > _FORGOTTEN:
            self._left_since = now
        elif now - self._left_since >= _PATIENCE:
            return False
        time.sleep(_PATIENCE / 50)  # not a turn of the loop after the other: that other process may need this core
        return True

    def _take_place(self) -> None:
        """Take a place in the counts that no living process has: the system lets go of the lock of a dead one."""
        for place in range(len(self._counts)):
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except OSError:
                continue
            self._place = place
            self._counts[place] = 0
            return
        self._place = 0  # more processes than there should be: counted with another, which harms no one

    def __reduce__(self) -> tuple[Callable[..., socket.socket], tuple[Any, ...]]:
        """How it reaches a process that is being started."""
        handles = reduction.DupFd(self.fileno()), reduction.DupFd(self._descriptor)
        return _arrived, (*handles, len(self._counts))


def _arrived(listening: Any, counts: Any, processes: int) -> SharedListener:
    return SharedListener(listening.detach(), counts.detach(), processes)


class _Connection(socket.socket):
    """A connection that counts for its process until it is closed."""

    def __init__(self, descriptor: int, counts: memoryview, place: int) -> None:
        super().__init__(fileno=descriptor)
        self._counts, self._place = counts, place
        counts[place] += 1

    def close(self) -> None:
        """Close it, and count it no longer."""
        if self._place >= 0 and self._counts[self._place]:
            self._counts[self._place] -= 1
        self._place = -1
        super().close()


class BufferedTransport(asyncio.Transport):
    """A transport that sends the small writes of one turn of the event loop in one.

    The head of an answer and its body come as two; each would be a call of the system, a packet, and a waking of
    the client of its own.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held = b""
        # What is not about writing is the transport's own.
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.set_protocol = transport.set_protocol  # type: ignore[method-assign]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send it with what is held; the first small one of a turn is held until the next, or the end of the turn."""
        held = self._held
        if held:
            self._held = b""
            if len(data) <= _JOINED:
                self._transport.write(b"".join((held, data)))
                return
            self._transport.write(held)
        elif len(data) <= _JOINED:
            if data:
                self._held = bytes(data)
                self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Send what is held, and close the connection when all has left."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close it at once."""
        self._held = b""
        self._transport.abort()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

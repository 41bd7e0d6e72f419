"""One process's way to the broker: a connection that is made again when it breaks, and the messages sent over it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from celery import Celery
from celery.exceptions import CeleryError
from kombu import Connection
from kombu.exceptions import KombuError

from muniment.errors.jobs import BrokerUnavailable

_SILENCE = 30.0
"""Seconds that a broker may take for one answer before the connection counts as broken."""


class BrokerConnection:
    """The connection that messages are sent over; thread-safe.

    The library's pools keep a connection that broke and hand it out again, so none of them is used: what breaks
    here is thrown away with everything that belonged to it, and the next call connects anew.
    """

    def __init__(self, app: Celery, task: str) -> None:
        """Send messages for the task of `app` that is called `task`. Connects to nothing yet."""
        self._app = app
        self._task = task
        self.waiting: dict[str, int] = {}
        """How many messages waited in each queue when it was last looked at."""
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def depths(self, queues: Sequence[str]) -> list[int]:
        """How many messages wait in each of `queues`.

        Raises:
            BrokerUnavailable: It cannot be reached.
        """
        with self._reached() as connection:
            self.waiting = {queue: self._depth(connection, queue) for queue in queues}
            return list(self.waiting.values())

    def send(self, queue: str, messages: Sequence[Sequence[str]]) -> None:
        """Put messages into a queue, each with its ids of steps.

        Raises:
            BrokerUnavailable: Some of them were not sent.
        """
        task = self._app.tasks[self._task]
        with self._reached() as connection, self._app.amqp.Producer(connection, auto_declare=False) as producer:
            for steps in messages:
                task.apply_async((list(steps),), queue=queue, producer=producer, delivery_mode=2)

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            self._drop()

    @staticmethod
    def _depth(connection: Connection, queue: str) -> int:
        try:
            with connection.channel() as channel:
                return int(channel.queue_declare(queue, passive=True).message_count)
        except connection.channel_errors:
            return 0  # nobody has declared it yet; the first message does

    @contextlib.contextmanager
    def _reached(self) -> Iterator[Connection]:
        with self._lock:
            try:
                connection = self._connection or self._connected()
                yield connection
            except Exception as error:
                self._drop()
                if isinstance(error, (CeleryError, KombuError, OSError, *self._errors())):
                    place = self._app.connection().as_uri()
                    raise BrokerUnavailable(place=place, reason=str(error) or type(error).__name__) from error
                raise

    def _connected(self) -> Connection:
        options = {"socket_timeout": _SILENCE, "socket_connect_timeout": _SILENCE / 3, "max_retries": 0}
        if self._app.conf.broker_url.startswith("amqp"):
            options = {"read_timeout": _SILENCE, "write_timeout": _SILENCE}
        connection = self._app.connection_for_write(transport_options=options, connect_timeout=_SILENCE / 3)
        try:
            connection.connect()
        except BaseException:
            connection.release()
            raise
        self._connection = connection
        return connection

    def _errors(self) -> tuple[type[BaseException], ...]:
        connection = self._app.connection()
        return (*connection.connection_errors, *connection.channel_errors)

    def _drop(self) -> None:
        broken, self._connection = self._connection, None
        if broken is not None:
            with contextlib.suppress(Exception):  # it is thrown away; how it takes that is of no interest
                broken.release()

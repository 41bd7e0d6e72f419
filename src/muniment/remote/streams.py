"""Streamed responses: the findings of a running check, and the live event log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from muniment.content.events import Event
from muniment.remote.connection import LONG, Broken, Server, cut, pause
from muniment.remote.problems import error_from
from muniment.remote.records import event_of

_ATTEMPTS = 8
_BREATH = 0.2


def rows_of(server: Server, path: str, given: Mapping[str, object], what: str) -> Iterator[dict[str, Any]]:
    """The rows of a check as they come, without its summary.

    Raises:
        TransferCut: They ended before the summary, so there may have been more.
        MunimentError: What the server says, also in the middle.
    """
    body = json.dumps(given).encode("utf-8")
    headers = {"Content-Type": "application/json"}
    connection, answer = server.retry(lambda: server.open("POST", path, headers=headers, body=body, patience=LONG))
    try:
        for line in answer:
            row = json.loads(line)
            if "problem" in row:
                raise error_from(row["problem"])
            if "summary" in row:
                return
            if "begun" not in row:
                yield row
    except Broken as error:
        raise cut(what, error) from error
    finally:
        connection.close()
    raise cut(what, EOFError("they ended without a summary"))


def live_events(server: Server, at: str | None) -> Iterator[Event]:
    """The log from `at` on, without end; taken up again where it was cut, none lost and none twice.

    Raises:
        TransferCut: It was cut too often.
        MunimentError: What the server says.
    """
    failed = 0
    while True:
        try:
            connection, answer = server.open("GET", "/events", {"start": at}, headers={"Accept": "text/event-stream"})
        except Broken as error:
            failed += 1
            if failed >= _ATTEMPTS:
                raise cut("the live log", error) from error
            pause(failed)
            continue
        try:
            for line in answer:
                failed = 0
                if line.startswith(b"data:"):
                    event = event_of(json.loads(line[5:]))
                    at = str(event.seq)
                    yield event
        except Broken:
            failed += 1
        finally:
            connection.close()
        time.sleep(_BREATH)

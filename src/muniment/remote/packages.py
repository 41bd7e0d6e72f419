"""Whole resources as tars and zips: fetched with resume, sent with their digest."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from muniment.content import Hashers, Progress
from muniment.errors.base import BadInput
from muniment.remote.body import RemoteFile
from muniment.remote.connection import LONG, Broken, Server, cut

_CHUNK = 1 << 20


def fetch_package(
    server: Server, path: str, query: Mapping[str, object], write: Callable[[bytes], object], progress: Progress
) -> tuple[int, str]:
    """Hand a tar or zip to `write`, piece by piece; its length and sha256.

    Raises:
        TransferCut: It was cut too often, or broken off because a file is damaged.
        MunimentError: What the server says.
    """
    hashers = Hashers(["sha256"])
    with RemoteFile(server, path, query, name="the package") as raw, io.BufferedReader(raw, _CHUNK) as file:
        while piece := file.read(_CHUNK):
            hashers.update(piece)
            write(piece)
            progress("receiving", hashers.size, None, size=hashers.size)
    return hashers.size, hashers.values()["sha256"]


def fetch_document(
    server: Server, path: str, query: Mapping[str, object], write: Callable[[bytes], object], name: str
) -> tuple[int, str]:
    """Hand a document that is made while it is sent to `write`, piece by piece; its length and sha256.

    Its length is not known before its end, so a broken connection is not taken up again.

    Raises:
        TransferCut: It was cut, or the server broke it off.
        MunimentError: What the server says.
    """
    connection, answer = server.retry(lambda: server.open("GET", path, query, patience=LONG))
    hashers = Hashers(["sha256"])
    try:
        while piece := answer.read(_CHUNK):
            hashers.update(piece)
            write(piece)
    except Broken as error:
        connection.close()
        raise cut(name, error) from error
    server.give_back(connection, answer)
    return hashers.size, hashers.values()["sha256"]


def send_package(
    server: Server, query: Mapping[str, object], source: Iterable[bytes], headers: Mapping[str, str], progress: Progress
) -> dict[str, Any]:
    """Send a tar or zip to be imported; what the server answers.

    Raises:
        BadInput: There is nothing to send.
        TransferCut: The connection broke; nothing was taken in.
        MunimentError: What the server says.
    """
    pieces = iter(source)
    first = next(pieces, b"")
    if not first:
        raise BadInput(reason="the package is empty")

    def chunked() -> Iterable[bytes]:
        sent = 0
        for piece in chain((first,), pieces):
            sent += len(piece)
            yield piece
            progress("sending", sent, None, size=sent)

    kind = "application/zip" if first.startswith(b"PK") else "application/x-tar"
    described = {**headers, "Content-Type": kind, "Transfer-Encoding": "chunked"}
    try:
        connection, answer = server.open("POST", "/imports", query, headers=described, body=chunked(), patience=LONG)
        data = answer.read()
    except Broken as error:
        raise cut("the package", error) from error
    server.give_back(connection, answer)
    return dict(json.loads(data))

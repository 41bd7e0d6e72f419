"""The pool of connections to a server: kept between requests, ended by closing, used again after it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from muniment.remote.connection import Server
from tests.servers.native.running import serving


def test_a_connection_is_kept_for_the_next_request(tmp_path: Path) -> None:
    with serving(tmp_path / "archive") as running, contextlib.closing(Server(running.url, running.key)) as server:
        first, answer = server.open("GET", "")
        answer.read()
        server.give_back(first, answer)
        second, answer = server.open("GET", "")
        answer.read()
        server.give_back(second, answer)
        assert first is second
        assert first.sock is not None


def test_one_in_use_while_it_is_closed_ends_when_it_is_given_back(tmp_path: Path) -> None:
    with serving(tmp_path / "archive") as running:
        server = Server(running.url, running.key)
        late, answer = server.open("GET", "")
        answer.read()
        server.close()
        server.give_back(late, answer)
        assert late.sock is None
        fresh, answer = server.open("GET", "")
        answer.read()
        server.give_back(fresh, answer)
        assert fresh is not late
        assert fresh.sock is not None, "the requests after it have a pool again"
        server.close()
        assert fresh.sock is None

"""The source `git` against git's own HTTP backend, with a login."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.testing.servers.gitserver import GitServer
from muniment.testing.sources import SourceContract

BIG = bytes(range(256)) * 9000
MEDIA = b"frame" * 700_000
FILES = {
    ".github/workflows/x.yml": b"on: push\n",
    ".hidden": b"kept",
    "README.md": b"hello\n",
    "big.bin": BIG,
    "empty": b"",
    "sub/dir/\u00fcml\u00e4ut & co.txt": b"\r\n",
}


class TestGit(SourceContract):
    kind = "git"
    bodies = "/lfs-objects/"
    calls = "/info/refs$"
    paged = False
    lists_by_program = True

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[GitServer]:
        with GitServer(tmp_path / "served", password="sesame street") as server:
            repository = server.repository("group/thing")
            repository.commit(repository.folder_of({"old.txt": b"old"}))
            repository.commit(repository.folder_of(FILES | {"movie.mp4": server.keep_lfs(MEDIA)}))
            repository.commit(repository.folder_of({"elsewhere": b"other branch"}), "topic")
            yield server

    def given(self, server: GitServer) -> dict[str, Any]:
        return {"url": f"{server.url}/group/thing.git", "username": "reader", "password": "sesame street"}

    def refused(self, server: GitServer) -> dict[str, str]:
        return {"password": "a-wrong-password"}

    def missing(self, server: GitServer) -> dict[str, str]:
        return {"url": f"{server.url}/group/nothing.git"}

    def files(self, server: GitServer) -> dict[str, bytes]:
        return FILES | {"movie.mp4": MEDIA}

    def test_lfs_files_come_with_the_digest_of_their_pointer(self, source: Any, server: GitServer) -> None:
        _, entry, data = self.largest(source, server)
        assert entry.path == "movie.mp4"
        assert entry.digests == {"sha256": hashlib.sha256(data).hexdigest()}

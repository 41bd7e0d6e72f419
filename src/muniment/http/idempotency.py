"""Requests that are sent twice and done once: the answers of those that carry an idempotency key."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from muniment.errors.remote import KeyUsedDifferently, RequestInWork

_LIFE = 86_400.0
_LONGEST_WORK = 3600.0
"""Seconds after which a request without an answer belonged to a process that died."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS web_answers (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL, made REAL NOT NULL) WITHOUT ROWID;
"""


class Idempotency:
    """Answers by caller and key, kept for a day in the archive's control database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._open()) as database, database:
            database.executescript(_SCHEMA)

    def once(self, key: str | None, caller: str, request: Any, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `make` answers, or answered when the same request came before.

        Raises:
            KeyUsedDifferently: The key was used for another request.
            RequestInWork: The same request is being worked on at this moment.
        """
        if not key:
            return make()
        name = hashlib.sha256(json.dumps([caller, key]).encode()).hexdigest()
        asked = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        known = self._claim(name, asked)
        if known is not None:
            if known[0] != asked:
                raise KeyUsedDifferently(key=key)
            if not known[1]:
                raise RequestInWork(key=key)
            return dict(json.loads(known[1]))
        try:
            answer = make()
        except BaseException:
            with closing(self._open()) as database:
                database.execute("DELETE FROM web_answers WHERE key = ?", (name,))
            raise
        with closing(self._open()) as database:
            database.execute(
                "UPDATE web_answers SET answer = ?, made = ? WHERE key = ?", (json.dumps(answer), time.time(), name)
            )
        return answer

    def sweep(self) -> None:
        """Forget answers older than a day."""
        with closing(self._open()) as database, database:
            database.execute("DELETE FROM web_answers WHERE made < ?", (time.time() - _LIFE,))

    def _claim(self, name: str, asked: str) -> tuple[str, str] | None:
        """What is known under a name; where nothing is, it is claimed for this request, with no answer yet."""
        with closing(self._open()) as database:
            database.execute("BEGIN IMMEDIATE")
            now = time.time()
            database.execute(
                "DELETE FROM web_answers WHERE key = ? AND (made < ? OR (answer = '' AND made < ?))",
                (name, now - _LIFE, now - _LONGEST_WORK),
            )
            found = database.execute("SELECT request, answer FROM web_answers WHERE key = ?", (name,)).fetchone()
            if found is None:
                database.execute("INSERT INTO web_answers VALUES (?, ?, '', ?)", (name, asked, now))
            database.execute("COMMIT")
        return (str(found[0]), str(found[1])) if found else None

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=60, isolation_level=None)

"""Requests that are sent twice and done once: the answers of those that carry an idempotency key."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from muniment.database import Database
from muniment.database.tables import idempotency_answers as answers
from muniment.errors.remote import KeyUsedDifferently, RequestInWork

_LIFE = 86_400.0
_LONGEST_WORK = 3600.0
"""Seconds after which a request without an answer belonged to a process that died."""


class Idempotency:
    """Answers by caller and key, kept for a day in the control database."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`, which whoever opened it closes."""
        self._database = database

    def once(self, key: str | None, caller: str, request: object, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
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
            self._database.write(lambda connection: connection.execute(_forget, {"name": name}))
            raise
        done = {"name": name, "to_answer": json.dumps(answer), "at": time.time()}
        self._database.write(lambda connection: connection.execute(_keep, done))
        return answer

    def sweep(self) -> None:
        """Forget answers older than a day."""
        old = time.time() - _LIFE
        self._database.write(lambda connection: connection.execute(_forget_old, {"before": old}))

    def _claim(self, name: str, asked: str) -> tuple[str, str] | None:
        """What is known under a name; where nothing is, it is claimed for this request, with no answer yet."""

        def work(connection: Connection) -> tuple[str, str] | None:
            now = time.time()
            found = connection.execute(_known, {"name": name}).first()
            if found is not None and (found.made < now - (_LIFE if found.answer else _LONGEST_WORK)):
                connection.execute(_forget, {"name": name})
                found = None
            if found is not None:
                return str(found.request), str(found.answer)
            # Of two that claim it at once, the database sends one back to the beginning.
            connection.execute(insert(answers), {"key": name, "request": asked, "answer": "", "made": now})
            return None

        return self._database.write(work)


_here = answers.c.key == bindparam("name")
_known = select(answers).where(_here)
_keep = update(answers).where(_here).values(answer=bindparam("to_answer"), made=bindparam("at"))
_forget = delete(answers).where(_here)
_forget_old = delete(answers).where(answers.c.made < bindparam("before"))

"""Threads that append at the same moment do so together: who comes first writes for all that wait, with one flush."""

from __future__ import annotations

import threading
from collections.abc import Callable

from muniment.content.events import Event
from muniment.errors.archive import WriteFailed
from muniment.errors.base import StorageError

Append = Callable[[list[Event]], list[Event]]


class _Asked:
    """What one thread wants appended, and what became of it."""

    __slots__ = ("done", "drafts", "error", "taken")

    def __init__(self, drafts: list[Event]) -> None:
        self.drafts = drafts
        self.taken = False
        self.done: list[Event] | None = None
        self.error: StorageError | None = None

    def answer(self) -> list[Event] | None:
        """The events as they are stored; None when nobody stored them yet.

        Raises:
            StorageError: It failed for all that were stored together.
        """
        if self.error is not None:
            raise self.error
        return self.done


class GroupCommit:
    """Puts what threads of one process ask for meanwhile into one append.

    Each is told when its own events are on stable storage, and not before.
    """

    def __init__(self, append: Append) -> None:
        """`append` stores drafts and returns them as they are stored, in that order: all of them, or none."""
        self._append = append
        self._waiting: list[_Asked] = []
        self._guard = threading.Lock()
        self._turn = threading.Lock()

    def append(self, drafts: list[Event]) -> list[Event]:
        """Store the drafts.

        Raises:
            MunimentError: As the append that was given.
        """
        asked = _Asked(drafts)
        with self._guard:
            self._waiting.append(asked)
        with self._turn:
            if not asked.taken:
                with self._guard:
                    group, self._waiting = self._waiting, []
                if len(group) > 1:
                    self._store(group)
            done = asked.answer()
            return self._append(drafts) if done is None else done

    def _store(self, group: list[_Asked]) -> None:
        for each in group:
            each.taken = True
        try:
            events = self._append([draft for each in group for draft in each.drafts])
        except (TypeError, ValueError):
            # One of them cannot be written as a line, so nothing was. Each goes on alone, and that one meets it again.
            return
        except StorageError as error:
            self._fail(group, error)
            return
        except BaseException:
            # Whoever is told of a failure looks whether its event is in the log after all.
            self._fail(group, WriteFailed(path="the event log", reason="it was interrupted"))
            raise
        for each in group:
            each.done, events = events[: len(each.drafts)], events[len(each.drafts) :]

    @staticmethod
    def _fail(group: list[_Asked], error: StorageError) -> None:
        for each in group:
            each.error = error

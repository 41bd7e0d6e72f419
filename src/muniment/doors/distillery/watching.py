"""Looking at the folder of scans by itself: a collection whose scans are new or changed, and at rest, is run once."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

from muniment.doors.distillery.folders import ScanCollection, known_collections, read_collection
from muniment.doors.distillery.requests import run_collection
from muniment.errors.jobs import SubjectTaken
from muniment.jobs import Call, Context, Done, Json
from muniment.jobs.schedules import Period

if TYPE_CHECKING:
    from muniment.doors.distillery.context import DistilleryContext

WATCH = "distill.watch"
_PERIOD = "distillery"
_EVERY = "*"
"""Among the watched collections it stands for all there are."""
AT_REST = 60.0
"""Seconds without a change after which scans count as all there."""


class WatchStep:
    """Run the watched collections that changed."""

    name = WATCH
    failures = 3

    def __init__(self, given: DistilleryContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - all steps are run alike
        """Look, and ask for what is to be run.

        Raises:
            MunimentError: The ledger could not be asked.
        """
        settings = self._given.settings
        names = known_collections(settings.scans) if _EVERY in settings.watched else settings.watched
        asked: list[str] = []
        for name in names:
            found = read_collection(settings.scans, name)
            if not any(each.files for each in found.folders) or not self._at_rest(found):
                continue
            with contextlib.suppress(SubjectTaken):
                job = run_collection(
                    self._given, name, settings.watched_to, requester="the watched folder", key=_state_of(found)
                )
                asked += [name] if job.new else []
        return Done({"asked": asked})

    def _at_rest(self, found: ScanCollection) -> bool:
        newest = max(each.changed for folder in found.folders for each in folder.files)
        return self._given.now() - newest / 1e9 >= AT_REST


def schedule_watch(given: DistilleryContext) -> None:
    """Look as often as the settings say, or no more.

    Raises:
        BadPeriod: The setting `every` is no rule.
        MunimentError: Nothing was recorded.
    """
    settings = given.settings
    if settings.every and settings.watched:
        given.ledger.schedule(Period(_PERIOD, settings.every, "distillery-watch", Call(WATCH, None), "the settings"))
    else:
        given.ledger.unschedule(_PERIOD)


def _state_of(found: ScanCollection) -> str:
    """What lies in a collection's folder, as one word: another one after every change."""
    digest = hashlib.sha256()
    for folder in found.folders:
        for each in folder.files:
            digest.update(f"{folder.name}/{each.path.name} {each.size} {each.changed}\n".encode())
    return f"{found.id} {digest.hexdigest()}"

"""The Distillery: what would happen; then, is it safe and recorded? Its addresses and its rights are the door's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, cast

from fastapi import Request
from starlette.responses import Response

from muniment.doors.distillery.batches import Line
from muniment.doors.distillery.folders import known_collections, known_folders, near_names
from muniment.doors.distillery.http.admission import context_of
from muniment.doors.distillery.policy import BatchPolicy
from muniment.doors.distillery.progress import MADE, RECORDED, FolderProgress, folders_of, stages_of
from muniment.doors.distillery.requests import batch_document, batches
from muniment.http.authorization import AuthorizedRequest
from muniment.jobs import Job, JobState
from muniment.server.pages.page import framed, language_of
from muniment.server.pages.texts import Texts

PLACE = "/distillery"
_LINES = 200
_SHOWN = 20
_MOST_SHOWN = 500
_MOST_NAMES = 500
_EARLIER = 5
_WEIGHT = {"failed": 0, "running": 1, "waiting": 2, "cancelled": 2, "done": 3}
SHAPES = {
    "waiting": "wait",
    "running": "run",
    "sent": "run",
    "done": "ok",
    "partly": "warn",
    "failed": "bad",
    "cancelled": "warn",
}
STAGES = {
    MADE: "Read and packed",
    "onsite": "Tape or shelf",
    "cloud": "Cloud",
    "access": "Access pages",
    RECORDED: "ArchivesSpace",
}
WORDS = {
    "waiting": "Waits",
    "running": "Running",
    "sent": "Sent, not verified",
    "done": "Done",
    "partly": "Not everywhere",
    "failed": "Failed",
    "cancelled": "Stopped",
}
DONE = {MADE: "Packed", "onsite": "Verified", "cloud": "Verified", "access": "Shown", RECORDED: "Recorded"}
KEPT = {
    "both": "The scan as it came, and a lossless JPEG 2000",
    "original": "The scan as it came, alone",
    "jp2": "The lossless JPEG 2000, alone",
}
BROKEN = {
    "strict": "It holds its folder back until it is scanned anew",
    "lenient": "It is left out and named; the others of its folder go on",
}
STATES = {"running": "Running", "done": "Recorded", "failed": "Not whole", "cancelled": "Stopped", "paused": "Paused"}
STATE_SHAPES = {"running": "run", "done": "ok", "failed": "bad", "cancelled": "warn", "paused": "wait"}
LINE_SHAPES = {"problem": "warn", "waiting": "warn", "failed": "bad", "finished": "ok"}


class DistilleryPages:
    """The door's pages in the frame of all others."""

    def batches(self, request: Request, access: AuthorizedRequest, jobs: Sequence[Job]) -> Response:
        """The batches there were, those that went wrong first."""
        words = language_of(request)
        running = sum(each.state is JobState.RUNNING for each in jobs)
        failed = sum(each.state is JobState.FAILED for each in jobs)
        parts = [
            words.counted(failed, "one batch was not done whole|{n} batches were not done whole") if failed else "",
            words.counted(running, "one is running|{n} are running") if running else "",
        ]
        said = ", ".join(str(part) for part in parts if part)
        heading = said[:1].upper() + said[1:] if said else words("Every batch is verified and recorded")
        if not jobs:
            heading = words("No batch was run yet")
        listed = sorted(jobs, key=lambda each: {"failed": 0, "running": 1}.get(str(each.state), 2))
        return framed(
            request,
            "batches.html",
            words("Distillery"),
            PLACE,
            access=access,
            heading=heading,
            batches=[_row(each) for each in listed],
            live=bool(running),
            **_names(),
        )

    def form(
        self,
        request: Request,
        access: AuthorizedRequest,
        collections: Sequence[str],
        *,
        asked: Mapping[str, Any] | None = None,
        wrong: str = "",
        status: int = 200,
    ) -> Response:
        """The form; what was typed stays."""
        words, given = language_of(request), context_of(request)
        typed = asked or {}
        collection = str(typed.get("collection", request.query_params.get("collection", "")))[:60]
        offered = list(given.settings.destinations)
        usual = BatchPolicy.of(given.settings, {})
        there = list(islice(known_folders(given.settings.scans, collection), _MOST_NAMES + 1))
        marked = {name for each in typed.get("folders") or () for name in str(each).splitlines()}
        listed = there if len(there) <= _MOST_NAMES else []
        return framed(
            request,
            "batch_form.html",
            words("New batch"),
            PLACE,
            access=access,
            status=status,
            collections=collections,
            collection=collection,
            offered=offered,
            chosen=list(typed.get("to") or []) if asked is not None else offered,
            scans=str(given.settings.scans),
            near=near_names(collection, list(collections)) if collection and collection not in collections else [],
            folders=listed,
            marked=marked,
            written="\n".join(sorted(marked - set(listed))),
            normalisation=str(typed.get("normalisation") or usual.normalisation),
            broken=str(typed.get("broken") or usual.broken),
            wrong=wrong,
            **_names(),
        )

    def preview(self, request: Request, access: AuthorizedRequest, job: Job) -> Response:
        """All problems at once, then what a run would make; nothing was written."""
        words, given = language_of(request), context_of(request)
        document = batch_document(job)
        seen = cast("Mapping[str, Any] | None", job.result)
        name = document["collection"]
        known = list(islice(known_collections(given.settings.scans), _MOST_NAMES))
        left, heading = [], words("{name} is being looked at", name=name)
        if seen is not None:
            left = [each for each in seen["folders"] if each["folder"] not in seen["ready"]]
            numbers = {"ready": words.number(len(seen["ready"])), "name": seen["title"] or name}
            heading = words.counted(
                len(seen["folders"]),
                "{ready} of one folder of {name} is ready|{ready} of {n} folders of {name} are ready",
                **numbers,
            )
        elif job.ended:
            heading = words("{name} could not be looked at", name=name)
        return framed(
            request,
            "batch_preview.html",
            words("{name}, preview", name=name),
            PLACE,
            access=access,
            heading=heading,
            job=job,
            batch=document,
            seen=seen,
            left=left,
            problems=_problems(seen) if seen else [],
            clean=seen is not None and not any(each["severity"] == "error" for each in seen["problems"]),
            near=[] if name in known else near_names(name, known),
            **_names(),
        )

    def run(self, request: Request, access: AuthorizedRequest, job: Job) -> Response:
        """Folders by stage, attention first; then the log."""
        words, given = language_of(request), context_of(request)
        document = batch_document(job)
        folders = folders_of(document["to"], given.ledger.steps(job.id))
        own = [each for each in folders if each.folder]
        counts = {state: sum(each.state == state for each in own) for state in _WEIGHT}
        asked = request.query_params.get("show", "")
        listed = _listed(folders, asked)
        newest = given.batches.newest(job.id)
        lines, first, warnings = _lines(request, job, newest)
        seen = _previewed(request, document)
        return framed(
            request,
            "batch.html",
            words("{name}, batch", name=document["collection"]),
            PLACE,
            access=access,
            heading=_heading(words, job, document["collection"], seen, counts, len(own)),
            job=job,
            batch=document,
            state="paused" if job.paused and not job.ended else str(job.state),
            folders=listed,
            stages=stages_of(document["to"]),
            counts=counts,
            asked=asked,
            all_folders=len(own),
            lines=lines,
            first=first,
            newest=newest,
            warnings=warnings,
            earlier=max(first - _LINES, 1) if first > 1 else 0,
            later=lines[-1].number + 1 if lines and lines[-1].number < newest and not warnings else 0,
            live=not job.ended,
            seen=seen,
            problems=_problems(seen) if seen else [],
            before=[_row(each) for each in _earlier(request, job, document["collection"])],
            **_names(),
        )

    def audit(self, request: Request, access: AuthorizedRequest, job: Job, audit: Job | None) -> Response:
        """What the newest audit found, as of when it was."""
        words = language_of(request)
        name = batch_document(job)["collection"]
        found = _differences(audit)
        different = sum(each["kind"] == "different" for each in found)
        heading = words("{name} was not audited yet", name=name)
        if audit is not None and not audit.ended:
            heading = words("{name} is being compared", name=name)
        elif audit is not None and audit.state is not JobState.DONE:
            heading = words("{name} could not be compared", name=name)
        elif audit is not None:
            heading = words("{name} is as the batch left it", name=name)
            if found:
                unknown = words.number(len(found) - different)
                heading = words.counted(
                    different,
                    "One thing of {name} differs, {unknown} could not be told|"
                    "{n} things of {name} differ, {unknown} could not be told",
                    name=name,
                    unknown=unknown,
                )
        return framed(
            request,
            "batch_audit.html",
            words("{name}, audit", name=name),
            PLACE,
            access=access,
            heading=heading,
            job=job,
            batch=batch_document(job),
            audit=audit,
            found=sorted(found, key=lambda each: each["kind"] != "different")[:_MOST_SHOWN],
            more=max(len(found) - _MOST_SHOWN, 0),
            **_names(),
        )


def _names() -> dict[str, Any]:
    return {
        "kept_words": KEPT,
        "broken_words": BROKEN,
        "stage_names": STAGES,
        "state_words": WORDS,
        "state_shapes": SHAPES,
        "done_words": DONE,
        "batch_words": STATES,
        "batch_shapes": STATE_SHAPES,
        "line_shapes": LINE_SHAPES,
    }


def _row(job: Job) -> dict[str, Any]:
    """A batch in a list."""
    document = batch_document(job)
    state = "paused" if job.paused and not job.ended else document["state"]
    took = (job.ended_at - job.created_at) / 60 if job.ended_at else None
    return {**document, "shown": state, "took": took}


def _heading(
    words: Texts, job: Job, name: str, seen: Mapping[str, Any] | None, counts: Mapping[str, int], folders: int
) -> str:
    title = (seen or {}).get("title") or name
    if not folders:
        if job.ended:
            return str(words("{title}: nothing was begun", title=title))
        return str(words("{title}: the folders are being read", title=title))
    return str(
        words.counted(
            folders,
            "{title}: {done} of one folder is safe and recorded|{title}: {done} of {n} folders are safe and recorded",
            title=title,
            done=words.number(counts["done"]),
        )
    )


def _listed(folders: Sequence[FolderProgress], asked: str) -> list[FolderProgress]:
    """The folders to be shown: what failed and what runs; or of the asked state, all of them."""
    ordered = sorted(folders, key=lambda each: _WEIGHT[each.state])
    if asked in _WEIGHT:
        return [each for each in ordered if each.state == asked][:_MOST_SHOWN]
    return ordered[:_SHOWN]


def _lines(request: Request, job: Job, newest: int) -> tuple[list[Line], int, bool]:
    """A page of the log, the number it begins with, and whether it is of warnings alone."""
    given = context_of(request)
    if request.query_params.get("lines") == "warnings":
        found = given.batches.warnings(job.id, 0, _LINES)
        return found, 1, True
    asked = request.query_params.get("line", "")
    first = int(asked) if asked.isdecimal() and len(asked) < 10 else max(newest - _LINES + 1, 1)  # noqa: PLR2004 - as in the stream
    return list(islice(given.batches.log(job.id, max(first, 1) - 1), _LINES)), max(first, 1), False


def _previewed(request: Request, document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the preview found that the batch followed."""
    if not document["previewed"]:
        return None
    given = context_of(request)
    return cast("Mapping[str, Any] | None", given.ledger.job(document["previewed"]).result)


def _earlier(request: Request, job: Job, collection: str) -> list[Job]:
    found = [
        each
        for each in batches(context_of(request))
        if each.id != job.id and batch_document(each)["collection"] == collection
    ]
    return found[:_EARLIER]


def _problems(seen: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return sorted(seen["problems"], key=lambda each: (each["severity"] != "error", each["folder"], each["file"]))


def _differences(audit: Job | None) -> list[Mapping[str, Any]]:
    result = audit.result if audit is not None else None
    return list(cast("Mapping[str, Any]", result)["differences"]) if isinstance(result, Mapping) else []

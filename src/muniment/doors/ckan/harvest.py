"""The steps of a harvest: walking a portal, describing its datasets, checking each link, and closing each dataset.

```
sweep ─► page ─► page …            a page of datasets, and the page after it; or of links known to be broken
           ├─► revalidation             the links of one server whose datasets stand as they were
           └─► dataset ─► link     one step for each link that has to be checked
                    └─► end        its state, what is written back, who is told
```
Every step may be done twice. A portal that fails is tried again by the ledger; a link that fails is a result.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from muniment.doors.ckan import archiving, webhooks
from muniment.doors.ckan.context import CkanContext
from muniment.doors.ckan.facts import facts_of
from muniment.doors.ckan.link import FRESH, Checked, tidy
from muniment.doors.ckan.pages import follow
from muniment.doors.ckan.portals import Portal
from muniment.doors.ckan.records import Row, aggregate, earlier_attempt, host_of, server_of
from muniment.doors.ckan.report import Reports
from muniment.doors.ckan.revalidation import DATASET, RevalidationStep, look_fully, may_be_revalidated, revalidations
from muniment.doors.ckan.statuses import Status
from muniment.doors.ckan.web_archive import write_snapshot
from muniment.doors.ckan.write_back import write_back
from muniment.errors.base import MunimentError, StorageError
from muniment.errors.catalogues import NotInPortal, PortalRefused
from muniment.errors.jobs import LeaseLost, StepCancelled
from muniment.jobs import Again, Call, Context, Deadlines, Done, JobState, Json, Priority
from muniment.jobs.schedules import Period

SWEEP, PAGE, LINK = "ckan.sweep", "ckan.page", "ckan.link"
BROKEN = "ckan.broken"
DATASET_END, SWEEP_END, POLL = "ckan.dataset-end", "ckan.sweep-end", "ckan.poll"
KIND_SWEEP, KIND_DATASET = "ckan-sweep", "ckan-dataset"

TRIES = 3
"""A failing link is tried so often; then it waits for the next sweep."""
_NOT_TOLD = "left out: no token is given"
_OVERLAP = "NOW-10MINUTES"
_POLL_PAGES = 200
_NAMES_AT_ONCE = 200
_BROKEN_AT_ONCE = 200

Given = Mapping[str, Any]


class CkanStep:
    """What all steps share."""

    deadlines = Deadlines()

    def __init__(self, given: CkanContext) -> None:
        self._given = given

    def _portal(self, given: Json) -> tuple[Given, Portal]:
        wanted = cast("Given", given)
        return wanted, self._given.portals.get(wanted["portal"])


class SweepStep(CkanStep):
    """Begin a harvest: of a whole portal, an organisation, or one dataset."""

    name = SWEEP

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - all steps are run alike
        """Begin it.

        Raises:
            PortalNotFound: The portal was removed.
        """
        wanted, portal = self._portal(given)
        common: dict[str, Json] = {"portal": portal.name, "check_only": bool(wanted.get("check_only"))}
        if wanted.get("resource"):
            only = str(wanted["resource"])
            dataset = self._dataset_of(portal, only)
            return Done(spawn=[Call(DATASET, {**common, "id": dataset, "only": [only]})])
        if wanted.get("dataset"):
            return Done(spawn=[Call(DATASET, {**common, "id": str(wanted["dataset"])})])
        if wanted.get("broken"):
            return Done(spawn=[Call(BROKEN, {**common, "organization": wanted.get("organization"), "after": ""})])
        fq = f'organization:"{_quoted(str(wanted["organization"]))}"' if wanted.get("organization") else ""
        end = {"portal": portal.name, "began": self._given.now(), "whole": not fq}
        first = Call(PAGE, {**common, "start": 0, "fq": fq})
        return Done(spawn=[first], then=Call(SWEEP_END, cast("Json", end)))

    def _dataset_of(self, portal: Portal, resource: str) -> str:
        row = self._given.links.find(portal.name, resource)
        if row is not None and not row["gone"]:
            return str(row["dataset"])
        return str(self._given.client(portal).resource(resource).get("package_id", ""))


class PageStep(CkanStep):
    """One page of datasets: a step for each of them, and one for the page after it."""

    name = PAGE

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - as above
        """Read it.

        Raises:
            RemoteError: The portal failed; the page is read again later.
        """
        wanted, portal = self._portal(given)
        found = self._given.client(portal).search(start=int(wanted["start"]), fq=str(wanted["fq"]))
        common: dict[str, Json] = {"portal": portal.name, "check_only": bool(wanted["check_only"])}
        settled = self._settled(portal, found.datasets, check_only=bool(wanted["check_only"]))
        calls = self._revalidate(portal, settled)
        calls += [
            Call(DATASET, {**common, "id": str(each["id"])}) for each in found.datasets if each["id"] not in settled
        ]
        if found.next_start is not None:
            calls.append(Call(PAGE, {**cast("Any", wanted), "start": found.next_start}))
        return Done({"datasets": len(found.datasets), "of": found.count}, spawn=calls)

    def _settled(
        self, portal: Portal, records: Sequence[Mapping[str, Any]], *, check_only: bool
    ) -> dict[str, list[Row]]:
        if check_only or portal.settings.check_only or portal.settings.forms:
            return {}
        settled = self._given.links.settled(portal.name, records)
        only = set(portal.settings.check_only_organizations)
        return {
            each: rows
            for each, rows in settled.items()
            if not (only and any(row["organization"] in only for row in rows))
        }

    def _revalidate(self, portal: Portal, settled: Mapping[str, list[Row]]) -> list[Call]:
        self._given.links.note_figures(portal.name, list(settled))
        rows = [row for each in settled.values() for row in each]
        now = self._given.now()
        fresh = [row for row in rows if may_be_revalidated(row) and (row["fresh_until"] or 0.0) > now]
        told = [(row, Checked(Status.UNCHANGED, FRESH, fresh_until=row["fresh_until"])) for row in fresh]
        self._given.links.record_unchanged(portal.name, told)
        known = {row["resource"] for row in fresh}
        left = [row for row in rows if row["resource"] not in known]
        calls = revalidations(portal, [row for row in left if may_be_revalidated(row)])
        return calls + look_fully(portal, [row for row in left if not may_be_revalidated(row)])


class BrokenStep(CkanStep):
    """Have the links that are known to be broken checked: a page of them by their datasets, and the page after it."""

    name = BROKEN

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - as above
        """Read it.

        Raises:
            DatabaseUnavailable: The ledger cannot be read.
        """
        wanted, portal = self._portal(given)
        found = Reports(self._given.ledger).broken(
            portal.name, organization=wanted["organization"], after=str(wanted["after"]), limit=_BROKEN_AT_ONCE
        )
        of: dict[str, list[Json]] = {}
        for row in found:
            of.setdefault(row["dataset"], []).append(row["resource"])
        common: dict[str, Json] = {"portal": portal.name, "check_only": bool(wanted["check_only"])}
        calls = [Call(DATASET, {**common, "id": dataset, "only": only}) for dataset, only in of.items()]
        if len(found) == _BROKEN_AT_ONCE:
            calls.append(Call(BROKEN, {**cast("Any", wanted), "after": found[-1]["resource"]}))
        return Done({"links": len(found)}, spawn=calls)


class DatasetStep(CkanStep):
    """Take a dataset's description over, keep it, and have its links checked."""

    name = DATASET

    def run(self, given: Json, context: Context) -> Done:  # noqa: ARG002 - as above
        """Do it.

        Raises:
            RemoteError: The portal failed.
            StorageError: The archive or the ledger did.
        """
        wanted, portal = self._portal(given)
        id = str(wanted["id"])  # noqa: A001 - the field's name
        try:
            record = self._given.client(portal).dataset(id)
        except (NotInPortal, PortalRefused):
            self._given.links.forget_dataset(portal.name, id)
            return Done({"gone": True})
        if record.get("state", "active") != "active":
            self._given.links.forget_dataset(portal.name, str(record["id"]))
            return Done({"gone": True})
        described = self._given.links.describe(portal.name, record)
        check_only = bool(wanted["check_only"]) or described.organization in portal.settings.check_only_organizations
        check_only = check_only or portal.settings.check_only
        if not check_only:
            archiving.keep_dataset(self._given.archive, portal, record)
        chosen = self._chosen(wanted, described.all, portal)
        links = [Call(LINK, {"portal": portal.name, "resource": each, "check_only": check_only}) for each in chosen]
        whole = wanted.get("only") is None and not check_only
        modified = str(record.get("metadata_modified") or "") if whole else ""
        about: dict[str, Json] = {"portal": portal.name, "id": str(record["id"])}
        end = Call(DATASET_END, {**about, "check_only": check_only, "modified": modified})
        return Done({"links": len(links)}, spawn=links, then=end)

    def _chosen(self, wanted: Given, all: tuple[str, ...], portal: Portal) -> list[str]:
        only = wanted.get("only")
        if only == "changed":
            links = self._given.links
            return [each for each in all if needs_check(links.find(portal.name, each))]
        return [each for each in all if only is None or each in only]


class LinkStep(CkanStep):
    """Check one link, keep what it gives, record what came of it."""

    name = LINK

    def run(self, given: Json, context: Context) -> Done | Again:
        """Do it when it is the host's turn.

        Raises:
            StorageError: The archive or the ledger failed; it is done again.
        """
        wanted, portal = self._portal(given)
        resource, check_only = str(wanted["resource"]), bool(wanted["check_only"])
        row = self._given.links.find(portal.name, resource)
        if row is None or row["gone"]:
            return Done({"gone": True})
        now = self._given.now()
        settings = portal.settings
        server = server_of(str(row["url"])) or server_of(portal.url)
        lease = settings.total_time + 4 * settings.timeout
        turn = self._given.slots.take(
            server, context.key, most=settings.host_connections, delay=settings.host_delay, lease=lease
        )
        if turn.down:
            found = Checked(Status.DOWNLOAD_ERROR, f"{turn.down} (the server is down; it was not asked again)")
            return self._ended(portal, row, found, context)
        if turn.wait:
            return Again(now + turn.wait, f"it is not the turn of {server}")
        found = Checked(Status.SYSTEM_ERROR)
        try:
            found = self._check(portal, row, context, now, keep=not check_only)
            return self._ended(portal, row, found, context)
        finally:
            silent = found.reason if found.unreachable else ""
            self._given.slots.give_back(server, context.key, unreachable=silent, took=self._given.now() - now)
            shutil.rmtree(self._given.scratch("ckan", context.key), ignore_errors=True)

    def _check(self, portal: Portal, row: Row, context: Context, now: float, *, keep: bool) -> Checked:
        settings, url, account = portal.settings, str(row["url"]), None
        if row["url_type"] == "upload":
            url = url if url.startswith(("http://", "https://")) else f"{portal.url}/{url.lstrip('/')}"
            elsewhere = host_of(url) != host_of(portal.url)
            if elsewhere and not settings.archive_cloud:
                return Checked(Status.NOT_CHOSEN, f"Skipping resource hosted externally to the portal: {url}")
            account = None if elsewhere else self._given.upload_account(portal)
            keep = keep and (settings.copy_uploads or elsewhere)
        elif not url.startswith(("http:", "https:")) and url.startswith("/"):
            url = portal.url + url
        form = settings.forms.get(str(row["resource"]))
        checker = self._given.checker(
            portal, context.key, lambda size: context.progress("downloading", 0, None, size=size)
        )
        try:
            found = checker.check(url, earlier_attempt(row), now=now, account=account, keep=keep, form=form)
            if settings.follow_pages and found.status is Status.ARCHIVED and found.mimetype == "text/html":
                found = follow(checker, found, now=now, keep_pages=settings.keep_pages)
        except (StorageError, StepCancelled, LeaseLost):
            raise
        except MunimentError as error:
            return Checked(Status.DOWNLOAD_FAILURE, error.message)
        return found

    def _ended(self, portal: Portal, row: Row, found: Checked, context: Context) -> Done | Again:
        if found.retry_at:
            return Again(found.retry_at + 1, found.reason)
        with contextlib.suppress(ValueError):
            asked = tidy(str(row["url"]))
            return self._recorded(portal, row, found, context, asked)
        return self._recorded(portal, row, found, context, str(row["url"]))

    def _recorded(self, portal: Portal, row: Row, found: Checked, context: Context, asked: str) -> Done | Again:
        given, resource = self._given, str(row["resource"])
        place, new = None, False
        if found.body is not None:
            found = _with_facts(found, row)
            kept = archiving.keep(given.archive, portal, row, found, asked, given.now())
            place, new = kept.place, kept.new
            if portal.settings.keep_warc:
                write_snapshot(given.archive, portal, row, found, asked, kept.place)
            if not new and row["kept_as"] == place:
                found = replace(found, status=Status.UNCHANGED, reason="the content that came is the same")
        read = found.body is not None
        after = given.links.record(portal.name, resource, found, asked=asked, kept_as=place, read=read)
        occasion = f"{context.key}:{after['failure_count']}:{after['status']}"
        event = {"operation": "archived", "portal": portal.name, "resource_id": resource, "dataset_id": row["dataset"]}
        event |= {"status_id": after["status"], "reason": after["reason"], "cache_path": after["kept_as"]}
        webhooks.tell(given, portal, occasion, event)
        if found.transient and after["failure_count"] < TRIES:
            pause = portal.settings.retry_after * 2 ** (after["failure_count"] - 1)
            return Again(given.now() + pause, f"{found.reason}; tried {after['failure_count']} of {TRIES} times")
        return Done({"status": after["status"], "kept_as": place if new else None})


class DatasetEndStep(CkanStep):
    """When all links of a dataset were checked: write back what differs, and tell who listens."""

    name = DATASET_END

    def run(self, given: Json, context: Context) -> Done | Again:
        """Do it.

        Raises:
            RemoteError: The portal failed; it is done again.
        """
        wanted, portal = self._portal(given)
        id = str(wanted["id"])  # noqa: A001 - the field's name
        results = [cast("Given", child.result) for child in context.children() if isinstance(child.result, Mapping)]
        rows = self._given.links.of_dataset(portal.name, id)
        answer: dict[str, object] = {**aggregate(rows)}
        if portal.settings.write_back and not wanted["check_only"]:
            with self._given.slots.alone(f"dataset {portal.name}/{id}"[:300], context.key) as wait:
                if wait:
                    return Again(self._given.now() + wait, "somebody else writes to this dataset")
                answer |= self._write_back(portal, id, rows, results)
        told = answer.get("write_back", _NOT_TOLD)
        if wanted.get("modified") and (told == _NOT_TOLD or (isinstance(told, dict) and not told["refused"])):
            # Our own write is no change: it is known by the time that the portal gave it.
            ours = told.get("modified") if isinstance(told, dict) else None
            self._given.links.note_taken_over(portal.name, id, ours or str(wanted["modified"]))
        if any(result.get("kept_as") for result in results):
            event = {"operation": "package-archived", "portal": portal.name, "dataset_id": id}
            webhooks.tell(self._given, portal, f"{context.key}:package", event)
        return Done(cast("Json", answer))

    def _write_back(self, portal: Portal, id: str, rows: list[Row], results: list[Given]) -> dict[str, object]:
        client = self._given.client(portal)
        if not client.has_token:
            return {"write_back": _NOT_TOLD}
        try:
            dataset = client.dataset(id)
        except (NotInPortal, PortalRefused) as error:
            return {"write_back": f"left out: {error.message}"}
        root = self._given.cache_url_root(portal)
        updated = archiving.timestamp_of(self._given.now()).rstrip("Z") + ".000000"
        changed = any(result.get("status") is not None for result in results)
        done = write_back(client, root, dataset, rows, tasks=changed, updated=updated)
        told = {"patched": list(done.patched), "refused": list(done.refused), "task_status": done.task_status}
        told |= {"modified": done.modified} if done.modified else {}
        return {"write_back": told if root else "left out: cache_url_root is not set"}


class SweepEndStep(CkanStep):
    """After the last page: what the search index lacked, and what is gone from the portal."""

    name = SWEEP_END

    def run(self, given: Json, context: Context) -> Done:
        """Do it.

        Raises:
            RemoteError: The portal failed.
        """
        wanted, portal = self._portal(given)
        if not wanted["whole"]:
            return Done()
        failed = sum(child.outcome is not None and str(child.outcome) != "done" for child in context.children())
        calls = [
            Call(DATASET, {"portal": portal.name, "id": name, "check_only": portal.settings.check_only})
            for names in _in_groups(self._given.client(portal).dataset_names(), _NAMES_AT_ONCE)
            for name in self._given.links.names_missing(portal.name, names)
        ]
        # A page that could not be read leaves datasets unseen that are not gone: each is looked at by its id.
        unseen = self._given.links.unseen_datasets(portal.name, float(wanted["began"]))
        calls += [
            Call(DATASET, {"portal": portal.name, "id": each, "check_only": portal.settings.check_only, "only": []})
            for each in unseen
        ]
        if not failed:
            self._given.portals.note(portal.name, swept_at=float(wanted["began"]))
        return Done({"not in the index": len(calls) - len(unseen), "unseen": len(unseen)}, spawn=calls)


class PollStep(CkanStep):
    """Look for changed datasets, and have those checked first whose links are new or lead elsewhere."""

    name = POLL

    def run(self, given: Json, context: Context) -> Done:
        """Look.

        Raises:
            RemoteError: The portal failed; the next look begins where the last ended.
        """
        _, portal = self._portal(given)
        if not portal.polled_to and not portal.swept_at:
            sweep(self._given, portal)  # nothing is known yet: everything has to be looked at once
            found = self._given.client(portal).search(rows=1, sort="metadata_modified desc")
            newest = str(found.datasets[0].get("metadata_modified", "")) if found.datasets else ""
            self._given.portals.note(portal.name, polled_to=newest)
            return Done({"began": "the first sweep"})
        client, start, queued, newest = self._given.client(portal), 0, 0, portal.polled_to
        fq = f"metadata_modified:[{_solr_time(portal.polled_to)} TO *]" if portal.polled_to else ""
        for _ in range(_POLL_PAGES):
            found = client.search(start=start, fq=fq, sort="metadata_modified asc")
            for record in found.datasets:
                context.check()
                newest = max(newest, str(record.get("metadata_modified", "")))
                queued += self._queue(portal, record)
            if found.next_start is None:
                break
            start = found.next_start
        self._given.portals.note(portal.name, polled_to=newest)
        return Done({"queued": queued})

    def _queue(self, portal: Portal, record: Mapping[str, Any]) -> bool:
        resources = [each for each in record.get("resources") or [] if isinstance(each, Mapping) and each.get("id")]
        rows = {str(each["id"]): self._given.links.find(portal.name, str(each["id"])) for each in resources}
        known = {row["resource"] for row in self._given.links.of_dataset(portal.name, str(record["id"]))}
        same = all(
            row is not None and not row["gone"] and row["url"] == each.get("url") and row["asked_url"] is not None
            for each in resources
            for row in [rows[str(each["id"])]]
        )
        if same and known == set(rows):
            # Its links are as they were; its own description may still be another.
            if not portal.settings.check_only:
                archiving.keep_dataset(self._given.archive, portal, record)
            return False
        queue_dataset(self._given, portal, str(record["id"]), str(record.get("metadata_modified", "")))
        return True


def sweep(given: CkanContext, portal: Portal, *, requester: str = "ckan", **scope: Any) -> str:
    """Have a portal harvested; a whole sweep that is under way already is not begun again. The job's id.

    Raises:
        LedgerUnavailable: Nothing was recorded.
    """
    wanted: dict[str, Any] = {"portal": portal.name, **{name: value for name, value in scope.items() if value}}
    single = bool(wanted.get("resource") or wanted.get("dataset"))
    if not single:
        for job in given.ledger.jobs(kind=KIND_SWEEP, state=JobState.RUNNING, limit=1000):
            if job.given == wanted:
                return job.id
    priority = Priority.PRIORITY if single else Priority.BULK
    call = Call(SWEEP, cast("Json", wanted))
    job = given.ledger.submit(KIND_SWEEP, call, requester=requester, given=cast("Json", wanted), priority=priority)
    return job.id


def queue_dataset(given: CkanContext, portal: Portal, dataset: str, modified: str, *, requester: str = "ckan") -> str:
    """Have a changed dataset's links checked before everything that waits in bulk; once for each change. The job's id.

    Raises:
        LedgerUnavailable: Nothing was recorded.
    """
    call = Call(DATASET, {"portal": portal.name, "id": dataset, "check_only": False, "only": "changed"})
    key = f"{portal.name}:{dataset}:{modified}"[:200]
    asked: Json = {"portal": portal.name, "dataset": dataset}
    job = given.ledger.submit(
        KIND_DATASET, call, requester=requester, given=asked, priority=Priority.PRIORITY, key=key, after_failure=True
    )
    return job.id


def schedule(given: CkanContext, portal: Portal) -> None:
    """Keep looking at a portal: often for changes, and now and then at everything.

    Raises:
        BadPeriod: The setting `sweep` is no rule.
        LedgerUnavailable: Nothing was recorded.
    """
    about: Json = {"portal": portal.name}
    every = Period(f"ckan sweep {portal.name}", portal.settings.sweep, KIND_SWEEP, Call(SWEEP, about), "ckan")
    poll = Period(
        f"ckan poll {portal.name}",
        str(portal.settings.poll_every),
        "ckan-poll",
        Call(POLL, about, failures=3),
        "ckan",
        Priority.PRIORITY,
    )
    given.ledger.schedule(every)
    given.ledger.schedule(poll)


def unschedule(given: CkanContext, name: str) -> None:
    """Look at a portal no more.

    Raises:
        LedgerUnavailable: Nothing was recorded.
    """
    given.ledger.unschedule(f"ckan sweep {name}")
    given.ledger.unschedule(f"ckan poll {name}")


def needs_check(row: Row | None) -> bool:
    """Whether a link was never asked at the address it has now."""
    return row is not None and not row["gone"] and row["asked_url"] != row["url"]


def steps(given: CkanContext) -> list[Any]:
    """Every step of this door."""
    kinds = (
        SweepStep,
        PageStep,
        BrokenStep,
        RevalidationStep,
        DatasetStep,
        LinkStep,
        DatasetEndStep,
        SweepEndStep,
        PollStep,
        webhooks.WebhookStep,
    )
    return [kind(given) for kind in kinds]


def _with_facts(found: Checked, row: Row) -> Checked:
    assert found.body is not None
    facts = facts_of(found.body, found.filename, str(row["format"]))
    return replace(found, notes={**found.notes, **facts})


def _in_groups(names: Iterator[str], size: int) -> Iterator[list[str]]:
    group: list[str] = []
    for name in names:
        group.append(name)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _quoted(text: str) -> str:
    """A text inside a quoted term of Solr's query language."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _solr_time(text: str) -> str:
    """A portal's time, less an overlap: rows that were written at the same moment are looked at again."""
    plain = text.partition("+")[0].rstrip("Z")
    return f"{plain}Z-10MINUTES" if plain else _OVERLAP

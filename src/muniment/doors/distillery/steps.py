"""The steps of a batch: make the structure, send it, verify it, and only then record it; at last clean up.

```
begin ─┬─► collection ─► send … verify
       └─► make ─┬─► send ─► verify      one for each store
                 ├─► publish             where access is asked for
                 └─► record ─► clean     ArchivesSpace, for what was verified; the scratch folder
 └─► end                                 what came of all folders
```
Every step may be ended anywhere and done again: ids and keys follow from what is described, never from the run.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from muniment.doors.distillery import sending
from muniment.doors.distillery.access import publication_of
from muniment.doors.distillery.batches import AccessCopy
from muniment.doors.distillery.description import describe_collection, describe_object
from muniment.doors.distillery.folders import ScanFolder, read_collection
from muniment.doors.distillery.making import make_collection, make_object
from muniment.doors.distillery.policy import BatchPolicy
from muniment.doors.distillery.preview import Preview, preview
from muniment.doors.distillery.recording import record_copies
from muniment.doors.distillery.settings import STORES
from muniment.errors.base import MunimentError
from muniment.errors.distillery import BadScan, BatchIncomplete, NotReadyToDistill
from muniment.errors.jobs import LeaseLost, StepCancelled
from muniment.jobs import Again, Call, Context, Deadlines, Done, JobState, Json, State
from muniment.jobs.verdicts import outage_name
from muniment.publishers.protocol import PublishedAt

if TYPE_CHECKING:
    from muniment.content.instance import Instance
    from muniment.doors.distillery.context import DistilleryContext

PREVIEW, BEGIN, COLLECTION, MAKE = "distill.preview", "distill.begin", "distill.collection", "distill.make"
SEND, VERIFY, PUBLISH, RECORD = "distill.send", "distill.verify", "distill.publish", "distill.record"
CLEAN, END = "distill.clean", "distill.end"
KIND, KIND_PREVIEW = "distillery", "distillery-preview"

_NAME_WAIT = 5.0
_NAMES_SHOWN = 5

ASKS = Deadlines()
"""Of the steps that ask a catalogue or a publisher: while one of them hangs, its thread's other work is done."""

Given = Mapping[str, Any]


class DistilleryStep:
    """What all steps share: the log tells what failed, and whether it is tried again."""

    name = ""
    failures = 12
    """An outage of a service is waited for: the waits grow up to an hour."""

    def __init__(self, given: DistilleryContext) -> None:
        self._given = given

    def run(self, given: Json, context: Context) -> Done | Again:
        """Do it.

        Raises:
            MunimentError: It failed; the log of the batch says what.
        """
        wanted = cast("Given", given)
        try:
            return self.work(wanted, context)
        except (StepCancelled, LeaseLost):
            raise
        except sending.NEEDS_A_PERSON as error:
            self.say_once(context, wanted, f"{error.message} It goes on by itself when that is seen to.")
            self._let_go(wanted, context)
            return Again(self._given.now() + self._given.tape_wait, error.message)
        except (BatchIncomplete, NotReadyToDistill):
            raise  # its lines are written
        except MunimentError as error:
            if error.outage:
                # Told once, though what a broken line says of itself is another thing each time.
                if self._given.ledger.step(context.key).waits_for != outage_name(error):
                    self.say_once(context, wanted, f"{error.message} It goes on when that is over.")
                raise
            more = " It is tried again." if error.retry and context.attempt < self.failures else ""
            self.say(context, wanted, f"{error.message}{more}", kind="problem")
            raise

    def work(self, wanted: Given, context: Context) -> Done | Again:
        """What the step is for."""
        raise NotImplementedError

    def _let_go(self, wanted: Given, context: Context) -> None:
        """Let the tape be changed that somebody was told to change, once nobody writes to it or reads it back."""
        destination = wanted.get("destination")
        if destination in STORES and not self._in_use(str(destination), context.key):
            with contextlib.suppress(MunimentError):
                self._given.store(str(destination)).let_go()

    def _in_use(self, destination: str, besides: str) -> bool:
        ledger = self._given.ledger
        now = ledger.database.now()
        return any(
            each.id != besides and cast("Given", each.given)["destination"] == destination
            for job in ledger.jobs(kind=KIND, state=JobState.RUNNING)
            for name in (SEND, VERIFY)
            for state in (State.READY, State.RUNNING)
            for each in ledger.steps(job.id, state=state, name=name)
            if state is State.RUNNING or each.next_at <= now
        )

    def say(self, context: Context, wanted: Given, text: str, *, kind: str = "info") -> None:
        """Write a line into the batch's log."""
        self._given.batches.say(context.job, text, folder=str(wanted.get("folder", "")), kind=kind)

    def say_once(self, context: Context, wanted: Given, text: str) -> None:
        """Write a line, unless it is the folder's newest."""
        self._given.batches.say(context.job, text, folder=str(wanted.get("folder", "")), kind="waiting", once=True)

    def policy(self, wanted: Given) -> BatchPolicy:
        """The policy of the batch; of one that was asked for before there were any, that of the settings."""
        return BatchPolicy.of(self._given.settings, wanted)

    def instance(self, wanted: Given) -> Instance:
        """The instance a step is about.

        Raises:
            MunimentError: It is not in the archive.
        """
        return self._given.archive.instance(
            str(wanted["id"]), int(wanted["instance"]), project=self._given.settings.project
        )


class PreviewStep(DistilleryStep):
    """Look at what a run would do."""

    name = PREVIEW
    deadlines = ASKS

    def work(self, wanted: Given, context: Context) -> Done:
        """Look; the whole preview is the result."""
        seen = preview(self._given, str(wanted["collection"]), wanted["to"], self.policy(wanted))
        ready = f"{len(seen.ready)} of {len(seen.folders)} folders are ready"
        self.say(context, wanted, f"Previewed {seen.collection}: {ready}", kind="finished")
        return Done(cast("Json", seen.document()))


class BeginStep(DistilleryStep):
    """Begin a batch with the look a preview takes, and refuse what it refuses."""

    name = BEGIN
    deadlines = ASKS

    def work(self, wanted: Given, context: Context) -> Done:
        """Begin.

        Raises:
            NotReadyToDistill: Something is in the way.
            MunimentError: Somebody could not be asked; it is tried again.
        """
        collection, to = str(wanted["collection"]), list(wanted["to"])
        self.say(context, wanted, f"Reading {collection}, to {', '.join(to)}")
        policy = self.policy(wanted)
        seen = preview(self._given, collection, wanted["to"], policy)
        away = next((each for each in seen.outages if each.outage), None)
        if away is not None:
            raise away  # however long it is away: nothing can be told without it
        if seen.outages and context.attempt < self.failures:
            raise seen.outages[0]  # who cannot be asked now is asked again later
        for problem in seen.problems:
            where = f"{problem.file}: " if problem.file else ""
            text = f"{where}{problem.said}"
            kind = "problem" if problem.severity == "error" else "info"
            self._given.batches.say(context.job, text, folder=problem.folder, kind=kind)
        try:
            seen.refuse(partly=bool(wanted.get("partly")))
        except MunimentError as error:
            self.say(context, wanted, f"Nothing was begun: {error.message}", kind="failed")
            raise
        self.say(context, wanted, f"{seen.title}: {_counted(seen)}")
        common: dict[str, Json] = {"collection": collection, "to": to}
        asked = {name: value for name, value in policy.as_json().items() if name != "folders"}
        calls = [Call(COLLECTION, common), *(Call(MAKE, {**common, **asked, "folder": each}) for each in seen.ready)]
        # The scans are put away together: not while some of them are left out.
        whole = not policy.folders and len(seen.ready) == len(seen.folders)
        return Done({"folders": len(seen.ready)}, spawn=calls, then=Call(END, {**common, "whole": whole}))


class CollectionStep(DistilleryStep):
    """Keep the collection's record, and send it."""

    name = COLLECTION
    deadlines = ASKS

    def work(self, wanted: Given, context: Context) -> Done:  # noqa: ARG002 - all steps are run alike
        """Do it."""
        described = describe_collection(self._given.catalogue, str(wanted["collection"]))
        made = make_collection(self._given, described)
        stores = [each for each in wanted["to"] if each in STORES]
        about: dict[str, Json] = {"id": made.component_id, "instance": made.instance}
        return Done(
            {"id": made.component_id, "instance": made.instance},
            spawn=[Call(SEND, {**about, "destination": each}) for each in stores],
        )


class MakeStep(DistilleryStep):
    """Make the structure of an archival object's preservation files."""

    name = MAKE

    def work(self, wanted: Given, context: Context) -> Done:
        """Make it.

        Raises:
            BadScan, NotLossless: An image cannot be used, and the policy is strict.
        """
        given, folder = self._given, self._folder(wanted)
        collection = describe_collection(given.catalogue, str(wanted["collection"]))
        described = describe_object(given.catalogue, folder.component_id, collection)
        scratch = given.scratch("distillery", context.key)
        policy = self.policy(wanted)
        made = make_object(given, folder, collection, described, policy, scratch, context.check)
        for name, reason in made.left_out.items():
            self.say(context, wanted, f"{name} was left out: {reason}", kind="problem")
        images = f"{len(folder.files) - len(made.left_out)} images"
        what = f"made of {images} and kept" if made.new else f"of {images} has not changed"
        self.say(context, wanted, f"{folder.component_id} {what} (instance {made.instance})")
        about: dict[str, Json] = {
            "collection": wanted["collection"],
            "folder": wanted["folder"],
            "id": made.component_id,
            "instance": made.instance,
        }
        calls = [Call(SEND, {**about, "destination": each}) for each in wanted["to"] if each in STORES]
        if "access" in wanted["to"]:
            calls.append(Call(PUBLISH, about))
        then = Call(RECORD, {**about, "to": wanted["to"], "scratch": context.key, "left_out": sorted(made.left_out)})
        result: Json = {
            "id": made.component_id,
            "instance": made.instance,
            "new": made.new,
            "title": described.title,
            "images": len(folder.files) - len(made.left_out),
        }
        return Done(result, spawn=calls, then=then)

    def _folder(self, wanted: Given) -> ScanFolder:
        found = read_collection(self._given.settings.scans, str(wanted["collection"]))
        for each in found.folders:
            if each.name == wanted["folder"] and each.component_id:
                return each
        raise BadScan(name=str(wanted["folder"]), reason="the folder is not there any more")


class SendStep(DistilleryStep):
    """Send a package to a store."""

    name = SEND

    def work(self, wanted: Given, context: Context) -> Done:
        """Send it.

        Raises:
            MunimentError: The store did not take it.
        """
        destination, instance = str(wanted["destination"]), self.instance(wanted)
        count = sending.send(self._given, destination, instance, context.check)
        if count:
            self.say(context, wanted, f"{destination}: {count} files of {instance.id} sent")
        return Done({"sent": count}, then=Call(VERIFY, cast("Json", wanted)))


class VerifyStep(DistilleryStep):
    """Prove that what was sent is there."""

    name = VERIFY

    def work(self, wanted: Given, context: Context) -> Done:
        """Prove it.

        Raises:
            CopyNotVerified: It is not there as it should be.
        """
        destination, instance = str(wanted["destination"]), self.instance(wanted)
        count = sending.verify(self._given, destination, instance, context.check)
        self.say(context, wanted, f"{destination}: {count} files of {instance.id} verified")
        return Done({"verified": count})


class PublishStep(DistilleryStep):
    """Show the access copy."""

    name = PUBLISH
    deadlines = ASKS

    def work(self, wanted: Given, context: Context) -> Done | Again:
        """Show it.

        Raises:
            PublishingFailed: It is not shown.
        """
        given, instance = self._given, self.instance(wanted)
        collection = describe_collection(given.catalogue, str(wanted["collection"]))
        described = describe_object(given.catalogue, instance.id, collection)
        scratch = given.scratch("distillery", context.key)
        with publication_of(instance, collection, described, scratch) as publication:
            # Two folders of a new collection would make it twice.
            with given.batches.alone(f"access to {collection.id}", context.key) as wait:
                if wait:
                    return Again(given.now() + min(wait, _NAME_WAIT), f"somebody else prepares {collection.id}")
                given.publisher().prepare(publication)
            published = given.publisher().publish(publication)
        given.batches.show(instance.project, instance.id, AccessCopy(published.url, published.manifest))
        shutil.rmtree(scratch, ignore_errors=True)
        self.say(context, wanted, f"access: {instance.id} is seen at {published.url}")
        return Done(cast("Json", asdict(published)))


class RecordStep(DistilleryStep):
    """Record in ArchivesSpace what was verified: the continuation of sending, verifying and showing."""

    name = RECORD
    deadlines = ASKS

    def work(self, wanted: Given, context: Context) -> Done | Again:
        """Record it.

        Raises:
            MunimentError: ArchivesSpace did not take it.
        """
        given, instance = self._given, self.instance(wanted)
        children = list(context.children())
        failed = [_what(each) for each in children if each.outcome is not State.DONE]
        copies = [each for each in given.batches.copies(instance.id) if each.destination in wanted["to"]]
        found = [each.result for each in children if each.name == PUBLISH and each.outcome is State.DONE]
        published = PublishedAt(**cast("Any", found[0])) if found else None
        target = ""
        with contextlib.ExitStack() as held:
            # ArchivesSpace would take two containers for one tape.
            for name in sorted({f"tape {each.place}" for each in copies if each.place}):
                if wait := held.enter_context(given.batches.alone(name, context.key)):
                    return Again(given.now() + min(wait, _NAME_WAIT), f"somebody else records {name}")
            if copies or published:
                collection = describe_collection(given.catalogue, str(wanted["collection"]))
                described = describe_object(given.catalogue, instance.id, collection)
                target = record_copies(given.catalogue, given.settings, described, instance, copies, published)
                self.say(context, wanted, f"ArchivesSpace: {instance.id} is recorded at {target}")
        if failed:
            named = ", ".join(failed)
            self.say(context, wanted, f"{instance.id} is not everywhere it should be: {named}", kind="problem")
        about: Json = {"folder": wanted["folder"], "scratch": wanted["scratch"], "failed": failed,
                       "left_out": wanted["left_out"], "id": wanted["id"]}  # fmt: skip
        return Done({"digital_object": target, "failed": failed}, then=Call(CLEAN, about))


class CleanStep(DistilleryStep):
    """Remove what the scratch folder still holds; the package itself stays in the archive."""

    name = CLEAN

    def work(self, wanted: Given, context: Context) -> Done:
        """Do it.

        Raises:
            BatchIncomplete: Something of the folder was not done.
        """
        shutil.rmtree(self._given.scratch("distillery", str(wanted["scratch"])), ignore_errors=True)
        failed = [*wanted["failed"], *(f"{name} left out" for name in wanted["left_out"])]
        if failed:
            raise BatchIncomplete(all=1, failed=1, names=f"{wanted['id']} ({', '.join(failed)})")
        self.say(context, wanted, f"{wanted['id']} is done")
        return Done()


class EndStep(DistilleryStep):
    """Say what came of all folders, and put the scans where they go when all of it is done."""

    name = END

    def work(self, wanted: Given, context: Context) -> Done:
        """Say it.

        Raises:
            BatchIncomplete: Something was not done.
        """
        children = list(context.children())
        folders = [each for each in children if each.name == MAKE]
        bad = [each for each in children if each.outcome is not State.DONE]
        names = [str(cast("Given", each.given).get("folder") or "the collection's record") for each in bad]
        if bad:
            more = len(names) - _NAMES_SHOWN
            shown = ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
            self._last(context, wanted, f"of {len(folders)} folders not done: {shown}", "failed")
            raise BatchIncomplete(all=len(folders), failed=len(bad), names=shown)
        moved = self._put_away(str(wanted["collection"]), context.job) if wanted.get("whole", True) else None
        self._last(context, wanted, f"All done{f'; the scans are in {moved}' if moved else ''}", "finished")
        return Done({"folders": len(folders), "moved": str(moved or "")})

    def _last(self, context: Context, wanted: Given, text: str, kind: str) -> None:
        if not any(each.last for each in self._given.batches.log(context.job)):
            self.say(context, wanted, text, kind=kind)

    def _put_away(self, collection: str, batch: str) -> Path | None:
        """Move the scans to where they go; where they are. A run that was ended after it had moved them is told so."""
        done = self._given.settings.done
        place = self._given.settings.scans / collection
        if done is None:
            return None
        name = f"scans of {batch} go to"
        if not place.is_dir():
            before = self._given.batches.get(name)
            return Path(before) if before and Path(before).is_dir() else None
        target = done / collection
        number = 1
        while target.exists():
            number += 1
            target = done / f"{collection}-{number}"
        self._given.batches.put(name, str(target))
        try:
            done.mkdir(parents=True, exist_ok=True)
            place.rename(target)
        except OSError as error:
            reason = f"the folder could not be moved to {done}: {error.strerror}"
            raise BadScan(name=collection, reason=reason) from error
        return target


def steps(given: DistilleryContext) -> list[DistilleryStep]:
    """Every step of this door."""
    kinds = (
        PreviewStep, BeginStep, CollectionStep, MakeStep, SendStep, VerifyStep, PublishStep, RecordStep, CleanStep,
        EndStep,
    )  # fmt: skip
    return [kind(given) for kind in kinds]


def _what(row: Any) -> str:
    given = cast("Given", row.given)
    return str(given.get("destination") or "access")


def _counted(seen: Preview) -> str:
    images = sum(each.images for each in seen.folders if each.folder in seen.ready)
    return f"{len(seen.ready)} folders with {images} images"

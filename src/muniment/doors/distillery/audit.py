"""The audit of a batch: log, archive, stores, access copy and catalogue, compared with each other by digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from muniment.doors.distillery import sending
from muniment.doors.distillery.making import KEY, MadeFile, files_of
from muniment.doors.distillery.preview import TAPE
from muniment.doors.distillery.recording import file_version
from muniment.doors.distillery.requests import find_batch
from muniment.doors.distillery.settings import STORES
from muniment.doors.distillery.steps import COLLECTION, MAKE, PUBLISH
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.stores import StoreNotReady, TapeMissing
from muniment.jobs import State
from muniment.layouts.preservation import image_id
from muniment.publishers.protocol import PublishedAt

if TYPE_CHECKING:
    from muniment.content.instance import Instance
    from muniment.doors.distillery.batches import VerifiedCopy
    from muniment.doors.distillery.context import DistilleryContext

_UNKNOWN = (RemoteError, StoreNotReady, TapeMissing)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as the batch left it (`different`), or of which that cannot be told (`unknown`)."""

    where: str
    what: str
    text: str
    kind: Literal["different", "unknown"] = "different"


def audit(given: DistilleryContext, batch: str) -> Iterator[Difference]:
    """Compare everything a batch was about; nothing comes when all is as it should be.

    Raises:
        BatchNotFound: There is none.
    """
    job = find_batch(given, batch)
    asked = cast("Mapping[str, Any]", job.given or {})
    published: dict[str, PublishedAt] = {}
    made: list[Mapping[str, object]] = []
    for step in given.ledger.steps(batch):
        if step.state is State.DONE and step.name in {MAKE, COLLECTION}:
            made.append(cast("Mapping[str, object]", step.result))
        elif step.state is State.DONE and step.name == PUBLISH:
            id = str(cast("Mapping[str, object]", step.given)["id"])  # noqa: A001 - the field's word
            published[id] = PublishedAt(**cast("Any", step.result))
        elif step.state is State.FAILED:
            yield Difference("log", step.name, f"it failed: {step.reason}")
    if not made:
        yield Difference("log", batch, "the batch kept nothing")
    for each in made:
        yield from _object(given, each, [str(to) for to in asked.get("to", ())], published)


def _object(
    given: DistilleryContext, made: Mapping[str, Any], to: list[str], published: Mapping[str, PublishedAt]
) -> Iterator[Difference]:
    id = str(made["id"])  # noqa: A001 - the field's word
    try:
        instance = given.archive.instance(id, int(made["instance"]), project=given.settings.project)
    except MunimentError as error:
        yield Difference("archive", id, error.message)
        return
    for finding in given.archive.audit(id, project=given.settings.project):
        if finding.severity == "error":
            yield Difference("archive", id, finding.message)
    copies = list(_verified(given, instance, to))
    for destination, file in _expected(instance, to):
        copy = next((each for each in copies if (each.destination, each.key) == (destination, file.key)), None)
        wrong = sending.difference(given, copy) if copy is not None else None
        if copy is None:
            yield Difference(destination, file.key, "it was never verified there")
        elif wrong is not None:
            yield Difference(destination, file.key, wrong.message, _kind(wrong))
    shown = published.get(id)
    if shown is not None:
        yield from _published(given, id, shown)
    if "images" in instance.metadata[KEY] and (copies or shown):
        try:
            yield from _catalogue(given, instance, copies, shown)
        except MunimentError as error:
            yield Difference("ArchivesSpace", id, error.message, _kind(error))


def _published(given: DistilleryContext, id: str, shown: PublishedAt) -> Iterator[Difference]:
    try:
        for text in given.publisher().check(id, shown):
            yield Difference("access", id, text)
    except MunimentError as error:
        yield Difference("access", id, error.message, _kind(error))


def _expected(instance: Instance, to: list[str]) -> Iterator[tuple[str, MadeFile]]:
    """Every file of an instance at every store it should be at."""
    for destination in (each for each in to if each in STORES):
        for file in files_of(instance):
            yield destination, file


def _verified(given: DistilleryContext, instance: Instance, to: list[str]) -> Iterator[VerifiedCopy]:
    """The copies of the instance's own files that are on record."""
    digests = {file.key: file.sha256 for file in files_of(instance)}
    for copy in given.batches.copies(instance.id):
        if copy.destination in to and digests.get(copy.key) == copy.sha256:
            yield copy


def _catalogue(
    given: DistilleryContext, instance: Instance, copies: list[VerifiedCopy], shown: PublishedAt | None
) -> Iterator[Difference]:
    about: Mapping[str, Any] = instance.metadata[KEY]
    record = given.catalogue.get(given.catalogue.archival_object(instance.id).uri)
    instances = record.get("instances") or []
    linked = [str(each["digital_object"]["ref"]) for each in instances if each.get("digital_object")]
    if len(linked) != 1:
        yield Difference("ArchivesSpace", instance.id, f"it has {len(linked)} digital objects, and should have one")
        return
    if shown is not None:
        versions = given.catalogue.get(linked[0]).get("file_versions") or []
        for url in (shown.url, shown.thumbnail):
            if not any(each.get("file_uri") == url and each.get("publish") for each in versions):
                yield Difference("ArchivesSpace", linked[0], f"it does not show {url}")
    by_path: dict[str, list[VerifiedCopy]] = {}
    for copy in copies:
        by_path.setdefault(copy.path, []).append(copy)
    for sequence, image in about["images"].items():
        id = image_id(about["collection"], about["component_id"], sequence)  # noqa: A001 - the field's word
        wanted = [file_version(copy, image) for path in image["files"] for copy in by_path.get(path, ())]
        if wanted:
            yield from _component(given, linked[0], id, wanted)
    containers = {str(((each.get("sub_container") or {}).get("top_container") or {}).get("ref")) for each in instances}
    for tape in sorted({copy.place for copy in copies if copy.place}):
        found = {each.uri for each in given.catalogue.top_containers(tape, TAPE)}
        if len(found) != 1 or not found <= containers:
            yield Difference("ArchivesSpace", instance.id, f"tape {tape} is not linked as its one container")


def _component(given: DistilleryContext, parent: str, id: str, wanted: list[dict[str, object]]) -> Iterator[Difference]:
    every = given.catalogue.components(id)
    found = [each for each in every if each.record.get("digital_object", {}).get("ref") == parent]
    if len(found) != 1:
        yield Difference("ArchivesSpace", id, f"there are {len(found)} components of it, and should be one")
        return
    versions = found[0].record.get("file_versions") or []
    for each in wanted:
        same = [version for version in versions if version.get("file_uri") == each["file_uri"]]
        if len(same) != 1:
            yield Difference("ArchivesSpace", id, f"{each['file_uri']} is recorded {len(same)} times")
            continue
        for name, value in each.items():
            if same[0].get(name, False) != value:
                text = f"{name} of {each['file_uri']} is {same[0].get(name)!r}, and was recorded as {value!r}"
                yield Difference("ArchivesSpace", id, text)


def _kind(error: MunimentError) -> Literal["different", "unknown"]:
    return "unknown" if isinstance(error, _UNKNOWN) else "different"

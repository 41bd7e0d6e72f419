"""What a run would do, found out without changing anything: every problem at once, each with its folder.

A run begins with the same look and refuses what this names an error, so the two cannot say different things.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from muniment.doors.distillery.description import (
    CollectionDescription,
    ObjectDescription,
    belongs_to,
    describe_collection,
    describe_object,
    linked_objects,
)
from muniment.doors.distillery.folders import Problem, ScanCollection, ScanFolder, read_collection
from muniment.doors.distillery.policy import BatchPolicy
from muniment.doors.distillery.settings import DESTINATIONS, STORES, Destination
from muniment.errors.base import MunimentError, RemoteError
from muniment.errors.distillery import NoDestination, NotReadyToDistill
from muniment.layouts.preservation import is_collection_id
from muniment.stores.ltfs import LtfsStore

if TYPE_CHECKING:
    from muniment.doors.distillery.context import DistilleryContext
    from muniment.imaging import ImageProcess

TAPE, JPEG_2000, TIFF, MASTER = "Tape", "JPEG 2000", "tiff", "image-master"
CHECKSUM = "sha-256"
THUMBNAIL, EMBED = "image-thumbnail", "embed"
_NAMED = 3


@dataclass(frozen=True, slots=True)
class FolderPreview:
    """One folder: what it is, what it holds, and what would be made of it."""

    folder: str
    component_id: str
    uri: str = ""
    title: str = ""
    key: str = ""
    images: int = 0
    pages: int = 0
    bytes: int = 0
    digital_object: str = ""
    """The address of the one it has; '' where one would be made."""


@dataclass(frozen=True, slots=True)
class StorePreview:
    """A store: whether it answers, its room in bytes where it knows, and the tape in the drive."""

    destination: str
    address: str
    free: int | None = None
    tape: str = ""


@dataclass(slots=True)
class Preview:
    """Everything that was found."""

    collection: str
    destinations: tuple[Destination, ...]
    policy: BatchPolicy
    title: str = ""
    uri: str = ""
    folders: list[FolderPreview] = field(default_factory=list)
    stores: list[StorePreview] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    outages: list[MunimentError] = field(default_factory=list)
    """What could not be told at this moment, and may be told later."""

    def met(self, error: MunimentError, folder: str = "", way_out: str = "See to it in ArchivesSpace.") -> None:
        """Take an error for a problem."""
        self.problems.append(Problem(folder, error.message, way_out))
        if error.retry and isinstance(error, RemoteError):
            self.outages.append(error)

    @property
    def general(self) -> list[Problem]:
        """The errors that keep everything from being run."""
        return [each for each in self.problems if each.severity == "error" and not each.folder]

    @property
    def ready(self) -> list[str]:
        """The folders that can be run."""
        bad = {each.folder for each in self.problems if each.severity == "error"}
        return [] if self.general else [each.folder for each in self.folders if each.folder not in bad]

    @property
    def clean(self) -> bool:
        """Whether nothing at all is an error."""
        return not any(each.severity == "error" for each in self.problems)

    def refuse(self, *, partly: bool = False) -> None:
        """Refuse what cannot be run; with `partly`, only when no folder can be.

        Raises:
            NotReadyToDistill: There are errors.
        """
        if self.clean or (partly and self.ready):
            return
        errors = [each for each in self.problems if each.severity == "error"]
        said = "; ".join(f"{each.folder}: {each.text}" if each.folder else each.text for each in errors[:_NAMED])
        more = f"; and {len(errors) - _NAMED} more" if len(errors) > _NAMED else ""
        raise NotReadyToDistill(collection=self.collection, problems=said + more)

    def document(self) -> dict[str, object]:
        """All of it as JSON."""
        return {
            "collection": self.collection,
            "title": self.title,
            "uri": self.uri,
            "to": list(self.destinations),
            **self.policy.as_json(),
            "folders": [asdict(each) for each in self.folders],
            "images": sum(each.images for each in self.folders),
            "bytes": sum(each.bytes for each in self.folders),
            "stores": [asdict(each) for each in self.stores],
            "problems": [asdict(each) for each in self.problems],
            "ready": self.ready,
            "changes": self.changes,
        }


def destinations_of(given: Sequence[str]) -> tuple[Destination, ...]:
    """The destinations that were asked for, in the order in which they are served.

    Raises:
        NoDestination: None was, or one that there is not.
    """
    wanted = {word.strip() for text in given for word in text.split(",") if word.strip()}
    if unknown := sorted(wanted - set(DESTINATIONS)):
        raise NoDestination(reason=f"There is no {', '.join(unknown)}")
    if not wanted:
        raise NoDestination(reason="None was given")
    return tuple(each for each in DESTINATIONS if each in wanted)


def preview(
    given: DistilleryContext, collection: str, destinations: Sequence[Destination], policy: BatchPolicy | None = None
) -> Preview:
    """Look at everything a run would need, under a policy: without one, that of the settings.

    Raises:
        MunimentError: The archive's own database or settings cannot be used; all else is a problem in the answer.
    """
    policy = policy or BatchPolicy.of(given.settings, {})
    found = read_collection(given.settings.scans, collection, policy.folders)
    seen = Preview(collection, tuple(destinations), policy, problems=[*found.problems])
    for folder in found.folders:
        seen.problems += folder.problems
    seen.problems += _stores(given, seen, found)
    if not is_collection_id(collection):
        return seen
    described = _collection(given, seen)
    if described is not None:
        seen.problems += _lists(given, seen, found)
        with given.images() as images:
            for folder in found.folders:
                _look_at(given, seen, folder, described, images)
    else:
        for folder in found.folders:
            seen.folders.append(FolderPreview(folder.name, folder.component_id, images=len(folder.files)))
    return seen


def _collection(given: DistilleryContext, seen: Preview) -> CollectionDescription | None:
    try:
        described = describe_collection(given.catalogue, seen.collection)
    except MunimentError as error:
        seen.met(error)
        return None
    seen.title, seen.uri = described.title, described.uri
    return described


def _stores(given: DistilleryContext, seen: Preview, found: ScanCollection) -> Iterator[Problem]:
    for destination in seen.destinations:
        size = _owed(given, seen, destination, found)
        try:
            if destination not in STORES:
                given.publisher().preflight()
                continue
            store = given.store(destination)
            # What does not fit on one tape goes onto several; each folder is looked at again before it is sent.
            tapes = isinstance(store, LtfsStore)
            store.preflight(size=0 if tapes else size)
            capacity = store.capacity()
            tape = store.mounted() if isinstance(store, LtfsStore) else ""
        except MunimentError as error:
            seen.met(error, way_out=f"Nothing is sent to {destination} before that is seen to.")
            continue
        free = capacity.free if capacity is not None else None
        seen.stores.append(StorePreview(destination, str(store), free, tape))
        if free is not None and size > free:
            text = f"{destination}: about {size} bytes are needed and {free} are free"
            if tapes:
                yield Problem("", text, "The run will ask for the next tape.", severity="warning")
            else:
                yield Problem("", text, "Make room there.")


def _owed(given: DistilleryContext, seen: Preview, destination: str, found: ScanCollection) -> int:
    """About how many bytes a store would be sent: of the folders of which it has nothing yet."""
    both = 2 if seen.policy.normalisation == "both" else 1
    new = [
        each
        for each in found.folders
        if not any(copy.destination == destination for copy in given.batches.copies(each.component_id))
    ]
    return sum(each.bytes for each in new) * both


def _lists(given: DistilleryContext, seen: Preview, found: ScanCollection) -> Iterator[Problem]:
    """The values that the catalogue's controlled lists lack."""
    del found
    formats = {"original": {TIFF}, "jp2": {JPEG_2000}, "both": {TIFF, JPEG_2000}}[seen.policy.normalisation]
    wanted: dict[str, set[str]] = {}
    if set(seen.destinations) & set(STORES):
        wanted |= {
            "file_version_file_format_name": formats,
            "file_version_checksum_methods": {CHECKSUM},
            "file_version_use_statement": {MASTER},
        }
    if any(each.tape for each in seen.stores):
        wanted["container_type"] = {TAPE}
    if "access" in seen.destinations:
        wanted.setdefault("file_version_use_statement", set()).add(THUMBNAIL)
        wanted["file_version_xlink_show_attribute"] = {EMBED}
    for name, values in wanted.items():
        try:
            known = given.catalogue.enumeration(name)
        except MunimentError as error:
            seen.met(error)
            return
        for value in sorted(values - known):
            yield Problem("", f"ArchivesSpace's list {name} has no value {value!r}", "Add it there.")


def _look_at(
    given: DistilleryContext,
    seen: Preview,
    folder: ScanFolder,
    collection: CollectionDescription,
    images: ImageProcess,
) -> None:
    pages = sum(_scans(seen, folder, images))
    here = FolderPreview(folder.name, folder.component_id, images=len(folder.files), pages=pages, bytes=folder.bytes)
    if folder.component_id:
        try:
            described = describe_object(given.catalogue, folder.component_id, collection)
        except MunimentError as error:
            seen.met(error, folder.name)
        else:
            here = _described(given, seen, folder, here, described, collection)
    seen.folders.append(here)


def _scans(seen: Preview, folder: ScanFolder, images: ImageProcess) -> Iterator[int]:
    """The pages of each scan; those that cannot be read are problems."""
    lenient = seen.policy.broken == "lenient"
    for file in folder.files:
        try:
            scan = images.inspect(file.path)
        except MunimentError as error:
            way_out = "It is left out." if lenient else "Scan it anew, or leave it out."
            text, severity = error.message, "warning" if lenient else "error"
            seen.problems.append(Problem(folder.name, text, way_out, file.path.name, severity))  # type: ignore[arg-type] # one of the two
            continue
        if scan.obstacle and seen.policy.normalisation != "original":
            only = seen.policy.normalisation == "jp2"
            text = f"it can be no lossless JPEG 2000: {scan.obstacle}"
            way_out = "Set normalisation to original or both." if only else "Its original is kept alone."
            kind = "error" if only else "warning"
            seen.problems.append(Problem(folder.name, text, way_out, file.path.name, kind))  # type: ignore[arg-type] # as above
        yield len(scan.pages)


def _described(
    given: DistilleryContext,
    seen: Preview,
    folder: ScanFolder,
    here: FolderPreview,
    described: ObjectDescription,
    collection: CollectionDescription,
) -> FolderPreview:
    problems, name = seen.problems, folder.name
    if not belongs_to(described, collection):
        text = f"{folder.component_id} belongs to another collection in ArchivesSpace"
        problems.append(Problem(name, text, "See to it there."))
    linked = described.digital_objects
    if len(linked) > 1:
        text = f"it has {len(linked)} digital objects: {', '.join(str(each.get('ref')) for each in linked)}"
        problems.append(Problem(name, text, "Leave one of them."))
    uri = str(linked[0].get("ref")) if linked else ""
    if not linked:
        problems += _taken(given, seen, name, described)
    elif "access" in seen.destinations:
        problems += _published(given, name, linked[0], described)
    stores = set(seen.destinations) & set(STORES)
    seen.changes += [
        f"{folder.component_id}: {'use' if uri else 'make'} a digital object{f' ({uri})' if uri else ''}",
        *(
            [f"{folder.component_id}: {here.images} components with files in {', '.join(sorted(stores))}"]
            * bool(stores)
        ),
    ]
    if "access" in seen.destinations:
        seen.changes.append(
            f"{folder.component_id}: published below {given.settings.access.prefix(folder.component_id)}"
        )
    return FolderPreview(
        here.folder,
        here.component_id,
        described.uri,
        described.title,
        described.arrangement.folder,
        here.images,
        here.pages,
        here.bytes,
        uri,
    )


def _taken(given: DistilleryContext, seen: Preview, name: str, described: ObjectDescription) -> Iterator[Problem]:
    """Whether the id of the digital object that would be made is another's already."""
    wanted = described.arrangement.component_id
    try:
        found = given.catalogue.digital_objects(wanted)
    except MunimentError as error:
        seen.met(error, name)
        return
    for each in found:
        others = [ref for ref in linked_objects(each) if ref != described.uri]
        if others:
            text = f"a digital object with the id {wanted} is linked to {', '.join(others)} ({each.uri})"
            yield Problem(name, text, "Link it to this archival object, or give it another id.")


def _published(
    given: DistilleryContext, name: str, linked: Mapping[str, Any], described: ObjectDescription
) -> Iterator[Problem]:
    """File versions of the digital object that are somebody else's."""
    record = linked.get("_resolved") or {}
    ours = given.settings.access.prefix(described.arrangement.component_id)
    theirs = [str(each.get("file_uri")) for each in record.get("file_versions", []) if each.get("publish")]
    theirs = [each for each in theirs if not each.startswith(ours)]
    if theirs and given.settings.access.existing == "refuse":
        text = f"its digital object shows {', '.join(theirs)} already"
        yield Problem(name, text, 'Remove them, or set access.existing to "keep": they are then kept unpublished.')
    elif theirs:
        yield Problem(name, f"{', '.join(theirs)} will be kept unpublished", severity="warning")

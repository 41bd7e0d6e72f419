"""What ArchivesSpace says of a collection and its archival objects, as the rest of this door needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from muniment.catalogues.archivesspace import ArchivesSpace, Found
from muniment.imaging.xmp import Description
from muniment.layouts.preservation import Arrangement, Level, image_id

NO_RIGHTS = "The rights in this image have not been determined."
_VOLATILE = frozenset(
    {
        "lock_version", "create_time", "system_mtime", "user_mtime", "created_by", "last_modified_by",
        "linked_events", "slug", "is_slug_auto", "position", "ark_name", "external_ark_url", "import_previous_arks",
    }
)  # fmt: skip
"""Fields that change without anybody describing anything anew."""
_OURS = frozenset({"instances"})
"""What a run changes itself: it must not look like news to the next one."""


@dataclass(frozen=True, slots=True)
class CollectionDescription:
    """A collection as ArchivesSpace has it."""

    id: str
    title: str
    uri: str
    record: Mapping[str, Any]
    publisher: str
    code: str

    @property
    def rights(self) -> str:
        """The published conditions governing use, else a sentence that there are none."""
        notes = [each for each in self.record.get("notes", []) if each.get("type") == "userestrict"]
        texts = [text for note in notes if note.get("publish") for text in _texts(note)]
        return "\n\n".join(texts) or NO_RIGHTS

    @property
    def finding_aid(self) -> str:
        """The address of the finding aid, where the record names one."""
        return str(self.record.get("ead_location") or "")


@dataclass(frozen=True, slots=True)
class ObjectDescription:
    """An archival object as ArchivesSpace has it: where it stands, what it is called, what is linked to it."""

    arrangement: Arrangement
    uri: str
    record: Mapping[str, Any]
    digital_objects: tuple[Mapping[str, Any], ...]
    containers: tuple[Mapping[str, object], ...]

    @property
    def title(self) -> str:
        """How it is shown."""
        return self.arrangement.title

    def levels(self) -> Iterator[str]:
        """The series and subseries it stands in, as they are called."""
        for level in (self.arrangement.series, self.arrangement.subseries):
            if level is not None:
                yield level.title

    def image_title(self, sequence: str) -> str:
        """What one of its images is called."""
        extents = self.record.get("extents") or []
        number = str(extents[0].get("number", "")) if len(extents) == 1 else ""
        of = f"/{number.zfill(4)}" if number.isascii() and number.isdigit() else ""
        return f"{self.title} [image {sequence}{of}]"


def describe_collection(catalogue: ArchivesSpace, id: str) -> CollectionDescription:
    """Look a collection up.

    Raises:
        NotInCatalogue, AmbiguousInCatalogue: There is not exactly one.
        MunimentError: As every call of `ArchivesSpace`.
    """
    found = catalogue.collection(id)
    record = found.record
    title = str(record.get("title") or record.get("finding_aid_title") or id)
    return CollectionDescription(id, title, found.uri, record, catalogue.repository_name, catalogue.code)


def describe_object(
    catalogue: ArchivesSpace, component_id: str, collection: CollectionDescription
) -> ObjectDescription:
    """Look an archival object up, with all that it refers to.

    Raises:
        NotInCatalogue, AmbiguousInCatalogue: There is not exactly one.
        MunimentError: As every call of `ArchivesSpace`.
    """
    uri = catalogue.archival_object(component_id).uri
    names = ("digital_object", "top_container", "ancestors", "linked_agents", "subjects")
    record = catalogue.get(uri, *names)
    instances = [each for each in record.get("instances", []) if isinstance(each, Mapping)]
    objects = [each["digital_object"] for each in instances if isinstance(each.get("digital_object"), Mapping)]
    holders = [each["sub_container"]["top_container"] for each in instances if each.get("sub_container")]
    return ObjectDescription(
        _arrangement(record, component_id, collection.id), uri, record, tuple(objects), tuple(holders)
    )


def belongs_to(described: ObjectDescription, collection: CollectionDescription) -> bool:
    """Whether an archival object is one of the collection's; one that does not say so is."""
    resource = described.record.get("resource")
    return not isinstance(resource, Mapping) or resource.get("ref") in {None, collection.uri}


def caption_of(
    collection: CollectionDescription, described: ObjectDescription, sequence: str, page: int = 0
) -> Description:
    """What is written into an image."""
    levels = "".join(f" / {each}" for each in described.levels())
    identifier = image_id(collection.id, described.arrangement.component_id, sequence)
    return Description(
        title=described.image_title(sequence),
        identifier=f"{identifier}-p{page + 1:04}" if page else identifier,
        source=f"{collection.code}: {collection.title}{levels}",
        publisher=collection.publisher,
        rights=collection.rights,
    )


def stable_record(value: object) -> object:
    """A record without what changes by itself, and without what a run writes: equal for what is described alike."""
    if isinstance(value, Mapping):
        return {
            name: stable_record(each) for name, each in value.items() if name not in _VOLATILE and name not in _OURS
        }
    return [stable_record(each) for each in value] if isinstance(value, list) else value


def linked_objects(found: Found) -> tuple[str, ...]:
    """The addresses of what a digital object is linked to."""
    linked = found.record.get("linked_instances") or []
    return tuple(str(each["ref"]) for each in linked if isinstance(each, Mapping) and "ref" in each)


def _arrangement(record: Mapping[str, Any], component_id: str, collection: str) -> Arrangement:
    levels: dict[str, Level] = {}
    for ancestor in record.get("ancestors", []):
        resolved = ancestor.get("_resolved") or {}
        kind = str(ancestor.get("level") or resolved.get("level") or "")
        if kind in {"series", "subseries"} and kind not in levels:
            number = str(resolved.get("component_id") or "")
            title = str(resolved.get("title") or resolved.get("display_string") or kind)
            levels[kind] = Level(_last_number(number), title)
    title = str(record.get("display_string") or record.get("title") or component_id)
    return Arrangement(collection, component_id, title, levels.get("series"), levels.get("subseries"))


def _last_number(text: str) -> str:
    """The number of a series: the last part of an id such as `HBF_01`, and the id itself where it has one part."""
    return text.rpartition("_")[2] or "0"


def _texts(note: Mapping[str, Any]) -> Iterator[str]:
    content = note.get("content")
    if isinstance(content, list):
        yield from (str(each).strip() for each in content)
    elif isinstance(content, str):
        yield content.strip()
    for part in note.get("subnotes", []):
        if part.get("publish", True) and part.get("content"):
            yield str(part["content"]).strip()

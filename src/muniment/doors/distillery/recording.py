"""Recording in ArchivesSpace what was verified, and nothing else: digital object, components, containers, addresses.

Every change is made to a fresh record and leaves what others wrote; what is recorded already is not written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from muniment.catalogues.archivesspace import ArchivesSpace, Found, Merge, Record
from muniment.doors.distillery.batches import VerifiedCopy
from muniment.doors.distillery.description import ObjectDescription, linked_objects
from muniment.doors.distillery.making import KEY
from muniment.doors.distillery.preview import CHECKSUM, EMBED, JPEG_2000, MASTER, TAPE, THUMBNAIL, TIFF
from muniment.errors.catalogues import AmbiguousInCatalogue
from muniment.layouts.preservation import image_id

if TYPE_CHECKING:
    from muniment.content.instance import Instance
    from muniment.doors.distillery.settings import DistillerySettings
    from muniment.publishers.protocol import PublishedAt

_STANDARD = "ISO/IEC 15444-1"
_LOSSLESS = "lossless (wavelet transformation: 5/3 reversible with no quantization)"


def record_copies(
    catalogue: ArchivesSpace,
    settings: DistillerySettings,
    described: ObjectDescription,
    instance: Instance,
    copies: Iterable[VerifiedCopy],
    published: PublishedAt | None,
) -> str:
    """Record the verified copies of an instance, and where it is seen; the digital object's address.

    Raises:
        CatalogueRefused, AmbiguousInCatalogue: It cannot be recorded so; see to it in ArchivesSpace.
        MunimentError: As every call of `ArchivesSpace`.
    """
    known: Mapping[str, Any] = instance.metadata[KEY]
    files: Mapping[str, Any] = known["files"]
    current = [each for each in copies if files.get(each.path, {}).get("key") == each.key]
    target = _digital_object(catalogue, described)
    if published is not None:
        prefix = settings.access.prefix(str(known["component_id"]))
        catalogue.update(target, _shown(published, keep=settings.access.existing == "keep", prefix=prefix))
    by_path: dict[str, list[VerifiedCopy]] = {}
    for copy in current:
        by_path.setdefault(copy.path, []).append(copy)
    if by_path:
        for sequence, image in known["images"].items():
            versions = [file_version(copy, image) for path in image["files"] for copy in by_path.get(path, ())]
            if versions:
                id = image_id(known["collection"], known["component_id"], sequence)  # noqa: A001 - the field's word
                _component(catalogue, target, id, f"Image {sequence}", versions)
    for indicator in sorted({copy.place for copy in current if copy.place}):
        container = tape_container(catalogue, indicator, settings.archivesspace.tape_profile)
        catalogue.update(described.uri, _with_container(container))
    return target


def tape_container(catalogue: ArchivesSpace, indicator: str, profile: str) -> str:
    """The top container that stands for a tape, made where there is none.

    Who calls this holds the name of the tape alone, for ArchivesSpace would take two with the same indicator.

    Raises:
        AmbiguousInCatalogue: There are several.
    """
    found = catalogue.top_containers(indicator, TAPE)
    if len(found) > 1:
        raise AmbiguousInCatalogue(what="tape", id=indicator, uris=", ".join(each.uri for each in found))
    if found:
        return found[0].uri
    record: Record = {"indicator": indicator, "type": TAPE}
    if profile:
        record["container_profile"] = {"ref": profile}
    return catalogue.create("top_containers", record).uri


def _digital_object(catalogue: ArchivesSpace, described: ObjectDescription) -> str:
    """The archival object's digital object: its own, one that a run before made and could not link, or a new one."""
    id = described.arrangement.component_id  # noqa: A001 - the field's word
    linked = [str(each["ref"]) for each in described.digital_objects]
    if len(linked) > 1:
        raise AmbiguousInCatalogue(what="digital object", id=id, uris=", ".join(linked))
    if linked:
        return linked[0]
    made = [each for each in catalogue.digital_objects(id) if set(linked_objects(each)) <= {described.uri}]
    if not made:
        record = {"digital_object_id": id, "title": described.title, "publish": False}
        made = [catalogue.create("digital_objects", record)]
    catalogue.update(described.uri, _with_digital_object(made[0].uri))
    return made[0].uri


def _component(catalogue: ArchivesSpace, parent: str, id: str, label: str, versions: list[Record]) -> Found:
    found = [each for each in catalogue.components(id) if each.record.get("digital_object", {}).get("ref") == parent]
    if len(found) > 1:
        raise AmbiguousInCatalogue(what="digital object component", id=id, uris=", ".join(each.uri for each in found))
    if found:
        return catalogue.update(found[0].uri, _with_versions(versions))
    record = {
        "digital_object": {"ref": parent},
        "component_id": id,
        "label": label,
        "publish": False,
        "file_versions": versions,
    }
    return catalogue.create("digital_object_components", record)


def file_version(copy: VerifiedCopy, image: Mapping[str, Any]) -> Record:
    """A verified copy as ArchivesSpace describes a file."""
    jp2 = copy.path.endswith(".jp2")
    page = image["pages"][0] if image["pages"] else {}
    caption = f"width: {page.get('width')}; height: {page.get('height')}"
    version: Record = {
        "file_uri": copy.uri,
        "publish": False,
        "use_statement": MASTER,
        "file_size_bytes": copy.size,
        "checksum": copy.sha256,
        "checksum_method": CHECKSUM,
    }
    if jp2:
        standard = page.get("standard") or _STANDARD
        version |= {"file_format_name": JPEG_2000, "file_format_version": f"{standard}; {_LOSSLESS}"}
        version["caption"] = f"{caption}; compression: lossless"
    elif copy.path.endswith((".tif", ".tiff")):
        version |= {"file_format_name": TIFF, "caption": f"{caption}; as it was scanned"}
    else:
        version["caption"] = "ICC profile of the scan"
    return version


def _with_versions(versions: list[Record]) -> Merge:
    """Our file versions among those that are there: by their address, so that none comes twice."""

    def merge(record: Record) -> Record:
        mine = {each["file_uri"]: each for each in versions}
        before = record.get("file_versions") or []
        kept = [{**each, **mine.pop(str(each.get("file_uri")), {})} for each in before]
        return {**record, "file_versions": [*kept, *mine.values()]}

    return merge


def _with_digital_object(uri: str) -> Merge:
    def merge(record: Record) -> Record:
        instances = record.get("instances") or []
        if any((each.get("digital_object") or {}).get("ref") == uri for each in instances):
            return record
        added = {"instance_type": "digital_object", "digital_object": {"ref": uri}}
        return {**record, "instances": [*instances, added]}

    return merge


def _with_container(uri: str) -> Merge:
    def merge(record: Record) -> Record:
        instances = record.get("instances") or []
        holders = [(each.get("sub_container") or {}).get("top_container") or {} for each in instances]
        if any(each.get("ref") == uri for each in holders):
            return record
        added = {"instance_type": "mixed_materials", "sub_container": {"top_container": {"ref": uri}}}
        return {**record, "instances": [*instances, added]}

    return merge


def _shown(published: PublishedAt, *, keep: bool, prefix: str) -> Merge:
    """The page and its picture as file versions; what others show there is kept, and unpublished where that is set."""
    page = {"file_uri": published.url, "publish": True}
    picture = {
        "file_uri": published.thumbnail,
        "publish": True,
        "use_statement": THUMBNAIL,
        "xlink_show_attribute": EMBED,
    }

    def merge(record: Record) -> Record:
        before = record.get("file_versions") or []
        others = [each for each in before if not str(each.get("file_uri")).startswith(prefix)]
        if keep:
            others = [{**each, "publish": False} if each.get("publish") else each for each in others]
        theirs = {each["file_uri"]: each for each in before if each not in others}
        ours = [{**theirs.get(each["file_uri"], {}), **each} for each in (page, picture)]
        return {**record, "file_versions": [*ours, *others]}

    return merge

"""What a portal's links gave, in the archive: a resource for each link, an instance for each change of its content.

The portal's own description of a dataset is kept beside them, as a resource of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from muniment.doors.ckan.link import Checked
from muniment.doors.ckan.portals import Portal
from muniment.errors.archive import ResourceNotFound
from muniment.sources.times import rfc3339

if TYPE_CHECKING:
    from muniment.content.archive import Archive
    from muniment.content.instance import Instance

KEY = "ckan"
"""Where in an instance's metadata it is said what it is."""
LATEST = "latest"
DATASET_FILE = "dataset.json"
_VOLATILE = frozenset({"metadata_modified", "num_resources", "num_tags", "tracking_summary", "relationships_as_object"})
_WRITTEN_BY_US = frozenset({"cache_url", "cache_last_updated", "hash", "size", "mimetype", "metadata_modified"})


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a copy is: `{timestamp}/{filename}`; `new` when its bytes became an instance just now."""

    place: str
    new: bool


def timestamp_of(seconds: float) -> str:
    """A time as it stands in the address of a copy: UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def keep(
    archive: Archive, portal: Portal, row: Mapping[object, object], found: Checked, asked: str, now: float
) -> Kept:
    """Keep what came, unless the newest instance has the same bytes under the same name: that is one event and no more.

    Twice is once: killed after the commit, it finds its own instance and changes nothing.

    Raises:
        MunimentError: The archive did not take it; nothing is half kept.
    """
    assert found.body is not None
    id = str(row["resource"])  # noqa: A001 - the domain's word
    newest = _newest(archive, portal, id)
    if newest is not None and _is_same(newest, found):
        place = f"{newest.metadata[KEY]['timestamp']}/{found.filename}"
        archive.record_event(
            "capture",
            project=portal.project,
            resource=id,
            instance=newest.number,
            detail={"note": "the content has not changed", "url": asked},
        )
        return Kept(place, new=False)
    stamp = _later_than(newest, timestamp_of(now), now)
    message = f"archived {asked}"
    if newest is None:
        transaction = archive.new(id, portal.project, message=message)
    else:
        transaction = archive.get(id, "a", project=portal.project, message=message)
    with transaction:
        for path in [entry.path for entry in transaction.files()]:
            transaction.delete(path)
        digests = {"md5": found.md5, "sha256": found.sha256}
        modified = rfc3339(found.last_modified) if found.last_modified else None
        transaction.add(found.body, found.filename, digests=digests, modified=modified)
        transaction.metadata.clear()
        transaction.metadata.update(_described(portal, row, found, asked, stamp))
    return Kept(f"{stamp}/{found.filename}", new=True)


def keep_dataset(archive: Archive, portal: Portal, record: Mapping[str, object]) -> bool:
    """Keep a dataset's description where it is another than the newest kept; whether it was.

    What changes by itself, and what we write ourselves, is no change.

    Raises:
        MunimentError: The archive did not take it.
    """
    document = stable(record)
    data = (json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8", "replace")
    sha256 = hashlib.sha256(data).hexdigest()
    id = f"dataset/{record['id']}"  # noqa: A001 - the domain's word
    newest = _newest(archive, portal, id)
    if newest is not None and newest[DATASET_FILE].digests.get("sha256") == sha256:
        return False
    message = f"the description of the dataset {record.get('name', record['id'])}"
    if newest is None:
        transaction = archive.new(id, portal.project, message=message)
    else:
        transaction = archive.get(id, "a", project=portal.project, message=message)
    with transaction:
        for path in [entry.path for entry in transaction.files()]:
            transaction.delete(path)
        transaction.add(data, DATASET_FILE, digests={"sha256": sha256})
        transaction.metadata.clear()
        title = str(record.get("title") or record.get("name") or record["id"])
        transaction.metadata.update({"title": title, KEY: {"portal": portal.name, "dataset": str(record["id"])}})
    return True


def stable(record: Mapping[str, object]) -> dict[str, object]:
    """A dataset's description without what changes by itself and what is written back by us."""
    kept = {name: value for name, value in record.items() if name not in _VOLATILE}
    resources = kept.get("resources")
    if isinstance(resources, list):
        kept["resources"] = [
            {name: value for name, value in each.items() if name not in _WRITTEN_BY_US}
            for each in resources
            if isinstance(each, Mapping)
        ]
    return kept


def copy_at(archive: Archive, resource: str, stamp: str, project: str) -> Instance | None:
    """The instance of a resource that was kept at a time, or the newest for `latest`; None where there is none.

    Raises:
        ResourceNotFound, ResourcePurged: There is no such resource.
    """
    newest = archive.instance(resource, project=project)
    if stamp == LATEST:
        return newest
    for number in range(newest.head, 0, -1):
        found = newest.earlier(number)
        if found.metadata.get(KEY, {}).get("timestamp") == stamp:
            return found
    return None


def _newest(archive: Archive, portal: Portal, id: str) -> Instance | None:
    try:
        return archive.instance(id, project=portal.project)
    except ResourceNotFound:
        return None


def _is_same(newest: Instance, found: Checked) -> bool:
    paths = list(newest)
    return paths == [found.filename] and newest[found.filename].digests.get("sha256") == found.sha256


def _later_than(newest: Instance | None, stamp: str, now: float) -> str:
    """A stamp that no instance before has, so that every copy keeps an address of its own."""
    last = newest.metadata.get(KEY, {}).get("timestamp", "") if newest is not None else ""
    while stamp <= last:
        now += 1
        stamp = timestamp_of(max(now, datetime.fromisoformat(last).timestamp() + 1))
    return stamp


def _described(
    portal: Portal, row: Mapping[object, object], found: Checked, asked: str, stamp: str
) -> dict[str, object]:
    about = {
        "portal": portal.name,
        "portal_url": portal.url,
        "dataset": row["dataset"],
        "resource": row["resource"],
        "organization": row["organization"],
        "format": row["format"],
        "url": asked,
        "redirected_to": found.redirected_to,
        "timestamp": stamp,
        "mimetype": found.mimetype,
        "etag": found.etag,
        "last_modified": found.last_modified,
        "notes": dict(found.notes),
    }
    return {"title": row["name"] or found.filename, KEY: {name: value for name, value in about.items() if value}}

"""What is said about an instance, from a few small files of its own: the same work however many files it has.

A version's `metadata/instance.json` and `bag-info.txt` hold it, and the tag manifest beside them vouches for both.
Where they do not, as in a version that is damaged, the whole records are read, and speak or fail.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muniment.archive.context import Opened
from muniment.archive.package.bag import BAG_INFO, INSTANCE, payload_oxum
from muniment.archive.package.instance import Instance
from muniment.archive.package.inventory import default_message
from muniment.content import Hashers
from muniment.content.regular import read_regular
from muniment.errors.archive import InstanceNotFound, ResourceNotFound

_NUMBER = re.compile(r"v?([0-9]{1,9})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Description:
    """An instance without its files; `files` is how many there are, `record` the whole of `metadata/instance.json`."""

    id: str
    project: str
    number: int
    head: int
    instance: str
    created: str
    message: str
    agent: Mapping[str, str]
    files: int
    record: Mapping[str, Any]


def newest_number(opened: Opened, project: str, resource: str) -> int:
    """The number of a resource's newest instance.

    Raises:
        ResourceNotFound: There is no such resource.
        ReadFailed: The storage did not say.
    """
    head = opened.context.newest_number(project, resource)
    if not head:
        raise ResourceNotFound(id=resource)
    return head


def describe(opened: Opened, project: str, resource: str, number: int | None = None) -> Description | None:
    """An instance, by default the newest, as its own small files describe it; None where they do not.

    Raises:
        ResourceNotFound, InstanceNotFound: There is none such.
        ReadFailed: The storage did not say.
    """
    context = opened.context
    head = newest_number(opened, project, resource)
    wanted = head if number is None else number
    if not 1 <= wanted <= head:
        raise InstanceNotFound(id=resource, instance=str(number), head=head)
    algorithm = context.config.digests[0]
    manifest = f"tagmanifest-{algorithm}.txt"
    folder = context.records(project, resource, wanted, (manifest, INSTANCE, BAG_INFO))
    try:
        said = read_regular(os.path.join(folder, manifest))
        known = {path: digest for digest, _, path in (line.partition("  ") for line in said.decode().splitlines())}
        record = json.loads(_checked(folder, INSTANCE, algorithm, known))
        _, files = payload_oxum(_checked(folder, BAG_INFO, algorithm, known))
        found = Description(
            id=resource,
            project=project,
            number=wanted,
            head=head,
            instance=record["instance"],
            created=record["created"],
            message=record["message"] or default_message(wanted, files),
            agent={"name": record["agent"]["name"], "address": record["agent"]["address"]},
            files=files,
            record=record,
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    # A version that was put there by hand, say a copy of another's: only the inventory knows what is right.
    own = (record.get("project"), record.get("id"), record.get("number"))
    return found if own == (project, resource, wanted) else None


def described(found: Instance) -> Description:
    """The same of an instance whose whole records were read.

    Raises:
        DamagedRecord, ReadFailed: They cannot be had.
    """
    return Description(
        id=found.id,
        project=found.project,
        number=found.number,
        head=found.head,
        instance=found.instance,
        created=found.created,
        message=found.message,
        agent=dict(found.agent),
        files=len(found),
        record=found.record,
    )


def number_in(text: str) -> int | None:
    """The number that names an instance, as '1' or 'v1'; None where it is named otherwise."""
    found = _NUMBER.match(text)
    return int(found[1]) if found else None


def _checked(folder: str, name: str, algorithm: str, known: Mapping[str, str]) -> bytes:
    """A tag file's bytes.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not the one that the tag manifest names.
    """
    data = read_regular(os.path.join(folder, name))
    hashers = Hashers([algorithm])
    hashers.update(data)
    if known.get(name) != hashers.values()[algorithm]:
        raise ValueError(name)
    return data

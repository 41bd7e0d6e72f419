"""Export: a resource in one of the layouts, to a folder, a tar file, or a stream."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from muniment.archive import Archive, Instance
from muniment.content import Progress, quiet
from muniment.errors.base import BadInput
from muniment.errors.exchange import UnknownLayout
from muniment.layouts.bag import lay_bag
from muniment.layouts.instances import lay_instances
from muniment.layouts.ocfl import lay_object
from muniment.layouts.packages import LaidOutPackage, PackageTar, seconds
from muniment.workflows.output import refuse_existing, write_folder, write_stream, write_tar

LAYOUTS: Mapping[str, Callable[[Instance], LaidOutPackage]] = {
    "bag": lay_bag,
    "instances": lay_instances,
    "ocfl": lay_object,
}
"""The layouts a resource can be exported in."""

STREAM = "-"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported: `size` in bytes of all files together, `sha256` of the tar or '' for a folder."""

    id: str
    project: str
    instance: int
    layout: str
    target: str
    files: int
    size: int
    sha256: str


def lay_out(
    archive: Archive, id: str, layout: str, *, project: str | None = None, instance: str | int | None = None
) -> LaidOutPackage:
    """A resource's files under the names a layout gives them.

    `instance` is the newest one by default; `instances` then goes up to it, `ocfl` always has all.

    Raises:
        UnknownLayout: There is no such layout.
        BadInput: The layout cannot leave instances out.
        ResourceNotFound, InstanceNotFound, AmbiguousId: As `Archive.get`.
        DamagedRecord, ReadFailed: A record cannot be had.
    """
    return _lay(_find(archive, id, layout, project, instance), layout)


def plan_tar(
    archive: Archive, id: str, layout: str, *, project: str | None = None, instance: str | int | None = None
) -> PackageTar:
    """The tar of a resource, planned to the byte: `length`, `etag`, and `read(start, stop)` for any range of it.

    Every file is checked against its digest while it is read; a damaged one ends the stream.

    Raises:
        MunimentError: As `lay_out`.
    """
    found = _find(archive, id, layout, project, instance)
    return PackageTar(_lay(found, layout), seconds(found.created))


def export(
    archive: Archive,
    id: str,
    layout: str,
    target: str | os.PathLike[str],
    *,
    project: str | None = None,
    instance: str | int | None = None,
    serialised: Literal["tar"] | None = None,
    progress: Progress = quiet,
) -> Exported:
    """Export a resource to a new folder, to a tar where the name ends in '.tar', or to the standard output as '-'.

    Written beside its place, read back and compared, given its name, and only then recorded as an event
    (where the archive can be written to). What goes to the standard output cannot be read back.

    Raises:
        OutputExists: There is something at `target`; it is never written over.
        MemberDamaged, MemberUnreadable: A file of the archive could not be read whole; nothing is left.
        NotVerified, NameNotCarried, DiskFull, WriteFailed: It could not be written; nothing is left.
        MunimentError: As `lay_out`.
    """
    name = os.fspath(target)
    place = Path(name)
    if name != STREAM:
        refuse_existing(place)
    found = _find(archive, id, layout, project, instance)
    laid = _lay(found, layout)
    sha256 = ""
    if name == STREAM:
        sha256 = write_stream(PackageTar(laid, seconds(found.created)), progress)
    elif serialised == "tar" or place.suffix == ".tar":
        sha256 = write_tar(PackageTar(laid, seconds(found.created)), place, progress)
    else:
        write_folder(laid, place, progress)
    size = sum(member.size for member in laid.members)
    done = Exported(id, found.project, found.number, layout, name, len(laid.members), size, sha256)
    _record(archive, done)
    return done


def _find(archive: Archive, id: str, layout: str, project: str | None, instance: str | int | None) -> Instance:
    if layout not in LAYOUTS:
        raise UnknownLayout(layout=layout, known=", ".join(LAYOUTS))
    found = archive.get(id, instance=instance, project=project)
    if layout == "ocfl" and found.number != found.head:
        raise BadInput(reason="the layout 'ocfl' holds every instance; leave the instance out, or use 'bag'")
    return found


def _lay(found: Instance, layout: str) -> LaidOutPackage:
    return LAYOUTS[layout](found)


def _record(archive: Archive, done: Exported) -> None:
    if not os.access(archive.path / "events", os.W_OK):
        return
    detail = {"layout": done.layout, "target": done.target, "files": done.files, "bytes": done.size}
    if done.sha256:
        detail["sha256"] = done.sha256
    archive.record_event("exporting", resource=done.id, project=done.project, instance=done.instance, detail=detail)

"""Export: a resource in one of the layouts, to a folder, a tar file, or a stream."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from muniment.archive import Archive as LocalArchive
from muniment.archive import Instance
from muniment.content import Progress, quiet
from muniment.content.archive import Archive, PackageForm
from muniment.content.entry_points import broken, brought, load, names
from muniment.content.times import seconds
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.exchange import UnknownLayout
from muniment.layouts.bag import lay_bag
from muniment.layouts.crate import lay_crate
from muniment.layouts.instances import lay_instances
from muniment.layouts.ocfl import lay_object
from muniment.layouts.packages import LaidOutPackage, PackageTar, PackageZip
from muniment.workflows.output import (
    receive_folder,
    receive_packed,
    refuse_existing,
    write_folder,
    write_packed,
    write_stream,
)

LAYOUTS: Mapping[str, Callable[[Instance], LaidOutPackage]] = {
    "bag": lay_bag,
    "instances": lay_instances,
    "ocfl": lay_object,
    "ro-crate": lay_crate,
}
"""The layouts that are Muniment's own."""
GROUP = "muniment.layouts"
"""The group of entry points by which other packages bring layouts: a layout's name leads to its function."""

PACKINGS: Mapping[PackageForm, type[PackageTar | PackageZip]] = {"tar": PackageTar, "zip": PackageZip}
"""What makes one file of a package that was laid out."""

STREAM = "-"
_FORMS: Mapping[str, PackageForm] = {".tar": "tar", ".zip": "zip"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported: `size` in bytes of all files together, `sha256` of the tar or '' for a folder.

    Of what a server packed, files and size are not known: None.
    """

    id: str
    project: str
    instance: int
    layout: str
    target: str
    files: int | None
    size: int | None
    sha256: str


def layouts() -> list[str]:
    """The names of the layouts a resource can be exported in."""
    return [*LAYOUTS, *names(GROUP, LAYOUTS)]


def lay_out(
    archive: LocalArchive, id: str, layout: str, *, project: str | None = None, instance: str | int | None = None
) -> LaidOutPackage:
    """A resource's files under the names a layout gives them.

    `instance` is the newest one by default; `instances` then goes up to it, `ocfl` always has all.

    Raises:
        UnknownLayout: There is no such layout.
        ExtensionBroken: Another package brings it, and it cannot be used.
        BadInput: The layout cannot leave instances out.
        ResourceNotFound, InstanceNotFound, AmbiguousId: As `Archive.get`.
        DamagedRecord, ReadFailed: A record cannot be had.
    """
    return _lay(_find(archive, id, layout, project, instance), layout)


def plan_package(
    archive: LocalArchive,
    id: str,
    layout: str,
    *,
    project: str | None = None,
    instance: str | int | None = None,
    form: PackageForm = "tar",
) -> PackageTar | PackageZip:
    """The tar or zip of a resource, to the byte: `length`, `etag`, and `read(start, stop)` for any range of it.

    Every file is checked against its digest while it is read; a damaged one ends the stream.

    Raises:
        MunimentError: As `lay_out`.
    """
    found = _find(archive, id, layout, project, instance)
    laid = _lay(found, layout).with_book(archive.context.pieces)
    return PACKINGS[form](laid, seconds(found.created))


def export(
    archive: Archive,
    id: str,
    layout: str,
    target: str | os.PathLike[str],
    *,
    project: str | None = None,
    instance: str | int | None = None,
    serialised: PackageForm | None = None,
    progress: Progress = quiet,
) -> Exported:
    """Export a resource to a new folder, to a '.tar' or '.zip' where the name ends so, or as a tar to '-', the output.

    Written beside its place, read back and compared, given its name, and only then recorded as an event
    (where the archive can be written to). What goes to the standard output cannot be read back. From an
    archive behind a server it comes as a tar or a zip, which the server makes.

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
    form = serialised or _FORMS.get(place.suffix)
    if not isinstance(archive, LocalArchive):
        return _receive(archive, id, layout, name, project=project, instance=instance, form=form, progress=progress)
    found = _find(archive, id, layout, project, instance)
    laid = _lay(found, layout)
    sha256 = ""
    if name == STREAM:
        sha256 = write_stream(PackageTar(laid, seconds(found.created)), progress)
    elif form:
        sha256 = write_packed(PACKINGS[form](laid, seconds(found.created)), place, progress)
    else:
        write_folder(laid, place, progress)
    size = sum(member.size for member in laid.members)
    done = Exported(id, found.project, found.number, layout, name, len(laid.members), size, sha256)
    _record(archive, done)
    return done


def _receive(
    archive: Archive,
    id: str,
    layout: str,
    name: str,
    *,
    project: str | None,
    instance: str | int | None,
    form: PackageForm | None,
    progress: Progress,
) -> Exported:
    """Export from an archive that packs by itself."""
    found = archive.get(id, instance=instance, project=project)

    def fetch(write: Callable[[bytes], object]) -> tuple[int, str]:
        packed = form or "tar"
        return archive.export(id, layout, write, project=project, instance=instance, form=packed, progress=progress)

    sha256 = ""
    if name == STREAM:
        _, sha256 = fetch(sys.stdout.buffer.write)
        sys.stdout.buffer.flush()
    elif form:
        sha256 = receive_packed(fetch, Path(name))
    else:
        receive_folder(fetch, Path(name))
    return Exported(id, found.project, found.number, layout, name, None, None, sha256)


def _find(archive: LocalArchive, id: str, layout: str, project: str | None, instance: str | int | None) -> Instance:
    if layout not in LAYOUTS and layout not in brought(GROUP):
        raise UnknownLayout(layout=layout, known=", ".join(layouts()))
    found = archive.get(id, instance=instance, project=project)
    if layout == "ocfl" and found.number != found.head:
        raise BadInput(reason="the layout 'ocfl' holds every instance; leave the instance out, or use 'bag'")
    return found


def _lay(found: Instance, layout: str) -> LaidOutPackage:
    if layout in LAYOUTS:
        return LAYOUTS[layout](found)
    entry = brought(GROUP)[layout]
    function = load(entry, "layout")
    if not callable(function):
        raise broken(entry, "layout", f"{entry.value} cannot be called with an instance")
    try:
        laid = cast("Callable[[Instance], object]", function)(found)
    except MunimentError:
        raise
    except Exception as error:
        raise broken(entry, "layout", f"it ended with {type(error).__name__}: {error}") from error
    if not isinstance(laid, LaidOutPackage):
        raise broken(entry, "layout", f"{entry.value} gave {type(laid).__name__}, and no LaidOutPackage")
    return laid


def _record(archive: LocalArchive, done: Exported) -> None:
    if not archive.writable:
        return
    detail = {"layout": done.layout, "target": done.target, "files": done.files, "bytes": done.size}
    if done.sha256:
        detail["sha256"] = done.sha256
    archive.record_event("exporting", resource=done.id, project=done.project, instance=done.instance, detail=detail)

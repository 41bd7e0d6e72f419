"""What the commands do with an archive, whether its folder is here or it is behind a server.

Here the workflows do it; behind a server the server's own workflows do, and packages travel as tars.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from muniment.content import Finding, Progress, quiet
from muniment.errors.archive import OutputExists, SourceUnreadable
from muniment.workflows.migrate import Migrated

_CHUNK = 1 << 20
_BLOCK = 512


def behind_a_server(archive: Any) -> bool:
    """Whether an opened archive is one behind a server."""
    return getattr(archive, "behind_a_server", False) is True


def audit(archive: Any, id: str | None = None, project: str | None = None, **how: Any) -> Iterator[Finding]:
    """Audit an archive or one resource, and record that in its log.

    Raises:
        MunimentError: As `muniment.workflows.audit.run_audit`, or as the server says.
    """
    from muniment.workflows.audit import run_audit  # noqa: PLC0415 - loaded where it is used, as in the commands

    if not behind_a_server(archive):
        return run_audit(archive, id, project, **how)
    found: Iterator[Finding] = archive.audit(id, project=project, **how)
    return found


def export(
    archive: Any,
    id: str,
    layout: str,
    target: Path,
    *,
    project: str | None = None,
    instance: str | None = None,
    progress: Progress = quiet,
) -> None:
    """Export a resource to a new folder, a tar where the name ends in '.tar', or the standard output as '-'.

    Raises:
        OutputExists: There is something at `target`.
        MunimentError: As `muniment.workflows.export.export`, or as the server says; nothing is left.
    """
    from muniment.workflows.export import export as run  # noqa: PLC0415 - as in `audit`

    if not behind_a_server(archive):
        run(archive, id, layout, target, project=project, instance=instance, progress=progress)
        return
    given: dict[str, Any] = {"project": project, "instance": instance, "progress": progress}
    if str(target) == "-":
        archive.export(id, layout, sys.stdout.buffer.write, **given)
        return
    if os.path.lexists(target):
        raise OutputExists(path=target)
    part = target.absolute().parent / f".{target.name[:200]}.{secrets.token_hex(4)}.part"
    try:
        with part.open("xb") as file:
            archive.export(id, layout, file.write, **given)
            file.flush()
            os.fsync(file.fileno())
        if target.suffix == ".tar":
            part.rename(target)
        else:
            _unpack(part, target)
    finally:
        part.unlink(missing_ok=True)


def take_in(
    archive: Any,
    path: Path,
    *,
    id: str | None = None,
    project: str | None = None,
    notice: Callable[[Finding], None] | None = None,
    progress: Progress = quiet,
) -> list[str]:
    """Import a package, a folder or a tar, as new resources; returns their ids.

    Raises:
        MunimentError: As `muniment.workflows.imports.import_package`, or as the server says; nothing was taken in.
    """
    from muniment.workflows import imports  # noqa: PLC0415 - as in `audit`

    if not behind_a_server(archive):
        return imports.import_package(
            archive, path, id=id, project=project, notice=notice or imports.ignore, progress=progress
        )
    taken: list[str] = archive.take_in(_tar_of(path), id=id, project=project, notice=notice)
    return taken


def migrate(
    source: Any, target: Any, ids: Iterable[str] | None = None, *, merge: bool = False, progress: Progress = quiet
) -> list[Migrated]:
    """Copy resources to another archive, whole or merged.

    Where one of them is behind a server they travel as packages with their whole history, judged before they
    become visible; a resource that the target has already is left alone if its instances are the same. Merged
    into an archive behind a server they travel file by file, in one transaction for each resource.

    Raises:
        MunimentError: As `muniment.workflows.migrate.migrate`, or as a server says.
    """
    from muniment.workflows.migrate import migrate as run  # noqa: PLC0415 - as in `audit`

    if not behind_a_server(target) and (merge or not behind_a_server(source)):
        return run(source, target, ids, merge=merge, progress=progress)
    chosen = (
        [(item.project, item.id) for item in source.resources()]
        if ids is None
        else [
            (source.get(id).project, id)
            for id in ids  # noqa: A001 - the domain's word
        ]
    )
    done = []
    for project, id in chosen:  # noqa: A001 - as above
        done.append((_merge if merge else _carry)(source, target, project, id, progress))
        progress("resources", len(done), len(chosen))
    return done


def _carry(source: Any, target: Any, project: str, id: str, progress: Progress) -> Migrated:
    from muniment.errors.exchange import ResourceDiffers  # noqa: PLC0415 - as in `audit`

    history = [item.instance for item in source.history(id, project)]
    if target.exists(id, project):
        if [item.instance for item in target.history(id, project)] != history:
            raise ResourceDiffers(target=target.path, id=id, reason="its instances are others")
        return Migrated(id, project, len(history), copied=False)
    with tempfile.TemporaryDirectory(prefix="muniment-") as folder:
        package = Path(folder) / "package.tar"
        export(source, id, "instances", package, project=project, progress=progress)
        take_in(target, package, id=id, project=project, progress=progress)
    return Migrated(id, project, len(history), copied=True)


def _merge(source: Any, target: Any, project: str, id: str, progress: Progress) -> Migrated:
    from muniment.errors.exchange import ResourceDiffers  # noqa: PLC0415 - as in `audit`
    from muniment.workflows.migrate import origin  # noqa: PLC0415 - as in `audit`

    history = source.history(id, project)
    newest = history[-1]
    provenance = [origin(source, instance) for instance in history]
    if target.exists(id, project):
        there = target.history(id, project)
        if len(there) != 1 or there[0].provenance != provenance:
            raise ResourceDiffers(target=target.path, id=id, reason="it is not what these instances were merged into")
        return Migrated(id, project, 1, copied=False)
    message = f"Merged from {len(history)} instances of archive {source.config.id}"
    with target.new(id, project, message=message) as transaction:
        transaction.metadata.update(newest.metadata)
        transaction.provenance[:] = provenance
        for count, entry in enumerate(newest.files(), 1):
            with newest.open(entry.path) as file:
                transaction.add(file, entry.path, digests=dict(entry.digests), modified=entry.modified)
            progress("files", count, len(newest))
        transaction.note_links(newest.record.get("links", {}), newest.record.get("folders", []))
    return Migrated(id, project, 1, copied=True)


def _unpack(package: Path, target: Path) -> None:
    """Unpack a package's one top folder under another name, whole or not at all."""
    fresh = target.absolute().parent / f".{target.name[:200]}.{secrets.token_hex(4)}"
    fresh.mkdir()
    try:
        with tarfile.open(package) as tar:
            tar.extractall(fresh, filter="data")
        (inside,) = fresh.iterdir()
        if os.path.lexists(target):
            raise OutputExists(path=target)
        inside.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _tar_of(path: Path) -> Iterator[bytes]:
    """A package as a tar: the file as it is, or a folder laid out while it is sent.

    Raises:
        SourceUnreadable: It cannot be read.
    """
    try:
        if not path.is_dir():
            yield from _pieces(path)
            return
        top = path.resolve().name or "package"
        for place in sorted(path.rglob("*")):
            name = f"{top}/{place.relative_to(path)}"
            status = place.lstat()
            info = tarfile.TarInfo(name)
            info.mtime = int(status.st_mtime)
            if place.is_symlink():
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(place)  # noqa: PTH115 - as it says, not resolved
            elif place.is_dir():
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = status.st_size
            yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            if info.isreg():
                yield from _pieces(place)
                yield bytes(-info.size % _BLOCK)
        yield bytes(2 * _BLOCK)
    except OSError as error:
        raise SourceUnreadable(path=error.filename or path, reason=error.strerror or str(error)) from error


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_CHUNK):
            yield piece

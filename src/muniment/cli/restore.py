"""The commands `restore` and `drill`: what is in a store, made again where the archive is gone."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import note, print_json, refuse_address, refuse_inside, say, size_text
from muniment.cli.instances import chosen, offer_paths
from muniment.cli.options import AtOption, Json, OptionalId, ProjectOption
from muniment.cli.stores import copying
from muniment.errors.base import EXIT_FINDINGS, BadInput

if TYPE_CHECKING:
    from muniment.cli.context import Context
    from muniment.stores import Store
    from muniment.workflows.copies.restoring import Restored


def restore(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder, or one where it was begun.")
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STORE",
            help="A store's name or, where the archive is gone, its address; without it the archive itself.",
        ),
    ] = None,
    id: OptionalId = None,
    path: Annotated[
        str | None,
        typer.Argument(metavar="[FOLDER]", help="Only this folder, from the archive.", autocompletion=offer_paths),
    ] = None,
    at: AtOption = None,
    project: ProjectOption = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="Credentials for an address, as `store add` takes them."),
    ] = None,
    parity: Annotated[bool, typer.Option(help="Make parity for what was restored.")] = True,
    as_json: Json = False,
) -> None:
    """Make the archive again from one store alone, or the OCFL object of one resource; exit 1 when something lacks.

    Run again, it goes on where it was. Without --from, the files of a resource or of a folder in it come from the
    archive, as they were at a time if one is given.
    """
    if source is None:
        _restore_files(context, output, id, path, at, project)
        return
    refuse_address(output)
    if at is not None or path is not None:
        raise BadInput(reason="--at and a folder are for what comes from the archive itself: leave out --from")
    from muniment.workflows.copies.registry import read_keys
    from muniment.workflows.copies.restoring import restore_archive, restore_resource

    shared: Context = context.obj
    shared.interrupted = f"what was restored stays in {output}; the same command goes on"
    # Beside what is restored: a tar that is on its way may be larger than the machine's temporary folder.
    beside = next(each for each in output.absolute().parents if each.is_dir())
    with tempfile.TemporaryDirectory(prefix=".muniment-restore-", dir=beside) as folder, shared.progress() as progress:
        total = 0

        def watch(size: int) -> None:
            nonlocal total
            total += size
            progress("restoring", total, None, size=total)

        store = _opened(context, source, read_keys(keys) if keys else {}, Path(folder))
        if id is None:
            done = restore_archive(store, output, Path(folder), watch)
            if parity:
                _protect(done)
        else:
            done = restore_resource(store, output, id, project, output / ".restoring", watch)
            _remove(output / ".restoring")
    _tell(done, as_json=as_json)


def _restore_files(
    context: typer.Context, output: Path, id: str | None, path: str | None, at: str | None, project: str | None
) -> None:
    """The files of a resource, or of a folder in it, as they are or were."""
    from muniment.cli.read import bring_out

    if id is None:
        raise BadInput(reason="name a resource, or --from STORE for the whole archive")
    shared: Context = context.obj
    with shared.archive() as archive, shared.progress() as progress:
        refuse_inside(archive, output)
        bring_out(chosen(archive, id, at=at, project=project), (path or "").strip("/"), output, progress)


def _opened(context: typer.Context, source: str, keys: Mapping[str, str], folder: Path) -> Store:
    """The store that was named: by its address, or by its name in the archive's control database."""
    from muniment.stores import open_store

    if "/" in source or Path(source).is_dir():
        return open_store(source, keys=keys, records=folder / "records", scratch=folder, make=False)
    with copying(context) as service:
        return service.registry.open(source)


def _protect(done: Restored) -> None:
    """Parity is not copied: it is made of what was restored."""
    from muniment import Archive
    from muniment.errors.base import MunimentError

    with Archive(done.target) as archive:
        for found in archive.resources():
            try:
                archive.protect(found.id, found.project)
            except MunimentError as error:  # of a resource that is not whole there is none
                done.lacking[f"parity of {found.id}"] = error.message


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _tell(done: Restored, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "target": str(done.target),
                "instances": done.instances,
                "objects": len(done.objects),
                "bytes": done.size,
                "lacking": done.lacking,
            }
        )
    else:
        say(f"{done.target}: {done.instances} instances of {len(done.objects)} resources, {size_text(done.size)} read")
        for what, reason in done.lacking.items():
            typer.echo(f"  lacks: {what}: {reason}")
    if done.lacking:
        note("what lacks may be in another store, and resources come back one by one: `muniment restore ID --from …`")
        raise typer.Exit(EXIT_FINDINGS)

"""Commands that carry packages in and out: `export`, `import`, `migrate`."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import note, print_json, refuse_inside, say
from muniment.cli.options import Id, InstanceOption, Json, ProjectOption

if TYPE_CHECKING:
    from muniment.cli.context import Context
    from muniment.content import Finding

_PACKED = frozenset({".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z"})


def _layouts(incomplete: str) -> list[str]:
    """The layouts that begin so, for a shell that completes words; those of other packages, too."""
    from muniment.workflows.export import layouts

    return [name for name in layouts() if name.startswith(incomplete)]


def export(
    context: typer.Context,
    id: Id,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="A new folder, or a .tar or .zip.")],
    layout: Annotated[
        str,
        typer.Option(
            help="bag or ro-crate (one instance), instances or ocfl (the whole history).", autocompletion=_layouts
        ),
    ] = "bag",
    instance: InstanceOption = None,
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Carry a resource out as a package that is checked after it was written."""
    from muniment.workflows.export import export as run

    shared: Context = context.obj
    with shared.archive() as archive, shared.progress() as progress:
        refuse_inside(archive, output)
        _refuse_packed(output)
        shared.interrupted = f"{output} is there whole, or not at all"
        run(archive, id, layout, output, project=project, instance=instance, progress=progress)
        if as_json:
            print_json({"id": id, "layout": layout, "path": str(output)})
        else:
            say(str(output))


def import_(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A bag, an OCFL object or root, or an RO-Crate; a folder, tar or zip.")],
    id: Annotated[str | None, typer.Option("--id", help="The id to give it, if not its own.")] = None,
    project: ProjectOption = None,
    staged: Annotated[
        bool,
        typer.Option("--staged", help="Make an OCFL object's staged changes (0005) its newest instance."),
    ] = False,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Fetch what a bag's fetch.txt lists and the bag does not hold."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Take a package in, after checking it whole."""
    from muniment.workflows.imports import import_package

    shared: Context = context.obj
    with contextlib.ExitStack() as stack:
        archive, progress = stack.enter_context(shared.archive()), stack.enter_context(shared.progress())
        session = stack.enter_context(shared.app().session()) if complete else None
        notices: list[Finding] = []
        shared.interrupted = "nothing was taken in, unless the log (`muniment events`) says that it was"
        imported = import_package(
            archive,
            path,
            id=id,
            project=project,
            staged=staged,
            completing=session,
            notice=notices.append,
            progress=progress,
        )
        if as_json:
            print_json({"ids": imported, "notices": [finding.as_json() for finding in notices]})
        else:
            for finding in notices:
                note(f"{finding.severity} {finding.code}: {finding.message}")
            for resource in imported:
                typer.echo(resource)


def migrate(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="The archive to copy to: a folder, a server's URL, or s3://….")],
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Resources; without any, all.")] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Collapse each resource's instances into one.")] = False,
    as_json: Json = False,
) -> None:
    """Copy resources to another archive, verified before they are published there."""
    from muniment.workflows.migrate import migrate as run

    shared: Context = context.obj
    with shared.archive() as archive, shared.opening().open(target) as other, shared.progress() as progress:
        shared.interrupted = "what was copied stays; the same command goes on"
        copied = list(run(archive, other, ids or None, merge=merge, progress=progress))
        if as_json:
            print_json({"copied": [asdict(item) for item in copied]})
        else:
            for item in copied:
                say(f"{item.id}  {'copied' if item.copied else 'was there already'}")


def _refuse_packed(output: Path) -> None:
    """A folder called `letters.zip` is what nobody meant."""
    if output.suffix.lower() in _PACKED:
        from muniment.errors.base import BadInput

        raise BadInput(reason=f"{output} would be a folder: name a new folder, or a file that ends in .tar or .zip")

"""Commands of the Distillery: preview, run, follow, audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muniment.cli.context import note, print_json, size_text
from muniment.cli.options import Json
from muniment.errors.base import EXIT_FINDINGS

if TYPE_CHECKING:
    from muniment.doors.distillery.context import DistilleryContext
    from muniment.doors.distillery.preview import Preview

distill = typer.Typer(
    help="Bring folders of scans to tape, cloud, access pages and the catalogue.", no_args_is_help=True
)
settings = typer.Typer(help="The Distillery's settings.", no_args_is_help=True)
distill.add_typer(settings, name="settings")

Collection = Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's id, as ArchivesSpace has it.")]
To = Annotated[
    list[str] | None, typer.Option("--to", metavar="onsite,cloud,access", help="Where to; all that is set up, if none.")
]


@distill.command()
def preview(context: typer.Context, collection: Collection, to: To = None, as_json: Json = False) -> None:
    """Show what a run would do and all that is in its way. Nothing is changed anywhere.

    The exit status is 1 when something is in the way.
    """
    from muniment.doors.distillery.preview import preview as look

    given = _given(context)
    seen = look(given, collection, _destinations(given, to))
    if as_json:
        print_json(seen.document())
    else:
        _print(seen)
    if not seen.clean:
        raise typer.Exit(EXIT_FINDINGS)


@settings.command("import")
def import_settings(
    original: Annotated[Path, typer.Argument(metavar="SETTINGS.INI", help="The original Distillery's settings.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The TOML file to write.")] = Path(
        "distillery.toml"
    ),
) -> None:
    """Make settings of the original Distillery's settings.ini, and of the users.csv beside it."""
    from muniment.doors.distillery.original_settings import import_settings as convert

    made = convert(original, output)
    typer.echo(f"{made.path}")
    for place in made.secrets:
        note(f"a credential is in {place}, which only you can read")
    for name in made.left_out:
        note(f"{name} has no counterpart and was left out")
    note(f"set MUNIMENT_DISTILLERY={made.path.absolute()}")


def _given(context: typer.Context) -> DistilleryContext:
    given: DistilleryContext = _background(context).distillery
    return given


def _background(context: typer.Context) -> Any:
    from muniment.app.background import BackgroundServices

    return BackgroundServices(context.obj.app())


def _destinations(given: DistilleryContext, to: list[str] | None) -> Any:
    from muniment.doors.distillery.preview import destinations_of

    return destinations_of(to or given.settings.destinations)


def _print(seen: Preview) -> None:
    typer.echo(f"{seen.collection}  {seen.title or '(not found)'}  to {', '.join(seen.destinations)}")
    for folder in seen.folders:
        pages = f", {folder.pages} pages" if folder.pages > folder.images else ""
        typer.echo(
            f"  {folder.folder}  {folder.title or folder.component_id or '?'}  "
            f"{folder.images} images{pages}, {size_text(folder.bytes)}"
        )
    for store in seen.stores:
        room = "" if store.free is None else f", {size_text(store.free)} free"
        typer.echo(f"  {store.destination}: {store.address}{f', tape {store.tape}' if store.tape else ''}{room}")
    for change in seen.changes:
        typer.echo(f"  {change}")
    for problem in seen.problems:
        where = "/".join(word for word in (problem.folder, problem.file) if word)
        said = f"{problem.text.rstrip('.')}. {problem.way_out}".rstrip()
        typer.echo(f"{problem.severity}: {f'{where}: ' if where else ''}{said}")
    typer.echo(f"{len(seen.ready)} of {len(seen.folders)} folders are ready")

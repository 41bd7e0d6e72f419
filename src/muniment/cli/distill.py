"""Commands of the Distillery: preview, run, follow, audit."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muniment.cli.context import note, print_json, size_text
from muniment.cli.options import Json
from muniment.errors.base import EXIT_FINDINGS

if TYPE_CHECKING:
    from muniment.doors.distillery.batches import Line
    from muniment.doors.distillery.context import DistilleryContext
    from muniment.doors.distillery.preview import Preview

distill = typer.Typer(
    help="Bring folders of scans to tape, cloud, access pages and the catalogue.", no_args_is_help=True
)
settings = typer.Typer(help="The Distillery's settings.", no_args_is_help=True)
distill.add_typer(settings, name="settings")

Collection = Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's id, as ArchivesSpace has it.")]
Batch = Annotated[str, typer.Argument(metavar="BATCH", help="The batch, as `distill batches` lists it.")]
_LOOK_EVERY = 0.3

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


@distill.command()
def run(
    context: typer.Context,
    collection: Collection,
    to: To = None,
    partly: Annotated[
        bool, typer.Option("--ready", help="Run the folders that are ready, and leave the others.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Do it here, show the log, and return when it is done.")] = False,
    as_json: Json = False,
) -> None:
    """Make, send, verify and record what is in a collection's folder of scans.

    What has been done before is not done again; what broke off goes on. With --wait the exit status is 1 when
    something was not done.
    """
    from muniment.doors.distillery.requests import batch_document, find_batch, run_collection

    background = _background(context)
    given: DistilleryContext = background.distillery
    destinations = _destinations(given, to)
    job = run_collection(given, collection, destinations, requester="the command line", partly=partly)
    if not wait:
        if as_json:
            print_json(batch_document(job))
        else:
            typer.echo(job.id)
            note(f"follow it with `muniment distill log {job.id} --follow`; `muniment work` or `serve` does it")
        return
    engine = background.local_engine()
    engine.start()
    try:
        _follow(given, job.id, quiet=as_json)
    finally:
        engine.stop()
    ended = find_batch(given, job.id)
    if as_json:
        print_json(batch_document(ended))
    else:
        typer.echo(job.id)
    if ended.state != "done":
        raise typer.Exit(EXIT_FINDINGS)


@distill.command()
def log(
    context: typer.Context,
    batch: Batch,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the batch has ended.")] = False,
    after: Annotated[int, typer.Option(metavar="N", help="Only the lines after this number.")] = 0,
    as_json: Json = False,
) -> None:
    """Show the log of a batch, from its first line."""
    from muniment.doors.distillery.requests import find_batch

    given = _given(context)
    find_batch(given, batch)
    if follow:
        _follow(given, batch, after=after)
        return
    lines = given.batches.log(batch, after)
    if as_json:
        print_json([asdict(each) for each in lines])
        return
    for each in lines:
        typer.echo(_line(each))


@distill.command("batches")
def list_batches(context: typer.Context, as_json: Json = False) -> None:
    """List the batches that were run, the newest first."""
    from muniment.doors.distillery.requests import batch_document, batches

    found = [batch_document(job) for job in batches(_given(context))]
    if as_json:
        print_json(found)
        return
    for each in found:
        typer.echo(f"{each['batch']}  {each['collection']}  to {', '.join(each['to'])}  {each['state']}")


@distill.command()
def pause(context: typer.Context, batch: Batch) -> None:
    """Begin nothing more of a batch until `distill resume`; what is being done is done to its end."""
    from muniment.doors.distillery.requests import pause_batch

    job = pause_batch(_given(context), batch, by="the command line")
    note(f"{job.id}: {'paused' if job.paused and not job.ended else job.state}")


@distill.command()
def resume(context: typer.Context, batch: Batch) -> None:
    """Let a batch that was paused go on."""
    from muniment.doors.distillery.requests import resume_batch

    job = resume_batch(_given(context), batch, by="the command line")
    note(f"{job.id}: {job.state}")


@distill.command()
def audit(context: typer.Context, batch: Batch, as_json: Json = False) -> None:
    """Compare the log, archive, stores, access copies and ArchivesSpace with what a batch did, by digests.

    The exit status is 1 when something differs, or could not be told.
    """
    from muniment.doors.distillery.audit import audit as compare

    differences = list(compare(_given(context), batch))
    if as_json:
        print_json([asdict(each) for each in differences])
    else:
        for each in differences:
            typer.echo(f"{each.kind}  {each.where}  {each.what}  {each.text}")
        note(f"{len(differences)} differences" if differences else "everything is as the batch left it")
    if differences:
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


def _follow(given: DistilleryContext, batch: str, *, after: int = 0, quiet: bool = False) -> None:
    """Show the lines of a log as they come, until its batch has ended."""
    while True:
        ended = given.ledger.job(batch).ended
        for each in given.batches.log(batch, after):
            after = each.number
            if not quiet:
                typer.echo(_line(each))
        if ended:
            return
        time.sleep(_LOOK_EVERY)


def _line(line: Line) -> str:
    at = datetime.fromtimestamp(line.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    where = f"{line.folder}: " if line.folder else ""
    mark = "" if line.kind == "info" else f"{line.kind}: "
    return f"{line.number:>4}  {at}  {mark}{where}{line.text}"


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
        typer.echo(f"{problem.severity}: {f'{where}: ' if where else ''}{problem.said}")
    typer.echo(f"{len(seen.ready)} of {len(seen.folders)} folders are ready")

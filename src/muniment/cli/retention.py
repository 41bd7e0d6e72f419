"""Commands of retention: how long resources are kept, whatever anybody wants."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import note, print_json
from muniment.cli.options import Id, Json, ProjectOption
from muniment.cli.stores import copying

if TYPE_CHECKING:
    from muniment.content.locks import LockMode
    from muniment.workflows.copies.retention import Retention
    from muniment.workflows.copies.service import CopyService

retention = typer.Typer(help="How long resources are kept, and no purge before.", no_args_is_help=True)

Until = Annotated[
    str, typer.Option("--until", metavar="DATE", help="A date or time, or a length such as 10y from now.")
]


@retention.command("set")
def set_retention(
    context: typer.Context,
    id: Id,
    until: Until,
    mode: Annotated[
        str, typer.Option(metavar="governance|compliance", help="In compliance it is never shortened.")
    ] = "governance",
    hold: Annotated[
        bool | None,
        typer.Option("--hold/--no-hold", help="A legal hold: kept until that is lifted. By default it stays as it is."),
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Keep a resource until then, in the archive and in stores that have locks."""
    from muniment.errors.base import BadInput
    from muniment.workflows.copies.retention import Retention, Retentions

    if mode not in {"governance", "compliance"}:
        raise BadInput(reason=f"there is no mode {mode!r}; there are governance and compliance")
    with copying(context) as service:
        place = service.archive.instance(id, project=project).project
        strict: LockMode = "compliance" if mode == "compliance" else "governance"
        known = Retentions(service.table.database).get(place, id)
        held = hold if hold is not None else known is not None and known.hold
        _keep(service, Retention(place, id, strict, _time(service, until), held))


@retention.command()
def extend(context: typer.Context, id: Id, until: Until, project: ProjectOption = None) -> None:
    """Keep a resource longer, in the mode it is in."""
    from muniment.errors.base import BadInput
    from muniment.workflows.copies.retention import Retentions

    with copying(context) as service:
        place = service.archive.instance(id, project=project).project
        known = Retentions(service.table.database).get(place, id)
        if known is None:
            raise BadInput(reason=f"{id!r} is under no retention; set one")
        at = _time(service, until)
        if at <= known.until_at:
            raise BadInput(reason=f"it is kept until {known.until} already")
        _keep(service, replace(known, until_at=at))


@retention.command("shorten")
def shorten_retention(
    context: typer.Context,
    id: Id,
    until: Until,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the log.")],
    project: ProjectOption = None,
) -> None:
    """Let a retention in governance end earlier, in the archive and in stores that have locks; never in compliance."""
    from muniment.workflows.copies.retention import shorten

    with copying(context) as service:
        kept, left = shorten(service, id, project, _time(service, until), reason)
    note(f"{id} is kept until {kept.until} ({kept.mode})")
    for store, why in left.items():
        note(f"its copy in {store} stays locked: {why}")


@retention.command("hold")
def hold_resource(context: typer.Context, id: Id, project: ProjectOption = None) -> None:
    """Put a legal hold on a resource, in the archive and in stores that have locks: kept until it is released."""
    _hold(context, id, project, hold=True)


@retention.command("release")
def release_resource(context: typer.Context, id: Id, project: ProjectOption = None) -> None:
    """Lift the legal hold on a resource; until when it is kept stays as it is."""
    _hold(context, id, project, hold=False)


@retention.command("list")
def list_retentions(
    context: typer.Context,
    expiring: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what ends within that time, such as 90d.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List what is under retention, the first to end first."""
    from muniment.content.durations import parse_duration
    from muniment.workflows.copies.retention import Retentions

    with copying(context) as service:
        retentions = Retentions(service.table.database)
        found = retentions.all(ending_before=service.table.now() + parse_duration(expiring) if expiring else None)
    if as_json:
        names = ("project", "resource", "mode", "until", "hold")
        print_json([{name: getattr(each, name) for name in names} for each in found])
        return
    for each in found:
        typer.echo(f"{each.until}  {each.mode:<10}  {each.resource}{'  on hold' if each.hold else ''}")


def _hold(context: typer.Context, id: str, project: str | None, *, hold: bool) -> None:
    from muniment.errors.base import BadInput
    from muniment.workflows.copies.retention import Retention, Retentions, lock_copies

    with copying(context) as service:
        place = service.archive.instance(id, project=project).project
        book = Retentions(service.table.database)
        known = book.get(place, id)
        if known is None and not hold:
            raise BadInput(reason=f"there is no legal hold on {id!r}")
        wanted = replace(known or Retention(place, id, "governance", service.table.now()), hold=hold)
        book.set(service.archive, wanted)
        left = lock_copies(service, wanted)
    note(f"the legal hold on {id} is {'set' if hold else 'lifted'}")
    for store, reason in left.items():
        note(f"its copy in {store} is as it was: {reason}")


def _keep(service: CopyService, wanted: Retention) -> None:
    from muniment.workflows.copies.retention import Retentions, lock_copies

    Retentions(service.table.database).set(service.archive, wanted)
    left = lock_copies(service, wanted)
    note(f"{wanted.resource} is kept until {wanted.until} ({wanted.mode})")
    for store, reason in left.items():
        note(f"its copy in {store} is not locked: {reason}")


def _time(service: CopyService, text: str) -> float:
    from muniment.workflows.copies.retention import time_of

    return time_of(text, service.table.now())

"""Commands of stores: know them, try them, and forget them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import note, print_json, size_text
from muniment.cli.options import Json
from muniment.errors.base import EXIT_FINDINGS

if TYPE_CHECKING:
    from muniment.workflows.copies.registry import StoreRecord
    from muniment.workflows.copies.service import CopyService

store = typer.Typer(
    help="The places where copies go: folders, S3, LTFS tapes, remotes of rclone.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the store is called here.")]


@contextlib.contextmanager
def copying(context: typer.Context) -> Iterator[CopyService]:
    """The copies of the archive, for the length of a command.

    Raises:
        MunimentError: The archive or the control database cannot be opened.
    """
    from muniment.app.background import BackgroundServices

    working = BackgroundServices(context.obj.app())
    try:
        yield working.copy_service()
    finally:
        working.close()


@store.command()
def add(
    context: typer.Context,
    name: Name,
    url: Annotated[
        str,
        typer.Argument(
            help="A folder, s3://bucket/prefix?endpoint=…, ltfs:///mnt/tape, ltfs://user@host/mnt/tape, "
            "rclone://remote/path."
        ),
    ],
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="Credentials, as `name = value` lines (mode 600); kept sealed."),
    ] = None,
    request_price: Annotated[float, typer.Option(min=0.0, help="What a thousand requests cost.")] = 0.0,
    read_price: Annotated[float, typer.Option(min=0.0, help="What a gigabyte read costs.")] = 0.0,
) -> None:
    """Know a store from now on. It gets a mark, by which it is told from others that come to its place."""
    from muniment.workflows.copies.registry import read_keys

    with copying(context) as service:
        known = service.registry.add(
            name,
            url,
            read_keys(keys) if keys else None,
            request_price=request_price,
            read_price=read_price,
            by=str(context.obj.app().agent()),
        )
    note(f"{name} is known; it is the store {known.id}")


@store.command("test")
def try_store(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Find out whether a store can be used: put something small, read it back, and take it away again."""
    from muniment.workflows.copies import trials

    with copying(context) as service:
        steps = {each.step: each for each in trials.try_store(service, name)}
        for each in steps.values():
            if each.error is not None:
                raise each.error
        tried = steps["written"].state == "ok"
        opened = service.registry.open(name)
        capacity = opened.capacity()
        able = asdict(opened.capabilities)
    if as_json:
        found = {"name": name, "written": tried, "capabilities": able, "free": capacity.free if capacity else None}
        print_json(found)
        return
    typer.echo(f"{name}: {'wrote, read back and removed' if tried else 'it can be used; nothing was written'}")
    typer.echo(f"  can: {', '.join(key for key, value in able.items() if value) or 'no more than every store'}")
    if capacity is not None:
        typer.echo(f"  free: {size_text(capacity.free)} of {size_text(capacity.total)}")


@store.command("ls")
def ls(context: typer.Context, as_json: Json = False) -> None:
    """List the stores, with how many copies each holds and is owed."""
    with copying(context) as service:
        known, counts = service.registry.all(), service.table.counts()
    rows = [_row(each, counts) for each in known]
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        bad = f", {row.damaged} damaged" if row.damaged else ""
        held = f"{row.copies} copies, {size_text(row.bytes)}, {row.owed} owed{bad}"
        typer.echo(f"{row.name}  {row.address}  {held}  {row.trouble}".rstrip())


@dataclass(frozen=True, slots=True)
class StoreLine:
    """A store, with how many copies it holds, how many bytes, and how many are owed or damaged."""

    name: str
    id: str
    address: str
    copies: int
    bytes: int
    owed: int
    damaged: int
    trouble: str


def _row(known: StoreRecord, counts: Mapping[tuple[str, str], tuple[int, int]]) -> StoreLine:
    made, size = counts.get((known.name, "made"), (0, 0))
    owed, damaged = (counts.get((known.name, state), (0, 0))[0] for state in ("owed", "damaged"))
    return StoreLine(known.name, known.id, known.address, made, size, owed, damaged, known.reason)


@store.command("continue")
def continue_log(context: typer.Context, name: Name) -> None:
    """Go on with a store whose log has another history than this archive, as after a restore. Both logs stay there."""
    from muniment.workflows.copies.log_segments import begin_log_again

    with copying(context) as service:
        newest = begin_log_again(service.archive, service.registry.open(name), name)
        service.registry.note(name, logged=newest, reason="")
    note(f"{name} holds this archive's log up to event {newest}")


@store.command()
def seals(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """List the daily seals of the log in a store, and compare them with the log; exit 1 where one does not fit."""
    from muniment.workflows.copies.seals import broken_seals, seals_of

    with copying(context) as service:
        opened = service.registry.open(name)
        found = dict(seals_of(opened))
        broken = broken_seals(service.archive, opened)
    rows = [
        {
            "key": key,
            "day": "" if isinstance(seal, str) else seal.day,
            "head": "" if isinstance(seal, str) else str(seal.head),
            "fits": key not in broken,
            "reason": broken.get(key, ""),
        }
        for key, seal in found.items()
    ]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            typer.echo(f"{row['day'] or row['key']}  {row['head']}  {row['reason'] or 'fits the log'}")
    if broken:
        raise typer.Exit(EXIT_FINDINGS)


@store.command()
def forget(
    context: typer.Context,
    name: Name,
    with_copies: Annotated[bool, typer.Option("--forget", help="Also when it holds copies.")] = False,
) -> None:
    """Know a store no more. What it holds stays there, and it can be added again."""
    with copying(context) as service:
        service.registry.forget(name, with_copies=with_copies)
    note(f"{name} is forgotten; what it holds was not touched")

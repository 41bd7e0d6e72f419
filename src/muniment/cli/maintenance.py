"""Commands for keepers: make an archive, recover, purge, rebuild the index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import Context, note, print_json, refuse_address, say
from muniment.cli.keys import administrator_key
from muniment.cli.options import Id, Json, ProjectOption
from muniment.errors.base import BadInput

if TYPE_CHECKING:
    from muniment.app import ArchiveOpener


def init(
    context: typer.Context,
    folder: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="Its folder, if not named by --archive.", show_default=False)
    ] = None,
    mode: Annotated[str, typer.Option(help="dynamic, preservation or worm.")] = "preservation",
    digest: Annotated[
        list[str] | None,
        typer.Option(help="Digests to record, the first for OCFL; repeat it. Default: sha512 and sha256."),
    ] = None,
    redundancy: Annotated[int, typer.Option(metavar="PERCENT", help="Parity in percent; 0 for none.")] = 5,
    project: Annotated[str, typer.Option(metavar="ORG/PROJECT", help="Where resources go by default.")] = "main/main",
    lock: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="In a bucket in worm mode: how each key is locked, as 'compliance 10y'.",
            show_default=False,
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Make a new archive in a new or empty folder, or in a bucket."""
    from muniment.archive import Archive
    from muniment.content.extras import installed

    if folder is not None:
        context.obj.name(folder)
    digests = tuple(digest) if digest else ("sha512", "sha256")
    if context.obj.opening().in_bucket:
        _init_bucket(context.obj.opening(), mode, digests, project, lock, as_json=as_json)
        return
    if lock:
        from muniment.app.archive import NO_LOCK

        raise BadInput(reason=NO_LOCK)
    serves = installed("server")
    app = context.obj.app() if serves else context.obj.opening()
    if serves and app.settings.ledger is not None and "://" in app.settings.ledger:
        app.database()  # before anything is made, for its tables may be missing
    with Archive.init(
        app.place(),
        mode=mode,
        digests=digests,
        redundancy=redundancy,
        project=project,
        state=app.settings.state,
    ) as archive:
        made = administrator_key(app) if serves else None
        if as_json:
            described = {"path": str(archive.path), "id": archive.config.id, "mode": archive.config.mode}
            print_json({**described, "administrator_key": made.text if made else None})
            return
        say(f"{archive.path} is an archive now, in {archive.config.mode} mode.")
        if made:
            typer.echo(f"Its administrator's key for access over HTTP, shown only this once:\n\n    {made.text}\n")
        elif serves:
            say("The keys that were in its control database stay; `muniment key renew` gives one a new secret.")


def _init_bucket(
    opening: ArchiveOpener, mode: str, digests: tuple[str, ...], project: str, lock: str, *, as_json: bool
) -> None:
    from muniment.app.bucket import BucketArchive, keys_at, state_of_buckets

    settings = opening.settings
    keys, state = keys_at(str(settings.archive)), state_of_buckets(settings.state)
    with BucketArchive.make(
        keys, state, mode=mode, digests=digests, project=project, lock=lock, agent=opening.agent()
    ) as archive:
        advice = [f"of the bucket: {each.text}" for each in archive.bucket_faults()]
        if as_json:
            print_json({"path": archive.path, "id": archive.config.id, "mode": archive.config.mode, "advice": advice})
            return
        locked = f", each key locked: {archive.config.lock}" if archive.config.lock else ""
        typer.echo(f"{archive.path} is an archive now, in {archive.config.mode} mode{locked}.")
        for each in advice:
            note(each)


def mirror(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New, or a mirror of the same archive.")],
    as_json: Json = False,
) -> None:
    """Make a folder from an archive in a bucket, or bring one up to date: a valid archive at every moment."""
    from muniment.archive import BucketArchive

    refuse_address(folder)
    with context.obj.archive() as archive, context.obj.progress() as progress:
        if not isinstance(archive, BucketArchive):
            reason = (
                "only an archive in a bucket (--archive s3://…) is mirrored; of others make copies (`muniment copies`)"
            )
            raise BadInput(reason=reason)
        came = archive.mirror(folder, progress=progress)
        if as_json:
            print_json({"folder": str(folder), "files": came})
            return
        typer.echo(f"{folder} is as the bucket is; {came} file{'s' * (came != 1)} came.")


def recover(
    context: typer.Context,
    replay: Annotated[
        list[str] | None, typer.Option(metavar="TRANSACTION", help="Commit it with what it had stored.")
    ] = None,
    rollback: Annotated[
        list[str] | None, typer.Option(metavar="TRANSACTION", help="Remove it with what it had stored.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Finish what a crash left, and list unfinished transactions or close them."""
    with context.obj.opening().archive() as archive:
        done = [event.as_json() for event in archive.recovered]
        replayed = [str(archive.replay(transaction)) for transaction in replay or ()]
        for transaction in rollback or ():
            archive.roll_back(transaction)
        left = archive.leftovers()
        if as_json:
            rows = [{name: getattr(item, name) for name in item.__slots__} for item in left]
            print_json({"recovered": done, "replayed": replayed, "rolled_back": rollback or [], "left": rows})
            return
        for event in done:
            typer.echo(f"{event['event']}: {event.get('detail', {}).get('note', '')} ({event.get('resource', 'log')})")
        for line in replayed:
            typer.echo(f"replayed: {line}")
        for transaction in rollback or ():
            typer.echo(f"rolled back: {transaction}")
        for item in left:
            typer.echo(
                f"unfinished: {item.transaction} on {item.id} (instance {item.base + 1}), begun {item.started} "
                f"by {item.agent}, {item.files} files stored"
            )
        if not (done or replayed or rollback or left):
            say("Nothing to recover.")


def purge(
    context: typer.Context,
    id: Id,
    reason: Annotated[str, typer.Option(help="Why; it is kept for ever.")] = "",
    project: ProjectOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Remove a resource for ever (dynamic mode only)."""
    with context.obj.archive() as archive:
        archive.get(id, project=project)
        if not yes and not typer.confirm(f"Remove {id} with all its instances for ever?", err=True):
            note("nothing was removed")
            raise typer.Exit(2)
        event = archive.purge(id, reason, project)
        if as_json:
            print_json(event.as_json())
        else:
            say(f"{id} was purged.")


def reindex(context: typer.Context, as_json: Json = False) -> None:
    """Build the index anew from the files on disk."""
    shared: Context = context.obj
    with shared.archive() as archive, shared.progress() as progress:
        count = archive.reindex(progress)
        if as_json:
            print_json({"resources": count})
        else:
            say(f"{count} resources indexed.")

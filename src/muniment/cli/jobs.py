"""Commands of what works in the background: be a worker, look at jobs, and look after the ledger."""

from __future__ import annotations

import contextlib
import itertools
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muniment.cli.context import note, print_json, size_text
from muniment.cli.options import InstanceOption, Json

if TYPE_CHECKING:
    from muniment.app.background import BackgroundServices
    from muniment.jobs import Job, Ledger

job = typer.Typer(help="What was asked for, how far it is, and what became of it.", no_args_is_help=True)
ledger = typer.Typer(help="Look after the ledger, which remembers what is owed.", no_args_is_help=True)

registration = typer.Typer(help="Check and repair what lies in a registration store.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, or the id of a container.")]


def work(
    context: typer.Context,
    engine: Annotated[str, typer.Option(metavar="local|celery", help="Threads here, or Celery on the broker.")] = "",
    concurrency: Annotated[int | None, typer.Option(min=1, max=256, help="Steps done at once.")] = None,
    queues: Annotated[str, typer.Option(metavar="LIST", help="Only these: priority, bulk. Default: both.")] = "",
) -> None:
    """Do what the ledger owes until it is told to stop (SIGTERM, Ctrl-C): short steps end, long ones go back."""
    from muniment.errors.base import BadInput
    from muniment.jobs import Priority

    working, settings = _working(context), context.obj.app().settings
    chosen = [word for word in queues.replace(",", " ").split() if word]
    if unknown := set(chosen) - set(map(str, Priority)):
        raise BadInput(reason=f"there is no queue {', '.join(sorted(unknown))}; there are priority and bulk")
    kind = engine or ("celery" if settings.broker else "local")
    if kind not in {"local", "celery"}:
        raise BadInput(reason=f"there is no engine {kind!r}; there are local and celery")
    _rehearse(working)
    if kind == "celery":
        priorities = [Priority(word) for word in chosen] or list(Priority)
        working.celery_engine().work(concurrency=concurrency or settings.work_threads, queues=priorities)
        return
    _work_here(working, concurrency, chosen)


def _rehearse(working: BackgroundServices) -> None:
    """Wait for what others bring: the server in front of the archive, and the ledger. Anything else is refused."""
    from muniment.errors.database import DatabaseNotThere, DatabaseUnavailable
    from muniment.errors.remote import ServerUnreachable

    pauses = (1.0, 2.0, 5.0, 10.0, 30.0)
    for number in itertools.count():
        try:
            working.rehearse()
        except (DatabaseNotThere, DatabaseUnavailable, ServerUnreachable) as error:
            if number == 0:
                note(f"waiting: {error}")
            time.sleep(pauses[min(number, len(pauses) - 1)])
        else:
            return


def _work_here(working: BackgroundServices, threads: int | None, queues: list[str]) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = working.local_engine(threads=threads, queues=queues)
    engine.start()
    note("working; stop with Ctrl-C or SIGTERM")
    stop.wait()
    engine.stop()
    working.close()


@job.command("ls")
def ls(
    context: typer.Context,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only those running, done, failed or cancelled.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Only those of a kind, such as osf.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first."""
    from muniment.errors.base import BadInput
    from muniment.jobs import JobState

    if state is not None and state not in set(JobState):
        raise BadInput(reason=f"there is no state {state!r}; there are {', '.join(JobState)}")
    with _ledger(context) as opened:
        found = opened.jobs(kind=kind, state=JobState(state) if state else None, limit=limit)
    if as_json:
        print_json([_record(each) for each in found])
        return
    for each in found:
        typer.echo(f"{each.id}  {each.state:<9}  {_when(each.created_at)}  {each.kind:<12}  {_of(each)}  {each.reason}")


@job.command()
def show(
    context: typer.Context,
    id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Show how far a job is, what runs, what failed, and its history."""
    with _ledger(context) as opened:
        found = _find(opened, id)
        if follow:
            for progress in opened.watch(found.id):
                typer.echo(_line(progress))
            found = opened.job(found.id)
        progress = opened.progress(found.id)
        failed = list(opened.steps(found.id, state=_failed()))
        history = opened.history(found.id)
    if as_json:
        steps = [{"step": step.name, "given": step.given, "reason": step.reason} for step in failed]
        lines = [{"at": _when(line.at), "what": line.what, "detail": line.detail} for line in history]
        print_json({**_record(found), "bytes": progress.size, "failed": steps, "history": lines})
        return
    typer.echo(_line(progress))
    for step in progress.running:
        total = "" if step.total is None else f" of {step.total}"
        typer.echo(f"  runs: {step.name}  {step.what} {step.done}{total}, {size_text(step.size)}")
    for step in failed:
        typer.echo(f"  failed: {step.name}: {step.reason}")
    for line in history:
        typer.echo(f"  {_when(line.at)}  {line.what}  {line.detail}")


@job.command()
def cancel(context: typer.Context, id: JobId) -> None:
    """Cancel a job: what has not begun never will. For a container, everybody who waits for it is told."""
    found = _act(context, "cancel", id)
    note(f"{found['id']}: {'is being cancelled' if found['ended'] is None else found['state']}")


@job.command()
def retry(context: typer.Context, id: JobId) -> None:
    """Try now whatever a job waits for; one that failed or was cancelled is begun anew, as a new job."""
    found = _act(context, "retry", id)
    note(f"{found['id']}: what waits is tried now")


@job.command()
def pause(context: typer.Context, id: JobId) -> None:
    """Begin nothing more of a job until it is resumed; what runs of it stops where it can go on later."""
    found = _act(context, "pause", id)
    note(f"{found['id']}: {'paused' if found['paused'] else found['state']}")


@job.command()
def resume(context: typer.Context, id: JobId) -> None:
    """Let a job that was paused go on."""
    found = _act(context, "resume", id)
    note(f"{found['id']}: goes on" if found["ended"] is None else f"{found['id']}: {found['state']}")


def _act(context: typer.Context, action: str, id: str) -> dict[str, object]:
    from muniment.cli.operations import control

    with control(context) as operations:
        return operations.act(action, id)


@ledger.command("migrate")
def migrate_ledger(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="PLACE", help="Copy all of another ledger into it, with keys and rules, once."),
    ] = None,
) -> None:
    """Make the tables of the ledger, of keys and rules, and of all else in this database, or bring them up to date."""
    from muniment.database import Database
    from muniment.database.transfer import copy_all

    with Database.open(context.obj.app().database_place(), migrate=True) as database:
        note(f"the ledger at {database.place} is up to date")
        if source is not None:
            with Database.open(source if "://" in source else Path(source)) as other:
                copied = copy_all(other, database)
            note(
                f"copied {copied['jobs']} jobs, {copied['access_keys']} keys, {copied['access_rules']} revisions of "
                f"rules, and {sum(copied.values())} rows in all"
            )


@ledger.command()
def assign(context: typer.Context) -> None:
    """Say that the ledger belongs to the archive and the stores that are named now, after they were moved."""
    _working(context).assign()
    note("the ledger belongs to this archive and these stores now")


@ledger.command()
def backup(context: typer.Context, as_json: Json = False) -> None:
    """Back the ledger, keys, rules and selections up into the archive, sealed, now."""
    from muniment.workflows.control_backup import back_up

    working = _working(context)
    try:
        registration_context = working.registration_context
        made = back_up(
            registration_context.archive,
            working.ledger().database,
            working.keyring,
            registration_context.scratch("control backup"),
        )
    finally:
        working.close()
    if as_json:
        print_json({"project": made.project, "id": made.id, "instance": made.number, "rows": made.metadata["rows"]})
    else:
        note(f"{made.metadata['rows']} rows are in instance {made.number} of {made.project}/{made.id}")


@ledger.command("restore")
def restore_ledger(context: typer.Context, instance: InstanceOption = None, as_json: Json = False) -> None:
    """Put a backup from the archive, by default the newest, into the control database that is named, which is empty."""
    from muniment.database import Database
    from muniment.jobs import Keyring
    from muniment.workflows.control_backup import restore

    app = context.obj.app()
    # Not made where it is missing: only the one that sealed the backup opens it.
    keyring = Keyring.read(app.settings.secrets_file or app.state / "control.key")
    with context.obj.archive() as archive, Database.open(app.database_place(), migrate=True) as database:
        found, rows = restore(archive, database, keyring, instance)
    if as_json:
        print_json({"instance": found.number, "created": found.created, "rows": rows})
    else:
        note(f"{rows} rows restored from instance {found.number}, made {found.created}")


@ledger.command("rotate-keys")
def rotate_keys(context: typer.Context) -> None:
    """Seal all credentials anew under the first key of the key file, so that the others can go."""
    from muniment.workflows.copies.registry import reseal

    working = _working(context)
    try:
        opened = working.ledger()
        count = opened.rotate_secrets() + reseal(opened.database, working.keyring)
    finally:
        working.close()
    note(f"{count} credentials sealed anew")


@registration.command()
def verify(context: typer.Context) -> None:
    """Read all files and manifests of the stores back and compare them with what is recorded; exit 1 on differences."""
    from muniment.doors.osf.manifests import disagreements
    from muniment.doors.osf.repair import damages

    found = 0
    for store in _working(context).existing_stores():
        for damage in itertools.chain(damages(store), disagreements(store)):
            found += 1
            typer.echo(f"{store.container}: {damage.key}: {damage.reason}")
    typer.echo(f"{found} damaged or missing" if found else "Everything is as it was recorded.")
    if found:
        raise typer.Exit(1)


@registration.command("repair")
def repair_registration(context: typer.Context) -> None:
    """Put right what `verify` finds, from the archive or else from parity; exit 1 when something stays damaged."""
    from muniment.doors.osf.manifests import disagreements
    from muniment.doors.osf.repair import StoreRepair, damages
    from muniment.errors.base import MunimentError

    working, left = _working(context), 0
    stores = working.existing_stores()
    try:
        registration_context = working.registration_context
        for store in stores:
            repairing = StoreRepair(
                store,
                registration_context.archive,
                registration_context.policy.project,
                registration_context.scratch("repair"),
            )
            for damage, done in repairing.repair(list(damages(store))):
                left += isinstance(done, MunimentError)
                said = str(done) if isinstance(done, MunimentError) else f"repaired {done}"
                typer.echo(f"{store.container}: {damage.key}: {said}")
            for damage in disagreements(store):
                left += 1
                typer.echo(f"{store.container}: {damage.key}: not repaired: {damage.reason}")
    finally:
        working.close()
    if left:
        raise typer.Exit(1)


def _failed() -> Any:
    from muniment.jobs import State

    return State.FAILED


def _working(context: typer.Context) -> BackgroundServices:
    from muniment.app.background import BackgroundServices

    return BackgroundServices(context.obj.app())


@contextlib.contextmanager
def _ledger(context: typer.Context) -> Iterator[Ledger]:
    working = _working(context)
    try:
        yield working.ledger()
    finally:
        working.close()


def _find(opened: Ledger, id: str) -> Job:
    """A job by its id, or the newest of a container.

    Raises:
        JobNotFound: There is none.
    """
    from muniment.doors.osf import KIND

    return opened.find(KIND, id) or opened.job(id)


def _record(found: Job) -> dict[str, Any]:
    return {
        "id": found.id,
        "kind": found.kind,
        "key": found.key,
        "state": str(found.state),
        "requester": found.requester,
        "priority": str(found.priority),
        "created": _when(found.created_at),
        "ended": None if found.ended_at is None else _when(found.ended_at),
        "steps": found.steps,
        "steps_done": found.steps_done,
        "steps_failed": found.steps_failed,
        "reason": found.reason,
    }


def _line(progress: Any) -> str:
    found = progress.job
    steps = f"{found.steps_done} of {found.steps} steps"
    failed = f", {found.steps_failed} failed" if found.steps_failed else ""
    return (
        f"{found.id}  {found.state}  {_of(found)}  {steps}{failed}, {size_text(progress.size)}  {found.reason}".rstrip()
    )


def _of(found: Job) -> str:
    return found.key if found.key and found.kind == "osf" else ""


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

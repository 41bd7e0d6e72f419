"""The command `status` and the commands of limits: what ledger and workers are doing, here or at a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from muniment.cli.context import note, print_json, size_text
from muniment.cli.options import Json

if TYPE_CHECKING:
    from muniment.archive import Usage

limit = typer.Typer(help="The services that may not be called now, and letting them be called.", no_args_is_help=True)


class Control(Protocol):
    """Operations of a ledger, wherever it is."""

    def document(self) -> dict[str, object]:
        """All of it as one document."""

    def act(self, action: str, id: str) -> dict[str, object]:
        """Retry, cancel, pause or resume a job."""

    def limits(self) -> list[dict[str, object]]:
        """The limits that are closed."""

    def lift(self, name: str) -> bool:
        """Open one; whether it was closed."""


def status(context: typer.Context, as_json: Json = False) -> None:
    """Show what is owed, what holds it up, who works on what, and what failed; exit 1 when it needs somebody."""
    settings = context.obj.opening().settings
    bucket = _bucket(context) if context.obj.opening().in_bucket else None
    found: dict[str, Any] = {}
    if bucket is None or settings.ledger is not None or settings.state is not None:
        with control(context) as operations:
            found = operations.document()
    if bucket is not None:
        found = {**found, "bucket": bucket}
    if as_json:
        print_json(found)
    else:
        for line in lines(found):
            typer.echo(line)
    if needs_somebody(found):
        raise typer.Exit(1)


def _bucket(context: typer.Context) -> dict[str, Any]:
    from muniment.app.bucket import bucket_document

    opening = context.obj.opening()
    prices = opening.bucket_prices()
    with opening.open_bucket(str(opening.settings.archive)) as archive:
        return bucket_document(archive, prices)


def bucket_needs_somebody(found: dict[str, Any]) -> bool:
    """Whether a bucket cannot be written to, or would lose or lock what it should not."""
    return not found["writable"] or any(each["refused"] for each in found["faults"])


def bucket_lines(found: dict[str, Any]) -> Iterator[str]:
    """The document of a bucket as people read it."""
    locked = f", each key locked: {found['lock']}" if found["lock"] else ""
    yield f"archive: {found['resources']} resources, {size_text(found['bytes'])}"
    yield f"  in {found['address']}, {found['mode']} mode{locked}"
    if not found["writable"]:
        yield f"  can only be read: {found['reason']}"
    if found["unfinished"]:
        yield f"  unfinished transactions: {found['unfinished']} (`muniment recover`)"
    made = found["requests"]
    cost = "" if made["cost"] is None else f", which cost {made['cost']:.4f}"
    yield (
        f"requests of this machine: {made['writes']} writes and listings, {made['reads']} reads, "
        f"{made['removals']} removals, {size_text(made['received'])} received{cost}"
    )
    for each in found["faults"]:
        yield f"{'wrong' if each['refused'] else 'advice'}: {each['text']}"


@limit.command("ls")
def list_limits(context: typer.Context, as_json: Json = False) -> None:
    """List the services that may not be called now, until when, and by whose answer."""
    with control(context) as operations:
        found = operations.limits()
    if as_json:
        print_json(found)
        return
    for each in found:
        typer.echo(f"{each['until']}  {each['name']}  {each['by']}".rstrip())


@limit.command()
def lift(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Its name, as `limit ls` shows it.")]
) -> None:
    """Let a service be called again, and wake what waits for that."""
    with control(context) as operations:
        lifted = operations.lift(name)
    note(f"{name} may be called again" if lifted else f"{name} was not closed")


@contextlib.contextmanager
def control(context: typer.Context) -> Iterator[Control]:
    """Operations of the ledger that the settings name, or of the archive's server where they name none."""
    app = context.obj.app()
    if app.remote and app.settings.ledger is None and app.settings.state is None:
        with context.obj.opening().operations() as there:
            yield there
        return
    from muniment.app.background import BackgroundServices

    services = BackgroundServices(app)
    try:
        yield _Here(context, services)
    finally:
        services.close()


class _Here:
    """Operations of a ledger that this machine reaches."""

    def __init__(self, context: typer.Context, services: Any) -> None:
        from muniment.app.operations import OperationsControl

        self._context = context
        self._control = OperationsControl(services)

    def document(self) -> dict[str, Any]:
        from muniment.app.operations import document
        from muniment.errors.base import MunimentError

        found: Any
        try:
            found = self._control.look()
        except MunimentError as error:
            found = error
        return document(found, self._usage())

    def act(self, action: str, id: str) -> dict[str, Any]:
        from muniment.app.operations import job_document

        who = self._context.obj.app().settings.agent_name or "the command line"
        return job_document(self._control.act(action, id, by=who))

    def limits(self) -> list[dict[str, object]]:
        return self._control.limits()

    def lift(self, name: str) -> bool:
        return self._control.lift(name)

    def _usage(self) -> Usage | None:
        """What the archive holds, where it is in a folder."""
        from muniment.archive import UsageReader

        app = self._context.obj.app()
        if app.remote or app.in_bucket:
            return None
        with app.folder_archive() as archive:
            return UsageReader(archive).read()


def needs_somebody(found: dict[str, Any]) -> bool:
    """Whether something stands still until somebody looks: no ledger, no worker for what is owed, or an outage.

    Or a bucket that cannot be written to, or would lose or lock what it should not.
    """
    bucket = found.get("bucket")
    if bucket and bucket_needs_somebody(bucket):
        return True
    if "ledger" not in found:  # of an archive in a bucket, without a state folder
        return False
    if not found["ledger"]["reached"]:
        return True
    return bool(found["outages"] or (found["jobs"] and not found["workers_alive"]))


def _held(archive: dict[str, Any], *, in_bucket: bool) -> Iterator[str]:
    """What an archive holds, but for what the bucket says that it is in."""
    owed = "is being counted" if archive["parity_owed"] is None else f"{archive['parity_owed']} instances"
    free = f"{size_text(archive['disk_free'])} of {size_text(archive['disk_size'])}"
    if in_bucket:
        yield f"free where the server builds: {free}"
    else:
        yield f"archive: {archive['resources']} resources, {size_text(archive['bytes'])}"
        yield f"  free on its disk: {free}"
    yield f"  last audit: {archive['audited'] or 'never'}; last clean one: {archive['audited_clean'] or 'never'}"
    if not in_bucket:
        yield f"  parity owed: {owed}"


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The document as people read it."""
    if found.get("bucket"):
        yield from bucket_lines(found["bucket"])
    if "ledger" not in found:
        return
    if found["archive"] is not None:
        yield from _held(found["archive"], in_bucket=bool(found.get("bucket")))
    if not found["ledger"]["reached"]:
        yield f"ledger: cannot be reached: {found['ledger']['reason']}"
        return
    yield f"workers: {found['workers_alive'] or 'none is alive'}"
    for worker in found["workers"]:
        yield f"  {worker['id']}  {worker['engine'] or 'not heard of lately'}, seen {worker['seen'] or 'never'}"
        for held in worker["holds"]:
            total = "" if held["total"] is None else f" of {held['total']}"
            how_far = f"{held['what']} {held['done']}{total}, {size_text(held['bytes'])}" if held["what"] else ""
            yield f"    {held['step']} of {held['key'] or held['job']} since {held['since']}  {how_far}".rstrip()
    yield from _owed(found)
    for outage in found["outages"]:
        yield f"outage since {outage['since']}: {outage['name']}: {outage['reason']} ({outage['waiting']} wait for it)"
    for each in found["limits"]:
        yield f"closed until {each['until']}: {each['name']}, by {each['by']} ({each['waiting']} wait for it)"
    for job in found["jobs"]:
        until = f" until {job['until']}" if job["until"] else ""
        waits = f"waits for {job['waits_for']}{until}" if job["waits_for"] else f"{job['running']} steps run"
        done = f"{job['steps_done']} of {job['steps']} steps done"
        yield f"job {job['id']}  {job['kind']} {job['key'] or ''}  {done}; {waits}  {job['reason']}".rstrip()
    for job in found["failed"]:
        yield f"failed {job['ended']}: {job['id']}  {job['kind']} {job['key'] or ''}: {job['reason']}"


def _owed(found: dict[str, Any]) -> Iterator[str]:
    if not found["depths"]:
        yield "owed: nothing"
    for depth in found["depths"]:
        yield f"owed: {depth['steps']} steps {depth['state']}, {depth['kind']}, queue {depth['queue']}"
    for queue, since in found["oldest_due"].items():
        yield f"  the oldest in queue {queue} is due since {since}"

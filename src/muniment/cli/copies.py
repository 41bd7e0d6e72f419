"""Commands of copies: what is protected, making and verifying."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from muniment.cli.context import note, print_json, print_json_list, size_text
from muniment.cli.options import (
    BudgetOption,
    EstimateOption,
    Json,
    NotSinceOption,
    OptionalId,
    ProjectOption,
    RepairOption,
    SampleOption,
)
from muniment.cli.stores import copying
from muniment.errors.base import EXIT_FINDINGS

if TYPE_CHECKING:
    from muniment.content import Progress
    from muniment.workflows.copies.status import Protection


class CommandOrId(TyperGroup):
    """A group whose first word may be a resource's id: then `show` is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `show` before what is no command."""
        first = args[0] if args else ""
        if first not in self.commands and first not in {"--help", "-h"}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


copies = typer.Typer(
    cls=CommandOrId, help="Copies of the archive on stores: `copies [ID]` says what is protected, and by what."
)

StoreOption = Annotated[str | None, typer.Option("--store", metavar="NAME", help="Only in this store.")]


@copies.command()
def show(context: typer.Context, id: OptionalId = None, project: ProjectOption = None, as_json: Json = False) -> None:
    """Say of one resource, or of all, whether it is protected as its policy asks, and why not; exit 1 if it is not."""
    from muniment.workflows.copies.status import protection, protections

    total = unprotected = 0
    with copying(context) as service:
        service.plan()
        found = iter([protection(service, id, project)]) if id is not None else protections(service, project)
        if as_json:

            def rows() -> Any:
                nonlocal total, unprotected
                for each in found:
                    total, unprotected = total + 1, unprotected + (not each.protected)
                    yield each.as_json()

            print_json_list(rows())
        else:
            for each in found:
                total, unprotected = total + 1, unprotected + (not each.protected)
                _print(each, details=id is not None)
            typer.echo(f"{total - unprotected} of {total} protected")
    if unprotected:
        raise typer.Exit(EXIT_FINDINGS)


def _print(found: Protection, *, details: bool) -> None:
    if found.protected and not details:
        return
    typer.echo(f"{found.id}  {'protected' if found.protected else 'NOT PROTECTED'}")
    for each in found.shortfalls:
        where = " ".join(word for word in (each.copy, f"v{each.instance}" if each.instance else "") if word)
        typer.echo(f"  lacks: {f'{where}: ' if where else ''}{each.reason}")
    if details:
        for row in found.rows:
            if row.number:
                typer.echo(
                    f"  {row.store} {row.layout} v{row.number}: {row.state}, {size_text(row.size)}, {row.keys} keys"
                )


@copies.command()
def make(
    context: typer.Context,
    id: OptionalId = None,
    store: StoreOption = None,
    as_json: Json = False,
) -> None:
    """Make the copies that are owed now, here and without waiting for a worker; exit 1 when some stay owed."""
    from muniment.workflows.copies.service import Replicated

    rows: list[tuple[str, Replicated]] = []
    with copying(context) as service, context.obj.progress() as progress:
        service.plan_all() if id is None else service.plan()
        names = [service.registry.get(store).name] if store else [each.name for each in service.registry.all()]
        for name in names:
            watch = _Told(f"copies to {name}", progress)
            rows.append((name, service.replicate(name, only=id, watch=watch, force=True)))
        if store is None:
            unknown = service.table.stores_owed(service.table.now()).keys() - set(names)
            reason = "there is no store of this name: add it, or name another in the policy"
            rows += [(name, Replicated(reason=reason)) for name in sorted(unknown)]
    if as_json:
        print_json([{"store": name, **asdict(done)} for name, done in rows])
    else:
        for name, done in rows:
            failed = f", {done.failed} failed" if done.failed else ""
            waiting = f", {done.waiting} wait until they can be read back" if done.waiting else ""
            line = f"{name}: {done.made} copies made, {size_text(done.size)}{failed}{waiting}  {done.reason}"
            typer.echo(line.rstrip())
    if any(done.failed or done.waiting or done.reason for _, done in rows):
        note("some copies stay owed: see `muniment copies`")
        raise typer.Exit(EXIT_FINDINGS)


@copies.command()
def verify(
    context: typer.Context,
    id: OptionalId = None,
    store: StoreOption = None,
    budget: BudgetOption = None,
    not_since: NotSinceOption = None,
    sample: SampleOption = None,
    estimate: EstimateOption = False,
    repair: RepairOption = True,
    as_json: Json = False,
) -> None:
    """Read copies back, those verified longest ago first; repair what is damaged; exit 1 when something stays so."""
    from muniment.cli.verification import VerificationRequest
    from muniment.cli.verification import verify as verify_now

    with copying(context) as service:
        stores = [service.registry.get(store).name] if store else [each.name for each in service.registry.all()]
    verify_now(
        context,
        VerificationRequest(
            budget or (), not_since, sample, stores, id, estimate=estimate, repair=repair, as_json=as_json
        ),
    )


@copies.command()
def rebuild(context: typer.Context, store: StoreOption = None) -> None:
    """Read from the stores again which copies they hold, and from the log which policies are in force."""
    from muniment.workflows.copies.rebuild import rebuild as rebuilt

    bad = False
    with copying(context) as service:
        service.policies.rebuild(service.archive)
        names = [service.registry.get(store).name] if store else [each.name for each in service.registry.all()]
        for name in names:
            count, damaged = rebuilt(service, name)
            bad = bad or bool(damaged)
            typer.echo(f"{name}: {count} copies")
            for key in damaged:
                typer.echo(f"  a record that cannot be read: {key}")
    if bad:
        raise typer.Exit(EXIT_FINDINGS)


@copies.command("schedule")
def set_schedule(
    context: typer.Context,
    verify_rule: Annotated[
        str, typer.Option("--verify", metavar="RULE", help="When: seconds, or five cron fields in UTC.")
    ] = "30 1 * * *",
    budget: BudgetOption = None,
    off: Annotated[bool, typer.Option("--off", help="Plan, verify and try no more.")] = False,
) -> None:
    """Say when workers verify copies, and within which limits; `policy set` begins with each night, four hours."""
    from muniment.jobs import Ledger
    from muniment.workflows.copies.budget import parse_budget
    from muniment.workflows.copies.steps import VERIFY_BUDGET, schedule, unschedule

    parse_budget(budget or VERIFY_BUDGET)
    with copying(context) as service:
        ledger = Ledger(service.table.database)
        if off:
            unschedule(ledger)
        else:
            schedule(ledger, verify_rule=verify_rule, budget=budget or VERIFY_BUDGET)


@copies.command("drill")
def restore_drill(context: typer.Context, store: StoreOption = None, as_json: Json = False) -> None:
    """Restore a random instance from each store to a temporary place and have it judged; exit 1 if one fails."""
    from muniment.workflows.copies.drill import drill

    with copying(context) as service:
        names = [service.registry.get(store).name] if store else [each.name for each in service.registry.all()]
        found = [done for name in names if (done := drill(service, name)) is not None]
    if as_json:
        print_json([{**asdict(each), "passed": each.passed} for each in found])
    else:
        for each in found:
            what = f"{each.store}: instance {each.number} of {each.resource}"
            typer.echo(f"{what}: {'passed' if each.passed else 'FAILED: ' + each.reason} ({', '.join(each.judges)})")
    if not all(each.passed for each in found):
        raise typer.Exit(EXIT_FINDINGS)


class _Told:
    """Adds up the bytes that go over, and tells how many they are."""

    def __init__(self, what: str, progress: Progress) -> None:
        self._what = what
        self._progress = progress
        self._total = 0

    def __call__(self, size: int) -> None:
        self._total += size
        self._progress(self._what, self._total, None, size=self._total)

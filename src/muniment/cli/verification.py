"""Verification of copies and of the archive itself on a budget, as `audit --budget` and `copies verify` ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from muniment.cli.context import note, print_json
from muniment.cli.stores import copying
from muniment.errors.base import EXIT_FINDINGS, EXIT_REMOTE

if TYPE_CHECKING:
    from muniment.content.archive import Repair
    from muniment.workflows.copies.ladder import Repaired
    from muniment.workflows.copies.verification import Verified


_EMPTY = "(an empty folder)"


@dataclass(frozen=True, slots=True)
class VerificationRequest:
    """What a command asks for: limits, what to leave out, a sample, and whether only to say what it would take."""

    budget: Sequence[str] = ()
    not_since: str | None = None
    sample: str | None = None
    stores: Sequence[str] | None = None
    id: str | None = None
    project: str | None = None
    estimate: bool = False
    repair: bool = True
    as_json: bool = False


def verify(context: typer.Context, wanted: VerificationRequest) -> None:
    """Do it, say what came of it, and exit 1 when something is damaged and stays so.

    Raises:
        BadInput: A limit cannot be read.
        ResourceNotFound: There is no such resource.
    """
    from muniment.content.durations import parse_duration
    from muniment.workflows.copies.budget import parse_budget, parse_sample
    from muniment.workflows.copies.ladder import Repaired, repair_all
    from muniment.workflows.copies.own_files import log_in, repair_log_and_files, repair_stores
    from muniment.workflows.copies.root_verification import BESIDE
    from muniment.workflows.copies.verification import Verification

    budget = parse_budget(wanted.budget)
    with copying(context) as service, context.obj.progress() as progress:
        service.plan_all()
        verification = Verification(service, stores=wanted.stores, project=wanted.project)
        before = None
        if wanted.not_since:
            before = service.table.now() - parse_duration(wanted.not_since)
        rows = (
            list(verification.sample(*parse_sample(wanted.sample)))
            if wanted.sample
            else list(verification.rows(before))
        )
        if wanted.id is not None:
            service.archive.instance(wanted.id, project=wanted.project)
            rows = [row for row in rows if row.resource == wanted.id]
        expected = verification.estimate(rows, budget)
        if wanted.estimate:
            typer.echo(str(expected))
            return
        note(f"this takes {expected}")
        count = 0

        def watch(_: object) -> None:
            nonlocal count
            count += 1
            progress("verifying", count, expected.copies, size=0)

        climbed = Repaired()
        if wanted.repair and wanted.id is None:
            climbed.add(repair_log_and_files(service))  # first: by it, what stores have of the log is judged
        done = verification.run(rows, budget, watch)
        beside = {row.store for row in done.damaged if row.layout == BESIDE}
        if wanted.repair and done.damaged:
            climbed.add(repair_all(service, wanted.id))
            climbed.add(repair_stores(service, beside))
        left = any(True for _ in service.table.each(state="damaged")) or bool(done.unjudged)
        left = left or bool(climbed.left.keys() - {log_in(name) for name in done.unusable})
        left = left or bool(beside and not wanted.repair)
    _tell(done, climbed, wanted)
    if left:
        raise typer.Exit(EXIT_FINDINGS)
    if done.unusable:
        raise typer.Exit(EXIT_REMOTE)


@dataclass(frozen=True, slots=True)
class CopyRepairs:
    """What copies did for a repair, and for which resources: what parity said of these is outdated."""

    repairs: Sequence[Repair] = ()
    resources: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()
    """Empty folders, as findings name them, that hold again what was lost from them."""
    log_whole: bool = False
    """Whether the log is whole now."""

    def settles(self, each: Repair) -> bool:
        """Whether what the archive itself could not repair is outdated."""
        of_log = each.where.startswith("events")
        return each.resource in self.resources or each.where in self.filled or (of_log and self.log_whole)


def climb(context: typer.Context, done: Sequence[Repair], id: str | None) -> CopyRepairs:
    """Repair from copies what parity could not, and then the copies that are damaged.

    Where the archive is behind a server, or has no control database, there are no copies.
    """
    from muniment.content.archive import Repair

    opening = context.obj.opening()
    if opening.remote or not opening.has_control:
        return CopyRepairs()
    from muniment.workflows.copies.ladder import Repaired, repair_all, repair_resource
    from muniment.workflows.copies.own_files import repair_log_and_files

    wanted = {each.resource for each in done if not each.repaired and each.resource}
    climbed, resources = Repaired(), set[str]()
    where_lost = [each.where.removesuffix(_EMPTY).rstrip() for each in done if each.where.endswith(_EMPTY)]
    with copying(context) as service:
        if not service.registry.all():
            return CopyRepairs()
        places = dict.fromkeys((row.project, row.resource) for row in service.table.each() if row.resource in wanted)
        for project, resource in places:
            climbed.add(repair_resource(service, project, resource))
            resources.add(resource)
        climbed.add(repair_all(service, id))
        log_whole = False
        if id is None:
            beside = repair_log_and_files(service)
            log_whole = not any(where.startswith("events") for where in beside.left)
            climbed.add(beside)
    repairs = [Repair(where, repaired=True, how=how) for where, how in climbed.repaired.items()]
    repairs += [Repair(where, repaired=False, how=why) for where, why in climbed.left.items()]
    filled = {f"{place} {_EMPTY}" for place in where_lost if any(where.startswith(place) for where in climbed.repaired)}
    return CopyRepairs(repairs, frozenset(resources), frozenset(filled), log_whole)


def _tell(done: Verified, climbed: Repaired, wanted: VerificationRequest) -> None:
    if wanted.as_json:
        print_json(
            {
                "verified": asdict(done.used),
                "complete": done.complete,
                "damaged": [asdict(row) for row in done.damaged],
                "repaired": climbed.repaired,
                "left": climbed.left,
                "unusable": done.unusable,
                "unjudged": done.unjudged,
            }
        )
        return
    for row in done.damaged:
        what = f"v{row.number}" if row.number else "itself"
        which = f"{row.resource} {what}" if row.resource else "what lies there and is no copy"
        typer.echo(f"DAMAGED  {row.store} {row.layout} {which}: {row.reason}")
    for where, how in climbed.repaired.items():
        typer.echo(f"repaired: {where}: {how}")
    for where, why in climbed.left.items():
        typer.echo(f"NOT REPAIRED: {where}: {why}")
    for name, reason in done.unjudged.items():
        typer.echo(f"what {name} has of the log could not be judged: {reason}")
    for name, reason in done.unusable.items():
        typer.echo(f"{name} could not be used: {reason}")
    typer.echo(f"verified {done.used}{'' if done.complete else '; the budget is used up, and the next run goes on'}")
    if wanted.sample and not done.damaged and done.complete:
        confidence, _, share = wanted.sample.partition("/")
        typer.echo(f"with a confidence of {confidence}, fewer than {share} of the copies are damaged")

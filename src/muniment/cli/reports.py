"""Commands that report: what an archive can show of what it keeps."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import print_json, refuse_inside, size_text
from muniment.cli.options import Id, Json, ProjectOption
from muniment.errors.base import EXIT_FINDINGS

if TYPE_CHECKING:
    from muniment.archive import Archive as LocalArchive
    from muniment.cli.context import Context
    from muniment.workflows.reports.ndsa.facts import Facts

report = typer.Typer(
    help="Reports: what an archive can show of what it keeps.", no_args_is_help=True, rich_markup_mode=None
)


@report.callback()
def _report() -> None:
    """Reports: what an archive can show of what it keeps."""


@report.command()
def premis(
    context: typer.Context,
    id: Id,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A new file; by default the standard output."),
    ] = None,
    mets: Annotated[bool, typer.Option("--mets", help="Write METS, with the PREMIS in it.")] = False,
    project: ProjectOption = None,
) -> None:
    """Write PREMIS 3 XML of a resource: objects with fixity and format, events, agents and rights."""
    from muniment.archive import Archive

    shared: Context = context.obj
    with shared.archive() as archive:
        refuse_inside(archive, output)

        def fetch(write: Callable[[bytes], object]) -> tuple[int, str]:
            if isinstance(archive, Archive):
                return _local_premis(shared, archive, id, write, project=project, mets=mets)
            return archive.premis(id, write, project=project, mets=mets)

        if output is None:
            fetch(sys.stdout.buffer.write)
            sys.stdout.buffer.flush()
            return
        from muniment.workflows.output import receive_tar

        receive_tar(fetch, output)
        typer.echo(str(output))


@report.command()
def formats(
    context: typer.Context,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The format policy; by default that of MUNIMENT_FORMAT_POLICY."),
    ] = None,
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Count the formats of the newest instances, those at risk first."""
    from muniment.workflows.checks.policy import FormatPolicy
    from muniment.workflows.reports.formats import report_formats

    shared: Context = context.obj
    opening = shared.opening()
    place = policy or opening.settings.format_policy
    chosen = FormatPolicy.read(place) if place is not None else FormatPolicy()
    with opening.folder_archive() as archive:
        found = report_formats(archive, chosen, project)
    if as_json:
        print_json(found.as_json())
        return
    for count in found.counts:
        more = "; ".join(filter(None, (count.rule.reason, count.rule.instead and f"instead {count.rule.instead}")))
        said = f"{count.files} files, {size_text(count.bytes)}, {count.resources} resources"
        typer.echo(f"{count.rule.status!s:>8}  {count.puid or 'unknown'}  {count.name}: {said}{more and f' ({more})'}")
    if found.unidentified:
        typer.echo(f"{found.unidentified} files were never identified.")
    for tool, resources in found.tools.items():
        typer.echo(f"{resources} resources identified with {tool}.")


@report.command()
def ndsa(
    context: typer.Context,
    answers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A TOML file with what no program can know, who said it and when."),
    ] = None,
    least: Annotated[
        int, typer.Option("--at-least", metavar="LEVEL", min=0, max=4, help="Exit with 1 where an area is below it.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Judge the archive by the NDSA Levels of Preservation, from facts, and name what is missing."""
    from muniment.workflows.reports.ndsa.answers import Answers
    from muniment.workflows.reports.ndsa.criteria import answerable
    from muniment.workflows.reports.ndsa.report import judge

    today = datetime.now(UTC).date()
    given = Answers.read(answers, answerable(), today) if answers is not None else Answers()
    areas = judge(_facts(context), given)
    if as_json:
        print_json({"levels": "NDSA 2.0 (2019)", "areas": [each.as_json() for each in areas]})
    else:
        for area in areas:
            typer.echo(f"{area.area}: level {area.level}")
            for found in area.results:
                word = {True: "met", False: "NOT MET", None: "unknown"}[found.judgement.met]
                typer.echo(f"  {found.criterion.level}  {word:>7}  {found.criterion.text}: {found.judgement.fact}")
                if found.judgement.met is not True and found.judgement.advice:
                    typer.echo(f"              {found.judgement.advice}  [{found.criterion.name}]")
    if any(area.level < least for area in areas):
        raise typer.Exit(EXIT_FINDINGS)


def _facts(context: typer.Context) -> Facts:
    from muniment.access import AccessStore
    from muniment.cli.stores import copying
    from muniment.workflows.checks.policy import FormatPolicy
    from muniment.workflows.copies.status import protections
    from muniment.workflows.reports.ndsa.facts import gather

    place = context.obj.opening().settings.format_policy
    formats = FormatPolicy.read(place) if place is not None else None
    with copying(context) as service:
        service.plan()
        return gather(
            service.archive,
            stores=service.registry.all(),
            protections=protections(service),
            policies=len(service.policies.all()),
            rules=AccessStore(service.table.database).picture().rules,
            formats=formats,
            now=service.table.now(),
        )


def _local_premis(
    shared: Context,
    archive: LocalArchive,
    id: str,
    write: Callable[[bytes], object],
    *,
    project: str | None,
    mets: bool,
) -> tuple[int, str]:
    """The same with the access rules, which lie beside the archive and not in it."""
    from muniment.access import AccessStore
    from muniment.workflows.reports.rights import copies_of, grants_of
    from muniment.workflows.reports.write import write_premis

    place = archive.get(id, project=project).project if archive.exists(id, project) else project
    where = place or archive.config.project
    with contextlib.closing(shared.app()) as app:
        grants = grants_of(AccessStore(app.database()).picture().rules, where, named=True)
        copies = copies_of(app.database(), where, id)
    return write_premis(archive, id, write, project=place, mets=mets, grants=grants, copies=copies)

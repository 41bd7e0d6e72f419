"""Commands that report: what an archive can show of what it keeps."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import print_json, refuse_inside, size_text
from muniment.cli.options import Id, Json, ProjectOption
from muniment.errors.base import EXIT_FINDINGS
from muniment.errors.reports import ReportNotMade

if TYPE_CHECKING:
    from muniment.archive import Archive as LocalArchive
    from muniment.cli.context import Context
    from muniment.workflows.reports.steps import ReportWriter

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
        from muniment.workflows.output import receive_packed

        receive_packed(fetch, output)
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
        typer.Option(
            metavar="FILE",
            help="A TOML file with what no program can know, who said it and when; by default that of "
            "MUNIMENT_NDSA_ANSWERS. What is judged by another is shown and not kept.",
        ),
    ] = None,
    least: Annotated[
        int, typer.Option("--at-least", metavar="LEVEL", min=0, max=4, help="Exit with 1 where an area is below it.")
    ] = 0,
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Judge the archive by the NDSA Levels of Preservation, from facts, and name what is missing.

    Every project is judged and the result kept for the pages and for HTTP; shown is the whole, or one project.
    """
    from muniment.workflows.reports.ndsa.report import LEVELS
    from muniment.workflows.reports.stored import WHOLE

    with _writing(context, answers) as writer:
        found = writer.ndsa(keep=answers is None)
    areas = found.get(project or WHOLE)
    if areas is None:
        raise ReportNotMade(kind="ndsa", what=f"the project {project!r}, which has no resources,")
    if as_json:
        print_json({"levels": LEVELS, "areas": [each.as_json() for each in areas]})
    else:
        for area in areas:
            typer.echo(f"{area.area}: level {area.level}")
            for result in area.results:
                word = {True: "met", False: "NOT MET", None: "unknown"}[result.judgement.met]
                typer.echo(f"  {result.criterion.level}  {word:>7}  {result.criterion.text}: {result.judgement.fact}")
                if result.judgement.met is not True and result.judgement.advice:
                    typer.echo(f"              {result.judgement.advice}  [{result.criterion.name}]")
    if any(area.level < least for area in areas):
        raise typer.Exit(EXIT_FINDINGS)


@contextlib.contextmanager
def _writing(context: typer.Context, answers: Path | None) -> Iterator[ReportWriter]:
    from muniment.app.background import BackgroundServices

    working = BackgroundServices(context.obj.app())
    try:
        yield working.report_writer(answers)
    finally:
        working.close()


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
        grants = grants_of(AccessStore(app.database()).snapshot().rules, where, named=True)
        copies = copies_of(app.database(), where, id)
    return write_premis(archive, id, write, project=place, mets=mets, grants=grants, copies=copies)

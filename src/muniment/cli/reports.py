"""Commands that report: what an archive can show of what it keeps."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import print_json, refuse_inside, size_text
from muniment.cli.options import Id, Json, ProjectOption

if TYPE_CHECKING:
    from muniment.archive import Archive as LocalArchive
    from muniment.cli.context import Context
    from muniment.workflows.reports.premis import Grant

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
    from muniment.workflows.reports.write import write_premis

    place = archive.get(id, project=project).project if archive.exists(id, project) else project
    return write_premis(
        archive, id, write, project=place, mets=mets, grants=_grants(shared, place or archive.config.project)
    )


def _grants(shared: Context, project: str) -> list[Grant]:
    from muniment.access import AccessStore
    from muniment.workflows.reports.rights import grants_of

    with contextlib.closing(shared.app()) as app:
        return grants_of(AccessStore(app.database()).picture().rules, project, named=True)

"""Commands that report: what an archive can show of what it keeps."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import refuse_inside
from muniment.cli.options import Id, ProjectOption

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

"""The command `stats`: what the archive holds, how it grows, and what dedup saved and parity takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from muniment.cli.context import print_json, size_text
from muniment.cli.options import Json, ProjectOption

if TYPE_CHECKING:
    from muniment.cli.context import Context


def stats(context: typer.Context, project: ProjectOption = None, as_json: Json = False) -> None:
    """Show sizes, growth by month, what equal content saved and what parity takes."""
    from muniment.workflows.stats import figures

    shared: Context = context.obj
    with shared.archive() as archive, shared.progress() as progress:
        found = figures(archive, project, progress)
    if as_json:
        print_json(found.as_json())
        return
    typer.echo(f"{found.resources} resources, {found.instances} instances")
    typer.echo(f"{size_text(found.newest):>10}  in the {found.files} files of the newest instances")
    typer.echo(f"{size_text(found.every):>10}  in all instances, each by itself")
    if found.content is not None and found.records is not None:
        typer.echo(f"{size_text(found.content):>10}  of content on the disk: {_share(found.saved, found.every)} saved")
        typer.echo(f"{size_text(found.records):>10}  of records: manifests, inventories, metadata")
    if found.parity is not None and found.events is not None:
        share = _share(found.parity, found.content)
        typer.echo(f"{size_text(found.parity):>10}  of parity and second copies of records: {share} of the content")
        typer.echo(f"{size_text(found.events):>10}  of events")
    for month, came in found.months.items():
        typer.echo(f"{month}  {came['instances']} instances, {size_text(came['bytes'])}")


def _share(part: int | None, whole: int | None) -> str:
    return f"{100 * (part or 0) / whole:.0f} %" if whole else "0 %"

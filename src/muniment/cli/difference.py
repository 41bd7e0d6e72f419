"""The command `diff`: how two instances of a resource differ."""

from __future__ import annotations

from typing import Annotated

import typer

from muniment.cli.context import print_json
from muniment.cli.options import Id, Json, ProjectOption


def diff(
    context: typer.Context,
    id: Id,
    before: Annotated[
        str | None, typer.Argument(metavar="[N]", help="An instance; by default the one before the newest.")
    ] = None,
    after: Annotated[
        str | None, typer.Argument(metavar="[M]", help="What it is compared with; by default the newest.")
    ] = None,
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Show how instances differ: + added, - removed, ~ other content, > moved, * said about it."""
    with context.obj.archive() as archive:
        new = archive.get(id, instance=after, project=project)
        old = new.earlier(new.number - 1) if before is None and new.number > 1 else None
        if before is not None:
            old = archive.get(id, instance=before, project=project)
        found = new.diff(old)
        if as_json:
            print_json({"id": new.id, "before": old.number if old else 0, "after": new.number, **found.as_json()})
            return
        for line in found.lines():
            typer.echo(line)

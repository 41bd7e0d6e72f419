"""The command `batch`: many resources from one table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import note, print_json, say
from muniment.cli.options import Json
from muniment.errors.base import EXIT_FINDINGS

if TYPE_CHECKING:
    from muniment.cli.context import Context


def batch(
    context: typer.Context,
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV with the columns id and path.")],
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to say how it went; by default beside the table."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Leave out of folders what matches, as `add` does.")
    ] = None,
    no_parity: Annotated[bool, typer.Option("--no-parity", help="Make no parity now.")] = False,
    as_json: Json = False,
) -> None:
    """Add the resources of a table: a row for each file or folder, with what is said about it in further columns.

    Columns: id, path (relative to the table), and where they are wanted into, project and message; every other one
    is said about the resource. Rows with one id are one resource. What failed is in the report, stops nothing, and
    makes the exit status 1; run again, the command goes on, and a resource that is there as it should be stays so.
    """
    from muniment.content.exclusions import Exclusions
    from muniment.workflows.batch import FAILED, read_table, run_table

    shared: Context = context.obj
    place = report or table.with_name(f"{table.stem}.report.csv")
    shared.interrupted = f"what was stored is in {place}; the same command goes on"
    wishes = read_table(table)
    counts: Counter[str] = Counter()
    failed: list[dict[str, str]] = []
    with shared.archive(parity=not no_parity) as archive, shared.progress() as progress:
        for done in run_table(archive, wishes, place, Exclusions(*exclude or (), ignore_files=True), progress):
            counts[done.status] += 1
            if done.status == FAILED:
                failed.append({"id": done.id, "reason": done.reason})
                note(f"failed: {done.id}: {done.reason}")
    counts["done before"] = len(wishes) - counts.total()
    if as_json:
        print_json({"report": str(place), "counts": dict(counts), "failed": failed})
    else:
        say(", ".join(f"{count} {status}" for status, count in counts.items() if count))
        say(f"the report is {place}")
    if failed:
        raise typer.Exit(EXIT_FINDINGS)

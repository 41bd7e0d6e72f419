"""Options and arguments that several commands share, so that they read alike."""

from __future__ import annotations

from typing import Annotated

import typer

from muniment.cli.instances import offer_ids

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ProjectOption = Annotated[
    str | None, typer.Option("--project", "-p", metavar="ORG/PROJECT", help="The project, if not the archive's own.")
]
Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The resource's id.", show_default=False, autocompletion=offer_ids),
]
OptionalId = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="One resource; without it all.", show_default=False, autocompletion=offer_ids),
]
InstanceOption = Annotated[
    str | None,
    typer.Option("--instance", "-i", metavar="N", help="An earlier instance: a number or its identifier."),
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="As it was at a time, or on a day: 2026-01-31, 2026-01-31T12:00:00Z."),
]
BudgetOption = Annotated[
    list[str] | None,
    typer.Option(metavar="LIMIT", help="2h, 5%, 500GB, '1000 requests' or '3.50 cost'; may be given several times."),
]
NotSinceOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only what was not verified for so long, such as 90d.")
]
SampleOption = Annotated[
    str | None,
    typer.Option(metavar="CONFIDENCE/SHARE", help="A random sample that would find such a share of damage, as 95%/1%."),
]
EstimateOption = Annotated[bool, typer.Option("--estimate", help="Only say what it takes.")]
RepairOption = Annotated[bool, typer.Option(help="Repair what is found damaged, from parity and from other copies.")]

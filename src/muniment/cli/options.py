"""Options and arguments that several commands share, so that they read alike."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ProjectOption = Annotated[
    str | None, typer.Option("--project", "-p", metavar="ORG/PROJECT", help="The project, if not the archive's own.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="The resource's id.", show_default=False)]
OptionalId = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="One resource; without it all.", show_default=False)
]
InstanceOption = Annotated[
    str | None,
    typer.Option("--instance", "-i", metavar="N", help="An earlier instance: a number or its identifier."),
]

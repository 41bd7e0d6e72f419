"""The command `doctor`: a look over the installation."""

from __future__ import annotations

import typer

from muniment.cli.context import print_json, say
from muniment.cli.options import Json
from muniment.errors.base import EXIT_FINDINGS


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Look over the installation: programs, settings, rights, disk, clock, database; exit 1 when something fails."""
    from muniment.app.doctor import examine

    found = list(examine(context.obj.opening()))
    failed = [sign for sign in found if sign.state == "failed"]
    if as_json:
        print_json({"ok": not failed, "signs": [sign._asdict() for sign in found]})
    else:
        for sign in found:
            line = f"{sign.state.upper() if sign.state == 'failed' else sign.state:>7}  {sign.what}: {sign.said}"
            (say if sign.state == "ok" else typer.echo)(line)
        if not failed:
            warnings = sum(sign.state == "warning" for sign in found)
            say("all is well" + (f", but for {warnings} warning{'s' * (warnings > 1)}" if warnings else ""))
    if failed:
        raise typer.Exit(EXIT_FINDINGS)

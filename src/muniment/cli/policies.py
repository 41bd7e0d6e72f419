"""Commands of policies: what a project asks of its copies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from muniment.cli.context import note, print_json
from muniment.cli.options import Json
from muniment.cli.stores import copying
from muniment.errors.base import EXIT_FINDINGS

policy = typer.Typer(
    help="What a project asks of its copies: where, how, and how often verified.", no_args_is_help=True
)

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="A project, or * for all that have no own policy.")]


@policy.command("set")
def set_policy(
    context: typer.Context,
    project: Project,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy, in TOML.")],
) -> None:
    """Let a policy be in force; what is owed by it is noted at once, and made by `muniment work` or `serve`."""
    from muniment.jobs import Ledger
    from muniment.workflows.copies.checking import troubles
    from muniment.workflows.copies.policy import parse_policy
    from muniment.workflows.copies.steps import schedule

    text = _text_of(file)
    with copying(context) as service:
        for trouble in troubles(service, parse_policy(project, text)):
            note(trouble)
        service.policies.set(service.archive, project, text)
        new = service.plan_all()
        schedule(Ledger(service.table.database))
    note(f"the policy of {project} is in force; {new} copies more are owed")


@policy.command()
def show(
    context: typer.Context,
    project: Annotated[str, typer.Argument(metavar="[PROJECT]", help="A project; by default all.")] = "",
    as_json: Json = False,
) -> None:
    """Show the policy that is in force."""
    with copying(context) as service:
        found = [service.policies.of(project)] if project else service.policies.all()
    if as_json:
        print_json([{"project": each.project, "text": each.text} for each in found])
        return
    for each in found:
        typer.echo(f"# {each.project}\n{each.text.rstrip()}" if each.text else f"# {project}: no policy")


@policy.command()
def check(
    context: typer.Context,
    project: Annotated[str, typer.Argument(metavar="[PROJECT]", help="A project; by default all.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A policy that is not in force: ask the stores alone.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask every store whether it can do what the policies ask of it, and list what is not protected; exit 1 if so."""
    from muniment.errors.base import BadInput
    from muniment.workflows.copies.checking import troubles
    from muniment.workflows.copies.policy import parse_policy
    from muniment.workflows.copies.status import protections

    if file is not None:
        with copying(context) as service:
            trouble = list(troubles(service, parse_policy(project or "*", _text_of(file))))
        if as_json:
            print_json({"troubles": trouble})
        else:
            typer.echo("\n".join(trouble) or "Every store can do what it asks.")
        if trouble:
            raise typer.Exit(EXIT_FINDINGS)
        return
    with copying(context) as service:
        known = {*service.archive.projects(), *(each.project for each in service.policies.all())}
        if project and project not in known:
            raise BadInput(reason=f"there is neither a resource in a project {project!r} nor a policy of its own")
        found = [service.policies.of(project)] if project else service.policies.all()
        trouble = [text for each in found for text in troubles(service, each)]
        service.plan()
        lacking = [each for each in protections(service, project or None) if not each.protected]
    if as_json:
        print_json({"troubles": trouble, "unprotected": [each.as_json() for each in lacking]})
    else:
        for text in trouble:
            typer.echo(text)
        for each in lacking:
            for one in each.shortfalls:
                typer.echo(f"{each.id}  {one.copy}  {f'v{one.instance}' if one.instance else ''}  {one.reason}")
        if not trouble and not lacking:
            typer.echo("Everything is protected as its policy asks.")
    if trouble or lacking:
        raise typer.Exit(EXIT_FINDINGS)


def _text_of(file: Path) -> str:
    """What is in the file of a policy.

    Raises:
        BadInput: It cannot be read.
    """
    from muniment.errors.base import BadInput

    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(reason=f"the policy cannot be read: {error}") from error

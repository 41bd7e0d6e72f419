"""The command that puts things in: `add`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import note, print_json
from muniment.cli.options import Json, ProjectOption
from muniment.content import Finding
from muniment.content.portability import check_names
from muniment.errors.base import BadInput

if TYPE_CHECKING:
    from muniment.cli.context import Context
    from muniment.content.archive import Archive
    from muniment.content.transaction import Transaction

_SHOWN = 5


def add(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, and folders for what is in them.")],
    id: Annotated[str | None, typer.Option("--id", help="The resource; a new UUID without it.")] = None,
    project: ProjectOption = None,
    into: Annotated[str | None, typer.Option(metavar="FOLDER", help="A folder in the package to put them in.")] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="Why this instance is made.")] = "",
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="What to say about it, or @FILE.")] = None,
    expect: Annotated[
        list[str] | None, typer.Option(metavar="DIGEST", help="The digest a single file must have, as sha256:…")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Leave this path out of the new instance.")
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Leave out everything that is not added now.")] = False,
    no_parity: Annotated[bool, typer.Option("--no-parity", help="Make no parity now.")] = False,
    as_json: Json = False,
) -> None:
    """Add files: a new resource the first time, a new instance later. Prints the resource's id."""
    shared: Context = context.obj
    with shared.archive(parity=not no_parity) as archive, shared.progress() as progress:
        existing = id is not None and archive.exists(id, project)
        transaction = _begin(archive, id, project, message, existing=existing)
        with transaction:
            for path in _to_remove(transaction, remove or (), only=only):
                transaction.delete(path)
            if metadata:
                transaction.metadata.update(_metadata(metadata))
            for path in paths:
                name = f"{into}/{Path(path).name}" if into and not Path(path).is_dir() else into
                transaction.add(path, name, digests=expect, progress=progress)
            # Asked before the commit, the names are at hand: the instance would read them all again.
            names = list(transaction)
            instance = transaction.commit(progress=progress)
        links = instance.record.get("links", {})
        if transaction.unprotected:
            note(f"it is committed, but has no parity: {transaction.unprotected} Run `muniment repair` to make it")
        if links:
            note(f"{len(links)} symbolic links were recorded as links, not followed")
        warnings = list(check_names(names, resource=instance.id, instance=str(instance.number)))
        if warnings and not as_json:
            _warn(warnings)
        if as_json:
            print_json(
                {
                    "id": instance.id,
                    "project": instance.project,
                    "instance": instance.number,
                    "instance_id": instance.instance,
                    "files": len(names),
                    "links": len(links),
                    "unprotected": transaction.unprotected,
                    "warnings": [finding.as_json() for finding in warnings],
                }
            )
        else:
            typer.echo(instance.id)


def _warn(warnings: list[Finding]) -> None:
    """Name the first few; a thousand lines of warnings are read by nobody."""
    for finding in warnings[:_SHOWN]:
        note(f"warning {finding.code}: {finding.message}")
    if len(warnings) > _SHOWN:
        note(f"… and {len(warnings) - _SHOWN} more names like these; `--json` lists all")


def _begin(archive: Archive, id: str | None, project: str | None, message: str, *, existing: bool) -> Transaction:
    if existing and id is not None:
        return archive.get(id, "a", project=project, message=message)
    return archive.new(id, project, message=message)


def _to_remove(transaction: Transaction, remove: list[str] | tuple[str, ...], *, only: bool) -> list[str]:
    return [entry.path for entry in transaction.files()] if only else list(remove)


def _metadata(text: str) -> dict[str, object]:
    """The JSON object given on the command line or in a file.

    Raises:
        BadInput: It is not a JSON object.
    """
    try:
        found = json.loads(Path(text[1:]).read_text("utf-8") if text.startswith("@") else text)
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(reason=f"--metadata is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise BadInput(reason='--metadata is not a JSON object, such as {"title": "…"}')
    return found

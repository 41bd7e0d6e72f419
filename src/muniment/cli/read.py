"""Commands that read: `ls`, `show`, `get`, `cat`, `events`."""

from __future__ import annotations

import itertools
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muniment.cli.context import note, print_json, print_json_list, refuse_inside, size_text, write_new
from muniment.cli.instances import chosen, offer_paths
from muniment.cli.options import AtOption, Id, InstanceOption, Json, OptionalId, ProjectOption

if TYPE_CHECKING:
    from muniment.cli.context import Context
    from muniment.content.archive import Summary
    from muniment.content.instance import Instance
    from muniment.content.progress import Progress


def ls(
    context: typer.Context,
    id: OptionalId = None,
    project: ProjectOption = None,
    instance: InstanceOption = None,
    at: AtOption = None,
    after: Annotated[str, typer.Option(metavar="ID", help="Begin after this id.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    as_json: Json = False,
) -> None:
    """List resources, or the files of one."""
    with context.obj.archive() as archive:
        if id is not None:
            found = chosen(archive, id, instance=instance, at=at, project=project)
            rows: Any = ({"path": e.path, "size": e.size, "digests": dict(e.digests)} for e in found.files())
            if as_json:
                print_json_list(rows)
            else:
                for row in rows:
                    typer.echo(f"{row['size']:>14}  {row['path']}")
            return
        items = archive.resources(project, after=after, limit=limit)
        if as_json:
            print_json_list({name: getattr(item, name) for name in item.__slots__} for item in items)
            return
        for item in items:
            typer.echo(
                f"{item.id}  {item.project}  v{item.head}  {item.files} files  {size_text(item.bytes)}  "
                f"{item.modified}  {_audited(item)}"
            )


def _audited(item: Summary) -> str:
    """When a resource's content was last compared with what is recorded, and how that went."""
    if not item.audited:
        return "never audited"
    return f"audited {item.audited}" + (": not as recorded" if item.damaged else "")


def show(
    context: typer.Context,
    id: Id,
    project: ProjectOption = None,
    left_out: Annotated[
        bool, typer.Option("--left-out", help="List what each instance's making left out, and by which rule.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a resource: its instances, who made them, and what is said about it."""
    with context.obj.archive() as archive:
        history = archive.history(id, project)
        if left_out and not as_json:
            for item in history:
                for each in item.record.get("left_out", []):
                    typer.echo(f"v{item.number}  {each['path']}  by {each['rule']} ({each['given']})")
            return
        newest = history[-1]
        summary = archive.summary(newest.id, newest.project)
        if as_json:
            print_json(
                {
                    "id": newest.id,
                    "project": newest.project,
                    "metadata": newest.metadata,
                    "instances": [_instance(item) for item in history],
                    "audited": summary.audited,
                    "damaged": summary.damaged,
                    "path": str(newest.root),
                }
            )
            return
        typer.echo(f"{newest.id}  in {newest.project}")
        typer.echo(f"  at {newest.root}")
        for key, value in newest.metadata.items():
            typer.echo(f"  {key}: {value}")
        for name, pointed in newest.record.get("links", {}).items():
            typer.echo(f"  {name} -> {pointed}")
        typer.echo(f"  {_audited(summary)}")
        for item in history:
            typer.echo(f"  v{item.number}  {item.created}  {len(item)} files  {item.agent['name']}: {item.message}")


def get(
    context: typer.Context,
    id: Id,
    path: Annotated[
        str | None,
        typer.Argument(metavar="[PATH]", help="One file or folder; without it all.", autocompletion=offer_paths),
    ] = None,
    instance: InstanceOption = None,
    at: AtOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Where to; a file's default is standard output."),
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Copy a file, a folder or a whole instance out of the archive, checked on the way."""
    from muniment.workflows.extract import take_out_file

    shared: Context = context.obj
    with shared.archive() as archive, shared.progress() as progress:
        refuse_inside(archive, output)
        found = chosen(archive, id, instance=instance, at=at, project=project)
        if path is None or path.rstrip("/") not in found:
            folder = (path or "").strip("/")
            bring_out(found, folder, output or Path(Path(folder or id).name or "instance"), progress)
        elif output is None:
            with found.open(path) as file:
                shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
        else:
            take_out_file(found, path, output)


def bring_out(found: Instance, folder: str, target: Path, progress: Progress) -> None:
    """Copy an instance, or a folder in it, to `target`, and say what is not there as it was.

    Raises:
        MunimentError: As `take_out`.
    """
    from muniment.workflows.extract import take_out

    extracted = take_out(found, target, folder, progress=progress)
    for name, why in extracted.left_out.items():
        note(f"not written: {name!r}, {why}")
    for name, given in extracted.renamed.items():
        note(f"{name!r} cannot be a file's name here; it is {given!r} in {target}")


def cat(
    context: typer.Context,
    id: Id,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, one after the other.", autocompletion=offer_paths),
    ],
    instance: InstanceOption = None,
    at: AtOption = None,
    project: ProjectOption = None,
) -> None:
    """Write files to standard output, checked on the way."""
    with context.obj.archive() as archive:
        found = chosen(archive, id, instance=instance, at=at, project=project)
        for path in paths:
            with found.open(path) as file:
                shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)


def _instance(item: Instance) -> dict[str, Any]:
    return {
        "number": item.number,
        "id": item.instance,
        "created": item.created,
        "message": item.message,
        "agent": dict(item.agent),
        "files": len(item),
        "links": dict(item.record.get("links", {})),
        "left_out": list(item.record.get("left_out", [])),
        "provenance": item.provenance,
    }


def events(
    context: typer.Context,
    start: Annotated[
        str | None, typer.Option("--start", "-s", help="Only after this: ISO 8601 time, Unix time or event number.")
    ] = None,
    resource: Annotated[str | None, typer.Option(metavar="ID", help="Only of this resource.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    as_json: Json = False,
) -> None:
    """Show the log, oldest event first."""
    with context.obj.archive() as archive:
        found = (event for event in archive.events(start) if resource in {None, event.resource})
        chosen = itertools.islice(found, limit)
        if as_json:
            print_json_list(event.as_json() for event in chosen)
            return
        for event in chosen:
            what = f"{event.resource} v{event.instance}" if event.instance else event.resource
            typer.echo(f"{event.seq:>6}  {event.timestamp}  {event.event}  {event.outcome}  {what}  {event.agent}")


def head(
    context: typer.Context,
    request: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a request for a time stamp of it there (RFC 3161).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the log's head: noted down elsewhere, it lets `audit --since` prove that nothing before it changed."""
    with context.obj.archive() as archive:
        refuse_inside(archive, request)
        found = archive.head()
        if request is not None:
            from muniment.content.extras import need

            need("timestamps", "A request for a time stamp")
            from muniment.workflows.timestamps import request_for

            write_new(request, request_for(found))
        if as_json:
            print_json({"seq": found.seq, "hash": found.hash})
        else:
            typer.echo(str(found))

"""The command that takes material from where it lives: `fetch`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muniment.cli.context import note, print_json, size_text
from muniment.cli.options import Json
from muniment.errors.base import EXIT_FINDINGS, BadInput

if TYPE_CHECKING:
    from muniment.cli.context import Context
    from muniment.content import Progress

_SHOWN = 5
_EVERY = 0.3
_INTERRUPTED = 130

Elements = list[dict[str, dict[str, object]]]


def fetch(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Its name and fields, as `github user=octocat repo=tides`; an http(s) address; or a folder's path. "
            "A secret field takes @FILE, or @- for standard input.",
            show_default=False,
        ),
    ],
    id: Annotated[
        str | None, typer.Option("--id", help="The resource; without it one that follows from the sources.")
    ] = None,
    into: Annotated[
        str | None, typer.Option("--into", metavar="ORG/PROJECT", help="The project, if not the archive's own.")
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="Why this instance is made.")] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Fetch also what looks unchanged since the newest instance.")
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Only ask for it, for a server or workers to do, and print the job.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetch a resource from sources, or its next instance: where it was interrupted, the same command goes on.

    Prints the resource's id. Exit status 1 says that some files could not be had; the rest is archived.
    """
    shared: Context = context.obj
    elements = elements_of(sources)
    given = {"id": id, "project": into, "message": message, "again": again}
    try:
        work = _at_server if shared.opening().remote else _here
        document = work(shared, elements, given, queue=queue)
    except KeyboardInterrupt:
        note("stopped; what has come is kept, and the same command goes on with it")
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        print_json(document)
    elif queue:
        typer.echo(document["fetch"])
    if not queue:
        _tell(document, quietly=as_json)


def elements_of(words: Sequence[str]) -> Elements:
    """The words of a command line as the sources of a request: a name, and the fields that follow it.

    Raises:
        BadInput: A word is neither, or a secret is in the open.
        UnknownSource, ExtensionBroken: There is no such source.
    """
    from muniment.sources import find

    found: Elements = []
    for word in words:
        name, mark, value = word.partition("=")
        if word.lower().startswith(("http://", "https://")):
            found.append({"http": {"url": word}})
        elif word.startswith(("/", "./", "../")) or word in {".", ".."}:
            found.append({"local": {"path": str(Path(word).absolute())}})
        elif not mark:
            found.append({find(word).name: {}})
        elif not found:
            raise BadInput(reason=f"{name}=… is a field, and no source stands before it")
        else:
            ((kind, fields),) = found[-1].items()
            fields[name] = _value(kind, name, value)
    return found


def _value(kind: str, name: str, value: str) -> object:
    from muniment.errors.fetch import SecretInCommand
    from muniment.sources import find

    if name in find(kind).secret_fields():
        if not value.startswith("@"):
            raise SecretInCommand(service=kind, field=name)
        return _secret(value[1:])
    if name == "versions":
        return {"true": True, "false": False}.get(value, int(value) if value.isdecimal() else value)
    return value


def _secret(place: str) -> str:
    try:
        text = sys.stdin.read() if place == "-" else Path(place).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(reason=f"the file with a secret cannot be read: {error}") from error
    return text.strip()


def _here(shared: Context, elements: Elements, given: Mapping[str, Any], *, queue: bool) -> dict[str, object]:
    """Put it into the ledger, and do it in this process."""
    from muniment.app.background import BackgroundServices
    from muniment.workflows.fetch import FetchRequest, read_sources

    services, secrets = read_sources(elements, keeper=True)
    app = shared.app()
    working = BackgroundServices(app)
    try:
        working.rehearse_fetching()
        fetches = working.fetches()
        job = fetches.submit(FetchRequest(services, secrets, **given), requester=app.agent().name)
        if not job.new:
            note(f"going on with {job.id}, which was asked for before")
        if not queue:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            with working.fetch_engine(), shared.progress() as progress:
                for now in working.registration_context.ledger.watch(job.id, every=_EVERY):
                    for step in now.running:
                        progress(step.what or step.name, step.done, step.total, size=step.size)
        return fetches.show(job.id)
    finally:
        working.close()


def _at_server(shared: Context, elements: Elements, given: Mapping[str, object], *, queue: bool) -> dict[str, object]:
    """Have the server do it, and follow it until it has ended."""
    from muniment.sources import find

    for element in elements:
        (name,) = element
        if not find(name).submitted:
            raise BadInput(reason=f"a server does not fetch from {name!r} for others; `muniment add` puts folders in")
    with shared.opening().remote_fetches() as fetches, shared.progress() as progress:
        document = fetches.submit(elements, **given)
        while not queue and document["state"] == "running":
            _follow(document, progress)
            time.sleep(_EVERY)
            document = fetches.show(document["fetch"])
        return document


def _follow(document: Mapping[str, Any], progress: Progress) -> None:
    for step in document["running"]:
        progress(step["what"] or step["source"], step["done"], step["total"], size=step["bytes"])


def _tell(document: Mapping[str, Any], *, quietly: bool) -> None:
    """Say what came of it.

    Raises:
        FetchFailed: Nothing did.
        Exit: Not all of it.
    """
    from muniment.workflows.fetch.requests import refuse_failed

    refuse_failed(document)
    result = document["result"]
    if not quietly:
        typer.echo(document["id"])
        made = f"instance {result['instance']}" if result["changed"] else "nothing changed since instance"
        number = "" if result["changed"] else f" {result['instance']}"
        note(f"{made}{number}: {result['files']} files, {size_text(result['size'])}")
        for failure in result["failures"][:_SHOWN]:
            note(f"not had: {failure['file']}: {failure['reason']}")
        if result["failed"] > _SHOWN:
            note(f"… and {result['failed'] - _SHOWN} more; the instance's metadata lists them all")
    if result["failed"]:
        raise typer.Exit(EXIT_FINDINGS)

"""The command `muniment`: global options, the list of commands, and how errors reach the user."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from muniment import __version__
from muniment.cli.context import Context
from muniment.errors.base import EXIT_INTERNAL, EXIT_OK, MunimentError

_COMMANDS = {
    "init": "maintenance",
    "add": "add",
    "fetch": "fetch",
    "ls": "read",
    "show": "read",
    "get": "read",
    "events": "read",
    "head": "read",
    "audit": "fixity",
    "repair": "fixity",
    "export": "exchange",
    "import": "exchange",
    "migrate": "exchange",
    "validate": "fixity",
    "recover": "maintenance",
    "purge": "maintenance",
    "reindex": "maintenance",
    "serve": "serve",
    "work": "jobs",
    "status": "operations",
}
"""Every command and the module it is in, in the order of the help."""
_GROUPS = {
    "store": "stores",
    "policy": "policies",
    "copies": "copies",
    "ckan": "ckan",
    "distill": "distill",
    "key": "keys",
    "access": "rights",
    "job": "jobs",
    "limit": "operations",
    "ledger": "jobs",
    "registration": "jobs",
    "report": "reports",
}
"""Commands that have commands of their own."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"muniment {__version__}")
        raise typer.Exit


def begin(
    context: typer.Context,
    archive: Annotated[
        str | None,
        typer.Option(
            "--archive",
            "-a",
            metavar="DIR|URL",
            envvar="MUNIMENT_ARCHIVE",
            help="The archive's folder, or its server's URL.",
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(metavar="DIR", envvar="MUNIMENT_STATE", help="Where index and ledger lie, if not there."),
    ] = None,
    key_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            envvar="MUNIMENT_KEY_FILE",
            help="The key for a server; or set MUNIMENT_KEY. Never an option.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """A digital preservation archive: put files in, prove they are unchanged, carry them away."""
    context.obj = Context(archive, state, key_file, quiet=quiet)


def options_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with the options of all commands before the command, wherever they stood.

    `--state` stays where it is: jobs have an option of that name. So does everything after `--`.
    """
    ahead: list[str] = []
    rest: list[str] = []
    left = iter(arguments)
    for word in left:
        if word == "--":
            rest += [word, *left]
        elif word in {"-q", "--quiet"} or word.startswith(("--archive=", "--key-file=")):
            ahead.append(word)
        elif word in {"-a", "--archive", "--key-file"}:
            ahead += [word, *(value for value in [next(left, None)] if value is not None)]
        else:
            rest.append(word)
    return ahead + rest


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line: all of it, or what `arguments` may ask for when they name commands.

    Typer takes each command's signature apart when it starts; for all of them that takes longer than
    most commands have work.
    """
    app = typer.Typer(
        name="muniment",
        no_args_is_help=True,
        rich_markup_mode=None,  # rich's help costs 0.2 s at every start that prints it
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(begin)
    named = {*_COMMANDS, *_GROUPS}.intersection(arguments)
    for name, module in {**_COMMANDS, **_GROUPS}.items():
        if named and name not in named:
            continue
        commands = import_module(f"muniment.cli.{module}")
        if name in _GROUPS:
            app.add_typer(getattr(commands, name), name=name)
        else:
            app.command(name=name)(getattr(commands, f"{name}_" if name == "import" else name))
    return app


def main() -> None:
    """Run the command line and end the process with its exit status."""
    # What a command makes lasts until it is done; looking for garbage in it every 700 objects finds none.
    gc.set_threshold(20_000, 10, 10)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit status (docs/reference/cli.md)."""
    arguments = options_first(arguments)
    try:
        result = application(arguments)(arguments, prog_name="muniment", standalone_mode=True)
    except MunimentError as error:
        sys.stderr.write(f"muniment: {error}\n")
        return error.exit_status
    except BrokenPipeError:
        # The reader (head, less) has seen enough; that is no failure.
        sys.stderr.close()
        return EXIT_OK
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_INTERNAL
    return result if isinstance(result, int) else EXIT_OK

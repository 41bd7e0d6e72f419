"""The command `muniment`: global options, the list of commands, and how errors reach the user."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from muniment import __version__
from muniment.cli import adding, checking, exchange, keeping, keys, reading, rights, serving, working
from muniment.cli.context import Context
from muniment.errors.base import EXIT_INTERNAL, EXIT_OK, MunimentError

app = typer.Typer(
    name="muniment",
    help="A digital preservation archive: put files in, prove they are unchanged, carry them away.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help costs 0.2 s at every start that prints it
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    keeping.init,
    adding.add,
    reading.ls,
    reading.show,
    reading.get,
    reading.events,
    checking.audit,
    checking.repair,
    exchange.export,
    exchange.import_,
    exchange.migrate,
    checking.validate,
    keeping.recover,
    keeping.purge,
    keeping.reindex,
    serving.serve,
    working.work,
):
    app.command(name=command.__name__.rstrip("_"))(command)
app.add_typer(keys.key, name="key")
app.add_typer(rights.access, name="access")
app.add_typer(working.job, name="job")
app.add_typer(working.ledger, name="ledger")
app.add_typer(working.registration, name="registration")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"muniment {__version__}")
        raise typer.Exit


@app.callback()
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


def main() -> None:
    """Run the command line and end the process with its exit status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit status (docs/reference/cli.md)."""
    try:
        result = app(arguments, prog_name="muniment", standalone_mode=True)
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

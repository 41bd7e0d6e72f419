"""The command `muniment`: global options, the list of commands, and how errors reach the user."""

from __future__ import annotations

import contextvars
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from muniment import __version__
from muniment.cli.context import CURRENT, Context
from muniment.cli.output import standard_output
from muniment.cli.plain_options import read_plainly
from muniment.errors.archive import OutputFailed
from muniment.errors.base import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, MunimentError

_COMMANDS = {
    "init": ("maintenance", "Make a new archive in a new or empty folder, or in a bucket."),
    "add": ("add", "Add files: a new resource the first time, a new instance later. Prints the resource's id."),
    "batch": (
        "batch",
        "Add the resources of a table: a row for each file or folder, with what is said about it in further columns.",
    ),
    "fetch": (
        "fetch",
        "Fetch a resource from sources, or its next instance: where it was interrupted, the same command goes on.",
    ),
    "ls": ("read", "List resources, or the files of one."),
    "show": ("read", "Show a resource: its instances, who made them, and what is said about it."),
    "get": ("read", "Copy a file, a folder or a whole instance out of the archive, checked on the way."),
    "cat": ("read", "Write files to standard output, checked on the way."),
    "diff": ("difference", "Show how instances differ: + added, - removed, ~ other content, > moved, * said about it."),
    "find": ("find", "Find files in all resources; exit 1 when there is none."),
    "stats": ("stats", "Show sizes, growth by month, what equal content saved and what parity takes."),
    "events": ("read", "Show the log, oldest event first."),
    "head": (
        "read",
        "Print the log's head: noted down elsewhere, it lets `audit --since` prove that nothing before it changed.",
    ),
    "audit": ("fixity", "Check that everything recorded is there and right, and everything there is recorded."),
    "repair": (
        "fixity",
        "Repair what an audit finds, from parity and then from copies in stores; name what cannot be repaired.",
    ),
    "export": ("exchange", "Carry a resource out as a package that is checked after it was written."),
    "import": ("exchange", "Take a package in, after checking it whole."),
    "migrate": ("exchange", "Copy resources to another archive, verified before they are published there."),
    "restore": (
        "restore",
        "Make the archive again from one store alone, or the OCFL object of one resource; exit 1 when something lacks.",
    ),
    "validate": ("fixity", "Judge any bag, OCFL object, storage root or RO-Crate, also one that is not Muniment's."),
    "recover": ("maintenance", "Finish what a crash left, and list unfinished transactions or close them."),
    "mirror": (
        "maintenance",
        "Make a folder from an archive in a bucket, or bring one up to date: a valid archive at every moment.",
    ),
    "purge": ("maintenance", "Remove a resource for ever (dynamic mode only)."),
    "doctor": (
        "doctor",
        "Look over the installation: programs, settings, rights, disk, clock, database; exit 1 when something fails.",
    ),
    "reindex": ("maintenance", "Build the index anew from the files on disk."),
    "serve": ("serve", "Serve the archive over HTTP until it is told to stop (SIGTERM, Ctrl-C)."),
    "work": (
        "jobs",
        "Do what the ledger owes until it is told to stop (SIGTERM, Ctrl-C): short steps end, long ones go back.",
    ),
    "status": (
        "operations",
        "Show what is owed, what holds it up, who works on what, and what failed; exit 1 when it needs somebody.",
    ),
}
"""Every command, the module it is in and its help, in the order of the help, which then loads none of them."""
_GROUPS = {
    "store": ("stores", "The places where copies go: folders, S3, LTFS tapes, remotes of rclone."),
    "policy": ("policies", "What a project asks of its copies: where, how, and how often verified."),
    "copies": ("copies", "Copies of the archive on stores: `copies [ID]` says what is protected, and by what."),
    "retention": ("retention", "How long resources are kept, and no purge before."),
    "ckan": ("ckan", "Archive the resources of CKAN portals, and report which links are broken."),
    "distill": ("distill", "Bring folders of scans to tape, cloud, access pages and the catalogue."),
    "key": (
        "keys",
        "Keys with which programs and people come in over HTTP: as Bearer token, or as the user name of Basic.",
    ),
    "access": ("rights", "Rules: who may do what, on everything, an organisation or a project."),
    "job": ("jobs", "What was asked for, how far it is, and what became of it."),
    "limit": ("operations", "The services that may not be called now, and letting them be called."),
    "ledger": ("jobs", "Look after the ledger, which remembers what is owed."),
    "registration": ("jobs", "Check and repair what lies in a registration store."),
    "report": ("reports", "Reports: what an archive can show of what it keeps."),
}
"""Commands that have commands of their own."""
_SECTIONS = {
    "To keep things": ("init", "add", "batch", "fetch", "import"),
    "To look, and to take out": (
        *("ls", "show", "get", "cat", "diff", "find", "stats", "events", "export", "restore"),
        "report",
    ),
    "To know that all is well": ("audit", "repair", "validate", "head", "doctor", "recover", "reindex"),
    "Copies, and how long things stay": ("store", "policy", "copies", "mirror", "migrate", "retention", "purge"),
    "For others, and what is owed to them": (
        *("serve", "work", "status", "key", "access", "job", "limit", "ledger"),
        "registration",
    ),
    "Collections": ("ckan", "distill"),
}
"""The commands by what they are for, as the help lists them."""
_SWITCHES = frozenset({"-q", "--quiet", "-v", "--verbose", "-V", "--version"})
_VALUES = ("--archive", "--key-file", "--config")
"""Options of all commands, wherever they stand."""


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
            help="The archive's folder, its server's URL, or a bucket (s3://…).",
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
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            envvar="MUNIMENT_CONFIG",
            help="The configuration, if not muniment/config.toml in ~/.config and /etc/xdg.",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress, and say nothing when all is well.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more: what is read, what changed, what an error came from.")
    ] = False,
    _: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A digital preservation archive: put files in, prove they are unchanged, carry them away."""
    context.obj = Context(archive, state, key_file, config, quiet=quiet, verbose=verbose)
    CURRENT.set(context.obj)


def options_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with the options of all commands before the command, wherever they stood.

    `--state` stays where it is: jobs have an option of that name. So does everything after `--`. Whoever asks by
    `help COMMAND`, as git's users do, is answered as by `COMMAND --help`.
    """
    ahead: list[str] = []
    rest: list[str] = []
    left = iter(arguments)
    for word in left:
        if word == "--":
            rest += [word, *left]
        elif word in _SWITCHES or word.startswith(tuple(f"{option}=" for option in _VALUES)):
            ahead.append(word)
        elif word == "-a" or word in _VALUES:
            ahead += [word, *(value for value in [next(left, None)] if value is not None)]
        else:
            rest.append(word)
    return ahead + ([*rest[1:], "--help"] if rest[:1] == ["help"] else rest)


class _Anywhere(TyperGroup):
    """The commands, with the options of all of them wherever they stand; also for a shell that completes words."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override] # typer's own
        """Take the options first."""
        return super().parse_args(ctx, options_first(args))

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override] # as above
        """List the commands by what they are for, each with its first sentence; none is cut."""
        del ctx
        for title, names in _SECTIONS.items():
            there = [(name, self.commands[name]) for name in names if name in self.commands]
            if there:
                with formatter.section(title):
                    formatter.write_dl([(name, command.get_short_help_str(limit=1000)) for name, command in there])


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line: the commands that `arguments` name, or all of them with nothing but their help.

    Typer takes each command's signature apart when it starts; for all of them that takes longer than
    most commands have work. A shell that asks how a word may go on gets everything.
    """
    read_plainly()
    app = typer.Typer(
        cls=_Anywhere,
        name="muniment",
        no_args_is_help=True,
        rich_markup_mode=None,  # rich's help costs 0.2 s at every start that prints it
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(begin)
    named = {*_COMMANDS, *_GROUPS}.intersection(arguments)
    whole = bool(named) or not arguments
    for name, (module, said) in {**_COMMANDS, **_GROUPS}.items():
        if named and name not in named:
            continue
        if not whole:
            if name in _GROUPS:
                app.add_typer(typer.Typer(help=said), name=name)
            else:
                app.command(name, help=said)(_listed)
            continue
        commands = import_module(f"muniment.cli.{module}")
        if name in _GROUPS:
            app.add_typer(getattr(commands, name), name=name)
        else:
            app.command(name=name)(getattr(commands, f"{name}_" if name == "import" else name))
    return app


def _listed() -> None:
    """What stands for a command in the list of all: it has no parameters, and is never run.

    Raises:
        AssertionError: It was.
    """
    raise AssertionError


def main() -> None:
    """Run the command line and end the process with its exit status."""
    # What a command makes lasts until it is done; looking for garbage in it every 700 objects finds none.
    gc.set_threshold(20_000, 10, 10)
    sys.stdout = standard_output()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit status (docs/reference/cli.md): 1 is for what a check found, and no fault's."""
    arguments = options_first(arguments)
    own = contextvars.copy_context()
    try:
        status = own.run(_status, arguments)
        # What is still on its way to a full disk would fail after the last word about it.
        sys.stdout.flush()
    except MunimentError as error:
        sys.stderr.write(f"muniment: {error}\n")
        if getattr(own.get(CURRENT), "verbose", False):
            _tell_causes(error)
        if isinstance(error, OutputFailed):
            _drop_output()
        return error.exit_status
    except ModuleNotFoundError as error:
        from muniment.content.extras import missing

        lacking = missing(error, "This command")
        if lacking is None:
            return _tell_fault()
        sys.stderr.write(f"muniment: {lacking}\n")
        return lacking.exit_status
    except KeyboardInterrupt:
        told = getattr(own.get(CURRENT), "interrupted", "")
        sys.stderr.write(f"muniment: interrupted{told and ': '}{told}\n")
        _drop_output()
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; that is no failure.
        _drop_output()
        return EXIT_OK
    except Exception:  # noqa: BLE001 - whatever it is, nobody may take it for a finding
        return _tell_fault()
    return status


def _tell_fault() -> int:
    traceback.print_exc()
    sys.stderr.write("muniment: this is a fault of the program; please report it with the lines above\n")
    return EXIT_INTERNAL


def _status(arguments: list[str]) -> int:
    """The status a command ends with.

    Raises:
        BrokenPipeError: Nobody reads any more.
        KeyboardInterrupt: Somebody pressed Ctrl-C.
        Exception: Whatever the command raised.
    """
    try:
        result = application(arguments)(arguments, prog_name="muniment", standalone_mode=True)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None  # typer ends it with 1
        if isinstance(end.__context__, typer.Abort):
            return EXIT_USAGE
        if end.code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt from None
        return end.code if isinstance(end.code, int) else EXIT_INTERNAL
    return result if isinstance(result, int) else EXIT_OK


def _tell_causes(error: BaseException) -> None:
    """Say what an error came from, one line for each."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        sys.stderr.write(f"muniment:   from {type(cause).__name__}: {cause}\n")
        cause = cause.__cause__ or cause.__context__


def _drop_output() -> None:
    """Let what is still waiting go nowhere: python writes it at its end, and would fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    finally:
        os.close(nowhere)

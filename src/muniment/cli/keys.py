"""Commands for API keys: make one, list them, give one a new secret, take them back."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import note, print_json
from muniment.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muniment.access import AccessStore, Key, NewKey
    from muniment.app import App
    from muniment.archive import Agent

ADMINISTRATOR = "administrator"
"""The name of the key that `muniment init` makes."""
_DAY = 86400.0

key = typer.Typer(
    help="Keys with which programs and people come in over HTTP: as Bearer token, or as the user name of Basic.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Days = Annotated[float | None, typer.Option(min=0, metavar="DAYS", help="The key ends by itself after so many days.")]


@contextmanager
def open_access_store(context: typer.Context) -> Iterator[tuple[AccessStore, str]]:
    """The keys and rules of the archive, and the name of who changes them.

    Raises:
        BadInput: The archive is behind a server, and where its rules are kept was not named.
    """
    from muniment.access import AccessStore
    from muniment.errors.base import BadInput

    app = context.obj.app()
    if app.remote and app.settings.ledger is None:
        raise BadInput(
            reason="keys and rules are kept where the archive is: name its folder, not its address, or the ledger "
            "(MUNIMENT_LEDGER) if they are in PostgreSQL"
        )
    if not app.remote:
        with context.obj.archive():
            pass  # so that a mistyped folder gets no keys
    try:
        yield AccessStore(app.database()), _text(app.agent())
    finally:
        app.close()


@key.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is called in rules and in the log.")],
    admin: Annotated[bool, typer.Option("--admin", help="It may do everything.")] = False,
    permission: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What it may do, such as resources/read; repeat it."),
    ] = None,
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="ORG[/PROJECT]", help="Where it may do that. Default: everywhere.")
    ] = "/",
    days: Days = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="ORG[/PROJECT]", help="Where it may be used at most, whatever it is granted; repeat it."),
    ] = None,
    scope_permission: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What it may be used for at most, whatever it is granted; repeat it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it: alone, and this once only."""
    from muniment.access import ADMIN, Scope, address_of

    grants: dict[str, frozenset[str]] = {}
    if permission:
        grants[address_of(project)] = frozenset(permission)
    if admin:
        grants["/"] = grants.get("/", frozenset()) | {ADMIN}
    with open_access_store(context) as (store, agent):
        limits = Scope.of(scope or (), scope_permission or ())
        made = store.keys.create(name, grants=grants, expires_at=_end(days), scope=limits, by=agent)
    _print_new(made, as_json=as_json)
    if not grants:
        note(f"the key has no rights of its own yet: see `muniment access grant {made.key.identity} ...`")


@key.command()
def renew(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name of the key.")],
    keep: Annotated[
        bool, typer.Option("--keep", help="Let the old secret count as well, until it is revoked.")
    ] = False,
    days: Days = None,
    as_json: Json = False,
) -> None:
    """Give a key a new secret and print it; the rights stay, the old secret ends."""
    with open_access_store(context) as (store, agent):
        made = store.keys.renew(name, expires_at=_end(days), keep=keep, by=agent)
    _print_new(made, as_json=as_json)


@key.command()
def rotate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name of the key.")],
    grace: Annotated[
        float, typer.Option(min=0, metavar="DAYS", help="For how long the secrets before it count as well.")
    ] = 7.0,
    as_json: Json = False,
) -> None:
    """Give a key its next secret and print it; the one before counts for some days more, so that nothing stands still.

    The new one has the scope of the one before, and lives as long as that was made to live.
    """
    with open_access_store(context) as (store, agent):
        made = store.keys.rotate(name, grace=grace * _DAY, by=agent)
    _print_new(made, as_json=as_json)


@key.command(name="list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List all keys that ever were. Their secrets are kept nowhere."""
    with open_access_store(context) as (store, _):
        keys = store.keys.all()
    if as_json:
        print_json([item.as_json() for item in keys])
        return
    for item in keys:
        typer.echo(f"{item.id}  {item.name}  {_state(item)}")


@key.command()
def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="NAME|ID", help="A key's id, or the name of all that have it.")],
    as_json: Json = False,
) -> None:
    """Take a key back: it counts no more, on a running server within a second."""
    with open_access_store(context) as (store, _):
        revoked = store.keys.revoke(key)
    if as_json:
        print_json([item.as_json() for item in revoked])
        return
    for item in revoked:
        typer.echo(f"{item.id}  {item.name}  {_state(item)}")


def administrator_key(app: App) -> NewKey | None:
    """The key of a new archive's keeper; None where the database has had one before and keeps it.

    Raises:
        MunimentError: As `App.database`.
    """
    from muniment.access import ADMIN, AccessStore
    from muniment.errors.access import KeyNameTaken

    try:
        store = AccessStore(app.database())
        return store.keys.create(ADMINISTRATOR, grants={"/": frozenset({ADMIN})}, by=_text(app.agent()))
    except KeyNameTaken:
        return None
    finally:
        app.close()


def _text(agent: Agent) -> str:
    return f"{agent.name} <{agent.address}>"


def _print_new(made: NewKey, *, as_json: bool) -> None:
    if as_json:
        print_json({**made.key.as_json(), "key": made.text})
    else:
        typer.echo(made.text)


def _end(days: float | None) -> float | None:
    return None if days is None else time.time() + days * _DAY


def _state(item: Key) -> str:
    made = f"made {_date(item.created_at)}"
    if item.scope is not None:
        places, names = sorted(item.scope.places), sorted(item.scope.permissions)
        made += f", for {', '.join(names) or 'everything'} on {', '.join(places) or '/'} at most"
    used = f"last used {_date(item.used_at)}" if item.used_at else "never used"
    if item.revoked_at:
        return f"{made}, {used}, revoked {_date(item.revoked_at)}"
    if item.expires_at:
        ends = "expired" if item.dead(time.time()) else "ends"
        return f"{made}, {used}, {ends} {_date(item.expires_at)}"
    return f"{made}, {used}"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%MZ")

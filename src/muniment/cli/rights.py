"""Commands for access rules: show them, grant and withdraw, and trust issuers of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.context import note, print_json
from muniment.cli.keys import open_access_store
from muniment.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muniment.access import AclRevision

access = typer.Typer(
    help="Rules: who may do what, on everything, an organisation or a project.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Who = Annotated[
    str,
    typer.Argument(metavar="WHO", help="anonymous, REALM/authenticated, REALM/users/NAME or REALM/groups/NAME."),
]
What = Annotated[list[str], typer.Argument(metavar="PERMISSION...", help="See `muniment access permissions`.")]
On = Annotated[str, typer.Option("--on", metavar="ORG[/PROJECT]", help="Where; by default everywhere.")]


@access.command()
def show(
    context: typer.Context,
    on: Annotated[str | None, typer.Argument(metavar="[ORG[/PROJECT]]", help="Only the rules set on this.")] = None,
    as_json: Json = False,
) -> None:
    """Show the rules as they were set."""
    from muniment.access import address_of

    with open_access_store(context) as (store, _):
        found = store.rules.all() if on is None else [store.rules.fetch(address_of(on))]
    if as_json:
        print_json([_as_json(revision) for revision in found])
        return
    for revision in found:
        typer.echo(f"{revision.address}  (revision {revision.rev}, by {revision.changed_by or 'unknown'})")
        for identity, permissions in sorted(revision.acl.items()):
            typer.echo(f"  {identity}: {' '.join(sorted(permissions))}")


@access.command()
def grant(context: typer.Context, who: Who, what: What, on: On = "/", as_json: Json = False) -> None:
    """Let somebody do more, there and on everything below."""
    from muniment.access import Identity, address_of

    with open_access_store(context) as (store, agent):
        acl = {Identity.parse(who): frozenset(what)}
        _print(store.rules.append(address_of(on), acl, by=agent), as_json=as_json)


@access.command()
def withdraw(context: typer.Context, who: Who, what: What, on: On = "/", as_json: Json = False) -> None:
    """Take back what was granted there; what is granted above or to others still counts."""
    from muniment.access import Identity, address_of

    with open_access_store(context) as (store, agent):
        acl = {Identity.parse(who): frozenset(what)}
        _print(store.rules.subtract(address_of(on), acl, by=agent), as_json=as_json)


@access.command()
def clear(
    context: typer.Context,
    on: Annotated[str, typer.Argument(metavar="ORG[/PROJECT]", help="Where; '/' for the rules on everything.")],
    as_json: Json = False,
) -> None:
    """Take all rules off an address. Those on other addresses stay."""
    from muniment.access import address_of

    with open_access_store(context) as (store, agent):
        _print(store.rules.delete(address_of(on), by=agent), as_json=as_json)


@access.command()
def rights(
    context: typer.Context,
    who: Annotated[list[str], typer.Argument(metavar="WHO...", help="A user, and the groups they are in.")],
    on: On = "/",
    as_json: Json = False,
) -> None:
    """Say what somebody may do somewhere, with all that is granted above and to everybody."""
    from muniment.access import ANONYMOUS, Authority, Caller, Identity, Kind

    identities = {ANONYMOUS, *map(Identity.parse, who)}
    identities |= {Identity.authenticated(identity.realm) for identity in identities if identity.kind != Kind.ANONYMOUS}
    with open_access_store(context) as (store, _):
        found = sorted(Authority(store).permissions(Caller(frozenset(identities)), on))
    if as_json:
        print_json(found)
    else:
        _lines(found)


@access.command()
def permissions(as_json: Json = False) -> None:
    """List the permissions there are. `admin` stands for all of them."""
    from muniment.access import PERMISSIONS

    if as_json:
        print_json(list(PERMISSIONS))
    else:
        _lines(PERMISSIONS)


@access.command()
def realms(context: typer.Context, as_json: Json = False) -> None:
    """List the issuers of tokens that are trusted, or were."""
    with open_access_store(context) as (store, _):
        found = store.realms.all()
    if as_json:
        print_json([record.as_json() for record in found])
        return
    for record in found:
        audiences = " ".join(record.realm.audiences) or "any audience"
        ended = "  (no longer trusted)" if record.deprecated else ""
        typer.echo(f"{record.realm.label}  {record.realm.issuer}  {audiences}{ended}")


@access.command()
def trust(
    context: typer.Context,
    label: Annotated[str, typer.Argument(metavar="REALM", help="What rules call the issuer.")],
    issuer: Annotated[str, typer.Argument(help="Its https address, letter by letter as its tokens have it in `iss`.")],
    audience: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="For whom tokens must be made (`aud`); repeat it.")
    ] = None,
    any_audience: Annotated[
        bool, typer.Option("--any-audience", help="Take also tokens that were made for other services.")
    ] = False,
    config: Annotated[str, typer.Option(metavar="URL", help="Its description, if not at the well-known place.")] = "",
    groups: Annotated[str, typer.Option(metavar="CLAIM", help="Where tokens list groups.")] = "groups",
    as_json: Json = False,
) -> None:
    """Trust an OpenID Connect issuer, or change how. Its users have no rights until some are granted."""
    from muniment.access import Realm
    from muniment.errors.access import BadRealm

    if bool(audience) == any_audience:
        raise BadRealm(realm=label[:64], reason="give --audience, or --any-audience, and not both")
    realm = Realm(label, issuer, tuple(audience or ()), name=label, config_url=config, groups_claim=groups)
    with open_access_store(context) as (store, agent):
        known = any(record.realm.label == label for record in store.realms.all())
        record = (store.realms.update if known else store.realms.create)(realm, by=agent)
    if as_json:
        print_json(record.as_json())
    else:
        note(f"tokens of {issuer} are taken now, as realm {label}")


@access.command()
def distrust(
    context: typer.Context,
    label: Annotated[str, typer.Argument(metavar="REALM", help="The realm.")],
    as_json: Json = False,
) -> None:
    """Trust an issuer no longer. Rules that name its users stay, and grant nothing."""
    with open_access_store(context) as (store, agent):
        record = store.realms.deprecate(label, by=agent)
    if as_json:
        print_json(record.as_json())
    else:
        note(f"tokens of {record.realm.issuer} are taken no more")


def _print(revision: AclRevision, *, as_json: bool) -> None:
    if as_json:
        print_json(_as_json(revision))
    else:
        note(f"the rules on {revision.address} are now at revision {revision.rev}")


def _as_json(revision: AclRevision) -> dict[str, object]:
    rules = {str(identity): sorted(permissions) for identity, permissions in sorted(revision.acl.items())}
    return {"address": revision.address, "rev": revision.rev, "by": revision.changed_by, "rules": rules}


def _lines(items: Iterable[str]) -> None:
    for item in items:
        typer.echo(item)

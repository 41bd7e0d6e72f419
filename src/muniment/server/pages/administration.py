"""Administration: who may do what and by which rule, and the keys; every change is a revision that can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from muniment.access import PERMISSIONS, AclRevision, Identity, check_address
from muniment.access.permissions import ROOT, ancestors, check_permissions, effective
from muniment.errors.access import AclNotFound, ApiKeyNotFound, IncorrectRev
from muniment.errors.base import BadInput, MunimentError
from muniment.http.browsers import refuse_other_sites
from muniment.http.throttling import ADMIN
from muniment.server.pages.page import RULES, Page
from muniment.server.pages.revisions import RevisionRow

router = APIRouter(include_in_schema=False)
WRITE_RULES = "acls/write"
_LONGEST = 20_000
_REVISIONS = 20
_PEOPLE = 500
_DAY = 86_400.0
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class GrantOrigin:
    """Why somebody may do something: the rule's address, and whom it names."""

    permission: str
    address: str
    identity: str


def _project(address: str) -> str | None:
    return None if address == ROOT else address.removeprefix("/")


@router.get("/admin/access", operation_id="page_access")
def access_page(request: Request) -> Response:
    """The rules on an address, their revisions, and what somebody may do there."""
    page = Page(request)
    address = check_address(page.asked("address", 200) or ROOT)
    page.access.require(RULES, _project(address))
    return _access(page, address)


def _access(
    page: Page, address: str, *, kept: str | None = None, clash: bool = False, wrong: str = "", status: int = 200
) -> Response:
    store = page.access.authorizer.authority.store
    snapshot = page.access.authorizer.authority.snapshot()
    try:
        current: AclRevision | None = store.rules.fetch(address)
    except AclNotFound:
        current = None
    rev = current.rev if current else 0
    earlier = [store.rules.fetch(address, number) for number in range(rev, max(rev - _REVISIONS, 0), -1)]
    asked = page.asked("who", 600)
    found: list[GrantOrigin] = []
    faulty = ""
    if asked:
        try:
            found = origins(page, address, Identity.parse(asked))
        except MunimentError as error:
            faulty = str(error)
    may_write = page.access.may(WRITE_RULES, _project(address))
    revisions = [
        RevisionRow(
            each.rev,
            each.changed_at,
            each.changed_by,
            as_text(each),
            undo={"address": address, "rev": str(rev), "rules": as_text(each)}
            if may_write and each.rev != rev
            else None,
        )
        for each in earlier
    ]
    t = page.texts
    return page.show(
        "access.html",
        t("Access"),
        "/admin/access",
        status=status,
        heading=t("Who may do what on {address}?", address=address),
        address=address,
        addresses=sorted(place for place in {*snapshot.rules, ROOT} if page.access.may(RULES, _project(place))),
        text=as_text(current) if kept is None else kept,
        now=revisions[0] if revisions else None,
        rev=rev,
        revisions=revisions,
        may_write=may_write,
        permissions=PERMISSIONS,
        asked=asked,
        people=people(page, snapshot.rules),
        origins=found,
        faulty=faulty,
        clash=clash,
        wrong=wrong,
    )


@router.post("/admin/access", operation_id="page_access_change")
def change(
    request: Request,
    address: Annotated[str, Form()] = ROOT,
    rev: Annotated[int, Form()] = 0,
    rules: Annotated[str, Form()] = "",
) -> Response:
    """Make the rules on an address those of the form, if nobody changed them since it was shown."""
    refuse_other_sites(request)
    page = Page(request)
    check_address(address)
    page.access.require(WRITE_RULES, _project(address))
    store = page.access.authorizer.authority.store
    by = page.access.caller.agent
    try:
        acl = as_rules(rules)
        if address == ROOT and not any(ADMIN in rights for rights in acl.values()):
            raise BadInput(reason="nobody would be left who may administer the archive")
        if acl:
            store.rules.replace(address, acl, rev, by=by)
        else:
            store.rules.delete(address, rev, by=by)
    except IncorrectRev as error:
        return _access(page, address, kept=rules, clash=True, status=error.http_status)
    except MunimentError as error:
        return _access(page, address, kept=rules, wrong=str(error), status=error.http_status)
    return page.go(f"/admin/access?address={address}")


def people(page: Page, rules: Mapping[str, Mapping[Identity, object]]) -> list[str]:
    """Whom rules name at addresses whose rules the caller may read, and the holders of keys to an administrator."""
    known = {str(each) for place in rules if page.access.may(RULES, _project(place)) for each in rules[place]}
    if page.access.may(ADMIN, None):
        known |= {f"keys/users/{each.name}" for each in page.access.authorizer.authority.store.keys.all()}
    return sorted(known)[:_PEOPLE]


def origins(page: Page, address: str, identity: Identity) -> list[GrantOrigin]:
    """What somebody may do on an address, each right with the rules that grant it.

    Somebody of a realm is also everybody of that realm, and everybody at all; their groups only their token knows.
    """
    rules = page.access.authorizer.authority.snapshot().rules
    mine = {identity, Identity.parse("anonymous")}
    if identity.realm:
        mine.add(Identity.authenticated(identity.realm))
    rights = effective(rules, frozenset(mine), address)
    found: list[GrantOrigin] = []
    for place in ancestors(address):
        for each in sorted(mine & set(rules.get(place, {}))):
            granted = rules[place][each]
            found += [GrantOrigin(right, place, str(each)) for right in sorted(granted & rights)]
    return found


def as_text(revision: AclRevision | None) -> str:
    """Rules as lines: whom, a colon, and what."""
    if revision is None:
        return ""
    return "\n".join(f"{identity}: {', '.join(sorted(rights))}" for identity, rights in sorted(revision.acl.items()))


def as_rules(text: str) -> dict[Identity, frozenset[str]]:
    """Rules from lines.

    Raises:
        BadInput: A line is none.
        BadIdentity, UnknownPermissions: It names what there is not.
    """
    found: dict[Identity, frozenset[str]] = {}
    for number, line in enumerate(text[:_LONGEST].splitlines(), 1):
        if not line.strip():
            continue
        who, colon, what = line.rpartition(":")
        rights = [word.strip() for word in what.split(",") if word.strip()]
        if not colon or not rights:
            raise BadInput(reason=f"line {number} is not as `keys/users/ann: resources/read, resources/write`")
        identity = Identity.parse(who.strip())
        found[identity] = found.get(identity, frozenset()) | check_permissions(rights)
    return found


@router.get("/admin/keys", operation_id="page_keys")
def keys(request: Request) -> Response:
    """All keys that ever were, without their secrets."""
    page = Page(request)
    page.access.require(ADMIN, None)
    return _keys(page)


@router.post("/admin/keys", operation_id="page_keys_create")
def create_key(
    request: Request,
    name: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = ROOT,
    rights: Annotated[str, Form()] = "",
    days: Annotated[str, Form()] = "",
) -> Response:
    """Make a key; its text is on the answer's page and nowhere else."""
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    authority = page.access.authorizer.authority
    granted = [word.strip() for word in rights.split(",") if word.strip()]
    try:
        grants = {check_address(address): check_permissions(granted)} if granted else None
        life = float(days) * _DAY if days.strip().isdecimal() else None
        until = authority.store.database.now() + life if life else None
        made = authority.store.keys.create(name.strip(), grants=grants, expires_at=until, by=page.access.caller.agent)
    except MunimentError as error:
        return _keys(page, wrong=str(error), status=error.http_status)
    return _keys(page, made=made.text)


@router.post("/admin/keys/{id}/renew", operation_id="page_keys_renew")
def renew_key(request: Request, id: str, grace: Annotated[str, Form()] = "") -> Response:
    """Give a key's name its next secret, if nobody did since it was shown; the former one counts `grace` days more.

    Raises:
        BadInput: That is no number of days.
        ApiKeyNotFound: There is no such key.
    """
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    if not (grace.isdecimal() and len(grace) < _DIGITS):
        raise BadInput(reason=f"{grace[:20]!r} is no number of days")
    keys = page.access.authorizer.authority.store.keys
    name = next((each.name for each in keys.all() if each.id == id), None)
    if name is None:
        raise ApiKeyNotFound(key=id[:64])
    try:
        made = keys.rotate(name, grace=int(grace) * _DAY, newest=id, by=page.access.caller.agent)
    except MunimentError as error:
        return _keys(page, wrong=str(error), status=error.http_status)
    return _keys(page, made=made.text)


@router.post("/admin/keys/{id}/revoke", operation_id="page_keys_revoke")
def revoke_key(request: Request, id: str, sure: Annotated[str, Form()] = "") -> Response:
    """Take a key's power away, and end the sessions that were begun with it.

    Raises:
        BadInput: It was not confirmed.
    """
    refuse_other_sites(request)
    page = Page(request)
    page.access.require(ADMIN, None)
    if not sure:
        raise BadInput(reason="that the key is to be revoked was not confirmed")
    page.access.authorizer.authority.store.keys.revoke(id)
    return page.go("/admin/keys")


def _keys(page: Page, *, made: str = "", wrong: str = "", status: int = 200) -> Response:
    authority = page.access.authorizer.authority
    now = authority.store.database.now()
    found = sorted(authority.store.keys.all(), key=lambda each: (bool(each.dead(now)), -each.created_at))
    living = sum(not each.dead(now) for each in found)
    # The list begins with the newest, and its form renews a name: an older one of it that still counts has none.
    newest = {each.name: each.id for each in reversed(found) if not each.dead(now)}
    return page.show(
        "keys.html",
        page.texts("Keys"),
        "/admin/keys",
        status=status,
        heading=page.texts.counted(living, "One key opens something|{n} keys open something"),
        keys=[(each, each.dead(now), newest.get(each.name) == each.id) for each in found],
        made=made,
        wrong=wrong,
        permissions=PERMISSIONS,
    )

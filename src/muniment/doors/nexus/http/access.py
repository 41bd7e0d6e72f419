"""`/v1/acls`, `/v1/permissions`, `/v1/identities`, `/v1/realms`, `/v1/version`: who may do what, and what this is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from muniment import __version__
from muniment.access import PERMISSIONS, AclRevision, Identity, Realm, RealmRecord
from muniment.content.jsonld import CONTEXTS, METADATA, SEARCH
from muniment.doors.nexus.documents import plain
from muniment.doors.nexus.http.answers import Answer, StreamedAnswer, simple
from muniment.doors.nexus.http.call import Call, label
from muniment.doors.nexus.http.negotiation import JSON, JSON_LD
from muniment.doors.nexus.times import at
from muniment.errors.access import AclNotFound
from muniment.errors.nexus import AddressUnknown, FieldsRefused

Handler = Callable[[Call], Answer | StreamedAnswer]
_ACLS = (f"{CONTEXTS}acls.json", f"{CONTEXTS}acls-metadata.json", METADATA)
_DISCOVERY = "/.well-known/openid-configuration"


def routes(parts: Sequence[str]) -> Mapping[str, Handler]:
    """What can be done at an address."""
    match parts:
        case ["acls"] | ["acls", _] | ["acls", _, _]:
            return {"GET": fetch_acl, "PUT": replace_acl, "PATCH": patch_acl, "DELETE": delete_acl}
        case ["permissions"]:
            return {"GET": permissions}
        case ["identities"]:
            return {"GET": identities}
        case ["realms"]:
            return {"GET": realms}
        case ["realms", _]:
            return {"GET": realm, "PUT": put_realm, "DELETE": deprecate_realm}
        case ["version"]:
            return {"GET": version}
    return {}


def replace_acl(call: Call) -> Answer:
    """Put rules in the place of those on an address."""
    payload = call.json()
    address = _allowed(call, "acls/write")
    rev = call.rev()
    made = _store(call).rules.replace(address, _acl(payload), rev, by=call.actor.identity)
    return _acl_changed(call, made, status=201 if made.rev == 1 else 200)


def patch_acl(call: Call) -> Answer:
    """Grant more, or less."""
    payload = call.json()
    address = _allowed(call, "acls/write")
    kind = payload.get("@type") if isinstance(payload, Mapping) else None
    rules = _store(call).rules
    if kind not in {"Append", "Subtract"}:
        raise FieldsRefused(details="'@type' is neither 'Append' nor 'Subtract'.")
    change = rules.append if kind == "Append" else rules.subtract
    made = change(address, _acl(payload), call.rev(), by=call.actor.identity)
    return _acl_changed(call, made, status=201 if made.rev == 1 else 200)


def delete_acl(call: Call) -> Answer:
    """Take all rules off an address."""
    address = _allowed(call, "acls/write")
    made = _store(call).rules.delete(address, call.rev(needed=True), by=call.actor.identity)
    return _acl_changed(call, made, status=200)


def fetch_acl(call: Call) -> Answer:
    """The rules on an address; `self=false` shows everybody's, `ancestors=true` those above as well.

    Without the right to see everybody's, a caller sees the own ones.
    """
    address = _address(call)
    mine = call.query.get("self", "true").lower() != "false"
    place = address[1:] or None
    if not mine and "*" not in address:
        call.require("acls/read", place)
    found = _wanted(call, address)
    if not mine and "*" in address:
        # A pattern names no place: of each it finds, whoever may see them all sees them all.
        found = [each for each in found if call.may("acls/read", each.address[1:] or None)]
    own = call.access.caller.identities if mine else None
    shown = [_acl_shown(call, each, own) for each in found]
    results = [each for each in shown if each["acl"] or not mine]
    body = {"@context": [*_ACLS, SEARCH], "_total": len(results), "_results": results}
    return Answer(200, plain(body), {"Content-Type": call.accept.require((JSON_LD, JSON))})


def permissions(call: Call) -> Answer:
    """The permissions there are."""
    call.require("permissions/read", None)
    own = f"{call.nexus.addresses.root}/permissions"
    said = {"@id": own, "@type": "Permissions", "permissions": list(PERMISSIONS), "_self": own, "_rev": 1}
    return simple(call, said, (f"{CONTEXTS}permissions.json", f"{CONTEXTS}permissions-metadata.json", METADATA))


def identities(call: Call) -> Answer:
    """Who one is."""
    known = [_identity(call, each) for each in sorted(call.access.caller.identities)]
    return simple(call, {"identities": known}, (f"{CONTEXTS}identities.json", METADATA))


def realms(call: Call) -> Answer:
    """The realms whose tokens are taken."""
    call.require("realms/read", None)
    found = [_realm_shown(call, each) for each in _store(call).realms.all()]
    body = {"@context": [*_REALMS, SEARCH], "_total": len(found), "_results": found}
    return Answer(200, plain(body), {"Content-Type": call.accept.require((JSON_LD, JSON))})


def realm(call: Call) -> Answer:
    """One realm."""
    call.require("realms/read", None)
    return simple(call, _realm_shown(call, _store(call).realms.fetch(label(call.parts[1]))), _REALMS)


def put_realm(call: Call) -> Answer:
    """Trust an issuer, or with `rev` change how."""
    payload = call.json()
    call.require("realms/write", None)
    given = _realm(label(call.parts[1]), payload)
    store, rev = _store(call).realms, call.rev()
    made = (
        store.create(given, by=call.actor.identity) if rev is None else store.update(given, rev, by=call.actor.identity)
    )
    return simple(call, _realm_shown(call, made), _REALMS, status=201 if rev is None else 200)


def deprecate_realm(call: Call) -> Answer:
    """Trust an issuer no longer."""
    call.require("realms/write", None)
    made = _store(call).realms.deprecate(label(call.parts[1]), call.rev(needed=True), by=call.actor.identity)
    return simple(call, _realm_shown(call, made), _REALMS)


def version(call: Call) -> Answer:
    """What this server is; clients of Nexus look for `delta`."""
    call.require("version/read", None)
    said = {"@context": f"{CONTEXTS}version.json", "delta": "1.7.0", "muniment": __version__, "dependencies": {}}
    return Answer(200, plain(said), {"Content-Type": call.accept.require((JSON_LD, JSON))})


_REALMS = (f"{CONTEXTS}realms.json", f"{CONTEXTS}realms-metadata.json", METADATA)


def _store(call: Call) -> Any:
    return call.access.authorizer.authority.store


def _address(call: Call) -> str:
    labels = [part if part == "*" else label(part) for part in call.parts[1:]]
    if "*" in labels and call.method != "GET":
        raise AddressUnknown
    return "/" + "/".join(labels)


def _allowed(call: Call, permission: str) -> str:
    address = _address(call)
    call.require(permission, address[1:] or None)
    return address


def _wanted(call: Call, address: str) -> list[AclRevision]:
    rules = _store(call).rules
    if "*" in address:
        depth = address.count("/")
        stem = address.partition("*")[0]
        found = [each for each in rules.all() if each.address.startswith(stem) and each.address.count("/") == depth]
        return [each for each in found if each.address != "/"]
    above = {"/", "/" + address[1:].partition("/")[0], address} if call.flag("ancestors") else {address}
    rev = call.rev()
    if rev is not None:
        return [rules.fetch(address, rev)]
    found = [each for each in rules.all() if each.address in above]
    if not found and call.query.get("self", "true").lower() == "false" and not call.flag("ancestors"):
        try:
            return [rules.fetch(address)]
        except AclNotFound:
            return []
    return found


def _acl(payload: object) -> dict[Identity, frozenset[str]]:
    given = payload.get("acl") if isinstance(payload, Mapping) else None
    if not isinstance(given, list):
        raise FieldsRefused(details="'acl' is not a list.")
    found: dict[Identity, frozenset[str]] = {}
    for item in given:
        names = item.get("permissions") if isinstance(item, Mapping) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FieldsRefused(details="An item of 'acl' has no list of 'permissions'.")
        who = Identity.from_json(item.get("identity"))
        found[who] = found.get(who, frozenset()) | frozenset(names)
    return found


def _acl_changed(call: Call, made: AclRevision, *, status: int) -> Answer:
    return simple(call, _acl_metadata(call, made), _ACLS[1:], status=status)


def _acl_shown(call: Call, found: AclRevision, only: frozenset[Identity] | None) -> dict[str, object]:
    acl = [
        {"identity": _identity(call, who), "permissions": sorted(what)}
        for who, what in sorted(found.acl.items())
        if only is None or who in only
    ]
    return {**_acl_metadata(call, found), "acl": acl}


def _acl_metadata(call: Call, found: AclRevision) -> dict[str, object]:
    addresses = call.nexus.addresses
    own = addresses.access_list(found.address)
    return {
        "@id": own,
        "@type": "AccessControlList",
        "_self": own,
        "_path": found.address,
        "_rev": found.rev,
        "_deprecated": False,
        "_constrainedBy": "https://bluebrain.github.io/nexus/schemas/acls.json",
        **_history(call, found),
    }


def _history(call: Call, found: AclRevision | RealmRecord) -> dict[str, object]:
    addresses = call.nexus.addresses
    return {
        "_createdAt": at(found.created_at),
        "_createdBy": addresses.agent(found.created_by),
        "_updatedAt": at(found.changed_at),
        "_updatedBy": addresses.agent(found.changed_by),
    }


def _identity(call: Call, who: Identity) -> dict[str, str]:
    return {"@id": f"{call.nexus.addresses.root}/{who.path}", **who.as_json()}


def _realm(name: str, payload: object) -> Realm:
    given = payload if isinstance(payload, Mapping) else {}
    config = given.get("openIdConfig")
    if not isinstance(config, str):
        raise FieldsRefused(details="'openIdConfig' is missing.")
    issuer = given.get("issuer", config.removesuffix(_DISCOVERY))
    audiences = given.get("acceptedAudiences") or []
    if not isinstance(issuer, str) or (issuer == config and "issuer" not in given):
        raise FieldsRefused(details=f"'openIdConfig' does not end in '{_DISCOVERY}': give the 'issuer' as well.")
    if not isinstance(audiences, list) or not all(isinstance(each, str) for each in audiences):
        raise FieldsRefused(details="'acceptedAudiences' is not a list of text.")
    return Realm(
        label=name,
        issuer=issuer,
        audiences=tuple(audiences),
        name=str(given.get("name") or ""),
        config_url=config,
        logo=str(given.get("logo") or ""),
    )


def _realm_shown(call: Call, found: RealmRecord) -> dict[str, object]:
    own = f"{call.nexus.addresses.root}/realms/{found.realm.label}"
    return {
        "@id": own,
        "@type": "Realm",
        "name": found.realm.name,
        "openIdConfig": found.realm.discovery,
        **({"logo": found.realm.logo} if found.realm.logo else {}),
        **({"acceptedAudiences": list(found.realm.audiences)} if found.realm.audiences else {}),
        "_self": own,
        "_label": found.realm.label,
        "_issuer": found.realm.issuer,
        "_rev": found.rev,
        "_deprecated": found.deprecated,
        "_constrainedBy": "https://bluebrain.github.io/nexus/schemas/realms.json",
        **_history(call, found),
    }

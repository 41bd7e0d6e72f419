"""`/v1/orgs`: organisations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from muniment.content.jsonld import CONTEXTS, METADATA
from muniment.doors.nexus.addresses import Addresses
from muniment.doors.nexus.http.answers import Answer, StreamedAnswer, simple
from muniment.doors.nexus.http.call import Call, label
from muniment.doors.nexus.http.paging import following, listed, page_of
from muniment.doors.nexus.projects import Organization
from muniment.doors.nexus.revision import Revision

Handler = Callable[[Call], Answer | StreamedAnswer]
_DESCRIBED = (f"{CONTEXTS}organizations.json", f"{CONTEXTS}organizations-metadata.json", METADATA)
_CHANGED = (f"{CONTEXTS}organizations-metadata.json", METADATA)


def routes(parts: Sequence[str]) -> Mapping[str, Handler]:
    """What can be done at an address."""
    match parts:
        case [_]:
            return {"GET": listing}
        case [_, _]:
            return {"PUT": put, "GET": fetch, "DELETE": deprecate}
        case [_, _, "undeprecate"]:
            return {"PUT": undeprecate}
    return {}


def put(call: Call) -> Answer:
    """Make an organisation, or with `rev` describe it anew."""
    name = label(call.parts[1])
    payload = call.json(empty=True)
    rev = call.rev()
    projects = call.nexus.projects
    if rev is None:
        call.require("organizations/create", name)
        return _changed(call, projects.create_organization(name, payload, call.actor), status=201)
    call.require("organizations/write", name)
    return _changed(call, projects.update_organization(name, rev, payload, call.actor), status=200)


def fetch(call: Call) -> Answer:
    """One organisation."""
    name = label(call.parts[1])
    call.require("organizations/read", name)
    return simple(call, shown(call.nexus.addresses, call.nexus.projects.organization(name, call.rev())), _DESCRIBED)


def deprecate(call: Call) -> Answer:
    """Take no new projects in it."""
    name = label(call.parts[1])
    call.require("organizations/write", name)
    found = call.nexus.projects.deprecate_organization(name, call.rev(needed=True), call.actor)
    return _changed(call, found, status=200)


def undeprecate(call: Call) -> Answer:
    """Take a deprecation back."""
    name = label(call.parts[1])
    call.require("organizations/write", name)
    found = call.nexus.projects.undeprecate_organization(name, call.rev(needed=True), call.actor)
    return _changed(call, found, status=200)


def listing(call: Call) -> Answer:
    """The organisations the caller may see, page by page, by label."""
    projects = call.nexus.projects
    page = page_of(call)
    visible = [name for name in projects.organization_labels() if call.may("organizations/read", name)]
    deprecated = call.choice("deprecated")
    if deprecated is not None:
        visible = [name for name in visible if projects.organization(name).revision.deprecated == deprecated]
    part, more = page.of(visible)
    results = [shown(call.nexus.addresses, projects.organization(name)) for name in part]
    address = f"{call.nexus.addresses.root}/orgs"
    return listed(call, address, results, len(visible), following(page, part, more=more, deprecated=deprecated))


def shown(addresses: Addresses, found: Organization) -> dict[str, object]:
    """An organisation as clients see it."""
    described = {} if found.description is None else {"description": found.description}
    return {**_metadata(addresses, found), **described}


def history(addresses: Addresses, revision: Revision) -> dict[str, object]:
    """When and by whom it was made and changed."""
    return {
        "_rev": revision.rev,
        "_deprecated": revision.deprecated,
        "_createdAt": revision.created_at,
        "_createdBy": addresses.agent(revision.created_by),
        "_updatedAt": revision.updated_at,
        "_updatedBy": addresses.agent(revision.updated_by),
    }


def _changed(call: Call, found: Organization, *, status: int) -> Answer:
    return simple(call, _metadata(call.nexus.addresses, found), _CHANGED, status=status)


def _metadata(addresses: Addresses, found: Organization) -> dict[str, object]:
    own = addresses.organization(found.label)
    return {
        "@id": own,
        "@type": "Organization",
        "_self": own,
        "_constrainedBy": "https://bluebrain.github.io/nexus/schemas/organizations.json",
        "_label": found.label,
        "_uuid": found.uuid,
        **history(addresses, found.revision),
    }

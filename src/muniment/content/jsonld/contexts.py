"""The contexts that come with Muniment, by address: what Nexus' own documents refer to, never fetched.

The terms are written by us from what the API's documents show: keys with '_' are metadata and live in the
Nexus vocabulary under the key's name without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NEXUS = "https://bluebrain.github.io/nexus/"
CONTEXTS = f"{NEXUS}contexts/"
VOCABULARY = f"{NEXUS}vocabulary/"
XSD = "http://www.w3.org/2001/XMLSchema#"

METADATA = f"{CONTEXTS}metadata.json"
ERROR = f"{CONTEXTS}error.json"
ARCHIVES = f"{CONTEXTS}archives.json"
ARCHIVES_METADATA = f"{CONTEXTS}archives-metadata.json"
FILES = f"{CONTEXTS}files.json"
SEARCH = f"{CONTEXTS}search.json"


def _links(*terms: str) -> dict[str, object]:
    return {term: {"@id": VOCABULARY + term.removeprefix("_"), "@type": "@id"} for term in terms}


def _values(*terms: str) -> dict[str, object]:
    return {term: VOCABULARY + term.removeprefix("_") for term in terms}


def _times(*terms: str) -> dict[str, object]:
    return {term: {"@id": VOCABULARY + term.removeprefix("_"), "@type": f"{XSD}dateTime"} for term in terms}


_DIGEST = {
    "_digest": {
        "@id": f"{VOCABULARY}digest",
        "@context": _values("_algorithm", "_value"),
    }
}
_MAPPINGS = {
    "apiMappings": {
        "@id": f"{VOCABULARY}apiMappings",
        "@container": "@set",
        "@context": {"prefix": f"{VOCABULARY}prefix", "namespace": {"@id": f"{VOCABULARY}namespace", "@type": "@id"}},
    }
}
_IDENTITY = {
    "identity": f"{VOCABULARY}identity",
    **_values("realm", "subject", "group", "Anonymous", "Authenticated", "User", "Group"),
}

_METADATA: Mapping[str, object] = {
    **_links("_self", "_project", "_constrainedBy", "_createdBy", "_updatedBy", "_schemaProject"),
    **_links("_incoming", "_outgoing"),
    **_times("_createdAt", "_updatedAt"),
    **_values("_rev", "_deprecated", "_uuid", "_markedForDeletion"),
}

_TERMS: Mapping[str, Mapping[str, object]] = {
    "metadata": _METADATA,
    # What earlier versions of the API named where its documents now name the one above; clients ask for it still.
    "resource": _METADATA,
    "error": {"@vocab": VOCABULARY, **_values("reason", "details", "rdf", "provided", "expected")},
    "archives": {
        "@vocab": VOCABULARY,
        "resourceId": {"@id": f"{VOCABULARY}resourceId", "@type": "@id"},
        "resources": {"@id": f"{VOCABULARY}resources", "@container": "@set"},
    },
    "archives-metadata": _values("Archive", "_expiresInSeconds"),
    "files": {
        **_values("File", "_bytes", "_filename", "_mediaType", "_origin", "_location", "_path"),
        **_values("name", "description"),
        "_keywords": {"@id": f"{VOCABULARY}keywords", "@type": "@json"},
        "_storage": {"@id": f"{VOCABULARY}storage", "@type": "@id"},
        **_DIGEST,
    },
    "resources": _values("resourceId"),
    "organizations": {"@vocab": VOCABULARY, **_values("description")},
    "organizations-metadata": _values("Organization", "_label", "_organizationLabel", "_organizationUuid"),
    "projects": {
        "@vocab": VOCABULARY,
        "base": {"@id": f"{VOCABULARY}base", "@type": "@id"},
        "vocab": {"@id": f"{VOCABULARY}vocab", "@type": "@id"},
        **_MAPPINGS,
    },
    "projects-metadata": {
        **_values("Project", "_label", "_organizationLabel", "_organizationUuid"),
        "_effectiveApiMappings": {
            "@id": f"{VOCABULARY}effectiveApiMappings",
            "@container": "@set",
            "@context": {"_prefix": f"{VOCABULARY}prefix", **_links("_namespace")},
        },
    },
    "permissions": {"permissions": {"@id": f"{VOCABULARY}permissions", "@container": "@set"}},
    "permissions-metadata": _values("Permissions"),
    "acls": {
        "acl": {"@id": f"{VOCABULARY}acl", "@container": "@set"},
        "permissions": {"@id": f"{VOCABULARY}permissions", "@container": "@set"},
        **_IDENTITY,
    },
    "acls-metadata": {**_values("AccessControlList"), **_links("_path")},
    "identities": {"identities": {"@id": f"{VOCABULARY}identities", "@container": "@set"}, **_IDENTITY},
    "realms": {"@vocab": VOCABULARY, "openIdConfig": {"@id": f"{VOCABULARY}openIdConfig", "@type": "@id"}},
    "realms-metadata": _values("Realm", "_label", "_issuer", "_keys"),
    "tags": {"@vocab": VOCABULARY, "tags": {"@id": f"{VOCABULARY}tags", "@container": "@set"}},
    "storages": {"@vocab": VOCABULARY},
    "storages-metadata": _values("_algorithm"),
    "search": {
        "_results": {"@id": f"{VOCABULARY}results", "@container": "@list"},
        **_values("_total", "_score"),
        **_links("_next"),
    },
    "version": {"@vocab": VOCABULARY},
}

SHIPPED: Mapping[str, Mapping[str, object]] = {
    f"{CONTEXTS}{name}.json": {"@context": dict(terms), "@id": f"{CONTEXTS}{name}.json"}
    for name, terms in _TERMS.items()
}
"""Every context document we answer for, by its address."""


def joined(*contexts: object) -> object:
    """Several contexts as one: arrays flattened, what is empty or stands there twice left out."""
    flat: list[object] = []
    for context in contexts:
        for part in _each(context):
            if part not in (None, {}) and part not in flat:
                flat.append(part)
    return flat[0] if len(flat) == 1 else flat


def _each(context: object) -> Iterable[object]:
    return context if isinstance(context, list) else (context,)

"""The documents of the API, as its description shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muniment.http.description import EVERYWHERE, gives
from muniment.http.problems import MEDIA_TYPE

Json = dict[str, Any]

REFUSAL = "NexusRefusal"
_TEXT: Json = {"type": "string"}
_REV: Json = {"type": "integer", "minimum": 1}
_LISTS = {"listing", "list_resources", "list_files", "linking", "linked", "fetch_acl", "realms"}
PAGED: Mapping[str, str] = {**dict.fromkeys(_LISTS, "NexusList"), "tags": "NexusTags"}
"""What is answered by lists, by the name of what makes them."""


def _object(text: str, properties: Json, *, required: tuple[str, ...] = (), example: Json | None = None) -> Json:
    return {
        "type": "object",
        "description": text,
        "properties": properties,
        **({"required": list(required)} if required else {}),
        **({"examples": [example]} if example is not None else {}),
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(of: Json, **more: object) -> Json:
    return {"type": "array", "items": of, **more}


_METADATA: Json = {
    "@id": {**_TEXT, "description": "The IRI."},
    "@type": {"description": "A type, or several."},
    "_self": {**_TEXT, "description": "Its address."},
    "_rev": {**_REV, "description": "The revision."},
    "_deprecated": {"type": "boolean"},
    "_createdAt": _TEXT,
    "_createdBy": _TEXT,
    "_updatedAt": _TEXT,
    "_updatedBy": _TEXT,
    "_project": {**_TEXT, "description": "The address of its project."},
    "_constrainedBy": {**_TEXT, "description": "Its schema."},
}

SCHEMAS: Mapping[str, Json] = {
    "NexusDocument": _object(
        "What something is: its own fields as it was described, and its metadata, which begin with `_`.", _METADATA
    ),
    "NexusList": _object(
        "A page of a list.",
        {
            "_total": {"type": "integer"},
            "_results": _list(_ref("NexusDocument")),
            "_next": {**_TEXT, "description": "The address of the page that follows."},
        },
        required=("_total", "_results"),
    ),
    "NexusTags": _object("The tags of a resource or file.", {"tags": _list(_ref("NexusTag"))}, required=("tags",)),
    "NexusTag": _object(
        "A name of a revision.",
        {"tag": {**_TEXT, "pattern": "^[ -~]{1,64}$"}, "rev": _REV},
        required=("tag", "rev"),
        example={"tag": "published", "rev": 1},
    ),
    "NexusError": _object(
        "An error as clients of Nexus know it; some have fields of their own.",
        {"@type": {**_TEXT, "description": "The name of the error."}, "reason": _TEXT, "details": _TEXT},
        required=("@type", "reason"),
        example={"@type": "ResourceNotFound", "reason": "Resource 'https://example.org/1' not found."},
    ),
    "NexusResource": _object(
        "A JSON-LD document of one's own; fields that begin with `_` are the server's.",
        {"@id": _TEXT, "@context": {"description": "What its words mean."}, "@type": {"description": "Its types."}},
        example={"@context": {"@vocab": "https://example.org/"}, "@type": "Person", "name": "Marie Curie"},
    ),
    "NexusOrganization": _object(
        "What is said of an organisation.", {"description": _TEXT}, example={"description": "A museum"}
    ),
    "NexusProject": _object(
        "What is said of a project.",
        {
            "description": _TEXT,
            "base": {**_TEXT, "description": "What ids begin with that are made here."},
            "vocab": {**_TEXT, "description": "What words begin with that no context explains."},
            "apiMappings": _list(_ref("NexusMapping")),
        },
        example={"description": "Photographs", "apiMappings": [{"prefix": "x", "namespace": "https://example.org/"}]},
    ),
    "NexusMapping": _object(
        "A prefix of ids in addresses.", {"prefix": _TEXT, "namespace": _TEXT}, required=("prefix", "namespace")
    ),
    "NexusSelection": _object(
        "What is to be downloaded together.",
        {
            "@id": _TEXT,
            "@context": {"description": "What its words mean."},
            "archiveId": _TEXT,
            "resources": _list(_ref("NexusSelectionEntry"), minItems=1),
        },
        required=("resources",),
        example={
            "resources": [
                {"@type": "Resource", "resourceId": "https://example.org/1", "path": "people/1.json"},
                {"@type": "File", "resourceId": "https://example.org/photo"},
            ]
        },
    ),
    "NexusSelectionEntry": _object(
        "A resource, or a file; a file also by its address (`FileSelf`).",
        {
            "@type": {**_TEXT, "enum": ["Resource", "File", "FileSelf"]},
            "resourceId": _TEXT,
            "value": {**_TEXT, "description": "Of `FileSelf`: the `_self` of the file."},
            "project": {**_TEXT, "description": "organisation/project; without it that of the selection."},
            "path": {**_TEXT, "description": "Its name in the archive."},
            "rev": _REV,
            "tag": _TEXT,
            "format": {
                **_TEXT,
                "enum": [
                    "source",
                    "annotated-source",
                    "compacted",
                    "expanded",
                    "n-triples",
                    "n-quads",
                    "dot",
                ],
            },
            "originalSource": {"type": "boolean"},
        },
        required=("@type",),
    ),
    "NexusAcl": _object(
        "Who may do what here; with `@type` it is added to what there is, or taken from it.",
        {
            "@type": {**_TEXT, "enum": ["Append", "Subtract"]},
            "acl": _list(_ref("NexusGrant")),
        },
        required=("acl",),
        example={
            "@type": "Append",
            "acl": [{"permissions": ["resources/read"], "identity": {"realm": "keys", "subject": "reader"}}],
        },
    ),
    "NexusGrant": _object(
        "What somebody may do.",
        {"permissions": _list(_TEXT), "identity": _ref("NexusIdentity")},
        required=("permissions", "identity"),
    ),
    "NexusIdentity": _object(
        "Somebody: a user or a group of a realm, everybody in it, or everybody.",
        {"@type": _TEXT, "realm": _TEXT, "subject": _TEXT, "group": _TEXT},
    ),
    "NexusRealm": _object(
        "An issuer whose tokens are taken.",
        {
            "name": _TEXT,
            "openIdConfig": _TEXT,
            "issuer": _TEXT,
            "logo": _TEXT,
            "acceptedAudiences": _list(_TEXT),
        },
        required=("openIdConfig",),
        example={"name": "A realm", "openIdConfig": "https://id.example.org/.well-known/openid-configuration"},
    ),
}
"""The schemas of what is sent and answered."""

_BODIES: Mapping[tuple[str, str], str] = {
    ("acls", "replace_acl"): "NexusAcl",
    ("acls", "patch_acl"): "NexusAcl",
    ("realms", "put_realm"): "NexusRealm",
    ("orgs", "put"): "NexusOrganization",
    ("projects", "put"): "NexusProject",
    ("resources", "create"): "NexusResource",
    ("resources", "put"): "NexusResource",
    ("resources", "add_tag"): "NexusTag",
    ("files", "add_tag"): "NexusTag",
    ("archives", "create"): "NexusSelection",
    ("archives", "create_as"): "NexusSelection",
}

_REFUSALS: Mapping[int, tuple[str, tuple[str, ...]]] = {
    400: ("It cannot be understood.", ()),
    401: ("Sign in.", ("WWW-Authenticate",)),
    403: ("Not allowed.", ()),
    404: ("There is no such thing.", ()),
    405: ("There is no such method here.", ("Allow",)),
    406: ("None of the forms that there are is accepted.", ()),
    408: ("Nothing came for too long.", ("Retry-After",)),
    409: ("It collides with what is there.", ("Retry-After",)),
    412: ("It is at another version.", ("ETag",)),
    413: ("The body is too large.", ()),
    415: ("The body has another media type.", ()),
    429: ("Too many failed sign-ins.", ("Retry-After",)),
    431: ("Too many headers.", ()),
    500: ("The server failed.", ("Retry-After",)),
    502: ("Another service failed.", ("Retry-After",)),
    503: ("Too much at once, or what it rests on cannot be reached.", ("Retry-After",)),
    507: ("The storage failed, or a file is damaged.", ("Retry-After",)),
}
_BEFORE = {400, 408, 413, 431}
"""What is refused before the interface is known, in the form of all the others."""


def schema_of(root: str, handler: str) -> Json | None:
    """The schema of what is sent to what does something below an address; None where nothing is."""
    found = _BODIES.get((root, handler))
    return None if found is None else _ref(found)


def refusals() -> dict[str, Json]:
    """The answers that say no, by the names they are referred to by."""
    found = {}
    for status, (text, headers) in _REFUSALS.items():
        content: Json = {"application/json": {"schema": _ref("NexusError")}}
        if status in _BEFORE:
            content[MEDIA_TYPE] = {"schema": _ref("Problem")}
        found[f"{REFUSAL}{status}"] = {"description": text, **gives(*EVERYWHERE, *headers), "content": content}
    return found

"""The description of `/v1` in OpenAPI: which addresses there are, and from their handlers what is done at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from muniment.doors.nexus.delivery import TAR, ZIP
from muniment.doors.nexus.http.application import routes_at
from muniment.doors.nexus.http.documents import PAGED, REFUSAL, SCHEMAS, refusals, schema_of
from muniment.doors.nexus.http.mounting import PREFIX
from muniment.doors.nexus.http.negotiation import DOCUMENTS, JSON, JSON_LD
from muniment.doors.nexus.http.query import SEVERAL, known_parameters
from muniment.http.description import BINARY, BYTES, OF_FILE, OF_PART, gives, takes

Json = dict[str, Any]

_ORG, _PROJECT = "{org}", "{project}"
ADDRESSES: Mapping[str, str] = {
    "acls": "root_acl",
    f"acls/{_ORG}": "organization_acl",
    f"acls/{_ORG}/{_PROJECT}": "project_acl",
    "permissions": "",
    "identities": "",
    "realms": "",
    "realms/{realm}": "",
    "version": "",
    "orgs": "all_organizations",
    f"orgs/{_ORG}": "organization",
    f"orgs/{_ORG}/undeprecate": "organization",
    "projects": "all_projects",
    f"projects/{_ORG}": "projects",
    f"projects/{_ORG}/{_PROJECT}": "project",
    f"projects/{_ORG}/{_PROJECT}/undeprecate": "project",
    f"resolvers/{_ORG}/{_PROJECT}/{{resolver}}/{{id}}": "resource",
    "resources": "all",
    f"resources/{_ORG}": "of_organization",
    f"resources/{_ORG}/{_PROJECT}": "resource",
    f"resources/{_ORG}/{_PROJECT}/{{schema}}": "of_schema",
    f"resources/{_ORG}/{_PROJECT}/{{schema}}/{{id}}": "resource",
    f"resources/{_ORG}/{_PROJECT}/{{schema}}/{{id}}/incoming": "resource",
    f"resources/{_ORG}/{_PROJECT}/{{schema}}/{{id}}/outgoing": "resource",
    f"resources/{_ORG}/{_PROJECT}/{{schema}}/{{id}}/source": "resource",
    f"resources/{_ORG}/{_PROJECT}/{{schema}}/{{id}}/tags": "resource",
    f"resources/{_ORG}/{_PROJECT}/{{schema}}/{{id}}/undeprecate": "resource",
    f"resources/{_ORG}/{_PROJECT}/{{schema}}/{{id}}/tags/{{tag}}": "resource",
    f"files/{_ORG}/{_PROJECT}": "file",
    f"files/{_ORG}/{_PROJECT}/{{id}}": "file",
    f"files/{_ORG}/{_PROJECT}/{{id}}/incoming": "file",
    f"files/{_ORG}/{_PROJECT}/{{id}}/outgoing": "file",
    f"files/{_ORG}/{_PROJECT}/{{id}}/undeprecate": "file",
    f"files/{_ORG}/{_PROJECT}/{{id}}/tags": "file",
    f"files/{_ORG}/{_PROJECT}/{{id}}/tags/{{tag}}": "file",
    f"archives/{_ORG}/{_PROJECT}": "archive",
    f"archives/{_ORG}/{_PROJECT}/{{id}}": "archive",
}
"""Every address below `/v1`, and what its operations are about."""

_NAMES: Mapping[str, str] = {
    "permissions": "get_permissions",
    "identities": "get_identities",
    "realms": "list_realms",
    "realm": "get_realm",
    "put_realm": "put_realm",
    "deprecate_realm": "deprecate_realm",
    "version": "get_version",
    "fetch_acl": "get_{}",
    "replace_acl": "put_{}",
    "patch_acl": "patch_{}",
    "delete_acl": "delete_{}",
    "fetch": "get_{}",
    "listing": "list_{}",
    "list_files": "list_files",
    "list_resources": "list_resources_{}",
    "linking": "list_links_to_{}",
    "linked": "list_links_of_{}",
    "source": "get_source_of_{}",
    "tags": "list_tags_of_{}",
    "add_tag": "tag_{}",
    "remove_tag": "untag_{}",
    "resolve": "resolve_{}",
    "create_as": "put_archive",
    "follow": "follow_archive",
}
"""Names of operations by the name of what does them; others are that name and what it is about."""

_TAGS: Mapping[str, str] = {
    "orgs": "nexus-organizations",
    "projects": "nexus-projects",
    "resources": "nexus-resources",
    "files": "nexus-files",
    "archives": "nexus-archives",
    "resolvers": "nexus-resolvers",
}

_LABEL: Json = {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"}
_IRI: Json = {"type": "string", "minLength": 1, "maxLength": 2000}
_FLAG: Json = {"type": "boolean"}
_REV: Json = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
_NUMBER: Json = {"type": "integer", "minimum": 0}

_PATH: Mapping[str, tuple[str, Json]] = {
    "org": ("The organisation's label; of access lists also '*' for each.", _LABEL),
    "project": ("The project's label.", _LABEL),
    "realm": ("The realm's label.", _LABEL),
    "resolver": ("'_' for any, or the one that every project has.", {**_IRI, "examples": ["_"]}),
    "schema": ("The schema; '_' for any. Nothing is held against one here.", {**_IRI, "examples": ["_"]}),
    "id": (
        "The IRI, percent-encoded as one segment; or a prefix of the project, ':' and the rest.",
        {**_IRI, "examples": ["https://example.org/1"]},
    ),
    "tag": ("The tag.", {"type": "string", "pattern": "^[ -~]{1,64}$"}),
}

_QUERY: Mapping[str, tuple[str, Json]] = {
    "after": ("Only what comes after this name.", {"type": "string"}),
    "ancestors": ("Also the lists of the addresses above.", _FLAG),
    "annotate": ("With its metadata.", _FLAG),
    "createdBy": ("Only what this identity made.", {"type": "string"}),
    "created_by": ("As `createdBy`.", {"type": "string"}),
    "deprecated": ("Only what is deprecated, or only what is not.", _FLAG),
    "format": ("Under short names, or under full IRIs.", {"type": "string", "enum": ["compacted", "expanded"]}),
    "from": ("Pass over so many.", {**_NUMBER, "maximum": 10_000_000}),
    "id": ("Only the one with this IRI.", _IRI),
    "ignoreNotFound": ("Leave out what is not there.", _FLAG),
    "includeExternalLinks": ("Also what is not in the project.", _FLAG),
    "indexing": ("When lists are to have it. Here they always do.", {"type": "string", "enum": ["sync", "async"]}),
    "manifest": ("Add a member that names every entry with its digest.", {"type": "string", "enum": ["sha256"]}),
    "rev": ("The revision that is meant; of a change, the newest one it is made on.", _REV),
    "schema": ("Only what has this schema.", _IRI),
    "self": ("Only one's own rights, or everybody's.", _FLAG),
    "size": ("At most so many.", {**_NUMBER, "maximum": 1_000}),
    "sort": ("In this order; with '-' before it from the end.", {"type": "array", "items": {"type": "string"}}),
    "storage": ("The storage. There is one.", _IRI),
    "tag": ("The revision with this tag; of a change, the tag of the new one.", _PATH["tag"][1]),
    "type": ("Only what has these types.", {"type": "array", "items": {"type": "string"}}),
    "updatedBy": ("Only what this identity changed last.", {"type": "string"}),
    "updated_by": ("As `updatedBy`.", {"type": "string"}),
}

_DOCUMENT = {kind: {"schema": {"type": "string"}} for kind in DOCUMENTS[2:]}
_STREAMED = {("files", "fetch"), ("archives", "fetch"), ("archives", "follow")}
_MADE = {"create", "create_as", "add_tag"}
_MADE_OR_CHANGED = {"put", "put_realm", "replace_acl", "patch_acl"}
_STATUSES = (400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 429, 431, 500, 502, 503, 507)


def describe() -> tuple[dict[str, Json], dict[str, Json], dict[str, Json]]:
    """The paths of `/v1`, and the schemas and answers they refer to."""
    paths: dict[str, Json] = {}
    for address, about in ADDRESSES.items():
        parts = address.split("/")
        item = paths[f"{PREFIX}/{address}"] = {}
        for method, handler in routes_at(parts).items():
            item[method.lower()] = _operation(method, parts, handler.__name__, about, handler.__doc__ or "")
            if (parts[0], handler.__name__) in _STREAMED and method == "GET":
                item["head"] = _operation("HEAD", parts, handler.__name__, about, handler.__doc__ or "")
    return paths, dict(SCHEMAS), refusals()


def _operation(method: str, parts: Sequence[str], handler: str, about: str, text: str) -> Json:
    name = _NAMES.get(handler, f"{handler}_{{}}").format(about)
    if parts[0] == "resources" and handler == "create" and parts[-1] == "{schema}":
        name = "create_resource_under_schema"
    streamed = (parts[0], handler) in _STREAMED
    operation: Json = {
        "tags": [_TAGS.get(parts[0], "nexus-access")],
        "operationId": f"nexus_{name}" if method != "HEAD" else f"nexus_{name}".replace("get_", "head_"),
        "description": text,
        "parameters": [*_in_path(parts), *_in_query(method, parts)],
        "responses": _answers(method, parts[0], handler),
    }
    if streamed:
        operation["parameters"] += takes("Range", "If-Range", "If-None-Match", "If-Match", "If-Unmodified-Since")[
            "parameters"
        ]
    if parts[0] == "archives" and streamed:
        operation["parameters"] += takes("Want-Repr-Digest", "Want-Content-Digest")["parameters"]
    body = _body(parts[0], handler, method)
    if body is not None:
        operation["requestBody"] = body
    if parts[0] == "files" and handler in {"create", "put"}:
        operation["parameters"].append(_DESCRIBED)
    return operation


_DESCRIBED: Json = {
    "name": "X-Nxs-File-Metadata",
    "in": "header",
    "required": False,
    "description": "Custom metadata of the file, as JSON: name, description, keywords.",
    "schema": {"type": "string", "examples": ['{"name": "A photograph"}']},
}


def _in_path(parts: Sequence[str]) -> list[Json]:
    names = [part[1:-1] for part in parts if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "description": _PATH[name][0], "schema": dict(_PATH[name][1])}
        for name in names
    ]


def _in_query(method: str, parts: Sequence[str]) -> list[Json]:
    found = []
    for name in sorted(known_parameters(method, parts)):
        text, schema = _QUERY[name]
        kind = schema if schema.get("type") != "array" or name in SEVERAL else schema["items"]
        found.append({"name": name, "in": "query", "required": False, "description": text, "schema": dict(kind)})
    return found


def _body(root: str, handler: str, method: str) -> Json | None:
    if root == "files" and handler in {"create", "put"}:
        form = {"type": "object", "required": ["file"], "properties": {"file": BINARY["schema"]}}
        return {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    schema = schema_of(root, handler)
    if schema is None or method in {"GET", "DELETE"}:
        return None
    # With `application/ld+json` it is the same; a generator would make two functions of it.
    return {"required": root not in {"orgs", "projects"}, "content": {JSON: {"schema": schema}}}


def _answers(method: str, root: str, handler: str) -> Json:
    answers: Json = {str(status): _refusal(status) for status in _STATUSES}
    vary = gives("Vary")
    if (root, handler) in _STREAMED:
        answers["412"], answers["416"] = _refusal(412), {"description": "The range lies outside.", **gives(*OF_PART)}
        return {**_streams(root, head=method == "HEAD"), **answers}
    if root == "archives":
        return {
            "201": {"description": "The selection.", **vary, "content": _documents("NexusDocument")},
            "303": {
                "description": "Where it is downloaded, for who takes a tar or zip.",
                **gives("Location"),
                "content": {"text/html": {"schema": {"type": "string"}}},
            },
            **answers,
        }
    listed = handler in PAGED
    content = {kind: {"schema": {"$ref": f"#/components/schemas/{PAGED[handler]}"}} for kind in (JSON_LD, JSON)} \
        if listed else _documents("NexusDocument")  # fmt: skip
    done = {"description": "A page of them." if listed else "The document.", **vary, "content": content}
    made = {**done, "description": "It was made."}
    if handler in _MADE:
        return {"201": made, **answers}
    if handler in _MADE_OR_CHANGED or (root in {"orgs", "projects"} and handler == "put"):
        return {"200": done, "201": made, **answers}
    return {"200": done, **answers}


def _streams(root: str, *, head: bool) -> Json:
    packed = {kind: dict(BINARY) for kind in (TAR, ZIP)}
    own = {"*/*": dict(BINARY)} if root == "files" else packed
    content = {BYTES: dict(BINARY), **own, **_documents("NexusDocument")}
    whole: Json = {"description": "The bytes, or what they are.", **gives(*OF_FILE, "Vary")}
    part: Json = {"description": "A part of them.", **gives(*OF_PART, "Vary")}
    if not head:
        whole["content"], part["content"] = content, {BYTES: dict(BINARY), **own}
    there = {"description": "It is as the client has it.", **gives(*OF_FILE, "Vary")}
    return {"200": whole, "206": part, "304": there}


def _documents(name: str) -> Json:
    # With `format=expanded` it is a list, as JSON-LD has it.
    expanded = {"type": "array", "items": {"type": "object"}}
    schema = {"anyOf": [{"$ref": f"#/components/schemas/{name}"}, expanded]}
    shown = {kind: {"schema": dict(schema)} for kind in (JSON_LD, JSON)}
    return {**shown, **{kind: dict(said) for kind, said in _DOCUMENT.items()}}


def _refusal(status: int) -> Json:
    return {"$ref": f"#/components/responses/{REFUSAL}{status}"}

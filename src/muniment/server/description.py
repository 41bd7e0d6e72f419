"""The description of every interface in OpenAPI 3.1: what the framework knows of its routes, and Nexus, as one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from muniment.doors.ckan import http as ckan
from muniment.doors.distillery import http as distillery
from muniment.doors.nexus.http import describe as describe_nexus
from muniment.doors.osf import http as osf
from muniment.http.description import EVERYWHERE, SECURED, components, gives, schemas_of

Json = dict[str, Any]

ABOUT = """A digital preservation archive.

Sign in with a key or token as `Authorization: Bearer`, or with the key as the user name of `Basic`. An id is one
segment of an address, percent-encoded: a `/` in it is `%2F`. The path of a file may be sent with its `/` as they are.

Errors are problem documents (RFC 9457), whose `type` is `urn:muniment:error:` and the code of the error; those of
Nexus have the form its clients know. Where OSF and Nexus answer a GET they answer a HEAD as well, without the body.
Every address of OSF is there with and without the slash at its end.
"""

TAGS: Mapping[str, str] = {
    "resources": "What is in the archive: resources, their instances, their files.",
    "transactions": "A new resource or instance is begun, filled and committed whole, or it never was.",
    "uploads": "Files come into a transaction: small ones in one request, large ones in pieces, resumed after a cut.",
    "packages": "Whole resources go out and come in as tars and zips.",
    "fetches": "Resources are fetched from sources, in the background.",
    "events": "The log of everything that happened.",
    "checks": "The archive is audited, repaired and put in order.",
    "groups": "Transactions over several archives are decided together.",
    "operations": "What workers do, and taking jobs and limits in hand.",
    "reports": "PREMIS of a resource, and reports that were computed.",
    "server": "Whether the server is well.",
    "osf": "Containers of projects are submitted, followed, and handed out as registrations.",
    "ckan": "Copies of a data portal's files, and what is known of its links.",
    "distillery": "Folders of scans become packages: previewed, run, followed.",
    "nexus-access": "Nexus: who may do what, and what this server is.",
    "nexus-organizations": "Nexus: organisations.",
    "nexus-projects": "Nexus: projects, with base, vocabulary and mappings of their ids.",
    "nexus-resources": "Nexus: JSON-LD documents with revisions and tags.",
    "nexus-files": "Nexus: bytes with a name and a media type.",
    "nexus-archives": "Nexus: resources and files are selected and downloaded as one archive.",
    "nexus-resolvers": "Nexus: what an IRI means to a project.",
}

_PARAMETERS: Mapping[str, str] = {
    "action": "What is done with it.",
    "upload-defer-length": "tus: `1` where the size is not known yet.",
    "after": "The last one of the page before: only what follows it.",
    "batch": "The batch's id.",
    "changes": "Say also when the folders are no more as they were.",
    "container": "The container's id.",
    "expires": "Until when the link is good, as it says itself.",
    "fetch": "The fetch's id.",
    "filename": "The name of the file.",
    "format": "`json` or `csv`.",
    "id": "Its id in the portal.",
    "kind": "Which kind.",
    "layout": "How the package lies in its folder.",
    "limit": "At most so many.",
    "name": "The name to save it under.",
    "organization": "Only the links of this organisation.",
    "portal": "The portal's name.",
    "resource": "The resource's id in the portal.",
    "service": "Only this service.",
    "sha256": "The file's sha256, in hexadecimal.",
    "signature": "The link's signature, as it says itself.",
    "stamp": "When the copy was made, as `2024-05-01T12:00:00Z`; or `latest`.",
    "state": "Only those in this state.",
    "transaction": "The transaction's id, as beginning it gave it.",
    "upload": "The upload's id, as beginning it gave it.",
}
"""What is said of parameters whose routes say nothing of them, for the name is all there is to it."""

_SCHEMAS = "#/components/schemas/"
_FOREIGN = {"HTTPValidationError", "ValidationError"}
"""Errors of the framework, which no answer of ours is."""


def install(server: FastAPI) -> None:
    """Have `server` describe itself whole; its routes may still be added until it is first asked."""
    framework: Callable[[], Json] = server.openapi
    made: Json = {}

    def openapi() -> Json:
        if not made:
            made.update(described(framework()))
        return made

    server.openapi = openapi  # type: ignore[method-assign] # as the framework's documentation has it


def described(document: Json) -> Json:
    """The framework's document with everything it does not know."""
    nexus_paths, nexus_schemas, refusals = describe_nexus()
    document["info"] = {
        **document["info"],
        "description": ABOUT,
        "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    }
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["paths"].update(nexus_paths)
    shared = document.setdefault("components", {})
    for kind, found in components().items():
        shared.setdefault(kind, {}).update(found)
    for name, schema in {**nexus_schemas, **schemas_of(*ckan.SENT, *distillery.SENT, *osf.SENT)}.items():
        shared["schemas"].setdefault(name, schema)
    shared["responses"].update(refusals)
    for name in _FOREIGN:
        shared["schemas"].pop(name, None)
    sent: set[str] = set()
    for _, path, operation in operations(document):
        _name_path(path, operation)
        _tidy(operation, shared["schemas"])
        _note_references(operation.get("requestBody", {}), shared["schemas"], sent)
    for name in sent:
        _drop_nothings(shared["schemas"][name])
    return document


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Every operation of a description, as method in small letters, path and what is said of it."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def _name_path(path: str, operation: Json) -> None:
    """Name the parts of the path that the route itself does not look at."""
    there = operation.setdefault("parameters", [])
    named = {each.get("name") for each in there}
    for name in re.findall(r"{(\w+)}", path):
        if name not in named:
            there.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})


def _tidy(operation: Json, schemas: Json) -> None:
    operation["summary"], operation["description"] = _said(operation.get("description", ""))
    if not operation["description"]:
        del operation["description"]
    operation.setdefault("security", SECURED)
    for parameter in operation.get("parameters", ()):
        if "$ref" not in parameter:
            _tidy_parameter(parameter)
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            operation["responses"][status] = {"$ref": answer["$ref"]}
            continue
        shared: Any = gives(*EVERYWHERE)["headers"]
        answer["headers"] = {**shared, **answer.get("headers", {})}
        if answer["description"] == "Successful Response":
            answer["description"] = _of_schema(answer, schemas) or "It is done."


def _note_references(found: object, schemas: Json, noted: set[str]) -> None:
    """Note the names of all schemas that something refers to, also through others."""
    if isinstance(found, list):
        for each in found:
            _note_references(each, schemas, noted)
    if not isinstance(found, dict):
        return
    name = str(found.get("$ref", "")).removeprefix(_SCHEMAS)
    if name in schemas and name not in noted:
        noted.add(name)
        _note_references(schemas[name], schemas, noted)
    for each in found.values():
        _note_references(each, schemas, noted)


def _drop_nothings(schema: Json) -> None:
    """Name no default where it is nothing: generators for TypeScript have one sent, whatever it is."""
    for field in schema.get("properties", {}).values():
        if "default" in field and not field["default"]:
            del field["default"]


def _said(docstring: str) -> tuple[str, str]:
    """The first sentence of a docstring, and what follows it but for what it raises: that is among the answers."""
    text = inspect.cleandoc(docstring).partition("\n\nRaises:")[0].strip()
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    first, stop, rest = paragraphs[0].partition(". ")
    return f"{first}{stop}".strip().removesuffix("."), "\n\n".join(part for part in (rest, *paragraphs[1:]) if part)


def _tidy_parameter(parameter: Json) -> None:
    """Say what may be sent: a parameter that may be left out is not null then, and nothing is no value of it."""
    schema = parameter["schema"]
    parameter.setdefault("description", _PARAMETERS.get(parameter["name"], ""))
    schema.pop("title", None)
    schema.pop("description", None)
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if "anyOf" in schema and len(kinds) == 1:
        del schema["anyOf"]
        schema.update({**kinds[0], **schema})
    if schema.get("default", False) in {None, ""}:
        del schema["default"]
    if parameter["in"] == "header":
        parameter["name"] = "-".join(part.capitalize() for part in parameter["name"].split("-"))


def _of_schema(answer: Json, schemas: Json) -> str:
    """What a document's own description says of it."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    named = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
    return " ".join(str(named.get("description", "")).split())

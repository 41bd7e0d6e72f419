"""The description of the interfaces as pages: every operation with what it takes and answers, and every document."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from muniment.errors.base import MunimentError
from muniment.errors.remote import NoSuchPage
from muniment.http.authorization import AuthorizedRequest, authorized
from muniment.server.description import TAGS, operations
from muniment.server.pages.page import framed, language_of

Json = dict[str, Any]

router = APIRouter(include_in_schema=False)
_SCHEMAS = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, a header, or a field of a document."""

    name: str
    place: str
    kind: str
    required: bool
    text: str
    document: str
    """The document it is, or is made of."""


@dataclass(frozen=True, slots=True)
class AnswerOut:
    """One answer an operation may give."""

    status: str
    text: str
    kinds: Sequence[tuple[str, str]]
    """Media types, and the document of each."""
    headers: Sequence[str]


@router.get("/docs", operation_id="page_docs")
def index(request: Request) -> Response:
    """All operations."""
    document = request.app.openapi()
    groups = [
        (
            tag,
            text,
            [
                (method.upper(), path, each["operationId"], each["summary"])
                for method, path, each in operations(document)
                if tag in each["tags"]
            ],
        )
        for tag, text in TAGS.items()
    ]
    about = [" ".join(part.split()) for part in document["info"]["description"].split("\n\n")]
    title = language_of(request)("HTTP interface")
    return framed(request, "docs.html", title, access=_access(request), groups=groups, about=about)


@router.get("/docs/{name}", operation_id="page_docs_operation")
def operation(request: Request, name: str) -> Response:
    """One operation."""
    document = request.app.openapi()
    for method, path, found in operations(document):
        if found["operationId"] == name:
            body = found.get("requestBody", {})
            return framed(
                request,
                "docs_operation.html",
                f"{method.upper()} {path}",
                access=_access(request),
                operation=found,
                method=method.upper(),
                path=path,
                paragraphs=[part for part in found.get("description", "").split("\n\n") if part],
                fields=list(_parameters(document, found)),
                bodies=[_body(document, kind, each["schema"]) for kind, each in body.get("content", {}).items()],
                answers=list(_answers(document, found)),
                command=_command(document, str(request.base_url), method, path, found),
            )
    raise NoSuchPage(path=request.scope["path"][:200])


@router.get("/docs/documents/{name}", operation_id="page_docs_document")
def shown_document(request: Request, name: str) -> Response:
    """One document that is sent or answered."""
    found = request.app.openapi()["components"]["schemas"].get(name)
    if found is None:
        raise NoSuchPage(path=request.scope["path"][:200])
    return framed(
        request,
        "docs_document.html",
        name,
        access=_access(request),
        name=name,
        text=" ".join(found.get("description", "").split()),
        fields=list(_fields(found)),
        example=_example(found),
    )


def _parameters(document: Json, found: Json) -> Iterator[Field]:
    for each in found.get("parameters", ()):
        said = _resolved(document, each)
        yield Field(
            said["name"],
            said["in"],
            _words(said["schema"]),
            bool(said.get("required")),
            said["description"],
            _named(said["schema"]),
        )


def _fields(schema: Json) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        text = " ".join(each.get("description", "").split())
        yield Field(name, "", _words(each), name in required, text, _named(each))


def _body(document: Json, kind: str, schema: Json) -> tuple[str, list[str], list[Field], str]:
    """A media type that is sent, the documents it may be, the fields of one that has no name, and an example."""
    names = [_named(each) for each in schema.get("anyOf", [schema]) if _named(each)]
    example = next((text for name in names if (text := _example(document["components"]["schemas"][name]))), "")
    return kind, names, list(_fields(schema)), example


def _answers(document: Json, found: Json) -> Iterator[AnswerOut]:
    common = set(document["components"]["responses"]["BadRequest"]["headers"])
    for status, each in sorted(found["responses"].items()):
        said = _resolved(document, each)
        kinds = [(kind, _named(value.get("schema", {}))) for kind, value in said.get("content", {}).items()]
        headers = [name for name in said.get("headers", {}) if name not in common]
        yield AnswerOut(status, said["description"], kinds, headers)


def _resolved(document: Json, found: Json) -> Json:
    if "$ref" not in found:
        return found
    _, _, kind, name = found["$ref"].split("/")
    known: Json = document["components"][kind][name]
    return known


def _named(schema: Mapping[str, Any]) -> str:
    """The document that a schema refers to, itself or for its items; nothing where it is none."""
    within = schema.get("items", schema)
    kinds = [within, *within.get("anyOf", ())]
    return next((each["$ref"].removeprefix(_SCHEMAS) for each in kinds if "$ref" in each), "")


def _words(schema: Mapping[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].removeprefix(_SCHEMAS))
    if "anyOf" in schema:
        return " | ".join(_words(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"[{_words(schema.get('items', {}))}]"
    limits = [
        f"{sign} {schema[name]}"
        for name, sign in (("minimum", "≥"), ("maximum", "≤"), ("pattern", ""))
        if name in schema
    ]
    return " ".join((kind, *(each.strip() for each in limits)))


def _example(schema: Json) -> str:
    """A document as it may be sent; where only its fields have examples, it is made of these."""
    found = schema.get("examples", [])
    if not found:
        fields = {
            name: each["examples"][0] for name, each in schema.get("properties", {}).items() if "examples" in each
        }
        found = [fields] if fields else []
    return json.dumps(found[0], indent=2, ensure_ascii=False) if found else ""


def _command(document: Json, base: str, method: str, path: str, found: Json) -> str:
    """How curl does it; what is in capitals is to be filled in."""
    address = base.rstrip("/") + re.sub(r"{(\w+)}", lambda part: part[1].upper(), path)
    words = ["curl", *{"get": [], "head": ["--head"]}.get(method, ["-X", method.upper()])]
    if found["security"]:
        words += ["-H", "Authorization: Bearer KEY"]
    bodies = found.get("requestBody", {}).get("content", {})
    for kind, each in bodies.items():
        if kind == "multipart/form-data":
            words += ["-F", "file=@FILE"]
        elif kind == "application/json":
            _, _, _, example = _body(document, kind, each["schema"])
            words += ["-H", f"Content-Type: {kind}", "-d", json.dumps(json.loads(example)) if example else "{}"]
        else:
            words += ["-H", f"Content-Type: {kind}", "--data-binary", "@FILE"]
    return shlex.join([*words, address])


def _access(request: Request) -> AuthorizedRequest | None:
    try:
        return authorized(request)
    except MunimentError:
        return None

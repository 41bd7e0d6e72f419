"""The description says of every route what it is, in a way that people and programs can use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

import muniment
from muniment.doors.nexus.http.application import routes_at
from muniment.doors.nexus.http.description import ADDRESSES
from muniment.doors.nexus.http.mounting import PREFIX
from muniment.doors.nexus.http.query import known_parameters
from muniment.http.description import ASKED
from muniment.server import interfaces
from muniment.server.description import operations

Json = dict[str, Any]
LONGEST_SUMMARY = 130
RESERVED = {("source",), ("tags",)}
"""What no selection can be called, for Nexus has something else there."""


@pytest.fixture(scope="module")
def server() -> FastAPI:
    server = FastAPI(title="Muniment", version="1")
    interfaces.install(server)
    return server


@pytest.fixture(scope="module")
def described(server: FastAPI) -> Json:
    return server.openapi()


def resolved(described: Json, found: Json) -> Json:
    while "$ref" in found:
        place = described
        for step in found["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        found = place
    return found


def references(found: object) -> Iterator[str]:
    if isinstance(found, dict):
        if isinstance(found.get("$ref"), str):
            yield found["$ref"]
        for value in found.values():
            yield from references(value)
    elif isinstance(found, list):
        for value in found:
            yield from references(value)


def schemas(found: object) -> Iterator[Json]:
    """Every schema in it that has a default or examples."""
    if isinstance(found, dict):
        if "default" in found or isinstance(found.get("examples"), list):
            yield found
        for value in found.values():
            yield from schemas(value)
    elif isinstance(found, list):
        for value in found:
            yield from schemas(value)


# --- every route and no other


def routes(server: FastAPI) -> Iterator[APIRoute]:
    waiting = list(server.router.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            yield route
        router = getattr(route, "original_router", None) or getattr(route, "router", None)
        if router is not None and not isinstance(route, APIRoute):
            waiting += router.routes


def test_every_route_of_the_interfaces_is_in_the_description_and_no_other(server: FastAPI, described: Json) -> None:
    answered = {
        (method, re.sub(r":path}", "}", route.path)) for route in routes(server) for method in route.methods or ()
    }
    known = {(method.upper(), path) for method, path, _ in operations(described) if not path.startswith(f"{PREFIX}/")}
    assert known <= answered
    # OSF answers without the slash at the end as well, and HEAD beside GET: the description says both in words.
    beside = {(method, path.removesuffix("/")) for method, path in known if path.startswith("/api/v1/")}
    beside |= {("HEAD", path) for method, path in known | beside if method == "GET" and path.startswith("/api/v1/")}
    assert answered == known | beside


def test_every_address_of_nexus_is_in_the_description_and_no_other(described: Json) -> None:
    words = ("x", "undeprecate", "source", "tags", "incoming", "outgoing")
    roots = {address.split("/")[0] for address in ADDRESSES}
    known: dict[tuple[str, ...], set[str]] = {}
    for method, path, _ in operations(described):
        if path.startswith(f"{PREFIX}/") and method != "head":
            parts = path.removeprefix(f"{PREFIX}/").split("/")
            shape = tuple("x" if part.startswith("{") else part for part in parts)
            known.setdefault(shape, set()).add(method.upper())
    for root in roots:
        for length in range(8):
            below = words if length >= 3 else ("x",)
            for rest in product(*(("x",) if place < length - 2 else below for place in range(length))):
                shape = (root, *rest)
                # A word may also be an id, as in `files/o/p/tags`: then the address with an id describes it.
                fitting = [
                    methods
                    for pattern, methods in known.items()
                    if len(pattern) == len(shape) and all(each in {"x", shape[at]} for at, each in enumerate(pattern))
                ]
                if root == "archives" and shape[3:] in RESERVED:
                    fitting = []
                assert set(routes_at(shape)) in (fitting or [set()]), shape
    assert all(routes_at(shape) for shape in known)


def test_every_parameter_that_nexus_reads_is_described(described: Json) -> None:
    for method, path, operation in operations(described):
        if path.startswith(f"{PREFIX}/"):
            named = {each["name"] for each in operation["parameters"] if each.get("in") == "query"}
            assert named == known_parameters(method.upper(), path.removeprefix(f"{PREFIX}/").split("/"))


# --- words


def test_every_operation_has_a_name_of_its_own_a_summary_and_a_tag_that_is_described(described: Json) -> None:
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in described["tags"]}
    used = set()
    for method, path, operation in operations(described):
        where = f"{method} {path}"
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+|ckan_[a-z_]+", operation["operationId"]), where
        assert operation["summary"], where
        assert len(operation["summary"]) <= LONGEST_SUMMARY, (where, operation["summary"])
        assert len(operation["tags"]) == 1, where
        used.update(operation["tags"])
        assert "Raises:" not in operation.get("description", ""), where
    assert used == tags


def test_every_parameter_says_what_it_is(described: Json) -> None:
    for method, path, operation in operations(described):
        for parameter in operation.get("parameters", ()):
            said = resolved(described, parameter)
            assert said.get("description"), (method, path, said["name"])
        named = {each.get("name") for each in operation.get("parameters", ()) if each.get("in") == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), (method, path)


# --- errors


def test_an_error_is_described_once_and_referred_to_everywhere(described: Json) -> None:
    assert "status" in described["components"]["schemas"]["Problem"]["properties"]
    text = repr(described)
    assert text.count("'title': 'Problem'") == 1
    referred = 0
    for method, path, operation in operations(described):
        for status, answer in operation["responses"].items():
            if int(status) < 400 or path == "/health/ready" or operation["operationId"] == "osf_submit_container":
                continue
            referred += 1
            said = resolved(described, answer)
            kinds = {kind: value["schema"] for kind, value in said.get("content", {}).items()}
            problem = {"$ref": "#/components/schemas/Problem"}
            if path.startswith(f"{PREFIX}/"):
                if status == "416":
                    continue  # it has no content, as with Nexus itself
                assert kinds.pop("application/json") == {"$ref": "#/components/schemas/NexusError"}
                assert kinds in ({}, {"application/problem+json": problem})
            else:
                assert kinds == {"application/problem+json": problem}, (method, path, status)
    assert referred > 1000


def test_what_is_referred_to_is_there_and_all_of_it_is_used(described: Json) -> None:
    found = set(references(described))
    for reference in found:
        resolved(described, {"$ref": reference})
    for kind in ("schemas", "responses", "parameters", "headers"):
        for name in described["components"][kind]:
            assert f"#/components/{kind}/{name}" in found, name


# --- values


def test_no_default_and_no_example_breaks_its_own_schema(described: Json) -> None:
    seen = 0
    for schema in schemas(described):
        whole = {**schema, "components": described["components"]}
        for value in [*([schema["default"]] if "default" in schema else []), *schema.get("examples", ())]:
            jsonschema_rs.Draft202012Validator(whole).validate(value)
            seen += 1
    assert seen > 50


def test_every_json_body_has_an_example(described: Json) -> None:
    for method, path, operation in operations(described):
        for kind, said in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json":
                schema = said["schema"]
                kinds = schema.get("anyOf", [schema])
                named = [resolved(described, each) for each in kinds if each != {"type": "null"}]
                for each in named:
                    fields = each.get("properties", {}).values()
                    assert each.get("examples") or any("examples" in field for field in fields), (method, path)


def test_every_header_that_a_route_reads_is_a_parameter_in_the_description(described: Json) -> None:
    of_every_request = {
        "accept",
        "accept-language",
        "authorization",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "origin",
        "sec-fetch-site",
        "transfer-encoding",
        "x-forwarded-for",
        "x-forwarded-proto",
    }
    declared = {
        resolved(described, parameter)["name"].lower()
        for _, _, operation in operations(described)
        for parameter in operation.get("parameters", ())
        if resolved(described, parameter)["in"] == "header"
    }
    root = Path(muniment.__file__).parent
    places = [root / "server" / "native", root / "http", *(root / "doors").glob("*/http")]
    read = {
        name
        for place in places
        for file in place.glob("*.py")
        for name in re.findall(
            r'(?<!reply\.)headers\.get\("([a-z-]+)"|"([a-z-]+)" in request\.headers', file.read_text()
        )
        for name in name
        if name
    }
    assert "if-range" in read
    assert read - of_every_request <= declared
    assert {name.lower() for name in ASKED} <= declared

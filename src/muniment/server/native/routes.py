"""Routers of the native interface: what its parts have in common, said once."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Security
from fastapi.security import HTTPBasic, HTTPBearer

from muniment.http.names import PREFIX
from muniment.http.problems import MEDIA_TYPE
from muniment.server.native.schemas import Problem

_PROBLEM = "#/components/schemas/Problem"


def describe_problem(server: FastAPI) -> None:
    """Put the document of an error into the description once: all answers that are one refer to it."""
    framework = server.openapi

    def openapi() -> dict[str, object]:
        described = framework()
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("Problem", Problem.model_json_schema())
        return described

    server.openapi = openapi  # type: ignore[method-assign] # as the framework's documentation has it


def _problem(description: str) -> dict[str, object]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM}}}}


_PROBLEMS: dict[int | str, dict[str, object]] = {
    400: _problem("The request cannot be understood."),
    401: _problem("Sign in."),
    403: _problem("Not allowed."),
    404: _problem("There is no such thing, or none for you."),
    405: _problem("Not possible here."),
    408: _problem("Nothing came for too long."),
    409: _problem("It collides with what is there."),
    410: _problem("It was purged."),
    412: _problem("It is not at the version that was named."),
    413: _problem("The body is too large."),
    416: _problem("The range lies outside."),
    422: _problem("Something in the request is not usable."),
    429: _problem("Too many failed sign-ins."),
    431: _problem("Too many headers."),
    500: _problem("The storage or the server failed."),
    503: _problem("Too much at once."),
    507: _problem("The storage is full."),
}

_SIGN_IN = [
    Security(HTTPBearer(auto_error=False, description="An API key or an OIDC token.")),
    Security(HTTPBasic(auto_error=False, description="An API key as the user name.")),
]


def new_router(below: str = "") -> APIRouter:
    """A router for what lies below `below` in the interface."""
    return APIRouter(prefix=PREFIX + below, responses=_PROBLEMS, dependencies=_SIGN_IN)

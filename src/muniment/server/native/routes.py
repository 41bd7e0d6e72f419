"""Routers of the native interface: what its parts have in common, said once."""

from __future__ import annotations

from fastapi import APIRouter

from muniment.http.description import SIGN_IN, failures
from muniment.http.names import PREFIX

_RARE = {415, 423, 460, 502}
"""Errors that an operation names itself, where it may have them."""


def new_router(tag: str, below: str = "") -> APIRouter:
    """A router for what lies below `below` in the interface; the description has it under `tag`."""
    responses = {status: answer for status, answer in failures().items() if status not in _RARE}
    return APIRouter(prefix=PREFIX + below, tags=[tag], responses=responses, dependencies=SIGN_IN)

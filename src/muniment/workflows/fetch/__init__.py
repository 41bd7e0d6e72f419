"""Fetching: what sources hold becomes a resource, or its next instance. The doors fetch in the same way.

`Fetches` is the requesters' side, `steps` what workers do; `files` is the one loop that fetches.
"""

from __future__ import annotations

from muniment.workflows.fetch.context import FetchContext, Policy
from muniment.workflows.fetch.request import FetchRequest, read_sources
from muniment.workflows.fetch.requests import KIND, Fetches
from muniment.workflows.fetch.steps import steps

__all__ = ["KIND", "FetchContext", "FetchRequest", "Fetches", "Policy", "read_sources", "steps"]

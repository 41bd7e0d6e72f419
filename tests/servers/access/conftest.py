"""A real OpenID Connect provider."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the provider's own libraries are being renamed
    from oidc_provider_mock import User, run_server_in_thread  # type: ignore[import-untyped]  # it ships no types


@pytest.fixture
def provider() -> Iterator[str]:
    """The address of an OpenID Connect provider that knows one user."""
    claims = {"name": "Ann Lee", "email": "ann@example.org", "email_verified": True, "groups": ["staff"]}
    with run_server_in_thread(user_claims=[User(sub="ann-1", claims=claims)]) as server:
        yield f"http://localhost:{server.server_port}"

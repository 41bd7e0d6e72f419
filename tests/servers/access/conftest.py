"""A real PostgreSQL, started once per run, and a real OpenID Connect provider."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from muniment.testing.services import Service, shared

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the provider's own libraries are being renamed
    from oidc_provider_mock import User, run_server_in_thread  # type: ignore[import-untyped]  # it ships no types


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder all processes of this test run know."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "services"


@pytest.fixture(scope="session")
def postgresql(run_folder: Path) -> Iterator[Service]:
    with shared("postgresql", run_folder) as service:
        yield service


@pytest.fixture
def place(postgresql: Service) -> Iterator[str]:
    """A new, empty database."""
    name = f"access_{secrets.token_hex(6)}"
    engine = create_engine(
        postgresql.url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgresql.url.rsplit("/", 1)[0] + f"/{name}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def provider() -> Iterator[str]:
    """The address of an OpenID Connect provider that knows one user."""
    claims = {"name": "Ann Lee", "email": "ann@example.org", "email_verified": True, "groups": ["staff"]}
    with run_server_in_thread(user_claims=[User(sub="ann-1", claims=claims)]) as server:
        yield f"http://localhost:{server.server_port}"

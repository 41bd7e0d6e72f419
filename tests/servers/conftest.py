"""Real servers for what several processes share: PostgreSQL, Redis and RabbitMQ, each started once per run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from muniment.testing.services import Service, shared


@pytest.fixture(scope="session")
def postgresql(run_folder: Path) -> Iterator[Service]:
    with shared("postgresql", run_folder) as service:
        yield service


@pytest.fixture(scope="session")
def redis(run_folder: Path) -> Iterator[Service]:
    """Redis, with a database of its own for each process of the tests: their queues have the same names."""
    runner = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with shared("redis", run_folder) as service:
        yield replace(service, url=f"{service.url.removesuffix('/0')}/{runner % 16}")


@pytest.fixture(scope="session")
def rabbitmq(run_folder: Path) -> Iterator[Service]:
    with shared("rabbitmq", run_folder) as service:
        yield service


@pytest.fixture
def place(postgresql: Service) -> Iterator[str]:
    """The address of a new, empty PostgreSQL database."""
    name = f"test_{secrets.token_hex(6)}"
    address = postgresql.url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgresql.url.rpartition("/")[0] + f"/{name}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()

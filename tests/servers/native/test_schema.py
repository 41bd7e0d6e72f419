"""The native interface does what its own description says, whatever a client sends: judged by schemathesis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from muniment.app import App
from muniment.archive import Archive
from muniment.http.names import PREFIX
from muniment.server import create_app, description, interfaces
from muniment.settings import Settings
from tests.servers.native.running import make_archive

DESCRIPTION = "/archive/v1/openapi.json"
EXAMPLES = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A new one each time: a process that is given tests of this module twice makes its fixtures twice.
    return tmp_path_factory.mktemp("described") / "archive"


@pytest.fixture(scope="module")
def key(place: Path) -> str:
    key = make_archive(place)
    with Archive(place, workers=0) as archive, archive.new("car") as transaction:
        transaction.add(b"0123456789", "file.txt")
    return key


@pytest.fixture(scope="module")
def described(key: str, place: Path) -> Any:
    # What is asked for is noted and not done: a made-up source may be anywhere.
    settings = Settings(archive=str(place), digest_processes=0, serve_failures=1_000_000, serve_work=False)
    return schemathesis.openapi.from_asgi(DESCRIPTION, create_app(App(settings)))


def operations() -> list[tuple[str, str]]:
    """Every operation of the description, as method and path."""
    bare = FastAPI()
    interfaces.install(bare)
    return [(method, path) for method, path, _ in description.operations(bare.openapi()) if path.startswith(PREFIX)]


@schemathesis.serializer("application/octet-stream")
def as_it_is(ctx: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


# What a tar or a batch of files is cannot be said in a JSON schema, so most of what is made up is refused.
BINARY = {"/archive/v1/imports", "/archive/v1/transactions/{transaction}/files"}
# Nor can which sources are installed and what fields each has.
BEYOND_SCHEMA = BINARY | {"/archive/v1/fetches"}


@pytest.mark.parametrize(("method", "path"), operations())
def test_an_operation_with_a_key(described: Any, key: str, method: str, path: str) -> None:
    excluded = [positive_data_acceptance] if path in BEYOND_SCHEMA else []

    @EXAMPLES
    @given(case=described[path][method.upper()].as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(headers={**_quiet(case), "Authorization": f"Bearer {key}"}, excluded_checks=excluded)

    check()


@pytest.mark.parametrize(("method", "path"), operations())
def test_an_operation_without_a_key(described: Any, method: str, path: str) -> None:
    @EXAMPLES
    @given(case=described[path][method.upper()].as_strategy())
    def check(case: Any) -> None:
        answer = case.call(headers=_quiet(case))
        assert answer.status_code in {400, 401, 404, 405, 409, 422}, answer.text

    check()


def _quiet(case: Any) -> dict[str, str]:
    """The case's own headers, but for what would ask for a stream without an end."""
    return {name: value for name, value in dict(case.headers or {}).items() if name.lower() != "accept"}

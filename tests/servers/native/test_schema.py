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
from muniment.server import create_app, native
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
    application = create_app(App(Settings(archive=str(place), digest_processes=0, serve_failures=1_000_000)))
    return schemathesis.openapi.from_asgi(DESCRIPTION, application)


def operations() -> list[tuple[str, str]]:
    """Every operation of the description, as method and path."""
    bare = FastAPI()
    native.install(bare)
    return [(method, path) for path, item in bare.openapi()["paths"].items() for method in item]


@schemathesis.serializer("application/x-tar", "application/vnd.muniment.files")
def as_it_is(ctx: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def test_an_error_is_described_once_and_referred_to_everywhere() -> None:
    bare = FastAPI()
    native.install(bare)
    described = bare.openapi()
    assert "status" in described["components"]["schemas"]["Problem"]["properties"]
    referred = 0
    for item in described["paths"].values():
        for operation in item.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert answer["content"] == {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    }
                    referred += 1
    assert referred > 500


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

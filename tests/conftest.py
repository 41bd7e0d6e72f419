"""What holds for every test: on CI nothing is skipped silently, and nothing but this machine is connected to."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.testing.connections import loopback_only
from tests.published import SETTING, published

MISSING = [name for name in ("bagit", "ocfl", "schemas") if published(name) is None]
"""The field's suites and schemas of which there is no copy here."""
collect_ignore = ["format/test_conformance.py"] if {"bagit", "ocfl"} & set(MISSING) else []
"""Without the suites their tests are not there: none is skipped, and none passes over nothing."""

_WATCH = pytest.StashKey[Any]()
_OFFENCES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Watch connections and look-ups from before the first test module is imported; read nobody's configuration."""
    os.environ["MUNIMENT_CONFIG"] = os.devnull
    config.stash[_WATCH] = watch = loopback_only()
    config.stash[_OFFENCES] = watch.__enter__()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Watch no longer."""
    watch = config.stash.get(_WATCH, None)
    if watch is not None:
        watch.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def _nothing_leaves_the_machine(pytestconfig: pytest.Config) -> Iterator[None]:
    """Fail a test that connects to, or looks up, anything beyond loopback, also where the code took the refusal."""
    offences = pytestconfig.stash[_OFFENCES]
    offences.clear()
    yield
    if offences:
        pytest.fail(f"the test left this machine: {'; '.join(offences)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end of every run who did not judge: nobody should have to know it."""
    if MISSING:
        names = ", ".join(MISSING)
        terminalreporter.write_line(
            f"not judged by {names}: there is no copy, in no folder that {SETTING} names either"
        )


def on_ci() -> bool:
    """Whether a skip must count as a failure: the variable CI says so on every known service."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Turn a skipped test into a failed one that gives the reason of the skip."""
    report = yield
    if on_ci() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} may not be skipped on CI: {why(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """The same for a module that skips itself while it is collected (`importorskip`)."""
    report = yield
    if on_ci() and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} may not be skipped on CI: {why(report.longrepr)}"
    return report


def why(longrepr: object) -> str:
    """The reason out of pytest's (path, line, reason), or whatever it gave."""
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder all processes of this test run know: servers that many tests need are started once, and lie in it."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "services"

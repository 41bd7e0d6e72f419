"""What holds for every test: on CI nothing is skipped silently."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest


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

"""The virus scanner, against clamd itself and against the look-alike that can be told to fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from muniment.errors.base import BadSetting
from muniment.errors.checks import ScannerUnavailable
from muniment.testing.servers.clamd import EICAR, NAME, LoopbackClamd, ScannerLimits, clamd, loopback_clamd
from muniment.workflows.checks.clamd import Clamd, Verdict

LIMITS = ScannerLimits(stream=1 << 20, file=1 << 19)


@pytest.fixture(scope="module", params=["clamd", "the look-alike"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ExitStack() as stack:
        if request.param == "clamd":
            yield stack.enter_context(clamd(tmp_path_factory.mktemp("clamd"), LIMITS))
        else:
            yield stack.enter_context(loopback_clamd(LIMITS)).address


def scanner(address: str, *, largest: int = 1 << 30, patience: float = 0.0, timeout: float = 30.0) -> Clamd:
    return Clamd(address, largest=largest, patience=patience, timeout=timeout)


def put(folder: Path, data: bytes) -> tuple[str, int]:
    place = folder / "file"
    place.write_bytes(data)
    return str(place), len(data)


def test_it_says_its_version_and_that_of_its_signatures(address: str) -> None:
    assert scanner(address).version().startswith("ClamAV ")


@pytest.mark.parametrize("data", [b"", b"hello", bytes(400_000)])
def test_what_holds_no_virus_is_clean(address: str, tmp_path: Path, data: bytes) -> None:
    assert scanner(address).scan(*put(tmp_path, data)).verdict is Verdict.CLEAN


@pytest.mark.parametrize("before", [0, 300_000])
def test_a_virus_is_found_and_named(address: str, tmp_path: Path, before: int) -> None:
    found = scanner(address).scan(*put(tmp_path, bytes(before) + EICAR))
    assert found.verdict is Verdict.INFECTED
    assert NAME in found.reason


@pytest.mark.parametrize("size", [(1 << 19) + 1, (1 << 20) + 1, 5 << 20])
def test_what_is_above_a_limit_of_the_scanner_is_not_scanned(address: str, tmp_path: Path, size: int) -> None:
    found = scanner(address).scan(*put(tmp_path, bytes(size)))
    assert found.verdict is Verdict.NOT_SCANNED
    assert "limit" in found.reason


def test_what_is_above_our_own_limit_is_not_sent(tmp_path: Path) -> None:
    with loopback_clamd(LIMITS) as server:
        found = scanner(server.address, largest=100).scan(*put(tmp_path, EICAR + bytes(100)))
        assert server.scanned == 0
    assert found.verdict is Verdict.NOT_SCANNED
    assert "100 are scanned at most" in found.reason


@pytest.mark.parametrize("fault", ["silent", "closing", "failing"])
def test_a_scanner_that_fails_says_nothing_of_a_file(tmp_path: Path, fault: str) -> None:
    with loopback_clamd(LIMITS) as server:
        server.fault = fault  # type: ignore[assignment]  # one of those it knows
        with pytest.raises(ScannerUnavailable):
            scanner(server.address, timeout=0.3).scan(*put(tmp_path, b"hello"))


def test_a_scanner_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with loopback_clamd(LIMITS) as server:
        address = server.address
    with pytest.raises(ScannerUnavailable) as away:
        scanner(address).scan(*put(tmp_path, b"hello"))
    assert away.value.outage
    assert away.value.retry
    server = LoopbackClamd(LIMITS, port=int(address.rpartition(":")[2]))
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        if not pauses:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        pauses.append(seconds)

    waiting = Clamd(address, largest=1 << 30, patience=60, timeout=0.3, sleep=sleep)
    try:
        assert waiting.scan(*put(tmp_path, EICAR)).verdict is Verdict.INFECTED
    finally:
        server.shutdown()
        server.server_close()
    assert pauses


@pytest.mark.parametrize("address", ["", "clamd", "host:", "host:70000", ":1", "run/clamd.sock"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadSetting):
        scanner(address)

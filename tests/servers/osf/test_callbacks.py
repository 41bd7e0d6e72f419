"""Callbacks: to every address, signed, tried again until taken, and logged."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.doors.osf import address_of
from muniment.doors.osf.finish import RegistrationStep
from muniment.errors.base import BadInput
from muniment.jobs import JobState
from muniment.settings import Secret, Settings
from muniment.sources import Guard, Session
from muniment.testing.certificates import server_and_client_contexts
from tests.servers.osf.house import House, Sink, container
from tests.timing import eventually


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        yield server


def test_each_address_is_told_and_one_that_fails_is_told_again(tmp_path: Path, sink: Sink) -> None:
    second = sink.url.replace("http://", "http://us%40er:pw%3A1@") + "/second"
    addresses = Secret(f"{sink.url}/first?token=hidden {second}")
    with House(tmp_path, callback_addresses=addresses) as house:
        sink.fail("/first", times=2, status=500)
        assert house.finish(container("abc")).state is JobState.DONE
        assert len(sink.asked("/first")) == 3
        assert len({request.headers["x-muniment-delivery"] for request in sink.asked("/first")}) == 1
        (told,) = sink.asked("/second")
        expected = base64.b64encode(b"us@er:pw:1").decode()
        assert told.headers["authorization"] == f"Basic {expected}"
        assert "authorization" not in sink.asked("/first")[0].headers
        assert told.headers["content-type"] == "application/json"
        assert told.headers["accept"] == "text/plain"
        first, other = house.foreman.status("abc")["callbacks"]
        assert (first["state"], first["attempts"], first["status"]) == ("delivered", 3, 200)
        assert any("500" in line["detail"] for line in first["log"])
        assert other["state"] == "delivered"
        assert "hidden" not in str(house.foreman.status("abc"))
        assert "pw" not in str(house.foreman.status("abc"))
        for path in tmp_path.rglob("control.db*"):
            assert b"pw:1" not in path.read_bytes()
            assert expected.encode() not in path.read_bytes()


def test_the_original_s_signature_is_added_where_that_is_set(tmp_path: Path, sink: Sink) -> None:
    with House(tmp_path, callback_addresses=sink.url, hmac_legacy=True) as house:
        house.finish(container("12345"))
        (payload,) = sink.payloads()
        assert payload["signature"] == house.working.registration_context.signer.legacy_signature(payload, ("id",))  # type: ignore[union-attr]  # it is set
        assert sink.unsigned == []


def test_by_default_no_signature_stands_in_the_body(tmp_path: Path, sink: Sink) -> None:
    with House(tmp_path, callback_addresses=sink.url) as house:
        house.finish(container("12345"))
        (payload,) = sink.payloads()
        assert set(payload) == {"status", "id", "failures", "timeStamp"}


def calls(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = house.foreman.status("tls")["callbacks"]
    return found


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context, _ = server_and_client_contexts(tmp_path)
    with Sink(context) as sink, House(tmp_path / "house", work=False, callback_addresses=sink.url) as house:
        accepted = house.submit(container("tls"))
        with house.working.local_engine():
            eventually(lambda: any("certificate" in each.get("reason", "").lower() for each in calls(house)))
        assert house.ledger.job(accepted.job).state is JobState.DONE
        assert sink.requests == []


def test_a_certificate_that_is_vouched_for_is_taken(tmp_path: Path) -> None:
    context, client = server_and_client_contexts(tmp_path)
    with Sink(context) as sink, House(tmp_path / "house", work=False, callback_addresses=sink.url) as house:
        makers = house.working.registration_context._makers
        makers["callback_session"] = lambda: Session(Guard(allow_private_addresses=True), tls=client)
        accepted = house.submit(container("tls"))
        with house.working.local_engine():
            house.wait(accepted.job)
        assert [payload["status"] for payload in sink.payloads()] == ["success"]


def test_private_addresses_are_not_called_unless_allowed(tmp_path: Path, sink: Sink) -> None:
    with House(tmp_path, callback_addresses=sink.url, allow_private_addresses=False) as house:
        house.finish(container("abc"))
        (delivery,) = house.foreman.status("abc")["callbacks"]
        assert delivery["state"] == "failed"
        assert "MUNIMENT_ALLOW_PRIVATE_ADDRESSES" in delivery["reason"]
        assert sink.requests == []


def test_a_cancelled_container_is_told_as_failed(tmp_path: Path, sink: Sink) -> None:
    with House(tmp_path, work=False, callback_addresses=sink.url) as house:
        accepted = house.submit(container("gone", children=[container("kid")]))
        house.foreman.cancel("gone", by="the keeper")
        with house.working.local_engine():
            assert house.wait(accepted.job).state is JobState.CANCELLED
        told = {payload["id"]: payload for payload in sink.payloads()}
        assert {id: payload["status"] for id, payload in told.items()} == {"gone": "failed", "kid": "failed"}
        assert told["gone"]["reasons"] == ["It was cancelled by the keeper."]
        assert house.foreman.status("gone")["status"] == "CANCELLED"


def test_a_step_that_ends_by_itself_leaves_nobody_untold(
    tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours: the registration fails, and everybody hears of it once."""

    def mistaken(*_: object) -> None:
        raise LookupError("a mistake in the program")

    monkeypatch.setattr(RegistrationStep, "failures", 2, raising=False)
    monkeypatch.setattr(RegistrationStep, "run", mistaken)
    with House(tmp_path, callback_addresses=sink.url) as house:
        job = house.finish(container("stuck"), seconds=120)
        assert job.state is JobState.FAILED
        (payload,) = sink.payloads()
        assert payload["status"] == "failed"
        assert payload["reasons"]


def test_a_store_that_cannot_be_written_is_waited_for_and_nobody_is_told_before(tmp_path: Path, sink: Sink) -> None:
    """It says nothing about the container, whose turn it is again when somebody has seen to the store."""
    (tmp_path / "store").mkdir()
    in_the_way = tmp_path / "store" / "Directory Structures"
    in_the_way.write_text("in the way")
    with House(tmp_path, callback_addresses=sink.url) as house:
        accepted = house.submit(container("stuck"))
        eventually(lambda: bool(house.ledger.control.outages()))
        (outage,) = house.ledger.control.outages()
        assert "Directory Structures" in outage.reason
        assert not house.ledger.job(accepted.job).ended
        assert sink.payloads() == []
        in_the_way.unlink()
        house.ledger.control.retry(accepted.job, by="the keeper")
        assert house.wait(accepted.job).state is JobState.DONE
        (payload,) = sink.payloads()
        assert payload["status"] == "success"
        assert house.ledger.control.outages() == []


def test_callbacks_without_a_key_are_refused_at_the_start(tmp_path: Path) -> None:
    settings = Settings(archive=str(tmp_path), callback_addresses=Secret("https://example.org/done"))
    with pytest.raises(BadInput, match="MUNIMENT_HMAC_KEY"):
        _ = BackgroundServices(App(settings)).registration_context


@pytest.mark.parametrize("address", ["ftp://example.org/", "example.org", "http://", "http://host:port/"])
def test_an_address_that_is_none_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(BadInput, match="callback address"):
        address_of(address)

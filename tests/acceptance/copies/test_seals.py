"""The daily seal of the log: in every store, made without anybody's schedule, and what it proves."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from muniment.workflows.copies.own_files import repair_stores
from muniment.workflows.copies.seals import parse_seal
from tests.acceptance.copies.conftest import Kept
from tests.acceptance.copies.test_log import log_files


def test_every_store_has_the_seal_of_the_day_once_and_the_log_keeps_it(kept: Kept) -> None:
    day = datetime.now(UTC).date().isoformat()
    for name in ("vault", "shelf"):
        (place,) = (kept.store(name) / "seals").iterdir()
        assert abs((datetime.fromisoformat(place.stem).date() - datetime.fromisoformat(day).date()).days) <= 1
        seal = parse_seal(place.read_bytes())
        assert kept.service.archive.context.log.hash_at(seal.head.seq) == seal.head.hash
    count = len([event for event in kept.service.archive.events() if "seal" in event.detail])
    kept.replicate()
    kept.service.replicate("vault", force=True)
    assert len([event for event in kept.service.archive.events() if "seal" in event.detail]) == count
    assert repair_stores(kept.service).left == {}


def test_the_next_day_has_its_own_seal_though_nothing_is_owed(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("vault", "shelf"):
        kept.service.replicate(name, force=True)
    kept.service.replicate("vault", force=True)
    tomorrow = kept.service.table.now() + 86400
    monkeypatch.setattr(kept.service.table, "now", lambda: tomorrow)
    assert set(kept.service.behind()) == {"vault", "shelf"}
    kept.service.replicate("vault")
    first, second = sorted((kept.store("vault") / "seals").iterdir())
    assert parse_seal(second.read_bytes()).before
    assert first.stem < second.stem


def test_a_log_that_was_written_anew_does_not_fit_its_seals(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept.cli("store", "seals", "vault") == 0
    assert "fits the log" in capsys.readouterr().out
    for path in log_files(kept.root):
        path.write_bytes(path.read_bytes().replace(b"Muniment workers", b"Somebody else   "))
    (found,) = kept.documents(capsys, "store", "seals", "vault")
    assert found["fits"] is False
    assert "had the hash" in found["reason"]
    assert kept.cli("store", "seals", "vault") == 1
    (place,) = (kept.store("shelf") / "seals").iterdir()
    place.chmod(0o644)
    place.write_text(json.dumps({"format": "muniment seal 1"}))
    (found,) = kept.documents(capsys, "store", "seals", "shelf")
    assert "cannot be read" in found["reason"]

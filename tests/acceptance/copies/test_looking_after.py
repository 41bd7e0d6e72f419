"""What operators do beside: rotate keys, and see in the metrics what is damaged."""

from __future__ import annotations

import base64
import secrets

from muniment.app.operations import OperationsControl
from muniment.workflows.copies.registry import reseal
from tests.acceptance.copies.conftest import Kept


def test_keys_are_rotated_with_the_credentials_of_stores(bare: Kept) -> None:
    bare.service.registry.add("vault", str(bare.store("vault")), {"access_key": "a", "secret_key": "a word"})
    bare.working.close()
    keys = bare.root / "control.key"
    former = keys.read_bytes()
    fresh = base64.b64encode(secrets.token_bytes(32)) + b"\n"
    keys.write_bytes(fresh + former)
    assert bare.cli("ledger", "rotate-keys") == 0
    keys.write_bytes(fresh)  # without the former key nothing sealed under it could be read
    del bare.working.__dict__["keyring"]
    service = bare.working.copy_service()
    assert reseal(service.table.database, bare.working.keyring) == 1
    assert service.registry.open("vault").container == "vault"


def test_copies_are_counted_by_store_and_state(kept: Kept) -> None:
    found = OperationsControl(kept.working).copies()
    assert {place: count for place, (count, _) in found.items()} == {
        ("archive", "made"): 2,
        ("shelf", "made"): 3,
        ("vault", "made"): 3,
    }
    row = next(kept.service.table.each(store="vault"))
    kept.service.table.change(row, state="damaged")
    assert OperationsControl(kept.working).copies()["vault", "damaged"][0] == 1

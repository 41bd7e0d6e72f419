"""Copies and the archive are read back within a budget, the oldest first; what is damaged is repaired from others."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.cli.main import run
from muniment.errors.base import BadInput
from muniment.workflows.copies.budget import Budget, parse_budget, parse_sample, sample_size
from muniment.workflows.copies.ladder import repair_all, repair_resource
from muniment.workflows.copies.root_verification import beside_rows
from muniment.workflows.copies.status import protections
from muniment.workflows.copies.verification import Verification
from tests.acceptance.copies.conftest import Kept
from tests.acceptance.copies.test_making import files_below


def age(kept: Kept, days: float) -> None:
    """Let everything have been verified so long ago, each a second after the one before."""
    at = kept.service.table.now() - days * 86400
    for number, row in enumerate(list(kept.service.table.each())):
        kept.service.table.change(row, verified_at=at + number)


def one(root: Path, pattern: str) -> Path:
    (found,) = root.glob(pattern)
    return found


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.chmod(0o644)
    path.write_bytes(data)


def gone(path: Path) -> None:
    path.unlink()


def test_what_is_due_is_verified_within_its_cadence_and_not_again(kept: Kept) -> None:
    verification = Verification(kept.service)
    assert list(verification.due()) == []
    age(kept, 80)
    assert len(list(verification.due())) == 8  # three copies in each store, and two resources of the archive itself
    done = verification.run(verification.due(), Budget())
    assert (done.used.copies, done.damaged, done.complete) == (8, [], True)
    assert list(verification.due()) == []
    age(kept, 100)
    reasons = {each.reason for found in protections(kept.service) for each in found.shortfalls}
    assert all("ago, and every 90d is asked" in reason for reason in reasons)
    assert reasons


def test_a_budget_ends_a_run_and_the_next_one_goes_on(kept: Kept) -> None:
    age(kept, 80)
    verification = Verification(kept.service)
    seen: list[object] = []
    before = kept.service.table.now() - 1000
    while rows := list(verification.rows(before)):
        done = verification.run(rows, Budget(requests=1), lambda row: seen.append(row.key))
        assert done.used.copies + done.complete <= 1 + (len(rows) == 1)
        assert done.complete == (len(rows) == 1)
    beside = 3  # what is no copy: in the archive and in two stores
    assert len(seen) == len(set(seen)) == 8 + beside


def test_an_estimate_comes_before_the_reading(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    kept.service.registry.forget("vault", with_copies=True)
    kept.service.registry.add("vault", str(kept.store("vault")), request_price=5.0, read_price=90.0)
    kept.service.plan_all()
    kept.replicate()
    assert kept.cli("audit", "--estimate", "--budget", "2h") == 0
    said = capsys.readouterr().out
    rows = list(kept.service.table.each(store="vault", state="made"))
    rows += beside_rows(kept.service, ["vault"])
    cost = sum(5.0 * (row.keys + 1) / 1000 + 90.0 * row.size / 1e9 for row in rows)
    assert f"cost {cost:.2f}" in said
    assert said.startswith("8 copies, ")
    assert kept.cli("copies", "verify", "--store", "vault", "--not-since", "1d") == 0
    assert kept.cli("copies", "verify", "--store", "vault", "--budget", "nonsense") == BadInput.exit_status


def test_a_sample_has_the_size_that_its_confidence_needs() -> None:
    assert sample_size(1_000_000, 0.95, 0.01) == 299
    assert sample_size(100, 0.95, 0.01) == 95
    assert sample_size(3, 0.99, 0.5) == 2
    assert sample_size(0, 0.9, 0.1) == 0
    found = 0
    for seed in range(2000):
        found += any(number < 10 for number in random.Random(seed).sample(range(1000), sample_size(1000, 0.9, 0.01)))
    assert found / 2000 > 0.88
    assert parse_sample("95%/1%") == (0.95, 0.01)
    for text in ("95/1", "95%", "x%/1%"):
        with pytest.raises(BadInput):
            parse_sample(text)


@pytest.mark.parametrize(
    ("word", "budget"),
    [
        ("2h", Budget(seconds=7200)),
        ("5%", Budget(share=0.05)),
        ("500GB", Budget(bytes=5e11)),
        ("1000 requests", Budget(requests=1000)),
        ("3.50 cost", Budget(cost=3.5)),
    ],
)
def test_budgets_are_written_as_people_write_them(word: str, budget: Budget) -> None:
    assert parse_budget([word]) == budget


@pytest.mark.parametrize("harm", [damage, pytest.param(gone, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(
    ("store", "pattern"),
    [
        ("vault", "objects/*/*/*one/v1/content/data/large.bin"),
        ("vault", "objects/*/*/*one/v2/inventory.json"),
        ("vault", "copies/ocfl/main/main/one/v1.json"),
        ("shelf", "bags/main/main/one/v2.tar"),
        ("shelf", "bags/main/main/one/v2.tar.parity/*.vol*.par2"),
    ],
)
def test_a_damaged_copy_is_found_and_put_again(
    kept: Kept, harm: Callable[[Path], None], store: str, pattern: str
) -> None:
    before = files_below(kept.store(store))
    harm(one(kept.store(store), pattern))
    assert kept.cli("copies", "verify", "--no-repair") == 1
    assert [each.id for each in protections(kept.service) if not each.protected] == ["one"]
    assert kept.cli("repair") == 0
    assert all(each.protected for each in protections(kept.service))
    after = files_below(kept.store(store))
    assert {name: after.get(name) for name in before if not name.startswith("events")} == {
        name: data for name, data in before.items() if not name.startswith("events")
    }


@pytest.mark.parametrize(
    "pattern",
    [
        "v1/content/data/large.bin",
        "v1/inventory.json",
        "v2/inventory.json*",
        "v1/content/*.txt",
        "v2/content/*/*",
        "**/*",
    ],
)
@pytest.mark.parametrize("store", ["vault", pytest.param("shelf", marks=pytest.mark.nightly)])
def test_what_parity_cannot_repair_comes_from_a_copy(kept: Kept, store: str, pattern: str) -> None:
    """Everything of the archive that matches is lost, with all parity."""
    before = files_below(kept.root / "objects")
    shutil.rmtree(kept.root / "parity")
    root = one(kept.root, "objects/*/*/*one")
    for path in list(root.glob(pattern)):
        if path.is_file():
            path.unlink()
    other = {"vault": "shelf", "shelf": "vault"}[store]
    shutil.rmtree(kept.store(other))
    done = repair_resource(kept.service, "main/main", "one")
    assert [where for where in done.left if where.startswith("objects")] == []
    assert files_below(kept.root / "objects") == before
    assert not [finding for finding in kept.service.archive.audit("one") if finding.failed]


def test_an_object_that_is_lost_altogether_comes_back_by_the_command(kept: Kept) -> None:
    before = files_below(kept.root / "objects")
    shutil.rmtree(one(kept.root, "objects/*/*/*one"))
    kept.working.close()
    assert run(["--archive", str(kept.root), "repair"]) == 0
    assert files_below(kept.root / "objects") == before


def test_a_copy_that_lies_is_not_believed(kept: Kept) -> None:
    """The archive's file is damaged, its parity gone, and the only copy holds other bytes under the same record."""
    shutil.rmtree(kept.root / "parity")
    shutil.rmtree(kept.store("shelf"))
    own = one(kept.root, "objects/*/*/*two/v1/content/data/only.bin")
    damage(own)
    left = own.read_bytes()
    one(kept.store("vault"), "objects/*/*/*two/v1/content/data/only.bin").write_bytes(b"X" * 150_000)
    done = repair_resource(kept.service, "org/other", "two")
    assert any("only.bin" in where for where in done.left)
    assert own.read_bytes() == left
    assert not list((kept.root / "staging/open").iterdir())


def test_what_nothing_can_repair_is_listed_until_it_can(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    damage(one(kept.store("vault"), "objects/*/*/*two/v1/content/data/only.bin"))
    away = kept.store("vault").rename(kept.folder / "away")
    assert kept.cli("copies", "verify") == 8  # the store is not there: nothing was found, and nothing is claimed
    away.rename(kept.store("vault"))
    own = one(kept.root, "objects/*/*/*two/v1/content/data/only.bin")
    keep = own.read_bytes()
    shutil.rmtree(kept.root / "parity")
    damage(own)
    damage(one(kept.store("shelf"), "bags/org/other/two/v1.tar"))
    for parity in kept.store("shelf").glob("bags/org/other/two/v1.tar.parity/*"):
        parity.unlink()
    assert kept.cli("copies", "verify") == 1
    assert kept.cli("repair") == 1
    capsys.readouterr()
    assert kept.cli("copies") == 1
    assert "two  NOT PROTECTED" in capsys.readouterr().out
    own.write_bytes(keep)
    assert not repair_all(kept.service).left
    assert all(each.protected for each in protections(kept.service))


@pytest.mark.parametrize("budget", ["1%", "2h"])
def test_the_archive_itself_is_verified_where_no_policy_asks_for_copies(
    bare: Kept, budget: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(one(bare.root, "objects/**/v1/content/data/large.bin"))
    capsys.readouterr()
    runs = 2 if budget == "1%" else 1  # the first of them gets as far as what is no resource
    assert [bare.cli("audit", "--budget", budget) for _ in range(runs)] == [0, 1][-runs:]
    assert "DAMAGED  archive ocfl one itself: M101" in capsys.readouterr().out
    assert sum(row.size for row in bare.service.table.each(store="archive")) > 300_000


def test_an_audit_counts_as_a_verification_of_the_archive_itself(bare: Kept) -> None:
    bare.service.plan_all()
    age(bare, 80)
    bare.cli("audit")
    bare.service.plan_all()
    now = bare.service.table.now()
    assert all(now - (row.verified_at or 0.0) < 3600 for row in bare.service.table.each())

"""What is no copy is verified with the copies: the archive's own files and log in stores, and the roots of objects."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from muniment.errors.stores import ChangeRefused, StoreNotReady
from muniment.stores import Store
from muniment.stores.folder import FolderStore
from muniment.workflows.copies.budget import Budget
from muniment.workflows.copies.ladder import repair_all
from muniment.workflows.copies.log_segments import FILLED, keys_of_log
from muniment.workflows.copies.own_files import repair_stores
from muniment.workflows.copies.verification import Verification
from tests.acceptance.copies.conftest import Kept

LIMITS = (("--budget", "1h"), ("--not-since", "1s"), ("--store", "vault"), ("--sample", "95%/50%"), ())


def harm(place: Path, how: str) -> None:
    """Let a file of a store be lost or another; a former file may be linked elsewhere and is left alone."""
    data = place.read_bytes()
    place.unlink()
    if how == "damaged":
        place.write_bytes(data.replace(b"e", b"f", 1))


def root_of(kept: Kept) -> Path:
    """The folder of the object `one`, which has two instances, in the store with the layout `ocfl`."""
    (found,) = (path.parent for path in kept.store("vault").glob("objects/*/*/*one/v2"))
    return found


def verified(kept: Kept) -> list[str]:
    """What a verification of everything finds damaged, by store and layout."""
    verification = Verification(kept.service)
    done = verification.run(list(verification.rows()), Budget())
    return [f"{row.store} {row.layout}" for row in done.damaged]


# --- what stores have beside copies


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("name", ["muniment.json", "events/00000000/000000000001.jsonl"])
def test_what_a_store_has_beside_copies_is_verified_within_limits_too(
    kept: Kept, capsys: pytest.CaptureFixture[str], name: str, limits: tuple[str, ...]
) -> None:
    place = kept.store("vault") / name
    data = place.read_bytes()
    harm(place, "damaged")
    assert kept.cli("copies", "verify", *limits) == 0
    said = capsys.readouterr().out
    assert f"DAMAGED  vault beside what lies there and is no copy: {name}" in said
    assert f"repaired: {name} in vault" in said
    assert place.read_bytes().startswith(data)
    assert verified(kept) == []


def test_without_repair_it_is_named_and_no_success(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    place = kept.store("shelf") / "README.txt"
    harm(place, "lost")
    assert kept.cli("copies", "verify", "--budget", "1h", "--no-repair") == 1
    assert "DAMAGED  shelf beside" in capsys.readouterr().out
    assert not place.exists()
    assert kept.service.table.counts()["shelf", "damaged"] == (1, 0)  # what metrics and pages show
    assert kept.cli("store", "ls") == 0
    assert ", 1 damaged" in capsys.readouterr().out
    assert kept.cli("copies", "verify") == 0
    assert ("shelf", "damaged") not in kept.service.table.counts()


def test_the_archives_own_files_are_verified_on_a_budget(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    harm(kept.root / "README.txt", "damaged")
    assert kept.cli("audit", "--budget", "1h") == 1
    assert "DAMAGED  archive beside" in capsys.readouterr().out
    assert kept.service.table.counts()["archive", "damaged"] == (1, 0)
    assert kept.cli("copies", "verify") == 0
    assert ("archive", "damaged") not in kept.service.table.counts()


def test_it_takes_its_turn_and_counts_what_it_reads(kept: Kept) -> None:
    verification = Verification(kept.service)
    rows = list(verification.rows())
    assert [(row.store, row.layout) for row in rows[:3]] == [
        ("archive", "beside"),
        ("shelf", "beside"),
        ("vault", "beside"),
    ]
    done = verification.run(rows, Budget(requests=1))
    assert done.used.requests == 1
    assert done.used.copies == 0
    again = [(row.store, row.layout) for row in verification.rows()]
    assert again[:2] == [("shelf", "beside"), ("vault", "beside")]
    assert again.index(("archive", "beside")) > 2


def test_a_store_is_not_judged_by_a_log_that_is_damaged_itself(kept: Kept) -> None:
    for path in [*kept.root.glob("events/*/*.jsonl"), *kept.root.glob("parity/events/*/*.jsonl")]:
        path.write_bytes(path.read_bytes().replace(b'{"', b"\xff\xff", 1))
    verification = Verification(kept.service, stores=["vault"])
    done = verification.run(list(verification.rows()), Budget())
    assert (done.damaged, list(done.unjudged)) == ([], ["vault"])


# --- the roots of objects


@pytest.mark.parametrize("name", ["inventory.json", "inventory.json.sha512"])
@pytest.mark.parametrize("how", ["lost", "damaged", "former"])
def test_the_root_of_an_object_is_verified_and_put_again(kept: Kept, name: str, how: str) -> None:
    root = root_of(kept)
    data = (root / name).read_bytes()
    if how == "former":
        (root / name).unlink()
        (root / name).write_bytes((root / "v1" / name).read_bytes())
    else:
        harm(root / name, how)
    assert verified(kept) == ["vault ocfl"]
    assert repair_all(kept.service).left == {}
    assert (root / name).read_bytes() == data
    assert verified(kept) == []


def test_the_newest_inventory_stays_in_the_root_when_copies_of_two_instances_are_put_again(kept: Kept) -> None:
    root = root_of(kept)
    for name in ("v1", "v2"):
        harm(root / name / "inventory.json", "damaged")
    assert verified(kept) == ["vault ocfl", "vault ocfl"]
    damaged = list(kept.service.table.each(state="damaged"))
    for row in sorted(damaged, key=lambda row: -row.number):  # of the older one last
        rule = kept.service.rule_of(row)
        assert rule is not None
        kept.service.table.put(kept.service.make(kept.service.registry.open("vault"), row, rule))
        assert json.loads((root / "inventory.json").read_bytes())["head"] == "v2"
    assert verified(kept) == []


@pytest.fixture
def unchanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that change nothing, as a tape does not."""

    def replace(self: FolderStore, key: str, *_: object) -> None:
        raise ChangeRefused(store=str(self), key=key, reason="nothing there is ever changed")

    monkeypatch.setattr(FolderStore, "capabilities", dataclasses.replace(FolderStore.capabilities, replaces=False))
    monkeypatch.setattr(FolderStore, "replace", replace)


@pytest.mark.usefixtures("unchanging")
def test_where_nothing_changes_the_root_keeps_the_first_inventory_and_a_damaged_one_is_made_beside(kept: Kept) -> None:
    root = root_of(kept)
    assert (root / "inventory.json").read_bytes() == (root / "v1/inventory.json").read_bytes()
    assert verified(kept) == []
    harm(root / "inventory.json", "damaged")
    assert verified(kept) == ["vault ocfl"]
    assert repair_all(kept.service).left == {}
    beside = kept.store("vault") / "again/2" / root.relative_to(kept.store("vault"))
    assert (beside / "inventory.json").read_bytes() == (root / "v2/inventory.json").read_bytes()
    assert verified(kept) == []


@pytest.mark.usefixtures("unchanging")
def test_what_was_made_beside_goes_with_the_rest_when_it_is_purged(kept: Kept) -> None:
    harm(root_of(kept) / "inventory.json", "damaged")
    verified(kept)
    assert repair_all(kept.service).left == {}
    kept.service.archive.purge("one", reason="asked for")
    kept.replicate()
    assert (
        [str(path) for path in kept.store("vault").rglob("*") if path.is_file() and "one" in path.parts[-3:]],
        list(kept.store("vault").glob("again/2/objects/**/*.json")),
        list(kept.store("vault").glob("objects/*/*/*one/**/*.json")),
    ) == ([], [], [])


def test_a_tape_that_is_elsewhere_does_not_hold_up_the_one_in_the_drive(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def check(self: Store, receipt: object) -> None:
        asked.append(str(self))
        raise StoreNotReady(store=str(self), key="k", until="tape 2 is in the drive", reason="it is on tape 2")

    monkeypatch.setattr(FolderStore, "check", check)
    tape = dataclasses.replace(kept.service.registry.get("shelf"), address="ltfs:///mnt/tape")
    verification = Verification(kept.service)
    monkeypatch.setattr(verification, "_known", {**verification._known, "shelf": tape})
    rows = [row for row in verification.rows() if row.resource and row.store == "shelf"]
    assert len(rows) > 1
    done = verification.run(rows, Budget())
    assert "tape 2" in done.unusable["shelf"]
    assert len(asked) >= len(rows)


# --- the files of the log in a store


def test_a_log_has_no_more_files_in_a_store_than_it_has_pieces(kept: Kept) -> None:
    service = kept.service
    for number in range(40):
        service.archive.record_event("validation", detail={"note": f"{number} " + "x" * 4000})
        assert service.replicate("vault").reason == ""
    store = service.registry.open("vault")
    keys = keys_of_log(store)
    size = sum((kept.store("vault") / key).stat().st_size for key in keys)
    assert size > 2 * FILLED
    assert len(keys) <= 1 + size // FILLED
    lines = b"".join((kept.store("vault") / key).read_bytes() for key in keys)
    log = b"".join(path.read_bytes() for path in sorted((kept.root / "events").rglob("*.jsonl")))
    assert log.startswith(lines)
    assert lines.count(b"\n") == service.registry.get("vault").logged
    assert repair_stores(service).repaired == {}


@pytest.mark.usefixtures("unchanging")
def test_where_nothing_changes_a_log_is_put_piece_by_piece(kept: Kept) -> None:
    for number in range(3):
        kept.service.archive.record_event("validation", detail={"note": str(number)})
        assert kept.service.replicate("shelf").reason == ""
    keys = keys_of_log(kept.service.registry.open("shelf"))
    assert len(keys) > 3
    lines = b"".join((kept.store("shelf") / key).read_bytes() for key in keys)
    assert lines.count(b"\n") == kept.service.registry.get("shelf").logged


@pytest.mark.parametrize("lost", [1, 3])
def test_a_log_of_which_less_is_there_than_was_noted_is_made_whole_by_the_next_that_is_put(
    kept: Kept, lost: int
) -> None:
    """As when two processes put at once, and the one that had less came last."""
    service = kept.service
    assert service.replicate("vault").reason == ""
    (place,) = (kept.store("vault") / "events").rglob("*.jsonl")
    lines = place.read_bytes().splitlines(keepends=True)
    place.unlink()
    place.write_bytes(b"".join(lines[:-lost]))
    service.archive.record_event("validation", detail={"note": "one more"})
    assert service.replicate("vault").reason == ""
    log = b"".join(path.read_bytes() for path in sorted((kept.root / "events").rglob("*.jsonl")))
    there = b"".join(path.read_bytes() for path in sorted((kept.store("vault") / "events").rglob("*.jsonl")))
    assert there == log[: len(there)]
    assert there.count(b"\n") == service.registry.get("vault").logged > len(lines)


def test_events_that_another_process_put_meanwhile_are_no_damage(kept: Kept) -> None:
    service = kept.service
    service.archive.record_event("validation", detail={"note": "one more"})
    before = service.registry.get("vault").logged
    assert service.replicate("vault").reason == ""
    service.registry.note("vault", logged=before)  # as somebody knows it who looked before
    assert repair_stores(service, ["vault"]).repaired == {}

"""Chaos: five stores and the archive rot, lose and go away at random; afterwards every resource is whole or named.

A short run is part of every test run; by night it goes on for long. The seeds are fixed.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from muniment import Archive
from muniment.workflows.copies.budget import Budget
from muniment.workflows.copies.ladder import repair_all, repair_resource
from muniment.workflows.copies.own_files import repair_log_and_files, repair_stores
from muniment.workflows.copies.status import protections
from muniment.workflows.copies.verification import Verification
from tests.acceptance.copies.conftest import Kept, content
from tests.acceptance.copies.test_making import files_below

STORES = {"a": "ocfl", "b": "bag", "c": "ocfl", "d": "bag", "e": "bag"}
TABLES = "".join(f'[[copies]]\nstore = "{name}"\nlayout = "{layout}"\n' for name, layout in STORES.items())


def victims(root: Path) -> list[Path]:
    """What may be harmed: everything but what tells stores and archives from others, and the state beside the archive.

    Of the log only what no longer grows: behind its end nothing proves what belongs there.
    """
    own = ("objects", "parity", "bags", "copies", "tombstones")
    found = [path for name in own for path in (root / name).rglob("*") if path.is_file()]
    found += [root / name for name in ("README.txt", "muniment_exit.py", "bagit-profile.json", "root-files.json")]
    return sorted(path for path in found if path.is_file())


def harm_log(chance: random.Random, root: Path) -> None:
    """Harm some lines of the log and the same ones of its mirror; the newest ones are let alone."""
    for own in sorted((root / "events").rglob("*.jsonl")):
        lines = own.read_bytes().splitlines(keepends=True)
        if len(lines) < 20:
            continue
        for _ in range(2):
            number = chance.randrange(len(lines) - 10)
            line = bytearray(lines[number])
            line[chance.randrange(len(line) - 1)] ^= 1 << chance.randrange(7)
            lines[number] = bytes(line)
        own.write_bytes(b"".join(lines))
        mirror = root / "parity/events" / own.relative_to(root / "events")
        mirror.write_bytes(own.read_bytes())


def harm(chance: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    what = chance.choice(["flip", "lose", "cut", "grow"])
    if what == "lose" or not data:
        path.unlink()
        return
    if what == "flip":
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data[: len(data) // 2] if what == "cut" else data + b"X" * (what == "grow"))


def one_round(kept: Kept, chance: random.Random) -> None:
    service = kept.service
    with service.archive.get(chance.choice(["one", "two"]), "a") as new:
        new.add(content(chance.randrange(10**6), chance.randrange(1, 200_000)), f"more/{chance.randrange(5)}.bin")
    service.plan()
    away = chance.choice(list(STORES))
    kept.store(away).rename(kept.folder / "away")
    for name in STORES:
        done = service.replicate(name, force=True)
        assert bool(done.reason) == (name == away)
    (kept.folder / "away").rename(kept.store(away))
    # Two places are left whole in each round, of whichever kind: more than that no archive can promise.
    places = [*STORES, "archive"]
    for name in chance.sample(places, len(places) - 2):
        for path in chance.sample(victims(kept.store(name)), 3):
            if path.exists():
                harm(chance, path)
    if chance.random() < 0.5:
        harm_log(chance, kept.root)
    verification = Verification(service)
    verification.run(list(verification.rows()), Budget())
    assert repair_log_and_files(service).left == {}
    for project, resource in (("main/main", "one"), ("org/other", "two")):
        repair_resource(service, project, resource)
    left = repair_all(service).left
    assert left == {}
    for name in STORES:
        assert service.replicate(name, force=True).failed == 0
    assert repair_stores(service).left == {}
    assert [each.shortfalls for each in protections(service) if not each.protected] == []
    assert not [finding for finding in service.archive.audit() if finding.failed]


def chaos(kept: Kept, seed: int, rounds: int) -> None:
    chance, service = random.Random(seed), kept.service
    for name in STORES:
        service.registry.add(name, str(kept.store(name)))
    service.policies.set(service.archive, "*", TABLES)
    service.plan_all()
    for name in STORES:
        assert service.replicate(name).reason == ""
    for _ in range(rounds):
        one_round(kept, chance)
    expected = files_below(kept.root / "objects")
    kept.working.close()
    shutil.rmtree(kept.root)
    for name in STORES:
        target = kept.folder / f"{name}-again"
        assert kept.cli("restore", "--from", kept.store(name), "-o", target) == 0
        assert files_below(target / "objects") == expected
        with Archive(target, workers=1) as archive:
            assert not [finding for finding in archive.audit() if finding.failed]


def test_after_a_round_of_damage_everything_is_whole_and_comes_back_from_any_store(bare: Kept) -> None:
    chaos(bare, seed=1, rounds=1)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2, 24))
def test_after_many_rounds_of_damage_everything_is_whole_and_comes_back_from_any_store(bare: Kept, seed: int) -> None:
    chaos(bare, seed, rounds=12)


def test_what_every_place_lost_is_named(bare: Kept) -> None:
    """One file is gone from the archive with its parity and from every store: the rest is whole, and it is listed."""
    service = bare.service
    for name in ("a", "b"):
        service.registry.add(name, str(bare.store(name)))
    service.policies.set(service.archive, "*", TABLES.partition('[[copies]]\nstore = "c"')[0])
    service.plan_all()
    for name in ("a", "b"):
        service.replicate(name)
    shutil.rmtree(bare.root / "parity/files")
    for path in [*bare.root.glob("objects/*/*/*two/v1/content/data/only.bin"), *bare.store("a").rglob("only.bin")]:
        path.unlink()
    shutil.rmtree(bare.store("b") / "bags/org")
    verification = Verification(service)
    verification.run(list(verification.rows()), Budget())
    left = repair_all(service).left
    assert any("two" in where for where in left)
    found = {each.id: each.protected for each in protections(service)}
    assert found == {"one": True, "two": False}

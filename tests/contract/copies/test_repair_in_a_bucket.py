"""What a bucket lost or holds otherwise than recorded comes back from a copy, if the log vouches for it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from muniment.app.background import BackgroundServices
from muniment.app.bucket import BucketArchive
from muniment.archive import CopyRepair
from muniment.testing.keys import FolderKeys, Killed, Request
from muniment.workflows.copies.budget import Budget
from muniment.workflows.copies.ladder import repair_all
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.verification import Verification
from tests.servers.native.running import BucketApp

LARGE = b"0123456789abcdef" * (3 << 16)


@dataclass
class Kept:
    """An archive in a bucket of which a copy lies in a store."""

    keys: FolderKeys
    service: CopyService

    def key(self, end: str) -> str:
        """The one key below `objects/` that ends so."""
        [found] = [each.key for each in self.keys.list("objects/") if each.key.endswith(end)]
        return found

    def damage(self, end: str) -> None:
        """Let one byte of a key be another."""
        data = bytearray(self.keys.open(self.key(end)).read())
        data[len(data) // 2] ^= 1
        self.keys.put(self.key(end), bytes(data))

    def lose(self, end: str) -> None:
        """Remove a key."""
        self.keys.remove([self.key(end)])

    def verify(self) -> list[str]:
        """Why each resource or copy that is damaged is, after all were looked at."""
        verification = Verification(self.service)
        found = verification.run(list(verification.rows()), Budget())
        return [row.reason for row in found.damaged]

    def failed(self) -> list[object]:
        """What an audit finds."""
        return [finding.as_json() for finding in self.service.archive.audit() if finding.failed]


@pytest.fixture(params=["bag", "ocfl"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    keys, state = FolderKeys(tmp_path / "keys"), tmp_path / "state"
    with BucketArchive.make(keys, state, workers=0) as archive:
        with archive.new("letters") as new:
            new.add(io.BytesIO(LARGE), "scan.bin")
            new.add(io.BytesIO(b"Dear friend\n"), "letter.txt")
        with archive.get("letters", "a") as new:
            new.add(io.BytesIO(b"P.S.\n"), "later.txt")
    working = BackgroundServices(BucketApp(keys, state, scratch=tmp_path / "scratch"))
    service = working.copy_service()
    (tmp_path / "store").mkdir()
    service.registry.add("there", str(tmp_path / "store"))
    service.policies.set(service.archive, "*", f'[[copies]]\nstore = "there"\nlayout = "{request.param}"\n')
    service.plan_all()
    assert service.replicate("there").made == 2
    found = Kept(keys, service)
    assert found.verify() == []
    yield found
    working.close()


@pytest.mark.parametrize(
    ("damaged", "lost"),
    [
        (["v1/content/data/scan.bin"], []),
        (["v1/content/data/letter.txt"], ["v2/content/data/later.txt"]),
        ([], ["v1/content/data/scan.bin", "v2/content/data/later.txt"]),
        (["v2/inventory.json"], ["v2/content/data/later.txt"]),
        (["v1/inventory.json", "v2/inventory.json.sha512"], ["v1/inventory.json.sha512"]),
        ([], ["v2/inventory.json"]),
    ],
    ids=["a large file", "small files", "lost files", "an inventory", "records", "a lost inventory"],
)
def test_what_is_damaged_or_lost_in_a_bucket_comes_from_a_copy(kept: Kept, damaged: list[str], lost: list[str]) -> None:
    for end in damaged:
        kept.damage(end)
    for end in lost:
        kept.lose(end)
    assert kept.verify()
    done = repair_all(kept.service)
    assert done.left == {}
    assert kept.verify() == []
    assert kept.failed() == []
    archive = kept.service.archive
    assert {path: archive.get("letters").read(path) for path in archive.get("letters")} == {
        "scan.bin": LARGE,
        "letter.txt": b"Dear friend\n",
        "later.txt": b"P.S.\n",
    }
    told = [event.detail for event in archive.events() if event.event == "repair"]
    assert told
    aside = [key for detail in told for key in detail.get("quarantine", [])]
    assert all(kept.keys.stat(key) for key in aside)
    assert bool(aside) == bool(damaged), "what was damaged is kept"


def test_a_resource_of_which_nothing_is_left_comes_from_its_copies(kept: Kept) -> None:
    kept.keys.remove([each.key for each in kept.keys.list("objects/") if "/v" in each.key or "letters" in each.key])
    assert kept.verify()
    assert repair_all(kept.service).left == {}
    assert kept.verify() == []
    assert kept.failed() == []
    assert kept.service.archive.get("letters").read("scan.bin") == LARGE


def test_what_the_log_does_not_vouch_for_is_not_taken(kept: Kept) -> None:
    kept.damage("v1/content/data/letter.txt")
    kept.damage("v2/inventory.json")
    before = {each.key: kept.keys.open(each.key).read() for each in kept.keys.list("objects/")}
    rescue = CopyRepair(kept.service.archive)
    names = ["v1/content/data/letter.txt", "v2/inventory.json"]
    said = rescue.put_back(
        kept.service.archive.config.project, "letters", names, lambda _: io.BytesIO(b'{"head": "v2"}'), "a liar"
    )
    assert "recorded is" in said["v1/content/data/letter.txt"]
    assert "vouches for what the copy gave" in said["v2/inventory.json"]
    assert {each.key: kept.keys.open(each.key).read() for each in kept.keys.list("objects/")} == before


def test_a_newest_inventory_comes_from_the_root_s_copy_and_never_the_other_way(kept: Kept) -> None:
    kept.damage("v2/inventory.json")
    done = list(kept.service.archive.repair("letters"))
    assert done
    assert [each.where for each in done if not each.repaired] == []
    assert kept.failed() == []


def test_killed_in_the_middle_a_repair_is_done_again(kept: Kept) -> None:
    ends = ["v1/content/data/letter.txt", "v2/content/data/later.txt", "v2/inventory.json"]
    for end in ends:
        kept.damage(end)

    def strike(at: int) -> bool:
        """End the process at a request that changes something; whether it came so far."""
        changed = 0

        def fault(_: int, request: Request, when: str) -> None:
            nonlocal changed
            if request.kind in {"put", "put once", "copy"} and when == "after":
                changed += 1
                if changed == at:
                    raise Killed

        kept.keys.fault = fault
        try:
            repair_all(kept.service)
        except Killed:
            return True
        finally:
            kept.keys.fault = None
        return False

    assert kept.verify()
    assert strike(1)
    assert strike(2)
    assert strike(4)
    assert repair_all(kept.service).left == {}
    assert kept.verify() == []
    assert kept.failed() == []

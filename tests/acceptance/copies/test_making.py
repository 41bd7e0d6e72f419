"""Copies are made as the policy asks, recorded when they were read back, and judged by programs that are not ours."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import bagit
import pytest

from muniment import Archive
from muniment.errors.copies import WrongStore
from muniment.errors.stores import StoreUnreachable
from muniment.stores import Receipt
from muniment.stores.folder import FolderStore
from muniment.workflows.copies.status import protection, protections
from muniment.workflows.copies.table import CopyKey
from tests.acceptance.copies.conftest import POLICY, Kept, content


def files_below(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_new_instance_owes_its_copies_from_its_commit_on(kept: Kept) -> None:
    assert all(each.protected for each in protections(kept.service))
    with kept.service.archive.get("two", "a") as new:
        new.add(io.BytesIO(b"more"), "more.txt")
    kept.service.plan()
    lacking = protection(kept.service, "two").shortfalls
    assert [(each.copy, each.instance, each.reason) for each in lacking] == [
        ("vault ocfl", 2, "owed"),
        ("shelf bag", 2, "owed"),
    ]
    kept.replicate()
    assert protection(kept.service, "two").protected


def test_the_layout_ocfl_is_the_archives_own_tree_to_the_byte(kept: Kept) -> None:
    assert files_below(kept.store("vault") / "objects") == files_below(kept.root / "objects")


def test_another_muniment_opens_the_tree_and_finds_nothing_wrong_but_missing_parity(kept: Kept) -> None:
    with Archive(kept.store("vault"), workers=1) as archive:
        assert sorted(archive) == ["one", "two"]
        assert archive.get("one").read("a/small.txt") == b"small\n"
        assert not [finding for finding in archive.audit("one") if finding.failed]


def test_a_bag_is_valid_by_bagit_py_and_its_parity_repairs_the_tar(kept: Kept, tmp_path: Path) -> None:
    tar = kept.store("shelf") / "bags/main/main/one/v2.tar"
    with tarfile.open(tar) as opened:
        opened.extractall(tmp_path / "out", filter="data")
    (folder,) = (tmp_path / "out").iterdir()
    assert bagit.Bag(str(folder)).is_valid()
    parity = sorted((tar.parent / "v2.tar.parity").iterdir())
    name = parity[0].name.partition(".")[0]
    data = bytearray(tar.read_bytes())
    data[5000:9000] = bytes(4000)
    (tmp_path / name).write_bytes(data)
    for each in parity:
        (tmp_path / each.name).write_bytes(each.read_bytes())
    par2 = Path(sys.executable).with_name("par2")
    subprocess.run([par2, "repair", "-q", f"{name}.par2"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / name).read_bytes() == tar.read_bytes()


def test_a_copy_counts_only_when_it_was_read_back(bare: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes everything and corrupts what it keeps."""
    service = bare.service
    service.registry.add("vault", str(bare.store("vault")))
    service.policies.set(service.archive, "*", '[[copies]]\nstore = "vault"\n')
    service.plan_all()
    place: Any = FolderStore._publish

    def corrupt(self: FolderStore, fresh: Path, target: Path, key: str) -> None:
        if "small.txt" in key or key.endswith("only.bin"):
            fresh.write_bytes(b"X" * fresh.stat().st_size)
        place(self, fresh, target, key)

    monkeypatch.setattr(FolderStore, "_publish", corrupt)
    done = service.replicate("vault", force=True)
    assert (done.made, done.failed) == (1, 2)  # what came second of `one` has nothing of what is corrupted
    reasons = {(each.instance, each.reason) for each in protection(service, "one").shortfalls}
    assert [number for number, _ in reasons] == [1]
    assert all("a/small.txt" in reason and "sha256" in reason for _, reason in reasons)
    failed = [
        event for event in service.archive.events() if event.event == "replication" and event.outcome == "failure"
    ]
    assert {event.resource for event in failed} == {"one", "two"}
    monkeypatch.undo()
    done = service.replicate("vault", force=True)  # what lies there wrong is put anew and looked at again
    assert (done.made, done.failed) == (2, 0)
    assert protection(service, "one").protected


def test_a_store_that_cannot_be_used_leaves_everything_owed(kept: Kept) -> None:
    with kept.service.archive.get("two", "a") as new:
        new.add(io.BytesIO(b"more"), "more.txt")
    kept.service.plan()
    kept.store("vault").rename(kept.folder / "not mounted")
    done = kept.service.replicate("vault")
    assert "mounted" in done.reason
    assert not kept.store("vault").exists()
    assert kept.service.registry.get("vault").reason == done.reason
    with pytest.raises(StoreUnreachable):
        kept.service.registry.open("vault")
    (kept.folder / "not mounted").rename(kept.store("vault"))
    assert kept.service.replicate("vault").made == 1
    assert not kept.service.registry.get("vault").reason


def test_another_store_at_the_same_address_is_not_written_to(kept: Kept) -> None:
    kept.store("vault").rename(kept.folder / "away")
    kept.store("vault").mkdir()
    with pytest.raises(WrongStore, match="no mark"):
        kept.service.registry.open("vault")
    (kept.store("vault") / "muniment-store.json").write_bytes(
        (kept.store("shelf") / "muniment-store.json").read_bytes()
    )
    with pytest.raises(WrongStore, match="its mark says"):
        kept.service.registry.open("vault")


def test_a_store_of_another_archive_is_refused(kept: Kept, tmp_path: Path) -> None:
    mark = kept.store("vault") / "muniment-store.json"
    other = tmp_path / "other"
    other.mkdir()
    text = json.loads(mark.read_text())
    (other / mark.name).write_text(json.dumps({**text, "archive": "somebody"}))
    with pytest.raises(WrongStore, match="belongs to the archive somebody"):
        kept.service.registry.add("third", str(other))


def test_the_log_is_copied_line_by_line(kept: Kept) -> None:
    for name in ("vault", "shelf"):
        assert kept.service.replicate(name).made == 0
    head = kept.service.archive.head()
    lines = [
        line for path in sorted((kept.root / "events").rglob("*.jsonl")) for line in path.read_bytes().splitlines()
    ]
    for name in ("vault", "shelf"):
        copied = sorted((kept.store(name) / "events").rglob("*.jsonl"))
        assert [line for path in copied for line in path.read_bytes().splitlines()] == lines[: head.seq]


def test_a_log_with_another_history_is_refused(kept: Kept) -> None:
    with kept.service.archive.get("two", "a") as new:
        new.add(io.BytesIO(b"more"), "more.txt")
    kept.service.plan()
    at = kept.service.registry.get("vault").logged
    wrong = kept.store("vault") / f"events/00000000/{at + 1:012d}.jsonl"
    wrong.write_bytes(b'{"seq":1}\n')
    assert "has other events" in kept.service.replicate("vault").reason
    assert wrong.read_bytes() == b'{"seq":1}\n'
    assert kept.cli("store", "continue", "vault") == 0
    assert not kept.service.replicate("vault").reason
    assert wrong.read_bytes() == b'{"seq":1}\n'
    target = kept.folder / "again"
    assert kept.cli("restore", "--from", kept.store("vault"), "-o", target) == 0
    with Archive(target, workers=1) as archive:
        assert not [finding for finding in archive.audit() if finding.failed]


def test_making_again_what_a_killed_run_left_puts_nothing_twice(kept: Kept) -> None:
    before = files_below(kept.store("vault"))
    key = CopyKey("vault", "ocfl", "main/main", "one", 2)
    row = kept.service.table.get(key)
    assert row is not None
    kept.service.table.drop(key)
    (kept.store("vault") / "copies/ocfl/main/main/one/v2.json").unlink()
    kept.service.plan_all()
    kept.replicate()
    again = kept.service.table.get(key)
    assert again is not None
    assert (again.record, again.size) == (row.record, row.size)
    after = files_below(kept.store("vault"))
    assert {key for key in after.keys() ^ before.keys() if not key.startswith("events/")} == set()


def test_commands_say_what_is_protected_and_make_what_is_owed(bare: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    policy = bare.folder / "policy.toml"
    policy.write_text(POLICY)
    for name in ("vault", "shelf"):
        assert bare.cli("store", "add", name, bare.store(name)) == 0
    assert bare.cli("policy", "set", "*", policy) == 0
    assert bare.cli("copies") == 1
    assert "NOT PROTECTED" in capsys.readouterr().out
    assert bare.cli("copies", "make", "one", "--store", "shelf") == 0
    assert [row["made"] for row in bare.documents(capsys, "copies", "make")] == [1, 3]
    assert bare.cli("copies") == 0
    assert bare.cli("policy", "check") == 0
    assert bare.cli("store", "test", "vault") == 0
    assert "wrote, read back and removed" in capsys.readouterr().out
    (found,) = bare.documents(capsys, "copies", "one")
    assert (found["protected"], len(found["copies"])) == (True, 4)
    assert [row["copies"] for row in bare.documents(capsys, "store", "ls")] == [3, 3]
    assert bare.cli("store", "forget", "vault") == 5
    assert bare.cli("store", "forget", "vault", "--forget") == 0
    assert bare.cli("policy", "check") == 1
    assert "no store called 'vault'" in capsys.readouterr().out
    assert not list(bare.store("vault").glob("trial-*"))


def test_copies_for_a_store_that_nobody_added_are_named_and_no_success(
    bare: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.service.policies.set(bare.service.archive, "*", '[[copies]]\nstore = "nowhere"\nlayout = "ocfl"\n')
    capsys.readouterr()
    assert bare.cli("copies", "make") == 1
    assert "nowhere: 0 copies made, 0 B  there is no store of this name" in capsys.readouterr().out


def test_where_one_thing_is_worth_sending_at_once_they_go_in_the_order_of_their_keys(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As onto a tape, from which they are also read back in that order."""
    put, read = list[str](), list[str]()
    whole_put, whole_check = FolderStore.put, FolderStore.check

    def putting(self: FolderStore, key: str, *given: Any) -> Receipt:
        put.append(key)
        return whole_put(self, key, *given)

    def checking(self: FolderStore, receipt: Receipt) -> None:
        read.append(receipt.key)
        whole_check(self, receipt)

    monkeypatch.setattr(FolderStore, "at_once", 1)
    monkeypatch.setattr(FolderStore, "put", putting)
    monkeypatch.setattr(FolderStore, "check", checking)
    with kept.service.archive.new("many") as new:
        for number in (7, 1, 5, 3, 2, 6, 4):
            new.add(content(number, number * 300_000), f"{number}.bin")
    kept.service.plan()
    assert kept.service.replicate("vault").made == 1
    sent = [key for key in put if "/v1/" in key]
    assert len(sent) > 7
    assert sent == sorted(sent)
    assert read[: len(sent)] == sent

"""One bad archive for each of Muniment's own findings: the audit names it, and the command's status tells."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.package.inventory import sidecar
from muniment.cli.main import run
from muniment.content import FINDINGS, Finding
from tests.crash.scenes import AGENT, open_archive

LARGE = b"large " * 20_000
SEVERE = {"error", "unknown"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with Archive.init(tmp_path / "archive", mode="dynamic", agent=AGENT, workers=0) as archive:
        with archive.new("r") as transaction:
            transaction.add(b"alpha\n", "a.txt")
            transaction.add(LARGE, "large.bin")
        with archive.get("r", "a") as transaction:
            transaction.add(b"beta\n", "b.txt")
    return tmp_path / "archive"


def objects(root: Path) -> Path:
    (found,) = (root / "objects").glob("???/???/*")
    return found


def content(root: Path, name: str = "a.txt") -> Path:
    return objects(root) / "v1/content/data" / name


def rewrite_inventory(root: Path, change: Callable[[dict[str, object]], None], *, head: str = "v2") -> None:
    """Change a version's inventory and make its sidecar and the root's copies agree."""
    record = json.loads((objects(root) / head / "inventory.json").read_bytes())
    change(record)
    data = json.dumps(record).encode()
    for folder in (objects(root) / head, objects(root)):
        (folder / "inventory.json").write_bytes(data)
        (folder / "inventory.json.sha512").write_bytes(sidecar(data, "sha512"))


def damaged(root: Path) -> None:
    content(root).write_bytes(b"alphA\n")


def missing(root: Path) -> None:
    content(root).unlink()


def other_size(root: Path) -> None:
    content(root).write_bytes(b"alpha\n\n")


def unreadable(root: Path) -> None:
    content(root).unlink()
    content(root).mkdir()


def looping(root: Path) -> None:
    content(root).unlink()
    content(root).symlink_to(content(root).name)


def unreadable_record(root: Path) -> None:
    (objects(root) / "v1/inventory.json").unlink()
    (objects(root) / "v1/inventory.json").symlink_to("/dev/full")


def repaired_beside(root: Path) -> None:
    """In worm mode a repair leaves the damaged file where it is."""
    shutil.rmtree(root)
    with Archive.init(root, mode="worm", agent=AGENT, workers=0) as archive:
        with archive.new("r") as transaction:
            transaction.add(LARGE, "large.bin")
        flipped = bytearray(LARGE)
        flipped[7] ^= 1
        content(root, "large.bin").write_bytes(flipped)
        (done,) = archive.repair()
        assert not done.repaired


def stray(root: Path) -> None:
    (content(root).parent / "stray.txt").write_bytes(b"?")


def disagreeing(root: Path) -> None:
    def drop(record: dict[str, object]) -> None:
        state = record["versions"]["v2"]["state"]  # type: ignore[index] # JSON
        for paths in state.values():
            if "data/b.txt" in paths:
                paths[:] = ["data/other.txt"]

    rewrite_inventory(root, drop)


def no_inventory_at_all(root: Path) -> None:
    for folder in ("v2", "."):
        (objects(root) / folder / "inventory.json").write_bytes(b"[]")
        (objects(root) / folder / "inventory.json.sha512").write_bytes(sidecar(b"[]", "sha512"))


def no_event(root: Path) -> None:
    with log(root).open("ab") as file:
        file.write(b"not an event\n")


def old_root(root: Path) -> None:
    for name in ("inventory.json", "inventory.json.sha512"):
        shutil.copy(objects(root) / "v1" / name, objects(root) / name)


def log(root: Path) -> Path:
    (found,) = (root / "events").rglob("*.jsonl")
    return found


def edited_log(root: Path) -> None:
    log(root).write_bytes(log(root).read_bytes().replace(b"Instance 1", b"Instance I"))


def torn_log(root: Path) -> None:
    with log(root).open("ab") as file:
        file.write(b'{"seq":')


def changed_with_its_records(root: Path) -> None:
    rewrite_inventory(root, lambda record: record["versions"]["v2"].update(message="I was never here"))  # type: ignore[index] # JSON


def gone_resource(root: Path) -> None:
    shutil.rmtree(objects(root).parent.parent)


def lost_log(root: Path) -> None:
    """In both of its copies."""
    lines = log(root).read_bytes().splitlines(keepends=True)
    for folder in ("events", "parity/events"):
        (root / folder / log(root).relative_to(root / "events")).write_bytes(b"".join(lines[:-1]))


def cut_log(root: Path) -> None:
    """In both of its copies, and before the event that the newest instance saw."""
    lines = log(root).read_bytes().splitlines(keepends=True)
    for folder in ("events", "parity/events"):
        (root / folder / log(root).relative_to(root / "events")).write_bytes(b"".join(lines[:-2]))


def lost_line_of_the_log(root: Path) -> None:
    lines = log(root).read_bytes().splitlines(keepends=True)
    log(root).write_bytes(b"".join(lines[:-1]))


def lost_parity(root: Path) -> None:
    shutil.rmtree(root / "parity/packs")


def damaged_parity(root: Path) -> None:
    path = max((root / "parity/files").rglob("*.par2"), key=lambda found: found.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def idle_parity(root: Path) -> None:
    with open_archive(root) as archive:
        archive.purge("r", "to leave its parity")


def left_open(root: Path) -> None:
    with open_archive(root) as archive:
        transaction = archive.new("left")
        transaction.add(b"x", "x")
        transaction.leave()


def set_aside(root: Path) -> None:
    torn_log(root)
    open_archive(root).close()


def lost_row_of_the_index(root: Path) -> None:
    with open_archive(root) as archive:
        assert list(archive) == ["r"]
    with contextlib.closing(sqlite3.connect(root / "index.db")) as index, index:
        index.execute("DELETE FROM resources")


EXAMPLES: list[tuple[str, Callable[[Path], None]]] = [
    ("M101", damaged),
    ("M102", missing),
    ("M103", other_size),
    ("M104", unreadable_record),
    ("M105", stray),
    ("M106", looping),
    ("M107", repaired_beside),
    ("M201", disagreeing),
    ("M202", no_event),
    ("M203", old_root),
    ("M301", edited_log),
    ("M302", torn_log),
    ("M303", changed_with_its_records),
    ("M304", gone_resource),
    ("M305", lost_log),
    ("M306", lost_line_of_the_log),
    ("M307", cut_log),
    ("M401", lost_parity),
    ("M402", damaged_parity),
    ("M403", idle_parity),
    ("M501", left_open),
    ("M502", set_aside),
    ("M701", lost_row_of_the_index),
]
ELSEWHERE = {"M108", "M109", "M308", "M601"}
"""Said of keys in a bucket, of a head that is given, and of names when something is taken out."""


def audit(root: Path) -> list[Finding]:
    """An audit by a process that opened the archive before the damage was done."""
    with open_archive(root) as archive:
        return list(archive.audit())


def test_a_sound_archive_has_no_findings(root: Path) -> None:
    assert audit(root) == []
    assert run(["--archive", str(root), "audit"]) == 0


@pytest.mark.parametrize(("code", "spoil"), EXAMPLES, ids=[f"{code}-{spoil.__name__}" for code, spoil in EXAMPLES])
def test_the_audit_names_each_fault(root: Path, code: str, spoil: Callable[[Path], None]) -> None:
    with open_archive(root) as archive:
        spoil(root)
        found = list(archive.audit())
    (finding, *_) = [finding for finding in found if finding.code == code] or pytest.fail(f"not {code} but {found}")
    assert finding.message
    assert json.loads(json.dumps(finding.as_json()))["code"] == code
    if finding.resource:
        assert finding.resource in {"r", "left"}
    if code not in {"M302", "M306"}:  # which opening the archive puts right
        expected = 1 if any(finding.failed for finding in found) else 0
        assert run(["--archive", str(root), "audit", "--json"]) == expected


def test_every_code_of_the_table_has_an_example() -> None:
    own = {code for code in FINDINGS if code.startswith("M")}
    assert own == {code for code, _ in EXAMPLES} | ELSEWHERE, "add the missing example here"


@pytest.mark.parametrize("spoil", [unreadable, no_inventory_at_all])
def test_other_damage_is_found_too(root: Path, spoil: Callable[[Path], None]) -> None:
    spoil(root)
    assert any(finding.failed for finding in audit(root))


def test_a_flipped_byte_is_named_with_all_there_is_to_know(root: Path) -> None:
    damaged(root)
    (finding,) = audit(root)
    assert (finding.code, finding.resource, finding.instance) == ("M101", "r", "1")
    assert finding.where == os.path.relpath(content(root), root)
    assert finding.expected == "sha256:b6a98d9ce9a2d9149288fa3df42d377c3e42737afdcdaf714e33c0a100b51060"
    assert finding.found.startswith("sha256:")
    assert finding.found != finding.expected


def test_all_faults_are_found_at_once(root: Path) -> None:
    damaged(root)
    stray(root)
    content(root, "large.bin").unlink()
    lost_parity(root)
    assert {finding.code for finding in audit(root)} == {"M101", "M105", "M102", "M401"}

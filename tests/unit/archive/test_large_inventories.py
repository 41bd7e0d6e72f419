"""A large inventory stays text: every question it answers so is answered as by one that was parsed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from muniment.archive import Archive
from muniment.archive.package import inventory as inventories
from muniment.archive.package.digest_block import DigestBlock, State
from muniment.archive.package.inventory import Inventory, Version, parse_inventory, split_inventory
from muniment.content.identity import Agent

# Names that are built of what the text is searched for.
_PARTS = some.sampled_from(
    ['"', "\\", '":[', '],"', "]}}", '}},"v2":{"created":', "[", ",", "}", "{", "v2/", "a", "é", "\n", '","', "0" * 32]
)
PATHS = some.lists(_PARTS, min_size=1, max_size=6).map("".join)
DIGESTS = some.integers(0, 5).map(lambda number: f"{number:064x}")
STATES = some.dictionaries(DIGESTS, some.lists(PATHS, min_size=1, max_size=3, unique=True), min_size=1, max_size=5)
WHERE = Path("inventory.json")


def text(state: State) -> bytes:
    return json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def in_text(state: State) -> DigestBlock:
    data = b'before"' + text(state) + b'"behind'
    return DigestBlock(data, 8, len(data) - 8)


@given(STATES, STATES, PATHS)
def test_a_block_of_text_answers_as_a_parsed_one(state: State, more: State, other: str) -> None:
    one, two = in_text(state), DigestBlock.of(json.loads(text(state)))
    for digest, paths in more.items():
        for block in (one, two):
            block.add(digest, paths)
    for path in {other, *(path for paths in (*state.values(), *more.values()) for path in paths)}:
        assert (one.digest_of(path) is None) == (two.digest_of(path) is None)
        assert one.digest_of(path) in {*(digest for digest, paths in two.parsed().items() if path in paths), None}
    for digest in map("{:064x}".format, range(6)):
        assert one.paths(digest) == two.paths(digest)
        assert (digest in one.digests()) == (digest in two.digests())
    for prefix in ("v2/", '"', "a", "]"):
        assert sorted(one.below(prefix)) == sorted(two.below(prefix))
    assert json.loads(b"".join(one.pieces())) == two.parsed()
    assert one.parsed() == two.parsed()


def test_a_block_is_asked_by_one_thread_while_another_has_it_parsed() -> None:
    state = {f"{number:064x}": [f"data/{number}"] for number in range(60)}
    wrong: list[int] = []
    for _ in range(8):
        block = in_text(state)

        def ask(block: DigestBlock = block) -> None:
            wrong.extend(number for number in range(60) if block.digest_of(f"data/{number}") != f"{number:064x}")
            wrong.extend(number for number in range(60) if block.paths(f"{number:064x}") != [f"data/{number}"])

        asking = [threading.Thread(target=ask) for _ in range(2)]
        parsing = [threading.Thread(target=block.parsed) for _ in range(2)]
        for thread in (*asking, *parsing):
            thread.start()
        for thread in (*asking, *parsing):
            thread.join()
        assert block.parsed() == state
    assert not wrong


@given(some.lists(STATES, min_size=1, max_size=3), STATES, PATHS, some.booleans())
def test_what_is_split_is_what_is_parsed(states: list[State], manifest: State, message: str, further: bool) -> None:
    made = Inventory("muniment:p/r", "sha256")
    for number, state in enumerate(states, 1):
        content = (
            {} if number > 1 else {path: {"sha256": digest} for digest, paths in manifest.items() for path in paths}
        )
        if further and number == 1:
            content["x"] = {"sha256": "f" * 64, "md5": "0" * 32, "sha1": "1" * 40}
        made.add_version(Version("2026", state, message, Agent(message, "mailto:a@b")), content)
    data = b"".join(made.pieces())
    split, parsed = split_inventory(data), parse_inventory(data.decode(), WHERE)
    assert split is not None
    assert split.is_text
    assert b"".join(split.pieces()) == data
    assert (split.id, split.algorithm, split.head) == (parsed.id, parsed.algorithm, parsed.head)
    assert split.algorithms == parsed.algorithms
    for number in parsed.versions:
        one, two = split.versions[number], parsed.versions[number]
        assert (one.created, one.message, one.agent) == (two.created, two.message, two.agent)
        assert one.state == two.state
    assert sorted(split.content_of(2)) == sorted(parsed.content_of(2))
    assert split.fixity == parsed.fixity
    assert split.manifest == parsed.manifest


@pytest.mark.parametrize(
    "change", [(b'"content"', b'"inhalt"'), (b'"head":"v1"', b'"head":"v2"'), (b"}}\n", b"}}"), (b'"v1":', b'"v2":')]
)
def test_what_is_written_otherwise_is_parsed(change: tuple[bytes, bytes]) -> None:
    made = Inventory("muniment:p/r", "sha256")
    made.add_version(Version("2026", {"0" * 64: ["a"]}, "m", Agent("n", "a")), {"v1/content/a": {"sha256": "0" * 64}})
    data = b"".join(made.pieces())
    assert split_inventory(data) is not None
    assert split_inventory(data.replace(*change)) is None


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventories, "_LAZY_FROM", 0)


STEPS: list[list[tuple[str, str, bytes]]] = [
    [("add", f"d{number % 3}/{number:03} ü", b"%d" % (number % 40)) for number in range(60)] + [("add", "x%25 ", b"")],
    [("add", "new", b"new"), ("add", "same", b"5"), ("delete", "d1", b""), ("replace", "d2/002 ü", b"else")],
    [("add", "d1", b"in its place"), ("replace", "new", b"5"), ("delete", "x%25 ", b"")],
    [("add", f"many/{number}", b"m%d" % number) for number in range(100)],
]


def make(place: Path) -> list[dict[str, Any]]:
    """An archive with one resource made in several steps; what there is of it after each."""
    seen: list[dict[str, Any]] = []
    with Archive.init(place, redundancy=0, workers=0) as archive:
        for steps in STEPS:
            with archive.get("r", "a") if seen else archive.new("r") as transaction:
                for what, name, data in steps:
                    if what == "delete":
                        transaction.delete(name)
                    else:
                        getattr(transaction, what)(data, name, modified="2020-01-01T00:00:00Z")
            found = archive.get("r")
            files = {entry.path: (entry.size, dict(entry.digests), entry.modified) for entry in found.files()}
            assert {path: found.read(path) for path in files} == {path: archive.get("r").read(path) for path in found}
            seen.append({"files": files, "changed": found.changed(), "payload": found.payload()})
        assert not [finding for finding in archive.audit(every_digest=True) if finding.failed]
        content = found.root / f"v{found.number}" / "content"
        lists = ("metadata/files.jsonl", "manifest-sha512.txt", "manifest-sha256.txt")
        seen.append({name: (content / name).read_bytes() for name in lists})
        seen.append({"state": {path: digest for path, digest in found._logical.items() if path.startswith("data/")}})
    return seen


@pytest.mark.usefixtures("small_is_large")
def test_a_resource_is_the_same_whether_its_inventory_was_parsed_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_text = make(tmp_path / "text")
    monkeypatch.setattr(inventories, "_LAZY_FROM", 1 << 40)
    assert make(tmp_path / "parsed") == as_text


@pytest.mark.usefixtures("small_is_large")
def test_where_a_list_of_the_bag_is_damaged_the_inventory_tells_of_its_files(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "A", redundancy=0, workers=0) as archive:
        with archive.new("r") as transaction:
            transaction.add(b"1", "f")
        place = archive.get("r").root / "v1/content/manifest-sha256.txt"
        right = {entry.path: dict(entry.digests) for entry in archive.get("r").files()}
        place.chmod(0o644)
        place.write_bytes(place.read_bytes().replace(b"  data/f", b"  data/g"))
        assert {entry.path: dict(entry.digests) for entry in archive.get("r").files()} == right


_ADD_ONE = """
import resource, sys
from muniment.archive import Archive
with Archive(sys.argv[1], workers=0) as archive:
    archive.get("small")
    with archive.get("small", "a") as transaction:
        transaction.add(b"x", "new")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with archive.get("large", "a") as transaction:
        transaction.add(b"x", "new")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_file_is_added_to_many_in_little_memory(tmp_path: Path) -> None:
    source, count = tmp_path / "source", 3000
    source.mkdir()
    for number in range(count):
        (source / f"{number:05}").write_bytes(b"%d" % number)
    with Archive.init(tmp_path / "A", redundancy=0, workers=0) as archive:
        for name in ("small", "large"):
            with archive.new(name) as transaction:
                transaction.add(source if name == "large" else b"1", None if name == "large" else "f")
        size = os.path.getsize(archive.get("large").root / "inventory.json")
    done = subprocess.run(
        [sys.executable, "-c", _ADD_ONE, str(tmp_path / "A")], capture_output=True, text=True, timeout=100, check=True
    )
    # Parsed and put together anew it is eight times the inventory's size.
    assert int(done.stdout) * 1024 < 4.5 * size

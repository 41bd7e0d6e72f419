"""What does not depend on how many files a resource has costs the same with few as with many."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import structlog

from muniment.archive import Archive, describe, described
from muniment.archive.package import bag, instance, inventory
from muniment.content import Entry
from muniment.errors.archive import InstanceNotFound, ResourceNotFound
from muniment.server.native.recent import RecentInstances
from tests.servers.native.running import Running, serving

MANY = 3000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("constant") / "archive"
    with serving(place, init={"redundancy": 0}) as running, Archive(place, parity=False) as archive:
        for name, count in (("few", 3), ("many", MANY)):
            with archive.new(name, message="First") as transaction:
                for number in range(count):
                    transaction.add(b"%d" % number, f"f{number:05}")
            with archive.get(name, "a") as transaction:
                transaction.add(b"new", "last")
        yield running


def _asked_for() -> bool:
    """Whether a request is being answered here: the monitor reads records too."""
    threads = threading.current_thread().name
    return "request_id" in structlog.contextvars.get_contextvars() or threads.startswith("reader")


class Parsed:
    """Counts what is read of the records that list files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inventories = self.lines = 0
        parse, read = inventory.parse_inventory, bag.read_files

        def parse_inventory(text: str, path: Path) -> inventory.Inventory:
            self.inventories += _asked_for()
            return parse(text, path)

        def read_files(lines: Any) -> Iterator[tuple[str, Entry]]:
            for found in read(lines):
                self.lines += _asked_for()
                yield found

        monkeypatch.setattr(inventory, "parse_inventory", parse_inventory)
        monkeypatch.setattr(instance, "read_files", read_files)


def get(server: Running, path: str) -> bytes:
    asked = Request(f"{server.url}archive/v1/resources/{path}", headers={"Authorization": f"Bearer {server.key}"})
    with urlopen(asked, timeout=60) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize(
    "address", ["many", "many?project=main/main", "many/instances", "many/instances/1", "many/instances/newest"]
)
def test_a_description_lists_no_files(server: Running, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    parsed = Parsed(monkeypatch)
    said = json.loads(get(server, address))
    assert (parsed.inventories, parsed.lines) == (0, 0)
    shown = said.get("instances", [said])
    for each in shown:
        assert each["files"] == (MANY if each["number"] == 1 else MANY + 1)
        assert each["message"] == ("First" if each["number"] == 1 else f"Instance 2: {MANY + 1} files")
        assert each["head"] == 2


@pytest.mark.parametrize("query", ["", "?project=main/main"])
@pytest.mark.parametrize("number", ["2", "newest", "v2"])
def test_a_list_of_files_is_read_once_whatever_the_address(
    server: Running, monkeypatch: pytest.MonkeyPatch, number: str, query: str
) -> None:
    get(server, "many/instances/2/files/f00001?project=main/main")
    parsed = Parsed(monkeypatch)
    assert get(server, f"many/instances/{number}/files/f02999{query}") == b"2999"
    assert len(json.loads(get(server, f"many/instances/{number}/files{query or '?limit=5'}"))["files"]) in {5, 100}
    assert (parsed.inventories, parsed.lines) == (0, 0)


def test_newest_is_the_newest(tmp_path: Path) -> None:
    with serving(tmp_path / "archive") as running, Archive(running.place) as archive:
        with archive.new("a") as transaction:
            transaction.add(b"one", "f")
        assert get(running, "a/instances/newest/files/f") == b"one"
        with archive.get("a", "a") as transaction:
            transaction.replace(b"two", "f")
        assert get(running, "a/instances/newest/files/f") == b"two"
        assert json.loads(get(running, "a"))["number"] == 2


def test_small_files_say_what_the_whole_records_say(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", parity=False) as archive:
        with archive.new("a", "org/p", message="Why é") as transaction:
            transaction.add(b"1", "f.1")
            transaction.metadata["title"] = "T"
        with archive.get("a", "a", project="org/p") as transaction:
            transaction.add(b"2", "g.2")
        for number in (1, 2):
            assert describe(archive, "org/p", "a", number) == described(archive.get("a", instance=number))
        assert describe(archive, "org/p", "a") == described(archive.get("a"))
        with pytest.raises(InstanceNotFound):
            describe(archive, "org/p", "a", 3)
        with pytest.raises(ResourceNotFound):
            describe(archive, "org/p", "b")


@pytest.mark.parametrize("name", ["metadata/instance.json", "bag-info.txt", "tagmanifest-sha512.txt"])
def test_damaged_small_files_describe_nothing(tmp_path: Path, name: str) -> None:
    with Archive.init(tmp_path / "archive", parity=False) as archive:
        with archive.new("a") as transaction:
            transaction.add(b"1", "f")
        place = archive.get("a").root / "v1" / "content" / name
        place.chmod(0o644)
        place.write_bytes(place.read_bytes().replace(b"1", b"2"))
        assert describe(archive, "main/main", "a") is None


def test_few_large_lists_are_kept_and_the_last_always(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", parity=False) as archive:
        for name in "abc":
            with archive.new(name) as transaction:
                transaction.add(name.encode(), "f")
        size = os.stat(archive.get("a").root / "inventory.json").st_size
        recent = RecentInstances(most_bytes=2 * size + 10)
        for name in "abc":
            recent.get(archive, name, 1, "main/main")
        assert [bool(recent.known(name, 1, "main/main")) for name in "abc"] == [False, True, True]
        tight = RecentInstances(most_bytes=1)
        tight.get(archive, "a", 1, "main/main")
        assert tight.known("a", 1, "main/main")

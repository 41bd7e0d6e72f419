"""No path for two files, and none for a file and a folder."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from muniment.content import LogicalPath
from muniment.sources import Failure, Item, Page, SourceEntry
from muniment.sources.naming import UniquePaths


class Listing:
    """A source that lists what it was given."""

    service = resource = "shelf"

    def __init__(self, *items: list[str | tuple[str, str]]) -> None:
        self._items = items

    def pages(self, after: str | None = None) -> Iterator[Page]:
        yield Page(tuple(Item(str(number)) for number in range(len(self._items))))

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        for number, each in enumerate(self._items[int(item.id)]):
            if isinstance(each, tuple):
                path, of = LogicalPath.parse(each[0]), each[1]
                yield SourceEntry(path, 1, locator=f"{number}", version="1", of=of)
            else:
                yield SourceEntry(LogicalPath.parse(each), 1, locator=f"{number}")

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:
        return io.BytesIO(b"x")


def listed(source: UniquePaths) -> list[SourceEntry]:
    found = [each for page in source.pages() for item in page.items for each in source.entries(item)]
    assert not any(isinstance(each, Failure) for each in found)
    return [each for each in found if isinstance(each, SourceEntry)]


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        (["a", "b"], ["a", "b"]),
        (["a.csv", "a.csv", "a.csv"], ["a.csv", "a (2).csv", "a (3).csv"]),
        (["a", "a (2)", "a"], ["a", "a (2)", "a (3)"]),
        (["n", "n/x", "n/y/z", "n"], ["n", "n (2)/x", "n (2)/y/z", "n (3)"]),
        (["n/x", "n", "n/y"], ["n/x", "n (2)", "n/y"]),
        (["n", "n (2)", "n/x"], ["n", "n (2)", "n (3)/x"]),
        (["a/n", "a/n/x", "n/x"], ["a/n", "a/n (2)/x", "n/x"]),
    ],
)
def test_what_collides_is_renamed_and_keeps_its_name(given: list[str | tuple[str, str]], paths: list[str]) -> None:
    source = UniquePaths(Listing(given))
    found = listed(source)
    assert [entry.path for entry in found] == paths
    assert [entry.original for entry in found] == [
        None if name == path else name for name, path in zip(given, paths, strict=True)
    ]
    assert [entry.path for entry in listed(source)] == paths


def test_collisions_are_seen_across_items_and_versions_follow_their_file() -> None:
    source = UniquePaths(Listing(["n", ("@versions/n/1", "n")], ["n/x", ("@versions/n/x/1", "n/x")], ["n"]))
    found = listed(source)
    assert [(str(entry.path), entry.of) for entry in found] == [
        ("n", None), ("@versions/n/1", "n"), ("n (2)/x", None), ("@versions/n/x/1", "n (2)/x"), ("n (3)", None),
    ]  # fmt: skip

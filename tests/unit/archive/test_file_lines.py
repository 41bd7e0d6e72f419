"""The lines of `metadata/files.jsonl` are put together by hand, and are what a writer of JSON writes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as some

from muniment.archive.package import bag

TEXT = some.text(some.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT, TEXT, some.one_of(some.none(), some.integers(0, 1 << 62)), some.one_of(some.none(), TEXT))
def test_a_line_is_the_json_of_what_it_says(path: str, stored: str, size: int | None, modified: str | None) -> None:
    said: dict[str, object] = {"path": path, "size": size}
    if modified:
        said["modified"] = modified
    if stored != f"data/{path}":
        said["stored"] = stored
    line = bag._file_line(path, size, modified, stored if stored != f"data/{path}" else None)
    assert line == json.dumps(said, ensure_ascii=False, separators=(",", ":")) + "\n"
    ((where, read),) = bag.read_files([line.encode("utf-8")])
    assert (where, read.path, read.size, read.modified) == (stored, path, size, modified)


def test_a_file_in_its_own_place_names_it_once() -> None:
    assert "stored" not in bag._file_line("a", 1, None, None)

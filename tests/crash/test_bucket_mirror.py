"""A folder made from a bucket while somebody commits there: valid whatever lies in the bucket by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.testing.keys import FolderKeys, Request
from tests.crash.buckets import Change, make_history, make_new, make_next, opened, prepare
from tests.crash.judging import assert_whole, state_of


@pytest.mark.parametrize("change", [make_new, make_next, make_history])
def test_a_mirror_made_between_a_commit_and_its_event_is_one_of_what_the_log_tells(
    tmp_path: Path, change: Change
) -> None:
    prepare(tmp_path, "preservation")
    keys, mirror = FolderKeys(tmp_path / "bucket"), tmp_path / "mirror"
    found: list[list[str]] = []
    with opened(FolderKeys(tmp_path / "bucket"), tmp_path / "reader") as reader:
        before = state_of(reader)

        def mirror_then(_: int, request: Request, when: str) -> None:
            committing = request.key.startswith("objects/") and request.key.endswith("/inventory.json")
            if found or request.kind != "put once" or when != "after" or not committing:
                return
            reader.mirror(mirror)
            with Archive(mirror) as archive:
                found.append([finding.code for finding in archive.audit()])
                assert state_of(archive) == before

        with opened(keys, tmp_path / "state") as writer:
            keys.fault = mirror_then
            change(writer)
            keys.fault = None
            after = state_of(writer)
        assert found == [[]], "the version that no event tells of yet is not brought"
        reader.mirror(mirror)
    assert_whole(mirror, after)

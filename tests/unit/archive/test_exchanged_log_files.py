"""Files of the log that bear each other's names end no opening of the archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.archive import Archive
from tests.crash.scenes import AGENT, open_archive


@pytest.mark.timeout(60)
def test_a_worm_archive_opens_although_two_files_of_its_log_were_exchanged(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with Archive.init(root, mode="worm", agent=AGENT, workers=0, redundancy=0) as archive:
        for id in ("one", "two", "three"):
            with archive.new(id) as transaction:
                transaction.add(b"content", "file")
    *_, former, latter = sorted((root / "events").rglob("*.jsonl"))
    kept = former.read_bytes()
    former.write_bytes(latter.read_bytes())
    latter.write_bytes(kept)
    with open_archive(root) as archive:
        assert sorted(archive) == ["one", "three", "two"]
        assert [finding for finding in archive.audit() if finding.failed]

"""A head of the log that was noted down proves later that nothing up to it was changed, cut off or made anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.disk.locks import exclusive
from muniment.archive.eventlog.lines import line_hash
from muniment.cli.main import run
from muniment.content.events import Head
from tests.crash.scenes import AGENT, open_archive


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    with Archive.init(root, agent=AGENT, workers=0, redundancy=0) as archive:
        for id in ("one", "two", "three"):
            with archive.new(id) as transaction:
                transaction.add(b"content", "file")
            archive.record_event("capture", resource=id)
    return root


def rewrite(root: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the lines of the log, and of its mirror with them."""
    (path,) = (root / "events").rglob("*.jsonl")
    lines = b"".join(line + b"\n" for line in change(path.read_bytes().splitlines()))
    for place in (path, root / "parity" / path.relative_to(root)):
        place.write_bytes(lines)


def chained_again(lines: list[bytes]) -> list[bytes]:
    """Another event in the place of the third, and every hash behind it made to fit."""
    forged, previous = [], ""
    for line in lines:
        record = json.loads(line)
        record["previous"] = previous or record["previous"]
        if record["seq"] == 3:
            record["agent"] = "Nobody <mailto:nobody@example.org>"
        forged.append(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode())
        previous = line_hash(forged[-1])
    return forged


def codes(root: Path, since: Head | None = None) -> set[str]:
    with open_archive(root) as archive:
        return {finding.code for finding in archive.audit(since=since) if finding.failed}


def test_of_an_unchanged_log_every_head_it_ever_had_is_proved(root: Path) -> None:
    with open_archive(root) as archive:
        heads = [Head(event.seq - 1, event.previous) for event in archive.events()] + [archive.head()]
        archive.record_event("capture")
    for head in heads:
        assert codes(root, head) == set()


def test_a_log_that_was_cut_off_is_not_the_one_that_was_noted(root: Path) -> None:
    with open_archive(root) as archive:
        head = archive.head()
    rewrite(root, lambda lines: lines[:-1])
    assert codes(root, head) == {"M308"}
    rewrite(root, lambda lines: lines[:1])
    # Without a head, the instances tell: each was committed to a log that reached further.
    assert codes(root) == {"M307"}


def test_a_log_that_was_chained_again_after_a_forgery_is_found_out(root: Path) -> None:
    with open_archive(root) as archive:
        head = archive.head()
    rewrite(root, chained_again)
    assert codes(root) == {"M307"}, "the chain is whole, and the instances still remember"
    assert codes(root, head) == {"M307", "M308"}


def test_events_that_came_after_the_head_may_be_others(root: Path) -> None:
    with open_archive(root) as archive:
        head = next(Head(event.seq - 1, event.previous) for event in archive.events() if event.seq == 3)
    rewrite(root, chained_again)
    assert "M308" not in codes(root, head)


def test_a_head_is_held_against_the_log_also_when_one_resource_is_audited(root: Path) -> None:
    with open_archive(root) as archive:
        found = [finding.code for finding in archive.audit("one", since=Head(2, "a" * 64))]
        told = [event for event in archive.events() if event.event == "fixity check"]
    assert found == ["M308"]
    assert told[-1].detail["since"] == f"2:{'a' * 64}"


def test_the_command_takes_what_the_command_printed(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["--archive", str(root)]
    assert run([*start, "head"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "head").write_text(printed, "utf-8")
    assert run([*start, "audit", "--since", printed.strip()]) == 0
    assert run([*start, "audit", "--since", f"@{tmp_path / 'head'}"]) == 0
    assert run([*start, "audit", "--since", "3:" + "0" * 64]) == 1
    assert run([*start, "audit", "--since", "yesterday"]) == 4
    assert run([*start, "audit", "--since", f"@{tmp_path / 'none'}"]) == 4
    assert run([*start, "audit", "--since", printed.strip(), "--stamp", str(tmp_path / "head")]) == 4


def test_no_head_is_told_while_an_event_is_being_written_that_may_be_taken_back(root: Path) -> None:
    told: list[Head] = []
    with open_archive(root) as archive:
        with exclusive(archive.context.layout.locks / "events"):
            asking = threading.Thread(target=lambda: told.append(archive.head()))
            asking.start()
            asking.join(0.2)
            assert told == []
        asking.join()
    assert told


def test_events_are_in_the_order_of_their_numbers_and_tell_the_true_time_after_a_clock_was_ahead(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead, open_archive(root) as archive:
        ahead.setattr("muniment.archive.eventlog.log.now", lambda: "2099-01-01T00:00:00.000000Z")
        archive.record_event("capture")
    with open_archive(root) as archive:
        before = archive.head().seq
        event = archive.record_event("capture")
        assert event.timestamp < "2099"
        assert event.latest.startswith("2099")
        assert [each.seq for each in archive.events()] == list(range(1, before + 2))
        assert [each.seq for each in archive.events("2098-01-01T00:00:00Z")] == [before]
    assert codes(root) == set()

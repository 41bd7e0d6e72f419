"""What is under retention stays; under a policy a purge takes two people, and reaches every store that lets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment import Archive
from muniment.archive import Agent
from muniment.cli.main import run
from muniment.errors.base import BadInput
from muniment.errors.copies import ApprovalNeeded, NotShortened, StillRetained
from muniment.stores import Capabilities
from muniment.stores.folder import FolderStore
from muniment.workflows.copies.retention import Retention, Retentions
from tests.acceptance.copies.conftest import POLICY, Kept
from tests.acceptance.copies.test_making import files_below

YEAR = 31_556_952


def test_a_resource_under_retention_is_not_purged_by_anybody(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept.cli("retention", "set", "one", "--until", "1y") == 0
    assert kept.cli("purge", "one", "--reason", "because", "--yes") == StillRetained.exit_status
    with Archive(kept.root, workers=1) as archive, pytest.raises(StillRetained):
        archive.purge("one", "because")
    assert kept.cli("retention", "extend", "one", "--until", "2y") == 0
    assert kept.cli("retention", "extend", "one", "--until", "1y") != 0
    (listed,) = kept.documents(capsys, "retention", "list")
    assert (listed["resource"], listed["mode"]) == ("one", "governance")
    assert kept.documents(capsys, "retention", "list", "--expiring", "90d") == []
    assert len(kept.documents(capsys, "retention", "list", "--expiring", "3y")) == 1


def test_compliance_is_never_shortened_and_a_hold_outlasts_its_end(kept: Kept) -> None:
    book, now = Retentions(kept.service.table.database), kept.service.table.now()
    strict = Retention("main/main", "one", "compliance", now + YEAR)
    book.set(kept.service.archive, strict)
    for weaker in (
        Retention("main/main", "one", "compliance", now + 1),
        Retention("main/main", "one", "governance", now + 2 * YEAR),
    ):
        with pytest.raises(StillRetained):
            book.set(kept.service.archive, weaker)
    book.set(kept.service.archive, Retention("org/other", "two", "governance", now - 1, hold=True))
    with pytest.raises(StillRetained, match="legal hold"):
        kept.service.archive.purge("two", "because")
    before = book.all()
    assert book.rebuild(kept.service.archive) == 2
    assert [each.resource for each in book.all()] == [each.resource for each in before]


def test_governance_is_shortened_by_an_act_of_its_own_that_says_why(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kept.cli("retention", "set", "one", "--until", "10y") == 0
    assert kept.cli("retention", "set", "one", "--until", "2y") == NotShortened.exit_status
    assert "muniment retention shorten" in capsys.readouterr().err
    for words in (("--until", "11y", "--reason", "later"), ("--until", "1y", "--reason", " ")):
        assert kept.cli("retention", "shorten", "one", *words) == BadInput.exit_status
    assert kept.cli("retention", "shorten", "one", "--until", "1y", "--reason", "set by mistake") == 0
    (listed,) = kept.documents(capsys, "retention", "list", "--expiring", "2y")
    assert (listed["resource"], listed["mode"]) == ("one", "governance")
    *_, event = (each for each in kept.service.archive.events() if "retention" in each.detail)
    about = event.detail["retention"]
    assert isinstance(about, dict)
    assert (about["until"], about["reason"]) == (listed["until"], "set by mistake")
    assert about["before"] > about["until"]
    assert Retentions(kept.service.table.database).rebuild(kept.service.archive) == 1
    assert kept.documents(capsys, "retention", "list") == [listed]
    assert kept.cli("purge", "one", "--reason", "because", "--yes") == StillRetained.exit_status


def test_what_is_in_compliance_or_kept_by_a_policy_is_not_shortened(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--until", "1d", "--reason", "because")
    assert kept.cli("retention", "set", "two", "--until", "2y", "--mode", "compliance") == 0
    assert kept.cli("retention", "shorten", "two", *words) == NotShortened.exit_status
    assert "in compliance nobody shortens" in capsys.readouterr().err
    assert kept.cli("retention", "shorten", "one", *words) == BadInput.exit_status
    kept.service.policies.set(kept.service.archive, "*", f'keep = "governance 1y"\n{POLICY}')
    kept.service.plan_all()
    assert kept.cli("retention", "shorten", "one", *words) == NotShortened.exit_status
    assert "the project's policy keeps it" in capsys.readouterr().err


def test_a_policy_keeps_what_is_new(kept: Kept) -> None:
    kept.service.policies.set(kept.service.archive, "*", f'keep = "governance 1y"\n{POLICY}')
    kept.service.plan_all()
    found = Retentions(kept.service.table.database).all()
    assert {each.resource for each in found} == {"one", "two"}
    events = len(list(kept.service.archive.events()))
    kept.service.plan_all()
    assert len(list(kept.service.archive.events())) == events


def test_a_purge_under_a_policy_takes_two_people(kept: Kept) -> None:
    kept.service.policies.set(kept.service.archive, "*", f'keep = "governance 1s"\n{POLICY}')
    kept.working.close()
    first, second = Agent("Ada", "mailto:ada@example.org"), Agent("Bo", "mailto:bo@example.org")
    for _ in range(2):
        with Archive(kept.root, workers=1, agent=first) as archive, pytest.raises(ApprovalNeeded, match="Ada"):
            archive.purge("one", "asked to")
    with Archive(kept.root, workers=1, agent=second) as archive:
        archive.purge("one", "agreed")
        (event,) = [event for event in archive.events() if event.event == "deletion"]
    assert "Bo" in event.agent
    assert "asked for by Ada <mailto:ada@example.org>: asked to" in str(event.detail)


def test_what_was_purged_goes_from_the_stores_too_and_leaves_its_tombstone(kept: Kept) -> None:
    kept.service.archive.purge("one", "because")
    kept.service.plan()
    for name in ("vault", "shelf"):
        kept.service.replicate(name)
        left = files_below(kept.store(name))
        assert not [key for key in left if "one" in key.split("/")[-2:] or "%2fone/" in key]
        assert [key for key in left if key.startswith("tombstones/")]
        assert kept.cli("restore", "--from", kept.store(name), "-o", kept.folder / f"{name}-again") == 0
        with Archive(kept.folder / f"{name}-again", workers=1) as archive:
            assert list(archive) == ["two"]
            assert not [finding for finding in archive.audit() if finding.failed]
    assert not [row for row in kept.service.table.each() if row.resource == "one"]


def test_where_nothing_can_be_removed_it_stays_noted_and_is_not_restored(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(FolderStore, "capabilities", Capabilities(removes=False))
    kept.service.archive.purge("one", "because")
    kept.service.plan()
    kept.service.replicate("shelf")
    rows = list(kept.service.table.each(store="shelf", state="purging"))
    assert len(rows) == 2
    assert all("rewritten" in row.reason for row in rows)
    assert run(["restore", "--from", str(kept.store("shelf")), "-o", str(tmp_path / "again")]) == 0
    with Archive(tmp_path / "again", workers=1) as archive:
        assert list(archive) == ["two"]

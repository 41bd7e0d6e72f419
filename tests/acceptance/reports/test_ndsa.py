"""The NDSA Levels of an archive: what is computed from facts, what is attested, and what neither can be."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from muniment.cli.main import run
from muniment.database import Database
from muniment.errors.reports import BadAnswers
from muniment.workflows.reports.ndsa.answers import Answer, Answers, StoreAnswer
from muniment.workflows.reports.ndsa.criteria import AREAS, CRITERIA, answerable
from muniment.workflows.reports.ndsa.facts import Facts, Tally, medium_of
from muniment.workflows.reports.ndsa.report import judge
from muniment.workflows.reports.stored import StoredReports

NOW = 1_780_000_000.0
TODAY = date(2026, 5, 28)
ALL_STORES = frozenset({"archive", "cloud", "tape"})


def best() -> Facts:
    """An archive that lacks nothing."""
    facts = Facts(
        NOW,
        media={"archive": "disk", "cloud": "object storage", "tape": "tape"},
        resources=3,
        kept_in=[ALL_STORES],
        policies=1,
        audited=NOW - 86400,
        audit_well=True,
        has_rules=True,
        backed_up=NOW - 86400,
        backed_up_in=2,
    )
    facts.events["fixity check"] = 4
    return facts


def attested() -> Answers:
    stores = {
        name: StoreAnswer(f"place of {name}", f"threat to {name}", f"provider of {name}", "a reader", date(2030, 1, 1))
        for name in ALL_STORES
    }
    answers = {name: Answer(met=True, who="Ada", when=date(2026, 1, 1)) for name in answerable()}
    return Answers(stores, answers)


def levels(facts: Facts, answers: Answers) -> dict[str, int]:
    return {found.area: found.level for found in judge(facts, answers)}


def found(facts: Facts, answers: Answers, name: str) -> Any:
    return next(each for area in judge(facts, answers) for each in area.results if each.criterion.name == name)


def some(what: str) -> Tally:
    tally = Tally()
    tally.add(what)
    return tally


def test_every_area_has_criteria_at_every_level_under_names_of_their_own() -> None:
    assert len({each.name for each in CRITERIA}) == len(CRITERIA)
    assert {(each.area, each.level) for each in CRITERIA} == {(area, level) for area in AREAS for level in (1, 2, 3, 4)}


def test_an_archive_that_lacks_nothing_is_at_the_highest_level_everywhere() -> None:
    assert levels(best(), attested()) == dict.fromkeys(AREAS, 4)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"kept_in": [frozenset({"archive", "cloud"})]}, "storage-2-1"),
        ({"kept_in": [ALL_STORES, frozenset({"archive"})]}, "storage-1-1"),
        ({"leftovers": 1}, "storage-1-3"),
        ({"media": dict.fromkeys(ALL_STORES, "disk")}, "storage-3-2"),
        ({"media": dict.fromkeys(ALL_STORES, "disk")}, "storage-4-2"),
        ({"unscanned": some("r v1")}, "integrity-1-3"),
        ({"unread": some("r")}, "integrity-2-1"),
        ({"kept_in": [frozenset({"archive"})]}, "integrity-2-1"),
        ({"kept_in": [ALL_STORES, frozenset({"archive"})]}, "integrity-2-3"),
        ({"audited": NOW - 91 * 86400}, "integrity-3-1"),
        ({"audited": 0.0}, "integrity-3-1"),
        ({"late": some("r")}, "integrity-3-1"),
        ({"damaged": some("r")}, "integrity-4-2"),
        ({"audit_well": False}, "integrity-4-2"),
        ({"has_rules": False}, "control-1-1"),
        ({"ruleless": some("org/p")}, "control-2-1"),
        ({"chained": False}, "control-3-1"),
        ({"nameless": 1}, "control-3-1"),
        ({"backed_up": 0.0}, "metadata-1-2"),
        ({"backed_up_in": 0}, "metadata-1-2"),
        ({"undescribed": some("r")}, "metadata-2-1"),
        ({"unidentified": some("r")}, "content-1-1"),
        ({"unjudged": some("r")}, "content-3-1"),
        ({"at_risk": some("r")}, "content-4-1"),
    ],
)
def test_what_is_lacking_is_named_with_what_to_do_and_holds_its_area_below_that_level(
    change: dict[str, Any], name: str
) -> None:
    facts = replace(best(), **change)
    result = found(facts, attested(), name)
    assert result.judgement.met is False
    assert result.judgement.fact
    assert result.judgement.advice
    area, level, _ = name.split("-")
    assert levels(facts, attested())[area] < int(level)


def test_where_stores_are_is_never_guessed() -> None:
    result = found(best(), Answers(), "storage-1-1")
    assert result.judgement.met is None
    assert "archive, cloud, tape" in result.judgement.fact
    same = {name: StoreAnswer("Graz") for name in ALL_STORES}
    assert found(best(), Answers(same), "storage-1-1").judgement.met is False


def test_what_cannot_be_computed_needs_an_answer_that_is_not_old() -> None:
    name = "control-4-1"
    assert found(best(), Answers(), name).judgement.met is None
    for when, met in ((date(2026, 1, 1), True), (date(2025, 5, 1), None)):
        answers = Answers(answers={name: Answer(met=True, who="Ada", when=when, note="by samples")})
        result = found(best(), answers, name)
        assert result.judgement.met is met
        assert "Ada" in result.judgement.fact
    refused = Answers(answers={name: Answer(met=False, who="Ada", when=TODAY)})
    assert found(best(), refused, name).judgement.met is False


@pytest.mark.parametrize(
    "text",
    [
        "[answers.storage-1-1]\nmet = true\nwho = 'Ada'\nwhen = 2026-01-01",  # this one is computed
        "[answers.control-9-9]\nmet = true\nwho = 'Ada'\nwhen = 2026-01-01",
        "[answers.control-4-1]\nmet = true\nwho = ''\nwhen = 2026-01-01",
        "[answers.control-4-1]\nmet = true\nwho = 'Ada'",
        "[answers.control-4-1]\nmet = true\nwho = 'Ada'\nwhen = 2026-12-01",  # not yet
        "[answers.control-4-1]\nmet = 'yes'\nwho = 'Ada'\nwhen = 2026-01-01",
        "[stores.vault]\nplace = 3",
        "[stores.vault]\ntown = 'Graz'",
        "[stores.vault]\nuntil = 'soon'",
        "[else]",
        "answers = 3",
        "[",
    ],
)
def test_an_answer_that_is_none_is_refused_in_words(text: str, tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text(text, "utf-8")
    with pytest.raises(BadAnswers, match=r"answers\.toml"):
        Answers.read(tmp_path / "answers.toml", answerable(), TODAY)


def test_media_are_told_by_their_addresses() -> None:
    addresses = ["/srv/copies", "s3://bucket/x?endpoint=http://h", "ltfs:///mnt/tape", "rclone://remote/x", "x://y"]
    assert [medium_of(each) for each in addresses] == [
        "disk",
        "object storage",
        "tape",
        "remote service",
        "another kind of store",
    ]


def test_a_real_archive_climbs_as_what_was_lacking_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "archive"
    monkeypatch.setenv("MUNIMENT_ARCHIVE", str(place))
    monkeypatch.setenv("MUNIMENT_SCRATCH", str(tmp_path / "scratch"))
    (tmp_path / "one.txt").write_text("one")

    def criteria(*more: str) -> dict[str, Any]:
        capsys.readouterr()
        assert run(["report", "ndsa", "--json", *more]) == 0
        said = json.loads(capsys.readouterr().out)
        return {each["name"]: each for area in said["areas"] for each in area["criteria"]}

    assert run(["init"]) == 0
    assert run(["add", str(tmp_path / "one.txt"), "--id", "r"]) == 0
    before = criteria()
    lacking = {"storage-1-1", "integrity-3-1", "integrity-2-3", "metadata-1-2", "metadata-2-1", "content-1-1"}
    assert {name for name in lacking if before[name]["met"] is False} == lacking
    assert "main/main/r" in before["metadata-2-1"]["fact"]
    assert before["control-3-1"]["met"] is True
    assert before["control-1-1"]["met"] is True  # the administrator's rule holds above all
    assert run(["report", "ndsa", "--at-least", "1"]) == 1

    metadata = json.dumps({"title": "One", "creator": "Ada"})
    assert run(["add", "--id", "r", "--metadata", metadata, str(tmp_path / "one.txt"), "--remove", "one.txt"]) == 0
    assert run(["ledger", "backup"]) == 0
    (tmp_path / "policy.toml").write_text('[[copies]]\nstore = "vault"\n')
    assert run(["store", "add", "vault", str(tmp_path / "vault")]) == 0
    assert run(["policy", "set", "*", str(tmp_path / "policy.toml")]) == 0
    assert run(["copies", "make"]) == 0
    assert run(["audit"]) == 0
    answers = tmp_path / "answers.toml"
    answers.write_text(
        '[stores.archive]\nplace = "Graz"\n[stores.vault]\nplace = "Linz"\n'
        f'[answers.integrity-2-2]\nmet = true\nwho = "Ada"\nwhen = {datetime.now(UTC).date()}\n'
    )
    after = criteria("--answers", str(answers))
    for name in ("storage-1-1", "storage-1-2", "integrity-2-1", "integrity-2-2", "integrity-2-3", "integrity-3-1"):
        assert after[name]["met"] is True, after[name]
    assert after["metadata-1-2"]["met"] is True, after["metadata-1-2"]
    # The backup of the control database is a resource like any other, and describes itself too.
    assert "main/main/r" not in after["metadata-2-1"]["fact"]
    with Archive(place, workers=0) as archive:
        events = next((archive.path / "events").rglob("*.jsonl"))
    events.write_bytes(events.read_bytes().replace(b'"event":"creation"', b'"event":"creatiom"', 1))
    assert criteria()["control-3-1"]["met"] is False


def test_each_project_is_judged_by_what_is_its_own_and_the_result_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUNIMENT_ARCHIVE", str(tmp_path / "archive"))
    (tmp_path / "one.txt").write_text("one")
    assert run(["init"]) == 0
    metadata = json.dumps({"title": "One", "creator": "Ada"})
    described = ["add", str(tmp_path / "one.txt"), "--id", "r", "--project", "org/good", "--metadata", metadata]
    assert run(described) == 0
    assert run(["add", str(tmp_path / "one.txt"), "--id", "r", "--project", "org/bad"]) == 0
    (tmp_path / "policy.toml").write_text('[[copies]]\nstore = "vault"\n')
    assert run(["store", "add", "vault", str(tmp_path / "vault")]) == 0
    assert run(["policy", "set", "org/good", str(tmp_path / "policy.toml")]) == 0
    assert run(["copies", "make"]) == 0
    assert run(["report", "ndsa"]) == 0
    database = Database.open(tmp_path / "archive/control.db")
    stored = StoredReports(database)
    assert stored.projects("ndsa") == ["org/bad", "org/good"]
    kept = {project: stored.get("ndsa", project) for project in ("", "org/good", "org/bad")}

    def met(project: str, name: str) -> bool | None:
        document = kept[project]
        assert document is not None
        results = [each for area in document.document["areas"] for each in area["criteria"]]
        found: bool | None = next(each["met"] for each in results if each["name"] == name)
        return found

    assert [met(project, "metadata-2-1") for project in kept] == [False, True, False]
    assert [met(project, "integrity-2-3") for project in kept] == [False, True, False]
    assert all(each is not None and abs(each.made_at - database.now()) < 600 for each in kept.values())
    # A look by other answers is shown and not kept; a project without resources has no result.
    (tmp_path / "answers.toml").write_text('[stores.archive]\nplace = "Graz"\n')
    before = kept["org/good"]
    assert run(["report", "ndsa", "--answers", str(tmp_path / "answers.toml"), "--project", "org/good"]) == 0
    assert stored.get("ndsa", "org/good") == before
    assert run(["report", "ndsa", "--project", "org/none"]) == 3
    database.close()

"""What a person gets wrong about copies is named: stores and projects that are not there, limits that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.errors.archive import ResourceNotFound
from muniment.errors.base import BadInput
from muniment.errors.stores import StoreRefused, StoreUnreachable
from tests.acceptance.copies.conftest import Kept


def policy(folder: Path, store: str, layout: str = "bag", more: str = "") -> Path:
    file = folder / "policy.toml"
    file.write_text(f'[[copies]]\nstore = "{store}"\nlayout = "{layout}"\n{more}')
    return file


def test_a_resource_that_is_not_there_is_no_verified_one(kept: Kept) -> None:
    assert kept.cli("copies", "verify", "nope") == ResourceNotFound.exit_status
    assert kept.cli("copies", "verify", "two") == 0


def test_a_share_of_more_than_all_is_none(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept.cli("audit", "--budget", "150%") == BadInput.exit_status
    assert "at most 100%" in capsys.readouterr().err


def test_a_policy_is_tried_before_it_is_in_force(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept.cli("policy", "check", "--file", policy(kept.folder, "shelf")) == 0
    locked = policy(kept.folder, "shelf", more='lock = "compliance 10y"\n')
    assert kept.cli("policy", "check", "--file", locked) == 1
    assert "a lock is asked for, and it has none" in capsys.readouterr().out
    assert kept.cli("policy", "check", "--file", policy(kept.folder, "nowhere")) == 1
    assert "no store called 'nowhere'" in capsys.readouterr().out
    assert kept.cli("policy", "check", "--file", kept.folder / "none.toml") == BadInput.exit_status
    assert kept.cli("policy", "check", "no/project") == BadInput.exit_status
    assert kept.cli("policy", "check", "org/other") == 0


def test_what_is_owed_to_a_store_that_cannot_be_used_is_listed_with_the_reason_until_nobody_asks_for_it(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kept.cli("policy", "set", "org/other", policy(kept.folder, "nowhere")) == 0
    assert kept.cli("copies", "make") == 1
    capsys.readouterr()
    assert kept.cli("copies") == 1
    assert "lacks: nowhere bag v1: owed: there is no store called 'nowhere'" in capsys.readouterr().out
    kept.service.registry.add("cellar", str(kept.store("cellar")))
    kept.store("cellar").rename(kept.folder / "away")
    assert kept.cli("policy", "set", "org/other", policy(kept.folder, "cellar")) == 0
    assert kept.cli("copies", "make") == 1
    said = capsys.readouterr().out
    assert "nowhere" not in said
    assert kept.cli("copies", "two") == 1
    assert (
        "owed: the folder cellar cannot be reached: it is not there; see whether its disk is mounted"
        in capsys.readouterr().out
    )


def test_an_address_to_restore_from_that_is_not_there_is_named(
    kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    again = kept.folder / "again"
    assert kept.cli("restore", "--from", kept.folder / "nothing", "-o", again) == StoreUnreachable.exit_status
    assert "see whether its disk is mounted." in capsys.readouterr().err
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(kept.folder / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = "s3://bucket/there?endpoint=http://127.0.0.1:9"
    assert kept.cli("restore", "--from", bucket, "-o", again) == StoreRefused.exit_status
    assert "--keys FILE" in capsys.readouterr().err
    assert not again.exists()


def test_what_is_on_its_way_in_a_restore_lies_beside_it(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary folder of a machine is often small, and a tar is as large as an instance."""
    monkeypatch.setenv("TMPDIR", str(kept.folder / "not there"))
    monkeypatch.setattr("tempfile.tempdir", str(kept.folder / "not there"))
    assert kept.cli("restore", "--from", kept.store("shelf"), "-o", kept.folder / "new" / "again") == 0
    assert not list(kept.folder.glob(".muniment-restore*"))


def test_a_lock_that_a_store_has_not_holds_up_no_copies_that_want_none(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.service.registry.add("cellar", str(kept.store("cellar")))
    assert kept.cli("policy", "set", "main/main", policy(kept.folder, "cellar", more='lock = "compliance 10y"\n')) == 0
    assert kept.cli("policy", "set", "org/other", policy(kept.folder, "cellar")) == 0
    capsys.readouterr()
    assert kept.cli("copies", "make", "--store", "cellar") == 1
    assert "cellar: 1 copies made" in (said := capsys.readouterr().out)
    assert "2 failed" in said
    assert "a lock is asked for, and it has none" in said
    assert kept.cli("copies", "two") == 0
    assert kept.cli("copies", "one") == 1
    assert "lacks: cellar bag v1: owed: " in (said := capsys.readouterr().out)
    assert "a lock is asked for" in said
    assert kept.service.registry.get("cellar").logged  # the log is there all the same

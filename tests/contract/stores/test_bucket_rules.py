"""What a bucket does on its own: named by `init` and `status`, refused where it would lose or lock keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.app.bucket import BucketArchive
from muniment.cli.main import run
from muniment.content.buckets import BucketRules, LifecycleRule
from muniment.content.requests import Prices, RequestCounts, parse_prices
from muniment.errors.base import BadInput
from muniment.errors.stores import BadStore
from muniment.testing.keys import FolderKeys
from tests.contract.stores.amazon import KEYS, Amazon, Fault

ABORT = {"ID": "parts", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}


def rules(amazon: Amazon, bucket: str, *given: dict[str, Any]) -> None:
    found = [{"Status": "Enabled", "Filter": {}, **each} for each in given]
    amazon.client().put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": found})


def test_a_bucket_whose_rules_would_remove_keys_of_the_archive_is_refused_by_the_rule_s_name(
    amazon: Amazon, tmp_path: Path
) -> None:
    bucket = amazon.bucket(locks=False)
    whole = {"ID": "spring cleaning", "Expiration": {"Days": 30}}
    below = {"ID": "logs", "Filter": {"Prefix": "archive/events/"}, "Expiration": {"Date": "2030-01-01T00:00:00Z"}}
    expected = ((whole, "'spring cleaning' .*every key 30 days"), (below, "'logs' .*events/' on 2030-01-01"))
    for rule, words in expected:
        rules(amazon, bucket, rule)
        with pytest.raises(BadStore, match=rf"(?s){words}.*would lose whatever.*take the rule away"):
            BucketArchive.make(amazon.keys(bucket), tmp_path / "state")
        assert list(amazon.keys(bucket).list()) == []
    tag = {"Key": "temporary", "Value": "yes"}
    rules(
        amazon,
        bucket,
        {"ID": "another's", "Filter": {"Prefix": "elsewhere/"}, "Expiration": {"Days": 1}},
        {"ID": "switched off", "Status": "Disabled", "Expiration": {"Days": 1}},
        {"ID": "tagged", "Filter": {"Tag": tag}, "Expiration": {"Days": 1}},
        {"ID": "older versions", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
    )
    with BucketArchive.make(amazon.keys(bucket), tmp_path / "state") as archive:
        assert [each.text.partition(":")[0] for each in archive.bucket_faults()] == [
            "no lifecycle rule gives up uploads in parts that were never completed"
        ]
        rules(amazon, bucket, ABORT)
        assert archive.bucket_faults() == []


def test_a_bucket_that_locks_whatever_is_put_is_refused(amazon: Amazon, tmp_path: Path) -> None:
    bucket = amazon.bucket()
    default = {"Mode": "GOVERNANCE", "Years": 2}
    amazon.client().put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}}
    )
    for mode, lock in (("preservation", ""), ("worm", "governance 1y")):
        with pytest.raises(BadStore, match=r"governance 2y.*take its default retention away"):
            BucketArchive.make(amazon.keys(bucket), tmp_path, mode=mode, lock=lock)
    assert list(amazon.keys(bucket).versions()) == []


def test_what_a_bucket_may_not_be_asked_is_untold_and_no_reason_to_refuse_it(amazon: Amazon, tmp_path: Path) -> None:
    bucket = amazon.bucket(locks=False)
    amazon.fault = lambda _, path, query: Fault(403) if (path, query) == (f"/{bucket}", "lifecycle") else None
    try:
        with BucketArchive.make(amazon.keys(bucket), tmp_path) as archive:
            [fault] = archive.bucket_faults()
    finally:
        amazon.fault = lambda *_: None
    assert "lifecycle rules (AccessDenied)" in fault.text
    assert not fault.refused


def test_rules_touch_what_may_fall_under_them() -> None:
    frozen = LifecycleRule("ice", "archive/objects/", freezes="DEEP_ARCHIVE")
    rule = LifecycleRule("r", "arch", expires="in time")
    assert rule.touches("archive/")
    assert rule.covers("archive/")
    assert frozen.touches("archive/")
    assert not frozen.covers("archive/")
    assert not LifecycleRule("r", "other/", expires="in time").touches("archive/")
    found = BucketRules("archive/", lifecycle=(frozen, rule, LifecycleRule("parts", "", aborts=7)))
    assert (found.freezing, found.expiring, found.aborting) == ([frozen], [rule], True)


def test_status_says_what_was_asked_what_it_cost_and_what_would_be_lost(
    amazon: Amazon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = amazon.bucket(locks=False)
    place = f"s3://{bucket}/archive?endpoint={amazon.url}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret_key"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "letter.txt").write_text("Dear friend\n")
    before = len(amazon.requests)
    assert run(["--archive", place, "init"]) == 0
    assert run(["--archive", place, "add", str(tmp_path / "letter.txt"), "--id", "estate"]) == 0
    made = amazon.requests[before:]
    assert "no lifecycle rule gives up" in capsys.readouterr().err
    monkeypatch.setenv("MUNIMENT_BUCKET_PRICES", "5 0.4 90")
    assert run(["--archive", place, "status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["bucket"]
    listings = sum(method == "GET" and ("list-type" in path or "versions" in path) for method, path in made)
    writes = sum(method in {"PUT", "POST"} for method, _ in made) + listings
    asked = found["requests"]
    assert asked["writes"] > writes, "with those of status itself"
    assert asked["writes"] - writes < 10
    assert asked["removals"] == sum(method == "DELETE" for method, _ in made)
    expected = asked["writes"] * 0.005 + asked["reads"] * 0.0004 + asked["received"] * 90 / 1e9
    assert asked["cost"] == pytest.approx(expected)
    assert (found["resources"], found["writable"], found["mode"]) == (1, True, "preservation")
    rules(amazon, bucket, {"ID": "spring cleaning", "Expiration": {"Days": 30}})
    assert run(["--archive", place, "status"]) == 1, "somebody has to look"
    said = capsys.readouterr().out
    assert "wrong: its lifecycle rule 'spring cleaning' removes every key 30 days" in said
    assert "which cost 0." in said
    monkeypatch.setenv("MUNIMENT_BUCKET_PRICES", "cheap")
    assert run(["--archive", place, "status"]) == 4
    assert "three numbers" in capsys.readouterr().err


def test_prices_are_three_numbers() -> None:
    assert parse_prices("0.005 0.0004 0.09") == Prices(0.005, 0.0004, 0.09)
    assert Prices(5.0, 0.5, 90.0).cost(RequestCounts(1000, 2000, 7, 10**9)) == pytest.approx(96.0)
    for wrong in ("", "1", "1 2", "1 2 three", "1 2 -3", "1 2 nan", "1 2 3 4"):
        with pytest.raises(BadInput, match="three numbers"):
            parse_prices(wrong)


def test_a_count_that_is_damaged_is_begun_anew(tmp_path: Path) -> None:
    keys = FolderKeys(tmp_path / "bucket")
    with BucketArchive.make(keys, tmp_path / "state", workers=0) as archive:
        place = tmp_path / "state" / archive.config.id / "requests.json"
    noted = json.loads(place.read_text())
    assert noted["writes"] > 10
    place.write_text("[]")
    with BucketArchive(FolderKeys(tmp_path / "bucket"), tmp_path / "state", workers=0) as archive:
        assert 0 < archive.requests_made().writes < noted["writes"]

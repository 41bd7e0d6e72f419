"""What a server in front of a bucket says of it to whoever runs the machine."""

from __future__ import annotations

from pathlib import Path

from muniment.cli.operations import lines, needs_somebody
from muniment.content.buckets import BucketRules, LifecycleRule
from muniment.remote.operations import RemoteOperations
from muniment.testing.keys import FolderKeys
from tests.servers.native.running import BucketApp, serving_app, serving_bucket
from tests.timing import eventually


def test_a_server_in_front_of_a_bucket_tells_its_requests_what_they_cost_and_what_its_rules_would_do(
    tmp_path: Path,
) -> None:
    keys = FolderKeys(tmp_path / "bucket")
    with (
        serving_bucket(keys, tmp_path / "state", serve_work=False, bucket_prices="5 0.4 0.09") as running,
        RemoteOperations(running.url, key=running.key) as there,
    ):
        eventually(lambda: there.document()["bucket"])
        found = there.document()
        bucket = found["bucket"]
        assert bucket["address"] == "s3://bucket/archive"
        assert bucket["requests"]["writes"] > 10
        assert bucket["requests"]["cost"] > 0.05
        assert [each["refused"] for each in bucket["faults"]] == [False], "uploads that were never completed"
        said = "\n".join(lines(found))
        assert "requests of this machine" in said
        assert "free on its disk" not in said
        assert not needs_somebody(found)


def test_a_bucket_that_has_come_to_lose_keys_needs_somebody(tmp_path: Path) -> None:
    keys = FolderKeys(tmp_path / "bucket")
    rules = BucketRules("archive/", lifecycle=(LifecycleRule("sweep", "", expires="after 30 days"),))
    with serving_bucket(keys, tmp_path / "state", serve_work=False) as running:
        pass
    keys = FolderKeys(tmp_path / "bucket", rules=rules)
    with (
        serving_app(BucketApp(keys, running.place, serve_work=False)) as url,
        RemoteOperations(url, key=running.key) as there,
    ):
        eventually(lambda: there.document()["bucket"])
        assert needs_somebody(there.document())

"""Copies made by workers of the ledger, in buckets of a real S3 service with Object Lock."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from muniment import Archive
from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.cli.main import run
from muniment.errors.copies import StillRetained
from muniment.settings import Settings
from muniment.testing.servers import ceph as ceph_keys
from muniment.testing.services import Service, shared
from muniment.workflows.copies.checking import troubles
from muniment.workflows.copies.policy import parse_policy
from muniment.workflows.copies.retention import Retentions
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.status import protections
from muniment.workflows.copies.steps import schedule
from muniment.workflows.copies.verification import verify_copy
from tests.timing import eventually

KEYS = {"access_key": ceph_keys.ACCESS_KEY, "secret_key": ceph_keys.SECRET_KEY}


@pytest.fixture(scope="module")
def ceph(run_folder: Path) -> Iterator[Service]:
    with shared("ceph", run_folder) as service:
        yield service


@pytest.fixture
def working(tmp_path: Path) -> Iterator[BackgroundServices]:
    with Archive.init(tmp_path / "archive", workers=1) as archive, archive.new("one") as new:
        new.add(secrets.token_bytes(150_000), "large.bin")
        new.add(b"small", "a/small.txt")
    settings = Settings({}, archive=str(tmp_path / "archive"), scratch=tmp_path / "scratch", digest_processes=1)
    made = BackgroundServices(App(settings))
    yield made
    made.close()


def bucket(ceph: Service, *, locks: bool) -> tuple[Any, str, str]:
    client: Any = boto3.client(
        "s3",
        endpoint_url=ceph.url,
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )
    name = f"copies-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if locks else {}))
    return client, name, f"s3://{name}/kept?endpoint={ceph.url}"


def test_workers_make_locked_copies_that_nobody_deletes_and_the_archive_comes_back(
    ceph: Service, working: BackgroundServices, tmp_path: Path
) -> None:
    client, name, address = bucket(ceph, locks=True)
    service = working.copy_service()
    service.registry.add("cloud", address, KEYS)
    text = '[[copies]]\nstore = "cloud"\nlayout = "bag"\nlock = "compliance 1d"\n'
    service.policies.set(service.archive, "*", text)
    schedule(working.ledger(), every=1.0)
    engine = working.local_engine(threads=1)
    engine.start()
    try:
        eventually(lambda: all(each.protected for each in protections(service)), every=0.5)
    finally:
        engine.stop()
    key = "kept/bags/main/main/one/v1.tar"
    (version,) = client.list_object_versions(Bucket=name, Prefix=key).get("Versions", [])[:1]
    with pytest.raises(ClientError, match=r"AccessDenied|Forbidden|WORM"):
        client.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text("".join(f"{key} = {value}\n" for key, value in KEYS.items()))
    assert run(["restore", "--from", address, "--keys", str(keys), "-o", str(tmp_path / "again")]) == 0
    with Archive(tmp_path / "again", workers=1) as archive:
        assert archive.get("one").read("a/small.txt") == b"small"
        assert not [finding for finding in archive.audit() if finding.failed]


def test_a_bucket_without_locks_is_named_when_the_policy_wants_them(ceph: Service, working: BackgroundServices) -> None:
    _, _, address = bucket(ceph, locks=False)
    service = working.copy_service()
    service.registry.add("cloud", address, KEYS)
    text = '[[copies]]\nstore = "cloud"\nlayout = "bag"\nlock = "governance 1d"\n'
    (trouble,) = troubles(service, parse_policy("*", text))
    assert "lock" in trouble.lower()
    service.policies.set(service.archive, "*", text)
    service.plan_all()
    done = service.replicate("cloud")
    assert done.made == 0
    assert "lock" in done.reason.lower()


def test_wrong_credentials_are_named_and_sealed_ones_are_not_in_the_database(
    ceph: Service, working: BackgroundServices, tmp_path: Path
) -> None:
    _, _, address = bucket(ceph, locks=False)
    service = working.copy_service()
    service.registry.add("cloud", address, KEYS)
    assert KEYS["secret_key"].encode() not in (tmp_path / "archive/control.db").read_bytes()
    working.close()
    wrong = Settings(
        {},
        archive=str(tmp_path / "archive"),
        scratch=tmp_path / "scratch",
        digest_processes=1,
        store_keys='{"cloud": {"access_key": "nobody", "secret_key": "a word nobody may see"}}',
    )
    other = BackgroundServices(App(wrong))
    try:
        refused = other.copy_service()
        refused.policies.set(refused.archive, "*", '[[copies]]\nstore = "cloud"\n')
        refused.plan_all()
        done = refused.replicate("cloud")
        assert "refused" in done.reason
        assert "a word nobody may see" not in done.reason
    finally:
        other.close()


def locks(client: Any, name: str) -> list[tuple[str, int, str]]:
    """Mode, last day and legal hold of everything that belongs to copies."""
    found = []
    for each in client.list_objects_v2(Bucket=name).get("Contents", []):
        if "/bags/" in each["Key"] or "/copies/" in each["Key"]:
            said = client.head_object(Bucket=name, Key=each["Key"])
            days = said["ObjectLockRetainUntilDate"].timestamp() // 86400 if "ObjectLockMode" in said else 0
            found.append((said.get("ObjectLockMode", ""), int(days), said.get("ObjectLockLegalHoldStatus", "OFF")))
    return found


def noted(service: CopyService) -> set[tuple[str, int | None]]:
    """The locks of all copies as the table has them: mode and last day."""
    rows = service.table.each(store="cloud")
    return {(row.lock_mode, None if row.locked_until is None else int(row.locked_until // 86400)) for row in rows}


def test_retention_is_set_extended_and_held_on_copies_that_are_there_and_on_those_that_come(
    ceph: Service, working: BackgroundServices, tmp_path: Path
) -> None:
    client, name, address = bucket(ceph, locks=True)
    service = working.copy_service()
    service.registry.add("cloud", address, KEYS)
    service.policies.set(service.archive, "*", '[[copies]]\nstore = "cloud"\nlayout = "bag"\n')
    service.plan_all()
    assert service.replicate("cloud").made == 1
    assert {each[0] for each in locks(client, name)} == {""}
    assert noted(service) == {("", None)}

    def retention(*words: str) -> int:
        return run(["--archive", str(tmp_path / "archive"), "retention", *words])

    assert retention("set", "one", "--until", "2d", "--mode", "compliance") == 0
    (before,) = set(locks(client, name))
    assert before[0] == "COMPLIANCE"
    # Neither the command nor the bucket shortens it, nor makes it governance again.
    for words in (("set", "one", "--until", "1d", "--mode", "compliance"), ("set", "one", "--until", "9d")):
        assert retention(*words) == StillRetained.exit_status
    assert retention("extend", "one", "--until", "1d") != 0
    assert retention("extend", "one", "--until", "5d") == 0
    (after,) = set(locks(client, name))
    assert after[1] == before[1] + 3
    assert noted(service) == {("compliance", after[1])}
    assert retention("hold", "one") == 0
    assert {each[2] for each in locks(client, name)} == {"ON"}
    # What is set anew without a word on the hold does not lift it, and a new copy is locked as the others.
    assert retention("set", "one", "--until", "6d", "--mode", "compliance") == 0
    with service.archive.get("one", "a") as new:
        new.add(b"later", "later.txt")
    service.plan()
    assert service.replicate("cloud").made == 1
    assert len(locks(client, name)) > 2
    assert set(locks(client, name)) == {("COMPLIANCE", before[1] + 4, "ON")}
    assert noted(service) == {("hold", before[1] + 4)}
    assert retention("release", "one") == 0
    assert set(locks(client, name)) == {("COMPLIANCE", before[1] + 4, "OFF")}
    assert noted(service) == {("compliance", before[1] + 4)}
    # What is known of a lock is the store's word, and comes back when a copy is read back.
    for row in list(service.table.each(store="cloud")):
        verify_copy(service, service.registry.open("cloud"), service.table.change(row, lock_mode="", locked_until=None))
    assert noted(service) == {("compliance", before[1] + 4)}
    held = Retentions(service.table.database).get("main/main", "one")
    assert held is not None
    assert (held.mode, held.hold) == ("compliance", False)


def test_a_retention_in_governance_is_shortened_in_the_bucket_too_but_not_below_the_lock_of_the_copy(
    ceph: Service, working: BackgroundServices, tmp_path: Path
) -> None:
    client, name, address = bucket(ceph, locks=True)
    service = working.copy_service()
    service.registry.add("cloud", address, KEYS)
    policy = '[[copies]]\nstore = "cloud"\nlayout = "bag"\n'
    service.policies.set(service.archive, "*", f'{policy}lock = "governance 3d"\n')
    service.plan_all()
    assert service.replicate("cloud").made == 1
    before = set(locks(client, name))
    (known,) = before

    def retention(*words: str) -> int:
        return run(["--archive", str(tmp_path / "archive"), "retention", *words])

    assert retention("set", "one", "--until", "20d") == 0
    assert set(locks(client, name)) == {("GOVERNANCE", known[1] + 17, "OFF")}
    assert retention("shorten", "one", "--until", "1d", "--reason", "a mistake") == 0
    assert set(locks(client, name)) == before
    assert noted(service) == {("governance", known[1])}
    service.policies.set(service.archive, "*", policy)
    assert retention("set", "one", "--until", "20d") == 0
    assert retention("shorten", "one", "--until", "10d", "--reason", "a mistake") == 0
    assert set(locks(client, name)) == {("GOVERNANCE", known[1] + 7, "OFF")}
